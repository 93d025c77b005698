"""Do the scans by span of days say what counting row by row says, in every engine?"""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from crm_portfolio._frames import BACKENDS, from_arrow
from crm_portfolio.analysis._facts import (
    Spans,
    bought_in,
    came_in,
    lateness_at,
    opened_in,
    payments,
    ran_on,
)
from crm_portfolio.analysis._facts._days import by_day
from crm_portfolio.analysis._facts._lines import as_lines

ENDS = (date(2026, 6, 30), date(2025, 12, 31), date(2025, 6, 30))
FIRST = date(2025, 1, 1)
ZONE = "Europe/Paris"
IDS = ["A", "B", "C", None]


def span_of(day: date) -> int | None:
    if day > ENDS[0]:
        return None
    return max(at for at, end in enumerate(ENDS) if day <= end)


def draw() -> random.Random:
    return random.Random(7)


def days(chance: random.Random, count: int) -> list[date]:
    """With the edges themselves, and days that are still to come."""
    edges = [each + timedelta(days=more) for each in ENDS for more in (0, 1)]
    return [
        chance.choice(edges)
        if chance.random() < 0.3
        else FIRST + timedelta(days=chance.randrange(600))
        for _ in range(count)
    ]


def counted(table: pa.Table, name: str) -> dict[tuple[str, int], Any]:
    return {
        (row["account_id"], row["span"]): row[name]
        for row in table.to_pylist()
        if row[name]
    }


@pytest.mark.parametrize("backend", BACKENDS)
def test_days_bought_and_what_for_by_span(backend: Any) -> None:
    chance = draw()
    rows = [
        (f"L{at}", chance.choice(IDS), day, chance.choice([5.0, -5.0, 2.5, None]))
        for at, day in enumerate(days(chance, 300))
    ]
    names = ("line_id", "account_id", "booked_on", "amount")
    table = pa.table(dict(zip(names, zip(*rows, strict=True), strict=True)))
    lines = as_lines(from_arrow(table, backend), "net_revenue", 2).lazy()
    found = bought_in(by_day(lines), ENDS)
    sums: dict[tuple[str, date], list[float | None]] = {}
    for _, account, day, amount in rows:
        if account and span_of(day) is not None:
            sums.setdefault((account, day), []).append(amount)
    bought = {
        key: sum(round(100 * each) for each in values if each is not None)
        for key, values in sums.items()
        if None in values or sum(values) > 0  # type: ignore[arg-type]
    }
    number = Counter((account, span_of(day)) for account, day in bought)
    assert counted(found, "days") == number
    worth: Counter[tuple[str, int | None]] = Counter()
    for (account, day), minor in bought.items():
        worth[account, span_of(day)] += minor
    assert counted(found, "minor") == {key: n for key, n in worth.items() if n}
    last = counted(found, "last_on")
    assert last == {
        key: max(d for (a, d) in bought if (a, span_of(d)) == key) for key in number
    }
    placed = Spans.of(found, pa.array(["C", "A", "Z"]), len(ENDS)).numbers("days")
    assert placed[:, 1].tolist() == [number["A", span] for span in range(3)]
    assert placed[:, 2].tolist() == [0, 0, 0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_calls_and_tickets_by_span_of_the_firms_own_days(backend: Any) -> None:
    chance = draw()
    local = ZoneInfo(ZONE)
    moments = [
        datetime(day.year, day.month, day.day, hour, 30, tzinfo=local).astimezone(UTC)
        for day in days(chance, 300)
        for hour in (chance.choice([0, 12, 23]),)
    ]
    rows = [
        (
            *(f"V{at}", chance.choice(IDS), moment),
            *(
                chance.choice(["in", "out", None]),
                chance.choice(["held", "open", None]),
            ),
        )
        for at, moment in enumerate(moments)
    ]
    names = ("activity_id", "account_id", "occurred_at", "direction", "status")
    kinds = {"occurred_at": pa.timestamp("us", "UTC")}
    table = pa.table(
        {
            name: pa.array(list(column), kinds.get(name))
            for name, column in zip(names, zip(*rows, strict=True), strict=True)
        }
    )

    def number(only: Any) -> Counter[tuple[Any, int | None]]:
        return Counter(
            (row[1], span_of(row[2].astimezone(local).date()))
            for row in rows
            if row[1]
            and only(row)
            and span_of(row[2].astimezone(local).date()) is not None
        )

    held = number(lambda row: row[3] == "in" and row[4] != "open")
    assert counted(came_in(from_arrow(table, backend), ENDS, ZONE), "n") == held
    opened = table.rename_columns(["ticket_id", "account_id", "opened_at", *names[3:]])
    every = number(lambda _: True)
    assert counted(opened_in(from_arrow(opened, backend), ENDS, ZONE), "n") == every


@pytest.mark.parametrize("backend", BACKENDS)
def test_contracts_as_known_on_each_day_and_as_they_turned_out(backend: Any) -> None:
    chance = draw()
    rows = [
        (
            *(f"K{at}", chance.choice(["A", "B"]), start),
            chance.choice([None, start + timedelta(days=chance.randrange(400))]),
            chance.choice([True, False, None]),
        )
        for at, start in enumerate(days(chance, 120))
    ]
    names = ("contract_id", "account_id", "starts_on", "ends_on", "auto_renews")
    table = pa.table(dict(zip(names, zip(*rows, strict=True), strict=True)))
    found = ran_on(from_arrow(table, backend), ENDS)
    for span, day in enumerate(ENDS):
        begun = [row for row in rows if row[2] <= day]
        for account in ("A", "B"):
            own = [row for row in begun if row[1] == account]
            ahead = [row for row in own if row[3] is None or row[3] > day]
            goes = [row for row in own if row in ahead or row[4]]
            key = (account, span)
            assert counted(found, "running").get(key, 0) == len(ahead)
            assert counted(found, "still").get(key, 0) == len(goes)
            assert counted(found, "ended").get(key, 0) == len(own) - len(ahead)


@pytest.mark.parametrize("backend", BACKENDS)
def test_lateness_is_as_it_was_before_anybody_paid_or_complained(backend: Any) -> None:
    days = date(2025, 12, 31), date(2025, 6, 30)
    table = pa.table(
        {
            "invoice_id": ["1", "2", "3"],
            "account_id": ["A", "A", "B"],
            "issued_on": [date(2025, 10, 1)] * 2 + [date(2026, 1, 1)],
            "due_on": [date(2025, 11, 1), date(2025, 12, 1), date(2026, 2, 1)],
            "paid_on": [date(2025, 11, 11), date(2026, 3, 1), None],
            "amount": [100.0, 300.0, 100.0],
            "is_disputed": [False, True, False],
            "is_cancelled": [False, True, False],
        }
    )
    found = lateness_at(from_arrow(table, backend), days, digits=2)
    # 10 days on 100, and 30 so far on 300; what came in January is not known.
    assert found.to_pylist() == [
        {"account_id": "A", "weight_0": 40_000, "floored_0": 100_000 + 900_000}
    ]


@pytest.mark.parametrize("backend", BACKENDS)
def test_lateness_of_several_days_is_what_the_payments_of_each_tell(backend: Any):
    chance, rows = draw(), []
    for at, day in enumerate(days(chance, 300)):
        due, is_credit = day + timedelta(days=chance.randrange(60)), at % 5 == 4
        paid = due + timedelta(days=chance.randrange(-30, 90))
        rows.append(
            {
                "invoice_id": str(at),
                "account_id": chance.choice("AB"),
                "payer_id": chance.choice(["C", None]),
                "issued_on": day,
                "due_on": chance.choice([due, due, None]),
                "paid_on": chance.choice([paid, paid, None]),
                "amount": -chance.choice([3.0, 700.0]) if is_credit else 500.0,
                "origin_invoice_id": str(chance.randrange(300)) if is_credit else None,
            }
        )
    frame = from_arrow(pa.Table.from_pylist(rows), backend)
    found = lateness_at(frame, ENDS, digits=2).to_pylist()
    for at, (day, before) in enumerate(pairwise(ENDS)):
        start = before + timedelta(days=1)
        told = payments(frame, start=start, as_of=day, digits=2, is_past=True)
        assert {
            row["account_id"]: (row[f"weight_{at}"], row[f"floored_{at}"])
            for row in found
            if row[f"weight_{at}"]
        } == {
            row["payer_id"]: (row["weight"], row["floored"]) for row in told.to_pylist()
        }
