from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._digits import twelve_digits


@given(st.floats(-1e15, 1e15))
def test_twelve_digits_are_those_that_are_written(value):
    assert twelve_digits(np.array([value]))[0] == pytest.approx(
        float(f"{value:.12g}"), rel=2e-12
    )
