"""Firms with one past and different futures.

Whatever comes after the day is drawn by itself: rows that are added, closings, payments,
edits, and all that a CRM overwrites without keeping since when.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pyarrow as pa
import pytest

from crm_portfolio.schema import TABLES, TableName, arrow_type


@pytest.fixture(autouse=True)
def _engine_is_there(request: pytest.FixtureRequest) -> None:
    """The oldest versions that are allowed are tried without Ibis and its packages."""
    asked = getattr(request.node, "callspec", None)
    if asked is not None and "ibis" in asked.params.values():
        pytest.importorskip("ibis")


AS_OF = date(2026, 6, 30)
FIRST = date(2023, 1, 1)
PEOPLE = ("U1", "U2", "U3")
STAGES = ("Talk", "Offer", "Won", "Lost")
KINDS = ("new", "renewal", "expansion")
Row = dict[str, Any]
Rows = list[Row]
Fields = dict[str, Any]
ALWAYS = date(2020, 1, 1)


@attrs.frozen
class Past:
    """What had happened by the end of the day, as one draw of chance tells it."""

    draw: random.Random
    day: date
    zone: str

    @property
    def midnight(self) -> datetime:
        """The first moment that is too late."""
        after = self.day + timedelta(days=1)
        return datetime.combine(after, time.min, tzinfo=ZoneInfo(self.zone)).astimezone(
            UTC
        )

    def on(self) -> date:
        """A day; often the last one."""
        if self.draw.random() < 0.2:
            return self.day
        return FIRST + timedelta(days=self.draw.randrange((self.day - FIRST).days))

    def at(self, since: datetime | None = None) -> datetime:
        """A moment; often the last of the day, or its first."""
        last = self.midnight - timedelta(microseconds=1)
        if self.draw.random() < 0.2:
            return last
        first = since or datetime(2023, 1, 1, tzinfo=UTC)
        return first + (last - first) * self.draw.random()


@attrs.frozen
class Future:
    """What came afterwards."""

    draw: random.Random
    past: Past

    def on(self) -> date:
        """A day; often the first one after."""
        if self.draw.random() < 0.3:
            return self.past.day + timedelta(days=1)
        ahead = (AS_OF - self.past.day).days
        return self.past.day + timedelta(days=self.draw.randrange(1, ahead))

    def at(self) -> datetime:
        """A moment; often the midnight that ends the day."""
        if self.draw.random() < 0.3:
            return self.past.midnight
        ahead = datetime(2026, 6, 30, tzinfo=UTC) - self.past.midnight
        return self.past.midnight + ahead * self.draw.random()

    def size(self) -> int:
        return self.draw.randrange(4)

    def comes(self) -> bool:
        return self.draw.random() < 0.5

    def whatever(self, table: TableName, names: str) -> Row:
        """Values that a CRM overwrites, as they are now."""
        return {
            name: self._any(arrow_type(TABLES[table][name])) for name in names.split()
        }

    def _any(self, type_: pa.DataType) -> Any:
        if self.draw.random() < 0.2:
            return None
        if pa.types.is_string(type_):
            return self.draw.choice(["A", "B", "parked", "food", "U1"])
        if pa.types.is_boolean(type_):
            return self.draw.random() < 0.5
        if pa.types.is_date(type_):
            return self.draw.choice([self.past.day, self.on()])
        return float(self.draw.randrange(10)) / (
            1 if pa.types.is_integer(type_) else 10
        )


class Firm:
    """The tables of a firm as they stand at the as-of day."""

    def __init__(self, past: Past, future: Future) -> None:
        self.past, self.future = past, future
        self.rows: dict[TableName, Rows] = {}

    def add(self, table: TableName, row: Row) -> None:
        self.rows.setdefault(table, []).append(row)

    def tables(self) -> dict[str, pa.Table]:
        return {name: typed(name, rows) for name, rows in self.rows.items()}


# What a source can say it has a column for, whether or not there is anything to say yet.
MAY_SAY: dict[TableName, str] = {
    "opportunity": "closed_on refused_on competitor is_auto_closed",
    "enquiry": "account_id opportunity_id first_response_at",
    "ticket": "closed_at satisfaction first_response_at",
    "invoice": "paid_on open_amount",
}


def typed(name: TableName, rows: Rows) -> pa.Table:
    spec, always = TABLES[name], MAY_SAY.get(name, "").split()
    said = {each for row in rows for each in row}.union(always)
    names = [each for each in spec.names if each in said]
    return pa.table(
        {
            each: pa.array([row.get(each) for row in rows], arrow_type(spec[each]))
            for each in names
        }
    )


ACCOUNTS = [f"A{number}" for number in range(9)]
NOW_OF_ACCOUNTS = (
    "name owner_id segment country account_turnover employee_count is_customer "
    "last_activity_on activity_count contact_count tier tier_since_on portfolio_rank "
    "risk_level portfolio_stamp tier_pinned"
)

NOW_OF_PROJECTS = (
    "name kind status role hours_spent hours_to_finish expected_contribution is_core "
    "deadline_on stalled_by"
)


def people(firm: Firm) -> None:
    past, future = firm.past, firm.future
    for each in ACCOUNTS:
        asked = past.on() if past.draw.random() < 0.3 else None
        row = {"account_id": each, "created_on": past.draw.choice([ALWAYS, past.on()])}
        row["do_not_contact_on"] = asked or (future.on() if future.comes() else None)
        row |= future.whatever("account", NOW_OF_ACCOUNTS)
        row["parent_id"] = future.draw.choice([None, None, *ACCOUNTS])
        firm.add("account", row)
    for number in range(future.draw.randrange(3)):
        firm.add("account", {"account_id": f"N{number}", "created_on": future.on()})


def drawn_fields(draw: random.Random) -> Fields:
    """What people keep changing, and its history with it."""
    return {
        "stage": draw.choice(["Talk", "Offer"]),
        "amount": draw.choice(
            [None, 100.0, 2_500.5, 99.995, float(draw.randrange(10**6))]
        ),
        "expected_close_on": date(2025, 1, 1) + timedelta(days=draw.randrange(900)),
        "probability": draw.choice([0.1, 0.25, 0.9]),
        "owner_id": draw.choice(PEOPLE),
        "kind": draw.choice([None, *KINDS]),
        "loss_reason": None,
    }


TRACKED = tuple(drawn_fields(random.Random(0)))


def as_text(value: Any) -> str | None:
    return None if value is None else str(value)


def opportunities(firm: Firm, tracked: Sequence[str]) -> None:
    past, future = firm.past, firm.future
    for number in range(18):
        deal(firm, f"O{number:02}", past.at(), tracked, past.draw)
    for number in range(future.draw.randrange(4)):
        deal(firm, f"P{number}", future.at(), tracked, future.draw)


def deal(
    firm: Firm,
    name: str,
    created: datetime,
    tracked: Sequence[str],
    draw: random.Random,
) -> None:
    """One opportunity: entered, changed, perhaps closed, then whatever comes later."""
    past, future = firm.past, firm.future
    fields = drawn_fields(draw)
    row: Row = {
        "opportunity_id": name, "account_id": draw.choice([*ACCOUNTS, None]), "created_at": created,
        "currency": draw.choice(["EUR", "USD", None]), "source": draw.choice(["web", "fair"]),
        "pipeline": "Sales", "status": "open",
    }  # fmt: skip
    keep = set(tracked)
    for field in tracked:
        if draw.random() < 0.8:  # one CRM keeps the first value too, another does not
            change(firm, name, created, field, None, fields[field])
    closes, by_stage = None, False
    if created < past.midnight:
        closes, by_stage = course(firm, row, fields, keep)
    # From here on, what is not known at the end of the day. Who kept no changes before
    # may begin to.
    then = closes is None
    kept_now = set(fields) if future.comes() else set(keep)
    entered = created + timedelta(minutes=2)
    if by_stage and future.comes():
        entered = opened_again(firm, row, max(future.at(), entered), fields, kept_now)
    later = {max(future.at(), entered) for _ in range(future.draw.randrange(4))}
    for at in sorted(later):
        after = drawn_fields(future.draw)
        if then:
            settle = set(fields)
        else:  # what is closed is only corrected where that is kept
            settle = (kept_now | {"owner_id"}) - ({"stage"} if by_stage else set())
            after["loss_reason"] = "corrected" if row["status"] == "lost" else None
        edit(firm, name, at, fields, {key: after[key] for key in settle}, kept_now)
    if then and future.comes():
        close(row, fields, future.on(), future.draw)
    firm.add(
        "opportunity",
        row
        | fields
        | future.whatever(
            "opportunity",
            "name next_step contact_count last_activity_on activity_count home_amount",
        ),
    )


def close(row: Row, fields: Fields, day: date, draw: random.Random) -> None:
    row["status"] = draw.choice(["won", "lost"])
    row["closed_on"], row["is_auto_closed"] = day, False
    if row["status"] == "lost":
        fields["loss_reason"] = draw.choice(["price", "timing"])
        row["refused_on"] = draw.choice([None, day])
        row["competitor"] = draw.choice([None, "Other"])


def course(
    firm: Firm, row: Row, fields: Fields, keep: set[str]
) -> tuple[date | None, bool]:
    """What became of it by the day: when it was closed, and whether by its stage."""
    past, draw, name = firm.past, firm.past.draw, row["opportunity_id"]
    at = row["created_at"]
    for at in sorted({past.at(at) for _ in range(draw.randrange(4))}):
        edit(firm, name, at, fields, drawn_fields(draw), keep)
    if "stage" in keep and draw.random() < 0.3:
        return close_by_stage(firm, row, past.at(at), fields, keep, draw), True
    closes = past.on() if draw.random() < 0.45 else None
    if closes is not None:
        close(row, fields, closes, draw)
    return closes, False


def opened_again(
    firm: Firm, row: Row, at: datetime, fields: Fields, keep: set[str]
) -> datetime:
    """After it was closed by its stage; perhaps closed once more."""
    draw = firm.future.draw
    opened = {"stage": draw.choice(["Talk", "Offer"]), "loss_reason": None}
    edit(firm, row["opportunity_id"], at, fields, opened, keep)
    row |= {"status": "open", "closed_on": None}
    if firm.future.comes():
        at += timedelta(minutes=2)
        close_by_stage(firm, row, at, fields, keep, draw)
    return at + timedelta(minutes=2)


def close_by_stage(
    firm: Firm,
    row: Row,
    at: datetime,
    fields: Fields,
    keep: set[str],
    draw: random.Random,
) -> date:
    """Closed by the stage it comes to, so that the changes tell if it opens again."""
    stage = draw.choice(["Won", "Lost"])
    reason = draw.choice(["price", "timing"]) if stage == "Lost" else None
    after = {"stage": stage, "loss_reason": reason}
    edit(firm, row["opportunity_id"], at, fields, after, keep)
    day = at.astimezone(ZoneInfo(firm.past.zone)).date()
    row |= {"status": stage.lower(), "closed_on": day}
    # Nobody keeps its changes, so it is not known once it was opened again.
    row["pipeline"] = None
    return day


def edit(
    firm: Firm, name: str, at: datetime, fields: Fields, after: Fields, keep: set[str]
) -> None:
    for field, value in after.items():
        if fields[field] != value and field in keep:
            change(firm, name, at, field, fields[field], value)
        # What nobody keeps the changes of may change all the same.
        fields[field] = value


def change(firm: Firm, name: str, at: datetime, field: str, old: Any, new: Any) -> None:
    if old != new:
        row = {"opportunity_id": name, "changed_at": at, "field": field}
        firm.add("opportunity_change", row | {"old": as_text(old), "new": as_text(new)})


Side = Past | Future


def contacts(firm: Firm, side: Side, prefix: str, count: int) -> None:
    draw = side.draw
    for number in range(count):
        row = {"activity_id": f"{prefix}{number}", "occurred_at": side.at()}
        row |= {"account_id": draw.choice(ACCOUNTS), "minutes": draw.randrange(90)}
        row |= {"opportunity_id": draw.choice([None, "O01", "O02", "O03"])}
        row |= {"direction": draw.choice(["in", "out"])}
        firm.add("activity", row | {"status": draw.choice(["held", None])})


def tickets(firm: Firm, side: Side, prefix: str, count: int) -> None:
    past, future = firm.past, firm.future
    for number in range(count):
        row = {"ticket_id": f"{prefix}{number}", "opened_at": side.at()}
        row |= {"account_id": side.draw.choice(ACCOUNTS)}
        if side is past and past.draw.random() < 0.5:
            ends, answered = past.at(row["opened_at"]), past.at(row["opened_at"])
            row |= {"closed_at": ends, "first_response_at": answered, "satisfaction": 3}
        elif future.comes():
            row |= {"closed_at": future.at(), "satisfaction": future.draw.randrange(5)}
            row |= {"first_response_at": future.at()}
        firm.add("ticket", row | future.whatever("ticket", "priority is_escalated"))


def enquiries(firm: Firm, side: Side, prefix: str, count: int) -> None:
    past, future = firm.past, firm.future
    new = [row["opportunity_id"] for row in firm.rows["opportunity"][18:]]
    for number in range(count):
        row = {"enquiry_id": f"{prefix}{number}", "created_at": side.at()}
        row |= {"source": side.draw.choice(["web", "fair"])}
        if side is past and past.draw.random() < 0.3:
            row |= {"opportunity_id": "O04", "account_id": "A1"}
            row |= {"first_response_at": past.at(row["created_at"])}
        elif future.comes():
            row |= {"opportunity_id": future.draw.choice([None, *new])}
            row |= {"account_id": "A2", "first_response_at": future.at()}
        firm.add("enquiry", row | future.whatever("enquiry", "owner_id segment status"))


def rates(firm: Firm) -> None:
    past, future = firm.past, firm.future
    after = [past.day + timedelta(days=days) for days in (1, 40)]
    for day, side in ((ALWAYS, past), (past.day, past), *((d, future) for d in after)):
        row = {"currency": "USD", "base": "EUR", "from_on": day}
        firm.add("exchange_rate", row | {"rate": side.draw.choice([0.8, 0.95, 1.1])})


def sales(firm: Firm, side: Side, prefix: str, count: int) -> None:
    draw = side.draw
    for number in range(count):
        kind = draw.choice(["invoice", "invoice", "recurring", "credit_note"])
        amount = draw.randrange(1, 10**6) / (-300 if kind == "credit_note" else 100)
        row = {"line_id": f"{prefix}{number}", "account_id": draw.choice(ACCOUNTS)}
        row |= {"booked_on": side.on(), "amount": amount, "kind": kind}
        row |= {"currency": draw.choice(["EUR", "USD"]), "cost": amount / 2}
        row |= {"product_id": draw.choice(["p1", "p2"]), "list_price": 7.0}
        firm.add("revenue_line", row | {"quantity": draw.randrange(1, 9)})
        bill(firm, side, f"{prefix}{number}")
        row = {"account_id": draw.choice(ACCOUNTS), "worked_on": side.on()}
        row |= {
            "minutes": draw.randrange(1, 400),
            "role": draw.choice(["sales", "care"]),
        }
        firm.add("effort", row)


def bill(firm: Firm, side: Side, name: str) -> None:
    past, future = firm.past, firm.future
    issued, amount = side.on(), side.draw.randrange(1, 10**6) / 100
    row = {"invoice_id": name, "account_id": side.draw.choice(ACCOUNTS)}
    row |= {
        "issued_on": issued,
        "due_on": issued + timedelta(days=30),
        "amount": amount,
    }
    if side is past and past.draw.random() < 0.6:
        days = past.draw.randrange((past.day - issued).days + 1)
        row |= {"paid_on": past.day - timedelta(days=days), "open_amount": 0.0}
    elif future.comes():
        row |= {"paid_on": future.on(), "open_amount": 0.0}
    else:  # a part of it was paid, nobody knows when
        row["open_amount"] = amount * future.draw.random()
    firm.add("invoice", row | future.whatever("invoice", "is_disputed is_cancelled"))


def spans(firm: Firm, side: Side, prefix: str, count: int) -> None:
    """What begins, and ends by the day or is still going on."""
    past, future = firm.past, firm.future
    for number in range(count):
        name, account = f"{prefix}{number}", side.draw.choice(ACCOUNTS)
        begins, is_over = side.on(), side is past and past.draw.random() < 0.5
        ends = max(begins, past.on() if is_over else future.on())
        row = {"event_id": name, "from_on": begins, "to_on": ends, "label": "fair"}
        amount = (past if is_over else future).draw.randrange(900)
        firm.add("event", row | {"amount": float(amount)})
        row = {"contract_id": name, "account_id": account, "starts_on": begins}
        row["ends_on"] = ends if is_over else future.draw.choice([None, ends])
        terms = future.whatever("contract", "amount_per_year notice_days auto_renews")
        firm.add("contract", row | terms)
        row = {"project_id": name, "account_id": account, "started_on": begins}
        firm.add("project", row | future.whatever("project", NOW_OF_PROJECTS))


def notes(firm: Firm, side: Side, prefix: str, count: int) -> None:
    for number in range(count):
        account = side.draw.choice(ACCOUNTS)
        row = {
            "cost_id": f"{prefix}{number}",
            "booked_on": side.on(),
            "kind": "service",
        }
        row |= {"amount": side.draw.randrange(900), "account_id": account}
        firm.add("cost", row)
        row = {"account_id": account, "action": "keep", "decided_by": "U1"}
        row |= {"decided_on": side.on(), "reason": "r", "review_on": ALWAYS}
        firm.add("decision", row)
        row = {"account_id": account, "criterion": side.draw.choice(["trust", "fun"])}
        row |= {"value": side.draw.randrange(11), "rated_on": side.on()}
        firm.add("rating", row)


def house(firm: Firm) -> None:
    """Our own people, stages, products and hours."""
    past, future = firm.past, firm.future
    for each in PEOPLE:
        firm.add(
            "owner", {"owner_id": each, **future.whatever("owner", "name is_active")}
        )
    for at, status in enumerate(["open", "open", "won", "lost"]):
        row = {"pipeline": "Sales", "stage": STAGES[at], "position": at}
        row |= {"status": status, "is_proposal": STAGES[at] == "Offer"}
        firm.add("stage", row | {"default_probability": future.draw.random()})
    for name in ("p1", "p2"):
        row = {"product_id": name, "line": name, "is_core": name == "p1"}
        firm.add("product", row | future.whatever("product", "list_price"))
    for year in range(2023, 2028):
        first = date(year, 1, 1)
        side = past if first <= past.day else future
        row = {"role": "sales", "from_on": first, "to_on": date(year, 12, 31)}
        firm.add("capacity", row | {"hours": side.draw.randrange(900, 2_000)})


def drawn_firm(
    seed: int, fate: int, day: date, zone: str, untracked: Sequence[str] = ()
) -> dict[str, pa.Table]:
    """Its tables: `seed` draws all up to the day, `fate` what came after it.

    Args:
        untracked: Columns of opportunities whose changes nobody kept by then.
    """
    past = Past(random.Random(seed), day, zone)
    made = Firm(past, Future(random.Random(f"{seed} {fate}"), past))
    tracked = [name for name in TRACKED if name not in untracked]
    people(made)
    opportunities(made, tracked)
    rates(made)
    house(made)
    for side, prefix, size in (
        (made.past, "a", 9),
        (made.future, "z", made.future.size()),
    ):
        contacts(made, side, prefix, size * 6)
        tickets(made, side, prefix, size)
        enquiries(made, side, prefix, size)
        sales(made, side, prefix, size * 10)
        spans(made, side, prefix, size)
        notes(made, side, prefix, size)
    return made.tables()


@pytest.fixture(scope="session")
def firm() -> Callable[..., dict[str, pa.Table]]:
    return drawn_firm
