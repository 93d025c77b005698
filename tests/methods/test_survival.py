"""Does a stay last as long as sheet 3.4 says?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from crm_portfolio._methods._survival import half_life_of, survival

LEFT = [6, 6, 6, 7, 10, 13, 16, 22, 23]
STILL = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]

spells = st.lists(st.tuples(st.integers(1, 20), st.booleans()), min_size=1, max_size=40)


def test_the_leukaemia_data_of_freireich():
    """Sheet 3.4 [P], Freireich data: S = .857 .807 .753 .690 .627 .538 .448 at 6 7 10 13
    16 22 23; median 23."""
    curve = survival(LEFT + STILL, np.array([True] * 9 + [False] * 12))
    assert curve.times.tolist() == [6, 7, 10, 13, 16, 22, 23]
    printed = [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]
    assert curve.shares == pytest.approx(printed, abs=5e-4)
    assert curve.at_risk.tolist() == [21, 17, 15, 12, 11, 7, 6]
    assert curve.half_life == 23


@pytest.mark.parametrize(
    ("kept", "years"), [(0.80, 3.1063), (0.85, 4.2650), (0.5, 1.0)]
)
def test_half_life_of_a_yearly_retention(kept, years):
    """Sheet 3.4 [H]: r = .80: 3.1063 years; r = .85: 4.2650."""
    assert half_life_of(kept) == pytest.approx(years, abs=5e-5)


@pytest.mark.parametrize("kept", [0.0, 1.0, None])
def test_without_a_rate_between_there_is_no_half_life(kept):
    assert half_life_of(kept) is None


def test_a_half_that_is_never_reached_is_none():
    """Sheet 3.4: if not reached, report "not reached" and S at horizon."""
    curve = survival([1, 5, 5], np.array([True, False, False]))
    assert curve.half_life is None
    assert curve.last == pytest.approx(2 / 3)


def test_exactly_half_is_reached():
    assert survival([2, 3], np.array([True, False])).half_life == 2


def test_of_no_stay_nothing_is_known():
    curve = survival([], np.zeros(0, dtype=bool))
    assert (curve.half_life, curve.last) == (None, 1.0)


@given(spells)
def test_the_curve_is_the_one_of_scipy(found):
    durations = np.array([length for length, _ in found])
    has_left = np.array([gone for _, gone in found])
    curve = survival(durations, has_left)
    data = stats.CensoredData(
        uncensored=durations[has_left], right=durations[~has_left]
    )
    oracle = stats.ecdf(data).sf
    assert curve.shares == pytest.approx(oracle.evaluate(curve.times))
