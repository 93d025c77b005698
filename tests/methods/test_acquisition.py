"""Sheet 7.4: what winning an account costs, and which part is this period's."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from crm_portfolio._methods._acquisition import (
    amortised,
    cost_of_one,
    months_on,
    payback_months,
)


def days(*each: str) -> np.ndarray:
    return np.array(each, dtype="datetime64[D]")


def test_the_cost_and_the_payback_of_the_sheet() -> None:
    """Sheet 7.4 [H]: (60,000 + 40,000)/25 = 4,000; 4,000/(1,000 × .4) = 10 months."""
    cost = cost_of_one(60_000 + 40_000, 25)
    assert cost == 4000
    assert payback_months(cost, 1000 * 0.4) == pytest.approx(10)


def test_nobody_won_has_no_cost_each() -> None:
    assert cost_of_one(100_000, 0) is None
    assert payback_months(None, 10) is None
    assert payback_months(10, 0) is None
    assert payback_months(10, None) is None


def test_a_month_without_that_day_ends_on_its_last() -> None:
    found = months_on(days("2024-01-31", "2024-02-29", "NaT"), 13)
    assert found.astype(str).tolist() == ["2025-02-28", "2025-03-29", "NaT"]


def test_each_year_of_a_life_bears_its_part_and_all_of_them_the_whole() -> None:
    won, cost = days("2023-03-01"), np.array([146_100])
    parts = [
        int(amortised(cost, won, 48, date(year, 1, 1), date(year + 1, 1, 1))[0])
        for year in range(2022, 2029)
    ]
    assert parts == [0, 30_600, 36_600, 36_500, 36_500, 5_900, 0]
    assert sum(parts) == 146_100


def test_who_was_never_won_has_nothing_to_bear() -> None:
    found = amortised(np.array([9]), days("NaT"), 12, date(2025, 1, 1), date.max)
    assert found.tolist() == [0]
