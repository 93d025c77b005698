"""Does it stop where the next attempt no longer pays?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._persistence import (
    never_rising,
    odds_left,
    paying,
)

RATES = st.lists(st.floats(0, 1), min_size=1, max_size=8)


def stop_after(hazards, worth, cost) -> int:
    """How many attempts pay, of one pursuit."""
    odds = np.array(hazards, dtype=np.float64)
    return int(paying(odds, np.array([worth]), np.array([cost]))[0])


def worths(hazards, worth, cost) -> list[float]:
    """What none, one, two, … attempts are worth together, before the first is made."""
    found, reached = [0.0], 1.0
    for each in hazards:
        found.append(found[-1] + reached * (each * worth - cost))
        reached *= 1 - each
    return found


def test_the_printed_hazards_stop_after_two():
    """Sheet 6.7 [H]: .10 .06 .03 .01, M 5000, cost 160 → 340, 140, −10, −110; 466."""
    hazards = [0.10, 0.06, 0.03, 0.01]
    assert stop_after(hazards, 5000.0, 160.0) == 2
    assert worths(hazards, 5000.0, 160.0)[2] == pytest.approx(466)


def test_an_attempt_that_just_covers_its_cost_is_not_made():
    assert stop_after([0.10], 5000.0, 500.0) == 0
    assert stop_after([0.10], 5000.0, 499.0) == 1


def test_where_no_attempt_is_allowed_none_pays():
    assert stop_after([], 5000.0, 160.0) == 0


def test_rates_that_rise_share_their_weighted_mean():
    assert never_rising([0.1, 0.4, 0.2], [10, 20, 30]).tolist() == pytest.approx(
        [0.3, 0.3, 0.2]
    )
    assert never_rising([0.3, 0.2, 0.1], [1, 1, 1]).tolist() == [0.3, 0.2, 0.1]
    assert never_rising([0.0, 1.0], [0, 0]).tolist() == [0.5, 0.5]
    assert never_rising([], []).tolist() == []


def least_squares(rates, weights):
    """The isotonic regression by its min-max formula, which pools nothing."""
    rates, weights = np.array(rates), np.array(weights)
    n = len(rates)

    def mean(low, high):
        part = slice(low, high + 1)
        return (rates[part] * weights[part]).sum() / weights[part].sum()

    return [
        min(max(mean(low, high) for high in range(at, n)) for low in range(at + 1))
        for at in range(n)
    ]


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 50)), min_size=1, max_size=9))
def test_never_rising_is_the_nearest_that_never_rises(pairs):
    rates, weights = zip(*pairs, strict=True)
    found = never_rising(rates, weights)
    assert (np.diff(found) <= 1e-12).all()
    assert found.tolist() == pytest.approx(least_squares(rates, weights), abs=1e-9)
    # The weighted mean stays what it was.
    assert np.dot(found, weights) == pytest.approx(np.dot(rates, weights))


@given(RATES, st.floats(1, 1e6), st.floats(1, 1e5))
def test_no_other_number_of_attempts_is_worth_more(rates, worth, cost):
    """The one-step rule is optimal where hazards never rise; half a unit for rounding."""
    hazards = never_rising(rates, np.ones(len(rates)))
    every = worths(hazards, worth, cost)
    found = every[stop_after(hazards, worth, cost)]
    assert found == pytest.approx(max(every), abs=0.5 * len(rates) + 1e-6)


@given(RATES, st.floats(0, 1e6), st.floats(0, 1e5), st.floats(0, 1e5))
def test_dearer_attempts_are_never_more(rates, worth, cost, more):
    hazards = never_rising(rates, np.ones(len(rates)))
    cheap, dear = paying(
        hazards, np.array([worth, worth]), np.array([cost, cost + more])
    )
    assert dear <= cheap <= len(rates)


def test_after_failures_less_is_left_of_the_odds():
    hazards = np.array([0.10, 0.06, 0.03])
    whole = 1 - 0.90 * 0.94 * 0.97
    left = odds_left(hazards, np.array([0, 1, 2, 3, 9]))
    after = [whole, 1 - 0.94 * 0.97, 0.03, 0.0, 0.0]
    assert left.tolist() == pytest.approx([each / whole for each in after])


@given(RATES)
def test_the_odds_left_never_rise_and_begin_whole(rates):
    hazards = never_rising(rates, np.ones(len(rates)))
    left = odds_left(hazards, np.arange(len(rates) + 2))
    assert left[0] == 1.0
    assert (np.diff(left) <= 1e-9).all()
    assert left[-1] == 0.0
