"""Which run last wrote each field of an account, what did it write, and why?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date
from functools import cached_property
from typing import Final

import attrs

from crm_portfolio._managed import STAMP, VALUES, run_of
from crm_portfolio._storage import canonical_json
from crm_portfolio.archive import (
    Archive,
    IndexedRun,
    Journal,
    Key,
    Lines,
    Spool,
    Told,
    key_of,
)
from crm_portfolio.errors import SettingsError
from crm_portfolio.protocols import Change, Org, Value, WritableTable
from crm_portfolio.writeback._document import in_lines, knew_the_past, record_in
from crm_portfolio.writeback._held import Row, as_text
from crm_portfolio.writeback._limits import Limits
from crm_portfolio.writeback._plan import Plan
from crm_portfolio.writeback._planned import PlannedChange

__all__ = ["LastValues", "Written", "last_values", "last_written", "may_name"]

_ALL: Final = frozenset(
    (table, column) for table in VALUES for column in (*VALUES[table], STAMP)
)
# In these states our value did stand there, whoever came after.
_ARRIVED: Final = frozenset({"written", "overwritten_in_window"})


@attrs.frozen
class Written:
    """One field as a run of ours wrote it, or may have where no answer came back."""

    run_id: str
    as_of: date
    planned: PlannedChange


def last_written(archive: Archive, record_id: str) -> tuple[Written, ...]:
    """The newest write of each field of the record, by table and column; costs no call.

    Raises:
        SettingsError: No run in the archive wrote this record.
        DamagedFileError: A journal or a plan was altered.
    """
    found: dict[tuple[WritableTable, str], Written] = {}
    for run_id in reversed(archive.runs()):
        if found.keys() >= _ALL:
            break
        if not may_name(archive.plan_parts(run_id), record_id):
            continue
        journal = archive.journal(run_id)
        kept = Plan.read(archive.plan_parts(run_id), f"plan {run_id}")
        for table in VALUES:
            told = journal.known(table, record_id, record_id)
            touched = {known.entry.change for known in told if known.is_touched}
            record = kept.record(table, record_id)
            for planned in record.changes if record else ():
                if planned.change in touched:
                    place = table, planned.change.column
                    found.setdefault(place, Written(run_id, journal.as_of, planned))
    if not found:
        raise SettingsError(
            f"no run in the archive {str(archive)!r} wrote the record "
            f"{record_id!r}; `explain {record_id} --folder FOLDER` computes why now"
        )
    return tuple(found[place] for place in sorted(found))


def last_values(
    archive: Archive, org: Org, table: WritableTable, rows: Mapping[str, Row]
) -> Mapping[str, Mapping[str, Value]]:
    """What our runs last left on these records of a table, by column; costs no call.

    One pass over the runs at the org, from the newest back to the first fill of the last
    of these records; a journal is read only where its plan names one. A record that no
    run wrote is empty. What a run took back is as before the run that it took back.

    Args:
        rows: The records as they stand: what may never have arrived counts only where
            it stands there.

    Raises:
        DamagedFileError: A journal, or the archive's index, was altered.
    """
    return LastValues(archive, org, table).of(rows)


@attrs.define(eq=False)
class LastValues:
    """The same for more records than are at hand at once: a part at a time, in order.

    Each run is read once, when the first part asks for it. Which records it names, and
    what came of its changes, waits on disk: of thousands of runs no file stays open.
    """

    archive: Archive
    org: Org
    table: WritableTable
    _runs: list[_Past] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        runs, told = reversed(self.archive.index(self.org)), (Spool(), Told())
        self._runs = [_Past(self.archive, run, self.table, *told) for run in runs]

    def of(self, rows: Mapping[str, Row]) -> Mapping[str, Mapping[str, Value]]:
        """What our runs last left on these, which all come after those asked for before."""
        found = _Left(self.table, rows)
        for past in self._runs:
            if not found.sought:
                break
            planned = past.named(found.sought)
            if planned:
                found.take(past, min(rows), max(rows))
            found.pass_by(past.run, planned)
        return found.values


@attrs.define(eq=False, slots=False)
class _Past:
    """A run as its plan and its journal tell it.

    Attributes:
        aside: Where all runs put the records that they name.
        shelf: Beside it they put what came of their changes.
    """

    _archive: Archive
    run: IndexedRun
    _table: WritableTable
    _aside: Spool
    _shelf: Told
    _header: bytes = b""
    _planned: Lines[str] | None = None
    _next: str | None = None

    @property
    def knew_more(self) -> bool:
        """Whether its plan was made with what runs before had left."""
        return knew_the_past(self._header)

    @cached_property
    def journal(self) -> Journal:
        return self._archive.journal(self.run.run_id, told=Told(self._shelf))

    def named(self, ids: AbstractSet[str]) -> AbstractSet[str]:
        """Which of these records its plan changes; all come after those of before."""
        if self.run.is_quiet:
            return frozenset()
        try:
            return self._named(ids)
        except ValueError:  # the journal will say that its plan was altered
            return ids

    def _named(self, ids: AbstractSet[str]) -> AbstractSet[str]:
        if self._planned is None:
            self._planned = self._put_aside()
            self._next = next(iter(self._planned), None)
        found, last, passed = set[str](), max(ids), 0
        if self._next is None or self._next > last:
            return found
        self._next = None
        for record_id in self._planned:
            if record_id > last:
                self._next = record_id
                break
            found |= {record_id} & ids
            passed += 1
        self._planned = self._planned[passed:]
        return found

    def _put_aside(self) -> Lines[str]:
        """The records of the table that its plan changes, in order."""
        start = len(self._aside)
        lines = in_lines(self._archive.plan_parts(self.run.run_id))
        self._header = next(lines, b"")
        for line in lines:
            record_id = record_in(line, self._table)
            if record_id is not None:
                self._aside.add(canonical_json(record_id))
        return Lines(self._aside, json.loads, start, len(self._aside))


def may_name(plan: Iterable[bytes], record_id: str) -> bool:
    """Whether a plan on file can hold the record: to pass over it without parsing."""
    named = canonical_json(record_id)
    return any(named in line for line in in_lines(plan))


def _filled(changes: Sequence[Change]) -> set[str]:
    """The records on which nothing stood when a run was to fill and stamp them."""
    had_values = {c.record_id for c in changes if c.before is not None}
    return {c.record_id for c in changes if c.column == STAMP} - had_values


@attrs.define(eq=False)
class _Left:
    """What was left in each field, as runs tell it, the newest first.

    Attributes:
        sought: Records of which older runs may tell more.
    """

    table: WritableTable
    rows: Mapping[str, Row]
    values: dict[str, dict[str, Value]] = attrs.field(init=False)
    sought: set[str] = attrs.field(init=False)
    _taken_back: dict[Key, str] = attrs.field(factory=dict)
    # The most accounts that a night compared which found no more to write on this one.
    _compared: dict[str, int] = attrs.field(factory=dict)
    # The stamps that later plans found on an account.
    _stamped: set[tuple[str, Value]] = attrs.field(factory=set)

    def __attrs_post_init__(self) -> None:
        self.values = {record_id: {} for record_id in self.rows}
        self.sought = set(self.rows)

    def pass_by(self, night: IndexedRun, planned: AbstractSet[str]) -> None:
        """Note on which accounts a night wrote nothing, having compared its book."""
        if night.undoes or night.resends:  # these look at some accounts only
            return
        if self.table != "account":  # how many others it compared, no night tells
            return
        for record_id in self.sought - planned:
            most = self._compared.get(record_id, 0)
            self._compared[record_id] = max(most, night.population)

    def take(self, past: _Past, first: str, last: str) -> None:
        """Go on with the next older run; all records are from one to another."""
        journal, run = past.journal, past.run
        known = list(journal.known(self.table, first, last))
        states = {each.entry.key: each.entry.state for each in known}
        touched = [each.entry.change for each in known if each.is_touched]
        entries = [each.entry.change for each in known]
        filled = set() if run.undoes else _filled(entries)
        arrived = self._arrived(touched, run, filled)
        for change in touched:
            record_id, column = change.record_id, change.column
            key = key_of(change)
            if record_id not in self.sought:
                continue
            stands = self.rows[record_id][column] == change.after
            came = states[key] in _ARRIVED or (
                states[key] == "unknown" and record_id in arrived
            )
            if not self._passed(key, journal.run_id) and (stands or came):
                self._note(change, journal.run_id, run.undoes)
        stamps = [change for change in entries if change.column == STAMP]
        self._stamped |= {(change.record_id, change.before) for change in stamps}
        # Nothing of ours was there before the run that filled and stamped it, or was to,
        # unless people had emptied it.
        if not past.knew_more:
            filled &= {c.record_id for c in touched if c.column == STAMP}
        edited = {one for table, one in journal.edited if table == self.table}
        self.sought -= filled - edited

    def _arrived(
        self, touched: Iterable[Change], run: IndexedRun, filled: AbstractSet[str]
    ) -> AbstractSet[str]:
        """Those it filled, by what later nights found there, whatever it knew itself."""
        enough = run.population * (1 - Limits().max_shrunk_share)
        return {
            change.record_id
            for change in touched
            if change.column == STAMP
            and change.record_id in filled
            and (
                (change.record_id, change.after) in self._stamped
                or self._compared.get(change.record_id, -1) >= enough
            )
        }

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
            self._taken_back[key_of(change)] = undoes
        else:
            left[column] = after
