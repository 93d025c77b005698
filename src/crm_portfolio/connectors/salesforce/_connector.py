"""How is one Salesforce org a connector?"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from threading import RLock
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from crm_portfolio._managed import FIELDS
from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors._mapping import in_canonical_form
from crm_portfolio.connectors._retry import RetrySettings, once
from crm_portfolio.connectors.salesforce._catalogue import Catalogue
from crm_portfolio.connectors.salesforce._columns import Layout
from crm_portfolio.connectors.salesforce._fields import fitted
from crm_portfolio.connectors.salesforce._login import Login, login_from
from crm_portfolio.connectors.salesforce._settings import SalesforceSettings
from crm_portfolio.errors import RightMissingError, SettingsError
from crm_portfolio.protocols import (
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
    from crm_portfolio.connectors.salesforce._edits import Edits
    from crm_portfolio.connectors.salesforce._permitted import Permitted
    from crm_portfolio.connectors.salesforce._rest import Rest
    from crm_portfolio.connectors.salesforce._tables import Tables
    from crm_portfolio.protocols import (
        Batching,
        Connector,
        Describing,
        Fitting,
        Inspectable,
        Metered,
        Provisioner,
        Reconciling,
        Shaped,
        Tracing,
    )

    def _fits(
        crm: Salesforce,
    ) -> tuple[
        Connector,
        Provisioner,
        Reconciling,
        Metered,
        Inspectable,
        Shaped,
        Batching,
        Tracing,
        Fitting,
        Describing,
    ]:
        return (crm,) * 10  # the type checker holds the class to them


__all__ = ["Salesforce"]


class Salesforce:
    """One org, over simple-salesforce; nothing is asked of it before it is needed.

    Args:
        login: How to get in; None: from the environment.

    Example:
        >>> from crm_portfolio.connectors.salesforce import Salesforce, SessionToken
        >>> Salesforce(SessionToken("https://acme.my.salesforce.com", "00D..."))
        Salesforce(SessionToken, https://acme.my.salesforce.com)
    """

    name: Final = "salesforce"

    def __init__(
        self,
        login: Login | None = None,
        *,
        settings: SalesforceSettings | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        settings = settings or SalesforceSettings()
        if not isinstance(settings, SalesforceSettings):
            raise SettingsError("settings for salesforce are a SalesforceSettings")
        self._settings = settings
        self._catalogue = Catalogue(settings)
        self._login = login or login_from(
            os.environ if environment is None else environment
        )
        self._lock = RLock()
        self._opened: Tables | None = None
        self._known_org: Org | None = None
        self._histories: dict[WritableTable, Edits] = {}

    def __repr__(self) -> str:
        way = type(self._login).__name__
        return (
            f"Salesforce({way}, {getattr(self._login, 'instance_url', '') or 'login'})"
        )

    @property
    def _tables(self) -> Tables:
        from crm_portfolio.connectors.salesforce._tables import Tables

        with self._lock:
            if self._opened is None:
                self._opened = Tables(self._login, self._settings, self._catalogue)
            return self._opened

    @property
    def _rest(self) -> Rest:
        return self._tables.rest

    def _edits(self, table: WritableTable) -> Edits:
        from crm_portfolio.connectors.salesforce._edits import Edits

        with self._lock:
            kept = self._histories
            if table not in kept:
                told = next((e for e in kept.values() if e.knows_user), None)
                user = told.user if told else None
                kept[table] = Edits(self._rest, table, user, knows_user=bool(told))
            return kept[table]

    def org(self) -> Org:
        with self._lock:
            if self._known_org is None:
                self._known_org = self._asked_org()
            return self._known_org

    def _asked_org(self) -> Org:
        from crm_portfolio.connectors.salesforce._rest import Query

        known = ("Id", "IsSandbox", "TimeZoneSidKey", _assumptions.ORG_CURRENCY_FIELD)
        seen = self._catalogue.kinds(self._rest, "Organization")
        fields = tuple(field for field in known if field in seen)
        pages = self._rest.pages(Query("Organization", fields))
        records = [record for page in pages for record in page]
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

    @property
    def calls(self) -> int:
        """Calls made so far by this object, repeated ones and log-ins included."""
        return 0 if self._opened is None else self._opened.session.calls

    def forecast(
        self,
        tables: Sequence[TableName],
        *,
        since: Mapping[TableName, Cursor] | None = None,
    ) -> Forecast:
        """What pulling these tables should cost; each object is counted, a call each."""
        from crm_portfolio.connectors.salesforce._forecast import forecast

        return forecast(
            self._tables,
            tables,
            since or {},
            self._settings,
            self.org(),
            logs_in=self._login.is_renewable,
        )

    def fingerprint(self) -> str:
        """Changes with whatever shapes the tables: settings, and the fields behind them."""
        return self._catalogue.fingerprint(self._rest)

    def fields(self, table: TableName) -> Sequence[VendorField]:
        """The fields of the objects behind a table, a call for each not yet described."""
        return self._catalogue.fields(self._rest, table)

    def inspect(self) -> Iterator[Finding]:
        """Rights, fields and options that lack, and retirement dates that concern us."""
        from crm_portfolio.connectors.salesforce._inspect import findings

        return findings(self._tables, self._settings, self._login)

    def tables(self) -> Mapping[TableName, tuple[str, ...]]:
        """The tables to pull, and the columns that this login sees.

        Raises:
            FieldNotFoundError: A mapped field that the org lacks, or hides.
            RightMissingError: A table asked for by name that cannot be read.
        """
        return self._catalogue.tables(self._rest)

    def pull(
        self,
        table: TableName,
        *,
        columns: Sequence[str] | None = None,
        since: Cursor | None = None,
        resume: Cursor | None = None,
    ) -> Iterator[Batch]:
        """A table, whole or what has changed, in batches of about 20,000 rows.

        By REST the rows are in the order of their ids, by Bulk in the service's own. An
        increment looks ten minutes further back than its cursor, for changes that came
        late to light; the deletion log reaches 15 days back. What changes without a
        trace, such as the last activity, is read again for every record.

        Raises:
            SettingsError: No such table, or the cursor of another.
            CursorLostError: A cursor that this version does not know.
        """
        from crm_portfolio.connectors.salesforce import _pulling

        self._catalogue.must_have(table)
        if resume is not None:
            place = _pulling.going_on(table, resume)
        else:
            if since is not None:
                _pulling.beginning(table, since, None)  # refused before a call
            self.org()  # the server has told its clock by then
            place = _pulling.beginning(table, since, self._tables.session.server_time)
        legs, nothing = self._tables.legs(
            table, columns, is_increment=place.since is not None, org=self.org()
        )
        return _pulling.batches(table, legs, place, nothing)

    def present(self, table: TableName) -> Iterator[pa.Table]:
        """The key, and the columns that change without a trace, of every record.

        Raises:
            SettingsError: Rows of this table have no name to be told by.
        """
        self._catalogue.must_have(table)
        return self._tables.present(table, self.org())

    def read(
        self, table: WritableTable, ids: Sequence[str], columns: Sequence[str]
    ) -> pa.Table:
        """A few columns of a few records, one call for each 2,000.

        Raises:
            FieldNotFoundError: A column the org lacks; the hint says how to get it.
        """
        key = f"{table}_id"
        others = [column for column in dict.fromkeys(columns) if column != key]
        wanted = self._layout(table).only([key, *others])
        records = self._tables.records(wanted, ids)
        zone = self.org().time_zone if records else "UTC"
        return in_canonical_form(
            wanted.table_of(records, time_zone=zone), [key, *others]
        )

    def write(
        self, table: WritableTable, changes: Iterable[Change]
    ) -> Iterator[Outcome]:
        """Write managed fields, 200 records a call, or as a job where that costs less.

        Raises:
            FieldNotFoundError: A managed field the org lacks, before anything is sent.
            RightMissingError: A field this login may not edit, before anything is sent.
            SettingsError: A field that would round what we write to nothing.
        """
        return self._written(table, changes, self._settings.retry)

    def write_once(
        self, table: WritableTable, changes: Iterable[Change]
    ) -> Iterator[Outcome]:
        """The same; what gets no answer, or is locked, is not sent a second time."""
        return self._written(table, changes, once(self._settings.retry))

    def _written(
        self, table: WritableTable, changes: Iterable[Change], retry: RetrySettings
    ) -> Iterator[Outcome]:
        from crm_portfolio.connectors.salesforce._ingest import Ingest
        from crm_portfolio.connectors.salesforce._writing import written

        wanted = list(changes)
        self._permitted(table).must_be_writable({change.column for change in wanted})
        return written(
            self._rest,
            self._catalogue.objects[table][0].name,
            wanted,
            retry=retry,
            ingest=Ingest(self._tables.session, self._settings),
        )

    def fitted(self, column: str, values: Sequence[Value]) -> list[Value]:
        """With as many decimals as the org's field keeps; asks describe, once."""
        if not any(isinstance(value, float) for value in values):
            return list(values)
        described = self._permitted(FIELDS[column].table).described()
        return fitted(column, values, described.get(column, {}))

    def edits(
        self,
        table: WritableTable,
        ids: Sequence[str],
        columns: Sequence[str],
        *,
        since: datetime,
    ) -> pa.Table:
        """What people set, of the fields whose history the org tracks; mostly one call."""
        self._layout(table).only(sorted(columns))
        return self._edits(table).since(ids, columns, since=since)

    def write_batch(self, count: int) -> int:
        """Records to read again and write together: one read, or one job, of them."""
        from crm_portfolio.connectors.salesforce._portions import batch

        return batch(self._settings, count)

    def write_forecast(self, count: int, table: WritableTable = "account") -> Forecast:
        """The calls of reading so many records again and writing them; makes none."""
        from crm_portfolio.connectors.salesforce._portions import steps

        sobject = self._catalogue.objects[table][0].name
        known = {
            "log-in": int(not self.calls and self._login.is_renewable),
            "identity": 0 if self._known_org else 2,
            "describe": int(not self._catalogue.is_described(sobject)),
            "user": int(not any(e.knows_user for e in self._histories.values())),
        }
        said = {**known, **steps(self._settings, count)}
        return Forecast({step: calls for step, calls in said.items() if calls})

    def _permitted(self, table: WritableTable) -> Permitted:
        from crm_portfolio.connectors.salesforce._permitted import Permitted

        return Permitted(self._catalogue, self._rest, table)

    def provision(
        self, fields: Sequence[ManagedField], *, dry_run: bool
    ) -> Iterator[ProvisionStep]:
        """Create the fields that lack, and the permission sets that show them."""
        from crm_portfolio.connectors.salesforce._setup import provisioned

        tables = dict.fromkeys(field.table for field in fields)
        self._catalogue.forget(tables)
        described = {
            table: self._catalogue.described(
                self._rest, self._catalogue.objects[table][0].name
            )
            for table in tables
        }
        try:
            yield from provisioned(self._rest, fields, described, dry_run=dry_run)
        finally:
            self._catalogue.forget(tables)

    def _layout(self, table: TableName) -> Layout:
        return self._catalogue.layouts(self._rest, table)[0]
