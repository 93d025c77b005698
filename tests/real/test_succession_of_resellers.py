"""Do new resellers replace those who leave, and would the list have found them?

AdventureWorks resellers: 635 with sales, 60,855 lines from 29 December 2010 to 29 November
2013. What the reference page says about them is held here.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import csv

from crm_portfolio._frames import to_arrow
from crm_portfolio.analysis import SuccessionResult, succession
from crm_portfolio.portfolio import Portfolio


@pytest.fixture(scope="module")
def sales(shared_data: Path) -> pa.Table:
    return csv.read_csv(
        shared_data / "adventureworks_resellers" / "reseller_sales.csv.gz"
    )


@pytest.fixture(scope="module")
def found(sales: pa.Table) -> SuccessionResult:
    order = sales["SalesOrderNumber"].cast(pa.string())
    line = sales["SalesOrderLineNumber"].cast(pa.string())
    keys = sales["ResellerKey"].cast(pa.string())
    book = Portfolio.from_frames(
        as_of=date(2013, 11, 30),
        currency="USD",
        account=pa.table({"account_id": pc.unique(keys)}),
        revenue_line=pa.table(
            {
                "line_id": pc.binary_join_element_wise(order, line, "-"),
                "account_id": keys,
                "booked_on": sales["OrderDate"].cast(pa.date32()),
                "amount": sales["SalesAmount"].cast(pa.float64()),
                "product_id": sales["ProductKey"].cast(pa.string()),
            }
        ),
    )
    return succession(book)


def test_three_in_four_still_buy(found: SuccessionResult, sales: pa.Table) -> None:
    lines = sales.select(["ResellerKey", "OrderDate", "SalesAmount"]).to_pandas()
    lines["OrderDate"] = pd.to_datetime(lines["OrderDate"])
    years = {
        year: lines[lines["OrderDate"].between(f"{year - 1}-12-01", f"{year}-11-30")]
        .groupby("ResellerKey")["SalesAmount"]
        .sum()
        for year in (2012, 2013)
    }
    end = years[2013].reindex(years[2012].index).fillna(0)
    told = found.summary["retention"]
    assert told["group_count"] == len(years[2012]) == 365
    assert told["logo"] == pytest.approx((end > 0).mean())
    assert told["net"] == pytest.approx(end.sum() / years[2012].sum())
    assert (round(told["logo"], 3), round(told["net"], 3)) == (0.764, 0.765)


def test_all_635_are_in_a_tier_or_lost(found: SuccessionResult) -> None:
    """README: 635 resellers with sales."""
    states = to_arrow(found.frame)["tier"].to_pylist()
    assert len(states) == 635
    assert set(states) <= {*"ABCD", "lost", "new"}


def test_two_years_are_alike_and_what_comes_is_worth_more_than_what_leaves(
    found: SuccessionResult,
) -> None:
    stability = found.summary["transitions"]["stability"]
    assert round(stability["p"], 2) == 0.20
    assert "unstable_matrix" not in {warning.code for warning in found.warnings}
    assert round(found.summary["replacement"]["years"][-1]["rate"], 1) == 1.5
    assert found.summary["top_tier"]["half_life_years"] == 1.0


def test_the_list_did_not_work_here_and_says_so(found: SuccessionResult) -> None:
    told = found.summary["back_test"]
    assert (told["list"]["count"], told["list"]["up_count"]) == (18, 1)
    assert round(told["others"]["up_rate"], 3) == 0.096
    assert "list_no_better" in {warning.code for warning in found.warnings}
