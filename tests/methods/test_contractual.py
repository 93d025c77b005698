"""What a margin is worth that comes until the client leaves: sheet 7.8, [H]."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._contractual import (
    expected_life,
    worth_after_one,
    worth_from_now,
    worth_within,
)

MARGIN, STAYS = np.array([1000.0]), np.array([0.8])
shares = st.floats(0.0, 0.99)
rates = st.floats(0.01, 1.0)


def test_the_thousand_of_the_sheet_at_once_and_after_a_year():
    """Sheet 7.8 [H]: 1000, .8, .1: 3666.67 and 2666.67; expected life 5."""
    assert worth_from_now(MARGIN, STAYS, 0.1).round(2).tolist() == [3666.67]
    assert worth_after_one(MARGIN, STAYS, 0.1).round(2).tolist() == [2666.67]
    assert expected_life(STAYS) == pytest.approx(5)


def test_without_discount_and_without_leaving_there_is_no_end_and_no_number():
    forever = np.array([1.0])
    assert np.isnan(worth_from_now(MARGIN, forever, 0.0)).all()
    assert np.isnan(expected_life(forever)).all()
    assert worth_within(MARGIN, forever, 0.0, 3).tolist() == [3000.0]


def test_a_part_of_a_year_counts_as_such():
    assert worth_within(MARGIN, STAYS, 0.0, 1.5) == pytest.approx(1400)


@given(shares, rates)
def test_the_first_margin_is_all_that_the_two_forms_differ_by(stays, discount):
    retention = np.array([stays])
    now = worth_from_now(MARGIN, retention, discount)
    assert now - worth_after_one(MARGIN, retention, discount) == pytest.approx(1000)


@given(shares, st.floats(0.05, 1.0))
def test_many_years_come_to_the_closed_form(stays, discount):
    retention = np.array([stays])
    closed = worth_from_now(MARGIN, retention, discount)
    assert worth_within(MARGIN, retention, discount, 400) == pytest.approx(closed)


@given(shares, rates, st.floats(0.1, 40), st.floats(0.1, 5))
def test_a_longer_horizon_is_never_worth_less(stays, discount, years, more):
    retention = np.array([stays])
    near = worth_within(MARGIN, retention, discount, years)
    assert (worth_within(MARGIN, retention, discount, years + more) >= near).all()


def test_what_is_unknown_stays_unknown():
    unknown = np.array([np.nan])
    for found in (
        worth_from_now(unknown, STAYS, 0.1),
        worth_after_one(MARGIN, unknown, 0.1),
        worth_within(MARGIN, unknown, 0.1, 3),
        expected_life(unknown),
    ):
        assert np.isnan(found).all() or found.tolist() == [1000.0]
    assert np.isnan(worth_within(MARGIN, unknown, 0.1, 3)).all()
