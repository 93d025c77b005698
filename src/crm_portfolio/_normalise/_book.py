"""How does one table after the other become clean, a few rows at a time?

Rates come first, then the accounts and opportunities, then what belongs to them; the
accounts are written last, for by then it is known which of them other rows name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Final, Protocol

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._normalise._accounts import Accounts
from crm_portfolio._normalise._balance import Balance
from crm_portfolio._normalise._closing import close_rows, is_later
from crm_portfolio._normalise._links import SPAN_ORDER, link_rows, with_spans
from crm_portfolio._normalise._log import FaultLog, left_out_rows
from crm_portfolio._normalise._money import (
    Rates,
    convert_rows,
    money_faults,
    rated_currencies,
)
from crm_portfolio._normalise._opportunities import Opportunities
from crm_portfolio._normalise._reading import typed_rows
from crm_portfolio._normalise._rows import ROW, report
from crm_portfolio._normalise._runs import Room
from crm_portfolio._normalise._sorting import Sorter, in_order
from crm_portfolio._normalise._streams import Stream
from crm_portfolio.schema import (
    ACCOUNT,
    OPPORTUNITY,
    TABLES,
    Table,
    TableName,
    arrow_type,
    faults_of,
)

__all__ = ["Book", "Opener", "Writer"]

_BEGIN: Final = ("exchange_rate", "account", "opportunity")


class Writer(Protocol):
    """Takes the rows of one table in their order."""

    def write(self, table: pa.Table) -> None: ...


class Opener(Protocol):
    """Makes a writer; that of a name that has one already takes its place."""

    def __call__(self, name: str, schema: pa.Schema) -> Writer: ...


class _NewColumnsError(Exception):
    """Rows need columns that the rows before them did not have: begin again."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__(names)
        self.names = names


@attrs.frozen(eq=False)
class Book:
    """The tables of one portfolio, on their way.

    Attributes:
        currency: What amounts are converted to.
        opened: Makes the writer of a clean table.
        rated: The currencies that have a rate, be it of a later day.
    """

    as_of: date
    currency: str
    time_zone: str
    room: Room
    opened: Opener
    log: FaultLog
    balance: Balance
    rated: set[str] = attrs.field(factory=set, init=False)
    opportunities: Opportunities = attrs.field(factory=Opportunities, init=False)

    def close(self, raw: Mapping[TableName, Stream]) -> None:
        """Read, check, close, convert, link and write all of them.

        Raises:
            SchemaError: With every fault that stops, at once.
        """
        order = [*(n for n in _BEGIN if n in raw), *(n for n in raw if n not in _BEGIN)]
        accounts = Accounts(self.room.run())
        self.opportunities.are_wanted = _name_opportunities(raw)
        exchange: list[pa.Table] | None = [] if "exchange_rate" in raw else None
        rates: Rates | None = None
        for name in order:
            if name != "exchange_rate" and rates is None:
                rates = self._rates(exchange)
            if name == "account":
                self._read_accounts(raw[name], accounts)
            else:
                self._table(raw[name], TABLES[name], accounts, rates, exchange)
        self.log.check()
        self._write_accounts(accounts, rates or self._rates(None), raw["account"])
        self.log.check()

    def _rates(self, exchange: list[pa.Table] | None) -> Rates:
        table = pa.concat_tables(exchange) if exchange else None
        return Rates(table, self.currency, self.as_of)

    def _typed(self, spec: Table, stream: Stream) -> Iterator[pa.Table]:
        for rows in typed_rows(spec, stream, self.time_zone, self.log):
            if spec.name == "exchange_rate":
                self.rated.update(rated_currencies(rows, self.currency))
            self.log.add(money_faults(rows, spec, self.currency, rated=self.rated))
            yield rows

    def _table(
        self,
        stream: Stream,
        spec: Table,
        accounts: Accounts,
        rates: Rates | None,
        kept: list[pa.Table] | None,
    ) -> None:
        """Every table but that of the accounts; ``kept`` takes the exchange rates."""
        extra: frozenset[str] = frozenset()
        while True:
            try:
                rows = self._clean(spec, stream, accounts, rates, extra)
                for table in self._written(spec, stream, rows):
                    if rates is None and kept is not None:
                        kept.append(table)
                    if spec.name == "opportunity":
                        self.opportunities.add(table["opportunity_id"])
            except _NewColumnsError as found:
                extra |= found.names
                self.log.forget(spec.name)
                self.balance.forget(spec.name)
                if spec.name == "opportunity":
                    self.opportunities.forget()
            else:
                return

    def _clean(
        self,
        spec: Table,
        stream: Stream,
        accounts: Accounts,
        rates: Rates | None,
        extra: frozenset[str],
    ) -> Iterator[pa.Table]:
        known: frozenset[str] | None = None
        for rows in self._typed(spec, stream):
            if self.log.has_stops:
                continue
            table, faults = close_rows(rows, spec, self.as_of, self.time_zone)
            if rates is not None:
                table, rateless = convert_rows(table, spec, rates)
                faults += rateless
            table = _with_columns(table, spec, known or extra)
            known = known or frozenset(table.column_names)
            if new := frozenset(table.column_names) - known:
                raise _NewColumnsError(new)
            if rates is not None:
                table, dangling = link_rows(table, spec, accounts, self.opportunities)
                faults += dangling
            self.log.add([*faults, *_left_unsaid(table, spec)], late=True)
            self.balance.add(spec.name, rows, table, left_out_rows(faults))
            yield table

    def _written(
        self, spec: Table, stream: Stream, rows: Iterator[pa.Table]
    ) -> Iterator[pa.Table]:
        """The rows in the order of the table, as they were written."""
        writer: Writer | None = None
        for ordered in self._ordered(spec, stream, rows):
            names = [name for name in spec.names if name in ordered.column_names]
            table = ordered.select(names)
            writer = writer or self.opened(spec.name, table.schema)
            writer.write(table)
            yield table

    def _ordered(
        self, spec: Table, stream: Stream, rows: Iterator[pa.Table]
    ) -> Iterator[pa.Table]:
        if spec.key and stream.is_ordered:
            yield from rows
            return
        first = next(rows, None)
        if first is None:
            return
        names = [name for name in spec.names if name in first.column_names]
        is_history = spec.name == "opportunity_change"
        keys = [name for name in SPAN_ORDER if name in names] if is_history else names
        sorter = Sorter(self.room, spec.key or keys)
        sorter.add(first)
        for table in rows:
            sorter.add(table)
        for table in sorter.sorted():
            if is_history:
                yield in_order(with_spans(table), [*names, "until_at"])
            else:
                yield table

    def _read_accounts(self, stream: Stream, accounts: Accounts) -> None:
        for rows in self._typed(ACCOUNT, stream):
            if not self.log.has_stops:
                later = is_later(rows, ACCOUNT, self.as_of, self.time_zone)
                accounts.add(rows, later)
        accounts.settle()

    def _write_accounts(self, accounts: Accounts, rates: Rates, stream: Stream) -> None:
        def rows() -> Iterator[pa.Table]:
            for table, faults in accounts.closed():
                self.log.add(faults)
                yield convert_rows(table, ACCOUNT, rates)[0]

        for _ in self._written(ACCOUNT, stream, rows()):
            pass


def _name_opportunities(raw: Mapping[TableName, Stream]) -> bool:
    """Whether there are opportunities, and other rows that may do without one name them."""
    return "opportunity" in raw and any(
        column.refers_to == "opportunity"
        and not column.required
        and column.name in stream.names
        for name, stream in raw.items()
        for column in TABLES[name].columns
    )


def _with_columns(table: pa.Table, spec: Table, names: frozenset[str]) -> pa.Table:
    """The table with these columns too, and all in the schema's order."""
    for name in sorted(names - {ROW, *table.column_names}):
        nulls = pa.nulls(len(table), arrow_type(spec[name]))
        table = table.append_column(name, nulls)
    return table.select([n for n in (*spec.names, ROW) if n in table.column_names])


def _left_unsaid(table: pa.Table, spec: Table) -> Iterator[pa.Table]:
    """Opportunities that are counted, although what they are worth is unknown."""
    if spec.name != "opportunity" or not len(table):
        return
    yield from _reported(table, ["open"], "amount", "open_without_amount")
    yield from _reported(table, ["won"], "amount", "won_without_amount")
    yield from _reported(table, ["won", "lost"], "closed_on", "closed_without_day")


def _reported(
    table: pa.Table, statuses: Sequence[str], column: str, code: str
) -> Iterator[pa.Table]:
    if column in table.column_names and not table[column].null_count:
        return
    its = pc.is_in(table["status"], value_set=pa.array(statuses))
    if column not in table.column_names:
        if pc.any(its).as_py():
            yield faults_of("opportunity", column, code)
        return
    mask = pc.and_(its, table[column].is_null())
    yield report(table, OPPORTUNITY, column, code, mask, shown="opportunity_id")
