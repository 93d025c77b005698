"""Do the scans of lines, hours and work begun add up as they do by hand?"""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from functools import cache

import pyarrow as pa
import pytest

from crm_portfolio._frames import BACKENDS, from_arrow
from crm_portfolio.analysis import _facts
from crm_portfolio.analysis._facts import NOWHERE
from crm_portfolio.portfolio import Calendar, Period, Portfolio

AS_OF = date(2026, 6, 30)
SPAN = Period.last_months(12).at(AS_OF)
STEPS = [
    Period.between(date(2025, 10, 1), date(2026, 1, 1)),
    Period.between(date(2026, 1, 1), date(2026, 4, 1)),
    Period.between(date(2026, 4, 1), date(2026, 7, 1)),
]
PRODUCTS = ["P1", "P2", "P3", None]
PLACES = pa.table({"product_id": ["P1", "P2"], "place": pa.array([0, 1], pa.int64())})


def day(draw: random.Random) -> date:
    return date(2023, 7, 1) + timedelta(days=draw.randrange(1096))


@cache
def tables() -> dict[str, pa.Table]:
    draw = random.Random(11)
    lines = [
        (
            f"L{at:03}",
            draw.choice("ABCDE"),
            day(draw),
            draw.randrange(-2_000, 9_000) / 100,
            draw.choice([None, draw.randrange(5_000) / 100]),
            draw.choice(PRODUCTS),
        )
        for at in range(400)
    ]
    # One account and one product came late.
    is_late = [each[1] == "E" or each[5] == "P3" for each in lines]
    lines = [
        (*each[:2], max(each[2], date(2025, 3, 3)) if late else each[2], *each[3:])
        for each, late in zip(lines, is_late, strict=True)
    ]
    notes = [
        (
            draw.choice("ABC"),
            day(draw),
            draw.randrange(1, 9_000) / 10,
            draw.choice(["build", "care", "review", None]),
            draw.choice(["dev", "ops", None]),
            draw.choice(PRODUCTS),
            draw.choice(["J1", "J2", None]),
            draw.choice(["O1", "O2", None]),
        )
        for _ in range(500)
    ]
    entered = datetime(2025, 9, 30, 22, 30, tzinfo=UTC)
    sales = [
        (
            f"O{at}",
            draw.choice("ABC"),
            status := draw.choice(["open", "won", "lost"]),
            draw.choice([None, entered + timedelta(days=draw.randrange(-90, 270))]),
            None if status == "open" else day(draw),
            draw.choice(["U1", "U2", None]),
            draw.choice([None, draw.randrange(9_000) / 100]),
            draw.choice(PRODUCTS),
        )
        for at in range(150)
    ]
    text, number, on = pa.string(), pa.float64(), pa.date32()
    moment = pa.timestamp("us", "UTC")

    def table(rows: list[tuple[object, ...]], **kinds: pa.DataType) -> pa.Table:
        columns = zip(*rows, strict=True)
        return pa.table(
            {
                n: pa.array(c, k)
                for (n, k), c in zip(kinds.items(), columns, strict=True)
            }
        )

    return {
        "account": pa.table({"account_id": [*"ABCDE"]}),
        "product": pa.table({"product_id": ["P1", "P2", "P3"]}),
        "project": pa.table({"project_id": ["J1", "J2"]}),
        "revenue_line": table(
            lines,
            line_id=text,
            account_id=text,
            booked_on=on,
            amount=number,
            cost=number,
            product_id=text,
        ),
        "effort": table(
            notes,
            account_id=text,
            worked_on=on,
            minutes=number,
            kind=text,
            role=text,
            product_id=text,
            project_id=text,
            opportunity_id=text,
        ),
        "opportunity": table(
            sales,
            opportunity_id=text,
            account_id=text,
            status=text,
            created_at=moment,
            closed_on=on,
            owner_id=text,
            amount=number,
            product_id=text,
        ),
    }


@cache
def book_of(backend: str) -> Portfolio:
    return Portfolio.from_frames(
        as_of=AS_OF,
        currency="EUR",
        calendar=Calendar("Europe/Paris"),
        **{name: from_arrow(table, backend) for name, table in tables().items()},
    )


@pytest.fixture(params=BACKENDS)
def book(request) -> Portfolio:
    return book_of(request.param)


def rows(name: str) -> list[dict[str, object]]:
    return tables()[name].to_pylist()


def cents(value: float | None) -> int:
    return 0 if value is None else round(value * 100)


def test_products_add_up(book):
    sums: dict[str, Counter[str]] = {}
    for row in rows("revenue_line"):
        if SPAN.start <= row["booked_on"] < SPAN.end:
            own = sums.setdefault(row["product_id"] or "", Counter())
            is_sold = row["amount"] > 0
            own["minor"] += cents(row["amount"])
            own["cost"] += cents(row["cost"])
            own["lines"] += 1
            own["known_lines"] += 1
            own["sold_minor"] += cents(row["amount"]) * is_sold
            if row["cost"] is not None:
                own["costed_minor"] += cents(row["amount"]) * is_sold
    found = _facts.sold_products(book, "net_revenue", SPAN).to_pylist()
    assert {row.pop("product_id"): row for row in found} == sums


def test_bookings_add_up_too_and_an_unknown_amount_is_counted(book):
    won = [row for row in rows("opportunity") if row["status"] == "won"]
    won = [row for row in won if SPAN.start <= row["closed_on"] < SPAN.end]
    found = _facts.sold_products(book, "booked", SPAN)
    assert sum(found["minor"].to_pylist()) == sum(cents(r["amount"]) for r in won)
    assert sum(found["lines"].to_pylist()) == len(won)
    known = [row for row in won if row["amount"] is not None]
    assert sum(found["known_lines"].to_pylist()) == len(known) < len(won)
    assert set(found["cost"].to_pylist()) == {0}


def test_who_bought_which_line_is_found_and_for_how_much(book):
    now: Counter[tuple[str, int]] = Counter()
    ever: Counter[tuple[str, int]] = Counter()
    for row in rows("revenue_line"):
        if row["product_id"] in ("P1", "P2") and row["booked_on"] < SPAN.end:
            key = (row["account_id"], int(row["product_id"] == "P2"))
            ever[key] += cents(row["amount"])
            now[key] += cents(row["amount"]) * (row["booked_on"] >= SPAN.start)
    found = _facts.bought_lines(book, "net_revenue", SPAN, PLACES).to_pylist()
    found = [row | {"account_id": "ABCDE"[row["account_id"]]} for row in found]
    assert {(row["account_id"], row["place"]) for row in found} == {
        key for key, minor in ever.items() if minor > 0
    }
    for row in found:
        assert row["minor"] == now[row["account_id"], row["place"]]


def test_young_revenue_is_that_of_what_came_late(book):
    lines = rows("revenue_line")
    came: dict[str, date] = {}
    offered: dict[str, date] = {}
    for row in sorted(lines, key=lambda each: each["booked_on"]):
        came.setdefault(row["account_id"], row["booked_on"])
        offered.setdefault(row["product_id"], row["booked_on"])
    found = _facts.young_revenue(book, "net_revenue", STEPS, 24).to_pylist()
    for at, step in enumerate(STEPS):
        edge = step.months_before_end(24)
        inside = [r for r in lines if step.start <= r["booked_on"] < step.end]
        young = [
            r
            for r in inside
            if came[r["account_id"]] > edge
            or (r["product_id"] and offered[r["product_id"]] > edge)
        ]
        assert found[at]["minor"] == sum(cents(r["amount"]) for r in inside)
        assert found[at]["young"] == sum(cents(r["amount"]) for r in young)
    assert any(0 != row["young"] != row["minor"] for row in found)


def test_hours_are_summed_by_all_that_tells_them_apart(book):
    products = PLACES.append_column("is_core", pa.array([1, NOWHERE], pa.int64()))
    projects = pa.table(
        {
            "project_id": ["J1", "J2"],
            "standing": pa.array([3, 1], pa.int64()),
            "project_kind": ["lab", None],
            "of_core": pa.array([NOWHERE, 0], pa.int64()),
        }
    )
    sale_of = {r["opportunity_id"]: r["status"] for r in rows("opportunity")}
    sums: Counter[tuple[object, ...]] = Counter()
    for row in rows("effort"):
        at = [i for i, s in enumerate(STEPS) if s.start <= row["worked_on"] < s.end]
        is_main = SPAN.start <= row["worked_on"] < SPAN.end
        if not at and not is_main:
            continue
        project = row["project_id"]
        key = (
            at[0] if at else NOWHERE,
            int(is_main),
            row["kind"] or "",
            {"P1": 0, "P2": 1}.get(row["product_id"], NOWHERE),
            1 if row["product_id"] == "P1" else NOWHERE,
            {"J1": 3, "J2": 1}.get(project, NOWHERE),
            0 if project == "J2" else NOWHERE,
            "lab" if project == "J1" else "",
            sale_of.get(row["opportunity_id"], ""),
        )
        sums[key] += round(row["minutes"] * 60)
    found = _facts.hours_spent(book, SPAN, STEPS, products=products, projects=projects)
    assert found.num_rows < len(rows("effort"))
    told = {}
    for row in found.to_pylist():
        seconds, _ = row.pop("seconds"), row.pop("first_on")
        told[tuple(row.values())] = seconds
    assert told == sums


def test_projects_know_who_worked_on_them_and_when_they_were_looked_at(book):
    found = {
        (row["project_id"], row["role"]): row
        for row in _facts.project_hours(book, SPAN, ["review"]).to_pylist()
    }
    for (project, role), row in found.items():
        own = [
            each
            for each in rows("effort")
            if each["project_id"] == project and (each["role"] or "") == role
        ]
        assert row["seconds"] == sum(round(e["minutes"] * 60) for e in own)
        assert row["first_on"] == min(each["worked_on"] for each in own)
        assert row["last_on"] == max(each["worked_on"] for each in own)
        assert row["reviews"] == sum(
            each["kind"] == "review" and each["worked_on"] >= SPAN.start for each in own
        )
    assert len(found) == 6


def test_sales_are_open_by_the_clock_of_the_firm(book):
    """Entered at 22:30 UTC on 30 September: in Paris that is October already."""
    days = [date(2025, 10, 1), date(2026, 1, 1), date(2026, 7, 1)]
    sums: Counter[tuple[str, int]] = Counter()
    for row in rows("opportunity"):
        for at, when in enumerate(days):
            midnight = datetime(when.year, when.month, when.day, tzinfo=UTC)
            midnight -= timedelta(hours=1 if when.month == 1 else 2)
            is_entered = row["created_at"] and row["created_at"] < midnight
            if is_entered and (row["closed_on"] is None or row["closed_on"] >= when):
                sums[row["owner_id"] or "", at] += 1
    found = _facts.open_by_owner(book, days).to_pylist()
    told = {
        (row["owner_id"], at): row[f"at_{at}"]
        for row in found
        for at in range(3)
        if row[f"at_{at}"]
    }
    assert told == sums


def test_kinds_and_the_first_note_are_found(book):
    assert _facts.kinds_noted(book) == ("build", "care", "review")
    assert _facts.first_noted(book) == min(row["worked_on"] for row in rows("effort"))
