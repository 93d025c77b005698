"""What does each query behind a table give: records, what changed of them, who left?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors.salesforce._columns import Layout
from crm_portfolio.connectors.salesforce._counts import counted
from crm_portfolio.connectors.salesforce._fields import COUNTED
from crm_portfolio.connectors.salesforce._gone import (
    DELETED,
    MERGED_INTO,
    deletion_log,
    parted,
)
from crm_portfolio.connectors.salesforce._places import Place, Spot, fingerprint
from crm_portfolio.connectors.salesforce._reading import Reader, Select
from crm_portfolio.connectors.salesforce._rest import Query, Rest
from crm_portfolio.connectors.salesforce._soql import literal
from crm_portfolio.protocols import gone_schema
from crm_portfolio.schema import TABLES, arrow_type

__all__ = [
    "OVERLAP",
    "STAMP",
    "Leg",
    "LogLeg",
    "RecordsLeg",
    "Step",
    "versions",
]

STAMP: Final = "SystemModstamp"
OVERLAP: Final = timedelta(seconds=_assumptions.SALESFORCE_LATE_COMMIT_SECONDS)
# A stamp is as fine as a second: a record may change again within that of its stamp.
_STAMP_GRAIN: Final = timedelta(seconds=2)


@attrs.frozen(eq=False)
class Step:
    """Some rows; ``spot`` is behind them in the leg, None behind its last."""

    rows: pa.Table
    spot: Spot | None
    gone: pa.Table | None = None
    newest: datetime | None = None
    versions: Sequence[bytes] = ()


class Leg(Protocol):
    """One of the queries that a table is made of."""

    def steps(self, place: Place) -> Iterator[Step]:
        """What it gives from a place on; at least one step."""
        ...


@attrs.frozen
class RecordsLeg:
    """The records of one object: all, those that changed, or what changes without a trace.

    Attributes:
        columns: Of the table, in order; those the object has not are null.
    """

    layout: Layout
    columns: tuple[str, ...]
    reader: Reader
    rest: Rest
    time_zone: str
    what: Literal["all", "changed", "volatile"] = "all"

    @property
    def select(self) -> Select:
        """The query of the whole; `select_since` narrows it."""
        return self.select_since(None)

    def select_since(self, since: datetime | None) -> Select:
        sobject, kinds = self.layout.sobject, self.layout.kinds
        is_changed = self.what == "changed" and since is not None
        added = [STAMP, DELETED, MERGED_INTO] if is_changed else [STAMP]
        if self.what == "volatile":
            added = []
        names = (*self.layout.sources, *(name for name in added if name in kinds))
        where = [self.layout.where]
        if is_changed and since is not None:
            where.append(f"{STAMP} >= {literal(since)}")
        elif sobject.with_archived:
            where.append(f"{DELETED} = false")
        query = Query(
            sobject.name,
            tuple(dict.fromkeys(names)),
            " AND ".join(filter(None, where)),
            with_deleted=is_changed or sobject.with_archived,
        )
        return Select(query, self.layout.kinds, by_rest=bool(self._counts))

    @property
    def _counts(self) -> list[str]:
        named = {source for field in self.layout.fields for source in field.sources}
        return [kind for kind in COUNTED if kind in named]

    def steps(self, place: Place) -> Iterator[Step]:
        select = self.select_since(place.since)
        for chunk in self.reader.chunks(select, place.spot):
            yield self._step(chunk.rows, chunk.spot, place)

    def rows(self) -> Iterator[pa.Table]:
        """The rows alone, all of them."""
        for chunk in self.reader.chunks(self.select):
            raw = chunk.rows
            if self._counts:
                raw = counted(self.rest, raw, self._counts)  # type: ignore[arg-type]
            yield self._shaped(raw)

    def _step(self, raw: pa.Table, spot: Spot | None, place: Place) -> Step:
        newest, given, gone = None, [], None
        if STAMP in raw.column_names:
            newest = pc.max(raw[STAMP]).as_py()
            given = versions(raw, STAMP, place, settled_for=_STAMP_GRAIN)
            raw = without_known(raw, STAMP, place)
        if DELETED in raw.column_names:
            raw, gone = parted(raw, STAMP)
        if self._counts:
            raw = counted(self.rest, raw, self._counts)  # type: ignore[arg-type]
        return Step(self._shaped(raw), spot, gone, newest, given)

    def _shaped(self, raw: pa.Table) -> pa.Table:
        rows = self.layout.mapped(raw, time_zone=self.time_zone)
        if tuple(rows.column_names) == self.columns:
            return rows
        table = TABLES[self.layout.table]
        filled = {}
        for column in self.columns:
            if column in rows.column_names:
                filled[column] = rows[column]
            else:
                filled[column] = pa.nulls(len(rows), arrow_type(table[column]))
        return pa.table(filled)


@attrs.frozen
class LogLeg:
    """The ids in an object's deletion log: records that were purged are nowhere else."""

    sobject: str
    rest: Rest
    nothing: pa.Table  # no rows, and the table's columns

    def steps(self, place: Place) -> Iterator[Step]:
        if place.since is None or place.begun_at is None:
            yield Step(self.nothing, None)
            return
        windows = deletion_log(
            self.rest, self.sobject, since=place.since, now=place.begun_at
        )
        gone = pa.concat_tables([gone_schema().empty_table(), *windows])
        gone = gone.rename_columns(["Id", *gone.column_names[1:]])
        given = versions(gone, "at", place, settled_for=None)
        left = without_known(gone, "at", place, is_fixed=True)
        left = left.rename_columns(gone_schema().names)
        yield Step(self.nothing, None, left, versions=given)


def without_known(
    raw: pa.Table, stamp: str, place: Place, *, is_fixed: bool = False
) -> pa.Table:
    """The rows but those that the pull before has given as they are.

    Args:
        is_fixed: Rows never change; then those behind the cursor are remembered too.
    """
    if not place.known.prints or place.since is None:
        return raw
    type_ = raw.schema.field(stamp).type
    if is_fixed:
        common = pc.is_valid(raw[stamp])
    else:
        common = pc.less(raw[stamp], pa.scalar(place.since + OVERLAP, type_))
    places = _hits(common)
    if not len(places):
        return raw
    prints = _prints(raw.take(places), stamp)
    dropped = [
        place_in_rows
        for place_in_rows, version in zip(places, prints, strict=True)
        if version in place.known
    ]
    keep = np.ones(len(raw), dtype=bool)
    keep[dropped] = False
    return raw.filter(pa.array(keep)) if dropped else raw


def versions(
    raw: pa.Table,
    stamp: str,
    place: Place,
    *,
    settled_for: timedelta | None,
) -> list[bytes]:
    """The fingerprints of those rows that the next pull will ask for again.

    Rows that the pull before has given are among them: the one after must know.

    Args:
        settled_for: Rows younger than that may still change; None: rows never do.
    """
    begun = place.begun_at
    if begun is None or place.seen.is_overfull or not len(raw):
        return []
    type_ = raw.schema.field(stamp).type
    late = pc.greater_equal(raw[stamp], pa.scalar(begun - OVERLAP, type_))
    if settled_for is not None:
        settled = pc.less(raw[stamp], pa.scalar(begun - settled_for, type_))
        late = pc.and_(late, settled)
    places = _hits(late)
    if len(places) > place.seen.most:
        places = places[: place.seen.most + 1]  # enough to tell that it is too many
    return _prints(raw.take(places), stamp) if len(places) else []


def _hits(mask: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    return np.flatnonzero(np.asarray(pc.fill_null(mask, False)))  # noqa: FBT003


def _prints(raw: pa.Table, stamp: str) -> list[bytes]:
    numbers = raw[stamp].cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    return [
        fingerprint(record_id, number)
        for record_id, number in zip(
            raw["Id"].to_pylist(), numbers.to_pylist(), strict=True
        )
    ]
