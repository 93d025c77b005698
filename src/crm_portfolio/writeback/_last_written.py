"""Which run last wrote each field of an account, what did it write, and why?"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from typing import Final

import attrs

from crm_portfolio._managed import STAMP, VALUES
from crm_portfolio._storage import canonical_json
from crm_portfolio.archive import Archive, Journal
from crm_portfolio.errors import SettingsError
from crm_portfolio.protocols import Org, Value
from crm_portfolio.writeback._plan import Plan
from crm_portfolio.writeback._planned import PlannedChange

__all__ = ["Written", "last_values", "last_written", "may_name"]

_ALL: Final = frozenset({*VALUES, STAMP})


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
        if found.keys() >= _ALL:
            break
        raw = archive.plan(run_id)
        if not may_name(raw, record_id):
            continue
        journal = archive.journal(run_id)
        touched = {c.column for c in journal.touched if c.record_id == record_id}
        for planned in Plan.from_bytes(raw, f"plan {run_id}").changes:
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


def last_values(
    archive: Archive, org: Org, ids: Collection[str]
) -> Mapping[str, Mapping[str, Value]]:
    """What our runs last wrote on these accounts, by column; costs no call.

    One pass over the journals of the org, from the newest back to the first fill of the
    last of these accounts. An account that no run wrote is empty.

    Raises:
        DamagedFileError: A journal, or the archive's index, was altered.
    """
    found: dict[str, dict[str, Value]] = {record_id: {} for record_id in ids}
    sought = set(found)
    journals = _newest_first(archive, org)
    while sought and (journal := next(journals, None)):
        filled = set[str]()
        for change in journal.touched:
            if change.record_id in sought:
                found[change.record_id].setdefault(change.column, change.after)
                if change.column == STAMP and change.before is None:
                    filled.add(change.record_id)
        # Nothing of ours was there before the run that filled and stamped it.
        sought -= filled - _had_values(journal)
    return found


def may_name(plan: bytes, record_id: str) -> bool:
    """Whether a plan on file can hold the account: to pass over it without parsing."""
    return canonical_json(record_id) in plan


def _newest_first(archive: Archive, org: Org) -> Iterator[Journal]:
    return map(archive.journal, reversed(archive.runs(org)))


def _had_values(journal: Journal) -> set[str]:
    return {c.record_id for c in journal.touched if c.before is not None}
