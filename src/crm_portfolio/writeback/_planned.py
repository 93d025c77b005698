"""What is a plan made of?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import islice
from typing import overload

import attrs

from crm_portfolio._managed import FIELDS, STAMP, stamp
from crm_portfolio._wording import Reason
from crm_portfolio.archive import ReadAgain
from crm_portfolio.protocols import Change, Org, Quota, Value, WritableTable
from crm_portfolio.writeback._limits import Limits, Policy

__all__ = [
    "Bordering",
    "Draft",
    "Edited",
    "Ended",
    "Header",
    "Pinned",
    "PlannedChange",
    "PlannedChanges",
    "PlannedRecord",
]


@attrs.frozen
class PlannedChange:
    """One field of one account, with the reasons of the result that assigned it.

    A first fill writes into an empty field of an account that carries no stamp, unless a
    person is known to have taken it away.
    """

    change: Change
    is_first_fill: bool
    reasons: tuple[Reason, ...] = ()


@attrs.frozen
class PlannedRecord:
    """The changes of one record, and what they rely on.

    Attributes:
        stamp: The stamp the record carried when the plan was made.
        pin: The human fields it carried, in the order of the schema.
        rank: Its rank by revenue after the plan, or before one that empties it.
        changes: Sorted by column, the stamp among them.
    """

    record_id: str
    stamp: str | None
    pin: tuple[Value, ...]
    rank: int | None
    changes: tuple[PlannedChange, ...]
    table: WritableTable = "account"


class PlannedChanges(ReadAgain[PlannedChange]):
    """Every change of some records, in their order; read each time it is asked for."""

    def __init__(self, records: Sequence[PlannedRecord], count: int) -> None:
        self._records, self._count = records, count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[PlannedChange]:
        return (change for record in self._records for change in record.changes)

    @overload
    def __getitem__(self, at: int) -> PlannedChange: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[PlannedChange, ...]: ...
    def __getitem__(self, at: int | slice) -> PlannedChange | tuple[PlannedChange, ...]:
        if isinstance(at, int):
            place = range(self._count)[at]
            return next(islice(self, place, None))
        places = range(self._count)[at]
        if not places:
            return ()
        first = min(places[0], places[-1])
        found = tuple(islice(self, first, max(places[0], places[-1]) + 1))
        return tuple(found[place - first] for place in places)

    def __repr__(self) -> str:
        return f"<{len(self):,} changes>"


@attrs.frozen(eq=False)
class Draft:
    """An account's changes before the plan has an id, and so before its stamp is known.

    Attributes:
        record: Everything but the stamp's own change.
        after: The managed values that a new stamp covers.
        restores: The stamp that stands after the plan, an old one or none, in a 1-tuple;
            None: a new one is made.
        is_new: Whether the account, if it carries no stamp, never did.
    """

    record: PlannedRecord
    after: Mapping[str, Value]
    restores: tuple[str | None] | None = None
    is_new: bool = True

    def stamped(self, plan_id: str) -> PlannedRecord:
        """The account's changes with that of its stamp, sorted by column."""
        record = self.record
        mark = self.restores[0] if self.restores else self._new_stamp(plan_id)
        if mark == record.stamp:
            return record
        change = Change(record.record_id, STAMP, record.stamp, mark, record.table)
        is_first = record.stamp is None and self.is_new
        changes = (*record.changes, PlannedChange(change, is_first))
        return attrs.evolve(
            record, changes=tuple(sorted(changes, key=lambda c: c.change.column))
        )

    def _new_stamp(self, plan_id: str) -> str | None:
        if all(value is None for value in self.after.values()):
            return None
        return stamp(plan_id, self.after)


@attrs.frozen
class Pinned:
    """An account whose tier a person holds fast."""

    record_id: str
    tier: str
    until_on: date | None
    by: str | None


@attrs.frozen
class Ended:
    """An account whose pin has ended, though it still stands in the CRM."""

    record_id: str
    tier: str
    until_on: date
    by: str | None


@attrs.frozen
class Edited:
    """A record whose managed fields a person edited, or filled before we came.

    Attributes:
        columns: Those in which the CRM and the results differ.
        edited: Those that hold another value than our last run left, as the archive
            tells; empty where it does not.
    """

    record_id: str
    columns: tuple[str, ...]
    edited: tuple[str, ...] = ()
    table: WritableTable = "account"


@attrs.frozen
class Missing:
    """A record of the results that the CRM lacks."""

    record_id: str
    table: WritableTable = "account"


@attrs.frozen
class Bordering:
    """An account near the border between two groups, and the reason that says how near."""

    record_id: str
    reason: Reason


@attrs.frozen
class Header:
    """What a plan is bound to.

    Attributes:
        as_of: Last day known to the portfolio.
        portfolio_id: Which portfolio the results came from.
        settings_digest: Stands for every parameter of every result.
        population: Accounts that were compared.
        others: Records of other tables that were compared.
        compared: The same, for each column of these tables.
        filled: Of these, how many held a value in each of these columns.
        compared_before: How many were compared in the last run that wrote the column,
            where the archive knows one.
        undoes: The run this plan takes back, or nothing.
        resends: The run whose failures this plan sends again, or nothing.
        accepted: Changes per field that no limit refuses: those of the run to undo.
        quota: Calls left when the plan was made.
        previous: The population of the run before, where the archive knows one.
        previous_as_of: The last day known to that run.
        stopped_by: The newest run, where something moved in its first slice.
        unknown: Accounts for which the results do not know the value, per field.
        tiers: The tiers that occur, best first: a jump is counted on them.
        call_estimate: The calls that `apply` should take.
    """

    org: Org
    as_of: date
    made_at: datetime
    portfolio_id: str
    settings_digest: str
    library_version: str
    population: int
    limits: Limits
    policy: Policy
    undoes: str = ""
    resends: str = ""
    accepted: Mapping[str, int] = attrs.field(factory=dict, hash=False)
    quota: Quota | None = None
    previous: int | None = None
    previous_as_of: date | None = None
    stopped_by: str = ""
    unknown: Mapping[str, int] = attrs.field(factory=dict, hash=False)
    tiers: tuple[str, ...] = ()
    call_estimate: int = 0
    others: Mapping[WritableTable, int] = attrs.field(factory=dict, hash=False)
    compared: Mapping[str, int] = attrs.field(factory=dict, hash=False)
    filled: Mapping[str, int] = attrs.field(factory=dict, hash=False)
    compared_before: Mapping[str, int] = attrs.field(factory=dict, hash=False)

    def population_of(self, column: str) -> int:
        """The records of which this column was compared."""
        is_of_account = FIELDS[column].table == "account"
        return self.population if is_of_account else self.compared.get(column, 0)
