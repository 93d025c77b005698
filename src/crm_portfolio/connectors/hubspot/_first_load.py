"""How is a very large object read for the first time: by an export, then made exact?

The export is a file of some moment, written while people go on working. What came up
meanwhile is searched for; then HubSpot counts. Where its count is not ours, the recycle
bin tells who left, and where that is not all of it, a list of everything tells the rest.
A change to a record that the file holds is left to the next increment, which begins
where the export did.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from threading import get_ident
from typing import IO, Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm_portfolio.connectors.hubspot import _export_files, _exports
from crm_portfolio.connectors.hubspot._client import Client
from crm_portfolio.connectors.hubspot._columns import Layout, Record
from crm_portfolio.connectors.hubspot._converting import Raw
from crm_portfolio.connectors.hubspot._exports import EXPORTED, NoExportError
from crm_portfolio.connectors.hubspot._fields import ID
from crm_portfolio.connectors.hubspot._objects import archived, listed
from crm_portfolio.connectors.hubspot._places import Place
from crm_portfolio.connectors.hubspot._reading import Pull, Step, gone_since
from crm_portfolio.connectors.hubspot._refusals import RefusedRequestError
from crm_portfolio.connectors.hubspot._search import count, found
from crm_portfolio.errors import CursorLostError
from crm_portfolio.protocols import gone_schema

__all__ = ["EXPORT_FROM", "FirstLoad", "can_be_exported"]

_NONE: Final = np.empty(0, np.int64)
EXPORT_FROM: Final = 200_000  # records; a list of fewer is as quick


def can_be_exported(parts: Sequence[Layout]) -> bool:
    """Whether an export gives all that the table needs."""
    kinds = [part.source.kind for part in parts]
    kinds += [link.to for part in parts for link in part.links]
    is_plain = len(parts) == 1 and not parts[0].history
    return is_plain and all(kind in EXPORTED for kind in kinds)


class FirstLoad(Pull):
    """The whole of one kind of record.

    Args:
        must: An export that is refused for a reason that can be mended is an error; else
            pages are read without a word.
    """

    def __init__(
        self, client: Client, parts: Sequence[Layout], time_zone: str, *, must: bool
    ) -> None:
        super().__init__(client, parts, time_zone)
        self._layout, self._must = parts[0], must
        self._ids: _Ids | None = None
        self.ways |= {
            "export": self._exported,
            "fresh": self._fresh,
            "bin": self._binned,
            "sweep": self._swept,
        }

    def _exported(self, place: Place) -> Iterator[Step]:
        try:
            with self._our_turn():
                if not place.task:
                    task = _exports.begun(self.client, self._layout)
                    now = self.client.server_time
                    place = attrs.evolve(place, task=task, began=now)
                # Whoever is killed from here on need not ask for another export.
                yield Step(0, place, rows=self.plans[0].of_records(()))
                file = self._file(place.task)
            yield from self._from_file(file, place)
        except NoExportError as refusal:
            yield Step(0, self._instead(place, refusal))

    def _from_file(self, file: IO[bytes], place: Place) -> Iterator[Step]:
        handed, self._ids = place.seen, _Ids()
        is_sorted = place.last > 0 or not handed
        for raw in self._blocks(file):
            ids = raw[ID].cast(pa.int64()).to_numpy()
            is_sorted = is_sorted and self._ids.follows(ids)
            before = len(self._ids)
            self._ids.add(ids)
            if len(self._ids) <= handed:
                continue  # in a batch of before the stop
            behind = max(handed - before, 0)
            rows = self.plans[0].of_columns({k: v[behind:] for k, v in raw.items()})
            seen, last = len(self._ids), int(ids[-1]) if is_sorted else 0
            place = attrs.evolve(place, seen=seen, count=seen, last=last)
            yield Step(0, place, rows=rows)
        yield Step(0, attrs.evolve(place, way="fresh", last=0))

    def _file(self, task: str) -> IO[bytes]:
        return _exports.fetched(self.client, task, self._layout.source.kind)

    def _blocks(self, file: IO[bytes]) -> Iterator[Raw]:
        with file:
            yield from _export_files.blocks(file, self._layout)

    @contextmanager
    def _our_turn(self) -> Iterator[None]:
        """HubSpot writes one export at a time, so the threads of a pull wait in line."""
        client = self.client
        # Who pulls two tables in turns, in one thread, would wait for himself.
        waits = client.exports_for != get_ident()
        if waits:
            client.exporting.acquire()
            client.exports_for = get_ident()
        try:
            yield
        finally:
            if waits:
                client.exports_for = 0
                client.exporting.release()

    def _instead(self, place: Place, refusal: NoExportError) -> Place:
        """Where pages take over: at the start, or behind the highest id of the file."""
        if not place.seen:
            if self._must and refusal.can_be_mended:
                raise refusal.error from None
            return attrs.evolve(place, way="list", task="", last=0)
        if place.last:
            return attrs.evolve(place, way="search", task="", seen=0)
        raise CursorLostError(
            "hubspot", "the export that this pull began with is gone: pull whole again"
        ) from None

    def _fresh(self, place: Place) -> Iterator[Step]:
        """What HubSpot changed since the export was asked for, and the file has not."""
        if place.began is not None:
            layout = attrs.evolve(self._layout, tells_merged=True)
            for page in found(self.client, layout, place.began, behind=place.last):
                fresh, place = self._unseen(page.records, place)
                merged = layout.merged(page.records)
                gone, place = self._left(merged, attrs.evolve(place, last=page.last))
                yield Step(0, place, fresh, gone)
        yield Step(0, self._counted(attrs.evolve(place, way="bin", last=0)))

    def _binned(self, place: Place) -> Iterator[Step]:
        """Who was put into the recycle bin since the export was asked for."""
        try:
            for page in archived(self.client, self._layout, after=place.after):
                binned = gone_since(self._layout, page.records, place.began)
                pages = place.binned + 1
                place = attrs.evolve(place, after=page.after, binned=pages)
                gone, place = self._left(binned, place)
                yield Step(0, place, gone=gone)
        except RefusedRequestError as refusal:
            yield Step(0, self._once_more(place, refusal))
            return
        yield Step(0, self._counted(attrs.evolve(place, way="sweep", after="")))

    def _once_more(self, place: Place, refusal: RefusedRequestError) -> Place:
        """The same way from its beginning; what it handed out is known."""
        return attrs.evolve(self._from_start(place, refusal), seen=place.seen)

    def _swept(self, place: Place) -> Iterator[Step]:
        """The list tells all: who is not in the file, and who is only there."""
        try:
            for page in listed(self.client, self._layout, after=place.after):
                here = _ids_of(page.records)
                last = int(here[-1]) if len(here) else place.last
                top = last if page.after else np.iinfo(np.int64).max
                expected = self._between(place.last, top, place)
                deleted = _deleted(np.setdiff1d(expected, here))
                fresh, place = self._unseen(page.records, place)
                place = attrs.evolve(place, after=page.after, last=last)
                gone, place = self._left(deleted, place)
                yield Step(0, place if page.after else self._done(place), fresh, gone)
        except RefusedRequestError as refusal:
            yield Step(0, self._once_more(place, refusal))

    def _counted(self, place: Place) -> Place:
        """Done, where HubSpot counts as many as we have; one call."""
        total = count(self.client, self._layout)
        return self._done(place) if total == place.seen else place

    @staticmethod
    def _done(place: Place) -> Place:
        end = Place(way="done", began=place.began, count=place.seen)
        return attrs.evolve(end, part=0, binned=place.binned)

    def _unseen(
        self, records: Sequence[Record], place: Place
    ) -> tuple[Sequence[Record], Place]:
        ids = _ids_of(records)
        is_new = ~self._is_ours(ids, place)
        fresh = [record for record, new in zip(records, is_new, strict=True) if new]
        extra = (*place.extra, *ids[is_new].tolist())
        return fresh, attrs.evolve(place, extra=extra, seen=place.seen + len(fresh))

    def _left(self, gone: pa.Table, place: Place) -> tuple[pa.Table, Place]:
        """Those of them that were handed out, and are told for the first time."""
        ids = gone["id"].cast(pa.int64()).to_numpy()
        gone = gone.filter(pa.array(self._is_ours(ids, place)))
        left = (*place.left, *(int(one) for one in gone["id"].to_pylist()))
        return gone, attrs.evolve(place, left=left, seen=place.seen - len(gone))

    def _is_ours(
        self, ids: npt.NDArray[np.int64], place: Place
    ) -> npt.NDArray[np.bool_]:
        """Whether each was handed out, here or in a process before, and stays."""
        was_ours = self._in_file(place).holds(ids) | np.isin(ids, place.extra)
        return was_ours & ~np.isin(ids, place.left)

    def _between(self, low: int, high: int, place: Place) -> npt.NDArray[np.int64]:
        """The ids above ``low``, up to ``high``, of what was handed out and stays."""
        extra = np.array(place.extra, np.int64)
        extra = extra[(extra > low) & (extra <= high)]
        ours = np.concatenate([self._in_file(place).between(low, high), extra])
        return ours[~np.isin(ours, place.left)]

    def _in_file(self, place: Place) -> _Ids:
        if self._ids is None:
            self._ids = _Ids()
            try:
                for raw in self._blocks(self._file(place.task)):
                    self._ids.add(raw[ID].cast(pa.int64()).to_numpy())
            except NoExportError as refusal:
                self._instead(attrs.evolve(place, last=0), refusal)
        return self._ids


class _Ids:
    """The ids of a file's records; eight bytes each."""

    def __init__(self) -> None:
        self._parts: list[npt.NDArray[np.int64]] = []
        self._count, self._is_sorted = 0, False

    def __len__(self) -> int:
        return self._count

    def add(self, ids: npt.NDArray[np.int64]) -> None:
        self._parts.append(np.array(ids))
        self._count, self._is_sorted = self._count + len(ids), False

    def follows(self, ids: npt.NDArray[np.int64]) -> bool:
        """Whether these go on upwards from what is there."""
        first = self._parts[-1][-1:] if self._parts else ids[:0]
        return bool((np.diff(np.concatenate([first, ids])) > 0).all())

    def holds(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Whether each of a few is among them."""
        known = self._in_order()
        place = np.searchsorted(known, ids)
        is_inside = place < len(known)
        is_inside[is_inside] = known[place[is_inside]] == ids[is_inside]
        return is_inside

    def between(self, low: int, high: int) -> npt.NDArray[np.int64]:
        """Those above ``low``, up to ``high``."""
        known = self._in_order()
        start, end = np.searchsorted(known, [low, high], side="right")
        return known[start:end]

    def _in_order(self) -> npt.NDArray[np.int64]:
        # A list of a million records asks ten thousand times.
        if not self._is_sorted:
            self._parts = [np.sort(np.concatenate([_NONE, *self._parts]))]
            self._is_sorted = True
        return self._parts[0]


def _ids_of(records: Sequence[Record]) -> npt.NDArray[np.int64]:
    return np.array([int(record["id"]) for record in records], np.int64)


def _deleted(ids: npt.NDArray[np.int64]) -> pa.Table:
    size = len(ids)
    at: datetime | None = None
    return pa.table(
        [
            pa.array(ids, pa.int64()).cast(pa.string()),
            pa.repeat(pa.scalar("deleted"), size),
            pa.nulls(size, pa.string()),
            pa.repeat(pa.scalar(at, pa.timestamp("us", "UTC")), size),
        ],
        schema=gone_schema(),
    )
