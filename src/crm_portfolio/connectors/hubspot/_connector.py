"""How is one HubSpot portal a connector?"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from crm_portfolio import schema
from crm_portfolio.connectors._mapping import in_canonical_form
from crm_portfolio.connectors._retry import RetrySettings, once
from crm_portfolio.connectors.hubspot._columns import Layout, record_sources
from crm_portfolio.connectors.hubspot._login import Login, OAuthRefresh, login_from
from crm_portfolio.connectors.hubspot._settings import HubSpotSettings
from crm_portfolio.errors import SettingsError
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
    VendorField,
    WritableTable,
)
from crm_portfolio.schema import ManagedField, TableName

if TYPE_CHECKING:
    from crm_portfolio.connectors.hubspot._client import Client
    from crm_portfolio.connectors.hubspot._metadata import Portal
    from crm_portfolio.connectors.hubspot._offer import Offer
    from crm_portfolio.protocols import (
        Batching,
        Connector,
        Describing,
        Inspectable,
        Metered,
        Provisioner,
        Reconciling,
        Rereading,
        Shaped,
        Tracing,
    )

    def _fits(
        crm: HubSpot,
    ) -> tuple[
        Connector,
        Provisioner,
        Metered,
        Reconciling,
        Rereading,
        Shaped,
        Inspectable,
        Batching,
        Tracing,
        Describing,
    ]:
        return (crm,) * 10  # the type checker holds the class to them


__all__ = ["HubSpot"]


class HubSpot:
    """One portal, over hubspot-api-client; nothing is asked of it before it is needed.

    Args:
        login: How to get in; None: from the environment.

    Example:
        >>> from crm_portfolio.connectors.hubspot import AccessToken, HubSpot
        >>> HubSpot(AccessToken("pat-eu1-00000000"))
        HubSpot(AccessToken, https://api.hubapi.com)
    """

    name: Final = "hubspot"

    def __init__(
        self,
        login: Login | None = None,
        *,
        settings: HubSpotSettings | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        settings = settings or HubSpotSettings()
        if not isinstance(settings, HubSpotSettings):
            raise SettingsError("settings for hubspot are a HubSpotSettings")
        self._settings = settings
        self._sources = record_sources(settings)
        self._login = login or login_from(
            os.environ if environment is None else environment
        )
        self._lock = Lock()
        self._opened: tuple[Client, Portal] | None = None
        self._sizes: dict[TableName, int] = {}

    def __repr__(self) -> str:
        return f"HubSpot({type(self._login).__name__}, {self._login.origin})"

    def _open(self) -> tuple[Client, Portal]:
        from crm_portfolio.connectors.hubspot._client import Client
        from crm_portfolio.connectors.hubspot._metadata import Portal

        with self._lock:
            if self._opened is None:
                client = Client(self._login, self._settings)
                self._opened = client, Portal(client, self._settings)
            return self._opened

    @property
    def _client(self) -> Client:
        return self._open()[0]

    @property
    def _portal(self) -> Portal:
        return self._open()[1]

    @property
    def _offer(self) -> Offer:
        from crm_portfolio.connectors.hubspot._offer import Offer

        return Offer(self._portal, self._sources, self._settings)

    def org(self) -> Org:
        return self._portal.org()

    def quota(self) -> Quota | None:
        """Calls left, as the last answer said; costs no call. OAuth apps have none."""
        return self._client.quota

    @property
    def calls(self) -> int:
        """Calls made so far, repeated ones and log-ins included."""
        return 0 if self._opened is None else self._client.pace.calls

    def fingerprint(self) -> str:
        """Changes with whatever shapes the tables: settings, and the names of stages."""
        return self._offer.fingerprint()

    def fields(self, table: TableName) -> Sequence[VendorField]:
        """The properties of the records behind a table, a call for each kind."""
        return self._offer.fields(table)

    def tables(self) -> Mapping[TableName, tuple[str, ...]]:
        """The tables of the settings, and the columns that this portal has.

        Stages, owners and rates that a pull has used are read anew after this.

        Raises:
            FieldNotFoundError: A mapped property that the portal lacks.
            RightMissingError: A table that this login may not read.
        """
        self._portal.refresh()
        found = {table: self._offer.columns(table) for table in self._offer.wanted()}
        return {table: columns for table, columns in found.items() if columns}

    def _layouts(self, table: TableName) -> list[Layout]:
        return self._offer.layouts(table)

    def pull(
        self,
        table: TableName,
        *,
        columns: Sequence[str] | None = None,
        since: Cursor | None = None,
        resume: Cursor | None = None,
    ) -> Iterator[Batch]:
        """A table page by page of the API, in the order of their ids."""
        from crm_portfolio.connectors.hubspot._metadata import SMALL

        for cursor in (since, resume):
            if cursor is not None and cursor.table != table:
                raise SettingsError(
                    f"that is a cursor of {cursor.table}, not of {table}"
                )
        self._portal.used()
        if table in SMALL:
            return self._small(table, columns, resume)
        return self._batches(table, columns, since, resume)

    def _batches(
        self,
        table: TableName,
        columns: Sequence[str] | None,
        since: Cursor | None,
        resume: Cursor | None,
    ) -> Iterator[Batch]:
        from crm_portfolio.connectors.hubspot._first_load import FirstLoad
        from crm_portfolio.connectors.hubspot._places import Place
        from crm_portfolio.connectors.hubspot._reading import Pull

        zone = self.org().time_zone
        layouts = self._layouts(table)
        if resume is not None:
            place = Place.of(resume)
        elif since is not None:
            place = Place.of(since).increment()
        else:
            place = Place(way="export" if self._exports(table, layouts) else "list")
        parts = [_only(part, columns, place.since) for part in layouts]
        pull = (
            FirstLoad(
                self._client, parts, zone, must=self._settings.exports == "always"
            )
            if place.is_by_export
            else Pull(self._client, parts, zone)
        )
        yield from pull.batches(place)

    def _exports(self, table: TableName, layouts: Sequence[Layout]) -> bool:
        """Whether this table is large enough for an export; a call, unless it is known."""
        from crm_portfolio.connectors.hubspot._first_load import (
            EXPORT_FROM,
            can_be_exported,
        )
        from crm_portfolio.connectors.hubspot._search import count

        chosen = self._settings.exports
        if chosen != "auto" or not can_be_exported(layouts):
            return chosen == "always" and can_be_exported(layouts)
        if table not in self._sizes:
            self._sizes[table] = count(self._client, layouts[0])
        return self._sizes[table] >= EXPORT_FROM

    def _small(
        self, table: TableName, columns: Sequence[str] | None, resume: Cursor | None
    ) -> Iterator[Batch]:
        from crm_portfolio.connectors.hubspot._places import Place

        rows = self._portal.small(table).slice(0, 0 if resume else None)  # one batch
        if columns is not None:
            key = schema.TABLES[table].key
            rows = rows.select([c for c in rows.column_names if c in (*key, *columns)])
        place = Place(way="done", began=self._client.server_time)
        yield Batch(table, rows, place.cursor(table), gone=None, is_last=True)

    def present(self, table: TableName) -> Iterator[pa.Table]:
        """Key, volatile columns and links of every record, a call for each hundred."""
        for batch in self.pull(table, columns=self._offer.traceless(table)):
            yield batch.rows

    def again(self, table: TableName, ids: Sequence[str]) -> Batch:
        """These records as they are linked now; ``gone`` names who is part of another."""
        from crm_portfolio.connectors.hubspot._again import told_again

        return told_again(self._client, self._layouts(table), self.org(), ids)

    def forecast(
        self,
        tables: Sequence[TableName],
        *,
        since: Mapping[TableName, Cursor] | None = None,
    ) -> Forecast:
        """What pulling these tables should cost: a call for each kind to count it."""
        from crm_portfolio.connectors.hubspot._forecast import forecast
        from crm_portfolio.connectors.hubspot._metadata import SMALL

        small = [table for table in tables if table in SMALL]
        layouts = {
            table: self._layouts(table) for table in tables if table not in SMALL
        }
        return forecast(
            self._client,
            layouts,
            small,
            since=since or {},
            has_to_log_in=isinstance(self._login, OAuthRefresh),
            looked_up=self._portal.looked_up(),
            sizes=self._sizes,
            exports=self._exports,
        )

    def read(
        self, table: WritableTable, ids: Sequence[str], columns: Sequence[str]
    ) -> pa.Table:
        """A few columns of a few records, one call for each hundred.

        Raises:
            FieldNotFoundError: A column the portal lacks; the hint says how to get it.
        """
        from crm_portfolio.connectors.hubspot._objects import batch_read

        key = f"{table}_id"
        others = [column for column in dict.fromkeys(columns) if column != key]
        wanted = self._layouts(table)[0].only([key, *others])
        distinct = list(dict.fromkeys(ids))
        found = batch_read(
            self._client, wanted.source.kind, distinct, wanted.properties
        )
        records = [found[one] for one in ids if one in found]
        zone = self.org().time_zone if records else "UTC"
        rows = wanted.plan(zone).of_records(records)
        return in_canonical_form(rows, [key, *others])

    def write(
        self, table: WritableTable, changes: Iterable[Change]
    ) -> Iterator[Outcome]:
        """Write managed fields, 100 records a call; no other property is ever written.

        Raises:
            FieldNotFoundError: A managed field the portal lacks, before anything is sent.
        """
        return self._written(table, changes, self._settings.retry)

    def write_once(
        self, table: WritableTable, changes: Iterable[Change]
    ) -> Iterator[Outcome]:
        """The same; what gets no answer is not sent a second time."""
        return self._written(table, changes, once(self._settings.retry))

    def _written(
        self, table: WritableTable, changes: Iterable[Change], retry: RetrySettings
    ) -> Iterator[Outcome]:
        from crm_portfolio.connectors.hubspot._writing import written

        wanted = list(changes)
        ours = [field.column for field in schema.MANAGED[table]]
        for column in sorted({change.column for change in wanted}):
            if column not in ours:
                raise SettingsError(f"{column!r} is not a field that we write")
        if not wanted:
            return iter(())
        found = self._layouts(table)[0]
        found.only(sorted({change.column for change in wanted}))
        kind = found.source.kind
        known = self._portal.definitions(kind)
        return written(self._client, kind, wanted, known=known, retry=retry)

    def edits(
        self, table: WritableTable, ids: Sequence[str], columns: Sequence[str],
        *, since: datetime,
    ) -> pa.Table:  # fmt: skip
        """What was set, by people and by us; one call for each fifty records."""
        from crm_portfolio.connectors.hubspot._edits import edits

        kind = self._layouts(table)[0].only(sorted(columns)).source.kind
        return edits(self._client, table, kind, ids, columns, since=since)

    def write_batch(self, count: int) -> int:  # noqa: ARG002 - it is always the same
        """A hundred: HubSpot reads and writes no more in one call."""
        from crm_portfolio.connectors.hubspot._writing import BATCH_WRITE_MAX

        return BATCH_WRITE_MAX

    def write_forecast(self, count: int, table: WritableTable = "account") -> Forecast:
        """The calls of reading again and writing; none is made to say so."""
        from crm_portfolio.connectors.hubspot._forecast import write_forecast

        source = self._sources[table][0]
        return write_forecast(
            count,
            is_logged_in=self.calls > 0 or not isinstance(self._login, OAuthRefresh),
            is_introduced=self._portal.is_introduced,
            is_described=self._portal.is_described(source.kind),
            # A first slice is looked at in every column, that of the stage included.
            are_stages_known=not source.place or self._portal.knows_stages(source.kind),
        )

    def provision(
        self, fields: Sequence[ManagedField], *, dry_run: bool
    ) -> Iterator[ProvisionStep]:
        """Create the properties that lack, in a group of their own."""
        from crm_portfolio.connectors.hubspot._fields import OUR_PROPERTIES, SOURCES
        from crm_portfolio.connectors.hubspot._setup import provisioned

        try:
            yield from provisioned(self._client, fields, dry_run=dry_run)
        finally:
            for table in OUR_PROPERTIES:
                self._portal.forget(SOURCES[table][0].kind)

    def inspect(self) -> Iterator[Finding]:
        """What the set-up lacks, and what of it ends on a known day; only reads."""
        from crm_portfolio.connectors.hubspot._inspect import findings

        return findings(self._portal, self._sources, self._settings, self._login)


def _only(
    part: Layout, columns: Sequence[str] | None, since: datetime | None
) -> Layout:
    """The layout of those columns, for a part that may have only some of them."""
    if columns is not None:
        part = part.only([column for column in columns if column in part.columns])
    return part.for_increment(since) if since else part
