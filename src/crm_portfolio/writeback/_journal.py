"""How is each step of an apply on disk before the CRM is touched?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from crm_portfolio.archive import (
    Archive,
    ChangeState,
    Entry,
    Journal,
    Segment,
    SegmentKind,
)
from crm_portfolio.protocols import Change, Outcome
from crm_portfolio.writeback._plan import Plan

__all__ = ["Recorder"]


@attrs.define(eq=False)
class Recorder:
    """Writes the journal of one apply; all of it is on disk when a method returns."""

    _archive: Archive
    _run_id: str
    _segments: list[Segment]

    @classmethod
    def begin(cls, archive: Archive, plan: Plan) -> Recorder:
        """Keep the plan, and begin the run, or go on with it if it was interrupted."""
        archive.keep_plan(plan.id, plan.to_bytes())
        recorder = cls(archive, plan.id, list(archive.segments(plan.id)))
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
                "change_count": len(plan.changes),
            },
        )
        return recorder

    def intend(self, send: Sequence[Change], left: Sequence[Entry]) -> None:
        """Say what is about to be sent, and what is not and why."""
        told = [
            [*_told(entry.change), entry.state, entry.code, entry.found]
            for entry in left
        ]
        self._append(
            "intent", {"send": [_told(change) for change in send], "left": told}
        )

    def settle(
        self,
        send: Sequence[Change],
        outcomes: Mapping[tuple[str, str], Outcome],
        *,
        unanswered: ChangeState,
    ) -> None:
        """Say what came of what was to be sent."""
        results = []
        for change in send:
            outcome = outcomes.get((change.record_id, change.column))
            # The CRM's message stays out: it may quote what stands in the record.
            results.append(
                [outcome.state, outcome.code] if outcome else [unanswered, ""]
            )
        intent = self._segments[-1].number
        self._append("outcome", {"intent": intent, "results": results})

    def end(self, interrupted: str) -> None:
        """Say that nothing more comes, and why if that is too early."""
        self._append("end", {"interrupted": interrupted})

    @property
    def journal(self) -> Journal:
        """What has been written so far."""
        return Journal.of(self._run_id, self._segments)

    def _append(self, kind: SegmentKind, content: Mapping[str, Any]) -> None:
        after = self._segments[-1] if self._segments else None
        segment = self._archive.append(self._run_id, kind, content, after=after)
        self._segments.append(segment)


def _told(change: Change) -> list[object]:
    return [change.record_id, change.column, change.before, change.after]
