"""Is an interval of few as wide as it must be?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from crm_portfolio._methods._rates import wilson

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


def test_of_nothing_there_is_no_interval():
    assert wilson(0, 0) is None
