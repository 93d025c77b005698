"""Sheet 5.4: the slope that is left to a target, by the calendar and by the season."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._catch_up import CatchUp, InSeason, seasonal_weights


def test_the_slope_of_the_sheet():
    """[H] Target 1200, 480 after 6 months: required 120, current 80, steepness 1.5."""
    found = CatchUp.of(480.0, 1200.0, elapsed=6, left=6)
    assert (found.required, found.current, found.steepness) == (120.0, 80.0, 1.5)
    assert not found.is_met


def test_the_season_of_the_sheet():
    """[H] Weights .07 .07 .08 .08 .08 .08: expected 552, gap −72, projection 1043.48."""
    share = sum((0.07, 0.07, 0.08, 0.08, 0.08, 0.08))
    found = InSeason.of(480.0, 1200.0, share)
    assert round(share, 12) == 0.46
    assert round(found.expected, 9) == 552
    assert round(found.gap, 9) == -72
    assert found.projection == pytest.approx(1043.48, abs=0.005)


@pytest.mark.parametrize(
    ("achieved", "is_met"), [(1200.0, True), (1199.99, False), (-5.0, False)]
)
def test_with_no_step_left_there_is_only_met_or_not(achieved, is_met):
    found = CatchUp.of(achieved, 1200.0, elapsed=12, left=0)
    assert (found.is_met, found.required, found.steepness) == (is_met, None, None)


@pytest.mark.parametrize("achieved", [0.0, -30.0])
def test_nothing_so_far_is_no_measure_of_the_slope(achieved):
    found = CatchUp.of(achieved, 120.0, elapsed=6, left=6)
    assert found.steepness is None
    assert found.required == (120.0 - achieved) / 6


def test_before_the_first_step_is_over_nothing_is_current():
    found = CatchUp.of(0.0, 120.0, elapsed=0, left=12)
    assert (found.required, found.current, found.steepness) == (10.0, None, None)


@pytest.mark.parametrize("achieved", [1200.0, 1500.0])
def test_a_target_that_is_met_requires_nothing_more(achieved):
    found = CatchUp.of(achieved, 1200.0, elapsed=6, left=6)
    assert (found.is_met, found.required, found.steepness) == (True, 0.0, 0.0)


def test_where_nothing_is_usually_made_by_now_nothing_is_projected():
    assert InSeason.of(10.0, 100.0, 0.0).projection is None
    assert InSeason.of(10.0, 100.0, -0.1).projection is None


def test_the_weights_are_means_of_shares_not_of_amounts():
    """A year ten times as large has no louder voice."""
    years = np.array([[10, 30], [300, 100]])
    weights = seasonal_weights(years)
    assert weights is not None
    assert weights.tolist() == [0.5, 0.5]


def test_one_year_makes_no_season():
    assert seasonal_weights(np.array([[1, 2]])) is None
    assert seasonal_weights(np.array([[1, 2], [0, 0], [3, -4]])) is None


amounts = st.integers(-1000, 5000)


@given(st.lists(st.lists(amounts, min_size=12, max_size=12), min_size=2, max_size=4))
def test_weights_add_up_to_one(years):
    weights = seasonal_weights(np.array(years))
    if weights is not None:
        assert weights.sum() == pytest.approx(1.0)


@given(st.integers(1, 10_000), st.integers(1, 10_000), st.integers(1, 11))
def test_the_required_rate_reaches_the_target(achieved, target, elapsed):
    found = CatchUp.of(
        float(achieved), float(target), elapsed=elapsed, left=12 - elapsed
    )
    assert found.required is not None
    end = achieved + found.required * (12 - elapsed)
    assert end == pytest.approx(max(target, achieved))
    assert found.is_met == (achieved >= target)
