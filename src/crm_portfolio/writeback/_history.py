"""Who wrote what, when, and why?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from crm_portfolio._managed import VALUES
from crm_portfolio._wording import Reason
from crm_portfolio.archive import (
    Archive,
    ChangeState,
    Heard,
    Journal,
    Key,
    Segment,
    key_of,
)
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.protocols import Value, WritableTable
from crm_portfolio.writeback._last_written import may_name
from crm_portfolio.writeback._plan import Plan
from crm_portfolio.writeback._planned import PlannedRecord

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
    if account is not None and not may_name(archive.plan_parts(run_id), account):
        return
    heard, moments = Heard(), _Moments(account)

    def hear(segment: Segment) -> None:
        heard.hear(segment)
        moments.hear(segment)

    segments = archive.outline(run_id, hear)
    if not segments:  # killed before it began
        return
    journal = Journal.after(run_id, segments[0], segments[-1], heard.all())
    kept = Plan.read(archive.plan_parts(run_id), f"plan {run_id}")
    for record in _records(kept, account):
        ref = record.table, record.record_id
        told = journal.known(*ref, record.record_id)
        entries = {known.entry.change.column: known.entry for known in told}
        for planned in record.changes:
            change = planned.change
            entry = entries.get(change.column)
            yield Step(
                run_id,
                org=str(journal.org),
                undoes=str(segments[0].content["undoes"]),
                at=moments.told.get(key_of(change), segments[0].at),
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


def _records(kept: Plan, account: str | None) -> Iterator[PlannedRecord]:
    """All records of a plan, or those of one id: each table has ids of its own."""
    if account is None:
        yield from kept.records
        return
    for table in VALUES:
        record = kept.record(table, account)
        if record is not None:
            yield record


@attrs.define(eq=False)
class _Moments:
    """When each change was last told of: of one id, or of all."""

    _account: str | None
    told: dict[Key, str] = attrs.field(factory=dict)
    _sent: dict[int, list[Key]] = attrs.field(factory=dict)

    def hear(self, segment: Segment) -> None:
        """Go on with the next segment."""
        content = segment.content
        table: WritableTable = content.get("table", "account")
        match segment.kind:
            case "intent":
                sent = self._keys(table, content["send"])
                self._sent[segment.number] = sent
                keys = sent + self._keys(table, content["left"])
            case "outcome":
                keys = self._sent[content["intent"]]
            case "check":
                keys = self._keys(table, content["seen"])
                del self._sent[content["intent"]]
            case _:
                return
        self.told |= dict.fromkeys(keys, segment.at)

    def _keys(self, table: WritableTable, told: Sequence[Sequence[str]]) -> list[Key]:
        mine = self._account
        return [
            (table, each[0], each[1])
            for each in told
            if mine is None or each[0] == mine
        ]
