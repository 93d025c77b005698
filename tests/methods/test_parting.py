"""Sheet 8.6: what sets a relationship right, and what follows if it ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._parting import (
    dilution,
    hhi_without,
    price_rise,
    safety_without,
    volume_at_stake,
    worth_an_hour,
)


def one(value: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([value], dtype=np.float64)


def test_how_much_volume_may_go() -> None:
    """Sheet 8.6 [H]: margin ratio 30 %, price +10 %: up to .10/.40 = 25 % of volume."""
    assert volume_at_stake(one(0.3), one(0.1))[0] == pytest.approx(0.25)


def test_how_much_the_others_must_bring() -> None:
    """Sheet 8.6 [H]: a client of 400 at 20 % needs 1600 of others; they bring 600."""
    assert dilution(one(400), 1000, 0.2)[0] == pytest.approx(1000)


def test_nothing_needs_diluting_that_is_small() -> None:
    assert dilution(one(100), 1000, 0.2)[0] == 0


def test_the_price_rise_that_reaches_the_target() -> None:
    """By hand: 20 of 100 to 36 %: p = 16/64 = 25 %; then 45 of 125 is 36 %."""
    rise = price_rise(one(100), one(20), 0.36)[0]
    assert rise == pytest.approx(0.25)
    assert (20 + 100 * rise) / (100 * (1 + rise)) == pytest.approx(0.36)


def test_what_sells_nothing_has_no_price_to_raise() -> None:
    assert np.isnan(price_rise(one(0), one(-5), 0.3))[0]


def test_sold_at_a_loss_all_of_the_volume_may_go() -> None:
    assert volume_at_stake(one(-0.05), one(0.1))[0] == 1.0
    assert np.isnan(volume_at_stake(one(-0.2), one(0.1)))[0]


def test_the_safety_of_the_sheet_is_gone_with_the_account() -> None:
    """Sheet 4.2 [H]: R 1000, m .4, F 320: MoS .20; without 200 (80 of it): 0."""
    assert safety_without(one(0), 400, 320)[0] == pytest.approx(0.2)
    assert safety_without(one(80), 400, 320)[0] == pytest.approx(0.0)
    assert np.isnan(safety_without(one(400), 400, 320))[0]


def test_what_an_hour_must_bring_elsewhere() -> None:
    assert worth_an_hour(one(30), one(2))[0] == 15
    assert worth_an_hour(one(-30), one(2))[0] == 0
    assert np.isnan(worth_an_hour(one(30), one(0)))[0]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 999)), min_size=2, max_size=9)
)
def test_concentration_of_what_is_left_is_that_of_the_others(
    book: list[tuple[int, int]],
) -> None:
    group = np.array([each for each, _ in book])
    own = np.array([float(each) for _, each in book])
    of = np.bincount(group, weights=own, minlength=4)
    found = hhi_without(own, of[group], (of**2).sum(), own.sum())
    for at in range(own.size):
        left = np.delete(own, at)
        by = np.bincount(np.delete(group, at), weights=left, minlength=4)
        assert found[at] == pytest.approx((by**2).sum() / left.sum() ** 2)
