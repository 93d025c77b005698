"""Which plan takes a run back?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import attrs

from crm_portfolio._managed import STAMP, VALUES, canonical, is_own
from crm_portfolio._version import __version__
from crm_portfolio.archive import Journal, Key
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.protocols import Change, Value
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
        accounts: Only these.
        columns: Only these fields; the stamp follows by itself.

    Raises:
        WrongOrgError: The run wrote to another org.
        SettingsError: The run wrote none of these accounts or fields.
    """
    org = crm.org()
    same_org(journal.org, org)
    chosen = _chosen(journal, accounts, columns)
    rows = read_rows(crm, sorted(chosen))
    found = _Found(journal.overwritten, journal.edited)
    for record_id in sorted(chosen.keys() & rows.keys()):
        found.take_back(chosen[record_id], rows[record_id], columns)
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
        accepted=_accepted(chosen.values(), columns),
        quota=crm.quota(),
        call_estimate=calls_to_apply(crm, limits, len(found.drafts)),
    )
    return Plan.of(
        header,
        found.drafts,
        pinned=[pin for pin in pins if pin],
        edited=found.edited,
        missing=sorted(chosen.keys() - rows.keys()),
    )


def _chosen(
    journal: Journal, accounts: Collection[str] | None, columns: Collection[str] | None
) -> Mapping[str, Sequence[Change]]:
    """What the run wrote on the chosen accounts, as far as it wrote a chosen field."""
    written: defaultdict[str, list[Change]] = defaultdict(list)
    for change in journal.touched:
        written[change.record_id].append(change)
    _refuse_unknown("account", accounts, written)
    _refuse_unknown("field", columns, VALUES)
    return {
        record_id: changes
        for record_id, changes in written.items()
        if (accounts is None or record_id in accounts)
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
    edited_before: Mapping[str, Sequence[str]]
    drafts: list[Draft] = attrs.field(factory=list)
    edited: list[Edited] = attrs.field(factory=list)

    def take_back(
        self, written: Sequence[Change], row: Row, columns: Collection[str] | None
    ) -> None:
        record_id = written[0].record_id
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
                back = Change(record_id, change.column, current, before)
                is_empty = current is None and row[STAMP] is None
                ours.append(PlannedChange(back, is_first_fill=is_empty))
            elif current != before or is_theirs:
                edited.append(change.column)
        if edited:
            self.edited.append(Edited(record_id, tuple(sorted(edited))))
        if ours:
            restores = _old_stamp(written, row, is_whole=not rest)
            # What people had set there is theirs again: a new stamp must not fit it.
            theirs = self._set_by_people(written, row)
            back_to = {c.change.column: c.change.before for c in ours}
            left = {c: back_to[c] for c in back_to.keys() & theirs}
            self.drafts.append(
                draft(record_id, row, ours, ours=left, restores=restores)
            )

    def _set_by_people(self, written: Sequence[Change], row: Row) -> set[str]:
        """The fields that held, or may have held, a person's value before the run."""
        record_id = written[0].record_id
        columns = {change.column for change in written}
        found = {c for c in columns if (record_id, c) in self.overwritten}
        stood = {**row, **{change.column: change.before for change in written}}
        marks = {change.after for change in written if change.column == STAMP}
        if record_id in self.edited_before:
            found |= set(self.edited_before[record_id]) or columns
        elif row[STAMP] in marks and is_edited(stood):
            found |= columns  # the run took back a run that had taken back such values
        return found

    def _stood(self, change: Change) -> tuple[Value, bool]:
        """What stood in the field when the run wrote, and whether a person set it then."""
        key = change.record_id, change.column
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
    values = {column: row[column] for column in VALUES}
    return None if is_own(current, values) else (current,)
