"""A small book that has something to say to every part of every analysis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from crm_portfolio import analysis
from crm_portfolio.portfolio import Calendar, Portfolio
from crm_portfolio.settings import Settings

AS_OF = date(2026, 6, 30)
ZONE = "Europe/Paris"
ACCOUNTS = [f"A{at:02}" for at in range(16)]
FIRST = date(2023, 7, 1)
DAYS = (AS_OF - FIRST).days + 1
TEXT, DAY, NUMBER, FLAG = pa.string(), pa.date32(), pa.float64(), pa.bool_()
MOMENT, WHOLE = pa.timestamp("us", "UTC"), pa.int64()

CRITERIA = (
    *("relationship", "ethics", "reputation", "vision"),
    *("discounts", "innovation", "displacement", "potential"),
)
KINDS = ("overhead", "service", "acquisition", "delivery")

Tables = dict[str, pa.Table]

SETTINGS = Settings(
    freed_capacity=analysis.FreedCapacitySettings(draws=60),
    loss_scenario=analysis.LossScenarioSettings(
        fixed_costs=30_000, variable_cost_share=0.4, draws=60
    ),
    receivables=analysis.ReceivablesSettings(financing_rate=0.06),
    revenue_at_risk=analysis.RevenueAtRiskSettings(draws=100),
    review=analysis.ReviewSettings(target=90_000.0),
)


def day(at: int) -> date:
    """Some day of the three years, spread like seeds."""
    return FIRST + timedelta(days=at * 197 % DAYS)


def moment(at: int) -> datetime:
    return datetime(2023, 7, 1, 9, tzinfo=UTC) + timedelta(
        hours=at * 4_733 % (DAYS * 24)
    )


def table(kinds: Mapping[str, pa.DataType], rows: list[tuple[Any, ...]]) -> pa.Table:
    columns = zip(*rows, strict=True)
    return pa.table(
        {
            name: pa.array(list(column), kind)
            for (name, kind), column in zip(kinds.items(), columns, strict=True)
        }
    )


def whole_tables() -> Tables:
    return {**_firm(), **_money(), **_sales(), **_work(), **_said()}


def _firm() -> Tables:
    account = {"account_id": TEXT, "name": TEXT, "parent_id": TEXT, "owner_id": TEXT}
    account |= {"segment": TEXT, "account_turnover": NUMBER, "created_on": DAY}
    account |= {"do_not_contact_on": DAY, "employee_count": WHOLE}
    return {
        "account": table(
            account,
            [
                (
                    each,
                    f"Étage {at} & fils",
                    ACCOUNTS[at - 1] if at in {3, 4} else None,
                    f"U{at % 3}",
                    ("food", "media")[at % 2],
                    10_000.0 * (at + 3),
                    date(2020, 1, 1 + at),
                    day(900 + at) if at == 9 else None,
                    3 + at * 7 % 40,
                )
                for at, each in enumerate(ACCOUNTS)
            ],
        ),
        "owner": table(
            {"owner_id": TEXT, "is_active": FLAG},
            [("U0", True), ("U1", True), ("U2", False)],
        ),
        "product": table(
            {"product_id": TEXT, "line": TEXT, "is_core": FLAG, "list_price": NUMBER},
            [
                ("P0", "machines", True, 90.0),
                ("P1", "service", True, 40.0),
                ("P2", "courses", False, 25.0),
            ],
        ),
        "capacity": table(
            {
                "role": TEXT,
                "from_on": DAY,
                "to_on": DAY,
                "hours": NUMBER,
                "cost_per_hour": NUMBER,
            },
            [
                (role, date(year, 1, 1), date(year, 12, 31), 700.0, cost)
                for year in range(2023, 2027)
                for role, cost in (("sales", 60.0), ("care", 45.0))
            ],
        ),
    }


def _money() -> Tables:
    line = {"line_id": TEXT, "account_id": TEXT, "booked_on": DAY, "amount": NUMBER}
    line |= {"kind": TEXT, "product_id": TEXT, "quantity": NUMBER}
    line |= {"list_price": NUMBER, "cost": NUMBER, "origin_line_id": TEXT}
    lines = []
    for at in range(420):
        who = ACCOUNTS[at * at % 97 % len(ACCOUNTS)]
        units = 1 + at % 7
        price = (90.0, 40.0, 25.0)[at % 3] * (0.9 + at % 5 / 20)
        lines.append(
            (
                *(f"L{at:03}", who, day(at), round(units * price, 2), "invoice"),
                *(f"P{at % 3}", float(units), (90.0, 40.0, 25.0)[at % 3]),
                *(round(units * price * 0.55, 2), None),
            )
        )
    lines += [
        (
            *(f"G{at:03}", lines[at][1], lines[at][2], -5.0 - at / 4),
            ("discount", "credit_note", "goodwill")[at % 3],
            *(lines[at][5], None, None, None, f"L{at:03}"),
        )
        for at in range(0, 200, 9)
    ]
    invoice = {"invoice_id": TEXT, "account_id": TEXT, "issued_on": DAY}
    invoice |= {"due_on": DAY, "paid_on": DAY, "amount": NUMBER, "is_disputed": FLAG}
    cost = {"cost_id": TEXT, "account_id": TEXT, "booked_on": DAY, "amount": NUMBER}
    return {
        "revenue_line": table(line, lines),
        "invoice": table(
            invoice,
            [
                (
                    *(f"I{at:03}", lines[at][1], lines[at][2]),
                    lines[at][2] + timedelta(days=30),
                    lines[at][2] + timedelta(days=20 + at % 60) if at % 8 else None,
                    *(round(lines[at][3] * 1.2, 2), at % 11 == 0),
                )
                for at in range(0, 420, 2)
            ],
        ),
        "cost": table(
            cost | {"kind": TEXT, "is_avoidable": FLAG},
            [
                (
                    *(f"K{at:02}", ACCOUNTS[at % 16] if at % 5 else None, day(at * 7)),
                    *(40.0 + at, KINDS[at % 4]),
                    at % 3 == 0,
                )
                for at in range(90)
            ],
        ),
    }


def _sales() -> Tables:
    sale = {"opportunity_id": TEXT, "account_id": TEXT, "owner_id": TEXT}
    sale |= {"pipeline": TEXT, "stage": TEXT, "status": TEXT, "amount": NUMBER}
    sale |= {"created_at": MOMENT, "closed_on": DAY, "expected_close_on": DAY}
    sale |= {"probability": NUMBER, "kind": TEXT, "source": TEXT, "product_id": TEXT}
    sale |= {"loss_reason": TEXT, "refused_on": DAY, "discount_share": NUMBER}
    rows: list[tuple[Any, ...]] = []
    for at in range(160):
        status = ("won", "lost", "lost", "open")[at % 4]
        made = moment(at * 3)
        ends = min(made.date() + timedelta(days=12 + at % 50), AS_OF)
        is_lost = status == "lost"
        rows.append(
            (
                *(f"O{at:03}", ACCOUNTS[at % 16], f"U{at % 3}", "Sales"),
                {"won": "Won", "lost": "Lost", "open": ("Talk", "Offer")[at % 2]}[
                    status
                ],
                *(status, 200.0 + at * 3, made, None if status == "open" else ends),
                made.date() + timedelta(days=60 + at % 200),
                *(0.1 + at % 8 / 10, ("new", "renewal", "expansion")[at % 3]),
                *(("web", "fair")[at % 2], f"P{at % 3}"),
                ("price", "timing")[at % 2] if is_lost else None,
                *(ends if is_lost and at % 20 == 1 else None, at % 4 / 20),
            )
        )
    change = {"opportunity_id": TEXT, "changed_at": MOMENT, "field": TEXT}
    stage = {"pipeline": TEXT, "stage": TEXT, "position": WHOLE, "status": TEXT}
    enquiry = {"enquiry_id": TEXT, "created_at": MOMENT, "opportunity_id": TEXT}
    return {
        "opportunity": table(sale, rows),
        "opportunity_change": table(
            change | {"old": TEXT, "new": TEXT},
            [
                (row[0], row[7] + timedelta(days=step + 1), "stage", old, new)
                for row in rows
                for step, (old, new) in enumerate(
                    (("Talk", "Offer"), ("Offer", row[4]))
                )
                if row[8] is None or row[8] >= row[7].date() + timedelta(days=step + 1)
            ],
        ),
        "stage": table(
            stage | {"is_proposal": FLAG, "default_probability": NUMBER},
            [
                ("Sales", "Talk", 0, "open", False, 0.2),
                ("Sales", "Offer", 1, "open", True, 0.5),
                ("Sales", "Won", 2, "won", True, 1.0),
                ("Sales", "Lost", 3, "lost", True, 0.0),
            ],
        ),
        "enquiry": table(
            enquiry | {"segment": TEXT, "status": TEXT, "first_response_at": MOMENT},
            [
                (
                    *(
                        f"E{at:02}",
                        moment(at * 5),
                        f"O{at:03}" if at % 4 == 0 else None,
                    ),
                    *(("food", "media")[at % 2], "new"),
                    moment(at * 5) + timedelta(hours=at) if at % 3 else None,
                )
                for at in range(48)
            ],
        ),
    }


def _work() -> Tables:
    activity = {"activity_id": TEXT, "account_id": TEXT, "opportunity_id": TEXT}
    activity |= {"occurred_at": MOMENT, "kind": TEXT, "direction": TEXT}
    effort = {"account_id": TEXT, "worked_on": DAY, "minutes": NUMBER, "kind": TEXT}
    effort |= {"role": TEXT, "opportunity_id": TEXT, "project_id": TEXT}
    project = {"project_id": TEXT, "account_id": TEXT, "kind": TEXT, "status": TEXT}
    project |= {"role": TEXT, "hours_spent": NUMBER, "hours_to_finish": NUMBER}
    return {
        "activity": table(
            activity | {"status": TEXT, "minutes": NUMBER, "owner_id": TEXT},
            [
                (
                    *(f"T{at:03}", ACCOUNTS[at % 16], f"O{at % 160:03}"),
                    *(moment(at), ("call", "mail")[at % 2], ("out", "in")[at % 3 % 2]),
                    *("held", 10.0 + at % 50, f"U{at % 3}"),
                )
                for at in range(400)
            ],
        ),
        "effort": table(
            effort | {"product_id": TEXT},
            [
                (
                    *(ACCOUNTS[at % 16], day(at), 30.0 + at % 300),
                    *(
                        ("build", "care", "innovation")[at % 3],
                        ("sales", "care")[at % 2],
                    ),
                    *(f"O{at % 160:03}" if at % 3 else None, f"J{at % 8}"),
                    f"P{at % 3}",
                )
                for at in range(480)
            ],
        ),
        "project": table(
            project | {"expected_contribution": NUMBER, "started_on": DAY},
            [
                (
                    *(f"J{at}", ACCOUNTS[at], ("innovation", "site")[at % 2]),
                    *(("parked", "running")[at % 2], ("sales", "care")[at % 2]),
                    *(20.0 + at, 8.0 + at, 900.0 + at, date(2025, 1 + at, 3)),
                )
                for at in range(8)
            ],
        ),
    }


def _said() -> Tables:
    rating = {"account_id": TEXT, "criterion": TEXT, "value": NUMBER}
    contract = {"contract_id": TEXT, "account_id": TEXT, "starts_on": DAY}
    contract |= {"ends_on": DAY, "amount_per_year": NUMBER, "auto_renews": FLAG}
    ticket = {"ticket_id": TEXT, "opened_at": MOMENT, "account_id": TEXT}
    event = {"event_id": TEXT, "from_on": DAY, "to_on": DAY, "label": TEXT}
    return {
        "rating": table(
            rating | {"rated_by": TEXT, "rated_on": DAY},
            [
                (each, criterion, float(at * 3 % 11), f"U{at % 3}", date(2026, 3, 1))
                for at, each in enumerate(ACCOUNTS[::2])
                for criterion in CRITERIA
            ],
        ),
        "contract": table(
            contract,
            [
                (
                    *(f"C{at}", each, date(2024, 7, 1)),
                    *(AS_OF + timedelta(days=25 * at - 20), 1_000.0 + at, at % 3 == 0),
                )
                for at, each in enumerate(ACCOUNTS[:8])
            ],
        ),
        "ticket": table(
            ticket
            | {"closed_at": MOMENT, "is_escalated": FLAG, "satisfaction": NUMBER},
            [
                (
                    *(f"S{at:02}", moment(at * 11), ACCOUNTS[at % 16]),
                    *(moment(at * 11) + timedelta(hours=30), at % 6 == 0, at % 5 + 1.0),
                )
                for at in range(60)
            ],
        ),
        "event": table(
            event | {"amount": NUMBER, "kind": TEXT},
            [
                ("V0", date(2025, 9, 1), date(2025, 9, 30), "Fire", -500.0, "shock"),
                ("V1", date(2026, 2, 1), None, "Fair", None, "story"),
            ],
        ),
    }


def made(tables: Mapping[str, pa.Table], **said: Any) -> Portfolio:
    frames: dict[str, Any] = dict(tables)
    return Portfolio.from_frames(
        as_of=AS_OF, currency="EUR", calendar=Calendar(ZONE), **frames, **said
    )


@pytest.fixture(scope="session")
def tables() -> Tables:
    return whole_tables()


@pytest.fixture(scope="session")
def whole(tables: Tables) -> Portfolio:
    return made(tables)


@pytest.fixture(scope="session")
def settings() -> Settings:
    return SETTINGS


@pytest.fixture(scope="session")
def make_book() -> Callable[[Mapping[str, pa.Table]], Portfolio]:
    return made
