"""Where is the profit of AdventureWorks' resellers made, and where is it eaten again?

What is expected is what the data set's README says; whale and losing accounts are counted
anew, with pandas, from the file.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from halves import resellers

from crm_portfolio._frames import to_arrow
from crm_portfolio.analysis import ProfitabilitySettings, profitability
from crm_portfolio.portfolio import Period

ALL = ProfitabilitySettings(period=Period.all())


def test_most_of_the_resellers_eat_what_three_hundred_make(shared_data: Path) -> None:
    """README: 561.88 % at 300 accounts; 335 loss-makers, −2,173,060.72 together."""
    result = profitability(resellers(shared_data), ALL)
    whale = result.summary["whale"]
    assert whale["curve"] == "gross_margin"
    assert whale["account_count"] == 635
    assert whale["peak_count"] == 300
    assert round(100 * whale["peak_ratio"], 2) == pytest.approx(561.88, abs=0.1)
    assert whale["losing_count"] == 335
    # Each of 60,855 lines, and its cost, is rounded to the cent.
    assert whale["lost"] == pytest.approx(-2_173_060.72, abs=610)
    assert whale["profit"] == pytest.approx(470_482.60, abs=610)
    assert whale["eaten"] == pytest.approx(2_173_060.72, abs=610)


def test_each_reseller_has_the_margin_of_its_lines(shared_data: Path) -> None:
    sales = pd.read_csv(
        shared_data / "adventureworks_resellers" / "reseller_sales.csv.gz"
    )
    sales["margin"] = sales["SalesAmount"] - sales["TotalProductCost"]
    expected = sales.groupby("ResellerKey")["margin"].sum()
    result = profitability(resellers(shared_data), ALL)
    rows = to_arrow(result.frame).to_pylist()
    found = {row["account_id"]: row["gross_margin"] for row in rows}
    for key, margin in expected.items():
        assert found[str(key)] == pytest.approx(margin, abs=5)
    silent = {row["account_id"] for row in rows if not row["line_count"]}
    assert len(silent) == len(rows) - len(expected)


def test_what_nobody_knows_of_them_is_said(shared_data: Path) -> None:
    """No hours, no invoices and no costs besides the lines' own."""
    result = profitability(resellers(shared_data), ALL)
    codes = {warning.code for warning in result.warnings}
    assert {"profit_without_hours", "profit_late_missing"} <= codes
    assert result.summary["statement"]["account_margin"] is None
    told = result.summary["discounts"]["waterfall"]
    sales = pd.read_csv(
        shared_data / "adventureworks_resellers" / "reseller_sales.csv.gz"
    )
    listed = (sales["UnitPrice"] * sales["OrderQuantity"]).sum()
    assert told["listed"] == pytest.approx(listed, rel=1e-6)
    assert told["leaked"] == pytest.approx(listed - sales["SalesAmount"].sum(), abs=700)
