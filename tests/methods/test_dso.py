"""Do the three ways to count days of sales give the published figures?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._dso import count_back, days_of_sales


def whole(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def back(owed: int, sales: list[int], days: list[int]) -> float:
    """Of one payer, whose months stand from the oldest to the newest."""
    after = [sum(days[at + 1 :]) for at in range(len(days))]
    months = whole(*sales), whole(*days), whole(*after)
    found = count_back(whole(owed), whole(*[0] * len(sales)), *months)
    return float(found[0])


def test_the_simple_one_of_a_vendor():
    """Sheet 7.5 [P, JD Edwards documentation]: 55.35."""
    found = days_of_sales(whole(10_869), whole(5_538 + 4_566 + 7_570), 90)
    assert round(float(found[0]), 2) == 55.35


def test_the_count_back_of_practitioners():
    """Sheet 7.5 [P]: sales 70/80/100 in months of 30 days, 212 owed: 73.71."""
    assert round(back(212, [70, 80, 100], [30, 30, 30]), 2) == 73.71


def test_real_days_by_hand():
    """Sheet 7.5 [H]: 90, 60, 100 and 180 owed on 31 March: 65.889, 64.8, 43.2, 21.6."""
    assert round(back(180, [90, 60, 100], [31, 28, 31]), 3) == 65.889
    simple = float(days_of_sales(whole(180), whole(250), 90)[0])
    best = float(days_of_sales(whole(120), whole(250), 90)[0])
    assert (simple, best, round(simple - best, 9)) == (64.8, 43.2, 21.6)


def test_a_month_without_sales_adds_its_days():
    assert back(150, [100, 0, 100], [30, 30, 30]) == 30 + 30 + 15
    assert back(150, [100, -40, 100], [30, 30, 30]) == 30 + 30 + 15
    assert back(50, [100, 0], [30, 31]) == 31 + 15


def test_the_last_bit_of_what_is_owed_counts_too():
    assert back(101, [70, 80, 100], [30, 30, 30]) == 30 + 1 / 80 * 30


def test_history_that_ends_first_gives_no_figure():
    assert np.isnan(back(251, [70, 80, 100], [30, 30, 30]))
    assert back(250, [70, 80, 100], [30, 30, 30]) == 90
    assert np.isnan(back(1, [], []))
    assert back(0, [], []) == back(0, [5], [30]) == 0


def test_nothing_sold_makes_no_days():
    assert np.isnan(days_of_sales(whole(5, 5), whole(0, -3), 90)).all()


def test_each_payer_by_itself_in_any_order():
    payer, sales = whole(1, 0, 1, 0), whole(80, 70, 100, 100)
    found = count_back(
        whole(150, 170, 9), payer, sales, whole(*[30] * 4), whole(30, 30, 0, 0)
    )
    assert found[0] == 30 + 50 / 70 * 30
    assert found[1] == 30 + 70 / 80 * 30
    assert np.isnan(found[2])


@given(
    daily=st.integers(1, 10**6),
    days=st.lists(st.integers(28, 31), min_size=1, max_size=24),
    part=st.floats(0, 1),
)
def test_both_are_one_where_each_day_sells_the_same(daily, days, part):
    """Sheet 11.9: count-back DSO = simple DSO when daily sales are constant."""
    sales = [daily * each for each in days]
    owed = int(sum(sales) * part)
    simple = float(days_of_sales(whole(owed), whole(sum(sales)), sum(days))[0])
    assert back(owed, sales, days) == pytest.approx(simple, rel=1e-9, abs=1e-9)


@given(
    sales=st.lists(st.integers(-50, 200), min_size=1, max_size=12),
    owed=st.integers(0, 2_000),
)
def test_it_is_what_taking_away_month_by_month_gives(sales, owed):
    days = [30 + at % 2 for at in range(len(sales))]
    left, counted = owed, 0.0
    for own, length in zip(reversed(sales), reversed(days), strict=True):
        if left <= 0:
            break
        if 0 < left <= own:
            counted, left = counted + left / own * length, 0
        else:
            counted, left = counted + length, left - max(own, 0)
    found = back(owed, sales, days)
    assert np.isnan(found) if left > 0 else found == pytest.approx(counted)
