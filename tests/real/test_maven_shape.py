"""How flat is Maven's book, and from quarter to quarter? The figures are the README's."""

from __future__ import annotations

from pathlib import Path

import pytest
from shapes import QUARTERS, Shape, maven, maven_quarter

from crm_portfolio._frames import to_arrow


@pytest.fixture(scope="module")
def shape(shared_data: Path) -> Shape:
    return maven(shared_data)


def test_the_largest_accounts_are_those_of_the_source(shape: Shape) -> None:
    """README: Kan-code 341,455; Konex 269,245; Condax 206,410; Cheers 198,020; …"""
    first = to_arrow(shape.shares.frame).slice(0, 5)
    assert dict(
        zip(first["account_id"].to_pylist(), first["revenue"].to_pylist(), strict=True)
    ) == {
        "Kan-code": 341_455,
        "Konex": 269_245,
        "Condax": 206_410,
        "Cheers": 198_020,
        "Hottechi": 194_957,
    }
    assert first["line_count"][0].as_py() == 115


def test_a_fifth_of_the_accounts_hold_a_third(shape: Shape) -> None:
    """README: top 20 % (17) 31.687 %; top 10 20.723 %; Herfindahl 0.0135810."""
    figures = shape.figures
    assert (figures["n"], figures["top_k"], figures["total"]) == (85, 17, 10_005_534)
    assert round(100 * figures["share_of_top_20pct"], 3) == 31.687
    assert round(100 * figures["cr10"], 3) == 20.723
    assert round(figures["hhi"], 7) == 0.0135810
    assert (figures["major_count"], figures["dependent_count"]) == (0, 0)


@pytest.mark.parametrize(
    ("quarter", "won", "deals"),
    [
        ("first", 1_134_672, 531),
        ("second", 3_086_111, 1_254),
        ("third", 2_982_255, 1_257),
        ("fourth", 2_802_496, 1_196),
    ],
)
def test_quarter_by_quarter(
    shared_data: Path, quarter: str, won: float, deals: int
) -> None:
    """README: 2017Q1 1,134,672 (531), Q2 3,086,111 (1,254), Q3 2,982,255 (1,257), …"""
    shape = maven_quarter(shared_data, quarter)
    assert shape.figures["total"] == won
    assert sum(to_arrow(shape.shares.frame)["line_count"].to_pylist()) == deals
    assert sum(row["revenue"] for row in shape.by_tier.values()) == won


def test_the_book_gathers_on_fewer_accounts_after_the_first(shared_data: Path) -> None:
    shares = [
        maven_quarter(shared_data, each).figures["share_of_top_20pct"]
        for each in QUARTERS
    ]
    assert shares[1] < shares[2] < shares[3] < shares[0]


def test_the_tiers_are_close_to_each_other(shape: Shape) -> None:
    rows = [shape.by_tier[tier] for tier in "ABCD"]
    assert [row["account_count"] for row in rows] == [13, 18, 22, 32]
    assert sum(row["revenue"] for row in rows) == 10_005_534
    # The account right below the first edge lacks less than 5 % to be above it.
    edge = shape.tiered.summary["borders"][0]
    assert edge["below"][0]["revenue"] > 0.95 * edge["edge"]


def test_the_best_client_is_a_group_of_which_no_account_is_large(shape: Shape) -> None:
    group = to_arrow(shape.shares.groups).slice(0, 1).to_pylist()[0]
    rows = to_arrow(shape.shares.frame).to_pylist()
    members = [
        row["rank"]
        for row in rows
        if row["ultimate_parent_id"] == group["ultimate_parent_id"]
    ]
    assert len(members) == 5
    assert min(members) > 10


def test_the_first_quarter_has_deals_in_one_month_only(shared_data: Path) -> None:
    """README: close_date 2017-03-01 … 2017-12-31."""
    frame = to_arrow(maven_quarter(shared_data, "first").shares.frame)
    assert max(frame["months_active"].to_pylist()) == 1
