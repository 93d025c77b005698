"""How does one table come from the source into its mirror, and go on after a crash?

A batch is stored first, then the cursor behind it; so a run that was killed asks again
for no more than the batch that was in flight.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import attrs
import pyarrow as pa

from crm_portfolio._pull._checkpoint import Checkpoint, Copy, Identity, Kind, Part
from crm_portfolio._pull._following import settled_merges
from crm_portfolio._pull._intake import Intake
from crm_portfolio._pull._mirror import IS_SET, Mirror
from crm_portfolio._pull._settings import PullSettings
from crm_portfolio._pull._side_by_side import Stop
from crm_portfolio.errors import CursorLostError
from crm_portfolio.protocols import Batch, Cursor, Reconciling
from crm_portfolio.schema import TABLES, TableName, arrow_type

if TYPE_CHECKING:
    from datetime import datetime

    from crm_portfolio.protocols import Source

__all__ = ["Fetch", "empty_rows", "keep_merges", "merges_in", "takes_increments"]

_MERGED: Final = "merged"


def takes_increments(table: TableName) -> bool:
    """Whether a table can be kept current: its rows have one id, or are facts of a set.

    The others are short, and are pulled whole each time.
    """
    spec = TABLES[table]
    has_id = len(spec.key) == 1 and spec[spec.key[0]].type == "id"
    return has_id or table in IS_SET


@attrs.frozen(eq=False)
class Fetch:
    """One table of one run.

    Attributes:
        since: Bring the copy up to date, if there is one that fits.
        tell: Told how many rows have come, and of how many if that is known.
        note: Told what a person should know.
    """

    source: Source
    table: TableName
    mirror: Mirror
    identity: Identity
    run: str
    since: bool
    as_of: date
    settings: PullSettings
    tell: Callable[[int, int | None], None]
    note: Callable[[str], None]

    def __call__(self, stop: Stop) -> None:
        """Store all that the source says, unless this run has it already."""
        known = self._known()
        if known.copy is not None and known.run == self.run:
            return
        kind = self._kind(known)
        if kind == "since":
            self._follow(known, stop)
        else:
            self._read_whole(known, stop)

    @property
    def is_begun(self) -> bool:
        """Whether some of the table was stored in this run before this moment."""
        known = self.mirror.checkpoint()
        return known is not None and (known.run == self.run or known.part is not None)

    def bring_up(self, stop: Stop) -> None:
        """What has changed since this very run stored the copy, which it did long ago."""
        known = self._known()
        if takes_increments(self.table) and known.copy and known.copy.cursor:
            self._follow(known, stop)
        else:
            self.again(stop)

    def again(self, stop: Stop = lambda: None) -> None:
        """The same table whole, whatever is known of it."""
        known = Checkpoint(self.identity, copy=self._known().copy)
        fresh = attrs.evolve(self, since=False)
        self.mirror.save(known)
        fresh(stop)

    def _read_whole(self, known: Checkpoint, stop: Stop) -> None:
        known = attrs.evolve(known, part=self._begun(known, "whole"))
        if not _part(known).is_done:
            known = self._store_batches(known, stop)
        self._take_over(known)

    def _follow(self, known: Checkpoint, stop: Stop) -> None:
        known = attrs.evolve(known, part=self._begun(known, "since"))
        if not _part(known).is_reconciled and self._is_due(known.copy):
            known = self._list_present(known, stop)
        if _part(known).is_done:
            return
        try:
            self._store_batches(known, stop)
        except CursorLostError:
            self.note(
                f"{self.table} is pulled whole again: since when to ask is not known "
                "any more."
            )
            self.again(stop)

    def _known(self) -> Checkpoint:
        known = self.mirror.checkpoint()
        if known is None:
            return Checkpoint(self.identity)
        if reason := self.identity.differs_in(known.identity):
            if self.since or known.part is not None:  # else whole is what was asked for
                self.note(f"{self.table} is pulled whole again: {reason}.")
            return Checkpoint(self.identity)
        return known

    def _kind(self, known: Checkpoint) -> Kind:
        if not self.since or known.copy is None:
            return "whole"
        if known.part is not None and known.part.kind == "whole" and not known.run:
            return "whole"  # begun in place of an increment, and cut off
        if not takes_increments(self.table):
            return "whole"
        if known.copy.cursor is None:
            self.note(f"{self.table} is pulled whole: what changed in it is not told.")
            return "whole"
        return "since"

    def _begun(self, known: Checkpoint, kind: Kind) -> Part:
        part, copy = known.part, known.copy
        if part is not None and part.kind == kind:
            for stored in ("rows", "gone"):  # behind which there is no cursor yet
                self.mirror.drop(part.folder, stored, after=part.batches)
            can_go_on = part.cursor is not None or part.is_done or not part.batches
            if can_go_on and self.mirror.is_sound(part.folder, part.batches):
                return part
        taken = [] if copy is None else [copy.folder]
        part = Part(kind, self.mirror.begin(beside=taken))
        self.mirror.save(attrs.evolve(known, part=part))
        return part

    def _is_due(self, copy: Copy | None) -> bool:
        """Whether it is long since all records were counted.

        The day is the latest we know of: that of the books, or of the last pull.
        """
        if not isinstance(self.source, Reconciling) or not TABLES[self.table].key:
            return False
        if copy is None or copy.reconciled_at is None:
            return False
        known = copy.complete_as_of or copy.reconciled_at
        age = max(self.as_of, known.date()) - copy.reconciled_at.date()
        return age >= timedelta(days=self.settings.reconcile_days)

    def _list_present(self, known: Checkpoint, stop: Stop) -> Checkpoint:
        part, source = _part(known), self.source
        assert isinstance(source, Reconciling)
        self.mirror.drop(part.folder, "present")
        for number, rows in enumerate(source.present(self.table)):
            self.mirror.store(part.folder, number, rows, kind="present")
            stop()
        listed = attrs.evolve(known, part=attrs.evolve(part, is_reconciled=True))
        self.mirror.save(listed)
        return listed

    def _store_batches(self, known: Checkpoint, stop: Stop) -> Checkpoint:
        part, copy = _part(known), known.copy

        def save(part: Part) -> None:
            self.mirror.save(attrs.evolve(known, part=part))

        size = self.settings.rows_per_file
        with closing(Intake(self.mirror, part, save, rows_per_file=size)) as intake:
            since = copy.cursor if part.kind == "since" and copy is not None else None
            is_resumed = intake.part.cursor is not None
            try:
                self._take_in(intake, since, stop)
                return attrs.evolve(known, part=intake.end())
            except CursorLostError:
                if not is_resumed:
                    raise
        self.note(f"{self.table} is begun anew: the CRM forgot where we stopped.")
        known = attrs.evolve(known, part=None)
        known = attrs.evolve(known, part=self._begun(known, part.kind))
        return self._store_batches(known, stop)

    def _take_in(self, intake: Intake, since: Cursor | None, stop: Stop) -> None:
        resume, rows = intake.part.cursor, intake.part.rows
        self.tell(rows, None)
        for batch in self.source.pull(self.table, since=since, resume=resume):
            intake.take(batch)
            rows = intake.part.rows
            self.tell(rows, rows if batch.is_last else None)
            stop()
        if intake.part.cursor is None and not rows:
            empty = empty_rows(self.table, self.identity.columns)
            intake.take(Batch(self.table, empty, None, None, is_last=True))

    def _take_over(self, known: Checkpoint) -> None:
        """What was pulled is the copy now."""
        part = _part(known)
        keep_merges(self.mirror, part.folder, {}, self.mirror.read(part.folder, "gone"))
        moment = _moment(part)
        copy = Copy(part.folder, part.rows, part.cursor, moment, moment, moment)
        self.mirror.save(Checkpoint(self.identity, self.run, "whole", copy))
        self.mirror.keep_only(part.folder)


def _part(known: Checkpoint) -> Part:
    assert known.part is not None
    return known.part


def _moment(part: Part) -> datetime | None:
    return None if part.cursor is None else part.cursor.taken_at


def keep_merges(
    mirror: Mirror, folder: str, known: dict[str, str], gone: Sequence[pa.Table]
) -> None:
    """Remember who was merged into whom, beside the rows of that folder."""
    merges = settled_merges(known, gone)
    mirror.drop(folder, _MERGED)
    if merges:
        ids, into = (
            pa.array(merges, pa.string()),
            pa.array(merges.values(), pa.string()),
        )
        rows = pa.table({"id": ids, "merged_into": into})
        mirror.store(folder, 0, rows, kind=_MERGED)


def merges_in(mirror: Mirror, folder: str) -> dict[str, str]:
    """What is remembered there."""
    return {
        row["id"]: row["merged_into"]
        for table in mirror.read(folder, _MERGED)
        for row in table.to_pylist()
    }


def empty_rows(table: TableName, columns: Sequence[str]) -> pa.Table:
    """No rows, with the columns that the source announced."""
    spec = TABLES[table]
    known = [column for column in columns if column in spec]
    return pa.schema([(name, arrow_type(spec[name])) for name in known]).empty_table()
