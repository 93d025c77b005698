"""Are hours shared out as sheet 2.6 says, to the minute?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods import _allocation as allocation

sizes = st.lists(st.integers(0, 40), min_size=1, max_size=8).filter(any)


def test_equal_hours_per_group_of_the_sheet():
    """Sheet 2.6 [H]: V20, k=4, H = 800: per client 100, 66.667, 40, 20."""
    parts, floored = allocation.by_group(800 * 60, [2, 3, 5, 10])
    each = [part / size / 60 for part, size in zip(parts, [2, 3, 5, 10], strict=True)]
    assert [round(float(hours), 3) for hours in each] == [100, 66.667, 40, 20]
    assert not any(floored)


def test_the_floor_of_the_sheet():
    """Sheet 2.6 [H]: floor 24 h: D 240 h, others 186.667 h; 93.333 62.222 37.333 24."""
    parts, floored = allocation.by_group(800 * 60, [2, 3, 5, 10], 24 * 60)
    hours = [round(float(part) / 60, 3) for part in parts]
    assert hours == [186.667, 186.667, 186.667, 240]
    each = [part / size / 60 for part, size in zip(parts, [2, 3, 5, 10], strict=True)]
    assert [round(float(one), 3) for one in each] == [93.333, 62.222, 37.333, 24]
    assert sum(parts) == 800 * 60
    assert floored == [False, False, False, True]


def test_the_floor_of_one_group_can_push_the_next_under_it():
    """800 pay the nine their 88 each, the 760 that are left after the ten do not."""
    parts, floored = allocation.by_group(2400, [1, 9, 10], 88)
    assert floored == [False, True, True]
    assert parts == [2400 - 19 * 88, 9 * 88, 10 * 88]


def test_a_floor_that_is_exactly_affordable_is_everyone_s():
    parts, _ = allocation.by_group(2000, [1, 9, 10], 100)
    assert parts == [100, 900, 1000]
    assert allocation.by_group(1999, [1, 9, 10], 100) is None
    assert allocation.affordable(1999, 20) == Fraction(1999, 20)
    assert allocation.affordable(1999, 0) is None


def test_who_gets_exactly_the_floor_is_not_on_it():
    _, floored = allocation.by_group(200, [1, 10], 10)
    assert floored == [False, False]


@given(st.integers(0, 10**7), sizes, st.integers(0, 600))
def test_the_parts_sum_to_the_whole_and_nobody_is_under_the_floor(total, counts, floor):
    """Sheet 11.4: hours allocated sum to H; each client has the floor at least."""
    made = allocation.by_group(total, counts, floor)
    if floor * sum(counts) > total:
        assert made is None
        return
    parts, floored = made
    assert sum(parts) == total
    free = {part for part, size, on in zip(parts, counts, floored) if size and not on}
    assert len(free) <= 1
    minutes = allocation.whole(parts)
    assert sum(minutes) == total
    for part, whole, size in zip(parts, minutes, counts, strict=True):
        assert abs(whole - part) < 1
        each = allocation.within(whole, size)
        assert int(each.sum()) == (whole if size else 0)
        if size:
            assert floor <= each.min() <= each.max() <= each.min() + 1
            assert each.tolist() == sorted(each, reverse=True)
        else:
            assert part == 0


@given(st.integers(0, 10**6), sizes, st.integers(0, 300), st.integers(0, 300))
def test_a_higher_floor_never_lowers_what_the_worst_served_get(
    total, counts, low, more
):
    lower = allocation.by_group(total, counts, low)
    higher = allocation.by_group(total, counts, low + more)
    if higher is None:
        return
    worst = [
        min(part / size for part, size in zip(parts, counts, strict=True) if size)
        for parts, _ in (lower, higher)
    ]
    assert low + more <= worst[1]
    assert worst[0] <= worst[1]


@given(st.integers(0, 10**6), st.integers(0, 1000), sizes, st.integers(0, 100))
def test_with_more_hours_no_group_gets_less(total, more, counts, floor):
    less = allocation.by_group(total, counts, floor)
    if less is None:
        return
    parts, _ = allocation.by_group(total + more, counts, floor)
    assert all(one <= two for one, two in zip(less[0], parts, strict=True))


def test_the_largest_remainders_round_up_and_ties_go_to_the_first():
    third = Fraction(100, 3)
    assert allocation.whole([third, third, third]) == [34, 33, 33]
    parts = [Fraction(21, 4), Fraction(23, 4), Fraction(2), Fraction(5)]
    assert allocation.whole(parts) == [5, 6, 2, 5]
    assert allocation.within(11, 4).tolist() == [3, 3, 3, 2]
    assert allocation.within(0, 0).tolist() == []


def test_intensity_is_a_share_over_a_share():
    assert allocation.intensity(0.4, 0.2) == 2
    assert allocation.intensity(None, 0.2) is None
    assert allocation.intensity(0.4, 0.0) is None
    assert allocation.intensity(0.4, None) is None
    assert allocation.intensity(0.0, 0.2) == 0


def test_no_group_gets_no_hours():
    assert allocation.by_group(100, []) == ([], [])
    assert allocation.whole([]) == []


@pytest.mark.parametrize("total", [0, 1, 7])
def test_fewer_minutes_than_accounts_still_add_up(total):
    parts, _ = allocation.by_group(total, [5, 5])
    assert sum(allocation.whole(parts)) == total


def test_who_brings_most_for_an_hour_has_what_it_takes_first():
    """Sheet 4.4 [H], as accounts: 9000 in 30 h, 5000 in 10 h, 4000 in 20 h, 1500 in 5 h,
    40 h to give: rates 300, 500, 200, 300."""
    values = np.array([9000.0, 5000.0, 4000.0, 1500.0])
    hours = allocation.by_value(40, values, np.array([30, 10, 20, 5]))
    assert hours.tolist() == [30, 10, 0, 0]
    assert allocation.by_value(43, values, np.array([30, 10, 20, 5])).tolist() == [
        *(30, 10, 0, 3)
    ]


@given(
    st.integers(0, 500),
    st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 60)), max_size=20),
)
def test_no_swap_of_a_minute_would_bring_more(total, accounts):
    values = np.array([each for each, _ in accounts], dtype=np.float64)
    minutes = np.array([each for _, each in accounts], dtype=np.int64)
    given_out = allocation.by_value(total, values, minutes)
    assert ((given_out >= 0) & (given_out <= minutes)).all()
    assert not given_out[values <= 0].any()
    assert given_out.sum() == min(total, minutes[values > 0].sum())
    rate = values / np.maximum(minutes, 1)
    has, wants = given_out > 0, (given_out < minutes) & (values > 0)
    if has.any() and wants.any():
        assert rate[has].min() >= rate[wants].max()
