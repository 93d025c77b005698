"""The scans of costs, first wins, prices and offers, held against plain loops."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from crm_portfolio._frames import BACKENDS, from_arrow
from crm_portfolio.analysis._facts import (
    capacity_in,
    counted_activities,
    first_sources,
    first_wins,
    listed_lines,
    offers,
    prices_paid,
    seconds_of_kinds,
    spent,
)
from crm_portfolio.portfolio import Period

SPAN = Period.between(date(2025, 7, 1), date(2026, 7, 1))
EARLIER = Period.between(date(2025, 5, 1), date(2026, 5, 1))
TEXT, DAY, NUMBER, FLAG = pa.string(), pa.date32(), pa.float64(), pa.bool_()
MOMENT = pa.timestamp("us", "UTC")
CONCEDED = {"discount", "credit_note", "refund", "goodwill", "rebate"}


def drawn(kinds: dict[str, tuple[pa.DataType, list]], count: int = 160) -> list[dict]:
    draw = random.Random(7)
    return [
        {name: draw.choice(values) for name, (_, values) in kinds.items()}
        for _ in range(count)
    ]


def frame(kinds: dict[str, tuple[pa.DataType, list]], rows: list[dict], backend: str):
    columns = {
        name: pa.array([row[name] for row in rows], kind)
        for name, (kind, _) in kinds.items()
    }
    return from_arrow(pa.table(columns), backend)


DAYS = [date(2025, 4, 30), date(2025, 6, 1), date(2025, 7, 1), date(2026, 6, 30)]
DAYS += [date(2026, 7, 1), date(2026, 1, 5)]
ACCOUNTS = ["A", "B", "C", None]
COSTS = {
    "account_id": (TEXT, ACCOUNTS),
    "booked_on": (DAY, DAYS),
    "amount": (NUMBER, [1.05, 20.0, -3.0]),
    "kind": (TEXT, ["service", "acquisition", "overhead", "exceptional"]),
    "label": (TEXT, ["fair", "web", None]),
    "is_avoidable": (FLAG, [True, False, None]),
}


def rows_of(table: pa.Table, *keys: str) -> dict[tuple, dict]:
    return {tuple(row[key] for key in keys): row for row in table.to_pylist()}


@pytest.mark.parametrize("backend", BACKENDS)
def test_costs_by_account_kind_and_label(backend: str) -> None:
    rows = drawn(COSTS)
    expected: dict[tuple, Counter] = defaultdict(Counter)
    for row in rows:
        if row["kind"] == "exceptional" or row["booked_on"] >= SPAN.end:
            continue
        label = (row["label"] or "") if row["kind"] == "acquisition" else ""
        sums = expected[row["account_id"] or "", row["kind"], label]
        minor, is_now = round(row["amount"] * 100), row["booked_on"] >= SPAN.start
        sums["ever"] += minor
        sums["now"] += minor * is_now
        sums["avoidable"] += minor * (is_now and row["is_avoidable"] is True)
        sums["unsaid"] += is_now and row["is_avoidable"] is None
        sums["rows"] += is_now
        inside = EARLIER.start <= row["booked_on"] < EARLIER.end
        sums["lagged"] += minor * inside
    found = rows_of(
        spent(frame(COSTS, rows, backend), SPAN, EARLIER, 2),
        *("account_id", "kind", "label"),
    )
    assert found.keys() == expected.keys()
    for key, sums in expected.items():
        assert all(found[key][name] == value for name, value in sums.items()), key


def moment(day: int) -> datetime:
    return datetime(2025, 8, day, 12, tzinfo=UTC)


SALES = {
    "account_id": (TEXT, ACCOUNTS),
    "status": (TEXT, ["won", "lost", "open"]),
    "closed_on": (DAY, [*DAYS, None]),
    "created_at": (MOMENT, [moment(3), moment(3) + timedelta(0, 61), moment(9), None]),
    "source": (TEXT, ["web", "fair", None]),
    "discount_share": (NUMBER, [0.0, 0.1, None]),
}


@pytest.mark.parametrize("backend", BACKENDS)
def test_first_wins_and_offers(backend: str) -> None:
    rows = drawn(SALES, 60)
    table = first_wins(frame(SALES, rows, backend))
    whence = rows_of(first_sources(frame(SALES, rows, backend), table), "account_id")
    won = [
        row
        for row in rows
        if row["status"] == "won" and row["account_id"] and row["closed_on"]
    ]
    for row in table.to_pylist():
        mine = [each for each in won if each["account_id"] == row["account_id"]]
        first = min(each["closed_on"] for each in mine)
        on_it = [each for each in mine if each["closed_on"] == first]
        assert row["won_on"] == first
        sources = [each["source"] for each in on_it if each["source"]]
        told = whence.get((row["account_id"],), {"source": None})
        assert told["source"] == min(sources, default=None)
        entered = [each["created_at"] for each in on_it if each["created_at"]]
        assert row["entered_at"] == min(entered, default=None)
    assert set(table["account_id"].to_pylist()) == {each["account_id"] for each in won}
    told = rows_of(offers(frame(SALES, rows, backend), SPAN), "account_id")
    for account in "ABC":
        shares = [
            row["discount_share"]
            for row in rows
            if row["account_id"] == account
            and row["closed_on"]
            and SPAN.start <= row["closed_on"] < SPAN.end
            and row["discount_share"] is not None
        ]
        assert told[account,]["offers"] == len(shares)
        assert told[account,]["discounted"] == sum(each > 0 for each in shares)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_first_win_may_be_of_any_day_and_its_source_unsaid(backend: str) -> None:
    days = [date(1900, 5, 1), date(1969, 12, 31), date(2200, 1, 1), date(1969, 12, 31)]
    moments = [datetime(each.year, 3, 1, 23, 59, 59, tzinfo=UTC) for each in days]
    kinds = {"account_id": (TEXT, []), "status": (TEXT, []), "closed_on": (DAY, [])}
    rows = [
        {"account_id": name, "status": "won", "closed_on": day, "created_at": at}
        for name, day, at in zip("ABCD", days, [*moments[:3], None], strict=True)
    ]
    sales = frame(kinds | {"created_at": (MOMENT, [])}, rows, backend)
    found = rows_of(first_wins(sales), "account_id")
    for row in rows:
        told = found[row["account_id"],]
        assert (told["won_on"], told["entered_at"]) == (
            row["closed_on"],
            row["created_at"],
        )
    assert len(first_sources(sales, first_wins(sales))) == 0
    unentered = first_wins(frame(kinds, rows, backend))
    assert unentered["entered_at"].null_count == len(rows)


LINES = {
    "account_id": (TEXT, ["A", "B"]),
    "booked_on": (DAY, DAYS),
    "amount": (NUMBER, [90.0, 45.5]),
    "kind": (TEXT, ["invoice", "credit_note", "discount", None]),
    "product_id": (TEXT, ["P", "Q", None]),
    "quantity": (NUMBER, [1.0, 2.5, None]),
    "list_price": (NUMBER, [100.0, None]),
    "origin_line_id": (TEXT, ["L001", "L017", None, None, None]),
}


@pytest.mark.parametrize("backend", BACKENDS)
def test_list_values_and_prices_paid(backend: str) -> None:
    rows = drawn(LINES)
    kinds = {"line_id": (TEXT, [])} | LINES
    rows = [{"line_id": f"L{at:03}", **row} for at, row in enumerate(rows)]
    named = {row["origin_line_id"] for row in rows if row["kind"] == "discount"}
    expected: dict[tuple, Counter] = defaultdict(Counter)
    prices: Counter = Counter()
    for row in rows:
        if not SPAN.start <= row["booked_on"] < SPAN.end or row["kind"] in CONCEDED:
            continue
        minor, product = round(row["amount"] * 100), row["product_id"]
        is_counted = product and row["quantity"] and not row["list_price"]
        sums = expected[row["account_id"], product if is_counted else ""]
        if row["list_price"] and row["quantity"]:
            wanted = round(row["list_price"] * row["quantity"] * 100)
            sums["sold"] += minor
            sums["listed"] += minor if row["line_id"] in named else wanted
        elif product and row["quantity"]:
            sums["unlisted"] += minor
            sums["quantity"] += round(row["quantity"] * 10_000)
            sums["unlisted_lines"] += 1
        else:
            sums["sold"] += minor
            sums["listed"] += minor
            sums["unpriced_lines"] += 1
        if product and row["quantity"]:
            prices[product, int(minor / row["quantity"] + 0.5)] += 1
    table = frame(kinds, rows, backend)
    found = rows_of(listed_lines(table, SPAN, 2), "account_id", "product_id")
    assert found.keys() == expected.keys()
    for key, sums in expected.items():
        assert all(found[key][name] == value for name, value in sums.items()), key
    paid = rows_of(prices_paid(table, SPAN, 2), "product_id", "price")
    assert {key: row["count"] for key, row in paid.items()} == dict(prices)


WORK = {
    "account_id": (TEXT, ["A", "B"]),
    "worked_on": (DAY, DAYS),
    "minutes": (NUMBER, [1 / 3, 30.0]),
    "kind": (TEXT, ["meeting", "care", None]),
    "role": (TEXT, ["law", None]),
}
CALLS = {
    "account_id": (TEXT, ACCOUNTS),
    "occurred_at": (MOMENT, [moment(1), datetime(2026, 7, 1, tzinfo=UTC)]),
    "kind": (TEXT, ["call", "mail", None]),
    "status": (TEXT, ["held", "planned", None]),
}


@pytest.mark.parametrize("backend", BACKENDS)
def test_time_of_kinds_and_counted_activities(backend: str) -> None:
    rows = drawn(WORK)
    seconds: Counter = Counter()
    for row in rows:
        if SPAN.start <= row["worked_on"] < SPAN.end and row["kind"] == "meeting":
            key = row["account_id"], row["role"] or ""
            seconds[key] += round(row["minutes"] * 60)
    found = seconds_of_kinds(frame(WORK, rows, backend), SPAN, ["meeting"])
    told = rows_of(found, "account_id", "role")
    assert {key: row["seconds"] for key, row in told.items()} == dict(seconds)
    rows = drawn(CALLS)
    counts = Counter(
        (row["account_id"], row["kind"])
        for row in rows
        if row["account_id"]
        and row["kind"] == "call"
        and row["status"] != "planned"
        and row["occurred_at"] == moment(1)
    )
    found = counted_activities(frame(CALLS, rows, backend), SPAN, "UTC", ["call"])
    told = rows_of(found, "account_id", "kind")
    assert {key: row["count"] for key, row in told.items()} == dict(counts)


def test_capacity_counts_by_its_days_and_its_cost_by_its_hours() -> None:
    table = pa.table(
        {
            "role": ["care", "care", "law"],
            "from_on": [date(2025, 7, 1), date(2026, 6, 30), date(2020, 1, 1)],
            "to_on": [date(2025, 7, 31), date(2026, 7, 1), date(2020, 12, 31)],
            "hours": [100.0, 200.0, 50.0],
            "cost_per_hour": [40.0, 80.0, 1.0],
        }
    )
    assert capacity_in(table, SPAN) == {"care": (200.0, 60.0)}
    bare = table.drop_columns(["cost_per_hour"])
    assert capacity_in(bare, SPAN) == {"care": (200.0, None)}
