"""How does a table come page by page, and how does a pull go on where it stopped?

A whole pull lists; an increment searches, then looks into the recycle bin. Where a search
does not add up, or would cost more, it becomes a list. Each page is a batch of its own:
whoever is killed has one page to read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors._mapping import moments
from crm_portfolio.connectors.hubspot._client import Client
from crm_portfolio.connectors.hubspot._columns import Layout, Record
from crm_portfolio.connectors.hubspot._objects import archived, listed, relinked
from crm_portfolio.connectors.hubspot._places import Place, Way
from crm_portfolio.connectors.hubspot._refusals import RefusedRequestError, unreadable
from crm_portfolio.connectors.hubspot._search import count, found
from crm_portfolio.errors import CursorLostError
from crm_portfolio.protocols import Batch, gone_schema

__all__ = ["Pull", "Step", "gone_since", "is_much"]

# Above this part of all records a list is quicker than a search.
_SEARCH_SHARE: Final = 1 / 3


@attrs.frozen
class Step:
    """What one page brought, and where the pull then stands."""

    part: int
    place: Place
    records: Sequence[Record] = ()
    gone: pa.Table | None = None
    rows: pa.Table | None = None  # where the page was no JSON


class Pull:
    """One pull of one table.

    Args:
        parts: The kinds of record behind the table.
    """

    def __init__(self, client: Client, parts: Sequence[Layout], time_zone: str) -> None:
        self.client, self.parts = client, parts
        columns = tuple(dict.fromkeys(c for part in parts for c in part.columns))
        self.plans = [part.plan(time_zone, columns) for part in parts]
        self._began: datetime | None = None
        self._searched_twice: set[int] = set()
        self._begun_again: set[tuple[Way, int]] = set()
        self.ways: dict[Way, Callable[[Place], Iterator[Step]]] = {
            "list": self._all,
            "search": self._changed,
            "archived": self._archived,
        }

    def batches(self, place: Place) -> Iterator[Batch]:
        is_increment, has_ended = place.since is not None, False
        for step in self._steps(place):
            has_ended = step.place.way == "done"
            # The first answer of this pull, not what a busy connector last heard.
            self._began = self._began or self.client.server_time
            is_empty = step.gone is None and step.rows is None and not step.records
            if has_ended or not is_empty:
                yield self._batch(step, is_increment=is_increment)
        if not has_ended:
            yield self._batch(Step(0, place), is_increment=is_increment)

    def _batch(self, step: Step, *, is_increment: bool) -> Batch:
        if step.rows is not None:
            return self._told(step, step.rows, step.gone)
        layout, records, gone = self.parts[step.part], step.records, step.gone

        def whole(asked: Sequence[Record]) -> Sequence[Record]:
            return relinked(self.client, layout, asked, layout.cut(asked))

        rows = self.plans[step.part].of_records(records, whole)
        if is_increment and records:
            parts = [layout.merged(records), *([] if gone is None else [gone])]
            gone = pa.concat_tables(parts)
        return self._told(step, rows, gone)

    def _told(self, step: Step, rows: pa.Table, gone: pa.Table | None) -> Batch:
        place, table = step.place, self.parts[step.part].table
        return Batch(
            table,
            rows,
            cursor=place.cursor(table, began=self._began),
            gone=gone if gone is not None and gone.num_rows else None,
            is_last=place.way == "done",
        )

    def _steps(self, place: Place) -> Iterator[Step]:
        while place.way != "done":
            for step in self.ways[place.way](place):
                yield step
                place = step.place

    def _all(self, place: Place) -> Iterator[Step]:
        part = place.part
        try:
            for page in listed(self.client, self.parts[part], after=place.after):
                place = self._on(place, page.records, after=page.after)
                reached = place if page.after else self._behind(place)
                yield Step(part, reached, page.records)
        except RefusedRequestError as refusal:
            # The list's own word for its place is dead; ids still tell where it was.
            whole = bool(place.after) and place.since is None
            search = attrs.evolve(place, way="search", after="", seen=0)
            yield Step(part, search if whole else self._from_start(place, refusal))

    def _changed(self, place: Place) -> Iterator[Step]:
        start, part, total = place, place.part, None
        hits = found(self.client, self.parts[part], place.since, behind=place.last)
        for page in hits:
            if total is None:
                total = place.seen + page.total
                if place.since and not page.is_last and is_much(total, place.count):
                    yield Step(part, _listing(place))
                    return
            place = self._on(place, page.records, last=page.last)
            reached = place
            if page.is_last:
                is_whole = place.seen >= total or self._adds_up(start, place)
                reached = self._behind(place) if is_whole else self._anew(start)
            yield Step(part, reached, page.records)

    def _adds_up(self, start: Place, end: Place) -> bool:
        """Whether whoever was announced and did not come is there no more; one call."""
        layout = self.parts[end.part]
        left = count(self.client, layout, end.since, behind=start.last)
        return left <= end.seen - start.seen

    def _anew(self, start: Place) -> Place:
        """The search once more, for what changed under it; then a list, which is sure."""
        if start.since is None:
            raise unreadable(f"searching {self.parts[start.part].source.kind}")
        if start.part in self._searched_twice:
            return _listing(start)
        self._searched_twice.add(start.part)
        return start

    def _archived(self, place: Place) -> Iterator[Step]:
        part = place.part
        layout = self.parts[part]
        try:
            for page in archived(self.client, layout, after=place.after):
                place = attrs.evolve(place, after=page.after, binned=place.binned + 1)
                reached = place if page.after else self._behind(place)
                gone = gone_since(layout, page.records, place.since)
                yield Step(part, reached, gone=gone)
        except RefusedRequestError as refusal:
            yield Step(part, self._from_start(place, refusal))

    def _from_start(self, place: Place, refusal: RefusedRequestError) -> Place:
        """The same way from its beginning, where its own word for a place is dead.

        Raises:
            CursorLostError: It has been begun again before; so this would have no end.
        """
        if not place.after:
            raise refusal
        if (place.way, place.part) in self._begun_again:
            raise CursorLostError(
                "hubspot", "HubSpot has forgotten where the pull stood: pull anew"
            ) from refusal
        self._begun_again.add((place.way, place.part))
        return attrs.evolve(place, after="", last=0, seen=0, binned=0)

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
        has_bin = not self.parts[0].history  # who went is told by another table
        if is_increment and has_bin and place.way != "archived":
            return attrs.evolve(start, way="archived", part=0)
        return attrs.evolve(start, way="done", part=0, since=None)


def is_much(changed: int, of: int) -> bool:
    """Whether a list is quicker than a search for what has changed; 0: nobody counted."""
    return bool(of) and changed > of * _SEARCH_SHARE


def _listing(place: Place) -> Place:
    return attrs.evolve(place, way="list", after="", last=0, seen=0)


def gone_since(
    layout: Layout, records: Sequence[Record], since: datetime | None
) -> pa.Table:
    """Who was put into the recycle bin since then, and who had become part of those."""
    binned = _binned_since(records, since)
    merged = layout.merged(records)
    is_theirs = pc.is_in(merged["merged_into"], value_set=binned["id"].combine_chunks())
    return pa.concat_tables([merged.filter(is_theirs), binned])


def _binned_since(records: Sequence[Record], since: datetime | None) -> pa.Table:
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
