"""What is one org at this moment?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import attrs
import pyarrow as pa

from crm_portfolio.simulator._store import SqlType, Store, StoredValue
from crm_portfolio.simulator.salesforce._access import Access
from crm_portfolio.simulator.salesforce._assumptions import Assumptions
from crm_portfolio.simulator.salesforce._ids import MADE_HERE, new_ids
from crm_portfolio.simulator.salesforce._metadata import Catalogue, Field, SObject
from crm_portfolio.simulator.salesforce._refusal import Refusal
from crm_portfolio.simulator.salesforce._rules import Rules

__all__ = ["CLOCK_START", "GONE", "PERMISSION_OBJECTS", "Clock", "Org"]

CLOCK_START: Final = datetime(2026, 7, 1, 2, tzinfo=UTC)
GONE: Final = "-gone"  # the delete log: a table no object can be called after
PERMISSION_OBJECTS: Final = ("FieldPermissions", "PermissionSetAssignment")


class Clock:
    """Simulated time: it moves by a second with each write, or when told."""

    def __init__(self, start: datetime = CLOCK_START) -> None:
        self.now = start

    def advance(self, seconds: float = 1) -> None:
        self.now += timedelta(seconds=seconds)

    @property
    def stored(self) -> datetime:
        """As the tables hold it: UTC without saying so."""
        return self.now.replace(tzinfo=None)


class Org:
    """Objects, records, rights and a clock."""

    def __init__(
        self,
        catalogue: Catalogue,
        records: Mapping[str, pa.Table],
        *,
        org_id: str,
        user_id: str,
        assumptions: Assumptions,
        tracked: frozenset[str] = frozenset(),
        store: Store | None = None,
    ) -> None:
        self.catalogue = catalogue
        self.org_id, self.user_id = org_id, user_id
        self.assumptions = assumptions
        self.clock = Clock()
        self.store = store or Store()
        self.rules = Rules()
        self.catalogue_changed_at = self.clock.now - timedelta(days=1)
        self.tracked = tracked
        self.locks: Counter[str] = Counter()  # writes that will find the record held
        self._made: dict[str, int] = {}
        if not self.store.is_kept:
            self._fill(records)
        self.access = Access(self.store, catalogue, user_id)

    def _fill(self, records: Mapping[str, pa.Table]) -> None:
        for entity in self.catalogue.all():
            kinds = {f.name: f.sql_type for f in entity.fields.values() if f.is_stored}
            self.store.create(entity.name, kinds)
            if entity.name in records and records[entity.name].num_rows:
                self.store.insert(entity.name, records[entity.name])
        log: dict[str, SqlType] = {
            "id": "VARCHAR", "object": "VARCHAR", "moment": "TIMESTAMP", "for_good": "BOOLEAN",
        }  # fmt: skip
        self.store.create(GONE, log)
        self.store.keep()

    def add_field(self, entity: SObject, field: Field) -> None:
        """A new field, or another definition of one whose values are there already."""
        if field.name in entity.fields:
            self._redefine(entity, field)
            return
        default = False if field.type == "boolean" else None
        self.store.add_column(entity.name, field.name, field.sql_type, default)
        self.catalogue.add(entity.name, field)
        self.catalogue_changed_at = self.clock.now
        self.access.look_again()

    def _redefine(self, entity: SObject, field: Field) -> None:
        if field.type == "picklist":
            said = self.store.rows(
                f'SELECT DISTINCT "{field.name}" FROM "{entity.name}" '  # noqa: S608
                f'WHERE "{field.name}" IS NOT NULL ORDER BY 1'
            )
            former = frozenset(value for (value,) in said) - set(field.values)
            field = attrs.evolve(
                field,
                values=(*field.values, *sorted(former)),
                inactive=field.inactive | former,
            )
        self.catalogue.add(entity.name, field)
        self.catalogue_changed_at = self.clock.now
        self.access.look_again()

    def hide_field(self, entity: SObject, field: Field, hidden: Field) -> None:
        """Put the field behind a grant that nobody has yet."""
        self.catalogue.add(entity.name, hidden)
        named = f"{entity.name}.{field.name}"
        self.store.delete("FieldPermissions", '"Field" = ?', [named])
        self.access.look_again()

    @property
    def currency(self) -> str | None:
        """The org's own, in an org with several; else nothing says a currency."""
        if self.catalogue.find("CurrencyType") is None:
            return None
        home = 'SELECT "IsoCode" FROM "CurrencyType" WHERE "IsCorporate"'
        ((code,),) = self.store.rows(home)
        return str(code)

    @property
    def zone(self) -> ZoneInfo:
        """The running user's time zone."""
        zones = 'SELECT "TimeZoneSidKey" FROM "User" WHERE "Id" = ?'
        ((name,),) = self.store.rows(zones, [self.user_id])
        return ZoneInfo(name)

    def new_id(self, prefix: str) -> str:
        number = self._made.get(prefix, 0) + 1
        self._made[prefix] = number
        made: str = new_ids(prefix, MADE_HERE, first=number, count=1)[0].as_py()
        return made

    def must_be_free(self, record_id: str) -> None:
        """Refuse while someone holds the record; each attempt is one of theirs less."""
        if self.locks[record_id] > 0:
            self.locks[record_id] -= 1
            message = "unable to obtain exclusive access to this record"
            raise Refusal("UNABLE_TO_LOCK_ROW", message)

    def exist(self, entity: SObject, ids: Sequence[str]) -> dict[str, bool]:
        """Which of these records there are, and whether they were deleted."""
        deleted = '"IsDeleted"' if entity.has_deleted else "FALSE"
        found = self.store.rows(
            f'SELECT "Id", {deleted} FROM "{entity.name}" '  # noqa: S608
            'WHERE "Id" IN (SELECT unnest(?))',
            [list(ids)],
        )
        return {record_id: bool(is_deleted) for record_id, is_deleted in found}

    def changed(self, entity: SObject, by: str) -> dict[str, StoredValue]:
        """The marks a write leaves on a record of that object."""
        marks: dict[str, StoredValue] = {
            "SystemModstamp": self.clock.stored,
            "LastModifiedDate": self.clock.stored,
            "LastModifiedById": by,
        }
        return {name: mark for name, mark in marks.items() if name in entity.fields}
