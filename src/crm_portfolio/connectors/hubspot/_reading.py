"""How does a table come in batches, and how does a pull go on where it stopped?

A place is where a pull stands. A whole pull lists; an increment searches, then looks into
the recycle bin. Where a search does not add up, or would cost more, it becomes a list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias

import attrs
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors._mapping import moments
from crm_portfolio.connectors.hubspot._client import Client
from crm_portfolio.connectors.hubspot._columns import Layout, Record
from crm_portfolio.connectors.hubspot._objects import archived, listed, relinked
from crm_portfolio.connectors.hubspot._refusals import RefusedRequestError, unreadable
from crm_portfolio.connectors.hubspot._search import found
from crm_portfolio.errors import ConnectorError, SettingsError
from crm_portfolio.protocols import Batch, Cursor, gone_schema
from crm_portfolio.schema import TABLES, TableName, arrow_type

__all__ = ["BATCH_ROWS", "Place", "pulled"]

BATCH_ROWS: Final = 20_000  # records behind one batch; a page of JSON is smaller
# Above this part of all records a list is quicker than a search.
_SEARCH_SHARE: Final = 1 / 3
_VERSION: Final = 1
Way: TypeAlias = Literal["list", "search", "archived", "done"]


@attrs.frozen
class Place:
    """Where a pull of one table stands.

    Attributes:
        way: What is under way; ``done`` behind the last batch.
        part: Which of the table's kinds of record.
        after: Of a list, its own word for where it goes on.
        last: The highest id so far.
        began: The server's clock when the pull began.
        since: Where the increment begins; None: a whole pull.
        count: Records of all parts when they were last read whole.
        seen: Records of this part so far.
    """

    way: Way = "list"
    part: int = 0
    after: str = ""
    last: int = 0
    began: datetime | None = None
    since: datetime | None = None
    count: int = 0
    seen: int = 0

    @classmethod
    def of(cls, cursor: Cursor) -> Place:
        """The place that a cursor names.

        Raises:
            SettingsError: Not a cursor of this connector, or of a newer version.
        """
        try:
            said = orjson.loads(cursor.token)
            moments = {
                name: datetime.fromisoformat(said[name]) if said[name] else None
                for name in ("began", "since")
            }
            version = said.pop("version")
            place = cls(**{**said, **moments})
        except (ValueError, TypeError, KeyError, AttributeError):
            raise SettingsError("hubspot: this cursor is not one of ours") from None
        if version != _VERSION:
            raise SettingsError("hubspot: this cursor is of another version; pull anew")
        return place

    def increment(self, now: datetime | None) -> Place:
        """Where what has changed since this pull is to be found.

        Raises:
            SettingsError: The pull that this place is of did not come to its end.
        """
        if self.way != "done":
            raise SettingsError(
                "hubspot: since takes the cursor of a pull's last batch; this one goes on"
            )
        start = self.began or datetime.fromtimestamp(0, UTC)
        return Place(way="search", began=now, since=start, count=self.count)

    def cursor(self, table: TableName) -> Cursor:
        token = orjson.dumps({"version": _VERSION, **attrs.asdict(self)}).decode()
        return Cursor(table, token, self.began or datetime.fromtimestamp(0, UTC))


def pulled(
    client: Client, parts: Sequence[Layout], place: Place, *, time_zone: str
) -> Iterator[Batch]:
    """The batches behind a place."""
    return _Pull(client, parts, time_zone).batches(place)


@attrs.frozen
class _Step:
    """What one page brought, and where the pull then stands."""

    part: int
    place: Place
    records: Sequence[Record] = ()
    gone: pa.Table | None = None


@attrs.frozen
class _Pull:
    client: Client
    parts: Sequence[Layout]
    time_zone: str

    def batches(self, place: Place) -> Iterator[Batch]:
        held: list[_Step] = []
        try:
            for step in self._steps(place):
                rows = sum(len(one.records) for one in held)
                if held and (rows >= BATCH_ROWS or step.part != held[-1].part):
                    yield self._batch(held, place, is_last=False)
                    held = []
                held.append(step)
        except ConnectorError:
            # What has been read is handed out first, so that it is not read again.
            if held:
                yield self._batch(held, place, is_last=False)
            raise
        yield self._batch(held, place, is_last=True)

    def _batch(self, held: Sequence[_Step], place: Place, *, is_last: bool) -> Batch:
        layout = self.parts[held[-1].part if held else 0]
        records: Sequence[Record] = [r for step in held for r in step.records]
        if records and layout.links:
            # Those with more links than a list shows: all of theirs.
            records = relinked(self.client, layout, records, layout.cut(records))
        rows = self._with_all_columns(
            layout.table_of(records, time_zone=self.time_zone)
        )
        gone = [step.gone for step in held if step.gone is not None]
        if place.since is not None and records:
            gone.insert(0, layout.merged(records))
        left = pa.concat_tables(gone) if gone else None
        reached = held[-1].place if held else place
        return Batch(
            layout.table,
            rows,
            cursor=reached.cursor(layout.table),
            gone=left if left is not None and left.num_rows else None,
            is_last=is_last,
        )

    def _with_all_columns(self, rows: pa.Table) -> pa.Table:
        """With the columns that only another kind of record of this table has."""
        model = TABLES[self.parts[0].table]
        for column in dict.fromkeys(c for part in self.parts for c in part.columns):
            if column not in rows.column_names:
                nothing = pa.nulls(rows.num_rows, arrow_type(model[column]))
                rows = rows.append_column(column, nothing)
        return rows

    def _steps(self, place: Place) -> Iterator[_Step]:
        ways = {"list": self._all, "search": self._changed, "archived": self._archived}
        while place.way != "done":
            for step in ways[place.way](place):
                yield step
                place = step.place

    def _all(self, place: Place) -> Iterator[_Step]:
        part = place.part
        try:
            for page in listed(self.client, self.parts[part], after=place.after):
                place = self._on(place, page.records, after=page.after)
                reached = place if page.after else self._behind(place)
                yield _Step(part, reached, page.records)
        except RefusedRequestError:
            # The list's own word for its place is dead; ids still tell where it was.
            if not place.after or place.since is not None:
                raise
            yield _Step(part, attrs.evolve(place, way="search", after="", seen=0))

    def _changed(self, place: Place) -> Iterator[_Step]:
        part, total = place.part, None
        hits = found(self.client, self.parts[part], place.since, behind=place.last)
        for page in hits:
            if total is None:
                total = place.seen + page.total
                if place.since and not page.is_last and self._is_much(total, place):
                    yield _Step(part, _listing(place))
                    return
            place = self._on(place, page.records, last=page.last)
            is_whole = place.seen >= total
            if page.is_last and not is_whole and place.since is None:
                raise unreadable(f"searching {self.parts[part].source.kind}")
            reached = place
            if page.is_last:
                reached = self._behind(place) if is_whole else _listing(place)
            yield _Step(part, reached, page.records)

    @staticmethod
    def _is_much(total: int, place: Place) -> bool:
        return bool(place.count) and total > place.count * _SEARCH_SHARE

    def _archived(self, place: Place) -> Iterator[_Step]:
        part = place.part
        for page in archived(
            self.client, self.parts[part].source.kind, after=place.after
        ):
            place = attrs.evolve(place, after=page.after)
            reached = place if page.after else self._behind(place)
            yield _Step(part, reached, gone=_gone(page.records, place.since))

    @staticmethod
    def _on(
        place: Place, records: Sequence[Record], *, after: str = "", last: int = 0
    ) -> Place:
        """The place behind these records."""
        count = place.count + (len(records) if place.since is None else 0)
        highest = str(records[-1].get("id")) if records else ""
        return attrs.evolve(
            place,
            after=after,
            last=last or (int(highest) if highest.isdecimal() else place.last),
            count=count,
            seen=place.seen + len(records),
        )

    def _behind(self, place: Place) -> Place:
        """Where a pull goes on when a part has been read."""
        is_increment = place.since is not None
        start = attrs.evolve(place, after="", last=0, seen=0)
        if place.part + 1 < len(self.parts):
            way: Way = "search" if is_increment else "list"
            way = "archived" if place.way == "archived" else way
            return attrs.evolve(start, way=way, part=place.part + 1)
        if is_increment and place.way != "archived":
            return attrs.evolve(start, way="archived", part=0)
        return attrs.evolve(start, way="done", part=0, since=None)


def _listing(place: Place) -> Place:
    return attrs.evolve(place, way="list", after="", last=0, seen=0)


def _gone(records: Sequence[Record], since: datetime | None) -> pa.Table:
    """Who was put into the recycle bin since then."""
    parts = pa.struct([("id", pa.string()), ("archivedAt", pa.string())])
    ids, said = pa.array(records, type=parts).flatten()
    at = moments(said)
    reason = pa.repeat(pa.scalar("archived"), len(ids))
    nobody = pa.nulls(len(ids), pa.string())
    left = pa.table([ids, reason, nobody, at], schema=gone_schema())
    if since is None:
        return left
    start = since - timedelta(seconds=_assumptions.SEARCH_LAG_SECONDS)
    is_new = pc.greater_equal(at, pa.scalar(start, pa.timestamp("us", "UTC")))
    return left.filter(pc.fill_null(is_new, True))  # noqa: FBT003
