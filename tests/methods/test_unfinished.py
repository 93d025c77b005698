"""Finish, park, drop, or ask?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._unfinished import CHOICES, choices, rates


def chosen(value, hours, worth, *, is_doubtful=False) -> str:
    found = choices(
        np.array([0 if value is None else value]),
        np.array([value is not None]),
        np.array([np.nan if hours is None else hours], dtype=float),
        worth,
        is_doubtful=np.array([is_doubtful]),
    )
    return CHOICES[found[0]]


@pytest.mark.parametrize(
    ("value", "hours", "worth", "choice"),
    [
        # Sheet 6.6's λ of 220 an hour: 40 hours must bring 8,800.
        (880_000, 40, 22_000, "finish"),
        (879_999, 40, 22_000, "park"),
        (1, 40, 22_000, "park"),
        (0, 40, 22_000, "drop"),
        (-5, None, None, "drop"),
        (1, 0, None, "finish"),
        (1, 40, 0.0, "finish"),
        (None, 40, 22_000, "ask"),
        (1, None, 22_000, "ask"),
        (1, 40, None, "ask"),
    ],
)
def test_each_choice_begins_where_it_says(value, hours, worth, choice):
    assert chosen(value, hours, worth) == choice


def test_what_should_be_done_by_now_is_asked_about():
    assert chosen(880_000, 40, 22_000, is_doubtful=True) == "ask"


def test_an_hour_brings_what_is_left_to_bring_over_what_is_left_to_do():
    """8,800.00 in 40 hours are 220.00 an hour; without hours there is no rate."""
    found = rates(
        np.array([880_000, 5, 5]),
        np.array([True, True, False]),
        np.array([40.0, 0.0, 2.0]),
    )
    assert found[0] == 22_000
    assert np.isnan(found[1:]).all()


@given(
    st.integers(-(10**9), 10**9),
    st.floats(0.01, 10_000),
    st.floats(0, 10**6),
    st.floats(0, 10**6),
)
def test_the_dearer_an_hour_is_elsewhere_the_less_is_finished(value, hours, one, two):
    """Sheet 11.7: the value of finishing falls with λ."""
    order = ("finish", "park", "drop")
    cheap, dear = sorted((one, two))
    assert order.index(chosen(value, hours, cheap)) <= order.index(
        chosen(value, hours, dear)
    )
