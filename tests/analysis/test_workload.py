"""Do accounts, revenue and hours by quarter add up as they do by hand?"""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pyarrow as pa
import pytest

from crm_portfolio._frames import from_arrow
from crm_portfolio.analysis import _facts
from crm_portfolio.analysis._facts import _workload
from crm_portfolio.portfolio import Calendar, Period, Portfolio

AS_OF = date(2026, 6, 30)
ACCOUNTS = ["A", "B", "C"]
EDGES = [date(2025, 10, 1), date(2026, 1, 1), date(2026, 4, 1), date(2026, 7, 1)]


def days(draw: random.Random, count: int, first: date, span: int) -> list[date]:
    return [first + timedelta(days=draw.randrange(span)) for _ in range(count)]


def book(backend: str = "pyarrow", *, effort_from: date = date(2025, 7, 1), **more):
    draw = random.Random(11)
    n, span = 300, (AS_OF - date(2025, 7, 1)).days + 1
    lines = pa.table(
        {
            "line_id": [str(at) for at in range(n)],
            "account_id": [draw.choice(ACCOUNTS) for _ in range(n)],
            "booked_on": days(draw, n, date(2025, 7, 1), span),
            "amount": [draw.randrange(-500, 9000) / 100 for _ in range(n)],
        }
    )
    worked = (AS_OF - effort_from).days + 1
    effort = pa.table(
        {
            "account_id": [draw.choice(ACCOUNTS) for _ in range(n)],
            "worked_on": days(draw, n, effort_from, worked),
            "minutes": [float(draw.randrange(1, 200)) for _ in range(n)],
        }
    )
    tables = {
        "account": pa.table({"account_id": ACCOUNTS}),
        "revenue_line": lines,
        "effort": effort,
    } | more
    frames = {
        name: pl.from_arrow(table).lazy()
        if backend == "polars lazy"
        else from_arrow(table, backend)
        for name, table in tables.items()
    }
    made = Portfolio.from_frames(as_of=AS_OF, currency="EUR", **frames)
    return made, lines, effort


def facts_of(portfolio):
    span = Period.last_months(12)
    return _facts.revenue_facts(portfolio, span, None, needed_by="a test")


@pytest.mark.parametrize("backend", ["pandas", "polars", "polars lazy", "pyarrow"])
def test_quarters_are_those_counted_by_hand(backend):
    portfolio, lines, effort = book(backend)
    told = _facts.quarterly_workload(portfolio, facts_of(portfolio), quarters=3)
    who, cents = defaultdict(set), defaultdict(int)
    minutes = defaultdict(float)
    for row in lines.to_pylist():
        quarter = max(
            (edge for edge in EDGES if edge <= row["booked_on"]), default=None
        )
        if row["account_id"] and quarter:
            who[quarter].add(row["account_id"])
            cents[quarter] += round(row["amount"] * 100)
    for row in effort.to_pylist():
        quarter = max(
            (edge for edge in EDGES if edge <= row["worked_on"]), default=None
        )
        minutes[quarter] += row["minutes"]
    assert told.to_pylist() == [
        {
            "starts_on": quarter,
            "account_count": len(who[quarter]),
            "revenue": cents[quarter] / 100,
            "hours": minutes[quarter] / 60,
        }
        for quarter in EDGES[:3]
    ]


def test_a_quarter_in_which_the_notes_of_time_begin_is_left_out():
    portfolio, _, _ = book(effort_from=date(2025, 11, 20))
    told = _facts.quarterly_workload(portfolio, facts_of(portfolio), quarters=4)
    assert told["starts_on"].to_pylist() == EDGES[1:3]


def test_a_quarter_with_an_amount_that_lacks_has_no_revenue():
    days_won = [date(2025, 10, 5), date(2026, 2, 3), date(2026, 2, 4), date(2026, 5, 5)]
    won = pa.table(
        {
            "opportunity_id": [str(at) for at in range(4)],
            "account_id": ["A", "A", "B", "A"],
            "status": ["won"] * 4,
            "closed_on": days_won,
            "amount": [10.0, 10.0, None, 10.0],
        }
    )
    effort = pa.table(
        {
            "account_id": ["A"] * 4,
            "worked_on": [date(2025, 10, 3), *days_won[1:]],
            "minutes": [60.0] * 4,
        }
    )
    portfolio = Portfolio.from_frames(
        as_of=AS_OF,
        currency="EUR",
        account=pa.table({"account_id": ["A", "B"]}),
        opportunity=won,
        effort=effort,
    )
    told = _facts.quarterly_workload(portfolio, facts_of(portfolio), quarters=3)
    assert told["revenue"].to_pylist()[-2:] == [None, 10.0]
    assert told["account_count"].to_pylist()[-2:] == [2, 1]


def test_a_quarter_before_the_book_is_left_out():
    portfolio, _, _ = book(effort_from=date(2024, 1, 1))
    told = _facts.quarterly_workload(portfolio, facts_of(portfolio), quarters=12)
    assert told["starts_on"].to_pylist() == [date(2025, 7, 1), *EDGES[:3]]


def test_without_time_there_is_no_quarter():
    effort = book()[2]
    silent, _, _ = book(effort=effort.slice(0, 0))
    told = _facts.quarterly_workload(silent, facts_of(silent), quarters=4)
    assert told.num_rows == 0
    assert told.column_names == ["starts_on", "account_count", "revenue", "hours"]
    assert _facts.hours_in(silent, [Period.last_months(1).at(AS_OF)]) == [None]


def test_days_of_meetings_begin_where_the_clocks_stand():
    late = datetime(2026, 3, 31, 23, 0, tzinfo=UTC)  # the first of April in Paris
    activity = pa.table(
        {
            "activity_id": ["1"],
            "account_id": ["A"],
            "occurred_at": pa.array([late], pa.timestamp("us", "UTC")),
            "minutes": [90.0],
        }
    )
    portfolio = Portfolio.from_frames(
        as_of=AS_OF,
        currency="EUR",
        calendar=Calendar("Europe/Paris"),
        account=pa.table({"account_id": ["A"]}),
        activity=activity,
        revenue_line=pa.table(
            {
                "line_id": ["1"],
                "account_id": ["A"],
                "booked_on": [date(2026, 1, 5)],
                "amount": [1.0],
            }
        ),
    )
    spring = Period.between(date(2026, 4, 1), date(2026, 7, 1))
    winter = Period.between(date(2026, 1, 1), date(2026, 4, 1))
    assert _facts.hours_in(portfolio, [spring, winter]) == [1.5, None]
    assert _facts.begins_before(portfolio, date(2026, 4, 20))
    assert not _facts.begins_before(portfolio, date(2026, 5, 20))
    assert not _workload.begins_before(portfolio, date.min)
