"""Who can be read, who can be written, and what more can some of them do?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from crm_portfolio.protocols._copied import CopiedOrg
from crm_portfolio.protocols._exchanged import (
    Batch,
    Change,
    Cursor,
    Finding,
    Forecast,
    Org,
    Outcome,
    ProvisionStep,
    Quota,
    Value,
    VendorField,
    WritableTable,
)
from crm_portfolio.schema import ManagedField, TableName

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "Batching",
    "Careful",
    "Connector",
    "Copied",
    "Dated",
    "Describing",
    "Fitting",
    "Inspectable",
    "Metered",
    "OfOrg",
    "Provisioner",
    "Reconciling",
    "Rereading",
    "Shaped",
    "Source",
    "StaleSourceWarning",
    "Tracing",
]


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


class StaleSourceWarning(UserWarning):
    """A copy of a CRM does not reach the day at which the books are closed."""


@runtime_checkable
class Dated(Protocol):
    """Is a copy that somebody else keeps, and can say how far it reaches."""

    def complete_until(self) -> datetime | None:
        """When it was last brought up to date; None: it does not say."""
        ...


@runtime_checkable
class Copied(Protocol):
    """Is a copy of a CRM, whose ids are those of one org and of no other."""

    def copied_from(self) -> CopiedOrg:
        """The org; a plan is made for that one only, and for none if nobody said which.

        Raises:
            SettingsError: It is of several, or of another than the settings say.
        """
        ...


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

    def write_forecast(self, count: int, table: WritableTable = "account") -> Forecast:
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
class Describing(Protocol):
    """Can say which fields it has for a table, mapped or not."""

    def fields(self, table: TableName) -> Sequence[VendorField]:
        """Those that this login sees, by name."""
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


@runtime_checkable
class Provisioner(Protocol):
    """Can create the managed fields and grant the rights to them."""

    def provision(
        self, fields: Sequence[ManagedField], *, dry_run: bool
    ) -> Iterator[ProvisionStep]: ...
