"""Small portfolios for the tests of the analyses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from crm_portfolio._frames import Backend, from_arrow
from crm_portfolio.portfolio import Portfolio

AS_OF = date(2026, 6, 30)
Line = tuple[str | None, date | None, float | None]


def account_table(accounts: Iterable[str | Mapping[str, Any]]) -> pa.Table:
    rows = [
        {"account_id": each} if isinstance(each, str) else dict(each)
        for each in accounts
    ]
    names = {name: None for row in rows for name in row} or {"account_id": None}
    days = {"tier_since_on", "tier_pinned_until_on"}
    kinds = {name: pa.date32() if name in days else pa.string() for name in names}
    return pa.table(
        {
            name: pa.array([row.get(name) for row in rows], kind)
            for name, kind in kinds.items()
        }
    )


def line_table(lines: Iterable[Line]) -> pa.Table:
    rows = list(lines)
    return pa.table(
        {
            "line_id": pa.array([f"L{at:05}" for at in range(len(rows))], pa.string()),
            "account_id": pa.array([account for account, _, _ in rows], pa.string()),
            "booked_on": pa.array([day for _, day, _ in rows], pa.date32()),
            "amount": pa.array([amount for _, _, amount in rows], pa.float64()),
        }
    )


def opportunity_table(lines: Iterable[Line], status: str = "won") -> pa.Table:
    rows = list(lines)
    return pa.table(
        {
            "opportunity_id": pa.array(
                [f"O{at:05}" for at in range(len(rows))], pa.string()
            ),
            "account_id": pa.array([account for account, _, _ in rows], pa.string()),
            "status": pa.array([status] * len(rows), pa.string()),
            "closed_on": pa.array([day for _, day, _ in rows], pa.date32()),
            "amount": pa.array([amount for _, _, amount in rows], pa.float64()),
        }
    )


def turned(table: pa.Table) -> pa.Table:
    """The same rows, the last one first."""
    return table.take(pa.array(range(table.num_rows)[::-1], pa.int64()))


@pytest.fixture
def invoiced() -> Callable[..., Portfolio]:
    """A portfolio of revenue lines: ``invoiced(accounts, lines)``."""

    def make(
        accounts: Iterable[str | Mapping[str, Any]],
        lines: Iterable[Line],
        *,
        as_of: date = AS_OF,
        currency: str = "EUR",
        backend: Backend = "pyarrow",
    ) -> Portfolio:
        return Portfolio.from_frames(
            as_of=as_of,
            currency=currency,
            account=from_arrow(account_table(accounts), backend),
            revenue_line=from_arrow(line_table(lines), backend),
        )

    return make


@pytest.fixture
def booked() -> Callable[..., Portfolio]:
    """A portfolio of opportunities won: ``booked(accounts, lines)``."""

    def make(
        accounts: Iterable[str | Mapping[str, Any]],
        lines: Iterable[Line],
        *,
        as_of: date = AS_OF,
        backend: Backend = "pyarrow",
        status: str = "won",
        is_turned: bool = False,
    ) -> Portfolio:
        tables = [account_table(accounts), opportunity_table(lines, status)]
        if is_turned:
            tables = [turned(each) for each in tables]
        return Portfolio.from_frames(
            as_of=as_of,
            currency="EUR",
            account=from_arrow(tables[0], backend),
            opportunity=from_arrow(tables[1], backend),
        )

    return make


@pytest.fixture
def yearly(invoiced: Callable[..., Portfolio]) -> Callable[..., Portfolio]:
    """Old accounts with one amount each in the last year: ``yearly({"A": 400, …})``."""

    def make(amounts: Mapping[str, float], **parents: str) -> Portfolio:
        accounts = [
            {"account_id": each, "parent_id": parents.get(each)} for each in amounts
        ]
        # A cent and its reversal two years ago make the accounts old without revenue.
        old = [
            (each, date(2024, 1, 5), sign) for each in amounts for sign in (0.01, -0.01)
        ]
        now = [(each, date(2026, 1, 15), amount) for each, amount in amounts.items()]
        return invoiced(accounts, [*old, *now])

    return make
