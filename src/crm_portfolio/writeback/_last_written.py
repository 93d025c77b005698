"""Which run last wrote each field of an account, and why?"""

from __future__ import annotations

from datetime import date

import attrs

from crm_portfolio.archive import Archive
from crm_portfolio.errors import SettingsError
from crm_portfolio.writeback._plan import Plan
from crm_portfolio.writeback._planned import PlannedChange

__all__ = ["Written", "last_written"]


@attrs.frozen
class Written:
    """One field as a run of ours wrote it, or may have where no answer came back."""

    run_id: str
    as_of: date
    planned: PlannedChange


def last_written(archive: Archive, record_id: str) -> tuple[Written, ...]:
    """The newest write of each field of the account, sorted by column; costs no call.

    Raises:
        SettingsError: No run in the archive wrote this account.
        DamagedFileError: A journal or a plan was altered.
    """
    found: dict[str, Written] = {}
    for run_id in reversed(archive.runs()):
        journal = archive.journal(run_id)
        touched = {c.column for c in journal.touched if c.record_id == record_id}
        if not touched - found.keys():
            continue
        kept = Plan.from_bytes(archive.plan(run_id), f"plan {run_id}")
        for planned in kept.changes:
            change = planned.change
            if change.record_id == record_id and change.column in touched:
                newest = Written(run_id, journal.as_of, planned)
                found.setdefault(change.column, newest)
    if not found:
        raise SettingsError(
            f"no run in the archive {str(archive.folder)!r} wrote the account "
            f"{record_id!r}; `explain {record_id} --folder FOLDER` computes why now"
        )
    return tuple(found[column] for column in sorted(found))
