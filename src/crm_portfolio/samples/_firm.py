"""What does a client portfolio look like when every figure can be checked by hand?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import attrs
import pyarrow as pa

from crm_portfolio._frames import from_arrow
from crm_portfolio.portfolio import Portfolio

if TYPE_CHECKING:
    from crm_portfolio._frames import Backend

__all__ = ["firm"]

_AS_OF = date(2026, 6, 30)
_LAST_YEAR = (
    date(2024, 8, 14),
    date(2024, 11, 14),
    date(2025, 2, 14),
    date(2025, 5, 14),
)
_THIS_YEAR = (
    date(2025, 8, 14),
    date(2025, 11, 14),
    date(2026, 2, 16),
    date(2026, 5, 14),
)


@attrs.frozen
class _Account:
    """One invented account and what it was invoiced, quarter by quarter."""

    account_id: str
    name: str
    segment: str
    country: str
    created_on: date
    last_year: tuple[int, ...]
    this_year: tuple[int, ...]
    parent_id: str | None = None
    owner_id: str = "U1"


# fmt: off
_ACCOUNTS = (
    # id, name, segment, country, since, invoiced a year before, and this year
    _Account("A01", "Aster Foods", "food", "FR", date(2016, 3, 1),
             (50_000, 55_000, 55_000, 60_000), (60_000, 60_000, 65_000, 75_000)),
    _Account("A02", "Borealis Holding", "industry", "SE", date(2018, 9, 3),
             (5_000, 5_000, 5_000, 5_000), (5_000, 5_000, 5_000, 5_000)),
    _Account("A03", "Borealis Nord", "industry", "SE", date(2019, 1, 14),
             (15_000, 15_000, 15_000, 15_000), (15_000, 15_000, 20_000, 20_000), "A02"),
    _Account("A04", "Borealis Süd", "industry", "DE", date(2019, 6, 3),
             (20_000, 20_000, 15_000, 15_000), (15_000, 15_000, 15_000, 15_000), "A02"),
    _Account("A05", "Cobalt Machines", "industry", "DE", date(2017, 5, 2),
             (30_000, 25_000, 25_000, 20_000), (26_000, 24_000, 24_000, 24_000), owner_id="U2"),
    _Account("A06", "Delta Shipping", "transport", "NL", date(2015, 11, 9),
             (20_000, 20_000, 20_000, 20_000), (24_000, 24_000, 24_000, 24_000), owner_id="U2"),
    _Account("A07", "Ember Energy", "energy", "FR", date(2021, 2, 1),
             (18_000, 18_000, 20_000, 20_000), (23_000, 23_000, 23_000, 23_000), owner_id="U2"),
    _Account("A08", "Fjord Optics", "health", "NO", date(2020, 10, 5),
             (22_000, 22_000, 22_000, 22_000), (22_000, 22_000, 22_000, 22_000), owner_id="U2"),
    _Account("A09", "Granite Build", "construction", "BE", date(2018, 1, 8),
             (40_000, 30_000, 30_000, 20_000), (21_000, 21_000, 21_000, 21_000), owner_id="U3"),
    _Account("A10", "Heron Print", "media", "FR", date(2019, 4, 1),
             (20_000, 20_000, 20_000, 20_000), (20_000, 20_000, 20_000, 20_000), owner_id="U3"),
    _Account("A11", "Iris Labs", "health", "CH", date(2026, 4, 20),
             (0, 0, 0, 0), (0, 0, 0, 62_000), owner_id="U3"),
    _Account("A12", "Juniper Retail", "retail", "ES", date(2017, 7, 3),
             (15_000, 10_000, 10_000, 10_000), (8_000, -6_000, -12_000, 0), owner_id="U3"),
    _Account("A13", "Kestrel Media", "media", "GB", date(2016, 8, 22),
             (9_000, 9_000, 4_000, 0), (0, 0, 0, 0), owner_id="U4"),
)

_OPPORTUNITIES = (
    # account, name, owner, stage, status, amount, created, closed, expected
    ("A01", "Aster cold chain", "U1", "Won", "won", 120_000, "2025-09-02", "2025-12-10", None),
    ("A01", "Aster second site", "U1", "Proposal", "open", 90_000, "2026-04-07", None, "2026-09-30"),
    ("A03", "Nord spare parts", "U1", "Won", "won", 25_000, "2025-11-03", "2026-01-20", None),
    ("A04", "Süd retrofit", "U1", "Lost", "lost", 40_000, "2025-10-06", "2026-02-27", None),
    ("A05", "Cobalt service plan", "U2", "Won", "won", 48_000, "2025-06-16", "2025-07-25", None),
    ("A06", "Delta fleet 2027", "U2", "Qualified", "open", None, "2026-05-18", None, "2026-12-15"),
    ("A07", "Ember metering", "U2", "Won", "won", 60_000, "2025-08-25", "2025-11-28", None),
    ("A08", "Fjord calibration", "U2", "Lost", "lost", 30_000, "2026-01-12", "2026-03-31", None),
    ("A09", "Granite crane hire", "U3", "Lost", "lost", 75_000, "2025-07-07", "2025-10-17", None),
    ("A10", "Heron renewal", "U3", "Proposal", "open", 80_000, "2026-06-01", None, "2026-07-31"),
    ("A11", "Iris start", "U3", "Won", "won", 62_000, "2026-04-20", "2026-05-12", None),
    ("A12", "Juniper return", "U3", "Lost", "lost", 20_000, "2025-12-01", "2026-01-30", None),
)
# fmt: on

_STAGES = (
    ("Qualified", 1, "open", False, 0.2),
    ("Proposal", 2, "open", True, 0.5),
    ("Won", 3, "won", False, 1.0),
    ("Lost", 4, "lost", False, 0.0),
)

_OWNERS = (
    ("U1", "Camille Arnaud", True),
    ("U2", "Jonas Lindqvist", True),
    ("U3", "Nour Haddad", True),
    ("U4", "Piet de Vries", False),
)


def firm(*, backend: Backend = "pandas") -> Portfolio:
    """An invented firm of 13 accounts, closed at 30 June 2026, in EUR.

    In the last twelve months (1 July 2025 to 30 June 2026) it booked 1,000,000 net:

    - ``A01`` Aster Foods is 260,000, 26 %: the firm is dependent on it.
    - ``A02`` Borealis Holding with ``A03`` Nord and ``A04`` Süd is 150,000, 15 %: a
      major group, though each of the three is below 10 % (2, 7 and 6 %).
    - ``A05`` to ``A10`` are 98,000, 96,000, 92,000, 88,000, 84,000 and 80,000.
    - ``A11`` Iris Labs is new: 62,000, its first line is of 14 May 2026.
    - ``A12`` Juniper Retail has more credit notes than invoices: −10,000.
    - ``A13`` Kestrel Media is dormant: its last line is of February 2025.

    Twelve accounts have a line in the period; the positive ones add up to 1,010,000.
    In four slices, tier A is ``A01``, B ``A05`` and ``A06``, C ``A07`` to ``A09``, and
    D ``A10`` and the Borealis group.
    Of 12 opportunities 5 are won (315,000), 4 lost and 3 open, one without an amount.
    """
    tables = {
        "account": _account(),
        "opportunity": _opportunity(),
        "owner": _columns(_OWNERS, ("owner_id", "name", "is_active")),
        "revenue_line": _revenue_line(),
        "stage": _stage(),
    }
    frames = {name: from_arrow(table, backend) for name, table in tables.items()}
    return Portfolio.from_frames(as_of=_AS_OF, currency="EUR", **frames)


def _columns(rows: tuple[tuple[object, ...], ...], names: tuple[str, ...]) -> pa.Table:
    columns = zip(*rows, strict=True)
    return pa.table({name: list(c) for name, c in zip(names, columns, strict=True)})


def _account() -> pa.Table:
    columns = ("account_id", "name", "parent_id", "owner_id", "segment", "country")
    table = pa.table({c: [getattr(a, c) for a in _ACCOUNTS] for c in columns})
    created = pa.array([a.created_on for a in _ACCOUNTS], pa.date32())
    return table.append_column("created_on", created)


def _lines() -> Iterator[tuple[str, date, float, str]]:
    for account in _ACCOUNTS:
        days = (*_LAST_YEAR, *_THIS_YEAR)
        amounts = (*account.last_year, *account.this_year)
        for day, amount in zip(days, amounts, strict=True):
            if amount:
                kind = "invoice" if amount > 0 else "credit_note"
                yield account.account_id, day, float(amount), kind


def _revenue_line() -> pa.Table:
    lines = tuple(_lines())
    table = _columns(lines, ("account_id", "booked_on", "amount", "kind"))
    ids = [f"L{number:03d}" for number in range(1, len(lines) + 1)]
    return table.add_column(0, "line_id", [ids])


def _opportunity() -> pa.Table:
    columns = ("account_id", "name", "owner_id", "stage", "status", "amount")
    table = _columns(tuple(row[:6] for row in _OPPORTUNITIES), columns)
    count = len(_OPPORTUNITIES)
    created = [
        datetime.fromisoformat(row[6]).replace(tzinfo=UTC) for row in _OPPORTUNITIES
    ]
    later = {
        "closed_on": [_day(row[7]) for row in _OPPORTUNITIES],
        "expected_close_on": [_day(row[8]) for row in _OPPORTUNITIES],
    }
    return pa.table(
        {
            "opportunity_id": [f"O{number:02d}" for number in range(1, count + 1)],
            **{name: table[name] for name in table.column_names},
            "amount": table["amount"].cast(pa.float64()),
            "pipeline": ["default"] * count,
            "created_at": pa.array(created, pa.timestamp("us", "UTC")),
            **{name: pa.array(days, pa.date32()) for name, days in later.items()},
        }
    )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _stage() -> pa.Table:
    columns = ("stage", "position", "status", "is_proposal", "default_probability")
    table = _columns(_STAGES, columns)
    return table.add_column(0, "pipeline", [["default"] * len(_STAGES)])
