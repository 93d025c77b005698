"""How would a firm with 635 resellers share out the hours of its people?

AdventureWorks says nothing of time; 20,000 hours are supposed. Numbers of accounts are
those of the data's README, the others are those of the page on the allocation.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from shapes import Shape, resellers

from crm_portfolio._frames import to_arrow
from crm_portfolio.analysis import AllocationResult, AllocationSettings, allocation
from crm_portfolio.portfolio import Period

PAGE = Path(__file__).resolve().parents[2] / "docs/reference/analyses/allocation.md"


@pytest.fixture(scope="module")
def shape(shared_data: Path) -> Shape:
    return resellers(shared_data)


def shared(shape: Shape, **chosen: float) -> AllocationResult:
    settings = AllocationSettings(period=Period.all(), hours=20_000, **chosen)
    return allocation(shape.book, settings, tiers=shape.tiered)


def test_every_minute_is_shared_out_among_those_with_sales(shape: Shape) -> None:
    """README: 635 resellers with sales, 66 without an order."""
    rows = to_arrow(shared(shape).frame).to_pylist()
    served = [row for row in rows if row["minutes"]]
    assert (len(served), len(rows) - len(served)) == (635, 66)
    assert sum(row["minutes"] for row in served) == 20_000 * 60


def test_a_floor_costs_the_large_ones_little_here(shape: Shape) -> None:
    result = shared(shape, floor_hours=12)
    by_tier = {row["tier"]: row for row in to_arrow(result.tiers).to_pylist()}
    found = {tier: row["account_count"] for tier, row in by_tier.items()}
    assert found == {"A": 30, "B": 49, "C": 81, "D": 475, "none": 66}
    each = {tier: round(row["hours_per_account"], 1) for tier, row in by_tier.items()}
    assert each == {"A": 158.9, "B": 97.3, "C": 58.8, "D": 12.0, "none": 0.0}
    minutes = to_arrow(result.frame)["minutes"].to_pylist()
    assert sum(minutes) == 20_000 * 60
    assert min(each for each in minutes if each) == 12 * 60
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert "166.7 hours for each of 30 accounts in A, 10.5 for each of 475 in D" in page
    assert "A still has 158.9" in page


def test_nothing_is_said_of_hours_that_nobody_noted(shape: Shape) -> None:
    result = shared(shape)
    assert set(to_arrow(result.frame)["hours_spent"].to_pylist()) == {None}
    assert result.summary["tail"]["hours_share"] is None
    assert [warning.code for warning in result.warnings] == ["effort_unknown"]
