"""Which queries is each table made of?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import attrs
import pyarrow as pa

from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors.salesforce._bulk import Bulk
from crm_portfolio.connectors.salesforce._catalogue import (
    CHANGE,
    RATE,
    SNAPSHOTS,
    Catalogue,
)
from crm_portfolio.connectors.salesforce._columns import Layout
from crm_portfolio.connectors.salesforce._fields import COUNTED
from crm_portfolio.connectors.salesforce._history import (
    FieldChangesLeg,
    SnapshotsLeg,
    in_snapshots,
)
from crm_portfolio.connectors.salesforce._legs import STAMP, Leg, LogLeg, RecordsLeg
from crm_portfolio.connectors.salesforce._login import Login
from crm_portfolio.connectors.salesforce._rates import RatesLeg
from crm_portfolio.connectors.salesforce._reading import Reader
from crm_portfolio.connectors.salesforce._rest import Record, Rest
from crm_portfolio.connectors.salesforce._session import Session
from crm_portfolio.connectors.salesforce._settings import SalesforceSettings
from crm_portfolio.connectors.salesforce._writing import same_record
from crm_portfolio.errors import ConnectorError, FieldNotFoundError, SettingsError
from crm_portfolio.protocols import Org
from crm_portfolio.schema import TABLES, TableName, arrow_type

__all__ = ["Tables"]

# A collection this small is never too large; a smaller one would not help.
_SMALLEST_READ: Final = 200
# Objects that cannot be deleted, or of which nothing is known when they are.
_NEVER_GONE: Final = frozenset({"User", "OpportunityStage"})


class Tables:
    """The org's records, over one session."""

    def __init__(
        self, login: Login, settings: SalesforceSettings, catalogue: Catalogue
    ) -> None:
        self.session = Session(login, settings)
        self.rest = Rest(self.session, settings)
        self.reader = Reader(self.rest, Bulk(self.session, settings), settings)
        self.catalogue = catalogue
        self._read_at_once = _assumptions.COLLECTION_READ_MAX

    def legs(
        self,
        table: TableName,
        columns: Sequence[str] | None,
        *,
        is_increment: bool,
        org: Org,
    ) -> tuple[list[Leg], pa.Table]:
        """The queries, in their order, and a table of no rows with all columns."""
        known = self.catalogue.columns(self.rest, table)
        wanted = self._wanted(table, columns, known)
        nothing = _empty(table, wanted)
        if table == RATE:
            return [RatesLeg(self.rest, wanted)], nothing
        if table == CHANGE:
            return self._change_legs(), nothing
        layouts = [
            part.only([column for column in wanted if column in part.columns])
            for part in self.catalogue.layouts(self.rest, table)
        ]
        if not is_increment or any(STAMP not in part.kinds for part in layouts):
            return [self._records(part, wanted, org) for part in layouts], nothing
        if not TABLES[table].key:
            raise SettingsError(f"{table} has no key to change rows by: pull it whole")
        return self._increment(table, layouts, wanted, org), nothing

    def _wanted(
        self, table: TableName, columns: Sequence[str] | None, known: tuple[str, ...]
    ) -> tuple[str, ...]:
        """The columns asked for and the key, in the table's order."""
        if columns is None:
            return known
        named = set(columns) | set(TABLES[table].key)
        lacking = [column for column in columns if column not in known]
        if lacking and table in (CHANGE, RATE):
            raise FieldNotFoundError("salesforce", table, lacking[0], known)
        if lacking:
            self.catalogue.layouts(self.rest, table)[0].only(lacking)  # says which
        return tuple(column for column in known if column in named)

    def _records(
        self, layout: Layout, columns: tuple[str, ...], org: Org
    ) -> RecordsLeg:
        return RecordsLeg(layout, columns, self.reader, self.rest, org.time_zone)

    def _increment(
        self, table: TableName, layouts: list[Layout], wanted: tuple[str, ...], org: Org
    ) -> list[Leg]:
        """Who left, then what changed, then what changes without a trace."""
        legs: list[Leg] = []
        stable = tuple(column for column in wanted if column not in COUNTED.values())
        for layout in layouts:
            if layout.sobject.name not in _NEVER_GONE:
                legs.append(
                    LogLeg(layout.sobject.name, self.rest, _empty(table, wanted))
                )
            part = layout.only([name for name in stable if name in layout.columns])
            changed = self._records(part, stable, org)
            legs.append(attrs.evolve(changed, what="changed"))
            volatile = self._volatile(layout, org, wanted)
            if volatile is not None:
                legs.append(volatile)
        return legs

    def _volatile(
        self, layout: Layout, org: Org, wanted: tuple[str, ...]
    ) -> RecordsLeg | None:
        spec = TABLES[layout.table]
        names = tuple(
            name
            for name in wanted
            if name in layout.columns and (name in spec.key or spec[name].is_volatile)
        )
        if not set(names) - set(spec.key):
            return None
        leg = self._records(layout.only(names), names, org)
        return attrs.evolve(leg, what="volatile")

    def _change_legs(self) -> list[Leg]:
        (layout,) = self.catalogue.layouts(self.rest, "opportunity")
        kinds = self.catalogue.kinds(self.rest, SNAPSHOTS)
        has_currencies = self.catalogue.has_several_currencies(self.rest)
        shown = frozenset(in_snapshots(layout))
        return [
            SnapshotsLeg(layout, kinds, self.reader, has_currencies),
            FieldChangesLeg(layout, self.reader, shown),
        ]

    def present(self, table: TableName, org: Org) -> Iterator[pa.Table]:
        """The key and the volatile columns of every record."""
        spec = TABLES[table]
        if not spec.key:
            raise SettingsError(f"{table} has no key to be reconciled by")
        if table == RATE:
            rates = RatesLeg(self.rest, self.catalogue.columns(self.rest, table))
            return (step.rows.select(spec.key) for step in rates.whole())
        known = self.catalogue.columns(self.rest, table)
        names = tuple(
            name for name in known if name in spec.key or spec[name].is_volatile
        )
        legs = [
            attrs.evolve(
                self._records(
                    part.only([name for name in names if name in part.columns]),
                    names,
                    org,
                ),
                what="volatile",
            )
            for part in self.catalogue.layouts(self.rest, table)
        ]
        return (rows for leg in legs for rows in leg.rows())

    def records(self, layout: Layout, ids: Sequence[str]) -> list[Record]:
        """The records that are there, in the order of the ids."""
        distinct = list(dict.fromkeys(ids))
        found: dict[str, Record] = {}
        start = 0
        while start < len(distinct):
            asked = distinct[start : start + self._read_at_once]
            try:
                answers = self.rest.retrieve(layout.sobject.name, asked, layout.sources)
            except ConnectorError as error:
                if not self._can_shrink(error, len(asked)):
                    raise
                self._read_at_once = max(len(asked) // 2, _SMALLEST_READ)
                continue
            for record_id, record in zip(asked, answers, strict=True):
                if record is not None and same_record(record.get("Id"), record_id):
                    found[record_id] = {**record, "Id": record_id}
            start += len(asked)
        return [found[record_id] for record_id in ids if record_id in found]

    def _can_shrink(self, error: ConnectorError, asked: int) -> bool:
        """Whether too many ids may be why; how many are too many is not verified."""
        is_plain = type(error) is ConnectorError or error.code == "EXCEEDED_ID_LIMIT"
        return is_plain and error.code != "INVALID_FIELD" and asked > _SMALLEST_READ


def _empty(table: TableName, columns: Sequence[str]) -> pa.Table:
    types = [(column, arrow_type(TABLES[table][column])) for column in columns]
    return pa.schema(types).empty_table()
