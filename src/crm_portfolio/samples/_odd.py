"""Which oddities does every real CRM hold, in as few rows as will do?"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Final

import pyarrow as pa

from crm_portfolio.schema import TableName

__all__ = ["odd_book"]

_LONG: Final = 'Grüße, "quoted"\r\n;,\t' + "x" * 32_000
_BORN: Final = date(2023, 1, 2)


def odd_book() -> dict[TableName, pa.Table]:
    """Model tables of about twenty accounts and opportunities, none of them ordinary.

    Accounts without opportunities, parents in a circle and in four levels, persons, equal
    names with other domains, names beyond Latin, a text of 32,000 characters, columns
    called as words of SQL; opportunities with no account, one, and three of which one or
    none is the primary (``account_ids``), in three currencies with dated rates, worth
    nothing, less and nobody knows what, lost for a reason, in free words and for none,
    closed in the future; one company in two pipelines whose stages share a name; a stage
    that had another name; owners who left.
    """
    return {
        "account": _accounts(),
        "opportunity": _opportunities(),
        "stage": _stages(),
        "owner": pa.table(
            {
                "owner_id": ["u1", "u2", "u3"],
                "name": ["Ann Able", "Bo", "渡辺 一郎"],
                "is_active": [True, False, True],
            }
        ),
        "activity": _activities(),
        "opportunity_change": _changes(),
        "exchange_rate": _rates(),
    }


# fmt: off
_ACCOUNTS: Final = (
    # id, name, parent, domain, segment, person, order
    ("a01", "Acme", None, "acme.example", "Banking", False, "1"),
    ("a02", "Acme", None, "acme.other.example", "Banking", False, "2"),
    ("a03", "東京商事株式会社", "a01", None, None, False, None),
    ("a04", "شركة النور", "a03", "nour.example", "Retail; wholesale", False, "group by"),
    ("a05", "Ω & \"Söhne\" <GmbH>", "a04", None, "Retail", False, "NA"),
    ("a06", "Round", "a07", None, None, False, None),
    ("a07", "Trip", "a06", None, None, False, None),
    ("a08", "Self", "a08", None, None, False, None),
    ("a09", "Nobody Buys", None, "nobody.example", "Retail", False, None),
    ("a10", "A Person", None, None, None, True, None),
    ("a11", " padded ", "gone", None, "", False, ""),
    ("a12", "=1+1", None, "xn--bcher-kva.example", "Banking", False, "null"),
)
_OPPORTUNITIES: Final = (
    # id, account, all accounts, stage, pipeline, status, amount, currency, closed, reason
    ("o01", "a01", "a01", "Won", "Sales", "won", 1000.25, "EUR", date(2024, 5, 1), None),
    ("o02", "a01", "a01;a02;a03", "Won", "Sales", "won", 2000.10, "USD", date(2024, 6, 3), None),
    ("o03", None, "a01;a02;a03", "Offer", "Sales", "open", 300.0, "EUR", None, None),
    ("o04", None, None, "Offer", "Sales", "open", None, "EUR", None, None),
    ("o05", "a02", "a02", "Lost", "Sales", "lost", 50.0, "JPY", date(2024, 2, 29), "price"),
    ("o06", "a02", "a02", "Lost", "Sales", "lost", 0.0, "JPY", date(2025, 3, 30), None),
    ("o07", "a03", "a03", "Lost", "Sales", "lost", -75.5, "EUR", date(2025, 7, 1), "they said: \"no\";\nnever again"),
    ("o08", "a03", "a03", "Lost", "Sales", "lost", 12.0, "EUR", date(2025, 8, 1), "PRICE_OLD"),
    ("o09", "a04", "a04", "Won", "Sales", "won", 99.99, "USD", date(2099, 1, 1), None),
    ("o10", "a01", "a01", "Offer", "Renewals", "open", 500.0, "EUR", None, None),
    ("o11", "a01", "a01", "Renewed", "Renewals", "won", 450.0, "USD", date(2025, 12, 31), None),
    ("o12", "gone", "gone", "Offer", "Sales", "open", 1e12, "JPY", None, None),
    ("o13", "a12", "a12", "Won", "Sales", "won", 0.01, "EUR", date(2024, 12, 31), None),
    ("o14", "a10", "a10", "Offer", "Sales", "open", 7.0, None, None, None),
)
# fmt: on


def _accounts() -> pa.Table:
    ids, names, parents, domains, segments, persons, orders = _turned(_ACCOUNTS)
    count = len(ids)
    return pa.table(
        {
            "account_id": ids,
            "name": names,
            "parent_id": parents,
            "owner_id": ["u1", "u2", "u3"] * (count // 3),
            "segment": segments,
            "domain": domains,
            "created_on": pa.array([_BORN] * count, pa.date32()),
            "is_person": persons,
            "description": [_LONG, *[None] * (count - 1)],
            "order": orders,
            "select": pa.array(range(count), pa.int64()),
        }
    )


def _opportunities() -> pa.Table:
    columns = (
        "opportunity_id", "account_id", "account_ids", "stage", "pipeline", "status",
        "original_amount", "currency", "closed_on", "loss_reason",
    )  # fmt: skip
    table = dict(zip(columns, _turned(_OPPORTUNITIES), strict=True))
    count = len(_OPPORTUNITIES)
    return pa.table(
        {
            **table,
            "closed_on": pa.array(table["closed_on"], pa.date32()),
            "name": [f"Deal {number}\n№{number}" for number in range(count)],
            "owner_id": ["u1", "u2"] * (count // 2),
            "created_at": pa.array(
                [datetime(2023, 6, 1, 23, 30, tzinfo=UTC)] * count,
                pa.timestamp("us", "UTC"),
            ),
            "expected_close_on": pa.array(
                [None if row[8] else date(2026, 9, 30) for row in _OPPORTUNITIES],
                pa.date32(),
            ),
        }
    )


def _stages() -> pa.Table:
    rows = (
        ("Sales", "Offer", 1, "open", 0.4),
        ("Sales", "Won", 2, "won", 1.0),
        ("Sales", "Lost", 3, "lost", 0.0),
        ("Renewals", "Offer", 1, "open", 0.9),
        ("Renewals", "Renewed", 2, "won", 1.0),
        ("Renewals", "Ended", 3, "lost", 0.0),
    )
    names = ("pipeline", "stage", "position", "status", "default_probability")
    return pa.table(dict(zip(names, _turned(rows), strict=True)))


def _activities() -> pa.Table:
    rows = (
        ("c1", "call", "a01", None, "out", "held", 12.5),
        ("c2", "meeting", "a01", "o01", "in", "held", 60.0),
        ("c3", "email", "a02", "o02", "in", "held", None),
        ("c4", "meeting", "a01", None, None, "open", 30.0),
        ("c5", "task", "a03", None, None, "open", None),
        ("c6", "call", None, "o03", "in", "cancelled", None),
        ("c7", None, "gone", None, None, None, None),
    )
    names = (
        "activity_id",
        "kind",
        "account_id",
        "opportunity_id",
        "direction",
        "status",
        "minutes",
    )
    moments = [datetime(2025, month, 28, 9, 30, tzinfo=UTC) for month in range(1, 8)]
    moments[3] = datetime(2027, 1, 4, 9, tzinfo=UTC)
    return pa.table(
        {
            **dict(zip(names, _turned(rows), strict=True)),
            "occurred_at": pa.array(moments, pa.timestamp("us", "UTC")),
            "owner_id": ["u1"] * len(rows),
        }
    )


def _changes() -> pa.Table:
    rows = (
        ("o01", datetime(2023, 9, 1, tzinfo=UTC), "stage", "Quote sent", "Offer"),
        ("o01", datetime(2024, 5, 1, tzinfo=UTC), "stage", "Offer", "Won"),
        ("o02", datetime(2024, 1, 1, tzinfo=UTC), "amount", "1500", "2000.1"),
        ("o05", datetime(2024, 2, 29, tzinfo=UTC), "stage", "Offer", "Lost"),
    )
    names = ("opportunity_id", "changed_at", "field", "old", "new")
    return pa.table(dict(zip(names, _turned(rows), strict=True)))


def _rates() -> pa.Table:
    rows = (
        ("USD", "EUR", date(2023, 1, 1), 0.9),
        ("USD", "EUR", date(2024, 6, 1), 0.95),
        ("JPY", "EUR", date(2023, 1, 1), 0.006),
        ("JPY", "EUR", date(2025, 1, 1), 0.0065),
    )
    names = ("currency", "base", "from_on", "rate")
    return pa.table(dict(zip(names, _turned(rows), strict=True)))


def _turned(rows: tuple[tuple[Any, ...], ...]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
