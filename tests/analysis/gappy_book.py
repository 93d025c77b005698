"""A book with gaps that has something to say to every analysis, as long as one likes."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import pyarrow as pa

from crm_portfolio import analysis
from crm_portfolio.settings import Settings

AS_OF = date(2026, 6, 30)
IDS = [f"A{at:02}" for at in range(36)]
FIRST = date(2023, 7, 1)
DAYS = (AS_OF - FIRST).days + 1
SETTINGS = Settings(
    allocation=analysis.AllocationSettings(floor_hours=0.5),
    exit_review=analysis.ExitReviewSettings(least_coverage=0.2, weightings=200),
    freed_capacity=analysis.FreedCapacitySettings(draws=500),
    lifetime_value=analysis.LifetimeValueSettings(
        min_repeat_accounts=12, min_contracts=3
    ),
    loss_scenario=analysis.LossScenarioSettings(
        fixed_costs=9_000, variable_cost_share=0.55, draws=500
    ),
    revenue_at_risk=analysis.RevenueAtRiskSettings(draws=800),
    tiers=analysis.TiersSettings(
        stability=analysis.Stability(replay_from=date(2025, 1, 31)),
        potential=analysis.Potential(core_segments=("food",)),
    ),
    win_back=analysis.WinBackSettings(
        classes=("pursued_lost", "lost_client", "missed_late", "data_insufficient"),
        base_rate=1 / 7,
        hours_available=100 / 3,
    ),
)


def day(draw: random.Random, *, later: int = 0) -> date:
    return FIRST + timedelta(days=draw.randrange(DAYS + later))


def maybe(draw: random.Random, value: object, odds: float = 0.85) -> object:
    return value if draw.random() < odds else None


def moment(draw: random.Random) -> datetime:
    at = datetime(2023, 7, 1, tzinfo=UTC)
    return at + timedelta(minutes=draw.randrange(DAYS * 1440))


def table(kinds: dict[str, pa.DataType], rows: list[tuple[object, ...]]) -> pa.Table:
    columns = zip(*rows, strict=True)
    return pa.table(
        {
            name: pa.array(list(column), kind)
            for (name, kind), column in zip(kinds.items(), columns, strict=True)
        }
    )


TEXT, DAY, NUMBER, FLAG = pa.string(), pa.date32(), pa.float64(), pa.bool_()
MOMENT = pa.timestamp("us", "UTC")


@cache
def tables(times: int = 1) -> dict[str, pa.Table]:
    """A book with gaps: unknown amounts, costs, minutes and days, a loop of parents.

    Its long tables are so many times as long; the accounts stay.
    """
    draw = random.Random(2026)
    book = people(draw) | money(draw, times) | work(draw, times)
    return told_more(sorted_out(book)) | history(times) | asked(times)


def sorted_out(book: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """The same with what hours, projects and products are for, as far as somebody says."""
    draw = random.Random(46)
    choices = {
        "effort": {
            "kind": (TEXT, ["build", "care", "innovation", "review", None]),
            "product_id": (TEXT, ["P1", "P2", None]),
            "project_id": (TEXT, [*(f"J{at}" for at in range(24)), *[None] * 9]),
            "opportunity_id": (TEXT, [*(f"O{at}" for at in range(40)), *[None] * 40]),
        },
        "project": {
            "kind": (TEXT, ["innovation", "site", None]),
            "is_core": (FLAG, [True, False, None]),
            "hours_spent": (NUMBER, [1 / 3, 70.0, None]),
            "started_on": (DAY, [date(2024, 5, 6), date(2026, 2, 3), None]),
        },
        "product": {
            "line": (TEXT, ["machines", "service"]),
            "is_core": (FLAG, [True, False]),
        },
        "activity": {
            "opportunity_id": (TEXT, [*(f"O{at}" for at in range(60)), *[None] * 9]),
        },
    }
    return with_choices(draw, book, choices)


def told_more(book: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """The same with what lines and sales are, as far as somebody says."""
    kinds = ["invoice", "recurring", "discount", "credit_note", "rebate", None]
    choices = {
        "revenue_line": {
            "kind": (TEXT, kinds),
            "quantity": (NUMBER, [1.0, 2.5, 40 / 3, None]),
            "list_price": (NUMBER, [99.9, 250 / 7, None]),
            "reason": (TEXT, ["volume", "goodwill", None]),
            "granted_by": (TEXT, ["U1", "U2", None]),
            "origin_line_id": (TEXT, [*(f"L{at}" for at in range(40)), *[None] * 80]),
        },
        "opportunity": {
            "owner_id": (TEXT, ["U1", "U2", "U3", None]),
            "stage": (TEXT, ["Talk", "Offer", None]),
            "pipeline": (TEXT, ["Sales", None]),
            "source": (TEXT, ["fair", "web", None]),
            "product_id": (TEXT, ["P1", "P2", None]),
            "loss_reason": (TEXT, ["Price", "no  answer", None]),
            "competitor": (TEXT, ["Acme", None]),
            "discount_share": (NUMBER, [0.1, 1 / 3, None]),
        },
        "activity": {"owner_id": (TEXT, ["U1", "U2", "U3", None])},
    }
    return with_choices(random.Random(64), book, choices)


def with_choices(
    draw: random.Random,
    book: dict[str, pa.Table],
    choices: dict[str, dict[str, tuple[pa.DataType, list[Any]]]],
) -> dict[str, pa.Table]:
    for name, columns in choices.items():
        count = book[name].num_rows
        for column, (kind, values) in columns.items():
            drawn = [
                values[at] if name == "product" else draw.choice(values)
                for at in range(count)
            ]
            book[name] = book[name].append_column(column, pa.array(drawn, kind))
    return book


def asked(times: int) -> dict[str, pa.Table]:
    """Who asked us for something, what befell us, and what somebody decided."""
    draw = random.Random(73)

    def later(at: datetime, hours: int) -> object:
        return maybe(draw, at + timedelta(minutes=draw.randrange(60 * hours)), 0.7)

    enquiries = [
        (
            f"E{at}",
            created,
            maybe(draw, draw.choice(IDS)),
            draw.choice([f"O{draw.randrange(90)}", None, None]),
            draw.choice(["U1", "U2", "U3", None]),
            draw.choice(["fair", "web", None]),
            draw.choice(["new", "closed", None]),
            later(created, 90),
        )
        for at, created in ((at, moment(draw)) for at in range(450 * times))
    ]
    tickets = [
        (
            f"Q{at}",
            opened,
            maybe(draw, draw.choice(IDS)),
            later(opened, 900),
            draw.choice(["high", "low", None]),
            draw.choice([True, False, None]),
            draw.choice([1.0, 10 / 3, 5.0, None]),
            later(opened, 60),
        )
        for at, opened in ((at, moment(draw)) for at in range(420 * times))
    ]
    events = [
        ("V1", date(2024, 3, 1), date(2024, 4, 30), "strike", 7_000 / 3, None, "U1"),
        ("V2", date(2025, 9, 1), None, "fire", None, "A03", None),
    ]
    decisions = [
        (each, word, "U2", date(2026, 5, 4), "seen", maybe(draw, date(2026, 9, 1)))
        for each, word in zip(
            IDS[5:29:6], ("keep", "reprice", "end", "keep"), strict=True
        )
    ]
    owners = [("U1", True), ("U2", None), ("U3", False)]
    enquiry = {"enquiry_id": TEXT, "created_at": MOMENT, "account_id": TEXT}
    enquiry |= {"opportunity_id": TEXT, "owner_id": TEXT, "source": TEXT}
    enquiry |= {"status": TEXT, "first_response_at": MOMENT}
    ticket = {"ticket_id": TEXT, "opened_at": MOMENT, "account_id": TEXT}
    ticket |= {"closed_at": MOMENT, "priority": TEXT, "is_escalated": FLAG}
    ticket |= {"satisfaction": NUMBER, "first_response_at": MOMENT}
    event = {"event_id": TEXT, "from_on": DAY, "to_on": DAY, "label": TEXT}
    event |= {"amount": NUMBER, "account_id": TEXT, "owner_id": TEXT}
    decision = {"account_id": TEXT, "action": TEXT, "decided_by": TEXT}
    decision |= {"decided_on": DAY, "reason": TEXT, "review_on": DAY}
    return {
        "enquiry": table(enquiry, enquiries),
        "ticket": table(ticket, tickets),
        "event": table(event, events),
        "decision": table(decision, decisions),
        "owner": table({"owner_id": TEXT, "is_active": FLAG}, owners),
    }


def history(times: int) -> dict[str, pa.Table]:
    """What the sales said before, with contradictions and what is no number."""
    draw = random.Random(55)
    words = {
        "stage": ["Talk", "Offer", "Won", "Lost", "Unheard", None],
        "amount": ["100", "250.5", "1e3", "12,5", None],
        "expected_close_on": ["2025-01-31", "2026-02-28", "2026-12-31", None],
        "owner_id": ["U1", "U2", None],
    }
    rows = []
    for _ in range(900 * times):
        field = draw.choice(list(words))
        old, new = draw.choice(words[field]), draw.choice(words[field])
        rows.append((f"O{draw.randrange(300 * times)}", moment(draw), field, old, new))
    told = {"opportunity_id": TEXT, "changed_at": MOMENT, "field": TEXT}
    stage = {"pipeline": TEXT, "stage": TEXT, "position": pa.int64(), "status": TEXT}
    stages = [("Talk", "open"), ("Offer", "open"), ("Won", "won"), ("Lost", "lost")]
    return {
        "opportunity_change": table(told | {"old": TEXT, "new": TEXT}, rows),
        "stage": table(
            stage | {"default_probability": NUMBER},
            [("Sales", name, at, its, at / 3) for at, (name, its) in enumerate(stages)],
        ),
    }


def people(draw: random.Random) -> dict[str, pa.Table]:
    parents = {"A05": "A04", "A06": "A05", "A10": "A11", "A11": "A10"}
    kinds = {"account_id": TEXT, "parent_id": TEXT, "owner_id": TEXT, "segment": TEXT}
    kinds |= {"account_turnover": NUMBER, "created_on": DAY}
    rows = [
        (
            each,
            parents.get(each),
            draw.choice(["U1", "U2"]),
            maybe(draw, draw.choice(["food", "retail", "media"])),
            maybe(draw, draw.randrange(10**6) / 7),
            date(2020, 1, 1),
        )
        for each in IDS
    ]
    ratings = [
        (each, "trust", draw.randrange(11) / 1.3 % 10, date(2026, 3, 1))
        for each in IDS[::3]
    ]
    contracts = [
        (f"C{at}", each, date(2024, 1, 1), maybe(draw, day(draw, later=200)))
        for at, each in enumerate(IDS[::2])
    ]
    return {
        "account": table(kinds, rows),
        "rating": table(
            {"account_id": TEXT, "criterion": TEXT, "value": NUMBER, "rated_on": DAY},
            ratings,
        ),
        "contract": table(
            {"contract_id": TEXT, "account_id": TEXT, "starts_on": DAY, "ends_on": DAY},
            contracts,
        ),
    }


def money(draw: random.Random, times: int) -> dict[str, pa.Table]:
    weight = [1 / (at + 1) for at in range(len(IDS))]

    def who() -> str:
        return draw.choices(IDS, weight)[0]

    lines = [
        (
            f"L{at}",
            who(),
            day(draw),
            draw.randrange(-9_000, 90_000) / 100,
            maybe(draw, draw.randrange(40_000) / 100),
            draw.choice(["P1", "P2", None]),
        )
        for at in range(1_500 * times)
    ]
    deals = [
        (
            f"O{at}",
            maybe(draw, who()),
            draw.choice(["won", "lost", "open"]),
            moment(draw),
            day(draw),
            day(draw, later=400),
            maybe(draw, draw.randrange(10**6) / 100),
            maybe(draw, draw.random()),
            draw.choice(["new", "renewal", None]),
        )
        for at in range(400 * times)
    ]
    invoices = [
        (
            f"I{at}",
            who(),
            issued,
            issued + timedelta(days=30),
            maybe(draw, issued + timedelta(days=draw.randrange(5, 120)), 0.8),
            draw.randrange(90_000) / 100,
        )
        for at, issued in ((at, day(draw)) for at in range(600 * times))
    ]
    costs = [
        (
            f"K{at}",
            who(),
            day(draw),
            draw.randrange(5_000) / 100,
            "service",
            draw.choice([True, False, None]),
        )
        for at in range(80 if times == 1 else 400 * times)
    ]
    line = {"line_id": TEXT, "account_id": TEXT, "booked_on": DAY, "amount": NUMBER}
    deal = {"opportunity_id": TEXT, "account_id": TEXT, "status": TEXT}
    deal |= {"created_at": MOMENT, "closed_on": DAY, "expected_close_on": DAY}
    deal |= {"amount": NUMBER, "probability": NUMBER, "kind": TEXT}
    invoice = {"invoice_id": TEXT, "account_id": TEXT, "issued_on": DAY}
    invoice |= {"due_on": DAY, "paid_on": DAY, "amount": NUMBER}
    cost = {"cost_id": TEXT, "account_id": TEXT, "booked_on": DAY, "amount": NUMBER}
    return {
        "revenue_line": table(line | {"cost": NUMBER, "product_id": TEXT}, lines),
        "opportunity": table(deal, [closed(each) for each in deals]),
        "invoice": table(invoice, invoices),
        "cost": table(cost | {"kind": TEXT, "is_avoidable": FLAG}, costs),
        "product": table({"product_id": TEXT}, [("P1",), ("P2",)]),
    }


def closed(deal: tuple[object, ...]) -> tuple[object, ...]:
    """An open sale has no day on which it was closed."""
    return (*deal[:4], None, *deal[5:]) if deal[2] == "open" else deal


def work(draw: random.Random, times: int) -> dict[str, pa.Table]:
    activities = [
        (
            f"T{at}",
            maybe(draw, draw.choice(IDS)),
            moment(draw),
            draw.choice(["in", "out"]),
            draw.choice(["held", "open", None]),
            maybe(draw, draw.randrange(1, 900) / 7),
        )
        for at in range(500 * times)
    ]
    effort = [
        (
            draw.choice(IDS[:30]),
            day(draw),
            draw.randrange(1, 9_000) / 7,
            draw.choice(["sales", "care", None]),
        )
        for _ in range(900 * times)
    ]
    capacity = [
        (role, date(year, 1, 1), date(year, 12, 31), 1000 / 3)
        for year in range(2023, 2027)
        for role in ("sales", "care")
    ]
    projects = [
        (
            f"J{at}",
            draw.choice(IDS),
            draw.choice(["parked", "running"]),
            maybe(draw, draw.choice(["sales", "care"])),
            maybe(draw, draw.randrange(1, 90) / 7),
            maybe(draw, draw.randrange(10**6) / 100),
        )
        for at in range(24)
    ]
    activity = {"activity_id": TEXT, "account_id": TEXT, "occurred_at": MOMENT}
    activity |= {"direction": TEXT, "status": TEXT, "minutes": NUMBER}
    noted = {"account_id": TEXT, "worked_on": DAY, "minutes": NUMBER, "role": TEXT}
    planned = {"project_id": TEXT, "account_id": TEXT, "status": TEXT, "role": TEXT}
    planned |= {"hours_to_finish": NUMBER, "expected_contribution": NUMBER}
    span = {"role": TEXT, "from_on": DAY, "to_on": DAY, "hours": NUMBER}
    return {
        "activity": table(activity, activities),
        "effort": table(noted, effort),
        "capacity": table(span, capacity),
        "project": table(planned, projects),
    }
