"""How long does a firm last, and is a share under its target for certain?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._buffer import runway_months, under, under_run


def test_a_runway_by_hand():
    """Sheet 4.6: (90,000 of cash + 30,000 of backlog)/20,000 a month = 6 months."""
    assert runway_months(90_000, 30_000, 20_000) == 6.0


@pytest.mark.parametrize("unknown", range(3))
def test_a_runway_of_which_a_part_is_unknown_is_unknown(unknown):
    parts: list[float | None] = [90_000.0, 30_000.0, 20_000.0]
    parts[unknown] = None
    assert runway_months(*parts) is None


def test_a_firm_without_costs_or_with_more_debt_than_cash():
    assert runway_months(1.0, 1.0, 0.0) is None
    assert runway_months(-5.0, 1.0, 2.0) == 0.0


@pytest.mark.parametrize(
    ("spent", "unsorted", "verdict"),
    [(9, 0, True), (10, 0, False), (9, 1, None), (5, 4, True), (5, 5, None)],
)
def test_what_is_unsorted_may_be_what_is_missing(spent, unsorted, verdict):
    """A target of 10 % of 100: 9 with 1 unsorted may be 10."""
    assert under(spent, unsorted, 100, 0.1) is verdict


@pytest.mark.parametrize("percent", range(1, 100))
def test_exactly_the_target_is_enough_whatever_a_float_makes_of_it(percent):
    """7 % of 360,000 seconds is 25,200, though as floats it is a little more."""
    assert under(percent * 3_600, 0, 360_000, percent / 100) is False
    assert under(percent * 3_600 - 1, 0, 360_000, percent / 100) is True


def test_without_a_target_there_is_no_verdict():
    assert under(0, 0, 100, None) is None
    assert under(None, 0, 100, 0.1) is None
    assert under(0, 0, 0, 0.1) is None


@given(st.lists(st.sampled_from([True, False, None])))
def test_only_the_last_ones_in_a_row_count(verdicts):
    run = under_run(verdicts)
    assert all(verdicts[len(verdicts) - run :])
    assert run == len(verdicts) or not verdicts[-run - 1]
