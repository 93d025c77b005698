"""What do the pages of two analyses say of real books, and is it so?

Docs: concentration, "On real books", and what revenue at risk says of the wholesaler.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from loaders import cdnow_tables
from shapes import Shape, resellers, wholesale

from crm_portfolio.analysis import (
    ConcentrationSettings,
    RevenueAtRiskSettings,
    concentration,
    revenue_at_risk,
)
from crm_portfolio.portfolio import Period, Portfolio

PAGES = Path(__file__).resolve().parents[2] / "docs/reference/analyses"


@pytest.fixture(scope="module")
def wholesaler(shared_data: Path) -> Shape:
    return wholesale(shared_data)


def test_the_table_of_real_books_is_what_comes_out(
    shared_data: Path, wholesaler: Shape
) -> None:
    shop = Portfolio.from_frames(
        as_of=date(1998, 6, 30), currency="USD", **cdnow_tables(shared_data / "cdnow")
    )
    told = concentration(shop, ConcentrationSettings(period=Period.all()))
    sides = [wholesaler.figures, resellers(shared_data).figures]
    page = (PAGES / "concentration.md").read_text("utf-8")
    for figures in (*sides, told.summary["by_account"]):
        said = [
            f"{figures['n']:,}",
            f"{100 * figures['share_of_top_20pct']:.3f} %",
            figures["pareto"]["joint_ratio"],
            f"{figures['effective_number']:,.0f} equal ones",
        ]
        assert f"| {' | '.join(said)} |" in page
        assert figures["major_count"] == 0


def test_no_pareto_law_describes_the_wholesaler(wholesaler: Shape) -> None:
    """One point of the curve implies a law, whose index is not the measured one."""
    figures = wholesaler.figures
    low, high = figures["gini_interval"]
    assert [round(each, 3) for each in (low, figures["gini"], high)] == [
        *(0.334, 0.364, 0.393),
    ]
    assert round(figures["pareto"]["implied_gini"], 3) == 0.311


def test_where_nobody_is_large_only_what_they_share_is_dangerous(
    wholesaler: Shape,
) -> None:
    """440 clients at odds of one in ten, for themselves and with a common factor."""
    ids = wholesaler.book["account"]["account_id"].to_pylist()
    chosen = RevenueAtRiskSettings(period=Period.all())
    odds = dict.fromkeys(ids, 0.1)
    summary = revenue_at_risk(wholesaler.book, chosen, odds=odds).summary
    alone, common = summary["independent"], summary["common_factor"]
    assert alone["method"] == "convolution"
    assert alone["mean"] == pytest.approx(1_461_950)
    # Sheet 1.3: at equal odds the spread is R·√(p(1 − p)·HHI).
    spread = (0.1 * 0.9 * wholesaler.figures["hhi"]) ** 0.5
    assert alone["sd"] == pytest.approx(14_619_500 * spread, rel=1e-9)
    shares = [round(100 * each["var_99_share"]) for each in (alone, common)]
    assert shares == [15, 40]
