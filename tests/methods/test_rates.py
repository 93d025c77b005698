"""Is an interval of few as wide as it must be?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import (
    confint_proportions_2indep,
    proportion_confint,
)

from crm_portfolio._methods._rates import (
    difference_bounds,
    jeffreys,
    jeffreys_bounds,
    wilson,
    wilson_bounds,
)

few = st.integers(1, 200).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))


@given(few, st.sampled_from([0.8, 0.9, 0.95]))
def test_wilson_is_the_one_of_scipy_and_holds_the_raw_rate(found, level):
    """Sheet 11.11: Wilson within [0, 1] and contains the raw rate."""
    count, of = found
    low, high = wilson(count, of, level)
    oracle = stats.binomtest(count, of).proportion_ci(level, method="wilson")
    assert (low, high) == (
        pytest.approx(oracle.low, abs=1e-9),
        pytest.approx(oracle.high, abs=1e-9),
    )
    assert 0 <= low <= count / of <= high <= 1


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_is_what_newcombe_printed(count, of, low, high):
    """Sheet 6.3 [P], Newcombe 1998: 81/263 .2553-.3662; 15/148 .0624-.1605; 0/20 0-.1611;
    1/29 .0061-.1718."""
    assert wilson(count, of) == (
        pytest.approx(low, abs=5e-5),
        pytest.approx(high, abs=5e-5),
    )


def test_both_intervals_of_the_sheets_small_groups():
    """Sheet 6.3 [H]: 12/40 Wilson .1807-.4543, Jeffreys .1756-.4522; 0/20 Jeffreys upper
    .1166; 7/10 Wilson .3968-.8922."""
    assert wilson(12, 40) == pytest.approx((0.1807, 0.4543), abs=5e-5)
    assert wilson(7, 10) == pytest.approx((0.3968, 0.8922), abs=5e-5)
    assert jeffreys(12, 40) == pytest.approx((0.1756, 0.4522), abs=5e-5)
    assert jeffreys(0, 20) == pytest.approx((0, 0.1166), abs=5e-5)


@given(st.lists(few, min_size=1, max_size=30), st.sampled_from([0.8, 0.9, 0.95]))
def test_intervals_of_many_groups_are_those_of_statsmodels(groups, level):
    counts, of = (np.array(each) for each in zip(*groups, strict=True))
    for name, bounds in [("wilson", wilson_bounds), ("jeffreys", jeffreys_bounds)]:
        low, high = bounds(counts, of, level)
        oracle = proportion_confint(counts, of, alpha=1 - level, method=name)
        is_inner = (counts > 0) & (counts < of)
        assert low[is_inner] == pytest.approx(oracle[0][is_inner], abs=1e-9)
        assert high[is_inner] == pytest.approx(oracle[1][is_inner], abs=1e-9)
        assert (low <= counts / of).all()
        assert (counts / of <= high).all()
        assert low.min() >= 0
        assert high.max() <= 1
        assert (low[counts == 0] == 0).all()
        assert (high[counts == of] == 1).all()


def test_of_nothing_there_is_no_interval():
    assert wilson(0, 0) is None
    assert jeffreys(0, 0) is None
    for bounds in (wilson_bounds, jeffreys_bounds):
        low, high = bounds([0, 1], [0, 2])
        assert np.isnan(low).tolist() == np.isnan(high).tolist() == [True, False]


def test_the_difference_of_two_rates_is_what_newcombe_printed():
    """[P] Newcombe 1998, "Interval estimation for the difference between independent
    proportions", table II, method 10: 56/70 less 48/80 is .0524 to .3339; 9/10 less 3/10
    is .1705 to .8090."""
    low, high = difference_bounds(([56, 9], [48, 3]), ([70, 10], [80, 10]))
    assert low == pytest.approx([0.0524, 0.1705], abs=5e-5)
    assert high == pytest.approx([0.3339, 0.8090], abs=5e-5)


@given(few, few)
def test_the_difference_of_two_rates_is_that_of_statsmodels(one, other):
    (k, n), (j, m) = one, other
    low, high = difference_bounds(([k], [j]), ([n], [m]))
    oracle = confint_proportions_2indep(k, n, j, m, compare="diff", method="newcomb")
    assert (low[0], high[0]) == pytest.approx(oracle, abs=1e-9)
    assert low[0] <= k / n - j / m <= high[0]
