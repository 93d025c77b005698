"""Which run last wrote each field of an account, what did it write, and why?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Final

import attrs

from crm_portfolio._managed import STAMP, VALUES, run_of
from crm_portfolio._storage import canonical_json
from crm_portfolio.archive import Archive, Journal, Key
from crm_portfolio.errors import SettingsError
from crm_portfolio.protocols import Change, Org, Value
from crm_portfolio.writeback._document import accounts_in
from crm_portfolio.writeback._held import Row, as_text
from crm_portfolio.writeback._plan import Plan
from crm_portfolio.writeback._planned import PlannedChange

__all__ = ["Written", "last_values", "last_written", "may_name"]

_ALL: Final = frozenset({*VALUES, STAMP})
# In these states our value did stand there, whoever came after.
_ARRIVED: Final = frozenset({"written", "overwritten_in_window"})


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
    archive: Archive, org: Org, rows: Mapping[str, Row]
) -> Mapping[str, Mapping[str, Value]]:
    """What our runs last left on these accounts, by column; costs no call.

    One pass over the runs at the org, from the newest back to the first fill of the last
    of these accounts; a journal is read only where its plan names one. An account that no
    run wrote is empty. What a run took back is as before the run that it took back.

    Args:
        rows: The accounts as they stand: what may never have arrived counts only where
            it stands there.

    Raises:
        DamagedFileError: A journal, or the archive's index, was altered.
    """
    found = _Left(rows)
    for run in reversed(archive.index(org)):
        if not found.sought:
            break
        if run.is_quiet:
            continue
        if _names_any(archive.plan(run.run_id), found.sought):
            found.take(archive.journal(run.run_id), run.undoes)
    return found.values


def may_name(plan: bytes, record_id: str) -> bool:
    """Whether a plan on file can hold the account: to pass over it without parsing."""
    return canonical_json(record_id) in plan


def _names_any(plan: bytes, ids: Collection[str]) -> bool:
    try:
        return any(record_id in ids for record_id in accounts_in(plan))
    except ValueError:  # the journal will say that its plan was altered
        return True


@attrs.define(eq=False)
class _Left:
    """What was left in each field, as runs tell it, the newest first.

    Attributes:
        sought: Accounts of which older runs may tell more.
    """

    rows: Mapping[str, Row]
    values: dict[str, dict[str, Value]] = attrs.field(init=False)
    sought: set[str] = attrs.field(init=False)
    _taken_back: dict[Key, str] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.values = {record_id: {} for record_id in self.rows}
        self.sought = set(self.rows)

    def take(self, journal: Journal, undoes: str) -> None:
        """Go on with the next older run."""
        states = {entry.key: entry.state for entry in journal.entries}
        filled, had_values = set[str](), set[str]()
        for change in journal.touched:
            record_id = change.record_id
            if record_id not in self.sought:
                continue
            if change.before is not None:
                had_values.add(record_id)
            elif change.column == STAMP and not undoes:
                filled.add(record_id)
            key = record_id, change.column
            stands = self.rows[record_id][change.column] == change.after
            is_past = self._passed(key, journal.run_id)
            if not is_past and (stands or states.get(key) in _ARRIVED):
                self._note(change, journal.run_id, undoes)
        # Nothing of ours was there before the run that filled and stamped it, unless
        # people had emptied it.
        self.sought -= filled - had_values - journal.edited.keys()

    def _passed(self, key: Key, run_id: str) -> bool:
        """Whether a later run took back what this one did to the field, and more."""
        taken_back = self._taken_back.get(key)
        if taken_back == run_id:
            del self._taken_back[key]
        return taken_back is not None

    def _note(self, change: Change, run_id: str, undoes: str) -> None:
        left, column, after = self.values[change.record_id], change.column, change.after
        is_new_stamp = column == STAMP and run_of(as_text(after)) == run_id
        if column in left:
            return
        if undoes and not is_new_stamp:
            self._taken_back[change.record_id, column] = undoes
        else:
            left[column] = after
