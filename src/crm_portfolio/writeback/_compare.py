"""Where does the CRM differ from what the results say?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import attrs

from crm_portfolio._managed import OPT_IN, PIN, STAMP, VALUES
from crm_portfolio._storage import now
from crm_portfolio._version import __version__
from crm_portfolio.protocols import Change, Value, WritableTable
from crm_portfolio.results import Result
from crm_portfolio.schema import OptIn
from crm_portfolio.writeback._assigned import Assigned
from crm_portfolio.writeback._current import Current, current
from crm_portfolio.writeback._held import (
    Readable,
    Row,
    as_text,
    fitted,
    read_rows,
)
from crm_portfolio.writeback._limits import Limits, Policy, ladder
from crm_portfolio.writeback._people import (
    Edits,
    ended_pin,
    find_edits,
    is_bare,
    is_edited,
    valid_pin,
)
from crm_portfolio.writeback._plan import Plan
from crm_portfolio.writeback._planned import (
    Draft,
    Edited,
    Header,
    Missing,
    PlannedChange,
    PlannedRecord,
)
from crm_portfolio.writeback._portions import calls_to_apply
from crm_portfolio.writeback._remembered import Memory
from crm_portfolio.writeback._sheet import Sheet
from crm_portfolio.writeback._source import same_source

if TYPE_CHECKING:
    from crm_portfolio.archive import Archive
    from crm_portfolio.portfolio import Portfolio

__all__ = ["draft", "made_now", "plan", "valid_pin"]

# What a pin holds fast: the tier, and with it the day since when.
_PINNED: Final = frozenset({"tier", "tier_since_on"})
_UNKNOWN: Final = frozenset({None, "unknown"})
# By which a first slice is spread.
_RANK: Final[Mapping[WritableTable, str]] = {
    "account": "portfolio_rank",
    "opportunity": "win_back_rank",
}
# What our runs left on some records, by column; None: no archive.
_Left = Mapping[str, Mapping[str, Value]] | None


def plan(
    results: Iterable[Result],
    crm: Readable,
    *,
    held: Portfolio | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    policy: Policy = Policy(),  # noqa: B008 - frozen
    also: Collection[OptIn] = (),
    archive: Archive | None = None,
) -> Plan:
    """The difference between what results assign and what the CRM holds.

    Nothing is written. A plan that exceeds its limits is made all the same: its
    ``refusals`` say so, and `apply` stops.

    Args:
        results: Each field from one of them only.
        crm: The org to compare with.
        held: The portfolio the results came from, if it was pulled just now: it saves
            reading the CRM again. `apply` re-reads every account anyway.
        limits: Written into the plan.
        policy: Written into the plan.
        also: What is written on request only, and is asked for.
        archive: Where the runs before are kept. It tells which fields people edited, how
            many accounts there were, and which pins have ended since.

    Raises:
        SettingsError: Two results assign one field, or none assigns any; or the portfolio
            is of a replica, and nobody said which org that is a copy of.
        WrongOrgError: The portfolio was pulled from another org, or from a replica of
            another: record ids of a sandbox and of its production org may be the same.
        FieldNotFoundError: The CRM lacks fields of ours; `setup` creates them.
    """
    assigned = Assigned.by(results, also)
    org = crm.org()
    for pulled_from in (assigned.org, (held.org if held is not None else None) or ""):
        same_source(pulled_from, org)
    memory, sheet = Memory.of(archive, org), Sheet()
    found = {
        table: _compared(
            _Found(table, assigned, sheet, policy, memory.told_on),
            crm,
            held=held,
            memory=memory,
        )
        for table in assigned.tables
    }
    accounts = found.get("account")
    if accounts is not None:
        _tell_borders(assigned, accounts.now, sheet)
    header = Header(
        org=org,
        as_of=assigned.as_of,
        made_at=made_now(),
        portfolio_id=assigned.portfolio_id,
        settings_digest=assigned.settings_digest,
        library_version=__version__,
        population=accounts.now.population if accounts else 0,
        limits=limits,
        policy=policy,
        quota=crm.quota(),
        previous=memory.population if accounts else None,
        previous_as_of=memory.as_of,
        stopped_by=memory.stopped_by,
        unknown=dict(sorted(accounts.unknown.items())) if accounts else {},
        tiers=ladder(accounts.tiers if accounts else ()),
        call_estimate=calls_to_apply(crm, limits, _counts(sheet, found)),
        **_of_others({t: found[t].now for t in found if t != "account"}, memory),
    )
    return Plan.on(sheet, header)


def _counts(
    sheet: Sheet, tables: Iterable[WritableTable]
) -> Mapping[WritableTable, int]:
    """The records to change, by table."""
    return {table: sheet.tally.records[table] for table in tables}


def _of_others(
    found: Mapping[WritableTable, Current], memory: Memory
) -> Mapping[str, Any]:
    """What a header tells of other tables than accounts."""
    compared = {c: n for now in found.values() for c, n in now.by_column.items()}
    known = compared.keys() & memory.compared
    return {
        "others": {table: now.population for table, now in found.items()},
        "compared": compared,
        "filled": {c: n for now in found.values() for c, n in now.filled.items()},
        "compared_before": {c: memory.compared[c] for c in known},
    }


def _tell_borders(assigned: Assigned, now: Current, sheet: Sheet) -> None:
    there = now.there({each.record_id for each in assigned.borders()})
    for each in assigned.borders():
        if each.record_id in there:
            sheet.tell(each)


def _compared(
    found: _Found, crm: Readable, *, held: Portfolio | None, memory: Memory
) -> _Found:
    """Every record of one table that the results name, set against what the CRM holds."""
    table, assigned = found.table, found.assigned
    now = found.now = current(assigned.tables[table], crm, held)
    for part in now.parts():
        rows, values = part.rows, fitted(crm, part.values)
        left = memory.left(table, _unexplained(table, values, rows))
        if held is not None:  # it may be older than the run that filled them
            rows = _seen_again(table, rows, _emptied(table, rows, left), crm)
        for one in part.missing:
            found.sheet.tell(Missing(one, table))
        emptied = _emptied(table, rows, left)
        assigned.look_up(table, _differing(values, rows))
        for record_id in sorted(values.keys() & rows.keys()):
            row, edits = rows[record_id], None
            if record_id in emptied or is_edited(table, row):
                ours = None if left is None else left.get(record_id)
                edits = find_edits(table, row, ours)
            found.compare(record_id, values[record_id], row, edits)
    return found


_Values = Mapping[str, Mapping[str, Value]]


def _differing(values: _Values, rows: Mapping[str, Row]) -> list[str]:
    """The records that do not hold what is wanted of them."""
    return [
        record_id
        for record_id in sorted(values.keys() & rows.keys())
        if any(rows[record_id][c] != wanted for c, wanted in values[record_id].items())
    ]


def _unexplained(
    table: WritableTable, values: _Values, rows: Mapping[str, Row]
) -> Mapping[str, Row]:
    """The records on which people may have been, so that the archive must be asked.

    One on which nothing stands is asked for only where something is to be written.
    """
    return {
        record_id: rows[record_id]
        for record_id, wanted in values.items()
        if record_id in rows
        and (
            is_edited(table, rows[record_id])
            or (
                is_bare(table, rows[record_id])
                and any(v is not None for v in wanted.values())
            )
        )
    }


def _emptied(
    table: WritableTable, rows: Mapping[str, Row], left: _Left
) -> frozenset[str]:
    """The records on which nothing stands, though our runs left something there."""
    return frozenset(
        record_id
        for record_id, ours in (left or {}).items()
        if record_id in rows
        and is_bare(table, rows[record_id])
        and any(value is not None for value in ours.values())
    )


def _seen_again(
    table: WritableTable, rows: dict[str, Row], ids: frozenset[str], crm: Readable
) -> dict[str, Row]:
    """The rows with those of some records as they stand now."""
    others = {one: row for one, row in rows.items() if one not in ids}
    return others | read_rows(crm, table, sorted(ids)) if ids else rows


def made_now() -> datetime:
    """When a plan is made, to the second."""
    return now().replace(microsecond=0)


def draft(
    table: WritableTable,
    record_id: str,
    row: Row,
    changes: Iterable[PlannedChange],
    *,
    ours: Mapping[str, Value] | None = None,
    restores: tuple[str | None] | None = None,
    is_new: bool = True,
) -> Draft:
    """These changes of a record that now holds this row.

    Args:
        ours: What a new stamp covers in place of what people set in these fields.
        restores: A stamp that stands after the plan, in place of a new one.
        is_new: Whether the account, if it carries no stamp, never did.
    """
    planned = tuple(sorted(changes, key=lambda c: c.change.column))
    after = {column: row[column] for column in VALUES[table]}
    after |= {c.change.column: c.change.after for c in planned}
    rank = after[_RANK[table]] or row[_RANK[table]]
    record = PlannedRecord(
        record_id,
        stamp=as_text(row[STAMP]),
        pin=tuple(row[column] for column in PIN[table]),
        rank=rank if isinstance(rank, int) else None,
        changes=planned,
        table=table,
    )
    return Draft(record, {**after, **(ours or {})}, restores, is_new)


@attrs.define(eq=False)
class _Found:
    """What the comparison, record by record, has found so far."""

    table: WritableTable
    assigned: Assigned
    sheet: Sheet
    policy: Policy
    told_on: date | None
    now: Current = attrs.field(init=False)
    unknown: Counter[str] = attrs.field(factory=Counter)
    tiers: set[Value] = attrs.field(factory=set)

    def compare(
        self,
        record_id: str,
        wanted: Mapping[str, Value],
        row: Row,
        edits: Edits | None,
    ) -> None:
        """Set what the record holds against what is wanted of it."""
        self.tiers |= {row.get("tier"), wanted.get("tier")}
        self.unknown.update(
            # Of what is written on request, to be empty is the rule.
            c
            for c, value in wanted.items()
            if value in _UNKNOWN and c not in OPT_IN
        )
        wanted = self._unless_pinned(record_id, wanted, row)
        differing = [
            column for column in sorted(wanted) if row[column] != wanted[column]
        ]
        if edits is None:
            changes = self._changes(record_id, wanted, row, differing, is_new=True)
            if changes:
                self.sheet.add(draft(self.table, record_id, row, changes))
            return
        known = tuple(sorted(edits.columns or ()))
        self.sheet.tell(Edited(record_id, tuple(differing), known, self.table))
        standing = edits.standing(row, wanted, self.policy)
        if standing:
            differing = [c for c in differing if edits.may_change(c, self.policy)]
        is_new = not edits.is_unstamped
        changes = self._changes(record_id, wanted, row, differing, is_new=is_new)
        if changes:
            made = partial(draft, self.table, record_id, row, changes, is_new=is_new)
            self.sheet.add(_beside(edits, standing, row, made))

    def _changes(
        self,
        record_id: str,
        wanted: Mapping[str, Value],
        row: Row,
        columns: Sequence[str],
        *,
        is_new: bool,
    ) -> list[PlannedChange]:
        told = self.assigned.reasons(record_id, columns)
        return [
            PlannedChange(
                Change(record_id, column, row[column], wanted[column], self.table),
                is_first_fill=is_new and row[column] is None and row[STAMP] is None,
                reasons=told[column],
            )
            for column in columns
        ]

    def _unless_pinned(
        self, record_id: str, wanted: Mapping[str, Value], row: Row
    ) -> Mapping[str, Value]:
        """What is wanted, without the tier where a person holds fast another."""
        as_of = self.assigned.as_of
        if "tier" not in wanted:
            return wanted
        pin = valid_pin(record_id, row, as_of)
        if pin is None:
            ended = ended_pin(record_id, row, as_of, self.told_on)
            if ended:
                self.sheet.tell(ended)
            return wanted
        self.sheet.tell(pin)
        if wanted["tier"] == pin.tier:
            return wanted
        # Pinned after the results were made: the next run of the analysis follows it.
        return {column: wanted[column] for column in wanted.keys() - _PINNED}


def _beside(
    edits: Edits, standing: Collection[str], row: Row, made: Callable[..., Draft]
) -> Draft:
    """Changes beside a person's edits, which tomorrow's plan must see as edits still."""
    if not standing:
        return made()
    if edits.columns is None or STAMP in standing:
        # What the edits replaced is not known, or the stamp itself is one of them.
        return made(restores=(as_text(row[STAMP]),))
    return made(ours={column: edits.ours.get(column) for column in standing})
