"""Which plan sends again what failed for good, as a person mended it?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from crm_portfolio._inert import inert
from crm_portfolio._managed import FIELDS, STAMP, canonical
from crm_portfolio._version import __version__
from crm_portfolio._wording import Reason
from crm_portfolio.archive import (
    PERMANENT,
    Archive,
    Journal,
    Key,
    Mended,
    read_mended,
)
from crm_portfolio.errors import MendedFileError
from crm_portfolio.protocols import Change, Value, WritableTable
from crm_portfolio.writeback._apply import same_org
from crm_portfolio.writeback._compare import draft, made_now
from crm_portfolio.writeback._held import Readable, Row, fitted, read_rows
from crm_portfolio.writeback._limits import Limits, Policy
from crm_portfolio.writeback._people import is_edited, valid_pin
from crm_portfolio.writeback._plan import Plan
from crm_portfolio.writeback._planned import (
    Draft,
    Edited,
    Header,
    Missing,
    Pinned,
    PlannedChange,
)
from crm_portfolio.writeback._portions import calls_to_apply

__all__ = ["resend"]

# What a pin holds fast: the tier, and with it the day since when.
_PINNED: Final = frozenset({"tier", "tier_since_on"})
_TAKES: Final[Mapping[str, str]] = {
    "day": "a day such as 2026-06-30",
    "integer": "a whole number",
    "share": "a number such as 0.25",
}


def resend(
    path: Path | str,
    crm: Readable,
    *,
    archive: Archive,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> Plan:
    """The plan of a mended file of failed changes; `apply` it like any other.

    Only changes that failed for good in the run named in the file are taken, with what
    now stands in ``after``; lines may be deleted. A field that no longer holds what the
    run found there, an account that a person edited, and a tier that a person holds fast
    are left alone and listed.

    Args:
        path: What `Journal.save_failed` wrote.
        crm: The org the run wrote to.
        archive: Holds that run.
        limits: Written into the plan.

    Raises:
        MendedFileError: Lines cannot be sent; it lists all of them, with their numbers.
        WrongOrgError: The run wrote to another org.
    """
    lines = read_mended(path)
    journal = _journal(lines, archive, Path(path).name)
    same_org(journal.org, crm.org())
    wanted = _wanted(lines, journal, Path(path).name)
    kept = Plan.read(archive.plan_parts(journal.run_id), f"plan {journal.run_id}")
    found = _Found(journal, kept)
    for table, values in sorted(wanted.items()):
        rows = read_rows(crm, table, sorted(values))
        fitting = fitted(crm, values)
        for record_id in sorted(values.keys() & rows.keys()):
            found.compare(table, record_id, fitting[record_id], rows[record_id])
        found.missing += [Missing(one, table) for one in sorted(values.keys() - rows)]
    counts = Counter(draft.record.table for draft in found.drafts)
    header = Header(
        org=crm.org(),
        as_of=journal.as_of,
        made_at=made_now(),
        portfolio_id=journal.portfolio_id,
        settings_digest=journal.settings_digest,
        library_version=__version__,
        population=journal.population,
        limits=limits,
        policy=Policy(),
        resends=journal.run_id,
        quota=crm.quota(),
        tiers=kept.header.tiers,
        call_estimate=calls_to_apply(crm, limits, counts),
        others=journal.others,
        compared=journal.compared,
    )
    return Plan.of(
        header,
        found.drafts,
        pinned=found.pinned,
        edited=found.edited,
        missing=found.missing,
    )


def _journal(lines: Sequence[Mended], archive: Archive, name: str) -> Journal:
    """The run whose failures the file holds."""
    run_id = lines[0].run_id
    others = [line for line in lines if line.run_id != run_id]
    if others:
        faults = (f"line {line.line}: it is not of run {run_id}" for line in others)
        raise MendedFileError(name, tuple(faults))
    return archive.journal(run_id)


def _wanted(
    lines: Sequence[Mended], journal: Journal, name: str
) -> Mapping[WritableTable, Mapping[str, Mapping[str, Value]]]:
    """What the file wants in which field of which record, every line of it checked."""
    failed = {e.key for e in journal.failed if e.state in PERMANENT}
    found: dict[WritableTable, dict[str, dict[str, Value]]] = {}
    first: dict[Key, int] = {}
    faults = []
    for line in lines:
        key = line.key
        said = f"line {line.line}: {inert(line.record_id)} {inert(line.column)}"
        if key not in failed:
            faults.append(f"{said} did not fail for good in run {journal.run_id}")
        elif key in first:
            faults.append(f"{said} stands in line {first[key]} already")
        else:
            first[key] = line.line
            try:
                of_table = found.setdefault(line.table, {})
                of_table.setdefault(line.record_id, {})[line.column] = _value(line)
            except ValueError as error:
                faults.append(f"{said} {error}, not {inert(line.after)!r}")
    if faults:
        raise MendedFileError(name, tuple(faults))
    return found


def _value(line: Mended) -> Value:
    """What is to be sent, in the field's one form.

    Raises:
        ValueError: The field cannot hold it; the message says what it takes.
    """
    field = FIELDS[line.column]
    try:
        value = canonical(line.column, line.after)
    except ValueError as error:
        raise ValueError(f"takes {_TAKES[field.type]}") from error
    if field.max_length and len(str(value or "")) > field.max_length:
        raise ValueError(f"takes {field.max_length} characters at most")
    return value


@attrs.define(eq=False)
class _Found:
    """What can be sent again, and what stands in its way."""

    journal: Journal
    kept: Plan
    drafts: list[Draft] = attrs.field(factory=list)
    edited: list[Edited] = attrs.field(factory=list)
    pinned: list[Pinned] = attrs.field(factory=list)
    missing: list[Missing] = attrs.field(factory=list)

    def compare(
        self,
        table: WritableTable,
        record_id: str,
        wanted: Mapping[str, Value],
        row: Row,
    ) -> None:
        pin = valid_pin(record_id, row, self.journal.as_of)
        if pin and wanted.get("tier", pin.tier) != pin.tier:
            self.pinned.append(pin)
            wanted = {c: v for c, v in wanted.items() if c not in _PINNED}
        differing = [c for c in sorted(wanted) if row[c] != wanted[c]]
        told = self.journal.known(table, record_id, record_id)
        before = {each.entry.change.column: each.entry.change.before for each in told}
        planned = self.kept.record(table, record_id)
        reasons = {c.change: c.reasons for c in planned.changes} if planned else {}
        edited = [c for c in differing if is_edited(table, row) or row[c] != before[c]]
        if edited:
            self.edited.append(Edited(record_id, tuple(edited), table=table))
        changes = [
            _planned(
                Change(record_id, column, row[column], wanted[column], table),
                row,
                reasons,
            )
            for column in differing
            if column not in edited
        ]
        if changes:
            self.drafts.append(draft(table, record_id, row, changes))


def _planned(
    change: Change, row: Row, reasons: Mapping[Change, tuple[Reason, ...]]
) -> PlannedChange:
    is_first_fill = change.before is None and row[STAMP] is None
    return PlannedChange(change, is_first_fill, reasons.get(change, ()))
