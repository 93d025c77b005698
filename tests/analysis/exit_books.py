"""Small books whose relationships are known by heart."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa

from crm_portfolio._frames import Backend, from_arrow
from crm_portfolio.portfolio import Portfolio

AS_OF = date(2026, 6, 30)
DAY = pa.date32()


def table(rows: list[dict[str, Any]], **kinds: pa.DataType) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=pa.schema(kinds) if kinds else None)


def rating(
    account_id: str,
    criterion: str,
    value: float,
    by: str | None = "U1",
    on: date | None = date(2026, 6, 1),
) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "criterion": criterion,
        "value": value,
        "rated_by": by,
        "rated_on": on,
    }


def ratings(*rows: dict[str, Any]) -> pa.Table:
    kinds = {"account_id": pa.string(), "criterion": pa.string(), "value": pa.float64()}
    return table([*rows], **kinds, rated_by=pa.string(), rated_on=DAY)


OWNERS = pa.table({"owner_id": ["U1", "U2", "U3"]})


def book(*, backend: Backend = "pyarrow", **tables: pa.Table) -> Portfolio:
    """Four old accounts: revenue 1000, 2000, 400 and 600 a year, half of it margin.

    C and D are of one group. A takes 10 hours, B 20 and C 2; of D nobody noted any.
    """
    accounts = ["A", "B", "C", "D"]
    lines = [
        {
            "line_id": f"L{account}{at}",
            "account_id": account,
            "booked_on": day,
            "amount": amount,
            "cost": amount / 2,
        }
        for account, amount in zip(
            accounts, (1000.0, 2000.0, 400.0, 600.0), strict=True
        )
        for at, day in enumerate((date(2024, 1, 10), date(2026, 1, 10)))
    ]
    efforts = [
        {
            "account_id": account,
            "worked_on": date(2026, 2, 1),
            "minutes": 60.0 * hours,
            "role": "help",
        }
        for account, hours in (("A", 10), ("B", 20), ("C", 2))
    ]
    given = {
        "account": pa.table(
            {
                "account_id": accounts,
                "parent_id": pa.array([None, None, None, "C"]),
                "owner_id": ["U1", "U1", "U2", None],
                "segment": ["retail", "retail", "public", None],
            }
        ),
        "revenue_line": table(lines),
        "effort": table(efforts),
        "capacity": pa.table(
            {
                "role": ["help"],
                "from_on": [date(2025, 7, 1)],
                "to_on": [AS_OF],
                "hours": [40.0],
                "cost_per_hour": [20.0],
            }
        ),
        "owner": OWNERS,
    } | tables
    framed = {name: from_arrow(each, backend) for name, each in given.items()}
    return Portfolio.from_frames(as_of=AS_OF, currency="EUR", **framed)
