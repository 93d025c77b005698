"""Do the scans of the invoices say what they say by hand, whatever holds the frame?"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from crm_portfolio._frames import from_arrow
from crm_portfolio.analysis._facts import _invoices

AS_OF, START = date(2026, 6, 30), date(2025, 7, 1)
ENGINES = {
    "pandas": lambda table: from_arrow(table, "pandas"),
    "polars": lambda table: from_arrow(table, "polars"),
    "polars lazy": lambda table: pl.from_arrow(table).lazy(),
    "duckdb": lambda table: from_arrow(table, "duckdb"),
    "pyarrow": lambda table: table,
}
TEXT, DAY, NUMBER, FLAG = pa.string(), pa.date32(), pa.float64(), pa.bool_()
KINDS = pa.schema(
    {
        "invoice_id": TEXT,
        "account_id": TEXT,
        "payer_id": TEXT,
        "issued_on": DAY,
        "due_on": DAY,
        "paid_on": DAY,
        "amount": NUMBER,
        "open_amount": NUMBER,
        "origin_invoice_id": TEXT,
        "is_disputed": FLAG,
        "is_cancelled": FLAG,
    }
)
KNOWN = {"as_of": AS_OF, "digits": 2}
Bill = dict[str, Any]


@pytest.fixture(params=ENGINES.values(), ids=ENGINES)
def engine(request):
    return request.param


def invoices() -> list[Bill]:
    draw, rows = random.Random(2), []
    for at in range(500):
        is_credit = draw.random() < 0.2
        amount = draw.randrange(1, 90_000) / 100
        issued = date(2024, 6, 1) + timedelta(days=draw.randrange(759))
        due = issued + timedelta(days=draw.choice([0, 30, 60]))
        paid = issued + timedelta(days=draw.randrange(200))
        named = draw.choice([f"I{draw.randrange(500):03}", "elsewhere", None])
        rows.append(
            {
                "invoice_id": f"I{at:03}",
                "account_id": draw.choice("ABCD"),
                "payer_id": draw.choice(["B", None, None]),
                "issued_on": issued,
                "due_on": None if is_credit or draw.random() < 0.05 else due,
                "paid_on": paid if paid <= AS_OF and draw.random() < 0.7 else None,
                "amount": -amount if is_credit else amount,
                "open_amount": draw.choice(
                    [None, None, 0.0, -amount / 2 if is_credit else 40.0]
                ),
                "origin_invoice_id": named if is_credit else None,
                "is_disputed": draw.choice([True, False, False, None]),
                "is_cancelled": draw.choice([True, False, False, False, None]),
            }
        )
    return rows


def by_hand(
    rows: list[Bill], as_of: date = AS_OF, *, is_past: bool = False
) -> Iterator[Bill]:
    """Each invoice or loose credit note, with what it is worth and what is owed of it."""
    rows = [row for row in rows if row["issued_on"] <= as_of]
    minor = {row["invoice_id"]: round(row["amount"] * 100) for row in rows}
    credit: dict[str, int] = defaultdict(int)
    open_credits: dict[str, list[float | None]] = defaultdict(list)
    for row in rows:
        if row["amount"] < 0 and not row["is_cancelled"]:
            credit[row["origin_invoice_id"]] += minor[row["invoice_id"]]
            open_credits[row["origin_invoice_id"]].append(row["open_amount"])
    for row in rows:
        its = minor[row["invoice_id"]]
        is_loose = its > 0 or minor.get(row["origin_invoice_id"], 0) <= 0
        if row["is_cancelled"] or not is_loose:
            continue
        net = its + credit[row["invoice_id"]] if its > 0 else its
        paid = row["paid_on"] if row["paid_on"] and row["paid_on"] <= as_of else None
        still = None if is_past else row["open_amount"]
        if its > 0:
            left = net if still is None else min(net, round(still * 100))
            owed = 0 if paid else max(left, 0)
        else:
            left = net if still is None else max(net, round(still * 100))
            owed = 0 if paid else min(left, 0)
        is_settled = row["open_amount"] == 0 and not row["paid_on"]
        if is_settled:
            owed = 0
        if its > 0 and owed == 0:
            owed = min(net, 0)
            said = open_credits[row["invoice_id"]]
            if said and None not in said and sum(said) <= 0 and not is_past:
                open_credit = round(100 * sum(said))
                owed = open_credit if paid or is_settled else max(owed, open_credit)
        yield row | {
            "minor": its,
            "net": net,
            "owed": owed,
            "paid": paid,
            "payer": row["payer_id"] or row["account_id"],
            "contested": bool(row["is_disputed"]),
            "last": paid or as_of,
        }


def due_of(rows: list[Bill], start: date = START, as_of: date = AS_OF, **how: bool):
    """Those that may be late: weight and days of each."""
    for bill in by_hand(rows, as_of, **how):
        due, paid = bill["due_on"], bill["paid"]
        weight = bill["net"] if paid else bill["owed"]
        if bill["minor"] <= 0 or due is None or weight <= 0:
            continue
        if (due < start) if paid else (due >= as_of):
            continue
        yield bill, weight, (bill["last"] - due).days


def lateness(weight: int, days: int) -> dict[str, int]:
    return {
        "invoices": 1,
        "late_invoices": int(days > 0),
        "weight": weight,
        "signed": weight * days,
        "floored": weight * max(days, 0),
        "late": weight * (days > 0),
        "days": days,
        "late_days": max(days, 0),
    }


def grouped(found: pa.Table, *keys: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {
        tuple(row.pop(key) for key in keys): {
            name: value for name, value in row.items() if value is not None
        }
        for row in found.to_pylist()
    }


def frame_of(engine, rows: list[Bill]) -> Any:
    return engine(pa.Table.from_pylist(rows, schema=KINDS))


@pytest.mark.parametrize("past", [False, True])
def test_how_late_each_payer_pays(engine, past):
    rows, start, as_of = invoices(), START, AS_OF
    if past:
        start, as_of = date(2024, 7, 1), date(2025, 6, 30)
    expected: dict[tuple[Any, ...], dict[str, Any]] = defaultdict(dict)
    for bill, weight, days in due_of(rows, start, as_of, is_past=past):
        own = expected[bill["payer"], bill["contested"]]
        for name, value in lateness(weight, days).items():
            own[name] = own.get(name, 0) + value
        own["worst_days"] = max(own.get("worst_days", 0), days)
        if bill["paid"] and days > 0:
            own["paid_late_on"] = max(
                own.get("paid_late_on", bill["paid"]), bill["paid"]
            )
        if not bill["paid"]:
            due = bill["due_on"]
            own["unpaid_since_on"] = min(own.get("unpaid_since_on", due), due)
    found = _invoices.payments(
        frame_of(engine, rows), start=start, as_of=as_of, digits=2, is_past=past
    )
    assert grouped(found, "payer_id", "is_disputed") == expected
    assert len(expected) == 8


def test_invoices_that_say_little_are_read_as_they_are(engine):
    kept = ("invoice_id", "account_id", "issued_on", "due_on", "amount")
    rows = [
        {**dict.fromkeys(KINDS.names), **{k: row[k] for k in kept}}
        for row in invoices()
    ]
    table = pa.Table.from_pylist(rows, schema=KINDS).select(list(kept))
    found = _invoices.payments(engine(table), start=START, **KNOWN)
    expected: dict[Any, int] = defaultdict(int)
    for bill, weight, days in due_of(rows):
        expected[bill["payer"]] += weight * max(days, 0)
    told = grouped(found, "payer_id", "is_disputed")
    assert {key: row["floored"] for (key, _), row in told.items()} == expected


def test_how_late_the_invoices_of_each_month_are(engine):
    expected: dict[Any, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for bill, weight, days in due_of(invoices()):
        due = bill["due_on"]
        if START <= due <= AS_OF:
            own = expected[due.year * 12 + due.month - 1, bill["contested"]]
            for name, value in lateness(weight, days).items():
                own[name] += value
    frame = frame_of(engine, invoices())
    found = _invoices.due_by_month(frame, start=START, **KNOWN)
    assert grouped(found, "month", "is_disputed") == expected


def test_what_is_open_by_age(engine):
    expected: dict[Any, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for bill in by_hand(invoices()):
        if not bill["owed"]:
            continue
        days = (AS_OF - bill["due_on"]).days if bill["due_on"] else None
        bucket = -2
        if bill["owed"] > 0:
            bucket = -1
            if days is not None:
                bucket = next((at for at, e in enumerate((0, 30, 60)) if days <= e), 3)
        own = expected[bill["account_id"], bill["payer"], bucket, bill["contested"]]
        own["count"] += 1
        own["owed"] += bill["owed"]
    frame = frame_of(engine, invoices())
    found = _invoices.owed(frame, **KNOWN, edges=(30, 60))
    keys = ("account_id", "payer_id", "bucket", "is_disputed")
    assert grouped(found, *keys) == expected
    assert {bucket for _, _, bucket, _ in expected} == {-2, -1, 0, 1, 2, 3}


def test_the_days_late_of_each_span_of_one_rate(engine):
    spans = (date(2025, 7, 1), date(2025, 10, 15), date(2026, 1, 1))
    expected: dict[Any, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for bill in by_hand(invoices()):
        due, weight = bill["due_on"], bill["net"] if bill["paid"] else bill["owed"]
        if bill["minor"] <= 0 or due is None or weight <= 0:
            continue
        count = (bill["last"] - due).days
        late = [due + timedelta(days=1 + at) for at in range(max(count, 0))]
        late = [day for day in late if day >= START]
        if late:
            own = expected[bill["account_id"], bill["payer"], bill["contested"]]
            own["late_count"] += 1
            own["new_count"] += due >= START - timedelta(days=1)
            for at, first in enumerate(spans):
                end = [*spans, date.max][at + 1]
                own[f"span_{at}"] += weight * sum(first <= day < end for day in late)
    frame = frame_of(engine, invoices())
    found = _invoices.late_spans(frame, start=START, **KNOWN, spans=spans)
    assert grouped(found, "account_id", "payer_id", "is_disputed") == expected


def test_what_was_billed_each_month(engine):
    expected: dict[Any, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for bill in by_hand(invoices()):
        month = bill["issued_on"].year * 12 + bill["issued_on"].month - 1
        own = expected[bill["payer"], month]
        own["net"] += bill["net"]
        own["count"] += bill["minor"] > 0
    frame = frame_of(engine, invoices())
    found = _invoices.billed(frame, **KNOWN)
    assert grouped(found, "payer_id", "month") == expected


def test_which_invoices_have_no_due_day(engine):
    bills = [bill for bill in by_hand(invoices()) if bill["minor"] > 0]
    frame = frame_of(engine, invoices())
    found = _invoices.undated(frame, **KNOWN)
    lacking = sorted(b["invoice_id"] for b in bills if b["due_on"] is None)
    assert found["record_id"].to_pylist() == lacking
    assert len(lacking) > 5
    counts = _invoices.dated(frame, **KNOWN).to_pylist()
    assert sum(row["invoices"] for row in counts) == len(bills)
    assert sum(row["undated"] for row in counts) == len(lacking)
    issued, due = _invoices.first_days(frame)
    days = [row["due_on"] for row in invoices() if row["due_on"]]
    assert (issued, due) == (min(row["issued_on"] for row in invoices()), min(days))
