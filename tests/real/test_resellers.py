"""How is the revenue of AdventureWorks spread? The figures are the data's README's."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow.compute as pc
import pytest
from shapes import Shape, resellers, shape_of

from crm_portfolio._frames import to_arrow
from crm_portfolio.portfolio import Period

# Lines finer than a cent are rounded, which moves an account by some cents.
CENTS = 0.1


@pytest.fixture(scope="module")
def shape(shared_data: Path) -> Shape:
    return resellers(shared_data)


def test_a_fifth_of_the_resellers_hold_two_thirds(shape: Shape) -> None:
    """README: 635 resellers with sales; the top 20 % (127) hold 66.712 %."""
    figures = shape.figures
    assert (figures["n"], figures["top_k"]) == (635, 127)
    assert round(100 * figures["share_of_top_20pct"], 3) == 66.712


def test_what_is_finer_than_a_cent_is_told_not_lost(shape: Shape) -> None:
    """README: SalesAmount 80,450,596.98."""
    (balance,) = to_arrow(shape.book.balance).to_pylist()
    assert balance["kept"] / 100 == shape.figures["total"]
    assert balance["came_in"] / 100 == pytest.approx(80_450_596.98, abs=0.011)
    assert balance["came_in"] == balance["kept"] + balance["residue"]


def test_the_largest_holds_one_per_cent(shape: Shape) -> None:
    """README: largest reseller key 697 with 877,107.19 (1.090 %)."""
    first = to_arrow(shape.shares.frame).slice(0, 1).to_pylist()[0]
    assert first["account_id"] == "697"
    assert first["revenue"] == pytest.approx(877_107.19, abs=CENTS)
    assert round(100 * first["share"], 3) == 1.090


def test_those_without_an_order_are_dormant_and_in_no_tier(shape: Shape) -> None:
    """README: 66 resellers have no order (701 listed, 635 with sales)."""
    assert to_arrow(shape.book["account"]).num_rows == 701
    dormant = to_arrow(shape.shares.frame)["is_dormant"]
    assert pc.sum(dormant).as_py() == 66
    assert shape.by_tier["none"]["account_count"] == 66


@pytest.mark.parametrize(
    ("year", "sales", "digits", "lines"),
    [
        (2010, 489_328.6, 1, 352),
        (2011, 18.1928e6, -2, 9_830),
        (2012, 28.1936e6, -2, 22_133),
        (2013, 33.5748e6, -2, 28_540),
    ],
)
def test_year_by_year_the_sales_are_those_of_the_source(
    shape: Shape, year: int, sales: float, digits: int, lines: int
) -> None:
    """README: by order year 2010 489,328.6 (352 lines), 2011 18.1928 M, …"""
    behind = min(date(year + 1, 1, 1), date(2013, 11, 30))  # known to 29 November
    period = Period.between(date(year, 1, 1), behind)
    found = shape_of(shape.book, period).shares
    assert round(found.summary["by_account"]["total"], digits) == pytest.approx(sales)
    assert pc.sum(to_arrow(found.frame)["line_count"]).as_py() == lines


def test_two_that_share_a_name_stay_two(shape: Shape) -> None:
    """README: two reseller names occur twice (use the key)."""
    names = pc.value_counts(to_arrow(shape.book["account"])["name"]).to_pylist()
    assert sum(row["counts"] == 2 for row in names) == 2
