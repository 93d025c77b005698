"""Who wrote what, when, and why?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs

from crm_portfolio._wording import Reason
from crm_portfolio.archive import (
    Archive,
    ChangeState,
    Journal,
    Key,
    Segment,
    key_of,
)
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.protocols import Value, WritableTable
from crm_portfolio.writeback._last_written import may_name
from crm_portfolio.writeback._plan import Plan

__all__ = ["Step", "history"]


@attrs.frozen
class Step:
    """What one run did to one field of one record.

    Attributes:
        org: Where it was, sandbox or production.
        undoes: The run that this one took back, or nothing.
        at: When the journal told it last, as a UTC moment in ISO form.
        state: What came of it; ``not_sent`` where the run ended before its turn.
        found: What stood in the field instead, where the run says so.
        reasons: Why, as the plan of the run told it; none where it took back another.
    """

    run_id: str
    org: str
    undoes: str
    at: str
    table: WritableTable
    record_id: str
    column: str
    before: Value
    after: Value
    state: ChangeState
    code: str
    found: Value
    reasons: tuple[Reason, ...]


def history(archive: Archive, subject: str) -> tuple[Step, ...]:
    """Every change a run planned, or every change planned for a record, oldest first.

    Args:
        archive: Read only; the CRM is not asked.
        subject: The id of a run, or else of a record of any table.

    Raises:
        SettingsError: It is neither.
        DamagedFileError: A journal or a plan was altered.
    """
    if archive.holds(subject):
        return tuple(_steps(archive, subject, None))
    runs = archive.runs()
    steps = tuple(step for run in runs for step in _steps(archive, run, subject))
    if not steps:
        raise SettingsError(
            f"the archive {str(archive)!r} has no run {subject!r}, and no run in it "
            f"planned anything for a record {subject!r}" + did_you_mean(subject, runs)
        )
    return steps


def _steps(archive: Archive, run_id: str, account: str | None) -> Iterator[Step]:
    raw = archive.plan(run_id)
    if account is not None and not may_name(raw, account):
        return
    segments = archive.segments(run_id)
    if not segments:  # killed before it began
        return
    journal = Journal.of(run_id, segments)
    entries = {entry.key: entry for entry in journal.entries}
    moments = _moments(segments)
    undoes = str(segments[0].content["undoes"])
    for planned in Plan.from_bytes(raw, f"plan {run_id}").changes:
        change = planned.change
        if account not in (None, change.record_id):
            continue
        key = key_of(change)
        entry = entries.get(key)
        yield Step(
            run_id,
            org=str(journal.org),
            undoes=undoes,
            at=moments.get(key, segments[0].at),
            table=change.table,
            record_id=change.record_id,
            column=change.column,
            before=change.before,
            after=change.after,
            state=entry.state if entry else "not_sent",
            code=entry.code if entry else "",
            found=entry.found if entry else None,
            reasons=planned.reasons,
        )


def _moments(segments: Sequence[Segment]) -> Mapping[Key, str]:
    """When each change was last told of."""
    told: dict[Key, str] = {}
    sent: dict[int, list[Key]] = {}
    for segment in segments:
        content = segment.content
        table: WritableTable = content.get("table", "account")
        if segment.kind == "intent":
            sent[segment.number] = [(table, x[0], x[1]) for x in content["send"]]
            keys = sent[segment.number] + [(table, x[0], x[1]) for x in content["left"]]
        elif segment.kind == "outcome":
            keys = sent[content["intent"]]
        elif segment.kind == "check":
            keys = [(table, x[0], x[1]) for x in content["seen"]]
        else:
            continue
        told |= dict.fromkeys(keys, segment.at)
    return told
