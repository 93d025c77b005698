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
    "Batching",
    "Careful",
    "Change",
    "Connector",
    "Cursor",
    "Finding",
    "FindingState",
    "Fitting",
    "Forecast",
    "Inspectable",
    "Metered",
    "OfOrg",
    "Org",
    "Outcome",
    "OutcomeState",
    "Progress",
    "ProvisionStep",
    "Provisioner",
    "Quota",
    "Reconciling",
    "Rereading",
    "Shaped",
    "Source",
    "Tracing",
    "Value",
    "WritableTable",
    "edits_schema",
    "gone_schema",
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
    ) -> Iterator[Batch]:
        """A table, batch by batch; at least one batch, and only the last ``is_last``.

        Args:
            columns: Only these; the key always comes too.
            since: Only what has changed since that pull, and who has gone.
            resume: Go on behind the batch that carried this cursor, whole or increment.
        """
        ...


@runtime_checkable
class Reconciling(Protocol):
    """Can say which records there are now, for whoever kept a copy."""

    def present(self, table: TableName) -> Iterator[pa.Table]:
        """The key, and what changes without a trace, links included, of every record."""
        ...


@runtime_checkable
class Rereading(Protocol):
    """Can read single records once more, since their links may change without a trace."""

    def again(self, table: TableName, ids: Sequence[str]) -> Batch:
        """These records as a whole pull would tell them now; who is not there is absent.

        ``gone`` names those that are now part of another.
        """
        ...


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


@runtime_checkable
class Metered(Protocol):
    """Counts its calls, and can say beforehand how many there will be."""

    @property
    def calls(self) -> int:
        """Calls made so far by this object, repeated ones and log-ins included."""
        ...

    def forecast(
        self,
        tables: Sequence[TableName],
        *,
        since: Mapping[TableName, Cursor] | None = None,
    ) -> Forecast:
        """What pulling these tables should cost; what asking costs is in it."""
        ...


@runtime_checkable
class Shaped(Protocol):
    """Can say that its tables are made otherwise than before, for whoever kept a copy."""

    def fingerprint(self) -> str:
        """Differs where a mapping or another setting does; no secret is in it."""
        ...


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


@runtime_checkable
class Inspectable(Protocol):
    """Can tell what its set-up lacks; nothing is changed, and it is safe to paste."""

    def inspect(self) -> Iterator[Finding]: ...


@runtime_checkable
class OfOrg(Protocol):
    """Belongs to an org, which has a currency and a time zone of its own."""

    def org(self) -> Org: ...


@runtime_checkable
class Connector(Source, OfOrg, Protocol):
    """Can be read, and a few fields of it can be written."""

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


@runtime_checkable
class Batching(Protocol):
    """Says in what portions it is best written, and what that costs."""

    def write_batch(self, count: int) -> int:
        """How many records to read again and write together, of so many in all."""
        ...

    def write_forecast(self, count: int) -> Forecast:
        """The calls of reading so many again, writing them, and asking for `edits`."""
        ...


@runtime_checkable
class Careful(Protocol):
    """Can write without sending anything a second time by itself."""

    def write_once(
        self, table: WritableTable, changes: Iterable[Change]
    ) -> Iterator[Outcome]:
        """As ``write``; whoever asks reads again before trying again.

        What was sent without an answer comes back as ``unknown``, what was refused for
        the moment as such.
        """
        ...


@runtime_checkable
class Fitting(Protocol):
    """Has fields that do not hold every value as it is given."""

    def fitted(self, column: str, values: Sequence[Value]) -> list[Value]:
        """The values as they come back; one that cannot be held stays as it is."""
        ...


@runtime_checkable
class Tracing(Protocol):
    """Remembers who changed which field, and what it held."""

    def edits(
        self,
        table: WritableTable,
        ids: Sequence[str],
        columns: Sequence[str],
        *,
        since: datetime,
    ) -> pa.Table:
        """Every change of these fields since then, oldest first, as `edits_schema` says.

        A field whose history the CRM does not keep has no row.
        """
        ...


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


@runtime_checkable
class Provisioner(Protocol):
    """Can create the managed fields and grant the rights to them."""

    def provision(
        self, fields: Sequence[ManagedField], *, dry_run: bool
    ) -> Iterator[ProvisionStep]: ...
