"""Sheet 5.8: level and slope on both sides of a moment, with errors of Newey and West."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._interrupted import interrupted

NAMES = ("start", "slope", "level_change", "slope_change")


def series(size: int, seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return 100 + 2 * np.arange(size) + draw.normal(size=size).cumsum() * 5


def oracle(values: np.ndarray, begins: int, lags: int):
    """Statsmodels; a step that is not known is a row of nothing."""
    api = pytest.importorskip("statsmodels.api")
    step = np.arange(values.size, dtype=float)
    after = (step >= begins).astype(float)
    design = np.column_stack(
        [np.ones(values.size), step, after, (step - begins) * after]
    )
    known = ~np.isnan(values)
    design[~known] = 0.0
    return api.OLS(np.where(known, values, 0.0), design).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags}, use_t=True
    )


@pytest.mark.parametrize(("size", "begins"), [(16, 8), (24, 12), (36, 20), (60, 8)])
@pytest.mark.parametrize("lags", [None, 0, 1, 5])
def test_it_is_that_of_statsmodels(size, begins, lags):
    values = series(size, size + begins)
    found = interrupted(values, begins, lags=lags)
    assert found is not None
    assert (found.before, found.after) == (begins, size - begins)
    if lags is None:
        assert found.lags == int(4 * (size / 100) ** (2 / 9))
    other = oracle(values, begins, found.lags)
    small = np.sqrt(size / (size - 4))
    freedom = size - 4
    stats = pytest.importorskip("scipy.stats")
    reach = stats.t.ppf(0.975, freedom)
    for at, name in enumerate(NAMES):
        mine = getattr(found, name)
        error = other.bse[at] * small
        assert mine.estimate == pytest.approx(other.params[at], rel=1e-9, abs=1e-9)
        assert mine.error == pytest.approx(error, rel=1e-9)
        assert mine.low == pytest.approx(other.params[at] - reach * error, abs=1e-7)
        assert mine.high == pytest.approx(other.params[at] + reach * error, abs=1e-7)
        p = 2 * stats.t.sf(abs(other.params[at] / error), freedom)
        assert mine.p == pytest.approx(p, rel=1e-7, abs=1e-12)


def test_steps_between_the_sides_keep_their_neighbours_apart():
    values = series(30, 4)
    values[10:13] = np.nan
    values[20] = np.nan
    found = interrupted(values, 13, lags=2)
    assert found is not None
    assert (found.before, found.after) == (10, 16)
    other = oracle(values, 13, 2)
    small = np.sqrt(26 / 22)
    for at, name in enumerate(NAMES):
        mine = getattr(found, name)
        assert mine.estimate == pytest.approx(other.params[at], rel=1e-9)
        assert mine.error == pytest.approx(other.bse[at] * small, rel=1e-9)
    closed_up = interrupted(values[~np.isnan(values)], 10, lags=2)
    assert closed_up is not None
    assert closed_up.slope_change.error != found.slope_change.error


def test_a_step_and_a_bend_without_scatter_are_found_to_the_last_digit():
    """[H] 10 + 2 t, then 5 more and 3 steeper."""
    step = np.arange(20.0)
    values = 10 + 2 * step + np.where(step >= 10, 5 + 3 * (step - 10), 0)
    found = interrupted(values, 10)
    assert found is not None
    told = [getattr(found, name) for name in NAMES]
    assert [round(each.estimate, 9) for each in told] == [10, 2, 5, 3]
    assert [each.error for each in told] == [0.0] * 4
    assert [each.p for each in told] == [0.0] * 4


def test_a_level_series_has_no_change_and_no_doubt():
    found = interrupted(np.full(16, 7.0), 8)
    assert found is not None
    assert (found.level_change.estimate, found.level_change.p) == (0.0, 1.0)


@pytest.mark.parametrize(("size", "begins"), [(15, 8), (15, 7), (7, 7), (20, 20)])
def test_under_eight_points_on_a_side_nothing_is_said(size, begins):
    assert interrupted(series(size, 1), begins) is None


def test_what_is_unknown_is_no_point():
    values = series(16, 2)
    values[3] = np.nan
    assert interrupted(values, 8) is None


@given(st.integers(0, 50), st.integers(8, 12), st.integers(8, 12), st.integers(-9, 9))
def test_a_change_of_level_moves_nothing_else(seed, before, after, more):
    values = series(before + after, seed)
    lifted = values + np.where(np.arange(values.size) >= before, 100.0 * more, 0.0)
    one, other = interrupted(values, before), interrupted(lifted, before)
    assert one is not None
    assert other is not None
    change = other.level_change.estimate - one.level_change.estimate
    assert change == pytest.approx(100.0 * more, abs=1e-6)
    assert other.slope_change.estimate == pytest.approx(
        one.slope_change.estimate, abs=1e-6
    )
    assert other.slope_change.error == pytest.approx(one.slope_change.error, abs=1e-6)
