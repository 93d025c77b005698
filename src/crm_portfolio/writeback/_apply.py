"""How does a plan get into the CRM, and nothing but the plan?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import timedelta

from crm_portfolio._managed import PIN, STAMP
from crm_portfolio._storage import now
from crm_portfolio.archive import Archive, ChangeState, Entry, Journal
from crm_portfolio.errors import (
    ConnectorError,
    CrmPortfolioError,
    LimitExceededError,
    PlanTooOldError,
    RefusedError,
    TransientError,
    WrongOrgError,
)
from crm_portfolio.protocols import Change, Connector, Org, Outcome, Progress
from crm_portfolio.writeback._held import Row, as_text, read_rows
from crm_portfolio.writeback._journal import Recorder
from crm_portfolio.writeback._plan import Plan
from crm_portfolio.writeback._planned import BATCH, PlannedRecord

__all__ = ["apply", "same_org"]


def apply(
    plan: Plan,
    crm: Connector,
    *,
    archive: Archive,
    accept_changes: int | None = None,
    progress: Progress | None = None,
) -> Journal:
    """Write a plan into the org it was made for.

    Each account is read again right before it is written: a field whose value, stamp or
    pin is no longer what the plan saw is ``stale`` and left alone. What is about to be
    sent is in the archive before it is sent. When the CRM goes away, the journal says how
    far it came, and applying the same plan again finishes it.

    Args:
        plan: From `plan` or `undo`.
        crm: Reaches that org, with a login that may write our fields.
        archive: Keeps the plan and the journal.
        accept_changes: To go beyond the limits: exactly how many changes the plan holds.
        progress: Told after each batch.

    Raises:
        RefusedError: The plan is altered, too old, for another org or beyond its limits;
            nothing was written.
    """
    _check(plan, crm, accept_changes)
    recorder = Recorder.begin(archive, plan)
    try:
        _write(plan, crm, recorder, progress)
    except TransientError as error:
        recorder.end(error.code or "transient")
    except BaseException as error:
        # The first error counts, also where the journal cannot be ended either.
        with suppress(CrmPortfolioError):
            recorder.end(_why(error))
        raise
    else:
        recorder.end("")
    return recorder.journal


def _why(error: BaseException) -> str:
    if isinstance(error, ConnectorError) and error.code:
        return error.code
    return type(error).__name__


def _check(plan: Plan, crm: Connector, accept_changes: int | None) -> None:
    """Refuse what must not be written, before anything is."""
    plan.verify()
    same_org(plan.header.org, crm.org())
    made_at, limits = plan.header.made_at, plan.header.limits
    if (now() - made_at) / timedelta(hours=1) > limits.max_age_hours:
        raise PlanTooOldError(
            f"plan {plan.id} was made at {made_at:%Y-%m-%d %H:%M} UTC and holds for "
            f"{limits.max_age_hours:g} hours; nothing was written. Make a new plan."
        )
    count = len(plan.changes)
    if accept_changes is None:
        if plan.refusals:
            raise LimitExceededError(tuple(map(str, plan.refusals)), count)
    elif accept_changes != count:
        raise RefusedError(
            f"the plan holds {count} changes, not {accept_changes}; nothing was written. "
            f"Look at it again; to accept all of it: accept_changes={count} "
            f"(--accept-changes {count})."
        )


def same_org(planned: Org, given: Org) -> None:
    """Refuse an org that is not the one meant.

    Raises:
        WrongOrgError: It names both.
    """
    if _key(planned) != _key(given):
        raise WrongOrgError(str(planned), str(given))


def _key(org: Org) -> tuple[str, str, bool]:
    return org.vendor, org.org_id, org.is_sandbox


def _write(
    plan: Plan, crm: Connector, recorder: Recorder, progress: Progress | None
) -> None:
    total = len(plan.records)
    for done in range(0, total, BATCH):
        _write_batch(plan.records[done : done + BATCH], crm, recorder)
        if progress:
            progress("apply", min(done + BATCH, total), total)


def _write_batch(
    records: Sequence[PlannedRecord], crm: Connector, recorder: Recorder
) -> None:
    ids = [record.record_id for record in records]
    rows = read_rows(crm, ids)
    send: list[Change] = []
    left: list[Entry] = []
    for record in records:
        for judged in _judged(record, rows.get(record.record_id)):
            if isinstance(judged, Entry):
                left.append(judged)
            else:
                send.append(judged)
    recorder.intend(send, left)
    if not send:
        return
    outcomes: dict[tuple[str, str], Outcome] = {}
    unanswered: ChangeState = "unknown"
    try:
        for outcome in crm.write("account", send):
            change = outcome.change
            outcomes[change.record_id, change.column] = outcome
    except CrmPortfolioError:
        # What was in flight has come back as unknown; the rest never left.
        unanswered = "not_sent"
        raise
    finally:
        recorder.settle(send, outcomes, unanswered=unanswered)


def _judged(record: PlannedRecord, row: Row | None) -> Iterator[Change | Entry]:
    """Each change of the account, to be sent as it is or not to be sent."""
    changes = [planned.change for planned in record.changes]
    if row is None:
        yield from (Entry(change, "gone") for change in changes)
        return
    holds = (
        as_text(row[STAMP]) == record.stamp
        and tuple(row[column] for column in PIN) == record.pin
    )
    is_sent = False
    # The stamp goes last: it is written only beside another change.
    for change in sorted(changes, key=lambda c: (c.column == STAMP, c.column)):
        current = row[change.column]
        may_go = is_sent if change.column == STAMP else holds
        if current == change.after:
            yield Entry(change, "unchanged")
        elif may_go and current == change.before:
            is_sent = True
            yield change
        else:
            yield Entry(change, "stale", found=current)
