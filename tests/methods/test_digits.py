from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crm_portfolio._methods._digits import twelve_digits


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(9.99999999999999e307)
@example(1.00000000000001e-200)
def test_twelve_digits_are_those_that_are_written(value):
    assert twelve_digits(np.array([value]))[0] == pytest.approx(
        float(f"{value:.12g}"), rel=2e-12
    )


def test_what_has_no_digits_stays_as_it_is_and_nought_has_no_sign():
    told = twelve_digits(np.array([np.nan, np.inf, -np.inf, 1e-201, -0.0]))
    assert np.isnan(told[0])
    assert told[1:4].tolist() == [np.inf, -np.inf, 1e-201]
    assert not np.signbit(told[4])
