"""Which plan takes a run back?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import attrs

from crm_portfolio._managed import STAMP, VALUES, is_own
from crm_portfolio._version import __version__
from crm_portfolio.archive import Journal
from crm_portfolio.protocols import Change
from crm_portfolio.writeback._apply import same_org
from crm_portfolio.writeback._compare import draft, made_now, valid_pin
from crm_portfolio.writeback._held import Readable, Row, as_text, read_rows
from crm_portfolio.writeback._limits import Limits, Policy
from crm_portfolio.writeback._plan import Plan
from crm_portfolio.writeback._planned import (
    Draft,
    Edited,
    Header,
    PlannedChange,
)

__all__ = ["undo"]


def undo(
    journal: Journal,
    crm: Readable,
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> Plan:
    """The plan that takes a run back; `apply` it like any other.

    A field is taken back only where the CRM still holds what the run wrote. What people
    changed since stays, and is listed in the plan's ``edited``. As many changes as the
    run made are accepted per field; beyond that the limits hold.

    Args:
        journal: From `apply`, or from the archive.
        crm: The org the run wrote to.
        limits: Written into the plan.

    Raises:
        WrongOrgError: The run wrote to another org.
    """
    org = crm.org()
    same_org(journal.org, org)
    written: defaultdict[str, list[Change]] = defaultdict(list)
    for change in journal.touched:
        written[change.record_id].append(change)
    rows = read_rows(crm, sorted(written))
    found = _Found()
    for record_id in sorted(written.keys() & rows.keys()):
        found.take_back(written[record_id], rows[record_id])
    pins = (
        valid_pin(d.record.record_id, rows[d.record.record_id], journal.as_of)
        for d in found.drafts
    )
    header = Header(
        org=org,
        as_of=journal.as_of,
        made_at=made_now(),
        portfolio_id=journal.portfolio_id,
        settings_digest=journal.settings_digest,
        library_version=__version__,
        population=journal.population,
        limits=limits,
        policy=Policy(),
        undoes=journal.run_id,
        accepted=dict(Counter(change.column for change in journal.touched)),
        quota=crm.quota(),
    )
    return Plan.of(
        header,
        found.drafts,
        pinned=[pin for pin in pins if pin],
        edited=found.edited,
        missing=sorted(written.keys() - rows.keys()),
    )


@attrs.define(eq=False)
class _Found:
    """What can be taken back, and what people changed since."""

    drafts: list[Draft] = attrs.field(factory=list)
    edited: list[Edited] = attrs.field(factory=list)

    def take_back(self, written: Sequence[Change], row: Row) -> None:
        record_id = written[0].record_id
        ours, edited = [], []
        for change in written:
            current = row[change.column]
            if change.column == STAMP or current == change.before:
                continue
            if current == change.after:
                back = Change(record_id, change.column, current, change.before)
                is_empty = current is None and row[STAMP] is None
                ours.append(PlannedChange(back, is_first_fill=is_empty))
            else:
                edited.append(change.column)
        if edited:
            self.edited.append(Edited(record_id, tuple(sorted(edited))))
        if ours:
            restores = _old_stamp(written, row)
            self.drafts.append(draft(record_id, row, ours, restores=restores))


def _old_stamp(written: Sequence[Change], row: Row) -> tuple[str | None] | None:
    """The stamp to bring back; None: the account needs a new one.

    A later run of ours may have stamped the account since: its stamp is valid, and after
    part of its values is taken back only a new one is. A stamp that already did not fit
    stays, so that the person's edit remains visible.
    """
    current = as_text(row[STAMP])
    for change in written:
        if change.column == STAMP and current == change.after:
            return (as_text(change.before),)
    values = {column: row[column] for column in VALUES}
    return None if is_own(current, values) else (current,)
