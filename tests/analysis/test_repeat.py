"""Purchases after the first, and contracts that run, counted again by hand."""

from __future__ import annotations

import random
from datetime import date, timedelta

import polars as pl
import pyarrow as pa
import pytest

from crm_portfolio._frames import from_arrow
from crm_portfolio.analysis import _facts
from crm_portfolio.analysis._facts._days import by_day
from crm_portfolio.analysis._facts._lines import as_lines

BACKENDS = ["pandas", "polars", "lazy", "pyarrow", "duckdb"]
ACCOUNTS = [f"A{at}" for at in range(6)]
START, END = date(2025, 7, 1), date(2026, 7, 1)


def native(table: pa.Table, backend: str):
    return (
        pl.from_arrow(table).lazy() if backend == "lazy" else from_arrow(table, backend)
    )


def drawn(seed: int, count: int = 300):
    chance = random.Random(seed)
    for _ in range(count):
        yield (
            chance.choice([*ACCOUNTS, None]),
            date(2024, 5, 1) + timedelta(days=chance.randrange(820)),
            chance.choice([None, 10.0, 25.55, -10.0, -25.5, 0.0]),
        )


@pytest.mark.parametrize("backend", BACKENDS)
def test_days_after_the_first_and_what_was_bought_on_them(backend):
    rows = list(drawn(3))
    amounts: dict[tuple, list] = {}
    for account, day, amount in rows:
        if account and day < END:
            amounts.setdefault((account, day), []).append(amount)
    bought = {
        key: each for key, each in amounts.items() if None in each or sum(each) > 0
    }
    firsts: dict[str, date] = {}
    for account, day in sorted(bought):
        firsts.setdefault(account, day)
    asked = {each: firsts[each] for each in list(firsts)[:-1]}
    expected = {each: [0, 0, 0] for each in asked}
    for (account, day), amounts in bought.items():
        if account in asked:
            own = expected[account]
            own[2] += day >= START
            if day > asked[account] and None not in amounts:
                own[0] += 1
                own[1] += round(100 * sum(amounts))
    table = pa.table(
        {
            "line_id": [f"L{at}" for at in range(len(rows))],
            "account_id": pa.array([row[0] for row in rows], pa.string()),
            "booked_on": pa.array([row[1] for row in rows], pa.date32()),
            "amount": pa.array([row[2] for row in rows], pa.float64()),
        }
    )
    since = pa.table(
        {
            "account_id": list(asked),
            "first_on": pa.array(list(asked.values()), pa.date32()),
        }
    )
    lines = as_lines(native(table, backend), "net_revenue", 2).lazy()
    found = _facts.repeat_purchases(by_day(lines), since, start=START, end=END)
    names = ("known_days", "known_minor", "span_days")
    assert expected == {
        row["account_id"]: [row[name] for name in names] for row in found.to_pylist()
    }


@pytest.mark.parametrize("backend", BACKENDS)
def test_contracts_that_run_on_two_days_and_what_they_bring(backend):
    chance = random.Random(8)
    on, before = date(2026, 6, 30), date(2025, 6, 30)
    edges = [on, before, on - timedelta(days=1), before + timedelta(days=1)]
    rows = []
    for at in range(200):
        starts = date(2024, 1, 1) + timedelta(days=chance.randrange(1000))
        ends = chance.choice([None, starts + timedelta(days=chance.randrange(700))])
        ends = chance.choice([ends, *edges])
        renews = chance.choice([True, False, None])
        amount = chance.choice([None, 99.5, 1200.0])
        rows.append((f"C{at}", chance.choice(ACCOUNTS), starts, ends, renews, amount))
    expected = {each: [0] * 5 for each in ACCOUNTS}
    for _, account, starts, ends, renews, amount in rows:

        def runs(day, starts=starts, ends=ends, renews=renews):
            return starts <= day and (renews is True or ends is None or ends >= day)

        own = expected[account]
        own[0] += starts <= on
        own[1] += runs(on)
        own[2] += runs(before)
        if runs(on):
            own[3] += round(100 * (amount or 0))
            own[4] += amount is None
    kinds = {"contract_id": pa.string(), "account_id": pa.string()}
    kinds |= {"starts_on": pa.date32(), "ends_on": pa.date32()}
    kinds |= {"auto_renews": pa.bool_(), "amount_per_year": pa.float64()}
    table = pa.table(
        {
            name: pa.array([row[at] for row in rows], kind)
            for at, (name, kind) in enumerate(kinds.items())
        }
    )
    found = _facts.contract_terms(
        native(table, backend), on=on, before=before, digits=2
    )
    names = ("begun", "running", "ran", "signed", "unsaid")
    assert expected == {
        row["account_id"]: [row[name] for name in names] for row in found.to_pylist()
    }


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_contract_of_which_little_is_said_runs_without_an_end_and_an_amount(backend):
    table = pa.table(
        {"contract_id": ["C"], "account_id": ["A"], "starts_on": [date(2024, 1, 1)]}
    )
    found = _facts.contract_terms(
        native(table, backend), on=END, before=START, digits=2
    ).to_pylist()
    told = {"begun": 1, "running": 1, "ran": 1, "signed": 0, "unsaid": 1}
    assert found == [{"account_id": "A", **told}]
