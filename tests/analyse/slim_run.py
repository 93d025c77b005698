"""Analyse slim books of so many accounts each, and tell how much work each analysis was.

Run as a program of its own, so that it can be held to so much memory and CPU: what takes
more ends as a fault of this program, not of the machine.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections import Counter
from datetime import date
from types import FrameType
from typing import Any

import numpy as np
import pyarrow as pa

from crm_portfolio import Portfolio, Settings, analyse
from crm_portfolio.analysis import (
    LossScenarioSettings,
    RevenueAtRiskSettings,
    ReviewSettings,
)

GIGABYTE = 2**30
MEMORY = 16 * GIGABYTE  # of addresses, of which engines reserve more than they use
CPU_SECONDS = 400
WARM = 500
"""So many accounts are analysed first: what is imported or made once is made then."""
AS_OF = date(2026, 6, 30)
FIRST, DAYS = np.datetime64("2023-07-01"), 3 * 365
CHOSEN = Settings(
    loss_scenario=LossScenarioSettings(fixed_costs=1e6, draws=20),
    revenue_at_risk=RevenueAtRiskSettings(draws=20),
    review=ReviewSettings(target=1e6),
)


def named(letter: str, numbers: Any) -> pa.Array:
    return pa.array([f"{letter}{at:07}" for at in numbers])


def tables(accounts: int) -> dict[str, pa.Table]:
    """Two lines of revenue and one of everything else an account, or fewer."""
    chance = np.random.default_rng(5)

    def whose(count: int) -> pa.Array:
        return named("A", chance.integers(0, accounts, count))

    def day(count: int) -> Any:
        return FIRST + chance.integers(0, DAYS, count).astype("timedelta64[D]")

    def moment(days: Any) -> pa.Array:
        return pa.array(days.astype("datetime64[us]"), pa.timestamp("us", "UTC"))

    def amount(count: int) -> Any:
        return np.exp(chance.normal(6, 1, count)).round(2)

    few, twice, one = accounts // 10, 2 * accounts, np.arange(accounts)
    born = day(accounts)
    state = np.array(["won", "lost", "open"])[one % 3]
    ended = np.minimum(born + np.timedelta64(60, "D"), np.datetime64(AS_OF))
    return {
        "account": pa.table(
            {"account_id": named("A", one), "name": named("Firm ", one)}
        ),
        "owner": pa.table(
            {"owner_id": named("W", range(9)), "name": named("W", range(9))}
        ),
        "opportunity": pa.table(
            {
                "opportunity_id": named("O", one),
                "account_id": whose(accounts),
                "owner_id": named("W", one % 9),
                "status": state,
                "amount": amount(accounts),
                "created_at": moment(born),
                "closed_on": pa.array(ended, mask=state == "open"),
                "loss_reason": pa.array(["price"] * accounts, mask=state != "lost"),
            }
        ),
        "activity": pa.table(
            {
                "activity_id": named("E", one),
                "occurred_at": moment(day(accounts)),
                "account_id": whose(accounts),
                "opportunity_id": named("O", chance.permutation(accounts)),
                "kind": pa.array(["call"] * accounts),
                "direction": np.array(["in", "out"])[one % 2],
                "minutes": np.full(accounts, 30.0),
            }
        ),
        "revenue_line": pa.table(
            {
                "line_id": named("L", range(twice)),
                "account_id": whose(twice),
                "booked_on": day(twice),
                "amount": amount(twice),
                "cost": amount(twice) / 4,
                "product_id": named("P", np.arange(twice) % 30),
                "quantity": np.ones(twice),
            }
        ),
        "product": pa.table(
            {
                "product_id": named("P", range(30)),
                "name": named("P", range(30)),
                "is_core": np.arange(30) < 9,
            }
        ),
        "invoice": pa.table(
            {
                "invoice_id": named("I", one),
                "account_id": whose(accounts),
                "issued_on": born,
                "due_on": born + np.timedelta64(30, "D"),
                "amount": amount(accounts),
            }
        ),
        "effort": pa.table(
            {
                "account_id": whose(few),
                "worked_on": day(few),
                "minutes": np.full(few, 60.0),
                "role": pa.array(["sales"] * few),
            }
        ),
        "rating": pa.table(
            {
                "account_id": named("A", range(few)),
                "criterion": pa.array(["relationship"] * few),
                "value": np.arange(few) % 11 * 1.0,
                "rated_by": pa.array(["U1"] * few),
                "rated_on": day(few),
            }
        ),
    }


def run(accounts: int) -> dict[str, Any]:
    """By analysis, with those made for it: lines of Python that were run, and CPU seconds."""
    book = Portfolio.from_frames(
        as_of=AS_OF, currency="EUR", backend="duckdb", **tables(accounts)
    )
    lines: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    making, since = "", time.process_time()

    def within(_frame: FrameType, event: str, _arg: object) -> Any:
        lines[making] += event == "line"
        return within

    def tell(name: str, _done: int, _total: int | None) -> None:
        nonlocal making, since
        now = time.process_time()
        seconds[making] += now - since
        making, since = name, now

    sys.settrace(within)
    found = analyse(book, CHOSEN, progress=tell)
    sys.settrace(None)
    tell("", 0, None)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"made": [*found], "lines": lines, "seconds": seconds, "peak": peak}


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    run(WARM)
    print(json.dumps([run(int(each)) for each in sys.argv[1:]]))
