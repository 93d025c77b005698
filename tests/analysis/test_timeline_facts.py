"""Revenue month by month, and the firm's own events, in every engine."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date, timedelta

import pyarrow as pa
import pytest

from crm_portfolio._frames import BACKENDS, from_arrow
from crm_portfolio.analysis._facts import firm_events, revenue_by_month, revenue_facts
from crm_portfolio.portfolio import Period, Portfolio

AS_OF = date(2026, 6, 17)


def lines() -> list[tuple]:
    draw = random.Random(58)
    return [
        (
            f"L{at}",
            draw.choice(["A", "B", "C", None]),
            date(2024, 1, 1) + timedelta(days=draw.randrange(890)),
            draw.choice([None, draw.randrange(-9000, 90_000) / 100]),
        )
        for at in range(400)
    ]


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_months_are_those_of_a_loop_over_the_lines(backend):
    ids, accounts, days, amounts = zip(*lines(), strict=True)
    table = pa.table(
        {
            "opportunity_id": ids,
            "status": ["won"] * len(ids),
            "account_id": pa.array(accounts, pa.string()),
            "closed_on": days,
            "amount": pa.array(amounts, pa.float64()),
        }
    )
    portfolio = Portfolio.from_frames(
        as_of=AS_OF,
        currency="EUR",
        account=from_arrow(pa.table({"account_id": list("ABC")}), backend),
        opportunity=from_arrow(table, backend),
    )
    facts = revenue_facts(portfolio, Period.last_months(6), None, needed_by="review")
    expected: dict[int, list] = defaultdict(lambda: [0, 0, 0, set()])
    for _, account, day, amount in lines():
        if account is not None and day < date(2026, 6, 1):
            row = expected[day.year * 12 + day.month - 1]
            row[0] += round(100 * (amount or 0))
            row[1] += 1
            row[2] += amount is not None
            row[3].add(account)
    found = revenue_by_month(portfolio, facts).to_pylist()
    assert found == [
        {
            "month": month,
            "minor": minor,
            "lines": count,
            "known_lines": known,
            "accounts": len(who),
        }
        for month, (minor, count, known, who) in sorted(expected.items())
    ]


@pytest.mark.parametrize("backend", BACKENDS)
def test_events_of_the_firm_are_told_from_those_of_an_account(backend):
    events = pa.table(
        {
            "event_id": ["E3", "E2", "E1", "E4", "E5"],
            "from_on": [
                *(date(2026, 1, 5), date(2025, 1, 5), date(2025, 1, 5)),
                *(date(2025, 2, 1), date(2026, 6, 1)),
            ],
            "label": list("cbadx"),
            "kind": ["move", None, "move", "churn", "move"],
            "account_id": pa.array([None, None, None, "A", None], pa.string()),
        }
    )
    frame = from_arrow(events, backend)
    found, aside = firm_events(frame, date(2026, 6, 1), ())
    assert found["event_id"].to_pylist() == ["E1", "E2", "E3"]
    assert found["to_on"].to_pylist() == [None] * 3
    assert aside == 1
    found, aside = firm_events(frame, date(2026, 6, 1), ("churn", "gone"))
    assert found["event_id"].to_pylist() == ["E4"]
    assert aside == 3
