"""How is the revenue of a real wholesaler spread? The figures are the data's README's."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import pytest
from shapes import Shape, wholesale

from crm_portfolio._frames import to_arrow


@pytest.fixture(scope="module")
def shape(shared_data: Path) -> Shape:
    return wholesale(shared_data)


def test_a_fifth_of_the_clients_hold_less_than_half(shape: Shape) -> None:
    """README: 440 rows, all 14,619,500; the top 20 % (88) hold 42.905 %."""
    figures = shape.figures
    assert (figures["n"], figures["top_k"], figures["total"]) == (440, 88, 14_619_500)
    assert round(100 * figures["share_of_top_20pct"], 3) == 42.905


def test_the_lines_add_up_by_kind_of_goods(shape: Shape) -> None:
    """README: Fresh 5,280,131, Milk 2,550,357, …, all 14,619,500; no blanks."""
    lines = to_arrow(shape.book["revenue_line"])
    sums = lines.group_by("product_id").aggregate([("amount", "sum")]).to_pylist()
    assert {row["product_id"]: row["amount_sum"] for row in sums} == {
        "Fresh": 5_280_131,
        "Milk": 2_550_357,
        "Grocery": 3_498_562,
        "Frozen": 1_351_650,
        "Detergents_Paper": 1_267_857,
        "Delicassen": 670_943,
    }
    assert shape.shares.coverage == 1.0
    assert to_arrow(shape.shares.rejected).num_rows == 0


def test_the_largest_client_is_no_major_one(shape: Shape) -> None:
    """README: largest client 199,891."""
    assert to_arrow(shape.shares.frame)["revenue"][0].as_py() == 199_891
    assert (shape.figures["major_count"], shape.figures["dependent_count"]) == (0, 0)


def test_two_channels_are_two_segments(shape: Shape) -> None:
    """README: Channel 298 / 142."""
    segments = pc.value_counts(to_arrow(shape.book["account"])["segment"]).to_pylist()
    assert {row["values"]: row["counts"] for row in segments} == {
        "hotels and restaurants": 298,
        "retail": 142,
    }


def test_the_tiers_hold_equal_revenue_from_ever_more_clients(shape: Shape) -> None:
    rows = [shape.by_tier[tier] for tier in "ABCD"]
    assert sum(row["account_count"] for row in rows) == 440
    assert all(abs(row["off_even_share"]) < 0.01 for row in rows)
    counts = [row["account_count"] for row in rows]
    assert counts == sorted(counts)
    # One of the best is worth nearly six of the last.
    best, *_, last = (row["revenue"] / row["account_count"] for row in rows)
    assert 5.5 < best / last < 6
    assert shape.tiered.warnings == ()
