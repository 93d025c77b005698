"""Which plan takes a run back?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

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
    Draft,
    Edited,
    Header,
    Missing,
    PlannedChange,
)
from crm_portfolio.writeback._portions import calls_to_apply

__all__ = ["undo"]


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
    chosen = _chosen(journal, named, columns)
    tables = dict.fromkeys(table for table, _ in sorted(chosen))
    rows: dict[Ref, Row] = {}
    for table in tables:
        ids = sorted(record_id for of, record_id in chosen if of == table)
        held = read_rows(crm, table, ids, progress=progress)
        rows |= {(table, record_id): row for record_id, row in held.items()}
    found = _Found(journal.overwritten, journal.edited)
    for ref in sorted(chosen.keys() & rows.keys()):
        found.take_back(chosen[ref], rows[ref], columns)
    touched = [(d.record.table, d.record.record_id) for d in found.drafts]
    pins = (valid_pin(ref[1], rows[ref], journal.as_of) for ref in touched)
    counts = Counter(table for table, _ in touched)
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
        accepted=_accepted(chosen.values(), columns),
        quota=crm.quota(),
        call_estimate=calls_to_apply(crm, limits, counts),
        others=journal.others,
        compared=journal.compared,
    )
    return Plan.of(
        header,
        found.drafts,
        pinned=[pin for pin in pins if pin],
        edited=found.edited,
        missing=[
            Missing(record_id, table)
            for table, record_id in sorted(chosen.keys() - rows.keys())
        ],
    )


_Named = Mapping[WritableTable, Collection[str] | None]


def _chosen(
    journal: Journal, named: _Named, columns: Collection[str] | None
) -> Mapping[Ref, Sequence[Change]]:
    """What the run wrote on the chosen records, as far as it wrote a chosen field."""
    written: defaultdict[Ref, list[Change]] = defaultdict(list)
    for change in journal.touched:
        written[change.table, change.record_id].append(change)
    for table, ids in named.items():
        _refuse_unknown(table, ids, [one for of, one in written if of == table])
    ours = [name for of_table in VALUES.values() for name in of_table]
    _refuse_unknown("field", columns, ours)
    is_all = all(ids is None for ids in named.values())
    return {
        (table, record_id): changes
        for (table, record_id), changes in written.items()
        if (is_all or record_id in (named[table] or ()))
        and (columns is None or any(c.column in columns for c in changes))
    }


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


def _accepted(
    written: Iterable[Sequence[Change]], columns: Collection[str] | None
) -> Mapping[str, int]:
    taken = (
        change.column
        for changes in written
        for change in changes
        if columns is None or change.column in (*columns, STAMP)
    )
    return dict(Counter(taken))


@attrs.define(eq=False)
class _Found:
    """What can be taken back, and what people changed since."""

    overwritten: Mapping[Key, Value]
    edited_before: Mapping[Ref, Sequence[str]]
    drafts: list[Draft] = attrs.field(factory=list)
    edited: list[Edited] = attrs.field(factory=list)

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
            self.edited.append(Edited(record_id, tuple(sorted(edited)), table=table))
        if ours:
            restores = _old_stamp(written, row, is_whole=not rest)
            # What people had set there is theirs again: a new stamp must not fit it.
            theirs = self._set_by_people(written, row)
            back_to = {c.change.column: c.change.before for c in ours}
            left = {c: back_to[c] for c in back_to.keys() & theirs}
            self.drafts.append(
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
