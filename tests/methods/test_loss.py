"""Are the formulas of a loss those of sheet 4.1 to 4.3?"""

from __future__ import annotations

from math import isclose

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from crm_portfolio._methods import _loss as loss

money = st.integers(1, 10**12)


def test_break_even_margin_of_safety_and_leverage_of_the_sheet():
    """Sheet 4.2 [H]: R 1000, m .4, F 320: R* 800, MoS .20, leverage 5."""
    ratio = loss.ratio_of(400, 1000)
    edge = loss.break_even(320, ratio)
    assert ratio == 0.4
    assert edge == pytest.approx(800, abs=1e-9)
    assert loss.margin_of_safety(1000, edge) == pytest.approx(0.20, abs=1e-12)
    assert loss.operating_leverage(400, 320) == 5


def test_exactly_the_client_above_twenty_per_cent_breaks_the_firm():
    """Sheet 4.2 [H]: "here exactly the >20 % client breaks the firm"."""
    contributions = np.array([4 * 250_00, 4 * 200_00, 4 * 200_01]) // 10
    assert loss.are_critical(contributions, 80_00).tolist() == [True, False, False]
    assert loss.are_critical(np.array([80_01, 80_00]), 80_00).tolist() == [True, False]


def test_an_account_that_contributes_nothing_breaks_no_firm():
    under = loss.are_critical(np.array([5, 0, -5]), -20)
    assert under.tolist() == [True, False, False]


def test_recovery_by_growth_and_by_new_revenue_of_the_sheet():
    """Sheet 4.3 [H]: 1000 → 750 at 2 % a month: 14.527; 20 of new revenue a month: 12.5."""
    assert round(loss.months_compound(750, 1000, 0.02), 3) == 14.527
    assert loss.months_linear(250, 20) == 12.5


def test_the_months_of_growth_are_those_a_root_finder_finds():
    root = optimize.brentq(lambda t: 750 * 1.013**t - 1000, 0, 100)
    assert isclose(loss.months_compound(750, 1000, 0.013), root, rel_tol=1e-9)


@pytest.mark.parametrize(
    ("remaining", "growth"), [(750, 0.0), (750, -0.01), (0, 0.02), (-5, 0.02)]
)
def test_what_does_not_grow_never_comes_back(remaining, growth):
    """Sheet 4.3, edge: g ≤ 0."""
    assert loss.months_compound(remaining, 1000, growth) is None


def test_what_is_not_lost_is_back_at_once():
    assert loss.months_compound(1000, 1000, -0.5) == 0
    assert loss.months_linear(0, 0) == 0
    assert loss.months_linear(5, 0) is None


def test_a_mix_without_contribution_has_no_break_even():
    """Sheet 4.2, edge: m ≤ 0 → none; profit ≤ 0 → MoS negative; profit 0 → no leverage."""
    assert loss.break_even(320, 0.0) is None
    assert loss.break_even(320, -0.1) is None
    assert loss.break_even(None, 0.4) is None
    assert loss.margin_of_safety(700, 800) < 0
    assert loss.margin_of_safety(0, 800) is None
    assert loss.operating_leverage(320, 320) is None
    assert loss.ratio_of(5, 0) is None


def test_a_ramp_takes_its_part_each_month():
    """Amendment 16: lost_share · min(1, m/ramp) in month m; ramp 0: at once."""
    assert [loss.lost_part(m, 4) for m in (1, 2, 3, 4, 5)] == [0.25, 0.5, 0.75, 1, 1]
    assert loss.lost_part(1, 0) == 1
    assert loss.lost_in(12, 0) == 12
    assert loss.lost_in(6, 4) == 0.25 + 0.5 + 0.75 + 3
    assert loss.lost_in(2.5, 4) == 0.25 + 0.5 + 0.75 / 2


def test_growth_elsewhere_brings_a_client_to_twenty_per_cent():
    """26 of 100 is 20 % of 130: the other 74 must bring 30 more, 30/74 = 40.5 %."""
    assert loss.revenue_elsewhere(26, 100, 0.2) == 30
    assert loss.growth_elsewhere(26, 100, 0.2) == pytest.approx(30 / 74)
    assert loss.revenue_elsewhere(20, 100, 0.2) == 0
    assert loss.growth_elsewhere(20, 100, 0.2) == 0
    assert loss.revenue_elsewhere(100, 100, 0.2) == 400
    assert loss.growth_elsewhere(100, 100, 0.2) is None


@given(amount=money, others=money, share=st.sampled_from([0.1, 0.2, 0.25, 1 / 3]))
def test_the_growth_that_is_asked_for_is_enough_and_no_more(amount, others, share):
    more = loss.revenue_elsewhere(amount, amount + others, share)
    exact = loss.part(1, share)
    assert amount <= exact * (amount + others + more)
    assert more == 0 or amount > exact * (amount + others + more - 1)


@given(revenue=money, fixed=money, ratio=st.floats(0.01, 1))
def test_leverage_is_one_over_the_margin_of_safety(revenue, fixed, ratio):
    """Sheet 4.2: operating leverage = contribution/profit = 1/MoS."""
    safety = loss.margin_of_safety(revenue, loss.break_even(fixed, ratio))
    leverage = loss.operating_leverage(ratio * revenue, fixed)
    if leverage is not None and abs(safety) > 1e-6:
        assert isclose(leverage, 1 / safety, rel_tol=1e-6)


@given(
    remaining=money,
    target=money,
    slow=st.floats(0.001, 0.2),
    fast=st.floats(0.001, 0.2),
)
def test_faster_growth_is_never_slower_to_recover(remaining, target, slow, fast):
    slow, fast = sorted((slow, fast))
    months = [loss.months_compound(remaining, target, g) for g in (slow, fast)]
    assert months[0] >= months[1] >= 0


def test_cash_lasts_as_long_as_the_loss_lets_it():
    assert loss.runway(60, -240) == 3
    assert loss.runway(60, 0) is None
    assert loss.runway(None, -5) is None
