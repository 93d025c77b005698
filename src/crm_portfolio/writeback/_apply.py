"""How does a plan get into the CRM, and nothing but the plan?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Final

from crm_portfolio._storage import now
from crm_portfolio.archive import CANARY, Archive, Journal, Lease
from crm_portfolio.errors import (
    ConnectorError,
    CrmPortfolioError,
    LimitExceededError,
    PlanTooOldError,
    RefusedError,
    TransientError,
    UnexpectedChangeError,
    WrongOrgError,
)
from crm_portfolio.protocols import Connector, Org, Progress, WritableTable
from crm_portfolio.writeback._canary import first_slice, moved
from crm_portfolio.writeback._journal import Recorder
from crm_portfolio.writeback._limits import Limits
from crm_portfolio.writeback._owed import Owed
from crm_portfolio.writeback._plan import Plan
from crm_portfolio.writeback._portions import canary_size
from crm_portfolio.writeback._sending import Sending, Sleep, Stop, StoppedError

__all__ = ["STOPPED", "apply", "same_org"]

STOPPED = "stopped"
# By how much the clocks of two machines may differ.
_CLOCKS_APART_HOURS: Final = 1


def _never() -> bool:
    return False


def apply(
    plan: Plan,
    crm: Connector,
    *,
    archive: Archive,
    accept_changes: int | None = None,
    progress: Progress | None = None,
    lease: Lease | None = None,
    stop: Stop = _never,
    sleep: Sleep = time.sleep,
) -> Journal:
    """Write a plan into the org it was made for.

    Each account is read again right before it is written: a field whose value, stamp or
    pin is no longer what the plan saw is ``stale`` and left alone. What is about to be
    sent is in the archive before it is sent, and what was sent is read back. A first
    slice goes ahead of the rest and is looked at in every column.

    When the CRM goes away, the journal says how far it came. Applying the same plan again
    finishes it: what has its state is not touched again, and what may have arrived is
    looked for before it is sent. A run that came to its end stays as it is.

    Args:
        plan: From `plan` or `undo`.
        crm: Reaches that org, with a login that may write our fields.
        archive: Keeps the plan and the journal, and the lock on the org.
        accept_changes: To go beyond the limits: exactly how many changes the plan holds.
        progress: Told after each batch.
        lease: This org is held already, for a longer piece of work than this.
        stop: Asked between two batches; True ends the run there, to be gone on with.
        sleep: Waits, for the CRM to settle and before something is tried again.

    Raises:
        RefusedError: The plan is altered, too old, for another org or beyond its limits;
            nothing was written.
        UnexpectedChangeError: Writing the first slice moved what nobody planned; the rest
            was not written. So it is for this plan, however often it is applied.
        LockHeldError: Another run is at this org, or took it over from this one.
    """
    _check(plan, crm, accept_changes)
    with _held(archive, plan, lease) as held:
        recorder = Recorder.begin(archive, plan)
        if not recorder.is_over:
            total = len(plan.records)
            sending = Sending(crm, recorder, held, stop, sleep, progress, total)
            _run(plan, sending, recorder)
    journal = recorder.journal
    if journal.unexpected:
        raise UnexpectedChangeError(plan.id, moved(journal.unexpected))
    return journal


@contextmanager
def _held(archive: Archive, plan: Plan, lease: Lease | None) -> Iterator[Lease]:
    if lease is not None:
        if _key(lease.org) != _key(plan.header.org):
            raise RefusedError(
                f"the lease is on {lease.org}, plan {plan.id} is for {plan.header.org}; "
                "nothing was written. Hold the org that is to be written."
            )
        yield lease
        return
    with archive.lock(plan.header.org, plan.id) as own:
        yield own


def _run(plan: Plan, sending: Sending, recorder: Recorder) -> None:
    """Send what has no state yet, and have on disk why it ended."""
    try:
        _send(plan, sending, recorder)
    except TransientError as error:
        try:
            recorder.end(error.code or "transient")
        except CrmPortfolioError:  # it is the archive that is out of reach
            raise error from None
    except StoppedError:
        recorder.end(STOPPED)
    except BaseException as error:
        # The first error counts, also where the journal cannot be ended either.
        with suppress(CrmPortfolioError):
            recorder.end(_why(error))
        raise
    else:
        recorder.end(CANARY if recorder.standing.unexpected else "")


def _send(plan: Plan, sending: Sending, recorder: Recorder) -> None:
    """The first slice of every table goes before the rest of any."""
    owed = {
        table: Owed.of(table, plan.of_table(table, is_bare=True), recorder.standing)
        for table in sorted(plan.tally.records)
    }
    for table, records in owed.items():
        if not recorder.standing.unexpected and not recorder.is_judged(table):
            _send_first(plan.header.limits, table, records, sending, recorder)
    for records in owed.values():
        if not recorder.standing.unexpected:
            sending.send(records)


def _send_first(
    limits: Limits,
    table: WritableTable,
    owed: Owed,
    sending: Sending,
    recorder: Recorder,
) -> None:
    size = canary_size(limits, len(owed.records))
    # What may have arrived is looked for before all else.
    begun, looked_at = list(owed.half_done()), set[int]()
    while size and not recorder.is_judged(table):
        rest = (each for each in owed.untouched() if each[0] not in looked_at)
        chosen = first_slice(rest, size)
        first = [*begun, *owed.at(chosen)]
        if not first:
            return
        moved_too = sending.send_first(owed, first, limits)
        if moved_too is not None:
            recorder.judge(table, moved_too)
        # A slice in which nothing was written tells nothing: a larger one may.
        looked_at |= {place for place, _ in first}
        begun, size = [], 2 * size
        sending.may_go_on()


def _why(error: BaseException) -> str:
    if isinstance(error, ConnectorError) and error.code:
        return error.code
    return type(error).__name__


def _check(plan: Plan, crm: Connector, accept_changes: int | None) -> None:
    """Refuse what must not be written, before anything is."""
    plan.verify()
    same_org(plan.header.org, crm.org())
    made_at, limits = plan.header.made_at, plan.header.limits
    age_hours = (now() - made_at) / timedelta(hours=1)
    if age_hours < -_CLOCKS_APART_HOURS:
        raise PlanTooOldError(
            f"plan {plan.id} was made at {made_at:%Y-%m-%d %H:%M} UTC, which is yet to "
            "come; nothing was written. Set the clock, or make a new plan."
        )
    if age_hours > limits.max_age_hours:
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
