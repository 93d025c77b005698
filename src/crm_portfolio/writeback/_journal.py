"""How is each step of an apply on disk before the CRM is touched?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import attrs

from crm_portfolio._managed import VALUES
from crm_portfolio.archive import (
    CANARY,
    Archive,
    Entry,
    Heard,
    Journal,
    Key,
    Ref,
    Segment,
    SegmentKind,
    Standing,
    key_of,
)
from crm_portfolio.protocols import Change, WritableTable
from crm_portfolio.writeback._document import record_in
from crm_portfolio.writeback._plan import Plan
from crm_portfolio.writeback._planned import PlannedRecord

__all__ = ["Recorder"]


@attrs.define(eq=False)
class Recorder:
    """Writes the journal of one apply; all of it is on disk when a method returns.

    Attributes:
        standing: What the journal says so far of the changes in flight.
    """

    _archive: Archive
    _run_id: str
    standing: Standing
    _begun: Segment | None = None
    _last: Segment | None = None

    @classmethod
    def begin(cls, archive: Archive, plan: Plan) -> Recorder:
        """Keep the plan, and begin the run, or go on with it if it was interrupted.

        A run that came to its end stays as it is.
        """
        archive.keep_plan(plan.id, plan.content)
        heard = Heard()
        segments = archive.outline(plan.id, heard.hear)
        # What the process before has no answer to gets none any more.
        recorder = cls(archive, plan.id, Standing(aside=heard.all()))
        for segment in segments:
            recorder._note(segment)
        if recorder.is_over:
            return recorder
        header = plan.header
        recorder._written(
            "begin",
            {
                "org": attrs.asdict(header.org),
                "as_of": header.as_of.isoformat(),
                "portfolio_id": header.portfolio_id,
                "settings_digest": header.settings_digest,
                "library_version": header.library_version,
                "population": header.population,
                "others": header.others,
                "compared": header.compared,
                "undoes": header.undoes,
                "resends": header.resends,
                "edited": _overwritten(plan),
                "change_count": len(plan.changes),
            },
        )
        return recorder

    @property
    def is_over(self) -> bool:
        """Whether the run came to its end, or its canary ended it."""
        last = self._last
        if last is None or last.kind != "end":
            return False
        return last.content["interrupted"] in ("", CANARY)

    def turn_to(self, records: Sequence[PlannedRecord]) -> None:
        """Have at hand what is known of these records of one table, and of no others."""
        self.standing.rest()
        for table, ids in _by_table(records):
            self.standing.recall(table, ids)

    def owes(self, record: PlannedRecord) -> bool:
        """Whether a change of the record has no state yet that will stay."""
        return any(not self.is_settled(planned.change) for planned in record.changes)

    def is_settled(self, change: Change) -> bool:
        """Whether the journal says what became of it, once and for all."""
        return self.standing.is_settled(key_of(change))

    def is_in_doubt(self, change: Change) -> bool:
        """Whether it was sent, and nobody knows yet if it arrived."""
        return self.standing.is_in_doubt(key_of(change))

    def intend(
        self, table: WritableTable, send: Sequence[Change], left: Sequence[Entry]
    ) -> int:
        """Say what is about to be sent, and what is not and why; gives it a number."""
        sent = [_told(change) for change in send]
        told = {"table": table, "send": sent, "left": _listed(left)}
        number = self._written("intent", told).number
        # What was just told need not be read: there may be much of it.
        self.standing.intended(number, send, left)
        return number

    def settle(self, intent: int, outcomes: Sequence[Entry]) -> None:
        """Say what came of what was to be sent, in its order."""
        # The CRM's message stays out: it may quote what stands in the record.
        results = [[entry.state, entry.code, entry.field] for entry in outcomes]
        self._written("outcome", {"intent": intent, "results": results})
        self.standing.answered(intent, outcomes)

    def check(self, table: WritableTable, intent: int, seen: Sequence[Entry]) -> None:
        """Say that the CRM was looked at, and where it is not as its answer said."""
        found = {"table": table, "intent": intent, "seen": _listed(seen)}
        self._written("check", found)
        self.standing.checked(intent, seen)

    def judge(self, table: WritableTable, unexpected: Sequence[Key]) -> None:
        """Say what moved in the canary of a table, and should not have."""
        moved = [[record_id, column] for _, record_id, column in unexpected]
        self._written("canary", {"table": table, "unexpected": moved})
        self.standing.judged(table, unexpected)

    def is_judged(self, table: WritableTable) -> bool:
        """Whether the canary of a table has been looked at."""
        return table in self.standing.moved

    def end(self, interrupted: str) -> None:
        """Say that nothing more comes, and why if that is too early."""
        self._written("end", {"interrupted": interrupted})

    @property
    def journal(self) -> Journal:
        """What has been written; nothing is to be written after this."""
        assert self._begun is not None
        assert self._last is not None
        return Journal.after(
            self._run_id, self._begun, self._last, self.standing.told()
        )

    def _written(self, kind: SegmentKind, content: Mapping[str, Any]) -> Segment:
        segment = self._archive.append(self._run_id, kind, content, after=self._last)
        self._note(segment)
        return segment

    def _note(self, segment: Segment) -> None:
        self._last = segment.outlined()
        if segment.kind == "begin":
            self._begun = segment


def _by_table(
    records: Sequence[PlannedRecord],
) -> Iterator[tuple[WritableTable, list[str]]]:
    for table, each in groupby(records, key=lambda record: record.table):
        yield table, [record.record_id for record in each]


def _overwritten(plan: Plan) -> list[list[object]]:
    """Records the plan changes though people had edited them, and which fields."""
    if plan.header.undoes or plan.header.resends:  # these leave alone what was edited
        return []
    edited = {(e.table, e.record_id): list(e.edited) for e in plan.edited}
    if not edited:
        return []
    # There may be many: to look for each among the records would read these as often.
    changed = (ref for table in VALUES for ref in _changed(plan, table))
    return [[*ref, edited[ref]] for ref in changed if ref in edited]


def _changed(plan: Plan, table: WritableTable) -> Iterator[Ref]:
    """The records of a table that a plan changes, in order."""
    for line in plan.of_table(table).raw():
        yield table, str(record_in(line, table))


def _told(change: Change) -> list[object]:
    return [change.record_id, change.column, change.before, change.after]


def _listed(entries: Sequence[Entry]) -> list[list[object]]:
    return [[*_told(e.change), e.state, e.code, e.found] for e in entries]
