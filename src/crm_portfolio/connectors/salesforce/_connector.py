"""How is one Salesforce org a connector?"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from crm_portfolio import schema
from crm_portfolio._managed import canonical
from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors.salesforce._columns import Layout, layout, vendor_mapping
from crm_portfolio.connectors.salesforce._fields import ACCOUNT_FIELDS, OBJECTS
from crm_portfolio.connectors.salesforce._login import Login, login_from
from crm_portfolio.connectors.salesforce._settings import SalesforceSettings
from crm_portfolio.errors import (
    RightMissingError,
    SettingsError,
    did_you_mean,
)
from crm_portfolio.protocols import (
    Batch,
    Change,
    Cursor,
    Org,
    Outcome,
    ProvisionStep,
    Quota,
    WritableTable,
)
from crm_portfolio.schema import ManagedField, TableName

if TYPE_CHECKING:
    from crm_portfolio.connectors.salesforce._rest import Record, Rest
    from crm_portfolio.protocols import Connector, Provisioner

    def _fits(crm: Salesforce) -> tuple[Connector, Provisioner]:
        return crm, crm  # the type checker holds the class to its protocols


__all__ = ["BATCH_ROWS", "Salesforce"]

BATCH_ROWS: Final = 20_000  # records behind one batch; pages of JSON are smaller


class Salesforce:
    """One org, over simple-salesforce; nothing is asked of it before it is needed.

    Args:
        login: How to get in; None: from the environment.

    Example:
        >>> from crm_portfolio.connectors.salesforce import Salesforce, SessionToken
        >>> Salesforce(SessionToken("https://acme.my.salesforce.com", "00D…"))
        Salesforce(SessionToken, https://acme.my.salesforce.com)
    """

    name: Final = "salesforce"

    def __init__(
        self, login: Login | None = None, *, settings: SalesforceSettings | None = None
    ) -> None:
        settings = settings or SalesforceSettings()
        if not isinstance(settings, SalesforceSettings):
            raise SettingsError("settings for salesforce are a SalesforceSettings")
        self._settings = settings
        self._mapping = vendor_mapping(settings)
        self._login = login_from(os.environ) if login is None else login
        self._layouts: dict[TableName, Layout] = {}
        self._described: dict[str, list[Record]] = {}

    def __repr__(self) -> str:
        way = type(self._login).__name__
        return (
            f"Salesforce({way}, {getattr(self._login, 'instance_url', '') or 'login'})"
        )

    @cached_property
    def _rest(self) -> Rest:
        from crm_portfolio.connectors.salesforce._rest import Rest

        return Rest(self._login, self._settings)

    def org(self) -> Org:
        return self._org

    @cached_property
    def _org(self) -> Org:
        from crm_portfolio.connectors.salesforce._rest import Query

        known = ("Id", "IsSandbox", "TimeZoneSidKey", _assumptions.ORG_CURRENCY_FIELD)
        seen = {str(field["name"]) for field in self._describe("Organization")}
        fields = tuple(field for field in known if field in seen)
        records = [
            r for page in self._rest.pages(Query("Organization", fields)) for r in page
        ]
        if len(records) != 1 or "TimeZoneSidKey" not in fields:
            raise RightMissingError(
                self.name, "this login lacks the right 'View Setup and Configuration'"
            )
        record = records[0]
        return Org(
            vendor=self.name,
            org_id=str(record["Id"]),
            is_sandbox=bool(record.get("IsSandbox")),
            currency=record.get(_assumptions.ORG_CURRENCY_FIELD)
            or self._settings.currency,
            time_zone=str(record["TimeZoneSidKey"]),
        )

    def quota(self) -> Quota | None:
        """Calls left, as the last answer said; costs no call."""
        return self._rest.quota

    def tables(self) -> Mapping[TableName, tuple[str, ...]]:
        """The tables of this org, and the columns that this login sees.

        Raises:
            FieldNotFoundError: A mapped field that the org lacks, or hides.
        """
        return {table: self._layout(table).columns for table in self._mapping}

    def pull(
        self,
        table: TableName,
        *,
        columns: Sequence[str] | None = None,
        since: Cursor | None = None,
        resume: Cursor | None = None,
    ) -> Iterator[Batch]:
        """A whole table, in batches of about 20,000 rows in the order of their ids."""
        if since is not None or resume is not None:
            raise SettingsError(
                "salesforce is pulled whole: leave out since and resume"
            )
        if table not in self._mapping:
            known = ", ".join(self._mapping)
            hint = did_you_mean(table, self._mapping) or f"; it has {known}"
            raise SettingsError(f"salesforce gives no table {table!r}{hint}")
        return self._batches(self._layout(table).only(columns))

    def _batches(self, wanted: Layout) -> Iterator[Batch]:
        from crm_portfolio.connectors.salesforce._rest import Query

        sobject = OBJECTS[wanted.table]
        query = Query(sobject.name, wanted.sources, sobject.where)
        zone = self.org().time_zone
        parts = [wanted.table_of((), time_zone=zone)]
        for records in self._rest.pages(query):
            if sum(part.num_rows for part in parts) >= BATCH_ROWS:
                rows = pa.concat_tables(parts)
                yield Batch(wanted.table, rows, cursor=None, gone=None, is_last=False)
                parts = []
            parts.append(wanted.table_of(records, time_zone=zone))
        rows = pa.concat_tables(parts)
        yield Batch(wanted.table, rows, cursor=None, gone=None, is_last=True)

    def read(
        self, table: WritableTable, ids: Sequence[str], columns: Sequence[str]
    ) -> pa.Table:
        """A few columns of a few records, one call for each 2,000.

        Raises:
            FieldNotFoundError: A column the org lacks; the hint says how to get it.
        """
        from crm_portfolio.connectors.salesforce._writing import same_record

        key = f"{table}_id"
        others = [column for column in dict.fromkeys(columns) if column != key]
        wanted = self._layout(table).only([key, *others])
        distinct, size = list(dict.fromkeys(ids)), _assumptions.COLLECTION_READ_MAX
        found: dict[str, Record] = {}
        for start in range(0, len(distinct), size):
            asked = distinct[start : start + size]
            answers = self._rest.retrieve(OBJECTS[table].name, asked, wanted.sources)
            for record_id, record in zip(asked, answers, strict=True):
                if record is not None and same_record(record.get("Id"), record_id):
                    found[record_id] = {**record, "Id": record_id}
        records = [found[record_id] for record_id in ids if record_id in found]
        zone = self.org().time_zone if records else "UTC"
        return _in_canonical_form(
            wanted.table_of(records, time_zone=zone), [key, *others]
        )

    def write(
        self, table: WritableTable, changes: Iterable[Change]
    ) -> Iterator[Outcome]:
        """Write managed fields, 200 records a call; no other field is ever written.

        Raises:
            FieldNotFoundError: A managed field the org lacks, before anything is sent.
            RightMissingError: A field this login may not edit, before anything is sent.
        """
        from crm_portfolio.connectors.salesforce._writing import written

        wanted = list(changes)
        self._must_be_writable(table, {change.column for change in wanted})
        sobject = OBJECTS[table].name
        return written(self._rest, sobject, wanted, retry=self._settings.retry)

    def _must_be_writable(self, table: WritableTable, columns: set[str]) -> None:
        ours = [field.column for field in schema.MANAGED]
        for column in sorted(columns):
            if column not in ours:
                raise SettingsError(f"{column!r} is not a field that we write")
        if not columns:
            return
        self._layout(table).only(sorted(columns))
        editable = {
            str(field["name"]): bool(field.get("updateable"))
            for field in self._describe(OBJECTS[table].name)
        }
        for column in sorted(columns):
            if not editable.get(ACCOUNT_FIELDS[column]):
                name = f"{OBJECTS[table].name}.{ACCOUNT_FIELDS[column]}"
                raise RightMissingError(
                    self.name,
                    f"this login lacks the right 'Edit on {name}' "
                    "(setup grants it with the permission set Portfolio_Nightly)",
                )

    def provision(
        self, fields: Sequence[ManagedField], *, dry_run: bool
    ) -> Iterator[ProvisionStep]:
        """Create the fields that lack, and the permission sets that show them."""
        from crm_portfolio.connectors.salesforce._setup import provisioned

        self._forget()
        described = self._describe("Account")
        try:
            yield from provisioned(self._rest, fields, described, dry_run=dry_run)
        finally:
            self._forget()

    def _forget(self) -> None:
        self._layouts.clear()
        self._described.pop("Account", None)

    def _describe(self, sobject: str) -> list[Record]:
        if sobject not in self._described:
            self._described[sobject] = self._rest.describe(sobject)
        return self._described[sobject]

    def _layout(self, table: TableName) -> Layout:
        if table not in self._layouts:
            sobject = OBJECTS[table]
            kinds = None if table in self._settings.fields else sobject.kinds
            if kinds is None:
                described = self._describe(sobject.name)
                kinds = {str(field["name"]): str(field["type"]) for field in described}
            self._layouts[table] = layout(table, self._mapping[table], kinds)
        return self._layouts[table]


def _in_canonical_form(rows: pa.Table, columns: Sequence[str]) -> pa.Table:
    managed = {field.column: field for field in (*schema.MANAGED, *schema.HUMAN)}
    arrays = {}
    for column in columns:
        arrays[column] = rows[column]
        if column in managed:
            values = [canonical(column, value) for value in rows[column].to_pylist()]
            arrays[column] = pa.array(values, schema.arrow_type(managed[column]))
    return pa.table(arrays)
