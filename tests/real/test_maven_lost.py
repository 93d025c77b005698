"""What can be said of opportunities that were lost without a trace of work?"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from loaders import maven_tables

from crm_portfolio import Portfolio
from crm_portfolio._frames import to_arrow
from crm_portfolio.analysis import LostOpportunitiesResult, lost_opportunities


@pytest.fixture(scope="module")
def result(shared_data: Path) -> LostOpportunitiesResult:
    book = Portfolio.from_frames(
        as_of=date(2017, 12, 31),
        currency="USD",
        **maven_tables(shared_data / "maven_crm"),
    )
    return lost_opportunities(book)


def test_none_of_the_2473_lost_is_judged_and_it_says_why(result) -> None:
    told = {row["class"]: row for row in to_arrow(result.frame).to_pylist()}
    assert told["data_insufficient"]["count"] == 2_473
    assert sum(row["count"] for row in told.values()) == 2_473
    codes = {warning.code: warning.values for warning in result.warnings}
    assert codes["lost_no_activities"] == {"n": 2_473}
    assert codes["lost_amounts_zero"] == {"n": 2_473}  # as each of them tells 0
    records = result.records_arrow("data_insufficient")
    assert records.num_rows == 2_473
    assert set(records["rule"].to_pylist()) == {"no_activities"}
    first = records["record_id"][0].as_py()
    assert "no table of activities" in result.explain(first)


def test_no_reason_is_made_up_where_none_is_noted(result) -> None:
    assert result.records_arrow()["loss_reason"].null_count == 2_473
    assert result.summary["reasons"]["unknown_count"] == 2_473
