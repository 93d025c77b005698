from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from crm_portfolio._methods._normal import below, density, quantile

PLACES = np.concatenate([np.linspace(-36, 36, 2_001), [-7.08, -7.07, 7.07, 7.08, 0.0]])


def test_what_lies_below_agrees_with_scipy_into_the_far_tails():
    assert below(PLACES) == pytest.approx(stats.norm.cdf(PLACES), rel=2e-8, abs=0)
    assert below(PLACES) == pytest.approx(stats.norm.cdf(PLACES), rel=0, abs=4e-16)
    assert density(PLACES) == pytest.approx(stats.norm.pdf(PLACES), rel=1e-12)


def test_half_the_precision_gives_half_the_digits():
    found = below(PLACES.astype(np.float32))
    assert found.dtype == np.float32
    assert found == pytest.approx(stats.norm.cdf(PLACES), rel=2e-4, abs=2e-7)


@given(st.floats(1e-290, 1, exclude_max=True))
def test_the_value_below_which_so_much_lies_agrees_with_scipy(odds):
    assert quantile(np.array([odds]))[0] == pytest.approx(
        stats.norm.ppf(odds), rel=1e-9, abs=1e-12
    )


def test_certainty_is_infinitely_far():
    assert quantile(np.array([0.0, 1.0])).tolist() == [-np.inf, np.inf]
    assert below(np.array([-np.inf, np.inf])) == pytest.approx([0, 1], abs=1e-290)
    assert quantile(np.zeros(0)).size == 0
