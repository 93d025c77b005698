"""Where does the CRM differ from what the results say?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

import attrs

from crm_portfolio._frames import to_arrow
from crm_portfolio._managed import PIN, STAMP, VALUES, is_own
from crm_portfolio._storage import now
from crm_portfolio._version import __version__
from crm_portfolio.errors import WrongOrgError
from crm_portfolio.protocols import Change, Value
from crm_portfolio.results import Result
from crm_portfolio.writeback._assigned import Assigned
from crm_portfolio.writeback._held import (
    Readable,
    Row,
    as_text,
    read_rows,
    require,
    rows_of,
)
from crm_portfolio.writeback._limits import Limits, Policy
from crm_portfolio.writeback._plan import Plan
from crm_portfolio.writeback._planned import (
    Draft,
    Edited,
    Header,
    Pinned,
    PlannedChange,
    PlannedRecord,
)

if TYPE_CHECKING:
    from crm_portfolio.portfolio import Portfolio

__all__ = ["draft", "made_now", "plan", "valid_pin"]

# What a pin holds fast: the tier, and with it the day since when.
_PINNED: Final = frozenset({"tier", "tier_since_on"})


def plan(
    results: Iterable[Result],
    crm: Readable,
    *,
    held: Portfolio | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    policy: Policy = Policy(),  # noqa: B008 - frozen
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

    Raises:
        SettingsError: Two results assign one field, or none assigns any.
        WrongOrgError: The portfolio was pulled from another org: record ids of a sandbox
            and of its production org may be the same.
        FieldNotFoundError: The CRM lacks fields of ours; `setup` creates them.
    """
    assigned = Assigned.by(results)
    org = crm.org()
    for pulled_from in (assigned.org, held.org if held is not None else None):
        if pulled_from and pulled_from != str(org):
            raise WrongOrgError(pulled_from, str(org))
    rows = _current(sorted(assigned.values), crm, held)
    found = _Found(assigned, policy)
    known = sorted(assigned.values.keys() & rows.keys())
    for record_id in known:
        found.compare(record_id, rows[record_id])
    header = Header(
        org=org,
        as_of=assigned.as_of,
        made_at=made_now(),
        portfolio_id=assigned.portfolio_id,
        settings_digest=assigned.settings_digest,
        library_version=__version__,
        population=len(known),
        limits=limits,
        policy=policy,
        quota=crm.quota(),
    )
    return Plan.of(
        header,
        found.drafts,
        pinned=found.pinned,
        edited=found.edited,
        missing=sorted(assigned.values.keys() - rows.keys()),
    )


def made_now() -> datetime:
    """When a plan is made, to the second."""
    return now().replace(microsecond=0)


def valid_pin(record_id: str, row: Row, as_of: date) -> Pinned | None:
    """The tier a person holds fast on that day, if any."""
    tier, until_on, by = (row[column] for column in PIN)
    if tier is None or (isinstance(until_on, date) and until_on < as_of):
        return None
    until_on = until_on if isinstance(until_on, date) else None
    return Pinned(record_id, str(tier), until_on, as_text(by))


def draft(
    record_id: str,
    row: Row,
    changes: Iterable[PlannedChange],
    *,
    restores: tuple[str | None] | None = None,
) -> Draft:
    """These changes of an account that now holds this row."""
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
    return Draft(record, after, restores)


def _current(
    ids: Sequence[str], crm: Readable, held: Portfolio | None
) -> dict[str, Row]:
    if held is not None:
        accounts = to_arrow(held["account"])
        require(accounts.column_names, crm.name)
        return rows_of(accounts)
    return read_rows(crm, ids)


@attrs.define(eq=False)
class _Found:
    """What the comparison, account by account, has found so far."""

    assigned: Assigned
    policy: Policy
    drafts: list[Draft] = attrs.field(factory=list)
    pinned: list[Pinned] = attrs.field(factory=list)
    edited: list[Edited] = attrs.field(factory=list)

    def compare(self, record_id: str, row: Row) -> None:
        wanted = self._unless_pinned(record_id, row)
        differing = [
            column for column in sorted(wanted) if row[column] != wanted[column]
        ]
        if _is_edited(row):
            self.edited.append(Edited(record_id, tuple(differing)))
            if self.policy.edited == "keep":
                return
        if differing:
            told = self.assigned.reasons(record_id, differing)
            changes = (
                PlannedChange(
                    Change(record_id, column, row[column], wanted[column]),
                    is_first_fill=row[column] is None and row[STAMP] is None,
                    reasons=told[column],
                )
                for column in differing
            )
            self.drafts.append(draft(record_id, row, changes))

    def _unless_pinned(self, record_id: str, row: Row) -> Mapping[str, Value]:
        """What is wanted, without the tier where a person holds fast another."""
        wanted = self.assigned.values[record_id]
        pin = valid_pin(record_id, row, self.assigned.as_of)
        if pin is None or "tier" not in wanted:
            return wanted
        self.pinned.append(pin)
        if wanted["tier"] == pin.tier:
            return wanted
        # Pinned after the results were made: the next run of the analysis follows it.
        return {column: wanted[column] for column in wanted.keys() - _PINNED}


def _is_edited(row: Row) -> bool:
    """Whether the managed values are not as a run of ours left them."""
    values = {column: row[column] for column in VALUES}
    if row[STAMP] is None:
        return any(value is not None for value in values.values())
    return not is_own(as_text(row[STAMP]), values)
