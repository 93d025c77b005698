"""Are the trends those of sheet 3.1, and of scipy and pymannkendall?"""

from __future__ import annotations

import numpy as np
import pymannkendall
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from crm_portfolio._methods import _trend as trend

EIGHT = [10, 12, 11, 14, 15, 13, 17, 18]
amount = st.integers(-1000, 1000)


def of(*rows, **more):
    values = np.array(rows)
    return trend.trends(values, np.zeros(len(rows), dtype=np.int64), **more)


def test_the_slope_and_interval_of_sen_1968():
    """Sheet 3.1 [P], Sen (1968) as in scipy's own tests: slope 4, 93 % interval 3.71 to
    4.38 (3.714286, 4.375)."""
    found = of(
        [9, 15, 19, 20, 45, 55, 78],
        times=np.array([1.0, 2, 3, 4, 10, 12, 18]),
        level=0.93,
    )
    assert found.slope[0] == 4
    assert found.low[0] == pytest.approx(3.714286, abs=5e-7)
    assert found.high[0] == 4.375


def test_eight_points_without_ties():
    """Sheet 3.1 [H]: S 22, Var 65.3333, Z 2.598076, p .009375, slope 1, .6 to 1.5."""
    found = of(EIGHT)
    assert found.s[0] == 22
    assert found.variance[0] == pytest.approx(65.3333, abs=5e-5)
    assert found.z[0] == pytest.approx(2.598076, abs=5e-7)
    assert found.p[0] == pytest.approx(0.009375, abs=5e-7)
    assert (found.slope[0], found.low[0], found.high[0]) == (1, 0.6, 1.5)
    assert not found.is_approximate[0]


def test_tau_and_the_exact_p_of_the_same_eight_points():
    """Sheet 3.1 [H]: exact Kendall p .005506, tau .785714 (22 of 28 pairs)."""
    assert trend._exact(8)[22] == pytest.approx(0.005506, abs=5e-7)
    assert of(EIGHT).s[0] / 28 == pytest.approx(0.785714, abs=5e-7)


def test_six_points_with_ties():
    """Sheet 3.1 [H]: 5 5 6 7 7 8: S 13, Var 26.3333, Z 2.338451, p .019364, slope
    .666667; under 8 points with ties the normal law, and a warning (amendment 14)."""
    found = of([5, 5, 6, 7, 7, 8])
    assert found.s[0] == 13
    assert found.variance[0] == pytest.approx(26.3333, abs=5e-5)
    assert found.z[0] == pytest.approx(2.338451, abs=5e-7)
    assert found.p[0] == pytest.approx(0.019364, abs=5e-7)
    assert found.slope[0] == pytest.approx(0.666667, abs=5e-7)
    assert found.is_approximate[0]


@pytest.mark.parametrize("points", [5, 6, 7])
def test_under_eight_points_without_ties_p_is_exact(points):
    """Sheet 3.1: n < 8 points: exact Kendall p value (scipy)."""
    chance = np.random.default_rng(points)
    rows = np.array([chance.permutation(points) for _ in range(60)])
    exact = [
        stats.kendalltau(range(points), row, method="exact").pvalue for row in rows
    ]
    assert of(*rows).p == pytest.approx(exact, abs=1e-12)


@given(st.lists(amount, min_size=8, max_size=14))
def test_from_eight_points_on_it_is_mann_and_kendall_with_ties(row):
    found, oracle = of(row), pymannkendall.original_test(row)
    assert found.s[0] == oracle.s
    assert found.variance[0] == pytest.approx(oracle.var_s)
    assert found.z[0] == pytest.approx(oracle.z)
    assert found.p[0] == pytest.approx(oracle.p, abs=1e-12)
    assert found.slope[0] == pytest.approx(oracle.slope)


@given(st.lists(amount, min_size=5, max_size=12), st.sampled_from([0.5, 0.9, 0.95]))
def test_the_interval_is_the_one_of_scipy(row, level):
    found = of(row, level=level)
    if len(set(row)) == 1:
        assert found.low[0] == found.high[0] == 0
        return
    oracle = stats.theilslopes(row, alpha=level)
    assert found.low[0] == pytest.approx(oracle.low_slope)
    assert found.high[0] == pytest.approx(oracle.high_slope)


def test_each_row_counts_from_its_own_start():
    """Sheet 3.1: leading zeros before the first purchase are not data."""
    rows = np.array([[0, 0, 0, *EIGHT[:5]], [0, 0, 0, *EIGHT[:5]], [0] * 8])
    found = trend.trends(rows, np.array([3, 0, 8]))
    assert found.points.tolist() == [5, 8, 0]
    assert found.s[0] == of(EIGHT[:5]).s[0]
    assert found.s[1] > found.s[0]
    assert np.isnan(found.p[2])


def test_under_five_points_nothing_is_said():
    """Sheet 3.1: too short under 5 points."""
    found = of([1, 2, 3, 4])
    assert np.isnan(found.p[0])
    assert np.isnan(found.slope[0])


def test_a_row_of_equals_has_no_trend():
    found = of([3] * 8)
    assert (found.s[0], found.z[0], found.p[0], found.slope[0]) == (0, 0, 1, 0)


def test_many_rows_are_as_each_alone(monkeypatch):
    chance = np.random.default_rng(1)
    rows = chance.integers(0, 4, size=(50, 8))
    alone = np.array([of(row).p[0] for row in rows])
    monkeypatch.setattr(trend, "_AT_ONCE", 7)
    assert np.array_equal(of(*rows).p, alone)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_false_discoveries_are_controlled_as_scipy_does(p):
    values = np.array(p)
    oracle = stats.false_discovery_control(values)
    assert trend.adjusted(values) == pytest.approx(oracle, abs=1e-12)


def test_what_is_not_tested_takes_no_part_in_the_control():
    p = np.array([0.01, np.nan, 0.04, np.nan])
    assert trend.adjusted(p)[[0, 2]].tolist() == [0.02, 0.04]
    assert np.isnan(trend.adjusted(p)[[1, 3]]).all()
