"""Who buys which goods, and which with which, in two real books?

AdventureWorks' resellers by category of product, and a wholesaler's clients by kind of
goods. What is expected is counted anew, with pandas, from the files.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from itertools import combinations
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from loaders import reseller_tables, wholesale_tables
from shapes import foreseen

from crm_portfolio._frames import to_arrow
from crm_portfolio.analysis import FocusResult, FocusSettings, focus
from crm_portfolio.portfolio import Period

ALL = FocusSettings(period=Period.all())
_SALES, _GOODS = "reseller_sales.csv.gz", "products.csv"


@cache
def resellers(data: Path) -> FocusResult:
    """Categories are lines; that bikes are the core is said here, by no file."""
    tables = reseller_tables(data / "adventureworks_resellers")
    sales = pd.read_csv(data / "adventureworks_resellers" / _SALES)
    goods = pd.read_csv(data / "adventureworks_resellers" / _GOODS)
    lines = tables["revenue_line"].append_column(
        "product_id", pa.array(sales["ProductKey"].astype(str), pa.string())
    )
    line = goods["EnglishProductCategoryName"]
    product = pa.table(
        {
            "product_id": pa.array(goods["ProductKey"].astype(str), pa.string()),
            "line": pa.array(line, pa.string(), from_pandas=True),
            "is_core": pa.array(
                [None if pd.isna(each) else each == "Bikes" for each in line]
            ),
        }
    )
    book = foreseen.book(
        tables | {"revenue_line": lines, "product": product}, date(2013, 11, 29)
    )
    return focus(book, ALL)


@cache
def bought(data: Path) -> pd.DataFrame:
    """Sales by reseller and category; not a number where there are none."""
    sales = pd.read_csv(data / "adventureworks_resellers" / _SALES)
    goods = pd.read_csv(data / "adventureworks_resellers" / _GOODS)
    joined = sales.merge(goods[["ProductKey", "EnglishProductCategoryName"]])
    assert len(joined) == 60_855
    return joined.pivot_table(
        index="ResellerKey",
        columns="EnglishProductCategoryName",
        values="SalesAmount",
        aggfunc="sum",
    )


def lines_of(result: FocusResult) -> dict[str, dict[str, object]]:
    return {row["line"]: row for row in to_arrow(result.frame).to_pylist()}


class TestResellers:
    def test_the_lines_are_the_categories_and_add_up(self, shared_data: Path) -> None:
        """README: SalesAmount 80,450,596.98; 635 resellers with sales."""
        found, expected = lines_of(resellers(shared_data)), bought(shared_data)
        assert set(found) == {"Bikes", "Components", "Clothing", "Accessories"}
        for line, row in found.items():
            assert row["revenue"] == pytest.approx(expected[line].sum(), abs=150)
            assert row["bought_count"] == expected[line].notna().sum()
            assert row["applicable_count"] == 635
        total = sum(row["revenue"] for row in found.values())
        assert total == pytest.approx(80_450_596.98, abs=305)

    def test_the_core_brings_most_of_the_revenue_and_none_of_the_profit(
        self, shared_data: Path
    ) -> None:
        """README: gross profit 470,482.60 on 80,450,596.98."""
        result = resellers(shared_data)
        core = result.summary["core"]
        assert core["revenue"]["core"] == pytest.approx(0.824, abs=5e-4)
        assert core["revenue"]["unclassified"] == 0
        margins = {line: row["margin"] for line, row in lines_of(result).items()}
        assert sum(margins.values()) == pytest.approx(470_482.60, abs=305)
        assert margins["Bikes"] < 0 < margins["Components"]

    def test_every_lift_is_that_of_a_recount(self, shared_data: Path) -> None:
        grid = bought(shared_data).notna()
        rows = to_arrow(resellers(shared_data).associations).to_pylist()
        assert len(rows) == 6
        for row in rows:
            a, b = grid[row["line"]], grid[row["other_line"]]
            assert row["both_count"] == (a & b).sum()
            share = (a & b).mean() / (a.mean() * b.mean())
            assert row["lift"] == pytest.approx(share)
            assert row["lift_low"] <= row["lift"] <= row["lift_high"]
        pairs = {(row["line"], row["other_line"]): row for row in rows}
        # Who has accessories has clothing, far more often than by chance.
        assert pairs["Accessories", "Clothing"]["lift_low"] > 1.2

    def test_the_grid_has_every_reseller_in_every_line_once(
        self, shared_data: Path
    ) -> None:
        result, grid = resellers(shared_data), bought(shared_data)
        cells = pd.DataFrame(to_arrow(result.matrix).to_pylist())
        open_count = cells.groupby("line")["open_count"].sum()
        for line in grid.columns:
            assert open_count[line] == grid[line].isna().sum()
        assert (cells["bought_count"] + cells["open_count"]).equals(
            cells["account_count"]
        )
        assert (cells["rate_low"] <= cells["rate"]).all()
        assert (cells["rate"] <= cells["rate_high"]).all()

    def test_the_list_begins_with_the_most_valuable_and_holds_no_buyer(
        self, shared_data: Path
    ) -> None:
        listed = to_arrow(resellers(shared_data).whitespace).to_pylist()
        grid = bought(shared_data)
        assert len(listed) == 200
        values = [row["value"] for row in listed]
        assert values == sorted(values, reverse=True)
        for row in listed:
            assert pd.isna(grid.loc[int(row["account_id"]), row["line"]])
            worth = row["rate"] * row["median_revenue"]
            assert row["value"] == pytest.approx(worth)

    def test_nothing_is_said_of_hours_that_nobody_noted(
        self, shared_data: Path
    ) -> None:
        result = resellers(shared_data)
        assert set(to_arrow(result.frame)["hours"].to_pylist()) == {None}
        assert result.summary["innovation"]["share"] is None
        assert "focus_no_effort" in [each.code for each in result.warnings]


@pytest.fixture(scope="module")
def result(shared_data: Path) -> FocusResult:
    tables = wholesale_tables(shared_data / "wholesale_customers")
    return focus(foreseen.book(tables, date(2013, 12, 31)), ALL)


class TestTheWholesaler:
    def test_its_six_kinds_of_goods_are_lines(self, result: FocusResult) -> None:
        """README: Fresh 5,280,131, …, Delicassen 670,943; all 14,619,500."""
        found = lines_of(result)
        assert list(found)[:2] == ["Fresh", "Grocery"]
        assert found["Delicassen"]["revenue"] == 670_943
        assert sum(row["revenue"] for row in found.values()) == 14_619_500
        codes = [each.code for each in result.warnings]
        assert "focus_products_as_lines" in codes
        assert "unclassified_product" in codes

    def test_where_all_buy_everything_there_is_no_whitespace_and_no_lift(
        self, result: FocusResult
    ) -> None:
        """README: no blanks: each of the 440 buys all six."""
        assert result.summary["whitespace"]["open_count"] == 0
        assert to_arrow(result.whitespace).num_rows == 0
        rows = to_arrow(result.associations).to_pylist()
        names = sorted(lines_of(result))
        pairs = [(row["line"], row["other_line"]) for row in rows]
        assert pairs == list(combinations(names, 2))
        assert {row["lift"] for row in rows} == {1.0}
