"""How does a source become a portfolio in a folder, however long its tables?

FOLDER/source/…        the mirror: what the source said, and how far it has come
FOLDER/<table>.parquet, portfolio.json      the portfolio that was made of it
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias, cast

import attrs
import pyarrow as pa

from crm_portfolio._frames import Backend
from crm_portfolio._normalise import Disk, Room, Stream, Told, normalise_streams
from crm_portfolio._pull._checkpoint import Checkpoint, Copy, Identity
from crm_portfolio._pull._fetching import Fetch, merges_in
from crm_portfolio._pull._following import MERGING, followed, without_living
from crm_portfolio._pull._laying import VANISHED, Laying, lay, removed_ids, returned_ids
from crm_portfolio._pull._mirror import IS_SET, Mirror
from crm_portfolio._pull._notes import Pulled
from crm_portfolio._pull._rereading import merged_since, reread
from crm_portfolio._pull._run import Run, locked
from crm_portfolio._pull._settings import PullSettings
from crm_portfolio._pull._side_by_side import Stop, side_by_side
from crm_portfolio._storage import canonical_json, write_atomically
from crm_portfolio.errors import DataError, LockHeldError, SettingsError
from crm_portfolio.portfolio import Calendar, Draft, Header, Portfolio
from crm_portfolio.protocols import Cursor, Progress, Source
from crm_portfolio.schema import TABLES, TableName, faults_of

__all__ = ["Into", "cursors_in"]

_SOURCE: Final = "source"
_SPILL: Final = "spill"
_COMPLETE: Final = "complete_as_of.json"
_OPPORTUNITY: Final[TableName] = "opportunity"
_NONE: Final = pa.array([], pa.string())
# A run that was cut off and goes on later than that has tables of different days.
_LONG_AGO: Final = timedelta(hours=6)
_DAYS_FROM: Final = 48  # hours
Announced: TypeAlias = Mapping[TableName, tuple[str, ...]]


@attrs.frozen(eq=False)
class Into:
    """One pull into a folder.

    Attributes:
        org: Whose tables they are; None: a plain source, which is read whole each time
            and of which no mirror is kept.
        copied_from: The org that a plain source is a copy of; the header alone says so.
        fingerprint: Of the settings that shape the tables.
    """

    source: Source
    folder: Path
    org: str | None
    fingerprint: str
    as_of: date
    currency: str | None
    calendar: Calendar
    settings: PullSettings
    progress: Progress | None
    copied_from: str | None = None
    notes: list[str] = attrs.field(factory=list)
    _telling: threading.Lock = attrs.field(factory=threading.Lock)

    def pull(self, *, since_last: bool, backend: Backend) -> Pulled:
        """All of it.

        Raises:
            SettingsError: The folder holds other files; or there is nothing in it that
                could be brought up to date.
        """
        Draft.check(self.folder)
        announced = self.source.tables()
        is_new = not self.folder.exists()
        since = since_last and self._can_be_current()
        try:
            with locked(self._place):
                told = self._pulled(announced, since=since)
        except LockHeldError:
            raise
        except BaseException:
            self._leave_no_mirror(is_new=is_new)
            raise
        self._leave_no_mirror(is_new=is_new)
        portfolio = Portfolio.load(self.folder, backend=backend)
        return Pulled(portfolio, tuple(self.notes), Pulled.by_fault(told.counts))

    @property
    def _place(self) -> Path:
        return self.folder / _SOURCE

    def _can_be_current(self) -> bool:
        if self.org is None:
            self.notes.append("These tables do not tell what changed: all were read.")
            return False
        if any(self._place.glob("*/checkpoint.json")):
            return True
        if (self.folder / "portfolio.json").exists():
            raise SettingsError(
                f"{self.folder} has no copy of what the CRM said, so it cannot be brought "
                "up to date: pull it whole once, without --since-last"
            )
        self.notes.append("There is nothing to bring up to date yet: all was pulled.")
        return False

    def _leave_no_mirror(self, *, is_new: bool) -> None:
        """A plain source is read whole each time: its copy is of no use."""
        if self.org is not None:
            return
        shutil.rmtree(self._place, ignore_errors=True)
        if is_new and self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _pulled(self, announced: Announced, *, since: bool) -> Told:
        if self.org is None:
            for path in self._place.iterdir():
                if path.is_dir():
                    shutil.rmtree(path)
        run = Run.begun(self._place, since=since)
        shutil.rmtree(self._place / _SPILL, ignore_errors=True)
        room = Disk(self._place / _SPILL)
        fetches = self._fetches(announced, run, room)
        aged = self._aged(fetches, run)
        self._work(fetches)
        self._lay(fetches, run, room)
        if aged:
            self._work({name: fetches[name].bring_up for name in aged})
            self._lay(fetches, run, room)
        known = {name: _checkpoint(fetch) for name, fetch in fetches.items()}
        try:
            told = self._build(fetches, known, room)
        except DataError:  # mended in the CRM; so the next pull is to ask it again
            run.end(self._place)
            raise
        self._finish(fetches, known, run)
        return told

    def _work(self, jobs: Mapping[TableName, Callable[[Stop], None]]) -> None:
        at_once = 1 if self.org is None else self.settings.at_once
        side_by_side(jobs, at_once=at_once)
        # What the connector had in its hands would stay beside what the build needs.
        pa.default_memory_pool().release_unused()

    def _aged(self, fetches: Mapping[TableName, Fetch], run: Run) -> list[TableName]:
        """What a run begun long ago had of its tables when it was cut off."""
        if not run.is_resumed or run.age < _LONG_AGO:
            return []
        aged = [name for name, fetch in fetches.items() if fetch.is_begun]
        if aged:
            hours = run.age.total_seconds() / 3_600
            is_days = hours >= _DAYS_FROM
            ago = f"{hours / 24:.0f} days" if is_days else f"{hours:.0f} hours"
            self._note(
                f"This pull was begun {ago} ago and cut off. What has changed since in "
                f"{', '.join(aged)} was asked for as well."
            )
        return aged

    def _fetches(
        self, announced: Announced, run: Run, room: Room
    ) -> dict[TableName, Fetch]:
        fetches: dict[TableName, Fetch] = {}
        for name in sorted(announced, key=list(TABLES).index):
            place, is_plain = self._place / name, self.org is None
            fetches[name] = Fetch(
                source=self.source,
                table=name,
                mirror=Mirror(place, name, room, sorts=not is_plain),
                identity=Identity(
                    self.org or "", tuple(announced[name]), self.fingerprint
                ),
                run=run.id,
                since=run.since,
                as_of=self.as_of,
                settings=self.settings,
                tell=partial(self._tell, f"pull {name}"),
                note=self._note,
            )
        return fetches

    def _tell(self, step: str, done: int, total: int | None) -> None:
        if self.progress is not None:
            with self._telling:
                self.progress(step, done, total)

    def _note(self, said: str) -> None:
        with self._telling:
            self.notes.append(said)

    def _lay(self, fetches: Mapping[TableName, Fetch], run: Run, room: Room) -> None:
        """Every increment over its copy; what opportunities were before comes last."""
        for name in sorted(fetches, key=lambda name: name in IS_SET):
            fetch = fetches[name]
            known = _checkpoint(fetch)
            if known.part is None:
                continue
            known = reread(self.source, fetch.mirror, known, self._left(fetches))
            is_theirs = name in IS_SET and _OPPORTUNITY in fetches
            removed = self._removed(name, fetches[_OPPORTUNITY]) if is_theirs else _NONE
            if removed is None:
                fetch.again()
                continue
            became = partial(merged_since, self.source, name)
            found = lay(
                fetch.mirror, known, run.id, room, removed=removed, became=became
            )
            self._tell_laying(fetch, found)
            if found.is_broken:
                fetch.again()

    def _left(self, fetches: Mapping[TableName, Fetch]) -> dict[TableName, pa.Array]:
        """The accounts and opportunities that left; they are laid before what names them."""
        return {
            name: removed_ids(fetches[name].mirror, _checkpoint(fetches[name]))
            for name in MERGING
            if name in fetches
        }

    def _removed(self, name: TableName, opportunities: Fetch) -> pa.Array | None:
        """The opportunities that left; None: that does not say all there is to do."""
        mirror, known = opportunities.mirror, _checkpoint(opportunities)
        if known.way == "whole":  # so it is not known which of them left
            return None
        if back := len(returned_ids(mirror, known)):
            self._note(
                f"{name} is pulled whole again: {back:,} opportunities came back after "
                "they had been deleted, and so did what they were before."
            )
            return None
        return removed_ids(mirror, known)

    def _tell_laying(self, fetch: Fetch, found: Laying) -> None:
        table = fetch.table
        for reason, count in sorted(found.gone.items()):
            self._note(f"{table}: {count:,} {reason} since the last pull.")
        if found.vanished:
            self._note(
                f"{table}: {found.vanished:,} vanished from the CRM without a word; "
                "left out."
            )
        if found.is_broken:
            self._note(
                f"{table} is pulled whole again: the copy does not hold the same "
                "records as the CRM."
            )

    def _build(
        self,
        fetches: Mapping[TableName, Fetch],
        known: Mapping[TableName, Checkpoint],
        room: Room,
    ) -> Told:
        """The portfolio, made of the mirror."""
        streams, vanished = _streams(fetches, known)
        draft = Draft(self.folder)
        try:
            told = normalise_streams(
                streams,
                as_of=self.as_of,
                currency=self.currency,
                time_zone=self.calendar.time_zone,
                room=room,
                opened=draft.opened,
                found=vanished,
            )
            draft.publish(
                Header(
                    as_of=self.as_of,
                    currency=told.currency,
                    time_zone=self.calendar.time_zone,
                    year_starts=self.calendar.year_starts,
                    org=self.org or self.copied_from,
                )
            )
        finally:
            draft.discard()
        return told

    def _finish(
        self,
        fetches: Mapping[TableName, Fetch],
        known: Mapping[TableName, Checkpoint],
        run: Run,
    ) -> None:
        complete = {name: _moments(_copy(it)) for name, it in known.items()}
        content = canonical_json(complete) + b"\n"
        write_atomically(self._place / _COMPLETE, content)
        shutil.rmtree(self._place / _SPILL, ignore_errors=True)
        for path in self._place.iterdir():
            if path.is_dir() and path.name not in fetches:
                shutil.rmtree(path, ignore_errors=True)
        run.end(self._place)


def _checkpoint(fetch: Fetch) -> Checkpoint:
    known = fetch.mirror.checkpoint()
    assert known is not None
    return known


def _streams(
    fetches: Mapping[TableName, Fetch], known: Mapping[TableName, Checkpoint]
) -> tuple[dict[TableName, Stream], list[pa.Table]]:
    """The raw tables, and a fault for each record that vanished from them."""
    streams: dict[TableName, Stream] = {}
    vanished: list[pa.Table] = []
    merges: dict[TableName, dict[str, str]] = {}
    for name, fetch in fetches.items():
        folder = _copy(known[name]).folder
        streams[fetch.table] = fetch.mirror.stream(folder)
        told = fetch.mirror.read(folder, VANISHED)
        vanished += [_vanished(fetch.table, table["id"]) for table in told]
        if name in MERGING:
            known_merges = merges_in(fetch.mirror, folder)
            merges[name] = without_living(name, known_merges, streams[name])
    return {
        name: followed(stream, TABLES[name], merges) for name, stream in streams.items()
    }, vanished


def _copy(known: Checkpoint) -> Copy:
    assert known.copy is not None
    return known.copy


def _moments(copy: Copy) -> dict[str, str | None]:
    def text(moment: datetime | None) -> str | None:
        return None if moment is None else moment.isoformat()

    return {"rows": text(copy.complete_as_of), "volatile": text(copy.volatile_as_of)}


def _vanished(table: TableName, ids: pa.ChunkedArray) -> pa.Table:
    return faults_of(
        table, TABLES[table].key[0], "vanished", rows=[None] * len(ids), values=ids
    )


def cursors_in(folder: Path) -> dict[TableName, Cursor]:
    """Since when each table of a folder can be brought up to date."""
    found: dict[TableName, Cursor] = {}
    for file in sorted((folder / _SOURCE).glob("*/checkpoint.json")):
        known = Checkpoint.load(file)
        if known is not None and known.copy is not None and known.copy.cursor:
            found[cast("TableName", file.parent.name)] = known.copy.cursor
    return found
