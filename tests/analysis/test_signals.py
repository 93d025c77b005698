from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pyarrow as pa
import pytest

from crm_portfolio._frames import from_arrow, nw
from crm_portfolio.analysis import _facts
from crm_portfolio.analysis._facts import _signals
from crm_portfolio.analysis._facts._days import by_day
from crm_portfolio.analysis._facts._lines import as_lines
from crm_portfolio.analysis._facts._sold import as_sold
from crm_portfolio.portfolio import Calendar, Period, Portfolio

AS_OF = date(2026, 6, 30)
DAYS = date(2024, 7, 1), date(2025, 7, 1), date(2026, 7, 1)
ACCOUNTS = [f"A{at}" for at in range(6)]
BACKENDS = ["pandas", "polars", "lazy", "pyarrow"]


def native(table: pa.Table, backend: str):
    return (
        pl.from_arrow(table).lazy() if backend == "lazy" else from_arrow(table, backend)
    )


def by_account(table: pa.Table, *columns: str) -> dict[str, tuple]:
    return {
        row["account_id"]: tuple(row[name] for name in columns)
        for row in table.to_pylist()
    }


def drawn(seed: int, count: int = 300):
    """Account, day, product, amount; each sometimes unknown."""
    chance = random.Random(seed)
    for _ in range(count):
        yield (
            chance.choice([*ACCOUNTS, None]),
            date(2024, 5, 1) + timedelta(days=chance.randrange(790)),
            chance.choice(["P1", "P2", "P3", None]),
            chance.choice([None, 10.0, 25.5, -10.0, -25.5, 0.0]),
        )


def lines(rows) -> pa.Table:
    return pa.table(
        {
            "line_id": [f"L{at}" for at in range(len(rows))],
            "account_id": pa.array([row[0] for row in rows], pa.string()),
            "booked_on": pa.array([row[1] for row in rows], pa.date32()),
            "product_id": pa.array([row[2] for row in rows], pa.string()),
            "amount": pa.array([row[3] for row in rows], pa.float64()),
        }
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_purchase_days_are_those_on_which_more_comes_than_goes_or_nobody_knows(backend):
    rows = list(drawn(1))
    amounts: dict[tuple, list[float | None]] = {}
    for account, day, _, amount in rows:
        if account and day < DAYS[2]:
            amounts.setdefault((account, day), []).append(amount)
    bought = sorted(
        key for key, each in amounts.items() if None in each or sum(each) > 0
    )
    expected = {}
    for account in sorted({account for account, _ in bought}):
        own = [day for who, day in bought if who == account]
        expected[account] = (len(own), min(own), max(own))
    frame = as_lines(native(lines(rows), backend), "net_revenue", 2)
    found = _signals.purchase_days(by_day(frame), DAYS[2])
    assert by_account(found, "days", "first_on", "last_on") == expected


def counted(frame, measure: str) -> pa.Table:
    sold = as_sold(frame, measure, 2).filter(~nw.col("product_id").is_null())
    return _signals.product_counts(sold.rename({"product_id": "product"}), DAYS)


@pytest.mark.parametrize("backend", BACKENDS)
def test_products_are_counted_once_in_each_year(backend):
    rows = list(drawn(2))
    start, middle, end = DAYS
    expected = {
        account: (
            len(
                {
                    p
                    for who, d, p, _ in rows
                    if who == account and p and middle <= d < end
                }
            ),
            len(
                {
                    p
                    for who, d, p, _ in rows
                    if who == account and p and start <= d < middle
                }
            ),
        )
        for account in ACCOUNTS
    }
    found = counted(native(lines(rows), backend), "net_revenue")
    assert by_account(found, "now", "before") == expected


@pytest.mark.parametrize("backend", BACKENDS)
def test_products_of_won_opportunities_alone(backend):
    table = pa.table(
        {
            "opportunity_id": ["O1", "O2", "O3"],
            "account_id": ["A0"] * 3,
            "status": ["won", "won", "lost"],
            "closed_on": [date(2026, 1, 5), date(2025, 1, 5), date(2026, 1, 5)],
            "product_id": ["P1", "P1", "P2"],
            "amount": [1.0, None, 1.0],
        }
    )
    found = counted(native(table, backend), "booked")
    assert by_account(found, "now", "before") == {"A0": (1, 1)}


MOMENTS = tuple(datetime(day.year, day.month, day.day, tzinfo=UTC) for day in DAYS)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_comes_inwards_and_took_place_is_counted(backend):
    chance = random.Random(3)
    rows = [
        (
            chance.choice(ACCOUNTS),
            MOMENTS[0] + timedelta(hours=chance.randrange(-900, 18_000)),
            chance.choice(["in", "out", None]),
            chance.choice(["held", "cancelled", "open", None]),
        )
        for _ in range(400)
    ]
    table = pa.table(
        {
            "activity_id": [str(at) for at in range(len(rows))],
            "account_id": [row[0] for row in rows],
            "occurred_at": pa.array(
                [row[1] for row in rows], pa.timestamp("us", "UTC")
            ),
            "direction": [row[2] for row in rows],
            "status": [row[3] for row in rows],
        }
    )
    came = [
        (account, at)
        for account, at, way, status in rows
        if way == "in" and status in ("held", None)
    ]
    start, middle, end = MOMENTS
    expected = {
        account: (
            sum(who == account and middle <= at < end for who, at in came),
            sum(who == account and start <= at < middle for who, at in came),
        )
        for account in ACCOUNTS
    }
    found = _signals.activities_in(native(table, backend), MOMENTS)
    assert by_account(found, "now", "before") == expected


@pytest.mark.parametrize("backend", BACKENDS)
def test_enquiries_of_an_account_are_counted_and_others_not(backend):
    table = pa.table(
        {
            "enquiry_id": ["E1", "E2", "E3"],
            "account_id": pa.array(["A0", None, "A0"], pa.string()),
            "created_at": pa.array(
                [MOMENTS[1], MOMENTS[1], MOMENTS[2]], pa.timestamp("us", "UTC")
            ),
        }
    )
    found = _signals.enquiries(native(table, backend), MOMENTS)
    assert by_account(found, "now", "before") == {"A0": (1, 0)}


def book(**more) -> Portfolio:
    return Portfolio.from_frames(
        as_of=AS_OF,
        currency="EUR",
        account=pa.table({"account_id": ACCOUNTS}),
        revenue_line=lines([("A1", date(2026, 1, 5), "P1", 5.0)]),
        **more,
    )


def test_both_kinds_of_interest_add_up_and_a_day_begins_where_the_firm_is():
    moment = pa.array(
        [datetime(2025, 6, 30, 23, tzinfo=UTC)], pa.timestamp("us", "UTC")
    )
    tables = {
        "activity": pa.table(
            {
                "activity_id": ["1"],
                "account_id": ["A2"],
                "occurred_at": moment,
                "direction": ["in"],
            }
        ),
        "enquiry": pa.table(
            {"enquiry_id": ["1"], "account_id": ["A2"], "created_at": moment}
        ),
    }
    for zone, expected in (("UTC", (0, 2)), ("Europe/Paris", (2, 0))):
        portfolio = book(calendar=Calendar(zone), **tables)
        facts = _facts.revenue_facts(
            portfolio, Period.last_months(12), None, needed_by="test"
        )
        now, before = _facts.inbound(portfolio, facts, DAYS)
        assert (now[2], before[2]) == expected
        assert now.sum() + before.sum() == 2


def test_what_no_table_tells_is_none_and_not_nothing():
    portfolio = book()
    facts = _facts.revenue_facts(
        portfolio, Period.last_months(12), None, needed_by="test"
    )
    assert _facts.inbound(portfolio, facts, DAYS) is None
    now, before = _facts.products(portfolio, facts, DAYS)
    assert (now.tolist(), before.sum()) == ([0, 1, 0, 0, 0, 0], 0)
    bought = _facts.purchases(portfolio, facts)
    assert bought.days.tolist() == [0, 1, 0, 0, 0, 0]
