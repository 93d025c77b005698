"""How do raw columns become the tables of a portfolio?

Cast and checked against the schema, closed at the as-of date, linked, and in one
currency. Every way into a portfolio ends here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._normalise._balance import BALANCE_SCHEMA, closed_balance
from crm_portfolio._normalise._closing import close_books, without_later_accounts
from crm_portfolio._normalise._links import link
from crm_portfolio._normalise._money import convert, currency_of, money_faults
from crm_portfolio._normalise._rows import Tables, numbered, report
from crm_portfolio.errors import SchemaError, SettingsError
from crm_portfolio.schema import (
    OPPORTUNITY,
    TABLES,
    Table,
    TableName,
    faults_of,
    join_faults,
    read,
    stopping,
)

__all__ = ["BALANCE_SCHEMA", "Normalised", "checked_zone", "normalise"]


@attrs.frozen(eq=False)
class Normalised:
    """Clean tables, and what was found on the way.

    Attributes:
        tables: In canonical row order: by key, else by all columns.
        faults: Rows that were left out, or kept although something is wrong.
        balance: Per table and currency, in minor units:
            ``came_in`` = ``kept`` + ``left_out`` + ``residue``.
    """

    tables: dict[TableName, pa.Table] = attrs.field(repr=False)
    faults: pa.Table = attrs.field(repr=False)
    balance: pa.Table = attrs.field(repr=False)
    currency: str


def normalise(
    raw: Mapping[TableName, pa.Table],
    *,
    as_of: date,
    currency: str | None,
    time_zone: str,
) -> Normalised:
    """Raw columns as clean tables.

    Raises:
        SchemaError: With every fault that stops, at once.
        SettingsError: The currency or the time zone cannot be told.
    """
    if isinstance(as_of, datetime) or not isinstance(as_of, date):
        raise SettingsError("as_of must be a day, as date(2026, 6, 30)")
    checked_zone(time_zone)
    typed, faults = read(raw, time_zone=time_zone)
    code = _settled(currency, typed, faults)
    faults = _checked([faults, *money_faults(_as_numbered(typed), code)])
    before = _as_numbered(typed)
    closed, later = close_books(before, as_of, time_zone)
    converted, rateless = convert(closed, code, as_of)
    known, unknown = without_later_accounts(converted, as_of, time_zone)
    after, dangling = link(known)
    unsaid = _left_unsaid(after)
    faults = _checked([faults, *later, *rateless, *unknown, *dangling, *unsaid])
    balance = closed_balance(before, after, faults, code)
    tables = {name: _in_order(table, TABLES[name]) for name, table in after.items()}
    return Normalised(tables, faults, balance, code)


def checked_zone(time_zone: str) -> None:
    """Nothing, if there is a time zone of that name."""
    try:
        ZoneInfo(time_zone)
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise SettingsError(
            f"there is no time zone {time_zone!r}; write it as 'Europe/Paris' or 'UTC'"
        ) from error


def _settled(currency: str | None, typed: Tables, faults: pa.Table) -> str:
    try:
        return currency_of(currency, typed)
    except SettingsError:
        # Faulty tables may be why no currency was found: they are told first.
        if currency is None:
            _checked([faults])
        raise


def _checked(parts: list[pa.Table]) -> pa.Table:
    faults = join_faults(parts)
    stops = stopping(faults)
    if len(stops):
        raise SchemaError(stops)
    return faults


def _as_numbered(typed: Tables) -> Tables:
    return {name: numbered(table) for name, table in typed.items()}


def _left_unsaid(tables: Tables) -> list[pa.Table]:
    """Opportunities that are counted, although what they are worth is unknown."""
    table = tables.get("opportunity")
    if table is None or not len(table):
        return []
    faults = []
    for status, code in (
        ("open", "open_without_amount"),
        ("won", "won_without_amount"),
    ):
        its = pc.equal(table["status"], status)
        faults += _reported(table, its, "amount", code)
    its = pc.not_equal(table["status"], "open")
    return faults + _reported(table, its, "closed_on", "closed_without_day")


def _reported(
    table: pa.Table, mask: pa.ChunkedArray, column: str, code: str
) -> list[pa.Table]:
    if column not in table.column_names:
        absent = pc.any(mask).as_py()
        return [faults_of("opportunity", column, code)] if absent else []
    mask = pc.and_(mask, table[column].is_null())
    return [report(table, OPPORTUNITY, column, code, mask, shown="opportunity_id")]


def _in_order(table: pa.Table, spec: Table) -> pa.Table:
    names = [name for name in spec.names if name in table.column_names]
    keys = [(name, "ascending") for name in (spec.key or names)]
    return table.sort_by(keys).select(names).combine_chunks()
