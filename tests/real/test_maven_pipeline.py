"""What can be said of Maven's work ahead without a change history? The figures are the README's."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
from loaders import maven_tables

from crm_portfolio import Portfolio, analysis
from crm_portfolio.analysis import PipelineResult, PipelineSettings

YEAR = PipelineSettings(months=12)


@pytest.fixture(scope="module")
def ahead(shared_data: Path) -> PipelineResult:
    portfolio = Portfolio.from_frames(
        as_of=date(2017, 12, 31),
        currency="USD",
        backend="pyarrow",
        **maven_tables(shared_data / "maven_crm"),
    )
    return analysis.pipeline(portfolio, YEAR)


def test_it_says_that_there_is_no_history(ahead: PipelineResult) -> None:
    said = {each.code: each.values for each in ahead.warnings}
    assert {"pipeline_no_history", "pipeline_no_silence"} <= set(said)
    # README: engage_date is missing on the 500 in Prospecting.
    assert said["pipeline_undated"] == {"n": 500}
    assert ahead.params["measure"] == "current_value"
    assert set(ahead.arrow["weighted_amount"].to_pylist()) == {None}


def test_quarter_by_quarter(ahead: PipelineResult) -> None:
    """README: won 531, 1,254, 1,257 and 1,196; 4,238 won and 2,473 lost in all."""
    won = ahead.arrow["won_count"].to_pylist()
    assert [sum(won[at : at + 3]) for at in range(0, 12, 3)] == [531, 1254, 1257, 1196]
    assert sum(ahead.arrow["lost_count"].to_pylist()) == 2473


def test_what_is_open_today_has_no_amount_and_is_not_nothing(
    ahead: PipelineResult,
) -> None:
    """README: of the 2,089 open ones 1,589 are in Engaging; none has an amount."""
    now = ahead.summary["now"]
    assert isinstance(now, dict)
    assert (now["open_count"], now["unknown_amount_count"]) == (1589, 1589)
    assert now["amount"] is None
    assert ahead.coverage == 0.0


def test_open_is_what_was_engaged_less_what_was_closed(ahead: PipelineResult) -> None:
    rows = ahead.arrow.to_pylist()
    for before, after in pairwise(rows):
        closed = after["won_count"] + after["lost_count"]
        grown = before["open_count"] + after["created_count"] - closed
        assert grown == after["open_count"]
