"""Is a pursuit worth what it would bring, less its hours and what they leave undone?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._pursuit_value import (
    break_even_hour_value,
    break_even_hours,
    break_even_odds,
    contribution,
    expected_value,
    last_that_fits,
)

ODDS, WORTH, HOURS = np.array([0.15]), np.array([20_000.0]), np.array([20.0])
SOME = st.floats(0.01, 1e4)


def test_the_printed_pursuit_is_not_worth_its_hours():
    """Sheet 6.6 [H]: 1800 before opportunity cost (90/hour); EV −2600; p* = .28."""
    before = expected_value(ODDS, WORTH, HOURS, hour_cost=60, hour_value=0)
    assert before.tolist() == [1800.0]
    assert (before / HOURS).tolist() == [90.0]
    priced = {"hour_cost": 60, "hour_value": 220}
    assert expected_value(ODDS, WORTH, HOURS, **priced).tolist() == [-2600.0]
    assert break_even_odds(WORTH, HOURS, **priced).tolist() == [0.28]


def test_with_idle_hours_the_printed_pursuit_is_worth_it():
    """Sheet 6.6 [H]: with lambda 0 p* = .06."""
    idle = {"hour_cost": 60, "hour_value": 0}
    assert break_even_odds(WORTH, HOURS, **idle).tolist() == [0.06]
    assert (expected_value(ODDS, WORTH, HOURS, **idle) > 0).all()


def test_what_would_change_the_answer_is_told_in_hours_too():
    assert break_even_hours(ODDS, WORTH, hour_cost=60, hour_value=220).tolist() == [
        pytest.approx(3000 / 280)
    ]
    assert break_even_hour_value(ODDS, WORTH, HOURS, hour_cost=60).tolist() == [90.0]


def test_the_unknown_stays_unknown():
    unknown = np.array([np.nan])
    priced = {"hour_cost": 60, "hour_value": 220}
    assert np.isnan(expected_value(unknown, WORTH, HOURS, **priced)).all()
    assert np.isnan(
        expected_value(ODDS, WORTH, HOURS, hour_cost=60, hour_value=np.nan)
    ).all()
    assert np.isnan(break_even_odds(np.array([0.0]), HOURS, **priced)).all()
    assert np.isnan(break_even_odds(np.array([-5.0]), HOURS, **priced)).all()
    assert np.isnan(break_even_hours(ODDS, WORTH, hour_cost=0, hour_value=0)).all()


@given(st.floats(0, 1), SOME, SOME, SOME, SOME, SOME)
def test_more_hours_and_dearer_hours_are_never_worth_more(p, m, h, c, value, more):
    """Sheet 11.7."""

    def worth(hours, hour_value):
        arrays = (np.array([each]) for each in (p, m, hours))
        return expected_value(*arrays, hour_cost=c, hour_value=hour_value)[0]

    assert worth(h + more, value) < worth(h, value) + 1e-9
    assert worth(h, value + more) < worth(h, value) + 1e-9


@given(SOME, SOME, SOME, SOME, SOME)
def test_at_break_even_nothing_is_won_or_lost(m, h, c, value, outlay):
    """Sheet 11.7: p* is where EV = 0, and so are the hours and the value of an hour."""
    worth, hours = np.array([m]), np.array([h])
    priced = {"hour_cost": c, "hour_value": value, "outlay": outlay}
    odds = break_even_odds(worth, hours, **priced)
    even = pytest.approx(0.0, abs=1e-6 * (m + h * (c + value) + outlay))
    assert expected_value(odds, worth, hours, **priced)[0] == even
    most = break_even_hours(odds, worth, **priced)
    assert most[0] == pytest.approx(h, rel=1e-6)
    dearest = break_even_hour_value(odds, worth, hours, hour_cost=c, outlay=outlay)
    assert dearest[0] == pytest.approx(value, rel=1e-6, abs=1e-6 * (c + value))


def test_what_is_conceded_comes_off_the_price_and_not_off_the_cost():
    amount, margin = np.array([1000.0]), np.array([0.4])
    plain = {"years": 1.0, "discount": 0.1}
    conceded = np.array([0.1])
    assert contribution(amount, margin, concession=0 * margin, **plain)[0] == 400.0
    assert contribution(amount, margin, concession=conceded, **plain)[
        0
    ] == pytest.approx(300)
    # Years two and a half: each is worth a tenth less than the one before.
    found = contribution(
        amount, margin, concession=0 * margin, years=2.5, discount=0.25
    )
    assert found[0] == pytest.approx(400 * (1 + 0.8 + 0.5 * 0.64))


def test_an_hour_is_worth_what_the_last_that_fits_brings():
    """Marginal, not average: 500, 300 and 200 an hour; 40 hours hold the first two."""
    values = np.array([9000.0, 5000.0, 4000.0])
    hours = np.array([30.0, 10.0, 20.0])
    assert last_that_fits(values, hours, 40.0) == 300.0
    assert last_that_fits(values, hours, 59.0) == 300.0
    assert last_that_fits(values, hours, 10.0) == 500.0


def test_idle_hours_are_worth_nothing():
    values, hours = np.array([9000.0, 5000.0]), np.array([30.0, 10.0])
    assert last_that_fits(values, hours, 40.0) == 0.0
    assert last_that_fits(np.array([]), np.array([]), 0.0) == 0.0
    assert last_that_fits(np.array([-5.0, 0.0]), hours, 0.0) == 0.0


def test_where_nothing_fits_an_hour_is_taken_from_the_best():
    values, hours = np.array([9000.0, 5000.0]), np.array([30.0, 10.0])
    assert last_that_fits(values, hours, 0.0) == 500.0


def test_where_hours_or_room_are_unknown_so_is_the_value_of_an_hour():
    values = np.array([9000.0, 5000.0])
    assert np.isnan(last_that_fits(values, np.array([np.nan, 10.0]), 5.0))
    assert np.isnan(last_that_fits(values, np.array([30.0, 10.0]), np.nan))


@given(
    st.lists(st.tuples(st.floats(1, 1e5), st.floats(0.5, 100)), max_size=8),
    st.floats(0, 300),
    st.floats(0, 300),
)
def test_more_room_never_makes_an_hour_dearer(pairs, room, more):
    values, hours = (np.array([each[at] for each in pairs]) for at in (0, 1))
    assert last_that_fits(values, hours, room + more) <= last_that_fits(
        values, hours, room
    )
