"""What does a loss mean to a firm whose every order line says its cost?

AdventureWorks resellers: 635 with sales, 60,855 lines with amount and product cost. The
figures are those of the data's README.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import csv

from crm_portfolio._frames import to_arrow
from crm_portfolio.analysis import (
    LossScenarioResult,
    LossScenarioSettings,
    Scenario,
    loss_scenario,
)
from crm_portfolio.portfolio import Period, Portfolio

FIRST, LAST = date(2010, 12, 29), date(2013, 11, 29)
YEARS = (date(2013, 11, 30) - FIRST).days / 365.2425


@pytest.fixture(scope="module")
def book(shared_data: Path) -> Portfolio:
    source = shared_data / "adventureworks_resellers"
    sales = csv.read_csv(source / "reseller_sales.csv.gz")
    resellers = csv.read_csv(source / "resellers.csv")
    order = sales["SalesOrderNumber"].cast(pa.string())
    line = sales["SalesOrderLineNumber"].cast(pa.string())
    return Portfolio.from_frames(
        as_of=LAST,
        currency="USD",
        account=pa.table(
            {
                "account_id": resellers["ResellerKey"].cast(pa.string()),
                "segment": resellers["BusinessType"],
            }
        ),
        revenue_line=pa.table(
            {
                "line_id": pc.binary_join_element_wise(order, line, "-"),
                "account_id": sales["ResellerKey"].cast(pa.string()),
                "booked_on": sales["OrderDate"].cast(pa.date32()),
                "amount": sales["SalesAmount"].cast(pa.float64()),
                "cost": sales["TotalProductCost"].cast(pa.float64()),
            }
        ),
    )


def lose(book: Portfolio, scenario: Scenario) -> LossScenarioResult:
    return loss_scenario(
        book, LossScenarioSettings(period=Period.all(), scenario=scenario)
    )


def test_the_small_four_fifths_bring_a_third_of_the_sales(book: Portfolio) -> None:
    """README: the top 20 % (127 of 635) hold 66.712 %."""
    loss = lose(book, Scenario.tail(0.8)).summary["loss"]
    assert loss["account_count"] == 635 - 127
    assert round(100 * loss["share"], 3) == round(100 - 66.712, 3)


def test_what_the_lines_cost_leaves_next_to_nothing(book: Portfolio) -> None:
    """README: sales 80,450,596.98, gross profit 470,482.60 (0.585 %)."""
    before = lose(book, Scenario.largest()).summary["before"]
    assert round(100 * before["contribution_ratio"], 3) == 0.585
    assert before["revenue"] * YEARS == pytest.approx(80_450_596.98, abs=100)
    assert before["contribution"] * YEARS == pytest.approx(470_482.60, abs=100)


def test_to_lose_those_who_cost_more_than_they_bring_is_a_gain(book: Portfolio) -> None:
    """README: 335 resellers lose money, −2,173,060.72 together; 300 earn 2,643,543.32."""
    frame = to_arrow(lose(book, Scenario.largest()).frame)
    costly = frame.filter(pc.less(frame["contribution"], 0.0))
    assert costly.num_rows == 335
    result = lose(book, Scenario(costly["account_id"], lost_share=1.0))
    loss = result.summary["loss"]
    assert loss["contribution_full_year"] * YEARS == pytest.approx(
        -2_173_060.72, abs=100
    )
    after = result.summary["after"]["contribution"]
    assert after * YEARS == pytest.approx(2_643_543.32, abs=100)


def test_no_reseller_is_one_the_firm_depends_on(book: Portfolio) -> None:
    """README: the largest, key 697, holds 1.090 %."""
    result = lose(book, Scenario.largest())
    assert round(100 * result.summary["loss"]["share"], 3) == 1.090
    assert "697" in result.groups["ultimate_parent_id"].to_pylist()[:1]
    assert result.summary["dependence"] == []
