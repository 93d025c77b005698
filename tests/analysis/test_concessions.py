"""The scans of two periods and of concessions, against one line at a time, in every engine."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import date, timedelta

import polars as pl
import pyarrow as pa
import pytest

from crm_portfolio._frames import BACKENDS, from_arrow
from crm_portfolio.analysis import _facts
from crm_portfolio.analysis._facts import CONCESSIONS, PARTS, Span
from crm_portfolio.portfolio import Period

NOW = Period.between(date(2026, 1, 1), date(2026, 7, 1))
BEFORE = Period.between(date(2025, 1, 1), date(2025, 7, 1))
SPAN = Span(NOW, BEFORE, NOW, 2, "EUR")
KINDS = {
    **{name: lambda table, name=name: from_arrow(table, name) for name in BACKENDS},
    "polars lazy": lambda table: pl.from_arrow(table).lazy(),
    "the last row first": lambda table: table.take(
        pa.array(range(table.num_rows)[::-1])
    ),
}
TEXT, NUMBER, DAY = pa.string(), pa.float64(), pa.date32()
COLUMNS = {
    "line_id": TEXT,
    "account_id": TEXT,
    "booked_on": DAY,
    "amount": NUMBER,
    "kind": TEXT,
    "original_amount": NUMBER,
    "currency": TEXT,
    "cost": NUMBER,
    "product_id": TEXT,
    "quantity": NUMBER,
    "list_price": NUMBER,
    "reason": TEXT,
    "granted_by": TEXT,
    "origin_line_id": TEXT,
}


def random_lines(seed: int) -> list[dict]:
    draw = random.Random(seed)

    def maybe(value, odds=0.8):
        return value if draw.random() < odds else None

    rows = []
    for at in range(600):
        kind = draw.choice(["invoice", "recurring", None, *CONCESSIONS, *CONCESSIONS])
        is_given = kind in CONCESSIONS
        amount = draw.randrange(-2_000, 20_000) / 100 * (-1 if is_given else 1)
        currency = draw.choice(["EUR", None, "USD", "GBP"])
        # A sale may name another one too: what is conceded on it goes back to itself.
        origin = f"L{draw.randrange(650):03}"
        rows.append(
            {
                "line_id": f"L{at:03}",
                "account_id": f"A{draw.randrange(8)}",
                "booked_on": date(2024, 7, 1) + timedelta(days=draw.randrange(720)),
                "amount": maybe(amount, 0.93),
                "kind": kind,
                "currency": currency,
                "original_amount": maybe(round(amount * 1.1, 2))
                if currency in {"USD", "GBP"}
                else None,
                "cost": maybe(draw.randrange(9_000) / 100),
                "product_id": maybe(f"P{draw.randrange(4)}"),
                "quantity": maybe(draw.randrange(1, 9_000) / 100),
                "list_price": maybe(draw.randrange(1, 900) / 64),
                "reason": maybe(draw.choice(["late", "quality"])),
                "granted_by": maybe(draw.choice(["U1", "U2"])),
                "origin_line_id": maybe(origin),
            }
        )
    return rows


def as_table(rows: list[dict]) -> pa.Table:
    return pa.table(
        {
            name: pa.array([row.get(name) for row in rows], kind)
            for name, kind in COLUMNS.items()
        }
    )


ROWS = random_lines(7)


@pytest.fixture(params=KINDS)
def frame(request):
    return KINDS[request.param](as_table(ROWS))


def within(day: date, period: Period) -> bool:
    return period.start <= day < period.end


def minor(row: dict, name: str = "amount") -> int | None:
    return None if row[name] is None else round(row[name] * 100)


def test_two_periods_by_account_and_currency(frame):
    found = _facts.two_periods(frame, "net_revenue", SPAN).to_pylist()
    expected: dict[tuple[str, str], Counter] = defaultdict(Counter)
    for row in ROWS:
        is_foreign = row["currency"] in {"USD", "GBP"} and row["original_amount"]
        amount, day = minor(row), row["booked_on"]
        if not is_foreign and not (within(day, NOW) or within(day, BEFORE)):
            continue
        sums = expected[row["account_id"], row["currency"] if is_foreign else ""]
        for period, when in ((NOW, ""), (BEFORE, "_before"), (NOW, "_later")):
            if not within(day, period):
                continue
            sums[f"minor{when}"] += amount or 0
            if when == "_later":
                continue
            sums[f"lines{when}"] += 1
            sums[f"known_lines{when}"] += amount is not None
            sums[f"sold_lines{when}"] += (amount or 0) > 0
            sums[f"line_cost{when}"] += minor(row, "cost") or 0
            if (amount or 0) > 0 and row["cost"] is not None:
                sums[f"costed_lines{when}"] += 1
            if is_foreign and amount is not None:
                face = round(row["original_amount"] * PARTS)
                sums[f"face{when}"] += abs(face) if when else face
                sums["worth_before"] += abs(amount) if when else 0
    assert sorted((row["account_id"], row["currency"]) for row in found) == sorted(
        expected
    )
    for row in found:
        sums = expected[row.pop("account_id"), row.pop("currency")]
        assert row == {name: sums[name] for name in row}


@pytest.mark.parametrize("by", ["product", "product_and_account"])
def test_products_of_two_periods(frame, by):
    found = _facts.products_of_two(frame, SPAN, by=by).to_pylist()
    expected: dict[tuple[str, ...], Counter] = defaultdict(Counter)
    for row in ROWS:
        day, amount = row["booked_on"], minor(row)
        when = next(
            (w for w, p in (("", NOW), ("_before", BEFORE)) if within(day, p)), None
        )
        if when is None:
            continue
        is_measured = None not in (row["product_id"], row["quantity"], amount)
        is_measured &= row["kind"] not in {"discount", "goodwill", "rebate"}
        part = "unmeasured"
        if row["kind"] in CONCESSIONS:
            part = "concessions"
        part = "measured" if is_measured else "unknown" if amount is None else part
        is_foreign = row["currency"] in {"USD", "GBP"} and row["original_amount"]
        key = (
            part,
            row["product_id"] if is_measured else "",
            row["account_id"] if is_measured and by != "product" else "",
            row["currency"] if is_foreign else "",
        )
        sums = expected[key]
        sums[f"minor{when}"] += amount or 0
        sums[f"lines{when}"] += 1
        if is_measured:
            size = round(row["quantity"] * PARTS)
            sums[f"quantity{when}"] += -size if amount < 0 else size
        if is_foreign and not when:
            sums["face"] += round(row["original_amount"] * PARTS)
    keys = [tuple(row.pop(name) for name in _KEYS) for row in found]
    assert keys == sorted(expected)
    for key, row in zip(keys, found, strict=True):
        assert row == {name: expected[key][name] for name in row}


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_that_is_not_there_says_as_little_as_an_empty_one(kind):
    lacking = ("currency", "original_amount", "origin_line_id")
    full = as_table([row | dict.fromkeys(lacking) for row in ROWS])

    def told(table: pa.Table) -> list[pa.Table]:
        lines = KINDS[kind](table)
        found = [
            _facts.two_periods(lines, "net_revenue", SPAN),
            _facts.products_of_two(lines, SPAN, by="product"),
            _facts.products_of_two(lines, SPAN, by="product_and_account"),
            _facts.grossed(lines, SPAN),
            _facts.listed_lines(lines, NOW, 2),
        ]
        names = [sorted(each.column_names) for each in found]
        return [
            each.select(own).sort_by([(name, "ascending") for name in own])
            for each, own in zip(found, names, strict=True)
        ]

    for one, other in zip(told(full), told(full.drop_columns([*lacking])), strict=True):
        assert len(one) > 1
        assert one.equals(other)


_KEYS = ("part", "product_id", "account_id", "currency")


def test_what_sales_were_to_cost_by_account(frame):
    found = {
        row.pop("account_id"): row for row in _facts.grossed(frame, SPAN).to_pylist()
    }
    named = {row["origin_line_id"] for row in ROWS if row["kind"] == "discount"}
    expected: dict[str, Counter] = defaultdict(Counter)
    for row in ROWS:
        amount = minor(row)
        is_in = within(row["booked_on"], NOW) or within(row["booked_on"], BEFORE)
        if row["kind"] in CONCESSIONS or amount is None or not is_in:
            continue
        sums = expected[row["account_id"]]
        for period, when in ((NOW, ""), (BEFORE, "_before")):
            if not within(row["booked_on"], period):
                continue
            sums[f"invoiced{when}"] += amount
            sums[f"sold_lines{when}"] += 1
            sums[f"unsorted{when}"] += row["kind"] is None and amount < 0
            if row["list_price"] is None or row["quantity"] is None:
                continue
            sums[f"priced_lines{when}"] += 1
            listed = int((row["list_price"] * row["quantity"] * 100.0 + 0.5) // 1)
            listed = -listed if amount < 0 else listed
            if row["line_id"] in named:
                sums[f"overlaps{when}"] += listed != amount
            else:
                sums[f"gap{when}"] += listed - amount
    assert set(found) == set(expected)
    for account, row in found.items():
        assert row == {name: expected[account][name] for name in row}


def roots() -> dict[str, tuple[str, date, bool]]:
    """Of each concession: the sale it goes back to, its day, and whether it names one."""
    by_id = {row["line_id"]: row for row in ROWS}
    found = {}
    for row in ROWS:
        if row["kind"] not in CONCESSIONS:
            continue
        above = by_id.get(row["origin_line_id"])
        root = row["origin_line_id"] or row["line_id"]
        if above and above["kind"] in CONCESSIONS and above["origin_line_id"]:
            root = above["origin_line_id"]
        day = by_id[root]["booked_on"] if root in by_id else row["booked_on"]
        found[row["line_id"]] = (root, day, above is not None)
    return found


def test_concessions_by_account_kind_reason_and_person(frame):
    found = _facts.conceded(frame, SPAN).to_pylist()
    expected: dict[tuple[str, ...], Counter] = defaultdict(Counter)
    origins = roots()
    for row in ROWS:
        if row["kind"] not in CONCESSIONS:
            continue
        _, root_day, is_matched = origins[row["line_id"]]
        names = (row[name] or "" for name in ("reason", "granted_by"))
        sums = expected[row["account_id"], row["kind"], *names]
        amount = minor(row)
        if amount is None:
            continue
        day = row["booked_on"]
        sums["issued"] += amount * within(day, NOW)
        sums["issued_before"] += amount * within(day, BEFORE)
        sums["origin"] += amount * within(root_day, NOW)
        sums["origin_before"] += amount * within(root_day, BEFORE)
        sums["lines"] += within(day, NOW)
        sums["lines_before"] += within(day, BEFORE)
        sums["unmatched"] += within(day, NOW) and not is_matched
        is_wrong = amount > 0 and (within(day, NOW) or within(day, BEFORE))
        sums["positive"] += is_wrong
        sums["positive_minor"] += amount * is_wrong
        sums["unmatched_minor"] += amount * (within(day, NOW) and not is_matched)
    names = ("account_id", "kind", "reason", "granted_by")
    keys = [tuple(row.pop(name) for name in names) for row in found]
    assert sorted(keys) == sorted(expected)
    for key, row in zip(keys, found, strict=True):
        assert row == {name: expected[key][name] for name in row}


def test_of_each_refund_what_a_credit_note_has_told_already(frame):
    found = {row["line_id"]: row for row in _facts.repeated(frame, SPAN).to_pylist()}
    origins = roots()
    left: Counter = Counter()
    has_note = set()
    for row in ROWS:
        if row["kind"] == "credit_note" and row["amount"] is not None:
            left[origins[row["line_id"]][0]] -= minor(row)
            has_note.add(origins[row["line_id"]][0])
    refunds = [r for r in ROWS if r["kind"] == "refund" and r["amount"] is not None]
    refunds.sort(key=lambda row: (row["booked_on"], row["line_id"]))
    told: Counter = Counter()
    expected = {}
    for row in refunds:
        root = origins[row["line_id"]][0]
        if root in has_note:
            limit = max(left[root], 0)
            upto = told[root] - minor(row)
            clipped = [min(max(each, 0), limit) for each in (told[root], upto)]
            expected[row["line_id"]] = clipped[1] - clipped[0]
            told[root] = upto
    assert {each: row["repeats"] for each, row in found.items()} == expected
    assert sum(expected.values()) > 0


def test_refunds_and_credit_notes_of_one_amount_of_which_one_names_no_sale():
    """Two refunds and one credit note of ten: one of them may be told twice, as of C."""
    common = {"account_id": "A", "booked_on": NOW.start, "amount": -10.0}
    rows = [
        {**common, "line_id": "1", "kind": "refund"},
        {**common, "line_id": "2", "kind": "refund"},
        {**common, "line_id": "3", "kind": "credit_note"},
        {**common, "line_id": "4", "kind": "credit_note", "account_id": "B"},
        {**common, "line_id": "5", "kind": "refund", "account_id": "C"},
        {**common, "line_id": "6", "kind": "credit_note", "account_id": "C"},
    ]
    rows[4]["origin_line_id"] = "9"
    for make in KINDS.values():
        assert _facts.perhaps_twice(make(as_table(rows)), SPAN) == (2, 2000)
    rows[5]["origin_line_id"] = "9"
    assert _facts.perhaps_twice(as_table(rows), SPAN) == (1, 1000)


COSTS = {
    "cost_id": TEXT,
    "booked_on": DAY,
    "amount": NUMBER,
    "kind": TEXT,
    "label": TEXT,
    "account_id": TEXT,
}
SPENT = [
    ("1", date(2026, 2, 1), 100.0, "overhead", None, None),
    ("2", date(2025, 2, 1), 50.0, "delivery", None, "A"),
    ("3", date(2026, 3, 1), 900.0, "exceptional", "shares bought back", None),
    ("4", date(2024, 3, 1), 900.0, "exceptional", "long ago", None),
    ("5", date(2026, 7, 1), 7.0, "service", None, None),
]


@pytest.mark.parametrize("kind", KINDS)
def test_costs_of_both_periods_and_the_exceptional_ones_apart(kind):
    columns = zip(*SPENT, strict=True)
    table = pa.table(
        {
            name: pa.array(list(each), own)
            for (name, own), each in zip(COSTS.items(), columns, strict=True)
        }
    )
    frame = KINDS[kind](table)
    (sums,) = _facts.running_costs(frame, SPAN).to_pylist()
    assert sums == {
        "cost": 10_000,
        "lines": 1,
        "known_lines": 1,
        "delivery": 0,
        "cost_before": 5_000,
        "lines_before": 1,
        "known_lines_before": 1,
        "delivery_before": 5_000,
        "first_on": date(2025, 2, 1),
    }
    (item,) = _facts.exceptional_costs(frame, SPAN).to_pylist()
    assert (item["record_id"], item["minor"]) == ("3", -90_000)


@pytest.mark.parametrize("kind", KINDS)
def test_events_from_the_first_day_of_one_period_to_the_last_of_the_other(kind):
    table = pa.table(
        {
            "event_id": ["1", "2", "3", "4"],
            "from_on": pa.array(
                [date(2024, 12, 31), date(2025, 1, 1), NOW.last_day, NOW.end], DAY
            ),
            "label": ["before", "first", "last", "after"],
            "amount": pa.array([1.0, None, -2.5, 1.0]),
        }
    )
    found = _facts.events_within(KINDS[kind](table), SPAN).to_pylist()
    assert [(row["label"], row["minor"]) for row in found] == [
        ("first", None),
        ("last", -250),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_paid_and_what_was_won_by_the_end_of_the_period(kind):
    invoices = pa.table(
        {
            "invoice_id": ["1", "2", "3", "4", "5"],
            "account_id": ["A", "A", "A", "A", "B"],
            "payer_id": [None, "B", None, None, None],
            "paid_on": pa.array(
                [NOW.last_day, NOW.start, None, NOW.end, NOW.start], DAY
            ),
            "amount": [1.5, 2.0, 4.0, 8.0, 16.0],
            "is_cancelled": [None, False, None, None, True],
        }
    )
    paid = _facts.paid_until(KINDS[kind](invoices), SPAN).to_pylist()
    assert paid == [{"account_id": "A", "paid": 150}, {"account_id": "B", "paid": 200}]
    won = pa.table(
        {
            "opportunity_id": ["1", "2", "3", "4"],
            "account_id": ["A", "A", None, "A"],
            "status": ["won", "lost", "won", "won"],
            "closed_on": pa.array([NOW.start, NOW.start, NOW.start, NOW.end], DAY),
            "amount": [1.5, 2.0, 4.0, 8.0],
        }
    )
    booked = _facts.booked_until(KINDS[kind](won), SPAN).to_pylist()
    assert booked == [{"account_id": "A", "booked": 150}]
