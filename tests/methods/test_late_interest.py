"""Does late interest give the sheet's figures, and add up where a rate begins?"""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._late_interest import (
    half_years,
    interest,
    rates_on,
    reminding,
)


def of(*spans: tuple[int, float], amount: int = 10_000, year_days: int = 365) -> float:
    """Interest on one amount, in units, over spans of so many days at such a rate."""
    days = np.array([[amount * each for each, _ in spans]], dtype=np.int64)
    rates = np.array([rate for _, rate in spans])
    return float(interest(days, rates, year_days=year_days)[0])


@pytest.mark.parametrize(
    ("spans", "printed"),
    [
        ([(45, 0.1015)], 125.14),
        ([(30, 0.1015), (15, 0.1040)], 126.16),
        ([(45, 0.1215)], 149.79),
    ],
)
def test_the_interest_of_the_sheet(spans, printed):
    """Sheet 7.6 [H]: 45 days at 10.15 %, with 15 of them at 10.40 %, and at 12.15 %."""
    assert round(of(*spans), 2) == printed


def test_the_fixed_sum_comes_on_top():
    """Sheet 7.6 [H]: + 40 = 165.14."""
    assert round(of((45, 0.1015)) + 40, 2) == 165.14


def test_what_financing_and_reminding_cost():
    """Sheet 7.6 [H]: 273.97; 200,000 a year, 35 days late, 12 reminders: 1834.25."""
    assert round(of((25, 0.08), amount=50_000), 2) == 273.97
    reminders = float(reminding(np.array([12.0]), 30, 50)[0])
    assert reminders == 300
    assert round(of((35, 0.08), amount=200_000) + reminders, 2) == 1834.25


def test_a_span_without_a_rate_is_unknown_only_for_who_has_days_in_it():
    days = np.array([[10, 0], [10, 5]], dtype=np.int64)
    found = interest(days, np.array([0.1, np.nan]))
    assert found[0] == 10 * 0.1 / 365
    assert np.isnan(found[1])


def test_another_count_of_days():
    assert of((36, 0.1), year_days=360) == 100


def test_half_years_begin_on_the_first_of_january_and_july():
    assert half_years(date(2025, 6, 30), date(2026, 7, 1)) == (
        date(2025, 1, 1),
        date(2025, 7, 1),
        date(2026, 1, 1),
        date(2026, 7, 1),
    )
    assert half_years(date(2026, 7, 1), date(2026, 12, 31)) == (date(2026, 7, 1),)


def test_the_rate_in_force_on_a_day_is_the_newest_by_then():
    table = [(date(2026, 3, 11), 0.04), (date(2025, 6, 11), 0.02)]
    days = [date(2025, 6, 10), date(2025, 6, 11), date(2026, 1, 1), date(2026, 7, 1)]
    found = rates_on(days, table)
    assert np.isnan(found[0])
    assert found[1:].tolist() == [0.02, 0.02, 0.04]


@given(
    days=st.integers(0, 2_000),
    cut=st.floats(0, 1),
    rate=st.floats(0, 0.5),
    amount=st.integers(1, 10**9),
)
def test_it_adds_up_when_cut_at_a_day_with_equal_rates(days, cut, rate, amount):
    """Sheet 11.9: late interest is additive when split at a rate date."""
    first = int(days * cut)
    whole = of((days, rate), amount=amount)
    parts = of((first, rate), (days - first, rate), amount=amount)
    assert parts == pytest.approx(whole, rel=1e-9)
