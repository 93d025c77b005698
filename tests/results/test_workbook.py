"""Can a manager open the workbook and read it?"""

from __future__ import annotations

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from crm_portfolio import _html, analysis, samples
from crm_portfolio._wording import sentence
from crm_portfolio.analysis import Bands, TiersSettings
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results._workbook import workbook

openpyxl = pytest.importorskip("openpyxl")


@pytest.fixture(scope="module")
def tiered():
    return analysis.tiers(samples.firm(), TiersSettings(method=Bands((10**9, 90_000))))


@pytest.fixture
def opened(tmp_path):
    def save(result, **how):
        result.save(tmp_path / "result.xlsx", **how)
        return openpyxl.load_workbook(tmp_path / "result.xlsx")

    return save


def lines(sheet) -> list[tuple[object, ...]]:
    return [tuple(cell.value for cell in row) for row in sheet.iter_rows()]


def test_every_figure_is_a_number_and_every_day_a_day(tiered, opened):
    sheet = opened(tiered)["accounts"]
    names = [cell.value for cell in sheet[1]]
    first = dict(zip(names, sheet[2], strict=True))
    assert (first["revenue"].value, first["rank"].value) == (260_000, 1)
    assert first["tier_since_on"].value.date() == date(2026, 6, 30)
    assert first["is_pinned"].value is False
    assert first["share"].number_format == "0.0 %"
    assert first["gap"].value == 10**9 - 260_000


def test_the_header_is_bold_and_stays_in_sight(tiered, opened):
    for sheet in opened(tiered).worksheets:
        assert sheet.freeze_panes == "A2"
        assert {cell.font.bold for cell in sheet[1] if cell.value} == {True}


def test_the_summary_has_its_figures_and_each_list_as_a_table(tiered, opened):
    said = lines(opened(tiered)["summary"])
    figures = {line[0]: line[1] for line in said}
    assert figures["account_count"] == 13
    assert figures["tiered_revenue"] == 948_000
    at = said.index(next(line for line in said if line[0] == "tiers"))
    header, first = said[at + 1], said[at + 2]
    assert header[:4] == ("tier", "account_count", "count_after_pins", "revenue")
    assert first[:4] == ("A", 0, 0, 0)
    border = said[next(i for i, each in enumerate(said) if each[0] == "borders") + 3]
    assert border[:2] == ("B", 90_000)
    assert border[2].startswith("A07, 92000.0; ")


def test_warnings_and_reasons_are_sentences_in_the_readers_language(tiered, opened):
    for lang in ("en", "fr"):
        book = opened(tiered, lang=lang)
        ((_, warning),) = lines(book["warnings"])[1:]
        assert warning == sentence(tiered.warnings[0], lang)
        reasons = [line for line in lines(book["reasons"]) if line[0] == "A05"]
        assert [reason for _, _, reason in reasons] == [
            sentence(each, lang) for each in tiered.reasons("A05")
        ]
        assert {name for _, name, _ in reasons} == {"Cobalt Machines"}


def test_the_reasons_of_a_long_list_end_with_how_many_are_shown(tiered, tmp_path):
    (tmp_path / "book.xlsx").write_bytes(workbook(tiered, "en", explained=2))
    said = lines(openpyxl.load_workbook(tmp_path / "book.xlsx")["reasons"])
    assert {line[0] for line in said[1:-1]} == {"A01", "A05"}
    assert said[-1][2] == (
        "The reasons of 2 of 13 accounts; explain() tells those of each."
    )


def test_lines_that_could_not_be_counted_have_a_sheet(opened):
    portfolio = Portfolio.from_frames(
        as_of=date(2026, 6, 30),
        currency="EUR",
        account=pa.table({"account_id": ["A"]}),
        opportunity=pa.table(
            {
                "opportunity_id": ["1"],
                "account_id": ["A"],
                "status": ["won"],
                "closed_on": pa.array([date(2026, 1, 5)]),
                "amount": pa.array([None], pa.float64()),
            }
        ),
    )
    sheet = opened(analysis.tiers(portfolio))["rejected"]
    assert dict(zip(*lines(sheet), strict=True))["fault"] == "without_amount"


FORMULAS = ["=1+1", "@SUM(A1)", "\t=1", "＝1+1", "-1+1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_of_any_sheet_is_a_formula(text, tmp_path):
    rows = _html.Lines(("name", "value"), [(text, 1), ("fine", text)])
    table = pa.table({"name": [text], "list": [[text]]})
    file = tmp_path / "book.xlsx"
    file.write_bytes(_html.xlsx({"a": rows, "b": table}))
    for sheet in openpyxl.load_workbook(file).worksheets:
        for row in sheet.iter_rows():
            assert all(cell.data_type != "f" for cell in row)
            texts = [cell.value for cell in row if isinstance(cell.value, str)]
            assert not any(each.lstrip().startswith(("=", "@", "＝")) for each in texts)


def test_what_no_cell_can_hold_is_written_as_something_it_can(tmp_path):
    moment = datetime(2026, 1, 5, 23, tzinfo=UTC)
    table = pa.table(
        {
            "at": pa.array([moment], pa.timestamp("us", "Europe/Paris")),
            "ratio": [float("nan")],
            "odds": [float("inf")],
            "text": ["a\x00b"],
        }
    )
    file = tmp_path / "book.xlsx"
    file.write_bytes(_html.xlsx({"a": table}))
    sheet = openpyxl.load_workbook(file)["a"]
    assert lines(sheet)[1] == (datetime(2026, 1, 5, 23), None, None, "ab")


def test_more_rows_than_a_sheet_has_are_refused_with_what_to_do():
    table = pa.table({"n": pa.nulls(1_048_576, pa.int64())})
    with pytest.raises(SettingsError, match=r"1,048,576 rows.*\.csv or \.parquet"):
        _html.xlsx({"accounts": table})
