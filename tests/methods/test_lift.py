"""Is a lift 1 by chance, and its interval as wide as draws make it?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._lift import lift, together


def one(both: int, first: int, second: int, of: int, level: float = 0.9):
    found = lift(*(np.array([each]) for each in (both, first, second, of)), level=level)
    return tuple(float(each[0]) for each in (found.values, found.low, found.high))


def test_a_lift_by_hand():
    """Sheet 5.6: 30 of 100 have A, 40 have B, 24 both: .24/(.3 · .4) = 2.

    Variance of its logarithm: 1/24 − 1/30 − 1/40 + (2·2 − 1)/100 = .0133333, so the
    interval at 90 % is 2·exp(±1.644854·.115470) = 1.6540 to 2.4183.
    """
    value, low, high = one(24, 30, 40, 100)
    assert value == 2.0
    assert (low, high) == (
        pytest.approx(1.6540, abs=5e-5),
        pytest.approx(2.4183, abs=5e-5),
    )


def test_what_is_bought_together_by_chance_has_the_lift_one():
    """12 of 100 where 30 and 40 have either: .12/(.3 · .4) = 1, well inside."""
    value, low, high = one(12, 30, 40, 100)
    assert value == 1.0
    assert low < 1 < high


def test_what_all_have_says_nothing_of_anything():
    """Where all have B, P(A and B) = P(A): exactly 1, with no room."""
    assert one(30, 30, 100, 100) == (1.0, 1.0, 1.0)


def test_nobody_with_both_has_an_end_above_all_the_same():
    """Of the 30 rarer ones none: Wilson ends at z²/(30 + z²) = .082724, against .4."""
    value, low, high = one(0, 30, 40, 100)
    assert (value, low) == (0.0, 0.0)
    assert high == pytest.approx(0.082724 / 0.4, abs=5e-6)


def test_without_any_buyer_there_is_no_lift():
    assert np.isnan(one(0, 0, 40, 100)).all()
    assert np.isnan(one(0, 0, 0, 0)).all()


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    """4,000 draws of 400 accounts with P(A) = .3, P(B) = .4, P(A and B) = .18: lift 1.5."""
    chance = np.random.default_rng(2026)
    cells = chance.multinomial(400, [0.18, 0.12, 0.22, 0.48], size=4_000)
    both, only_a, only_b = cells[:, 0], cells[:, 1], cells[:, 2]
    found = lift(both, both + only_a, both + only_b, np.full(4_000, 400), level=0.9)
    held = ((found.low <= 1.5) & (found.high >= 1.5)).mean()
    assert held == pytest.approx(0.9, abs=0.02)


@st.composite
def bought(draw):
    rows = draw(st.integers(0, 30))
    bits = st.lists(st.booleans(), min_size=3, max_size=3)
    found = draw(st.lists(bits, min_size=rows, max_size=rows))
    return np.array(found, dtype=bool).reshape(rows, 3)


@given(bought())
def test_a_lift_does_not_know_which_comes_first(grid):
    pairs = together(grid)
    n = np.array([len(grid)])
    a, b, both = pairs[0, 0], pairs[1, 1], pairs[0, 1]
    one_way = lift(*(np.array([each]) for each in (both, a, b)), n)
    other = lift(*(np.array([each]) for each in (both, b, a)), n)
    np.testing.assert_allclose(one_way.values, other.values)
    np.testing.assert_allclose(one_way.high, other.high)
    if a * b:
        assert one_way.low[0] <= one_way.values[0] * (1 + 1e-9)
        assert one_way.values[0] <= one_way.high[0] * (1 + 1e-9) + 1e-12


@given(bought())
def test_pairs_are_counted_as_one_would(grid):
    pairs = together(grid)
    for i in range(3):
        for j in range(3):
            assert pairs[i, j] == sum(bool(row[i] and row[j]) for row in grid)


def test_a_long_grid_is_counted_part_by_part():
    grid = np.ones((250_001, 2), dtype=bool)
    grid[0, 1] = False
    assert together(grid).tolist() == [[250_001, 250_000], [250_000, 250_000]]
