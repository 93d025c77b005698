"""Do the scans of what hours went to, and could go to, add up as they do by hand?"""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, timedelta

import polars as pl
import pyarrow as pa
import pytest

from crm_portfolio._frames import from_arrow
from crm_portfolio.analysis import _facts
from crm_portfolio.analysis._facts import _attached, _candidates, collected
from crm_portfolio.portfolio import Period, Portfolio

AS_OF = date(2026, 6, 30)
SPAN = Period.last_months(12).at(AS_OF)
ENGINES = {
    "pandas": lambda table: from_arrow(table, "pandas"),
    "polars": lambda table: from_arrow(table, "polars"),
    "polars lazy": lambda table: pl.from_arrow(table).lazy(),
    "pyarrow": lambda table: table,
}
ROLES = ["sales", "delivery", None]


@pytest.fixture(params=ENGINES.values(), ids=ENGINES)
def engine(request):
    return request.param


def effort_table(count: int = 300) -> pa.Table:
    draw = random.Random(7)
    first = date(2025, 4, 1)
    return pa.table(
        {
            "account_id": [draw.choice("ABC") for _ in range(count)],
            "worked_on": pa.array(
                [first + timedelta(days=draw.randrange(500)) for _ in range(count)]
            ),
            "minutes": [draw.randrange(1, 900) / 10 for _ in range(count)],
            "role": pa.array([draw.choice(ROLES) for _ in range(count)], pa.string()),
            "opportunity_id": pa.array(
                [draw.choice(["O1", "O2", "O3", None]) for _ in range(count)]
            ),
        }
    )


def summed(table: pa.Table, key: str) -> dict[tuple[str, str], int]:
    return {
        (row[key], row["role"]): row["seconds"]
        for row in table.to_pylist()
        if row["seconds"]
    }


def test_time_is_summed_by_account_and_role(engine):
    effort = effort_table()
    sums: Counter[tuple[str, str]] = Counter()
    for row in effort.to_pylist():
        if SPAN.start <= row["worked_on"] < SPAN.end:
            key = (row["account_id"], row["role"] or "")
            sums[key] += round(row["minutes"] * 60)
    scanned = _candidates.seconds_by_role(engine(effort), SPAN)
    assert summed(scanned, "account_id") == sums


def test_the_roles_of_an_account_add_up_to_its_time(engine):
    effort = effort_table()
    whole = _attached.seconds_worked(engine(effort), SPAN)
    by_role = _candidates.seconds_by_role(engine(effort), SPAN)
    sums: Counter[str] = Counter()
    for row in by_role.to_pylist():
        sums[row["account_id"]] += row["seconds"]
    assert sums == {row["account_id"]: row["seconds"] for row in whole.to_pylist()}


def test_only_time_for_sales_that_were_won_is_counted(engine):
    effort = effort_table()
    named = sorted({each for each in effort["opportunity_id"].to_pylist() if each})
    won = set(named[::2])
    sums: Counter[tuple[str, str]] = Counter()
    for row in effort.to_pylist():
        if row["opportunity_id"] in won:
            key = (row["opportunity_id"], row["role"] or "")
            sums[key] += round(row["minutes"] * 60)
    sales = pa.table(
        {
            "opportunity_id": named,
            "status": ["won" if each in won else "lost" for each in named],
        }
    )
    rows = collected(_candidates.seconds_by_sale(engine(effort), engine(sales)))
    found: Counter[tuple[str, str]] = Counter()
    for row in rows.to_pylist():
        found[row["opportunity_id"], row["role"]] += row["seconds"]
    assert found == sums
    without = effort.drop_columns(["opportunity_id", "role"])
    none = _candidates.seconds_by_sale(engine(without), engine(sales))
    assert collected(none).num_rows == 0


def test_open_sales_come_one_by_one_with_what_they_say(engine):
    sales = pa.table(
        {
            "opportunity_id": ["3", "1", "2"],
            "account_id": ["A", None, "B"],
            "status": ["open", "open", "won"],
            "stage": pa.array(["s", None, "s"], pa.string()),
            "probability": [0.25, None, 1.0],
            "amount": [10.555, None, 7.0],
            "expected_close_on": pa.array([date(2026, 9, 1), None, None]),
        }
    )
    rows = _candidates.open_sales(engine(sales), 2).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("1", None, None, "", "", "", -1.0, None, None),
        ("3", "A", None, "", "s", "", 0.25, 1056, date(2026, 9, 1)),
    ]


def test_only_projects_that_rest_are_candidates(engine):
    projects = pa.table(
        {
            "project_id": ["P3", "P1", "P2", "P4"],
            "status": pa.array(["parked", "parked", "done", None], pa.string()),
            "hours_to_finish": [4.5, None, 1.0, 1.0],
            "role": pa.array([None, "sales", None, None], pa.string()),
        }
    )
    rows = _candidates.parked_projects(engine(projects)).to_pylist()
    assert [
        (row["project_id"], row["role"], row["hours_to_finish"]) for row in rows
    ] == [
        ("P1", "sales", None),
        ("P3", None, 4.5),
    ]
    assert {row["deadline_on"] for row in rows} == {None}


def book(backend: str, **tables: pa.Table) -> Portfolio:
    own = {
        "account": pa.table({"account_id": ["B", "A", "C"]}),
        "opportunity": pa.table(
            {
                "opportunity_id": ["O1", "O2", "O3", "O4"],
                "account_id": ["A"] * 4,
                "status": ["won", "won", "lost", "won"],
                "closed_on": pa.array([date(2026, 1, 5)] * 4),
                "amount": [1.0] * 4,
            }
        ),
        **tables,
    }
    return Portfolio.from_frames(
        as_of=AS_OF,
        currency="EUR",
        **{name: from_arrow(each, backend) for name, each in own.items()},
    )


def facts_of(portfolio: Portfolio) -> _facts.RevenueFacts:
    return _facts.revenue_facts(portfolio, SPAN, None, needed_by="x")


@pytest.mark.parametrize("backend", ["pandas", "polars", "pyarrow"])
def test_time_stands_at_its_account_and_its_role(backend):
    effort = pa.table(
        {
            "account_id": ["B", "B", "A"],
            "worked_on": pa.array([date(2026, 1, 5)] * 3),
            "minutes": [60.0, 30.0, 15.0],
            "role": ["sales", "delivery", "sales"],
        }
    )
    portfolio = book(backend, effort=effort)
    time = _facts.role_time(portfolio, facts_of(portfolio))
    assert time.roles == ("delivery", "sales")
    assert time.seconds.tolist() == [[0, 900], [1800, 3600], [0, 0]]
    assert time.given.is_known.tolist() == [True, True, False]


def test_without_time_sheets_calls_have_no_role():
    activity = pa.table(
        {
            "activity_id": ["1"],
            "occurred_at": pa.array([date(2026, 1, 5)]).cast(pa.timestamp("us", "UTC")),
            "account_id": ["B"],
            "minutes": [30.0],
        }
    )
    portfolio = book("pyarrow", activity=activity)
    time = _facts.role_time(portfolio, facts_of(portfolio))
    assert (time.given.source, time.roles) == ("activity", ("",))
    assert time.seconds.tolist() == [[0], [1800], [0]]


@pytest.mark.parametrize("backend", ["pandas", "polars", "pyarrow"])
def test_what_a_sale_takes_is_the_mean_of_those_won(backend):
    effort = pa.table(
        {
            "account_id": ["A"] * 5,
            "worked_on": pa.array([date(2024, 1, 5)] * 5),
            "minutes": [60.0, 30.0, 90.0, 999.0, 999.0],
            "role": ["sales", "delivery", "sales", "sales", "sales"],
            "opportunity_id": pa.array(["O1", "O1", "O2", "O3", None]),
        }
    )
    found = _facts.sale_time(book(backend, effort=effort))
    assert found.count == 2
    assert found.seconds == {"delivery": 900.0, "sales": 4500.0}


def test_where_no_time_is_noted_on_sales_nothing_is_known():
    assert _facts.sale_time(book("pyarrow")) is None
    effort = pa.table(
        {
            "account_id": ["A"],
            "worked_on": pa.array([date(2024, 1, 5)]),
            "minutes": [60.0],
        }
    )
    assert _facts.sale_time(book("pyarrow", effort=effort)) is None
