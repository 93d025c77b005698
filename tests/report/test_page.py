"""Does the page say what was found, honestly, in two languages, within its weight?"""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import subprocess
import sys
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import crm_portfolio
from crm_portfolio import Portfolio, Report, Settings, analyse, report, samples
from crm_portfolio._analyse._needs import NEEDS
from crm_portfolio._report._labels import PARTS, TABLES
from crm_portfolio._report._terms import TERMS
from crm_portfolio._report._words import Words
from crm_portfolio._wording import LANGS, Reason, sentence
from crm_portfolio.errors import SettingsError

QUESTIONS = (
    *("dependence", "tiers", "danger", "lost"),
    *("earns", "moved", "proposed", "unknown"),
)
TWO_MEGABYTES = 2_000_000
COMPARED = {"Dependence": "Ranked", "Risk": "Risk "}
ODD = ("description", "order", "select", "account_ids")


class Seen(HTMLParser):
    """What stands on a page: text by section, tags, attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.sections: dict[str, list[str]] = {"": []}
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.attributes: set[str] = set()
        self._now, self._hidden = "", False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [v for k, v in attrs if k in {"src", "href"} and v]
        self._hidden = tag in {"script", "style"}
        if tag == "section":
            self._now = str(dict(attrs)["id"])
            self.sections[self._now] = []

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False
        if tag == "section":
            self._now = ""

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.sections[self._now].append(data.strip())

    def said(self, section: str) -> str:
        return plain(" ".join(self.sections[section]))


def plain(text: str) -> str:
    return re.sub("[\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}]", " ", text)


def tile(page: Report, name: str) -> str:
    """The number under this name."""
    found = re.search(rf'"tile"><dt>{name}</dt><dd class="[^"]*">([^<]*)', page.html)
    assert found
    return plain(found[1])


def row_of(page: Report, head: str) -> list[str]:
    """The cells of the table's row that begins with this."""
    found = re.search(rf'<tr><th scope="row"[^>]*>{head}</th>(.*?)</tr>', page.html)
    assert found
    return [plain(each) for each in re.findall(r"<td[^>]*>([^<]*)", found[1])]


def table_of(page: Report, title: str) -> list[list[str]]:
    """Heads and rows of the table of this title."""
    found = re.search(
        rf'<caption class="hidden">{title}</caption>(.*?)</table>', page.html
    )
    assert found
    rows = re.findall(r"<tr>(.*?)</tr>", found[1])
    cells = (re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows)
    return [[plain(each) for each in row] for row in cells]


def packed(page: Report) -> dict[str, Any]:
    found = re.search(r'id="packed">([^<]*)</script>', page.html)
    assert found
    data: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(found[1])))
    return data


def told(data: dict[str, Any]) -> dict[str, list[list[str]]]:
    """Every account's sentences by heading, put together as the script does it."""
    why, used = data["why"], [0] * len(data["why"]["patterns"])
    names = data["columns"][0]
    found = {}
    for row, record_id in enumerate(data["ids"]):
        name = names["shown"][names["at"][row]]
        itself = record_id if name == record_id else f"{name} ({record_id})"
        found[record_id] = []
        for under in why["shapes"][why["of"][row]]:
            said = []
            for pattern in under:
                literals = why["patterns"][pattern].split("\x1f")
                values = [each[used[pattern]] for each in why["values"][pattern]]
                used[pattern] += 1
                values = [itself if each == "\x1e" else each for each in values]
                parts = zip(literals, [*values, ""], strict=True)
                said.append("".join(map("".join, parts)))
            found[record_id].append(said)
    return found


def test_the_questions_stand_in_the_order_a_director_asks_them(english):
    seen = Seen(english.html)
    assert tuple(seen.sections)[1:] == QUESTIONS
    assert seen.said("dependence").startswith("1 How dependent are we?")


def test_each_answer_begins_with_what_was_found(english, findings):
    seen = Seen(english.html)
    levels = findings["risk"].summary["levels"]
    critical, high = (levels[each]["account_count"] for each in ("critical", "high"))
    assert critical
    assert f"{critical} accounts are in critical danger and {high} in high" in (
        seen.said("danger")
    )
    share = findings["concentration"].summary["by_group"]["cr1"]
    assert f"holds {100 * share:.1f} % of revenue" in seen.said("dependence")
    missed = findings["lost_opportunities"].summary["opportunities"]["missed_count"]
    assert f"Missed {missed} " in seen.said("lost")
    losing = findings["profitability"].summary["whale"]["losing_count"]
    assert f"{losing} cost more than they bring" in seen.said("earns")


def test_every_account_is_there_with_all_its_reasons(french, findings, book):
    """The packed sentences are those of `explain`, word for word."""
    data = packed(french)
    assert len(data["ids"]) == book.row_counts["account"]
    assert data["heads"] == ["Tranche", "Dépendance", "Risque", "Étape à peser"]
    found = told(data)
    for name, at in (
        ("tiers", 0),
        ("concentration", 1),
        ("risk", 2),
        ("exit_review", 3),
    ):
        result = findings[name]
        for record_id in data["ids"]:
            count = len(result.reasons(record_id))
            lines = result.explain(record_id, lang="fr").splitlines()[:count]
            assert list(map(plain, found[record_id][at])) == list(map(plain, lines))


def test_separate_answers_stay_separate_columns(english):
    names = [each["name"] for each in packed(english)["columns"]]
    assert names[0] == "Account"
    for each in ("Tier", "Dependence", "Risk", "Step to weigh"):
        assert each in names
    assert not [each for each in names if "core" in each.lower()]


def test_the_first_accounts_are_there_without_a_script(english, findings):
    rows = findings["concentration"].arrow.slice(0, 20).to_pylist()
    said = Seen(english.html).said("tiers")
    for row in rows:
        assert row["account_id"] in said
    first = findings["tiers"].reasons(rows[0]["account_id"])[0]
    assert plain(sentence(first)) in said


def test_what_moved_since_the_older_folder_is_told_with_why(english, book):
    said = Seen(english.html).said("moved")
    before = analyse(book.at(date(2025, 12, 31)), only=["tiers"])["tiers"]
    moved = analyse(book, only=["tiers"])["tiers"].compared_with(before)
    assert moved.moves
    assert re.search(r"Since 31 December 2025, \d+ accounts have moved\.", said)
    assert "Tier: who moved, from where to where" in said
    assert moved.explain(moved.frame["account_id"][0].as_py()).startswith("From")
    assert plain(moved.told()["why"][0].as_py()) in said.replace("&#x27;", "'")


def test_who_moved_says_what_moved_it(english):
    """Not its rank, and not the level, which stands beside it."""
    by = {what: table_of(english, f"{what}: who moved.*?") for what in COMPARED}
    for what, begins in COMPARED.items():
        assert len(by[what]) > 2
        assert not [row[-1] for row in by[what] if row[-1].startswith(begins)]
    assert "Major client: " in str(by["Dependence"])


def test_without_an_older_folder_two_periods_are_compared(french):
    said = Seen(french.html).said("moved")
    assert "Aucun dossier plus ancien n'a été donné" in said
    assert "Le chiffre d'affaires est passé de" in said


def test_nothing_that_stood_still_is_told_as_moved():
    firm = samples.firm()
    same = report(firm, findings=analyse(firm, only=["tiers"]), against=firm)
    assert "Nothing moved since 30 June 2026." in Seen(same.html).said("moved")


def test_a_newer_folder_is_no_older_one(book, findings):
    older = book.at(date(2025, 12, 31))
    with pytest.raises(SettingsError, match="the other way round"):
        report(older, findings=findings, against=book)


def test_amounts_in_two_currencies_are_not_compared(findings, book, portfolio_of):
    tables = {"account": samples.firm().arrow("account")}
    dollars = portfolio_of(tables, currency="USD")
    with pytest.raises(SettingsError, match="in USD, the other in EUR"):
        report(book, findings=findings, against=dollars)


def test_numbers_and_days_are_written_as_the_language_does(english, french, findings):
    total = findings["concentration"].summary["by_account"]["total"]
    thousands = f"{round(total):,}"
    assert f">{thousands}\N{NO-BREAK SPACE}EUR<" in english.html
    narrow = "\N{NARROW NO-BREAK SPACE}"
    assert f">{thousands.replace(',', narrow)}{narrow}€<" in french.html
    assert "As of 30 June 2026." in english.html
    assert "Au 30 juin 2026." in french.html
    share = findings["concentration"].summary["by_account"]["share_of_top_20pct"]
    assert f">{100 * share:.1f}".replace(".", ",") + f"{narrow}%<" in french.html


@pytest.mark.parametrize("lang", LANGS)
def test_the_page_says_its_language_and_keeps_to_it(lang, english, french):
    page = {"en": english, "fr": french}[lang]
    other = {"en": "fr", "fr": "en"}[lang]
    assert f'<html lang="{lang}">' in page.html
    for term in ("revenue", "tier", "risk", "step", "largest_share"):
        assert sentence(Reason(TERMS[term][0]), lang) in plain(page.html)
    headings = ("question_danger", "question_unknown", "report_every_account")
    for code in headings:
        assert sentence(Reason(code), other) not in page.html


@pytest.mark.parametrize("lang", LANGS)
def test_each_number_has_its_definition_on_demand(lang, english, french):
    page = {"en": english, "fr": french}[lang]
    tiles = re.findall(
        r'<div class="tile"><dt>(.*?)</dt>.*?<p>(.*?)</p></details>', page.html
    )
    assert len(tiles) > 25
    defined = {
        tuple(plain(sentence(Reason(code), lang)) for code in codes)
        for codes in TERMS.values()
    }
    unescaped = [tuple(plain(t).replace("&#x27;", "'") for t in tile) for tile in tiles]
    assert set(unescaped) <= defined


def test_every_part_and_table_that_may_be_lacking_has_a_word():
    parts = {part for needs in NEEDS.values() for part in needs.parts}
    assert parts <= set(PARTS)
    needs = [
        need
        for each in NEEDS.values()
        for need in (
            *each.whole,
            *(n for part in each.parts.values() for n in part.needs),
        )
    ]
    sources = {source for need in needs for source in need.sources}
    tables = {re.split(r"[.\[]", each)[0] for each in sources if each[0] != "["}
    assert tables <= set(TABLES)


def test_the_page_has_a_policy_that_allows_its_own_style_and_script_only(english):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', english.html)
    assert policy
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[\w+/=]+'; "
        r"script-src 'sha256-[\w+/=]+'; base-uri 'none'; form-action 'none'",
        policy[1],
    )
    seen = Seen(english.html)
    assert not {"img", "iframe", "link", "object", "image"} & set(seen.tags)
    assert all(each.startswith("#") for each in seen.addresses)
    assert "style" not in seen.attributes
    assert not [each for each in seen.attributes if each.startswith("on")]


def test_no_two_things_on_the_page_share_an_id(english):
    ids = re.findall(r'\sid="([^"]*)"', english.html)
    assert len(ids) == len(set(ids))


ONE_RUN = """
import hashlib, sys
from crm_portfolio import analyse, report, samples
firm = samples.firm()
found = analyse(firm, only=["concentration", "tiers", "risk"])
page = report(firm, findings=found, lang="fr")
print(hashlib.sha256(page.html.encode()).hexdigest())
"""


def test_the_same_book_makes_the_same_bytes_in_any_process():
    here = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    seen = {
        subprocess.run(
            [sys.executable, "-c", ONE_RUN],
            env={**here, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "Asia/Tokyo"), ("2", "America/Lima"))
    }
    assert len(seen) == 1


def test_ten_thousand_accounts_weigh_less_than_two_megabytes(billed, portfolio_of):
    """With invoices, hours, ratings: every account has thirty reasons or so."""
    big = billed(samples.book(accounts=10_000, opportunities=12_000))
    some = ("tiers", "concentration", "risk", "exit_review")
    book = portfolio_of(big)
    page = report(book, findings=analyse(book, only=some), lang="fr")
    assert len(packed(page)["ids"]) == 10_000
    assert sum(len(each) for each in packed(page)["why"]["shapes"][0]) >= 20
    assert len(page.html.encode()) < TWO_MEGABYTES


@pytest.fixture(scope="module")
def accounts_only(portfolio_of) -> Portfolio:
    table = {"account_id": ["A1", "A2"], "name": ["One", None]}
    return portfolio_of({"account": pa.table(table)})


@pytest.mark.parametrize("lang", LANGS)
def test_a_book_of_accounts_alone_says_what_it_needs(lang, accounts_only):
    page = report(accounts_only, lang=lang)
    seen = Seen(page.html)
    for question in QUESTIONS:
        assert seen.sections[question]
    said = {
        "en": "“Concentration” cannot be told yet: it needs the revenue lines",
        "fr": "« Concentration » ne peut pas encore être établi : il faut les lignes",
    }[lang]
    assert said in seen.said("dependence")
    assert [*packed(page)["ids"]] == ["A1", "A2"]
    assert page.findings.lacking()["skipped"]
    assert " 0 part" not in seen.said("unknown")
    assert "two periods brought" not in seen.said("moved")


@pytest.mark.parametrize("lang", LANGS)
def test_where_nobody_noted_hours_the_page_says_what_they_need(
    lang, portfolio_of, english
):
    tables = samples.book(accounts=40, opportunities=250).tables
    page = Seen(report(portfolio_of(tables), lang=lang).html)
    said = {
        "en": "“hours (Allocation of hours)” cannot be told yet: it needs the hours there",
        "fr": "« heures (Répartition des heures) » ne peut pas encore être établi : il",
    }[lang]
    assert said in page.said("proposed")
    drawn = {"en": "Hours allotted", "fr": "Heures attribuées"}[lang]
    assert drawn not in page.said("proposed")
    assert "cannot be told yet: it needs the hours there" not in Seen(
        english.html
    ).said("proposed")


@pytest.mark.parametrize(
    ("lang", "said", "promise"),
    [
        ("en", "rising, and may be larger tomorrow", "tomorrow's larger clients"),
        ("fr", "compter davantage demain", "les plus gros clients de demain"),
    ],
)
def test_who_rises_is_a_possibility_and_no_promise(
    lang, said, promise, english, french
):
    page = plain({"en": english, "fr": french}[lang].html)
    assert said in page
    assert promise not in page


def test_what_is_not_known_is_never_shown_as_nothing(accounts_only):
    page = report(accounts_only)
    tiles = re.findall(r'<div class="tile">.*?</div>', page.html)
    assert not [tile for tile in tiles if re.search(r">0(?!\d| ?</dd>)\D", tile)]
    assert "0 EUR" not in plain(page.html)


@pytest.fixture(scope="module")
def costless() -> Report:
    """A page of a firm that nobody told what anything costs, or who did what."""
    firm = samples.firm()
    some = ["profitability", "lost_opportunities", "review"]
    return report(firm, findings=analyse(firm, only=some), against=firm)


def test_how_many_accounts_cost_is_unknown_where_no_cost_is_known(costless):
    assert tile(costless, "Accounts that cost") == "unknown"
    then_and_now = row_of(costless, "Accounts that cost")
    assert then_and_now == ["unknown", "unknown"]


def test_what_was_not_judged_is_not_said_to_be_out_of_reach(costless):
    assert row_of(costless, "Not judged") == ["4", "165,000 EUR", "100.0 %", "unknown"]


def test_revenue_that_went_up_says_from_when_to_when(costless, french):
    said = (
        "Revenue went from 468,000 EUR (1 January 2025 to 30 June 2025) to 538,000 EUR "
        "(1 January 2026 to 30 June 2026)."
    )
    assert said in Seen(costless.html).said("moved")
    assert "(du 1er janvier 2026 au 30 juin 2026)" in Seen(french.html).said("moved")


def test_who_costs_more_than_he_brings_is_seen_to(english, findings):
    """The column by which they are ranked stands there, and is below nothing."""
    summary = findings["profitability"].summary["whale"]
    found = table_of(english, "Those that cost more than they bring")
    at = found[0].index("Left by it")
    assert len(found) - 1 == min(15, summary["losing_count"])
    assert all(row[at].startswith("\N{MINUS SIGN}") for row in found[1:])


def test_none_is_said_to_be_missed_where_none_was_judged(portfolio_of):
    some = {"account", "opportunity", "stage", "activity"}
    tables = {
        name: table.drop_columns([each for each in ODD if each in table.column_names])
        for name, table in samples.odd_book().items()
        if name in some
    }
    odd = portfolio_of({**tables, "exchange_rate": samples.odd_book()["exchange_rate"]})
    page = report(odd, findings=analyse(odd, only=["lost_opportunities"]))
    assert tile(page, "Lost") == "2"
    for name in ("Missed", "Amount missed", "Within our reach"):
        assert tile(page, name) == "unknown"


def test_revenue_below_nothing_is_not_said_to_be_unknown(portfolio_of, accounts_only):
    lines = {
        "line_id": ["1", "2"],
        "account_id": ["A1", "A2"],
        "booked_on": [date(2026, 3, 1), date(2026, 3, 1)],
        "amount": [-500.0, 20.0],
    }
    tables = {
        "account": accounts_only.arrow("account"),
        "revenue_line": pa.table(lines),
    }
    book = portfolio_of(tables)
    page = report(book, findings=analyse(book, only=["concentration"]))
    said = Seen(page.html).said("dependence")
    assert "Revenue in the period is \N{MINUS SIGN}480 EUR" in said
    assert "No revenue is known" not in said


def test_an_amount_is_written_to_the_cent_of_its_currency():
    for currency, shown in (("EUR", "355.58"), ("JPY", "356"), ("KWD", "355.579")):
        words = Words("en", currency)
        assert plain(words.cell("money", 355.5794)) == f"{shown} {currency}"


def test_an_empty_book_is_a_page_too(portfolio_of):
    empty = {"account_id": pa.array([], pa.string())}
    page = report(portfolio_of({"account": pa.table(empty)}))
    assert "There is no account in this book" in Seen(page.html).said("tiers")
    lines = {
        "line_id": pa.array([], pa.string()),
        "account_id": pa.array([], pa.string()),
        "booked_on": pa.array([], pa.date32()),
        "amount": pa.array([], pa.float64()),
    }
    tables = {"account": pa.table(empty), "revenue_line": pa.table(lines)}
    said = Seen(report(portfolio_of(tables)).html).said("dependence")
    assert "No revenue is known in the period." in said


def test_amounts_that_nobody_knows_stay_unknown(portfolio_of, accounts_only):
    sale = {
        "opportunity_id": ["O1"],
        "account_id": ["A1"],
        "status": ["won"],
        "closed_on": [date(2026, 3, 12)],
        "amount": pa.array([None], pa.float64()),
    }
    tables = {"account": accounts_only.arrow("account")}
    page = report(portfolio_of({**tables, "opportunity": pa.table(sale)}))
    assert "No revenue is known in the period." in page.html
    at = next(e for e in packed(page)["columns"] if e["name"] == "Risk")
    assert {at["shown"][each] for each in at["at"]} == {"unknown"}


def test_odd_books_make_a_page(portfolio_of):
    tables = {
        name: table.drop_columns([each for each in ODD if each in table.column_names])
        for name, table in samples.odd_book().items()
    }
    page = report(portfolio_of(tables))
    assert "\u202e" not in page.html
    assert "=1+1" in " ".join(packed(page)["columns"][0]["shown"])


def test_the_unknown_comes_with_what_would_help_most(english, findings):
    said = Seen(english.html).said("unknown")
    assert "What would help most, the best first" in said
    best = findings.unlocks[0]
    assert f"(the table {best.add}" in said
    asked = findings["exit_review"].questions()
    assert plain(asked["question"][0].as_py()) in said


def test_the_language_of_the_settings_is_that_of_the_page(accounts_only):
    page = report(accounts_only, Settings(language="fr"))
    assert '<html lang="fr">' in page.html


def test_without_the_optional_package_the_page_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = report(samples.firm(), findings=analyse(samples.firm(), only=["tiers"]))
    assert "There are no pictures: pip install" in page.html
    assert "<svg" not in page.html


def test_a_report_is_saved_and_shown_in_a_notebook(english, tmp_path):
    english.save(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text("utf-8") == english.html
    shown = english._repr_html_()
    assert shown.startswith("<iframe")
    assert "<section" not in shown
    assert repr(english).startswith("<Report: ")
    assert crm_portfolio.report is report
    assert english.findings["tiers"].params["as_of"] == "2026-06-30"


def test_the_page_of_the_docs_defines_each_number_as_the_page_does():
    docs = Path(__file__).parents[2] / "docs" / "how-to" / "read-the-report.md"
    shown = re.findall(r"^\| (.*?) \| (.*?) \|$", docs.read_text("utf-8"), re.MULTILINE)
    expected = [
        tuple(sentence(Reason(code)) for code in codes) for codes in TERMS.values()
    ]
    assert shown[2:] == expected
