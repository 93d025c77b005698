"""How does one batch get there, and what came of each of its changes?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, groupby, islice
from typing import Protocol

import attrs

from crm_portfolio._managed import PIN, STAMP
from crm_portfolio._storage import now
from crm_portfolio.archive import ChangeState, Entry, Key, key_of
from crm_portfolio.errors import CrmPortfolioError, TransientError
from crm_portfolio.protocols import (
    Careful,
    Change,
    Connector,
    Outcome,
    WritableTable,
)
from crm_portfolio.writeback._held import PORTION, Row, as_text, read_rows
from crm_portfolio.writeback._journal import Recorder
from crm_portfolio.writeback._planned import PlannedRecord
from crm_portfolio.writeback._readback import has_landed, overwritten, seen, stands

__all__ = ["Batch", "Guard"]


class Guard(Protocol):
    """Says whether the org is still ours to write."""

    def check(self) -> None: ...


@attrs.define(eq=False)
class Batch:
    """Some records of one table on their way to the CRM.

    Attributes:
        also: Columns besides ours that are read with them.
        is_first: It is a first slice: how its records stood, and stand, is kept.
        is_last: What is refused for the moment is refused for good.
        sent: The changes that went, once they have.
        before: How the records of a first slice stood right before that, by id.
    """

    crm: Connector
    recorder: Recorder
    guard: Guard
    records: Sequence[PlannedRecord]
    also: Sequence[str] = ()
    is_last: bool = False
    is_first: bool = False
    sent: Sequence[Change] = ()
    before: Mapping[str, Row] = attrs.field(factory=dict)
    _intent: int = 0
    _since: datetime = attrs.field(factory=now)

    @property
    def table(self) -> WritableTable:
        """Of all its records, of which there is one at least."""
        return self.records[0].table

    def write(self) -> TransientError | None:
        """Read the records again and send what still holds; the error that ended it.

        The intent is on disk before anything is sent, the answer when this returns.
        """
        self._since = now()
        send: list[Change] = []
        left: list[Entry] = []
        for judged in self._looked_at():
            if isinstance(judged, Entry):
                left.append(judged)
            else:
                send.append(judged)
        self.guard.check()
        self._intent = self.recorder.intend(self.table, send, left)
        self.sent = send
        return self._answered() if send else None

    def check(self) -> Mapping[str, Row]:
        """Read back what was sent, and how the records of a first slice stand now."""
        if not self.sent:
            return {}
        standing, kept = self.recorder.standing, dict[str, Row]()
        found: dict[Key, Entry] = {}
        for part in _in_portions(self.sent):
            ids = list(dict.fromkeys(change.record_id for change in part))
            rows = read_rows(self.crm, self.table, ids, self.also)
            found |= {entry.key: entry for entry in seen(part, rows, standing)}
            kept |= rows if self.is_first else {}
        ours = [
            change
            for change in self.sent
            if found.get(key_of(change), standing.entries[key_of(change)]).state
            == "written"
        ]
        lost = overwritten(self.crm, self.table, ours, since=self._since)
        found |= {entry.key: entry for entry in lost}
        self.recorder.check(self.table, self._intent, list(found.values()))
        return kept

    def _looked_at(self) -> Iterator[Change | Entry]:
        """Each change that has no state yet, after a look at its record as it stands."""
        before: dict[str, Row] = {}
        for start in range(0, len(self.records), PORTION):
            part = self.records[start : start + PORTION]
            ids = [record.record_id for record in part]
            rows = read_rows(self.crm, self.table, ids, self.also)
            before |= rows if self.is_first else {}
            for record in part:
                yield from self._judged(record, rows.get(record.record_id))
        self.before = before

    def _judged(
        self, record: PlannedRecord, row: Row | None
    ) -> Iterator[Change | Entry]:
        """Each change that has no state yet, to be sent as it is or not to be sent."""
        changes = [
            planned.change
            for planned in record.changes
            if not self.recorder.is_settled(planned.change)
        ]
        if row is None:
            yield from (Entry(change, "gone") for change in changes)
            return
        arrived = self._arrived(changes, row)
        yield from (stands(change, row) for change in arrived)
        holds = (
            as_text(row[STAMP]) == record.stamp
            and tuple(row[column] for column in PIN[self.table]) == record.pin
        )
        is_sent = False
        # The stamp goes last: it is written only beside another change.
        for change in sorted(changes, key=lambda c: (c.column == STAMP, c.column)):
            if change in arrived:
                continue
            current = row[change.column]
            may_go = is_sent if change.column == STAMP else holds
            if current == change.after:
                yield Entry(change, "unchanged")
            elif may_go and current == change.before:
                is_sent = True
                yield change
            else:
                yield Entry(change, "stale", found=current)

    def _arrived(self, changes: Sequence[Change], row: Row) -> list[Change]:
        """Those that an earlier batch wrote, whether or not its answer came."""
        unchecked = self.recorder.standing.unchecked
        sure = [change for change in changes if key_of(change) in unchecked]
        doubtful = [c for c in changes if self.recorder.is_in_doubt(c)]
        return [*sure, *(doubtful if has_landed(doubtful, row) else ())]

    def _answered(self) -> TransientError | None:
        answers: dict[Key, Entry] = {}
        unanswered: ChangeState = "unknown"
        try:
            # Where the archive was slow to take the intent, another run may be here.
            self.guard.check()
            for outcome in self._outcomes():
                answers[key_of(outcome.change)] = self._entry(outcome)
        except CrmPortfolioError as error:
            # What was in flight has come back as unknown; the rest never left.
            unanswered = "not_sent"
            if not isinstance(error, TransientError):
                raise
            return error
        finally:
            entries = [
                answers.get(key_of(change)) or Entry(change, unanswered)
                for change in self.sent
            ]
            self.recorder.settle(self._intent, entries)
        return None

    def _outcomes(self) -> Iterator[Outcome]:
        # Between a lost answer and a second sending somebody may edit: we look first.
        if isinstance(self.crm, Careful):
            return self.crm.write_once(self.table, self.sent)
        return self.crm.write(self.table, self.sent)

    def _entry(self, outcome: Outcome) -> Entry:
        is_over = self.is_last or not outcome.is_passing
        state = outcome.state if is_over else "not_sent"
        return Entry(outcome.change, state, outcome.code, field=outcome.field)


def _in_portions(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """The changes of so many records at a time as are read at once."""
    records = (list(each) for _, each in groupby(changes, lambda one: one.record_id))
    while part := list(chain.from_iterable(islice(records, PORTION))):
        yield part
