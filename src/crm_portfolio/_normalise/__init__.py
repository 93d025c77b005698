"""How do raw columns become the tables of a portfolio?

Cast and checked against the schema, closed at the as-of date, linked, and in one
currency. Every way into a portfolio ends here, frames in memory and tables longer than
memory alike: the rows pass a few at a time, and what must be known of all of them is
held as eight bytes a row, or put aside on disk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

import attrs
import pyarrow as pa

from crm_portfolio._normalise._balance import BALANCE_SCHEMA, Balance
from crm_portfolio._normalise._book import Book, Opener, Writer
from crm_portfolio._normalise._closing import is_after, is_later
from crm_portfolio._normalise._keys import hashed
from crm_portfolio._normalise._links import in_chains
from crm_portfolio._normalise._log import FaultLog
from crm_portfolio._normalise._money import (
    MONEY_TABLES,
    checked_currency,
    currencies_in,
    only_currency,
)
from crm_portfolio._normalise._opportunities import Opportunities
from crm_portfolio._normalise._reading import typed_rows
from crm_portfolio._normalise._runs import Disk, Memory, Room
from crm_portfolio._normalise._sorting import (
    Ordered,
    Sorter,
    in_order,
    merged,
)
from crm_portfolio._normalise._streams import Beside, Stream
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.schema import FAULTS, TABLES, TableName, faults_of, read_rows

__all__ = [
    "BALANCE_SCHEMA",
    "Beside",
    "Disk",
    "Memory",
    "Normalised",
    "Opener",
    "Opportunities",
    "Ordered",
    "Room",
    "Sorter",
    "Stream",
    "Told",
    "Writer",
    "checked_currency",
    "checked_zone",
    "hashed",
    "in_chains",
    "in_order",
    "is_after",
    "is_later",
    "merged",
    "normalise",
    "normalise_streams",
]


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


@attrs.frozen(eq=False)
class Told:
    """What remains to be said when all tables have been written.

    Attributes:
        counts: How many of each fault and effect, by table.
    """

    currency: str
    counts: Counter[tuple[str, str, str]]


def normalise(
    raw: Mapping[TableName, pa.Table | Stream],
    *,
    as_of: date,
    currency: str | None,
    time_zone: str,
) -> Normalised:
    """Raw columns as clean tables, which are in memory whole.

    Raises:
        SchemaError: With every fault that stops, at once.
        SettingsError: The currency or the time zone cannot be told.
    """
    shelf: dict[str, _Kept] = {}

    def opened(name: str, schema: pa.Schema) -> Writer:
        shelf[name] = _Kept(schema)
        return shelf[name]

    told = normalise_streams(
        {
            name: table if isinstance(table, Stream) else Stream.of(table)
            for name, table in raw.items()
        },
        as_of=as_of,
        currency=currency,
        time_zone=time_zone,
        room=Memory(),
        opened=opened,
    )
    tables = {name: shelf[name].table() for name in raw}
    faults, balance = shelf["faults"].table(), shelf["balance"].table()
    return Normalised(tables, faults, balance, told.currency)


def normalise_streams(
    raw: Mapping[TableName, Stream],
    *,
    as_of: date,
    currency: str | None,
    time_zone: str,
    room: Room,
    opened: Opener,
    found: Iterable[pa.Table] = (),
) -> Told:
    """Raw columns as clean tables, a few rows at a time.

    Args:
        room: Where rows wait for those that come before them.
        opened: Makes the writer of a clean table, and of ``faults`` and ``balance``. A
            table may be begun twice; the second time counts.
        found: Faults that were found before.

    Raises:
        SchemaError: With every fault that stops, at once.
        SettingsError: The currency or the time zone cannot be told.
    """
    if isinstance(as_of, datetime) or not isinstance(as_of, date):
        raise SettingsError("as_of must be a day, as date(2026, 6, 30)")
    checked_zone(time_zone)
    log = FaultLog(room)
    log.add(_names_of_tables(raw))
    known = {name: stream for name, stream in raw.items() if name in TABLES}
    code = _settled(currency, known, log, time_zone)
    book = Book(as_of, code, time_zone, room, opened, log, Balance(code))
    book.close(known)
    log.add(found)
    balance = book.balance.closed()
    _write(opened, "faults", log.tables())
    _write(opened, "balance", iter([balance]))
    return Told(code, log.counts)


def checked_zone(time_zone: str) -> None:
    """Nothing, if there is a time zone of that name."""
    try:
        ZoneInfo(time_zone)
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise SettingsError(
            f"time_zone: there is no time zone {time_zone!r}; "
            "write it as 'Europe/Paris' or 'UTC'"
        ) from error


def _names_of_tables(raw: Mapping[TableName, Stream]) -> Iterator[pa.Table]:
    if "account" not in raw:
        yield faults_of("account", "", "missing_table")
    for name in raw:
        if name not in TABLES:
            hint = FAULTS["unknown_table"].hint + did_you_mean(name, TABLES)
            yield faults_of(name, "", "unknown_table", hint=hint)


def _settled(
    currency: str | None,
    raw: Mapping[TableName, Stream],
    log: FaultLog,
    time_zone: str,
) -> str:
    if currency is not None:
        return checked_currency(currency)
    named = {
        code
        for name in MONEY_TABLES
        if name in raw and raw[name].names.count("currency") == 1
        for rows in raw[name].walk(["currency"])
        for code in currencies_in(read_rows(TABLES[name], rows, time_zone)[0])
    }
    try:
        return only_currency(named)
    except SettingsError:
        # Faulty tables may be why no currency was found: they are told first.
        for name, stream in raw.items():
            for _ in typed_rows(TABLES[name], stream, time_zone, log):
                pass
        log.check()
        raise


def _write(opened: Opener, name: str, tables: Iterator[pa.Table]) -> None:
    first = next(tables)
    writer = opened(name, first.schema)
    writer.write(first)
    for table in tables:
        writer.write(table)


class _Kept:
    """A table that is wanted in memory."""

    def __init__(self, schema: pa.Schema) -> None:
        self._tables = [schema.empty_table()]

    def write(self, table: pa.Table) -> None:
        self._tables.append(table)

    def table(self) -> pa.Table:
        return pa.concat_tables(self._tables).combine_chunks()
