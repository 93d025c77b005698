"""Which plan takes a run back?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Final

import attrs

from crm_portfolio._managed import STAMP, VALUES, canonical, is_own
from crm_portfolio._version import __version__
from crm_portfolio.archive import Journal, Key, Ref, key_of
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.protocols import Change, Progress, Value, WritableTable
from crm_portfolio.writeback._apply import same_org
from crm_portfolio.writeback._compare import draft, made_now
from crm_portfolio.writeback._held import Readable, Row, as_text, read_rows
from crm_portfolio.writeback._limits import Limits, Policy
from crm_portfolio.writeback._people import is_edited, valid_pin
from crm_portfolio.writeback._plan import Plan
from crm_portfolio.writeback._planned import (
    Edited,
    Header,
    Missing,
    PlannedChange,
)
from crm_portfolio.writeback._portions import calls_to_apply
from crm_portfolio.writeback._sheet import Sheet

__all__ = ["undo"]

# So many records are read again, and compared, at once.
_AT_ONCE: Final = 10_000


def undo(
    journal: Journal,
    crm: Readable,
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    accounts: Collection[str] | None = None,
    columns: Collection[str] | None = None,
    opportunities: Collection[str] | None = None,
    progress: Progress | None = None,
) -> Plan:
    """The plan that takes a run back, or a part of it; `apply` it like any other.

    Three values are compared: what was there, what the run wrote, what the CRM holds now.
    A field is taken back only where the run's value still stands; what people changed
    since stays, and is listed in the plan's ``edited``. Where the run wrote over a value
    that a person had set a moment before, it is theirs that comes back. As many changes
    as the run made are accepted per field; beyond that the limits hold.

    Args:
        journal: From `apply`, or from the archive.
        crm: The org the run wrote to.
        limits: Written into the plan.
        accounts: Only these, and no other record than is named.
        columns: Only these fields; the stamp follows by itself.
        opportunities: The same of opportunities.
        progress: Told as the records are read.

    Raises:
        WrongOrgError: The run wrote to another org.
        SettingsError: The run wrote none of these records or fields.
    """
    org = crm.org()
    same_org(journal.org, org)
    named: _Named = {"account": accounts, "opportunity": opportunities}
    chosen, sheet = _Chosen.of(journal, named, columns), Sheet()
    found = _Found(journal.overwritten, journal.edited, sheet)
    for part in chosen.parts(crm, progress):
        for ref, changes in part.written.items():
            if ref in part.rows:
                found.take_back(changes, part.rows[ref], columns)
            else:
                sheet.tell(Missing(ref[1], ref[0]))
        for ref in found.drafted():
            pin = valid_pin(ref[1], part.rows[ref], journal.as_of)
            if pin:
                sheet.tell(pin)
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
        accepted=dict(chosen.accepted),
        quota=crm.quota(),
        call_estimate=calls_to_apply(crm, limits, dict(sheet.tally.records)),
        others=journal.others,
        compared=journal.compared,
    )
    return Plan.on(sheet, header)


_Named = Mapping[WritableTable, Collection[str] | None]


@attrs.frozen
class _Part:
    """Some records that a run wrote.

    Attributes:
        written: What it wrote on each of them.
        rows: How they stand now; who is gone is absent.
    """

    written: Mapping[Ref, Sequence[Change]]
    rows: Mapping[Ref, Row]


@attrs.define(eq=False)
class _Chosen:
    """What the run wrote on the chosen records, as far as it wrote a chosen field.

    Attributes:
        accepted: So many changes of each field are taken back; the stamps go with them.
    """

    journal: Journal
    named: _Named
    columns: Collection[str] | None
    accepted: Counter[str] = attrs.field(factory=Counter)
    _counts: Counter[WritableTable] = attrs.field(factory=Counter)

    @classmethod
    def of(
        cls, journal: Journal, named: _Named, columns: Collection[str] | None
    ) -> _Chosen:
        """What of the run is meant.

        Raises:
            SettingsError: It wrote none of the named records, or there is no such field.
        """
        chosen = cls(journal, named, columns)
        found: dict[WritableTable, set[str]] = {table: set() for table in named}
        for ref, keys in groupby(journal.keys_touched(), key=lambda key: key[:2]):
            table, record_id = ref
            if record_id in (named[table] or ()):
                found[table].add(record_id)
            wrote = [column for *_, column in keys]
            if chosen._is_meant(ref, wrote):
                chosen._counts[table] += 1
                meant = None if columns is None else {*columns, STAMP}
                chosen.accepted.update(c for c in wrote if meant is None or c in meant)
        for table, ids in named.items():
            if set(ids or ()) - found[table]:
                known = {one for of, one, _ in journal.keys_touched() if of == table}
                _refuse_unknown(table, ids, sorted(known))
        ours = [name for of_table in VALUES.values() for name in of_table]
        _refuse_unknown("field", columns, ours)
        return chosen

    def parts(self, crm: Readable, progress: Progress | None) -> Iterator[_Part]:
        """All of it in the order of tables and ids, with the records as they stand."""
        for table, written in groupby(self._written(), key=lambda each: each[0][0]):
            done = 0
            while part := dict(islice(written, _AT_ONCE)):
                ids = [record_id for _, record_id in part]
                tell = _behind(progress, done, self._counts[table])
                held = read_rows(crm, table, ids, progress=tell)
                yield _Part(part, {(table, one): row for one, row in held.items()})
                done += len(ids)

    def _is_meant(self, ref: Ref, wrote: Iterable[str]) -> bool:
        table, record_id = ref
        is_all = all(ids is None for ids in self.named.values())
        if not is_all and record_id not in (self.named[table] or ()):
            return False
        return self.columns is None or any(c in self.columns for c in wrote)

    def _written(self) -> Iterator[tuple[Ref, list[Change]]]:
        for ref, changes in groupby(self.journal.touched, key=_ref):
            found = list(changes)
            if self._is_meant(ref, (change.column for change in found)):
                yield ref, found


def _behind(progress: Progress | None, start: int, total: int) -> Progress | None:
    """The same progress for a part that begins there, of so many."""
    if progress is None:
        return None
    return lambda step, done, _: progress(step, start + done, total)


def _ref(change: Change) -> Ref:
    return change.table, change.record_id


def _refuse_unknown(
    what: str, chosen: Collection[str] | None, known: Iterable[str]
) -> None:
    known = list(known)
    unknown = sorted(set(chosen or ()) - set(known))
    if unknown:
        more = f", nor {len(unknown) - 1} more of those named" if unknown[1:] else ""
        raise SettingsError(
            f"the run wrote no {what} {unknown[0]!r}{more}; nothing was planned"
            + did_you_mean(unknown[0], known)
        )


@attrs.define(eq=False)
class _Found:
    """What can be taken back, and what people changed since."""

    overwritten: Mapping[Key, Value]
    edited_before: Mapping[Ref, Sequence[str]]
    sheet: Sheet
    _drafted: list[Ref] = attrs.field(factory=list)

    def drafted(self) -> list[Ref]:
        """The records of which something is taken back, since this was last asked."""
        found, self._drafted = self._drafted, []
        return found

    def take_back(
        self, written: Sequence[Change], row: Row, columns: Collection[str] | None
    ) -> None:
        table, record_id = written[0].table, written[0].record_id
        ours: list[PlannedChange] = []
        edited: list[str] = []
        rest: list[str] = []
        for change in written:
            current = row[change.column]
            before, is_theirs = self._stood(change)
            if change.column == STAMP:
                continue
            if columns is not None and change.column not in columns:
                rest += [change.column] * (current != before)
            elif current == change.after and current != before:
                back = Change(record_id, change.column, current, before, table)
                is_empty = current is None and row[STAMP] is None
                ours.append(PlannedChange(back, is_first_fill=is_empty))
            elif current != before or is_theirs:
                edited.append(change.column)
        if edited:
            self.sheet.tell(Edited(record_id, tuple(sorted(edited)), table=table))
        if ours:
            restores = _old_stamp(written, row, is_whole=not rest)
            # What people had set there is theirs again: a new stamp must not fit it.
            theirs = self._set_by_people(written, row)
            back_to = {c.change.column: c.change.before for c in ours}
            left = {c: back_to[c] for c in back_to.keys() & theirs}
            self._drafted.append((table, record_id))
            self.sheet.add(
                draft(table, record_id, row, ours, ours=left, restores=restores)
            )

    def _set_by_people(self, written: Sequence[Change], row: Row) -> set[str]:
        """The fields that held, or may have held, a person's value before the run."""
        table, record_id = ref = written[0].table, written[0].record_id
        columns = {change.column for change in written}
        found = {c for c in columns if (table, record_id, c) in self.overwritten}
        stood = {**row, **{change.column: change.before for change in written}}
        marks = {change.after for change in written if change.column == STAMP}
        if ref in self.edited_before:
            found |= set(self.edited_before[ref]) or columns
        elif row[STAMP] in marks and is_edited(table, stood):
            found |= columns  # the run took back a run that had taken back such values
        return found

    def _stood(self, change: Change) -> tuple[Value, bool]:
        """What stood in the field when the run wrote, and whether a person set it then."""
        key = key_of(change)
        if key not in self.overwritten:
            return change.before, False
        theirs = self.overwritten[key]
        try:
            return canonical(change.column, theirs), True
        except ValueError:  # no value of this field: nothing to bring back
            return change.after, True


def _old_stamp(
    written: Sequence[Change], row: Row, *, is_whole: bool
) -> tuple[str | None] | None:
    """The stamp to bring back; None: the account needs a new one.

    The old one fits again when all that the run wrote there is taken back. After a part
    of it, or where a later run of ours has stamped the account since, only a new one does.
    A stamp that already did not fit stays, so that the person's edit remains visible.
    """
    current = as_text(row[STAMP])
    if is_whole:
        for change in written:
            if change.column == STAMP and current == change.after:
                return (as_text(change.before),)
    values = {column: row[column] for column in VALUES[written[0].table]}
    return None if is_own(current, values) else (current,)
