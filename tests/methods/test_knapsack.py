"""Is the choice the most valuable one that fits, and is that known?"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from crm_portfolio._methods import _knapsack, _search
from crm_portfolio._methods._knapsack import best_choice, greedy_choice

SHEET = ([9000, 5000, 4000, 1500], [[30], [10], [20], [5]], [40])
GREEDY_FAILS = ([60, 100, 120], [[10], [20], [30]], [50])


def arrays(values, needs, room):
    roles = len(room)
    return (
        np.array(values, dtype=np.int64),
        np.array(needs, dtype=np.int64).reshape(len(values), roles),
        np.array(room, dtype=np.int64),
    )


def brute_force(values, needs, room) -> int:
    """The most of all subsets that fit."""
    subsets = np.array(list(product([0, 1], repeat=len(values))), dtype=np.int64)
    fits = (subsets @ needs <= room).all(axis=1)
    return int((subsets @ values)[fits].max())


def by_highs(values, needs, room) -> int:
    """The same from HiGHS, which is no part of this library."""
    solved = milp(
        -values,
        constraints=LinearConstraint(needs.T, ub=room),
        integrality=np.ones(values.size),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 0},
    )
    return int(values[np.round(solved.x).astype(bool)].sum())


def many(seed: int, roles: int, *, room_share: float, tied: bool = False):
    """200 candidates of half an hour to a hundred, in minutes, for so many roles."""
    draw = np.random.default_rng(seed)
    needs = draw.integers(30, 6000, (200, roles)) * (draw.random((200, roles)) < 0.8)
    values = draw.integers(1_000, 10**7, 200)
    if tied:
        values = 50 * needs.sum(axis=1) + draw.integers(1, 10**5, 200)
    return values, needs, (needs.sum(axis=0) * room_share).astype(np.int64)


def test_the_two_best_of_four_fill_forty_hours():
    """Sheet 4.4 [H]: value/hour 300, 500, 200, 300; best {a, b} = 14 000."""
    found = best_choice(*arrays(*SHEET))
    assert found.is_chosen.tolist() == [True, True, False, False]
    assert (found.value, found.bound) == (14_000, 14_000)


def test_the_best_rate_first_is_not_the_best():
    """Sheet 4.4 [H]: greedy 160, optimum 220."""
    assert greedy_choice(*arrays(*GREEDY_FAILS)).value == 160
    assert best_choice(*arrays(*GREEDY_FAILS)).value == 220


candidates = st.integers(1, 3).flatmap(
    lambda roles: st.tuples(
        st.lists(
            st.tuples(
                st.integers(-5, 60),
                st.lists(st.integers(0, 20), min_size=roles, max_size=roles),
            ),
            max_size=11,
        ),
        st.lists(st.integers(0, 60), min_size=roles, max_size=roles),
    )
)


@settings(max_examples=300)
@given(candidates)
def test_no_subset_that_fits_is_worth_more(given_):
    rows, room = given_
    values, needs, room = arrays([v for v, _ in rows], [n for _, n in rows], room)
    found = best_choice(values, needs, room)
    assert found.value == brute_force(values, needs, room) == found.bound
    assert found.value == values[found.is_chosen].sum()
    assert (needs[found.is_chosen].sum(axis=0) <= room).all()
    assert greedy_choice(values, needs, room).value <= found.value


@settings(max_examples=100)
@given(candidates)
def test_so_it_is_where_minutes_are_too_many_for_a_table(given_):
    """The search alone, with one role as with several."""
    rows, room = given_
    values, needs, room = arrays([v for v, _ in rows], [n for _, n in rows], room)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(_knapsack, "_CELLS", 0)
        found = best_choice(values, needs, room)
    assert found.value == brute_force(values, needs, room) == found.bound


@pytest.mark.parametrize("room_share", [0.05, 0.3, 0.7])
@pytest.mark.parametrize("roles", [1, 2, 3])
def test_two_hundred_candidates_are_weighed_exactly(roles, room_share):
    values, needs, room = many(7, roles, room_share=room_share)
    found = best_choice(values, needs, room)
    assert found.is_best
    assert found.value == by_highs(values, needs, room)


@pytest.mark.parametrize("roles", [1, 2])
def test_so_are_those_whose_value_is_their_time(roles):
    """The hard case: every hour is worth about the same."""
    values, needs, room = many(8, roles, room_share=0.4, tied=True)
    found = best_choice(values, needs, room)
    assert found.is_best
    assert found.value == by_highs(values, needs, room)


@pytest.mark.parametrize("roles", [1, 3])
def test_of_more_candidates_a_good_choice_comes_with_what_it_may_lack(roles):
    values, needs, room = many(9, roles, room_share=0.3)
    found = best_choice(values, needs, room, exact_up_to=199)
    best = by_highs(values, needs, room)
    assert found.value <= best <= found.bound
    assert (needs[found.is_chosen].sum(axis=0) <= room).all()
    assert found.bound - found.value < 0.01 * found.value


def test_a_search_that_is_cut_off_says_how_far_it_may_be_from_the_best(monkeypatch):
    monkeypatch.setattr(_search, "_STATES", 100)
    values, needs, room = many(7, 3, room_share=0.3)
    found = best_choice(values, needs, room)
    assert not found.is_best
    assert found.value <= by_highs(values, needs, room) <= found.bound
    assert (needs[found.is_chosen].sum(axis=0) <= room).all()


def test_who_competes_with_nobody_is_taken_without_a_search():
    """Two roles that nobody shares are two small questions; a wide one is none."""
    values, needs, room = arrays(
        [60, 100, 120, 7, 8, 1],
        [[10, 0, 1], [20, 0, 1], [30, 0, 1], [0, 5, 1], [0, 6, 1], [0, 0, 0]],
        [50, 10, 99],
    )
    found = best_choice(values, needs, room)
    assert found.is_chosen.tolist() == [False, True, True, False, True, True]
    assert found.is_best


def test_very_large_figures_stay_exact():
    values, needs, room = arrays(
        [6 * 10**15, 10**16, 10**16 + 1], [[1, 1], [2, 1], [2, 1]], [3, 3]
    )
    found = best_choice(values, needs, room)
    assert (found.value, found.is_best) == (16 * 10**15 + 1, True)


@pytest.mark.parametrize("columns", [0, 1, 3, 62, 63])
def test_rows_that_differ_are_told_once_each_and_in_order(columns) -> None:
    drawn = np.random.default_rng(columns).random((200, columns)) < 0.2
    rows = np.concatenate([drawn, drawn[::3]])
    assert np.array_equal(_knapsack._different(rows), np.unique(rows, axis=0))
