"""Is a date in a file the day its writer meant?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_portfolio.connectors.files._dates import days, moments
from crm_portfolio.connectors.files._reading import Conventions, Reading


def read(*cells: str | None, **conventions: Any) -> Reading:
    return days(pa.array(cells, pa.string()), Conventions(**conventions))


def clock(*cells: str | None, **conventions: Any) -> Reading:
    return moments(pa.array(cells, pa.string()), Conventions(**conventions))


@pytest.mark.parametrize(
    "cell",
    [
        "2026-01-31",
        "2026/1/31",
        "31/01/2026",
        "1/31/2026",
        "31.01.2026",
        "31-1-2026",
        " 31/01/2026 ",
        "31/01/2026 23:59",
        "1/31/2026, 11:59\u202fPM",
        "2026-01-31T10:00:00",
    ],
)
def test_a_cell_that_allows_one_day_is_that_day(cell: str) -> None:
    assert read(cell).values.to_pylist() == [date(2026, 1, 31)]


def test_a_day_above_twelve_decides_for_the_column() -> None:
    assert read("01/02/2026", "13/02/2026").values.to_pylist()[0] == date(2026, 2, 1)
    assert read("01/02/2026", "02/13/2026").values.to_pylist()[0] == date(2026, 1, 2)


def test_day_or_month_first_is_asked_when_no_cell_tells() -> None:
    question = read("01/02/2026", "03/03/2026").question
    assert 'date_order="dmy"' in question
    assert 'date_order="mdy"' in question
    assert "'01/02/2026'" in question
    assert "'03/03/2026'" not in question


def test_a_day_that_is_the_same_both_ways_is_no_question() -> None:
    reading = read("03/03/2026", None, "")
    assert not reading.question
    assert reading.values.to_pylist() == [date(2026, 3, 3), None, None]


def test_the_setting_settles_only_what_the_cells_leave_open() -> None:
    assert read("01/02/2026", date_order="mdy").values.to_pylist() == [date(2026, 1, 2)]
    assert read("01/02/2026", date_order="dmy").values.to_pylist() == [date(2026, 2, 1)]
    assert read("13/02/2026", date_order="mdy").values.to_pylist() == [
        date(2026, 2, 13)
    ]


def test_cells_that_contradict_each_other_are_asked_about() -> None:
    assert "13/02/2026" in read("13/02/2026", "02/13/2026").question
    settled = read("13/02/2026", "02/13/2026", date_order="mdy")
    assert settled.unread.to_pylist() == [True, False]


def test_the_29th_of_february_exists_in_leap_years_only() -> None:
    reading = read("29/02/2024", "29/02/2025", "2000-02-29", "1900-02-29", "2/29/2024")
    assert reading.values.to_pylist()[:4] == [
        date(2024, 2, 29),
        None,
        date(2000, 2, 29),
        None,
    ]
    assert reading.unread.to_pylist()[:4] == [False, True, False, True]


@pytest.mark.parametrize(
    "cell",
    [
        "31/04/2026",
        "2026-13-01",
        "0/1/2026",
        "soon",
        "45292",
        "1/2/26",
        "2026-01-01 25:00",
        "2026-01-01 10:60",
        "1/31/2026 13:00 PM",
        "2026-01",
        "0000-01-01",
    ],
)
def test_what_is_no_day_is_not_made_one(cell: str) -> None:
    reading = read(cell)
    assert reading.values.to_pylist() == [None]
    assert reading.unread.to_pylist() == [True]


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("2026-01-02 13:45", datetime(2026, 1, 2, 13, 45, tzinfo=UTC)),
        ("1/31/2026 1:45 PM", datetime(2026, 1, 31, 13, 45, tzinfo=UTC)),
        ("1/31/2026 12:05 AM", datetime(2026, 1, 31, 0, 5, tzinfo=UTC)),
        ("1/31/2026 12:05 p.m.", datetime(2026, 1, 31, 12, 5, tzinfo=UTC)),
        (
            "2026-01-02T13:45:06.25Z",
            datetime(2026, 1, 2, 13, 45, 6, 250_000, tzinfo=UTC),
        ),
        ("2026-01-02T00:30:00+02:00", datetime(2026, 1, 1, 22, 30, tzinfo=UTC)),
        ("2026-01-02T20:30:00-0530", datetime(2026, 1, 3, 2, 0, tzinfo=UTC)),
        ("31/01/2026", datetime(2026, 1, 31, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_to_the_microsecond(cell: str, moment: datetime) -> None:
    assert clock(cell).values.to_pylist() == [moment]


def test_a_clock_stands_in_the_time_zone_of_the_settings() -> None:
    paris = clock("2026-07-01 00:30", "2026-07-01T00:30Z", time_zone="Europe/Paris")
    assert paris.values.to_pylist() == [
        datetime(2026, 6, 30, 22, 30, tzinfo=UTC),
        datetime(2026, 7, 1, 0, 30, tzinfo=UTC),
    ]


def test_the_day_of_a_moment_is_the_day_in_the_time_zone() -> None:
    late = read("2026-06-30T23:30:00Z", "2026-06-30 23:30", time_zone="Europe/Paris")
    assert late.values.to_pylist() == [date(2026, 7, 1), date(2026, 6, 30)]


def test_the_hour_that_is_skipped_or_repeated_is_still_read() -> None:
    reading = clock("2026-03-29 02:30", "2026-10-25 02:30", time_zone="Europe/Paris")
    assert reading.values.to_pylist() == [
        datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
    ]


def test_our_own_form_is_left_to_the_normaliser() -> None:
    assert read("2026-02-30", is_canonical=True).values.to_pylist() == ["2026-02-30"]
    assert read("31/12/2026", is_canonical=True).values.to_pylist() == [
        date(2026, 12, 31)
    ]


FORMS = {
    "dmy": ["{0:%d}/{0:%m}/{0.year:04d}", "{0.day}.{0.month}.{0.year:04d}"],
    "mdy": ["{0:%m}/{0:%d}/{0.year:04d}", "{0.month}-{0.day}-{0.year:04d}"],
}
SOME_DAYS = st.lists(
    st.dates(date(1900, 1, 1), date(2200, 12, 31)), min_size=1, max_size=8
)


@settings(deadline=None)
@given(SOME_DAYS, st.sampled_from(["dmy", "mdy"]), st.integers(0, 1))
def test_every_day_comes_back(chosen: list[date], order: str, form: int) -> None:
    cells = [FORMS[order][form].format(day) for day in chosen]
    assert read(*cells, date_order=order).values.to_pylist() == chosen
    unaided = read(*cells)
    if not unaided.question:
        assert unaided.values.to_pylist() == chosen


@settings(deadline=None)
@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), st.integers(-840, 840))
def test_every_offset_is_taken_away(moment: datetime, minutes: int) -> None:
    sign, offset = "-" if minutes < 0 else "+", abs(minutes)
    cell = f"{moment.isoformat()}{sign}{offset // 60:02d}:{offset % 60:02d}"
    expected = moment.replace(tzinfo=UTC) - timedelta(minutes=minutes)
    assert clock(cell).values.to_pylist() == [expected]
