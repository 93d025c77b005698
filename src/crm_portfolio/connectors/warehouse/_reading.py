"""How is a replica read, batch by batch, and gone on with?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._storage import digest
from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors._mapping import mapped
from crm_portfolio.connectors.warehouse._layouts import Layout, layout_of
from crm_portfolio.connectors.warehouse._org import org_of, said_org
from crm_portfolio.connectors.warehouse._parts import Part, parts_of
from crm_portfolio.connectors.warehouse._place import Place, opened
from crm_portfolio.connectors.warehouse._query import (
    GONE,
    INTO,
    STAMP,
    named,
    newest,
    question,
    seconds,
)
from crm_portfolio.connectors.warehouse._refusals import translated
from crm_portfolio.connectors.warehouse._settings import LayoutName, WarehouseSettings
from crm_portfolio.connectors.warehouse._stages import (
    COLUMNS,
    has_stages,
    known_stages,
    stage_rows,
    staged,
)
from crm_portfolio.connectors.warehouse._values import ids, kinds_of, typed
from crm_portfolio.errors import CursorLostError, SettingsError
from crm_portfolio.protocols import Batch, CopiedOrg, Cursor, gone_schema
from crm_portfolio.schema import TABLES, TableName, arrow_type

__all__ = ["Reader"]

_VERSION: Final = 1
_STAGE: Final = "stage"
# By whose rows it is known which org a replica is of.
_OF_ORG: Final[tuple[TableName, ...]] = ("account", "opportunity")


@attrs.frozen
class _Standing:
    """Where a pull stands.

    Attributes:
        newest: By part, when a row was last loaded as the pull began.
        since: By part, from when on rows are asked for; None: all of them.
        part: The part that is being read, and the key behind which it goes on.
    """

    newest: tuple[float | None, ...]
    since: tuple[float | None, ...] | None = None
    part: int = 0
    after: int | str | None = None

    @property
    def taken_at(self) -> datetime:
        return _moment(max(stamp or 0.0 for stamp in self.newest))


class Reader:
    """One replica, and what it holds of each table."""

    def __init__(self, place: object, settings: WarehouseSettings) -> None:
        if settings.layout is None:
            known = ", ".join(LayoutName.__args__)  # type: ignore[attr-defined]
            raise SettingsError(f"say the layout of the replica; there are {known}")
        self.layout: Layout = layout_of(settings.layout)
        self._settings = settings
        if settings.org is not None:
            said_org(settings.org, self.layout.vendor)
        wanted = [replica.table for replica in self.layout.objects.values()]
        with translated("while the replica was looked at"):
            self._place: Place = opened(place, settings.schema, wanted)
            self._parts = parts_of(self._place, self.layout, settings)

    @cached_property
    def tables(self) -> dict[TableName, tuple[str, ...]]:
        found = {
            table: tuple(dict.fromkeys(c for part in parts for c in part.columns))
            for table, parts in self._parts.items()
        }
        wanted = self._settings.tables
        is_wanted = wanted == "all" or _STAGE in wanted
        if is_wanted and _STAGE not in found and has_stages(self._place, self.layout):
            found[_STAGE] = COLUMNS
        return found

    @property
    def fingerprint(self) -> str:
        said = {
            table: [(part.names.table, sorted(part.sources.items())) for part in parts]
            for table, parts in self._parts.items()
        }
        text = repr((self.layout.name, self._settings, said))
        return digest(text.encode())

    def copied_from(self) -> CopiedOrg:
        parts = [part for table in _OF_ORG for part in self._parts.get(table, ())]
        return org_of(
            self._place.session(),
            self.layout,
            self._settings.org,
            [part.names for part in parts],
        )

    def newest(self) -> datetime | None:
        place = self._place.session()
        parts = [part for parts in self._parts.values() for part in parts]
        stamps = [stamp for stamp in self._stamps(parts, place) if stamp is not None]
        return _moment(max(stamps)) if stamps else None

    def _stamps(self, parts: Sequence[Part], place: Place) -> tuple[float | None, ...]:
        with translated("while it was asked when rows were loaded"):
            return tuple(newest(part, self.layout, place) for part in parts)

    def batches(
        self,
        table: TableName,
        columns: Sequence[str] | None,
        since: Cursor | None,
        resume: Cursor | None,
    ) -> Iterator[Batch]:
        """The rows of a table; what is between two tells whether there is more."""
        if table not in self._parts:
            yield self._stages(columns)
            return
        place = self._place.session()
        parts = [part.only(columns) for part in self._parts[table]]
        standing = self._standing(table, parts, place, since, resume)
        shown = dict.fromkeys(c for part in parts for c in part.columns)
        last: Batch | None = None
        for at in range(standing.part, len(parts)):
            here = (
                standing if at == standing.part else attrs.evolve(standing, after=None)
            )
            for batch in self._of_part(place, parts, at, here, tuple(shown)):
                if last is not None:
                    yield last
                last = batch
        done = attrs.evolve(standing, part=len(parts), after=None)
        if last is None:
            last = Batch(table, _empty(table, tuple(shown)), None, None, is_last=True)
        cursor = self._cursor(table, done)
        yield attrs.evolve(last, cursor=cursor, is_last=True)

    def _of_part(
        self,
        place: Place,
        parts: Sequence[Part],
        at: int,
        standing: _Standing,
        shown: tuple[str, ...],
    ) -> Iterator[Batch]:
        part = parts[at]
        since = None if standing.since is None else standing.since[at]
        for piece in self._answer(part, place, since, standing.after):
            rows = self._mapped(part, piece, shown)
            after = _plain(piece.column(0)[-1].as_py())
            reached = attrs.evolve(standing, part=at, after=after)
            cursor = self._cursor(part.table, reached)
            yield Batch(part.table, rows, cursor, _gone(piece), is_last=False)

    def _answer(
        self, part: Part, place: Place, since: float | None, after: Any
    ) -> Iterator[pa.Table]:
        """What the engine says of a part, piece by piece."""
        if part.is_staged:  # some drivers take no question while an answer is read
            _ = self._known_stages
        with translated(f"while the table {part.names.table} was read"):
            asked = question(part, self.layout, place, since)
            pieces = place.batches(asked, after, self._settings.batch_rows)
            yield from filter(len, pieces)

    def _mapped(self, part: Part, piece: pa.Table, shown: tuple[str, ...]) -> pa.Table:
        """The live rows as model columns, with nulls for those that only others have."""
        live = piece.filter(pc.invert(piece[GONE])).combine_chunks()
        kinds = kinds_of(part, self.layout.vendor)
        raw = {
            source: typed(
                _one(live[alias]), kinds.get(source, "text"), f"{part.table}.{source}"
            )
            for alias, source in named(part).items()
        }
        if part.is_staged:
            raw = staged(raw, self._known_stages)
        table = pa.table({name: raw[name] for name in raw})
        rows = mapped(table, part.fields, time_zone=self._settings.time_zone)
        columns = {
            name: rows[name]
            if name in rows.column_names
            else pa.nulls(len(rows), arrow_type(TABLES[part.table][name]))
            for name in shown
        }
        return pa.table(columns)

    @cached_property
    def _known_stages(self) -> pa.Table:
        with translated("while the stages were read"):
            return known_stages(self._place.session(), self.layout)

    def _stages(self, columns: Sequence[str] | None) -> Batch:
        rows = stage_rows(self._known_stages)
        if columns is not None:
            wanted = {*TABLES[_STAGE].key, *columns}
            rows = rows.select([name for name in COLUMNS if name in wanted])
        return Batch(_STAGE, rows, None, None, is_last=True)

    def _standing(
        self,
        table: TableName,
        parts: Sequence[Part],
        place: Place,
        since: Cursor | None,
        resume: Cursor | None,
    ) -> _Standing:
        if resume is not None:
            return self._told(table, resume, len(parts))
        stamps = self._stamps(parts, place)
        if since is None:
            return _Standing(stamps)
        known = self._told(table, since, len(parts))
        late = _assumptions.REPLICA_LATE_SECONDS
        back = tuple(None if stamp is None else stamp - late for stamp in known.newest)
        return _Standing(stamps, back)

    def _cursor(self, table: TableName, standing: _Standing) -> Cursor | None:
        if any(stamp is None for stamp in standing.newest):
            return None  # what changed could not be told
        said = {
            "version": _VERSION,
            "layout": self.layout.name,
            **attrs.asdict(standing),
        }
        return Cursor(table, json.dumps(said), standing.taken_at)

    def _told(self, table: TableName, cursor: Cursor, parts: int) -> _Standing:
        try:
            said = json.loads(cursor.token)
            if cursor.table == table and said["layout"] == self.layout.name:
                since = said["since"]
                told = _Standing(
                    tuple(said["newest"]),
                    None if since is None else tuple(since),
                    int(said["part"]),
                    said["after"],
                )
                if len(told.newest) == parts:
                    return told
        except (ValueError, TypeError, KeyError):
            pass
        raise CursorLostError(
            "warehouse",
            f"{table}: the cursor is of another replica: read it whole, without one",
        )


def _gone(piece: pa.Table) -> pa.Table | None:
    """The records of a piece that are gone, as `gone_schema` says."""
    left = piece.filter(piece[GONE])
    if not len(left):
        return None
    into = typed(_one(left[INTO]), "id", INTO)
    reason = pc.if_else(pc.is_valid(into), "merged", "deleted")
    counted = pc.multiply(seconds(_one(left[STAMP])), 1e6)
    stamps = counted.cast(pa.int64(), safe=False)
    at = stamps.cast(pa.timestamp("us", "UTC"))
    return pa.table([ids(_one(left.column(0))), reason, into, at], schema=gone_schema())


def _empty(table: TableName, columns: Sequence[str]) -> pa.Table:
    types = [(column, arrow_type(TABLES[table][column])) for column in columns]
    return pa.schema(types).empty_table()


def _plain(key: Any) -> int | str | None:
    if key is None:  # such rows come first
        return None
    return int(key) if isinstance(key, int | float | Decimal) else str(key)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
