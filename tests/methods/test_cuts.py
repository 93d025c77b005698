from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods import _cuts

BASE = [400, 250, 150, 80, 50, 30, 20, 10, 6, 4]
V20 = [
    120,
    110,
    100,
    90,
    80,
    70,
    60,
    50,
    40,
    40,
    35,
    35,
    30,
    30,
    25,
    25,
    20,
    15,
    15,
    10,
]

descending = st.lists(st.integers(1, 30), max_size=30).map(
    lambda values: np.array(sorted(values, reverse=True), dtype=np.int64)
)


def held(values: list[int], k: int) -> tuple[list[int], list[int]]:
    amounts = np.array(values, dtype=np.int64)
    group = _cuts.slices(amounts, k)
    sums = [int(amounts[group == each].sum()) for each in range(k)]
    return sums, np.bincount(group, minlength=k).tolist()


@pytest.mark.parametrize(
    ("values", "k", "sums", "counts"),
    [
        (BASE, 4, [400, 250, 150, 200], [1, 1, 1, 7]),
        (BASE, 3, [400, 250, 350], [1, 1, 8]),
        (V20, 4, [230, 270, 260, 240], [2, 3, 5, 10]),
        ([50, 50, 50, 50], 2, [200, 0], [4, 0]),
        ([100, 50, 50, 50, 50], 3, [100, 200, 0], [1, 4, 0]),
        ([], 4, [0] * 4, [0] * 4),
        ([7], 4, [7, 0, 0, 0], [1, 0, 0, 0]),
    ],
)
def test_slices_hold_the_printed_sums(values, k, sums, counts):
    """[H] sheet 2.1: BASE, V20 and the two vectors with ties; then none and one."""
    assert held(values, k) == (sums, counts)


def test_abc_classes_by_the_share_before_each_account():
    """[H] sheet 2.2: BASE with (.80, .95), "before" rule."""
    group = _cuts.by_share(np.array(BASE), (0.80, 0.95))
    assert "".join("ABC"[each] for each in group) == "AAABBBCCCC"


def test_abc_keeps_equals_together_in_the_better_class():
    group = _cuts.by_share(np.array([40, 30, 30, 30]), (0.5, 0.9))
    assert group.tolist() == [0, 0, 0, 0]


def test_an_account_that_begins_exactly_on_a_cut_is_in_the_lower_class():
    assert _cuts.by_share(np.array([80, 15, 5]), (0.80, 0.95)).tolist() == [0, 1, 2]


def test_quantiles_are_cut_by_the_best_rank_of_equals():
    """Sheet 2.2 as amended: floor((rank − 1)·k/n)."""
    assert _cuts.by_rank(np.array([9, 8, 7, 6, 5, 4, 3, 2]), 4).tolist() == [
        *(0, 0, 1, 1, 2, 2, 3, 3),
    ]
    assert _cuts.by_rank(np.array([9, 5, 5, 5]), 4).tolist() == [0, 1, 1, 1]


def test_an_amount_on_an_edge_is_in_the_upper_band():
    """Sheet 2.1 as amended."""
    values = np.array([101, 100, 99, 50, 49])
    assert _cuts.bands(values, [100, 50]).tolist() == [0, 0, 1, 1, 2]


def test_ranks_are_competition_ranks():
    assert _cuts.competition_ranks(np.array([9, 5, 5, 1])).tolist() == [1, 2, 2, 4]


def one_by_one(values: list[int], k: int) -> list[int]:
    """Sheet 2.1 word for word, a block at a time, in fractions' integers."""
    blocks = [
        [value] * values.count(value) for value in sorted(set(values), reverse=True)
    ]
    remaining, at, groups = sum(values), 0, []
    for g in range(k):
        left = k - g
        taken: list[list[int]] = []
        while at < len(blocks):
            held, x = sum(map(sum, taken)), sum(blocks[at])
            is_last, must_leave = left == 1, len(blocks) - at <= left - 1
            closer = abs(left * (held + x) - remaining) <= abs(left * held - remaining)
            if taken and not is_last and (must_leave or not closer):
                break
            taken.append(blocks[at])
            at += 1
        groups += [g] * sum(map(len, taken))
        remaining -= sum(map(sum, taken))
    return groups


@given(descending, st.integers(1, 6))
def test_bisection_cuts_where_the_rule_word_for_word_does(values, k):
    assert _cuts.slices(values, k).tolist() == one_by_one(values.tolist(), k)


@pytest.mark.parametrize(
    ("values", "k", "groups"),
    [
        ([10, 9, 8, 8, 8, 8, 7], 4, [0, 1, 2, 2, 2, 2, 3]),
        ([8, 8, 8, 7, 6, 6, 5, 5, 5, 5], 4, [0, 0, 0, 1, 2, 2, 3, 3, 3, 3]),
    ],
)
def test_a_slice_leaves_a_block_of_many_equals_to_the_next(values, k, groups):
    """The block after it weighs more than the one it would still take."""
    assert _cuts.slices(np.array(values), k).tolist() == groups == one_by_one(values, k)


RULES = {
    "slices": lambda values: _cuts.slices(values, 4),
    "abc": lambda values: _cuts.by_share(values, (0.8, 0.95)),
    "quantiles": lambda values: _cuts.by_rank(values, 4),
    "bands": lambda values: _cuts.bands(values, [20, 10, 5]),
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@given(values=descending)
def test_groups_follow_the_ranking_and_never_split_equals(rule, values):
    """Sheet 11.3."""
    group = rule(values)
    assert group.size == values.size
    assert all(one <= other for one, other in pairwise(group.tolist()))
    for value in set(values.tolist()):
        assert len(set(group[values == value].tolist())) == 1


@given(descending, st.integers(1, 6))
def test_slices_leave_none_empty_while_there_are_enough_different_amounts(values, k):
    made = len(set(_cuts.slices(values, k).tolist()))
    assert made == min(k, len(set(values.tolist())))


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 2)), max_size=40))
def test_the_largest_come_first_within_their_kind_and_equals_as_they_stand(
    rows,
) -> None:
    amounts = np.array([amount for amount, _ in rows], dtype=np.int64)
    kind = np.array([kind for _, kind in rows], dtype=np.int64)
    expected = sorted(range(len(rows)), key=lambda at: (kind[at], -amounts[at], at))
    assert _cuts.largest_first(amounts, kind).tolist() == expected
