from __future__ import annotations

import attrs
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._ranking import League, Revenue, count_for, top_count

BASE = [400, 250, 150, 80, 50, 30, 20, 10, 6, 4]


def revenue(amounts: list[int], lines=None, known=None, previous=None) -> Revenue:
    n = len(amounts)
    lines = np.ones(n, dtype=np.int64) if lines is None else np.array(lines)
    before = np.zeros(n, dtype=np.int64) if previous is None else np.array(previous)
    return Revenue(
        ids=pa.array([f"A{at:02}" for at in range(n)]),
        revenue=np.array(amounts, dtype=np.int64),
        lines=lines,
        known_lines=lines if known is None else np.array(known),
        months=lines,
        revenue_previous=before,
        lines_previous=(before != 0).astype(np.int64),
        known_lines_previous=(before != 0).astype(np.int64),
        first_on=np.full(n, np.datetime64("2026-01-01")),
    )


def league(of: Revenue, *, has_previous: bool = False) -> League:
    known = of.revenue[of.is_known]
    return League(
        of,
        is_counted=of.has_lines,
        has_previous=has_previous,
        total=int(known.sum()),
        major_share=0.1,
        dependent_share=0.2,
    )


def column(table: League, name: str) -> list[object]:
    return table.columns(0)[name].to_pylist()


def before(known: list[int]) -> Revenue:
    """Four with two lines each in the period before, so many of them with an amount."""
    two = np.full(4, 2, dtype=np.int64)
    return attrs.evolve(
        revenue([40, 30, 20, 10], previous=[10, 50, 0, 7]),
        lines_previous=two,
        known_lines_previous=np.array(known),
    )


def test_no_place_is_told_where_the_former_amounts_are_unknown():
    table = league(before([2, 2, 0, 2]), has_previous=True)
    assert column(table, "revenue_previous") == [10, 50, None, 7]
    assert column(table, "rank_previous") == [2, 1, None, 3]
    assert column(table, "is_new") == [False] * 4
    assert column(table, "rank_change") == [1, -1, None, -1]


def test_a_part_of_the_former_amounts_makes_no_climb():
    table = league(before([1, 2, 2, 2]), has_previous=True)
    assert column(table, "revenue_previous") == [10, 50, 0, 7]
    assert column(table, "rank_change") == [None, -1, 1, -1]


def test_a_group_knows_as_much_of_its_past_as_its_members():
    of = before([1, 2, 0, 0])
    groups = of.grouped(pa.array(["P", "Q"]), np.array([0, 0, 1, 1]))
    assert groups.known_lines_previous.tolist() == [3, 0]
    assert groups.is_known_previous.tolist() == [True, False]
    assert groups.is_whole_previous.tolist() == [False, False]


def test_the_base_vector_has_the_printed_cumulative_shares():
    """[H] sheet 1.1, BASE."""
    base = league(revenue(BASE))
    printed = [0.4, 0.65, 0.8, 0.88, 0.93, 0.96, 0.98, 0.99, 0.996, 1]
    assert column(base, "cum_share") == pytest.approx(printed, abs=1e-12)
    assert count_for(base.counted, 0.8) == 3
    k = top_count(base.counted.size, 0.2)
    assert (k, base.counted[:k].sum() / base.total) == (2, 0.65)


def test_cumulative_shares_pass_one_where_revenue_is_negative():
    """[H] sheet 1.1, NEG."""
    shares = column(league(revenue([100, 50, 30, 10, -20])), "cum_share")
    assert [round(share, 6) for share in shares] == [
        *(0.588235, 0.882353, 1.058824, 1.117647, 1.0),
    ]


def test_the_share_of_the_positive_part_never_passes_one():
    shares = column(league(revenue([100, 50, 30, 10, -20])), "share_of_positive")
    assert shares == pytest.approx([100 / 190, 50 / 190, 30 / 190, 10 / 190, 0])


def test_equals_share_a_rank_and_stand_in_the_order_of_their_ids():
    table = league(revenue([5, 9, 5, 1]))
    assert column(table, "rank") == [2, 1, 2, 4]
    assert table.order.tolist() == [1, 0, 2, 3]


def test_the_dormant_come_last_and_do_not_count():
    """Amendment 2: ranked last, flagged and left out of n; also after the negative."""
    table = league(revenue([0, 7, -3, 0], lines=[0, 1, 1, 0]))
    assert column(table, "rank") == [3, 1, 2, 3]
    assert table.order.tolist() == [1, 2, 0, 3]
    assert table.counted.tolist() == [7, -3]


def test_an_account_whose_lines_cancel_out_counts_between_positive_and_negative():
    assert column(league(revenue([0, 7, -3])), "rank") == [2, 1, 3]


def test_unknown_revenue_has_no_rank_and_no_share():
    table = league(revenue([0, 7, 3], lines=[2, 1, 1], known=[0, 1, 1]))
    for name in ("rank", "revenue", "share", "cum_share", "share_of_positive"):
        assert column(table, name)[0] is None
    assert table.dependence.tolist() == ["unknown", "dependent", "dependent"]


def test_ranks_are_compared_with_the_period_before():
    table = league(revenue([10, 20, 5], previous=[9, 3, 0]), has_previous=True)
    assert column(table, "rank_previous") == [1, 2, None]
    assert column(table, "rank_change") == [-1, 1, None]
    assert column(table, "is_new") == [False, False, True]


def test_an_account_that_had_lines_only_before_has_left():
    table = league(revenue([0, 20], lines=[0, 1], previous=[9, 3]), has_previous=True)
    assert column(table, "has_left") == [True, False]
    assert column(table, "rank_change")[0] is None


def test_without_a_period_before_nobody_is_new_and_nobody_has_left():
    table = league(revenue([10, 20]))
    for name in (
        "revenue_previous",
        "rank_previous",
        "rank_change",
        "is_new",
        "has_left",
    ):
        assert column(table, name) == [None, None]


@pytest.mark.parametrize(
    ("amounts", "kinds"),
    [
        ([10, 90], ["major", "dependent"]),
        ([20, 80], ["major", "dependent"]),
        ([9, 91], ["none", "dependent"]),
        ([201, 799], ["dependent", "dependent"]),
        ([0, 0], ["unknown", "unknown"]),
        ([5, -5], ["unknown", "unknown"]),
    ],
)
def test_ten_per_cent_is_major_and_twenty_is_not_yet_dependent(amounts, kinds):
    """Sheet 1.4: 10 % included, 20 % excluded, compared in minor units."""
    assert league(revenue(amounts)).dependence.tolist() == kinds


def test_a_limit_is_exact_where_floats_are_not():
    """0.1 × 3 is above 0.3 in floats: three tenths of a total would miss the line."""
    of = revenue([3, 27])
    table = League(
        of,
        of.has_lines,
        has_previous=False,
        total=30,
        major_share=0.1,
        dependent_share=0.9,
    )
    assert table.dependence.tolist() == ["major", "major"]


@pytest.mark.parametrize(
    ("n", "k"), [(0, 0), (1, 1), (5, 1), (6, 2), (15, 3), (85, 17)]
)
def test_the_top_fifth_is_rounded_up_to_whole_accounts(n, k):
    assert top_count(n, 0.2) == k


def test_nothing_holds_four_fifths_of_no_revenue():
    assert count_for(np.array([5, -5]), 0.8) is None
    assert count_for(np.zeros(0, dtype=np.int64), 0.8) is None


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=30))
def test_shares_add_up_to_one(amounts: list[int]):
    """Sheet 11.1."""
    table = league(revenue(amounts))
    if sum(amounts) > 0:
        assert sum(column(table, "share")) == pytest.approx(1)
        assert column(table, "cum_share")[table.order[-1]] == pytest.approx(1)
    else:
        assert set(column(table, "share")) == {None}


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 3)), max_size=20))
def test_groups_hold_what_their_accounts_hold(accounts: list[tuple[int, int]]):
    groups = sorted({group for _, group in accounts})
    of = revenue([amount for amount, _ in accounts])
    grouped = of.grouped(
        pa.array(groups, pa.int64()),
        np.array([groups.index(group) for _, group in accounts], dtype=np.int64),
    )
    by_hand = [sum(a for a, g in accounts if g == group) for group in groups]
    assert grouped.revenue.tolist() == by_hand
    assert grouped.lines.sum() == len(accounts)
