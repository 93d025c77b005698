"""What the layers exchange: who can be read, who can be written, and in what terms?

A source is anything that yields whole tables; a connector can also read and write a few
fields of a few records. Further abilities are further protocols, never flags.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import attrs

from crm_portfolio.schema import ManagedField, TableName

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "Batch",
    "Change",
    "Connector",
    "Cursor",
    "Org",
    "Outcome",
    "OutcomeState",
    "Progress",
    "ProvisionStep",
    "Provisioner",
    "Quota",
    "Source",
    "Value",
    "WritableTable",
]

WritableTable = Literal["account"]
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
    """Where a pull stands: opaque text, fit for JSON."""

    table: TableName
    token: str
    taken_at: datetime


@attrs.frozen(eq=False)
class Batch:
    """Columns of one table, and the records that left it.

    Attributes:
        rows: Model columns only, typed as in the schema or as text.
        gone: ``id``, ``reason`` (deleted, merged, archived), ``merged_into``, ``at``.
    """

    table: TableName
    rows: pa.Table
    cursor: Cursor | None
    gone: pa.Table | None
    is_last: bool


@attrs.frozen
class Change:
    """One field of one record, before and after, in the managed field's canonical form."""

    record_id: str
    column: str
    before: Value
    after: Value


@attrs.frozen
class Outcome:
    """What came of one change. ``code`` and ``field`` are the vendor's own."""

    change: Change
    state: OutcomeState
    code: str = ""
    message: str = ""


@attrs.frozen
class Quota:
    """Calls left today, and how many a day has."""

    remaining: int
    limit: int


class Source(Protocol):
    """Can be read, table by table."""

    @property
    def name(self) -> str: ...

    def tables(self) -> Mapping[TableName, tuple[str, ...]]:
        """The tables this source can give, and the columns of each."""
        ...

    def pull(
        self,
        table: TableName,
        *,
        columns: Sequence[str] | None = None,
        since: Cursor | None = None,
        resume: Cursor | None = None,
    ) -> Iterator[Batch]: ...


@runtime_checkable
class Connector(Source, Protocol):
    """Can be read, and a few fields of it can be written."""

    def org(self) -> Org: ...

    def read(
        self, table: WritableTable, ids: Sequence[str], columns: Sequence[str]
    ) -> pa.Table:
        """The columns of those records, as ``<table>_id`` and one column each.

        Records that no longer exist are absent. Order is that of ``ids``.
        """
        ...

    def write(
        self, table: WritableTable, changes: Iterable[Change]
    ) -> Iterator[Outcome]:
        """Write changes; changes of one record travel together.

        Yields one outcome for each change. When the CRM stays out of reach, the changes in
        flight come back as ``unknown`` and ``TransientError`` follows.
        """
        ...

    def quota(self) -> Quota | None: ...


ProvisionState = Literal["present", "planned", "done"]


@attrs.frozen
class ProvisionStep:
    """One thing ``setup`` found, would do, or did. ``needs`` names the right it takes."""

    what: str
    state: ProvisionState
    needs: str = ""


@runtime_checkable
class Provisioner(Protocol):
    """Can create the managed fields and grant the rights to them."""

    def provision(
        self, fields: Sequence[ManagedField], *, dry_run: bool
    ) -> Iterator[ProvisionStep]: ...
