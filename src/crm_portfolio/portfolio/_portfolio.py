"""What do we know of all accounts at one date?"""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, cast

import attrs
import pyarrow as pa

from crm_portfolio._frames import (
    LAZY,
    Backend,
    NativeFrame,
    backend_of,
    check_backend,
    from_arrow,
)
from crm_portfolio._normalise import Stream, normalise
from crm_portfolio.errors import MissingTableError, SettingsError, did_you_mean
from crm_portfolio.portfolio._at import Then, left_out_by
from crm_portfolio.portfolio._cut import cut
from crm_portfolio.portfolio._draft import Draft, must_be_days
from crm_portfolio.portfolio._header import Header, read_header
from crm_portfolio.portfolio._identity import Contents, content_id
from crm_portfolio.portfolio._laid import (
    SHORT,
    anew,
    held,
    is_long,
    laid,
    place_for,
    taken_up,
)
from crm_portfolio.portfolio._merge import merged_balance, merged_faults
from crm_portfolio.portfolio._period import Calendar
from crm_portfolio.portfolio._place import folder_of, place_of
from crm_portfolio.portfolio._saved import SavedTables, pieces, stream
from crm_portfolio.schema import TABLES, TableName, join_faults, minor_digits

__all__ = ["Portfolio"]


@attrs.frozen(eq=False, repr=False, slots=False)
class Portfolio:
    """Clean, linked tables in one currency, closed at the end of a day. Frozen.

    Make one with ``pull``, ``Portfolio.from_frames`` or ``Portfolio.load``.

    Attributes:
        as_of: The last day known, inclusive.
        backend: The kind of frames it hands out.
        org: The org it was pulled from, as text, or that its replica is a copy of; None
            for frames and files.
    """

    as_of: date
    currency: str
    calendar: Calendar
    backend: Backend
    _tables: Mapping[TableName, pa.Table]
    _told: Mapping[str, pa.Table]
    org: str | None = attrs.field(default=None, kw_only=True)

    @classmethod
    def from_frames(
        cls,
        *,
        as_of: date,
        currency: str | None = None,
        calendar: Calendar = Calendar(),  # noqa: B008 - frozen
        backend: Backend | None = None,
        org: str | None = None,
        into: Path | str | None = None,
        **tables: NativeFrame,
    ) -> Portfolio:
        """A portfolio of your own frames: pandas, Polars, DuckDB, Spark, Ibis and others.

        Lazy frames longer than memory should hold are never taken up: their engine
        writes them to a folder, and what is made of them there is read where it lies.

        Args:
            as_of: The last day known, inclusive; later rows are left out.
            currency: The currency to convert to; None: the only one in the tables.
            calendar: Where a day begins.
            backend: The kind of frames to hand out; None: that of what is too long to be
                taken up, else of ``account``.
            org: The org they came from: a plan for another one is then refused.
            into: The folder to make the portfolio in, as ``save`` would; None: what is
                long goes to a temporary one, which goes with the portfolio.
            tables: One frame for each table, by the names of the schema.

        Raises:
            SchemaError: With every fault that stops, at once.
        """
        long = [name for name, frame in tables.items() if is_long(frame)]
        # What stays where it is has to be handed out there too, whatever the others are.
        first = next((name for name in (*long, "account") if name in tables), None)
        kind = backend or (backend_of(tables[first]) if first else "pyarrow")
        if into is not None or long:
            zone, starts = calendar.time_zone, calendar.year_starts
            header = Header(as_of, currency or "", zone, starts, org)
            place = place_for(tables) if into is None else Path(into)
            return cls._laid(tables, header, place, currency, kind, is_kept=bool(into))
        clean = normalise(
            held(tables), as_of=as_of, currency=currency, time_zone=calendar.time_zone
        )
        return cls(
            as_of,
            clean.currency,
            calendar,
            kind,
            clean.tables,
            {"faults": clean.faults, "balance": clean.balance},
            org=org,
        )

    @classmethod
    def _laid(
        cls,
        tables: Mapping[str, NativeFrame],
        header: Header,
        place: Path,
        currency: str | None,
        backend: Backend,
        *,
        is_kept: bool,
    ) -> Portfolio:
        try:
            laid(tables, header, place, currency)
            made = cls.load(place, backend=backend)
        except BaseException:
            if not is_kept:
                shutil.rmtree(place, ignore_errors=True)
            raise
        if not is_kept:
            weakref.finalize(made._tables, shutil.rmtree, place, ignore_errors=True)  # noqa: SLF001
        return made

    @property
    def tables(self) -> tuple[TableName, ...]:
        """The tables it holds."""
        return tuple(name for name in TABLES if name in self._tables)

    @property
    def row_counts(self) -> Mapping[TableName, int]:
        """How many rows each table has; those in a folder are not read for it."""
        held = self._tables
        if isinstance(held, SavedTables):
            return {name: held.row_count(name) for name in self.tables}
        return {name: len(held[name]) for name in self.tables}

    @property
    def faults(self) -> NativeFrame:
        """What was left out, and what was kept although something is wrong."""
        return from_arrow(self._faults, self.backend)

    @property
    def _faults(self) -> pa.Table:
        """Those of a book that an older version saved get the columns they lack."""
        return join_faults([self._told["faults"]])

    @property
    def balance(self) -> NativeFrame:
        """What came in, was kept, left out, and rounded away; in minor units."""
        return from_arrow(self._told["balance"], self.backend)

    @property
    def minor_digits(self) -> int:
        """Decimal places of the currency: 2 for EUR."""
        return minor_digits(self.currency)

    @cached_property
    def id(self) -> str:
        """A hash of its content, whatever the backend and the order of the input."""
        held = self._tables
        return self._said_id or content_id(
            self._header.identity,
            {str(name): Contents.of(pieces(held, name)) for name in tuple(held)},
        )

    @property
    def _said_id(self) -> str | None:
        """What the folder it is read from says."""
        held = self._tables
        return held.id if isinstance(held, SavedTables) else None

    @property
    def _header(self) -> Header:
        return Header(
            as_of=self.as_of,
            currency=self.currency,
            time_zone=self.calendar.time_zone,
            year_starts=self.calendar.year_starts,
            org=self.org,
        )

    def __contains__(self, name: object) -> bool:
        return name in self._tables

    def __iter__(self) -> Iterator[TableName]:
        """The names of its tables."""
        return iter(self.tables)

    def __getitem__(self, name: TableName) -> NativeFrame:
        """The table as a native frame; ``MissingTableError`` if it was not supplied.

        One that is lazy reads what it needs of a table in a folder where it lies.
        """
        held = self._tables
        if self.backend in LAZY and isinstance(held, SavedTables) and name in held:
            return held.lazy(name, self.backend)
        return from_arrow(self.arrow(name), self.backend)

    def arrow(self, name: TableName) -> pa.Table:
        """The table as it is held, without a copy; sorted by its key, else all columns.

        Raises:
            MissingTableError: It was not supplied.
        """
        if name not in TABLES:
            near = did_you_mean(name, TABLES)
            raise SettingsError(f"the model has no table {name!r}{near}")
        if name not in self._tables:
            raise MissingTableError(name, "this step")
        return self._tables[name]

    def only(self, account_ids: Iterable[str]) -> Portfolio:
        """These accounts, with every table cut to them.

        Opportunities and other rows that name no account go. An account whose parent
        goes becomes the root of its own group: keep the parent to keep the group. What
        the parent said for all it owns stays: the account opted out when the first of
        those above it did, and last refused something (``refused_on``) when they did.
        """
        ids = pa.array(list(dict.fromkeys(account_ids)), pa.string())
        tables, new = self._again(cut(self._tables, ids))
        faults = merged_faults(self._faults, new["faults"], replaced=())
        told = {"faults": faults, "balance": new["balance"]}
        return attrs.evolve(self, tables=tables, told=told)

    def at(self, day: date) -> Portfolio:
        """What was known at the end of an earlier day, and nothing that came later.

        Rows that came later go; what was closed, paid or said later is open again;
        opportunities say what their changes tell of that day; what nobody can know of it
        is null, and ``faults`` names the columns. At ``as_of`` itself it is this very
        portfolio: what is known now. "What was known then" in the reference of the
        tables has every rule.

        Args:
            day: In the calendar's time zone, inclusive; not later than ``as_of``.

        Raises:
            SettingsError: The day is later than what this portfolio knows.

        Example:
            >>> from datetime import date, datetime
            >>> from crm_portfolio import samples
            >>> now = samples.firm(backend="pyarrow")
            >>> then = now.at(date(2025, 11, 30))
            >>> now.row_counts["opportunity"], then.row_counts["opportunity"]
            (12, 6)
            >>> then.at(date(2025, 9, 30)).id == now.at(date(2025, 9, 30)).id
            True
        """
        if isinstance(day, datetime) or not isinstance(day, date):
            raise SettingsError("at: a day is wanted, as date(2025, 12, 31)")
        if day > self.as_of:
            raise SettingsError(
                f"at({day}): this portfolio knows nothing after {self.as_of}: ask for an "
                "earlier day, or pull again with a later as-of day"
            )
        if day == self.as_of:
            return self
        then = Then(self._tables, day, self.calendar.time_zone)
        tables, new = self._again(then.streams(), day)
        faults = join_faults(
            [left_out_by(self._faults, day), then.faults(new["faults"])]
        )
        told = {"faults": faults, "balance": new["balance"]}
        return attrs.evolve(self, as_of=day, tables=tables, told=told)

    def with_tables(self, **frames: NativeFrame) -> Portfolio:
        """The same portfolio with these tables added or replaced."""
        raw = frames if self._is_long else taken_up(frames)
        own = {name: stream(self._tables, name) for name in self if name not in raw}
        tables, new = self._again({**own, **raw})
        faults = merged_faults(self._faults, new["faults"], replaced=raw)
        balance = merged_balance(self._told["balance"], new["balance"], replaced=raw)
        told = {"faults": faults, "balance": balance}
        return attrs.evolve(self, tables=tables, told=told)

    def _again(
        self, raw: Mapping[Any, NativeFrame | Stream], as_of: date | None = None
    ) -> tuple[Mapping[TableName, pa.Table], Mapping[str, pa.Table]]:
        """Clean tables of these, and what was told of them; long ones in a folder."""
        day, zone = as_of or self.as_of, self.calendar.time_zone
        if self._is_long:
            place = place_for({"account": self["account"]})
            tables, told = anew(raw, attrs.evolve(self._header, as_of=day), place)
            return cast("Mapping[TableName, pa.Table]", tables), dict(told)
        clean = normalise(raw, as_of=day, currency=self.currency, time_zone=zone)
        return clean.tables, {"faults": clean.faults, "balance": clean.balance}

    @property
    def _is_long(self) -> bool:
        """Whether its tables stay where they are, and one of them is not short."""
        is_lazy = self.backend in LAZY and isinstance(self._tables, SavedTables)
        return is_lazy and max(self.row_counts.values(), default=0) > SHORT

    def save(
        self,
        folder: Path | str,
        *,
        partitioned: Mapping[TableName, str] | None = None,
    ) -> None:
        """Write it to a folder: ``portfolio.json`` and one Parquet file for each table.

        A portfolio that is there already stays readable until this one is whole.

        Args:
            folder: Of this machine; what is to lie in a store is copied there whole.
            partitioned: Tables to write as a folder with a file for each year of a column,
                as ``{"activity": "occurred_at"}``: who asks for some years reads no others.

        Example:
            >>> import tempfile
            >>> from crm_portfolio import Portfolio, samples
            >>> with tempfile.TemporaryDirectory() as place:
            ...     samples.firm().save(place, partitioned={"revenue_line": "booked_on"})
            ...     files = sorted(Path(place).glob("revenue_line/*/*.parquet"))
            ...     Portfolio.load(place).id == samples.firm().id, files[0].parent.name
            (True, 'booked_on_year=2024')
        """
        must_be_days(partitioned or {})
        draft = Draft(folder_of(folder), partitioned)
        try:
            for name in self._tables:
                rows = pieces(self._tables, name)
                first = next(rows)
                writer = draft.opened(name, first.schema)
                for table in chain([first], rows):
                    writer.write(table)
                list(writer.close())  # each year of it is a file, and rows that wait
            for told, table in self._told.items():
                draft.opened(told, table.schema).write(table)
            draft.publish(attrs.evolve(self._header, id=self._said_id))
        finally:
            draft.discard()

    @classmethod
    def load(cls, folder: Path | str, *, backend: Backend = "pandas") -> Portfolio:
        """A folder that ``save`` or ``pull`` wrote; each table is read when asked for.

        Args:
            folder: Of this machine, or where it was copied to in a store, as
                ``s3://bucket/book``; the login is in the environment.
            backend: The kind of frames to hand out. One that is lazy reads of a table what
                it needs, when it does; the others read it whole.

        Raises:
            DamagedFileError: A file was cut or altered, now or before it is read. A file
                in a store is known by its length alone, and is not read for it.
            MissingExtraError: It is in a store, and the extra for stores is not installed.
            RightMissingError: The store refuses the login.
            SettingsError: There is no such kind of frames.
            TransientError: The store does not answer.
        """
        check_backend(backend)
        place = place_of(folder)
        header = read_header(place)
        tables, told = SavedTables.both(place, header)
        tables.check()
        told.check()
        return cls(
            header.as_of,
            header.currency,
            Calendar(header.time_zone, header.year_starts),
            backend,
            cast("Mapping[TableName, pa.Table]", tables),
            told,
            org=header.org,
        )

    def __repr__(self) -> str:
        held = ", ".join(f"{name} {count:,}" for name, count in self.row_counts.items())
        return f"<Portfolio at {self.as_of} in {self.currency}: {held}>"
