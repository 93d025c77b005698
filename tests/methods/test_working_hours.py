"""Is time counted only while we work?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._working_hours import working_time

HOUR = 3600
FIRST, LAST = date(2026, 1, 1), date(2026, 12, 31)


def seconds(*when, zone="UTC"):
    return int(datetime(*when, tzinfo=ZoneInfo(zone)).timestamp())


def between(start, end, **how):
    worked = working_time(FIRST, LAST, **{"zone": "UTC", **how})
    return int(worked.between(np.array([start]), np.array([end]))[0])


def test_a_weekend_is_no_time():
    """2 January 2026 is a Friday: an hour of it, and two of the Monday after."""
    friday, monday = seconds(2026, 1, 2, 16), seconds(2026, 1, 5, 11)
    assert between(friday, monday) == 3 * HOUR


def test_an_evenings_question_waits_from_the_next_morning():
    asked, answered = seconds(2026, 1, 6, 22), seconds(2026, 1, 7, 9, 30)
    assert between(asked, answered) == HOUR // 2
    assert between(asked, seconds(2026, 1, 7, 8)) == 0


def test_a_holiday_is_no_time():
    start, end = seconds(2026, 7, 13, 16), seconds(2026, 7, 15, 10)
    assert between(start, end) == (1 + 8 + 1) * HOUR
    assert between(start, end, holidays=[date(2026, 7, 14)]) == 2 * HOUR


def test_other_weeks_and_hours_are_those_of_the_settings():
    sunday = seconds(2026, 1, 4, 0), seconds(2026, 1, 5, 0)
    assert between(*sunday) == 0
    assert between(*sunday, weekdays=[7], hours=(7.5, 12)) == 4.5 * HOUR
    assert between(*sunday, weekdays=range(1, 8), hours=(0, 24)) == 24 * HOUR


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/New_York", "UTC"])
def test_days_begin_by_the_clocks_of_the_zone(zone):
    """Nine to five there, wherever UTC midnight falls in it, before and after the clocks
    change."""
    for month in (1, 7):
        opens = seconds(2026, month, 6, 9, zone=zone)
        closes = seconds(2026, month, 6, 17, zone=zone)
        assert between(opens, closes, zone=zone) == 8 * HOUR
        assert between(opens - HOUR, closes + HOUR, zone=zone) == 8 * HOUR
        assert between(opens, seconds(2026, month, 7, 10, zone=zone), zone=zone) == (
            9 * HOUR
        )


def test_the_night_the_clocks_go_forward_has_an_hour_less():
    """In Paris, 29 March 2026 has 23 hours."""
    whole = {"zone": "Europe/Paris", "weekdays": range(1, 8), "hours": (0, 24)}
    start = seconds(2026, 3, 29, zone="Europe/Paris")
    assert between(start, seconds(2026, 3, 30, zone="Europe/Paris"), **whole) == (
        23 * HOUR
    )


def test_whole_working_days_are_those_numpy_counts():
    worked = working_time(FIRST, LAST, zone="UTC", holidays=[date(2026, 5, 1)])
    starts = np.arange("2026-01-01", "2026-10-01", dtype="datetime64[D]")
    ends = starts + np.arange(starts.size) % 60
    found = worked.between(
        starts.astype("datetime64[s]").astype(np.int64),
        ends.astype("datetime64[s]").astype(np.int64),
    )
    counted = np.busday_count(starts, ends, holidays=["2026-05-01"])
    assert found.tolist() == (counted * 8 * HOUR).tolist()


moments = st.integers(seconds(2026, 1, 2), seconds(2026, 12, 30))


@given(moments, moments, st.sampled_from(["Asia/Kolkata", "America/St_Johns", "UTC"]))
def test_no_minute_is_counted_that_is_not_worked(one, other, zone):
    """Against a walk along the quarters of an hour."""
    start, end = sorted([one, other])
    start, end = start // 900 * 900, min(end, start + 9 * 86_400) // 900 * 900
    clocks, found = ZoneInfo(zone), 0
    at = datetime.fromtimestamp(start, UTC)
    while at.timestamp() < end:
        local = at.astimezone(clocks)
        found += 900 * (local.isoweekday() <= 5 and 9 <= local.hour < 17)
        at += timedelta(seconds=900)
    assert between(start, end, zone=zone) == found


def test_a_day_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match="outside"):
        between(seconds(2025, 1, 1), seconds(2026, 1, 1))
