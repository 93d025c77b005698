"""In what terms do the layers talk to a source, and it to them?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal, Protocol

import attrs

from crm_portfolio.schema import TableName, WritableTable

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "Batch",
    "Change",
    "Cursor",
    "Finding",
    "FindingState",
    "Forecast",
    "Org",
    "Outcome",
    "OutcomeState",
    "Progress",
    "ProvisionState",
    "ProvisionStep",
    "Quota",
    "Value",
    "VendorField",
    "WritableTable",
    "edits_schema",
    "gone_schema",
]

Value = str | int | float | bool | date | None


OutcomeState = Literal[
    "written", "rejected", "gone", "unknown", "unchanged", "stale", "invalid"
]


class Progress(Protocol):
    """Told how far a long step has come; ``total`` is None while unknown."""

    def __call__(self, step: str, done: int, total: int | None) -> None: ...


@attrs.frozen
class Org:
    """One tenant of a CRM. ``currency`` is None where the CRM does not tell."""

    vendor: str
    org_id: str
    is_sandbox: bool
    currency: str | None
    time_zone: str

    def __str__(self) -> str:
        return f"{self.vendor} org {self.org_id}" + (
            " (sandbox)" if self.is_sandbox else ""
        )


@attrs.frozen
class Cursor:
    """Where a pull stands: opaque text, fit for JSON.

    The cursor of a batch is given as ``resume`` to go on behind that batch, in another
    process if need be. That of the last batch is given as ``since`` to the next pull,
    which then yields what has changed.
    """

    table: TableName
    token: str
    taken_at: datetime


@attrs.frozen(eq=False)
class Batch:
    """Columns of one table, and the records that left it.

    Attributes:
        rows: Model columns only, typed as in the schema or as text. With ``since``, a
            record may come more than once, the newest last, and a batch may lack columns:
            what is known of those stays.
        cursor: None from a source that cannot go on where it stopped.
        gone: As `gone_schema` says; None and no rows mean the same.
    """

    table: TableName
    rows: pa.Table
    cursor: Cursor | None
    gone: pa.Table | None
    is_last: bool


def gone_schema() -> pa.Schema:
    """The columns of ``Batch.gone``: who left a table, why, into whom, and when.

    ``reason`` is deleted, merged or archived; ``merged_into`` names the record that
    lives on, or is null.
    """
    import pyarrow as pa

    return pa.schema(
        [
            ("id", pa.string()),
            ("reason", pa.string()),
            ("merged_into", pa.string()),
            ("at", pa.timestamp("us", "UTC")),
        ]
    )


@attrs.frozen
class Change:
    """One field of one record, before and after, in the managed field's canonical form."""

    record_id: str
    column: str
    before: Value
    after: Value
    table: WritableTable = "account"


@attrs.frozen
class Outcome:
    """What came of one change. ``code`` and ``field`` are the vendor's own.

    Attributes:
        field: The one it minds, where it tells.
        is_passing: It was refused for the moment only: the same later may do.
    """

    change: Change
    state: OutcomeState
    code: str = ""
    message: str = ""
    field: str = ""
    is_passing: bool = False


@attrs.frozen
class Quota:
    """Calls left today, and how many a day has."""

    remaining: int
    limit: int


@attrs.frozen
class Forecast:
    """The calls a pull should take, log-in and identity included.

    Attributes:
        steps: What for, and how many.
    """

    steps: Mapping[str, int]

    @property
    def calls(self) -> int:
        return sum(self.steps.values())


FindingState = Literal["good", "warning", "missing"]


@attrs.frozen
class Finding:
    """One thing that was looked at in a set-up.

    Attributes:
        what: Such as ``scope crm.objects.deals.read``; no secret, no customer's name.
        mend: What to do next, where it is not good.
    """

    what: str
    state: FindingState
    mend: str = ""


@attrs.frozen
class VendorField:
    """One field that a CRM has for the records of a table.

    Attributes:
        name: The vendor's own, as a mapping says it.
        label: What people read; empty where the vendor tells none.
        type: The vendor's own word.
        is_custom: The org made it.
        column: What it is mapped onto; empty: nothing.
    """

    name: str
    label: str
    type: str
    is_custom: bool
    column: str


def edits_schema() -> pa.Schema:
    """The columns of what `Tracing` tells: which field was set, to what, when, by whom.

    ``value`` is text as the CRM holds it, null where it was emptied; ``by`` is a user's
    or an app's id, or null.
    """
    import pyarrow as pa

    return pa.schema(
        [
            ("record_id", pa.string()),
            ("column", pa.string()),
            ("at", pa.timestamp("us", "UTC")),
            ("value", pa.string()),
            ("by", pa.string()),
        ]
    )


ProvisionState = Literal["present", "planned", "done"]


@attrs.frozen
class ProvisionStep:
    """One thing ``setup`` found, would do, or did. ``needs`` names the right it takes."""

    what: str
    state: ProvisionState
    needs: str = ""
