"""What becomes of the customers a shop wins in one quarter?

CDNOW: 23,570 customers who first bought in January to March 1997, followed to 30 June 1998.
The figures are those of the data's README; cohorts and retention are counted again with
pandas.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from loaders import cdnow_tables

from crm_portfolio._frames import to_arrow
from crm_portfolio.analysis import (
    ConcentrationSettings,
    SuccessionResult,
    SuccessionSettings,
    concentration,
    succession,
)
from crm_portfolio.portfolio import Period, Portfolio


@pytest.fixture(scope="module")
def book(shared_data: Path) -> Portfolio:
    return Portfolio.from_frames(
        as_of=date(1998, 6, 30), currency="USD", **cdnow_tables(shared_data / "cdnow")
    )


@pytest.fixture(scope="module")
def orders(book: Portfolio) -> pd.DataFrame:
    frame = to_arrow(book["revenue_line"]).to_pandas()
    frame["booked_on"] = pd.to_datetime(frame["booked_on"])
    return frame


@pytest.fixture(scope="module")
def followed(book: Portfolio) -> SuccessionResult:
    return succession(book, SuccessionSettings(period=Period.all(), cohort_months=3))


def test_a_fifth_of_the_customers_hold_two_thirds(book: Portfolio) -> None:
    """README: 23,570 customers, 2,500,315.63 USD; the top 20 % (4,714) hold 67.777 %."""
    told = concentration(book, ConcentrationSettings(period=Period.all())).summary
    figures = told["by_account"]
    assert (figures["n"], figures["total"]) == (23_570, 2_500_315.63)
    assert round(100 * figures["share_of_top_20pct"], 3) == 67.777


def test_all_of_them_are_one_cohort_and_three_in_four_do_not_come_back(
    followed: SuccessionResult, orders: pd.DataFrame
) -> None:
    """README: first purchase in 1997-01 … 1997-03."""
    rows = to_arrow(followed.cohorts).to_pylist()
    assert {row["cohort"] for row in rows} == {"1997-01-01"}
    assert {row["group_count"] for row in rows} == {23_570}
    by_quarter = (
        orders.groupby(["account_id", orders["booked_on"].dt.to_period("Q")])["amount"]
        .sum()
        .unstack(fill_value=0)
    )
    assert [row["kept_count"] for row in rows] == (by_quarter > 0).sum().tolist()
    revenue = [row["revenue"] for row in rows]
    assert revenue == pytest.approx(by_quarter.sum().tolist(), abs=0.005)
    # 70 bought for nothing only in the quarter they came in.
    assert [row["kept_count"] for row in rows] == [23_500, 5376, 4263, 4221, 3817, 3317]


def test_by_month_there_are_three_cohorts(
    book: Portfolio, orders: pd.DataFrame
) -> None:
    result = succession(book, SuccessionSettings(cohort_months=1))
    rows = to_arrow(result.cohorts).to_pylist()
    sizes = {row["cohort"]: row["group_count"] for row in rows}
    first = orders.groupby("account_id")["booked_on"].min().dt.to_period("M")
    counts = first.value_counts().sort_index()
    assert list(sizes) == ["1997-01-01", "1997-02-01", "1997-03-01"]
    assert list(sizes.values()) == counts.tolist()
    assert sum(sizes.values()) == 23_570


def test_a_year_on_a_third_is_left_with_three_quarters_of_the_revenue(
    followed: SuccessionResult, orders: pd.DataFrame
) -> None:
    is_before = orders["booked_on"] < "1997-07-01"
    start = orders[is_before].groupby("account_id")["amount"].sum()
    start = start[start > 0]
    end = orders[~is_before].groupby("account_id")["amount"].sum()
    end = end.reindex(start.index).fillna(0)
    told = followed.summary["retention"]
    assert (told["group_count"], told["kept_count"]) == (23_500, 8330)
    assert told["logo"] == pytest.approx((end > 0).mean())
    assert told["net"] == pytest.approx(end.sum() / start.sum())
    least = np.minimum(start, end).sum()
    assert told["gross"] == pytest.approx(least / start.sum())
    assert round(told["net"], 3) == 0.747


def test_a_book_of_eighteen_months_says_what_it_cannot_say(
    followed: SuccessionResult,
) -> None:
    """The year before has six months; nobody was won after March 1997."""
    codes = {warning.code: warning.values for warning in followed.warnings}
    assert codes["year_before_partial"] == {"months": 18}
    told = followed.summary["transitions"]
    assert (told["new_count"], told["stability"]) == (0, None)
    assert sum(told["row_counts"]) == 23_500


def test_those_who_leave_the_top_are_not_replaced(followed: SuccessionResult) -> None:
    (year,) = followed.summary["replacement"]["years"]
    assert year["entering_count"] < year["leaving_count"]
    assert year["rate"] == pytest.approx(
        year["entering_revenue"] / year["leaving_revenue"]
    )
    assert year["rate"] < 0.5


def test_most_leave_the_lowest_tier_and_fewest_the_highest(
    followed: SuccessionResult,
) -> None:
    rates = [*followed.leaving_rates.values()]
    assert rates == sorted(rates)
    assert rates[0] < 0.25
    assert rates[-1] > 0.7


def test_six_quarters_alike_for_most_are_no_trend(followed: SuccessionResult) -> None:
    """With 22,000 accounts of mostly empty quarters no trend outlives the control."""
    trends = followed.summary["trends"]
    assert (trends["rising_count"], trends["falling_count"]) == (0, 0)
    rising = set(to_arrow(followed.frame)["rising"].to_pylist())
    assert rising == {"no"}
    assert len(followed.rising) == 2


def test_half_of_the_customers_have_one_row(
    book: Portfolio, orders: pd.DataFrame
) -> None:
    """README: 69,659 rows, 167,881 CDs, 50.52 % with one row; 80 for nothing, 255 alike."""
    counts = orders["account_id"].value_counts()
    assert (len(orders), orders["quantity"].sum()) == (69_659, 167_881)
    assert round(100 * (counts == 1).mean(), 2) == 50.52
    assert (orders["amount"] == 0).sum() == 80
    alike = ["account_id", "booked_on", "quantity", "amount"]
    assert orders.duplicated(alike).sum() == 255
    assert book.as_of == date(1998, 6, 30)


def test_the_sample_of_the_papers_is_one_in_ten_of_it(
    orders: pd.DataFrame, shared_data: Path
) -> None:
    """README: 2,357 customers, 244,091.94 USD, 16,479 CDs; 2,457 repeats, 1,882 after."""
    sample = pd.read_csv(
        shared_data / "cdnow" / "CDNOW_sample.txt",
        names=["account_id", "id", "day", "quantity", "amount"],
        sep=r"\s+",
        dtype={"account_id": str},
    )
    ids = set(sample["account_id"])
    assert (len(ids), sample["quantity"].sum()) == (2_357, 16_479)
    assert round(sample["amount"].sum(), 2) == 244_091.94
    assert (len(sample), (sample["amount"] == 0).sum()) == (6_919, 8)
    mine = orders[orders["account_id"].isin(ids)]
    assert round(mine["amount"].sum(), 2) == 244_091.94
    days = mine[["account_id", "booked_on"]].drop_duplicates()
    is_before = days["booked_on"] <= "1997-09-30"
    assert (is_before.sum() - len(ids), (~is_before).sum()) == (2_457, 1_882)
