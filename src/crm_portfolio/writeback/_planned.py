"""What is a plan made of?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

import attrs

from crm_portfolio._managed import STAMP, stamp
from crm_portfolio._storage import canonical_json, digest
from crm_portfolio._wording import Reason
from crm_portfolio.protocols import Change, Org, Quota, Value
from crm_portfolio.writeback._limits import Limits, Policy

__all__ = [
    "BATCH",
    "Draft",
    "Edited",
    "Header",
    "Pinned",
    "PlannedChange",
    "PlannedRecord",
    "identify",
]

# Records re-read and written together: what one Salesforce collection call takes.
BATCH: Final = 200


@attrs.frozen
class PlannedChange:
    """One field of one account, with the reasons of the result that assigned it.

    A first fill writes into an empty field of an account that carries no stamp.
    """

    change: Change
    is_first_fill: bool
    reasons: tuple[Reason, ...] = ()


@attrs.frozen
class PlannedRecord:
    """The changes of one account, and what they rely on.

    Attributes:
        stamp: The stamp the account carried when the plan was made.
        pin: The human fields it carried, in the order of the schema.
        rank: Its rank by revenue after the plan, or before one that empties it.
        changes: Sorted by column, the stamp among them.
    """

    record_id: str
    stamp: str | None
    pin: tuple[Value, ...]
    rank: int | None
    changes: tuple[PlannedChange, ...]


@attrs.frozen(eq=False)
class Draft:
    """An account's changes before the plan has an id, and so before its stamp is known.

    Attributes:
        record: Everything but the stamp's own change.
        after: All managed values after the plan.
        restores: An old stamp to bring back, in a 1-tuple; None: a new one is made.
    """

    record: PlannedRecord
    after: Mapping[str, Value]
    restores: tuple[str | None] | None = None

    def stamped(self, plan_id: str) -> PlannedRecord:
        """The account's changes with that of its stamp, sorted by column."""
        record = self.record
        mark = self.restores[0] if self.restores else self._new_stamp(plan_id)
        if mark == record.stamp:
            return record
        change = Change(record.record_id, STAMP, record.stamp, mark)
        changes = (*record.changes, PlannedChange(change, record.stamp is None))
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
class Edited:
    """An account whose managed fields a person edited, or filled before we came.

    ``columns`` are those in which the CRM and the results differ.
    """

    record_id: str
    columns: tuple[str, ...]


@attrs.frozen
class Header:
    """What a plan is bound to.

    Attributes:
        as_of: Last day known to the portfolio.
        portfolio_id: Which portfolio the results came from.
        settings_digest: Stands for every parameter of every result.
        population: Accounts that were compared.
        undoes: The run this plan takes back, or nothing.
        accepted: Changes per field that no limit refuses: those of the run to undo.
        quota: Calls left when the plan was made.
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
    accepted: Mapping[str, int] = attrs.field(factory=dict, hash=False)
    quota: Quota | None = None


def identify(header: Header, records: tuple[PlannedRecord, ...]) -> str:
    """The id of the plan with this content.

    The stamps it writes are left out, because they carry the id.
    """
    content = {
        "header": attrs.asdict(header),
        "records": [
            [
                record.record_id,
                record.stamp,
                record.pin,
                [
                    (c.change.column, c.change.before, c.change.after)
                    for c in record.changes
                    if c.change.column != STAMP
                ],
            ]
            for record in records
        ],
    }
    return digest(canonical_json(content))[:12]
