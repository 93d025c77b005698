"""How is each step of an apply on disk before the CRM is touched?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from crm_portfolio.archive import (
    CANARY,
    Archive,
    Entry,
    Journal,
    Key,
    Segment,
    SegmentKind,
    Standing,
)
from crm_portfolio.protocols import Change
from crm_portfolio.writeback._plan import Plan
from crm_portfolio.writeback._planned import PlannedRecord

__all__ = ["Recorder"]


@attrs.define(eq=False)
class Recorder:
    """Writes the journal of one apply; all of it is on disk when a method returns.

    Attributes:
        standing: What the journal says of every change so far.
    """

    _archive: Archive
    _run_id: str
    _segments: list[Segment]
    standing: Standing

    @classmethod
    def begin(cls, archive: Archive, plan: Plan) -> Recorder:
        """Keep the plan, and begin the run, or go on with it if it was interrupted.

        A run that came to its end stays as it is.
        """
        archive.keep_plan(plan.id, plan.to_bytes())
        segments = list(archive.segments(plan.id))
        recorder = cls(archive, plan.id, segments, Standing.of(segments))
        if recorder.is_over:
            return recorder
        header = plan.header
        recorder._append(
            "begin",
            {
                "org": attrs.asdict(header.org),
                "as_of": header.as_of.isoformat(),
                "portfolio_id": header.portfolio_id,
                "settings_digest": header.settings_digest,
                "library_version": header.library_version,
                "population": header.population,
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
        last = self._segments[-1] if self._segments else None
        if last is None or last.kind != "end":
            return False
        return last.content["interrupted"] in ("", CANARY)

    def owes(self, record: PlannedRecord) -> bool:
        """Whether a change of the account has no state yet that will stay."""
        return any(not self.is_settled(planned.change) for planned in record.changes)

    def is_settled(self, change: Change) -> bool:
        """Whether the journal says what became of it, once and for all."""
        key = (change.record_id, change.column)
        entry = self.standing.entries.get(key)
        if entry is None or entry.state in ("not_sent", "unknown"):
            return False
        return key not in self.standing.unchecked

    def is_in_doubt(self, change: Change) -> bool:
        """Whether it was sent, and nobody knows yet if it arrived."""
        entry = self.standing.entries.get((change.record_id, change.column))
        return entry is not None and entry.state == "unknown"

    def is_half_done(self, record: PlannedRecord) -> bool:
        """Whether changes of the account may be in the CRM already, unseen by us."""
        changes = [planned.change for planned in record.changes]
        unchecked = self.standing.unchecked
        return any(
            self.is_in_doubt(c) or (c.record_id, c.column) in unchecked for c in changes
        )

    def intend(self, send: Sequence[Change], left: Sequence[Entry]) -> int:
        """Say what is about to be sent, and what is not and why; gives it a number."""
        return self._append(
            "intent",
            {"send": [_told(change) for change in send], "left": _listed(left)},
        )

    def settle(self, intent: int, outcomes: Sequence[Entry]) -> None:
        """Say what came of what was to be sent, in its order."""
        # The CRM's message stays out: it may quote what stands in the record.
        results = [[entry.state, entry.code, entry.field] for entry in outcomes]
        self._append("outcome", {"intent": intent, "results": results})

    def check(self, intent: int, seen: Sequence[Entry]) -> None:
        """Say that the CRM was looked at, and where it is not as its answer said."""
        self._append("check", {"intent": intent, "seen": _listed(seen)})

    def judge(self, unexpected: Sequence[Key]) -> None:
        """Say what moved in the canary, and should not have."""
        self._append("canary", {"unexpected": [list(key) for key in unexpected]})

    def end(self, interrupted: str) -> None:
        """Say that nothing more comes, and why if that is too early."""
        self._append("end", {"interrupted": interrupted})

    @property
    def journal(self) -> Journal:
        """What has been written so far."""
        return Journal.of(self._run_id, self._segments)

    def _append(self, kind: SegmentKind, content: Mapping[str, Any]) -> int:
        after = self._segments[-1] if self._segments else None
        segment = self._archive.append(self._run_id, kind, content, after=after)
        self._segments.append(segment)
        self.standing.take(segment)
        return segment.number


def _overwritten(plan: Plan) -> Mapping[str, Sequence[str]]:
    """Accounts the plan changes though people had edited them, and which fields."""
    if plan.header.undoes or plan.header.resends:  # these leave alone what was edited
        return {}
    changed = {record.record_id for record in plan.records}
    return {e.record_id: e.edited for e in plan.edited if e.record_id in changed}


def _told(change: Change) -> list[object]:
    return [change.record_id, change.column, change.before, change.after]


def _listed(entries: Sequence[Entry]) -> list[list[object]]:
    return [[*_told(e.change), e.state, e.code, e.found] for e in entries]
