from __future__ import annotations

import csv
import html.parser
import io
import json
import os
import pickle
import subprocess
import sys
from datetime import date

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crm_portfolio import analyse, analysis, samples
from crm_portfolio._frames import to_arrow
from crm_portfolio._html import without_formulas
from crm_portfolio.analysis import Quantiles, TiersSettings
from crm_portfolio.errors import MissingExtraError, SettingsError
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import significant

HOSTILE = [
    *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\r=1", "Plain - Ltd"),
    *("<script>alert(1)</script>", '"><img src=x>', "A&B", "\x1b[2Jgone", "\u202elive"),
]


@pytest.fixture(scope="module")
def firm():
    return samples.firm()


@pytest.fixture(scope="module")
def tiered(firm):
    return analysis.tiers(firm)


@pytest.fixture(scope="module")
def ranked(firm):
    return analysis.concentration(firm)


@pytest.fixture(scope="module")
def hostile():
    ids = [f"A{at:02}" for at in range(len(HOSTILE))]
    account = pa.table({"account_id": ids, "name": HOSTILE})
    line = pa.table(
        {
            "line_id": ids,
            "account_id": ids,
            "booked_on": pa.array([date(2026, 1, 5)] * len(ids)),
            "amount": [float(100 - at) for at in range(len(ids))],
        }
    )
    portfolio = Portfolio.from_frames(
        as_of=date(2026, 6, 30), currency="EUR", account=account, revenue_line=line
    )
    return analysis.concentration(portfolio)


@pytest.mark.parametrize(
    ("backend", "kind"),
    [("pandas", pd.DataFrame), ("polars", pl.DataFrame), ("pyarrow", pa.Table)],
)
def test_frames_come_back_in_the_kind_that_went_in(backend, kind):
    result = analysis.tiers(samples.firm(backend=backend))
    for frame in (result.frame, result.rejected, result.tiers):
        assert isinstance(frame, kind)


def test_changing_a_frame_does_not_change_the_result(tiered):
    frame = tiered.frame
    frame["tier"] = "Z"
    assert "Z" not in to_arrow(tiered.frame)["tier"].to_pylist()


def test_an_unknown_account_is_named_with_the_nearest_known(tiered):
    with pytest.raises(SettingsError, match=r"'A0'; did you mean 'A\d\d'"):
        tiered.explain("A0")


def test_an_explanation_ends_with_the_period_and_the_measure(tiered):
    lines = tiered.explain("A05").splitlines()
    assert lines[-2] == "Period: 1 July 2025 to 30 June 2026."
    assert (
        lines[-1] == "Revenue is what was invoiced, net of credit notes and discounts."
    )


def test_an_explanation_of_everything_has_no_first_day(firm):
    own = TiersSettings(period=analysis.TiersSettings().period.all())
    said = analysis.tiers(firm, own).explain("A05")
    assert "Period: everything known up to 30 June 2026." in said


def test_an_explanation_has_names_and_the_reasons_have_only_ids(ranked):
    assert "the group Borealis Holding (A02)" in ranked.explain("A04")
    values = [v for reason in ranked.reasons("A04") for v in reason.values.values()]
    assert "A02" in values
    assert not any("Borealis" in str(value) for value in values)


def test_a_name_in_an_explanation_is_harmless(hostile):
    assert "\x1b" not in hostile.explain("A11")
    assert "\u202e" not in hostile.explain("A12")
    assert "gone (A11)" in hostile.explain("A11")


def test_no_name_is_in_a_repr(ranked, tiered):
    for result in (ranked, tiered, ranked.compared_with(ranked)):
        assert "Aster" not in repr(result)
    assert repr(tiered) == "<TiersResult: 13 accounts, as of 2026-06-30, 0 warning(s)>"


def test_all_of_a_result_is_json(ranked, tiered):
    for result in (ranked, tiered):
        text = json.dumps(result.to_dict(), allow_nan=False)
        assert json.loads(text) == result.to_dict()
    kept = tiered.to_dict()
    assert [*kept][:6] == [
        "name",
        "summary",
        "params",
        "coverage",
        "warnings",
        "rejected",
    ]
    assert kept["frame"][0]["first_revenue_on"] == "2024-08-14"


def test_a_result_travels_between_processes(tiered):
    again = pickle.loads(pickle.dumps(tiered))
    assert again.to_dict() == tiered.to_dict()
    assert again.explain("A05") == tiered.explain("A05")


def test_statistics_have_twelve_digits_and_no_nan():
    assert significant(1 / 3) == 0.333333333333
    assert significant(float("nan")) is significant(None) is None
    assert str(significant(-0.0)) == "0.0"


def test_parquet_keeps_the_frame_as_it_is(tiered, tmp_path):
    tiered.save(tmp_path / "tiers.parquet")
    assert pq.read_table(tmp_path / "tiers.parquet").equals(to_arrow(tiered.frame))


def test_csv_holds_every_row_with_iso_days(tiered, tmp_path):
    tiered.save(tmp_path / "tiers.csv")
    rows = list(
        csv.DictReader(io.StringIO((tmp_path / "tiers.csv").read_text("utf-8")))
    )
    assert len(rows) == 13
    assert rows[0]["tier_since_on"] == "2026-06-30"
    assert rows[0]["edge_above"] == ""


def test_a_workbook_holds_the_frame_and_how_it_was_computed(tiered, tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    tiered.save(tmp_path / "tiers.xlsx")
    book = openpyxl.load_workbook(tmp_path / "tiers.xlsx")
    assert book.sheetnames == [
        *("accounts", "tiers", "summary", "warnings", "reasons", "params")
    ]
    assert book["accounts"].max_row == 14
    params = {row[0].value: row[1].value for row in book["params"].iter_rows()}
    assert params["settings.method.kind"] == "Slices"
    assert params["period.last_day"] == "2026-06-30"
    assert params["coverage"] == 1


def test_formulas_from_the_crm_are_text_in_csv_and_excel(hostile, tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    hostile.save(tmp_path / "hostile.csv")
    with (tmp_path / "hostile.csv").open(encoding="utf-8", newline="") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    hostile.save(tmp_path / "hostile.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "hostile.xlsx")["accounts"]
    cells = [row[1] for row in sheet.iter_rows(min_row=2)]
    for shown in (names, [cell.value for cell in cells]):
        assert [name[0] for name in shown[:7]] == ["'"] * 7
        assert shown[7] == "Plain - Ltd"
    assert {cell.data_type for cell in cells} == {"s"}


def test_numbers_and_nulls_are_left_alone_by_the_guard_against_formulas():
    table = pa.table({"n": [-1.5], "t": pa.array([None], pa.string())})
    assert without_formulas(table).equals(table)


class Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        self.seen.add(tag)
        self.addresses += [
            v for k, v in attrs if k in {"src", "href", "xlink:href"} and v
        ]


def test_a_page_runs_nothing_and_asks_nobody(hostile, tmp_path):
    pytest.importorskip("matplotlib")
    hostile.save(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    tags = Tags()
    tags.feed(page)
    assert not {"script", "img", "iframe", "link", "object"} & tags.seen
    assert {"svg", "table"} <= tags.seen
    assert all(address.startswith("#") for address in tags.addresses)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_a_page_is_the_same_each_time_and_in_the_readers_language(tiered, tmp_path):
    pytest.importorskip("matplotlib")
    for name in ("one.html", "other.html"):
        tiered.save(tmp_path / name, lang="fr")
    page = (tmp_path / "one.html").read_text("utf-8")
    assert page == (tmp_path / "other.html").read_text("utf-8")
    assert '<html lang="fr">' in page
    assert "Base de calcul" in page
    assert "affaires par tranche" in page


def test_a_notebook_shows_the_first_rows_and_the_warnings(ranked):
    shown = ranked._repr_html_()
    assert shown.count("<tr>") == 14
    assert "no revenue recorded in the period" in shown


def test_a_notebook_shows_the_picture_where_it_can_be_drawn(tiered, monkeypatch):
    pytest.importorskip("matplotlib")
    assert '<svg xmlns="http://www.w3.org/2000/svg"' in tiered._repr_html_()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "<svg" not in tiered._repr_html_()
    assert "<table>" in tiered._repr_html_()


def test_a_notebook_shows_who_moved_and_why(firm, tiered):
    after = analysis.tiers(firm, TiersSettings(method=Quantiles(4)))
    shown = after.compared_with(tiered)._repr_html_()
    assert "6 moved" in shown
    assert "<td>C</td><td>B</td>" in shown
    assert "4 groups of about equal number" in shown


def test_a_notebook_shows_what_was_found_and_what_was_not(firm):
    shown = analyse(firm, only=["tiers", "receivables"])._repr_html_()
    assert "TiersResult: 13 accounts" in shown
    assert "receivables is not made" in shown


@pytest.mark.parametrize("name", ["tiers", "risk", "exit_review"])
def test_all_reasons_at_once_are_those_of_each(firm, name):
    result = analyse(firm, only=[name])[name]
    every = dict(result.every_reason())
    assert list(every) == result.arrow["account_id"].to_pylist()
    assert all(result.reasons(each) == reasons for each, reasons in every.items())


def test_a_result_says_what_it_is_based_on(tiered):
    assert [each.code for each in tiered.basis()] == ["period", "measure_net_revenue"]


def test_an_unknown_file_type_is_refused_with_the_nearest_known(tiered, tmp_path):
    with pytest.raises(SettingsError, match=r"'\.xls'; did you mean '\.xlsx'"):
        tiered.save(tmp_path / "tiers.xls")


def test_without_the_optional_packages_it_says_what_to_install(
    tiered, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(MissingExtraError, match=r"crm-portfolio\[report\]"):
        tiered.plot()
    with pytest.raises(MissingExtraError, match=r"crm-portfolio\[excel\]"):
        tiered.save(tmp_path / "tiers.xlsx")
    tiered.save(tmp_path / "tiers.html")
    assert "<svg" not in (tmp_path / "tiers.html").read_text("utf-8")


def test_who_moved_is_told_with_from_and_to(firm, tiered):
    after = analysis.tiers(firm, TiersSettings(method=Quantiles(4)))
    moved = after.compared_with(tiered)
    assert moved.moves == {("B", "A"): 2, ("C", "B"): 2, ("D", "C"): 2}
    rows = to_arrow(moved.frame).to_pylist()
    assert [row["account_id"] for row in rows] == [
        "A03",
        "A05",
        "A06",
        "A07",
        "A08",
        "A10",
    ]
    assert rows[0] == {
        "account_id": "A03",
        "before": "D",
        "after": "C",
        "name": "Borealis Nord",
        "revenue": 70_000,
        "hours": None,
    }
    assert moved.came == moved.left == ()
    assert tiered.compared_with(tiered).moves == {}


def test_who_came_and_who_left_is_told(firm, tiered):
    fewer = analysis.tiers(firm.only([f"A{at:02}" for at in range(2, 14)]))
    assert fewer.compared_with(tiered).left == ("A01",)
    assert tiered.compared_with(fewer).came == ("A01",)


def test_results_of_different_analyses_are_not_compared(ranked, tiered):
    with pytest.raises(
        SettingsError, match="concentration cannot be compared with tiers"
    ):
        ranked.compared_with(tiered)


def test_the_hash_seed_changes_no_byte():
    script = (
        "import json; from crm_portfolio import analysis, samples; firm = samples.firm();"
        "print([json.dumps(each(firm).to_dict()) + each(firm).explain('A04')"
        " for each in (analysis.concentration, analysis.tiers)])"
    )

    def said(seed: str) -> bytes:
        return subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout

    assert said("1") == said("2") != b""
