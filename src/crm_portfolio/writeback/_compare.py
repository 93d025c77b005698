"""Where does the CRM differ from what the results say?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import attrs

from crm_portfolio._frames import to_arrow
from crm_portfolio._managed import OPT_IN, PIN, STAMP, VALUES
from crm_portfolio._storage import now
from crm_portfolio._version import __version__
from crm_portfolio.errors import WrongOrgError
from crm_portfolio.protocols import Change, Value
from crm_portfolio.results import Result
from crm_portfolio.schema import OptIn
from crm_portfolio.writeback._assigned import Assigned
from crm_portfolio.writeback._held import (
    Readable,
    Row,
    as_text,
    fitted,
    read_rows,
    require,
    rows_of,
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
    Ended,
    Header,
    Pinned,
    PlannedChange,
    PlannedRecord,
)
from crm_portfolio.writeback._portions import calls_to_apply
from crm_portfolio.writeback._remembered import Memory

if TYPE_CHECKING:
    from crm_portfolio.archive import Archive
    from crm_portfolio.portfolio import Portfolio

__all__ = ["draft", "made_now", "plan", "valid_pin"]

# What a pin holds fast: the tier, and with it the day since when.
_PINNED: Final = frozenset({"tier", "tier_since_on"})
_UNKNOWN: Final = frozenset({None, "unknown"})
# What our runs left on some accounts, by column; None: no archive.
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
        SettingsError: Two results assign one field, or none assigns any.
        WrongOrgError: The portfolio was pulled from another org: record ids of a sandbox
            and of its production org may be the same.
        FieldNotFoundError: The CRM lacks fields of ours; `setup` creates them.
    """
    assigned = Assigned.by(results, also)
    org = crm.org()
    for pulled_from in (assigned.org, held.org if held is not None else None):
        if pulled_from and pulled_from != str(org):
            raise WrongOrgError(pulled_from, str(org))
    rows = _current(assigned, crm, held)
    assigned = attrs.evolve(assigned, values=fitted(crm, assigned.values))
    memory = Memory.of(archive, org)
    left = memory.left(_unexplained(assigned, rows))
    if held is not None:  # it may be older than the run that filled them
        rows = _seen_again(rows, _emptied(rows, left), crm)
    found = _compared(assigned, rows, left, _Found(assigned, policy, memory.told_on))
    header = Header(
        org=org,
        as_of=assigned.as_of,
        made_at=made_now(),
        portfolio_id=assigned.portfolio_id,
        settings_digest=assigned.settings_digest,
        library_version=__version__,
        population=len(assigned.values.keys() & rows.keys()),
        limits=limits,
        policy=policy,
        quota=crm.quota(),
        previous=memory.population,
        previous_as_of=memory.as_of,
        stopped_by=memory.stopped_by,
        unknown=dict(sorted(found.unknown.items())),
        tiers=ladder(found.tiers),
        call_estimate=calls_to_apply(crm, limits, len(found.drafts)),
    )
    return Plan.of(
        header,
        found.drafts,
        pinned=found.pinned,
        ended=found.ended,
        edited=found.edited,
        missing=sorted(assigned.values.keys() - rows.keys()),
        borders=assigned.borders(rows.keys()),
    )


def _unexplained(assigned: Assigned, rows: Mapping[str, Row]) -> Mapping[str, Row]:
    """The accounts on which people may have been, so that the archive must be asked.

    One on which nothing stands is asked for only where something is to be written.
    """
    return {
        record_id: rows[record_id]
        for record_id, wanted in assigned.values.items()
        if record_id in rows
        and (
            is_edited(rows[record_id])
            or (
                is_bare(rows[record_id]) and any(v is not None for v in wanted.values())
            )
        )
    }


def _emptied(rows: Mapping[str, Row], left: _Left) -> frozenset[str]:
    """The accounts on which nothing stands, though our runs left something there."""
    return frozenset(
        record_id
        for record_id, ours in (left or {}).items()
        if record_id in rows
        and is_bare(rows[record_id])
        and any(value is not None for value in ours.values())
    )


def _seen_again(
    rows: dict[str, Row], ids: frozenset[str], crm: Readable
) -> dict[str, Row]:
    """The rows with those of some accounts as they stand now."""
    others = {one: row for one, row in rows.items() if one not in ids}
    return others | read_rows(crm, sorted(ids)) if ids else rows


def _compared(
    assigned: Assigned, rows: Mapping[str, Row], left: _Left, found: _Found
) -> _Found:
    """Every account of the results that the CRM has, set against what it holds."""
    emptied = _emptied(rows, left)
    for record_id in sorted(assigned.values.keys() & rows.keys()):
        row, edits = rows[record_id], None
        if record_id in emptied or is_edited(row):
            ours = None if left is None else left.get(record_id)
            edits = find_edits(row, ours)
        found.compare(record_id, row, edits)
    return found


def made_now() -> datetime:
    """When a plan is made, to the second."""
    return now().replace(microsecond=0)


def draft(
    record_id: str,
    row: Row,
    changes: Iterable[PlannedChange],
    *,
    ours: Mapping[str, Value] | None = None,
    restores: tuple[str | None] | None = None,
    is_new: bool = True,
) -> Draft:
    """These changes of an account that now holds this row.

    Args:
        ours: What a new stamp covers in place of what people set in these fields.
        restores: A stamp that stands after the plan, in place of a new one.
        is_new: Whether the account, if it carries no stamp, never did.
    """
    planned = tuple(sorted(changes, key=lambda c: c.change.column))
    after = {column: row[column] for column in VALUES}
    after |= {c.change.column: c.change.after for c in planned}
    rank = after["portfolio_rank"] or row["portfolio_rank"]
    record = PlannedRecord(
        record_id,
        stamp=as_text(row[STAMP]),
        pin=tuple(row[column] for column in PIN),
        rank=rank if isinstance(rank, int) else None,
        changes=planned,
    )
    return Draft(record, {**after, **(ours or {})}, restores, is_new)


def _current(
    assigned: Assigned, crm: Readable, held: Portfolio | None
) -> dict[str, Row]:
    if held is not None:
        accounts = to_arrow(held["account"])
        require(accounts.column_names, crm.name, wanted=assigned.columns)
        return rows_of(accounts)
    return read_rows(crm, sorted(assigned.values), wanted=assigned.columns)


@attrs.define(eq=False)
class _Found:
    """What the comparison, account by account, has found so far."""

    assigned: Assigned
    policy: Policy
    told_on: date | None
    drafts: list[Draft] = attrs.field(factory=list)
    pinned: list[Pinned] = attrs.field(factory=list)
    ended: list[Ended] = attrs.field(factory=list)
    edited: list[Edited] = attrs.field(factory=list)
    unknown: Counter[str] = attrs.field(factory=Counter)
    tiers: set[Value] = attrs.field(factory=set)

    def compare(self, record_id: str, row: Row, edits: Edits | None) -> None:
        """Set what the account holds against what is wanted of it."""
        wanted = self.assigned.values[record_id]
        self.tiers |= {row["tier"], wanted.get("tier")}
        self.unknown.update(
            # Of what is written on request, to be empty is the rule.
            c
            for c, value in wanted.items()
            if value in _UNKNOWN and c not in OPT_IN
        )
        wanted = self._unless_pinned(record_id, row)
        differing = [
            column for column in sorted(wanted) if row[column] != wanted[column]
        ]
        if edits is None:
            changes = self._changes(record_id, row, differing, is_new=True)
            self.drafts += [draft(record_id, row, changes)] if changes else []
            return
        known = tuple(sorted(edits.columns or ()))
        self.edited.append(Edited(record_id, tuple(differing), known))
        standing = edits.standing(row, wanted, self.policy)
        if standing:
            differing = [c for c in differing if edits.may_change(c, self.policy)]
        is_new = not edits.is_unstamped
        changes = self._changes(record_id, row, differing, is_new=is_new)
        if changes:
            self.drafts.append(_beside(edits, standing, record_id, row, changes))

    def _changes(
        self, record_id: str, row: Row, columns: Sequence[str], *, is_new: bool
    ) -> list[PlannedChange]:
        wanted = self.assigned.values[record_id]
        told = self.assigned.reasons(record_id, columns)
        return [
            PlannedChange(
                Change(record_id, column, row[column], wanted[column]),
                is_first_fill=is_new and row[column] is None and row[STAMP] is None,
                reasons=told[column],
            )
            for column in columns
        ]

    def _unless_pinned(self, record_id: str, row: Row) -> Mapping[str, Value]:
        """What is wanted, without the tier where a person holds fast another."""
        wanted, as_of = self.assigned.values[record_id], self.assigned.as_of
        if "tier" not in wanted:
            return wanted
        pin = valid_pin(record_id, row, as_of)
        if pin is None:
            ended = ended_pin(record_id, row, as_of, self.told_on)
            self.ended += [ended] if ended else []
            return wanted
        self.pinned.append(pin)
        if wanted["tier"] == pin.tier:
            return wanted
        # Pinned after the results were made: the next run of the analysis follows it.
        return {column: wanted[column] for column in wanted.keys() - _PINNED}


def _beside(
    edits: Edits,
    standing: Collection[str],
    record_id: str,
    row: Row,
    changes: Sequence[PlannedChange],
) -> Draft:
    """Changes beside a person's edits, which tomorrow's plan must see as edits still."""
    made = partial(draft, record_id, row, changes, is_new=not edits.is_unstamped)
    if not standing:
        return made()
    if edits.columns is None or STAMP in standing:
        # What the edits replaced is not known, or the stamp itself is one of them.
        return made(restores=(as_text(row[STAMP]),))
    return made(ours={column: edits.ours.get(column) for column in standing})
