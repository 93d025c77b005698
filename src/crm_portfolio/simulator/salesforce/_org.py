"""What is one org at this moment?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import pyarrow as pa

from crm_portfolio.simulator._store import Store, StoredValue
from crm_portfolio.simulator.salesforce._access import Access
from crm_portfolio.simulator.salesforce._assumptions import Assumptions
from crm_portfolio.simulator.salesforce._ids import MADE_HERE, new_ids
from crm_portfolio.simulator.salesforce._metadata import Catalogue, Field, SObject

__all__ = ["CLOCK_START", "PERMISSION_OBJECTS", "Clock", "Org"]

CLOCK_START: Final = datetime(2026, 7, 1, 2, tzinfo=UTC)
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
    ) -> None:
        self.catalogue = catalogue
        self.org_id, self.user_id = org_id, user_id
        self.assumptions = assumptions
        self.clock = Clock()
        self.store = Store()
        self._made: dict[str, int] = {}
        for entity in catalogue.all():
            kinds = {field.name: field.sql_type for field in entity.fields.values()}
            self.store.create(entity.name, kinds)
            if entity.name in records:
                self.store.insert(entity.name, records[entity.name])
        self.access = Access(self.store, catalogue, user_id)

    def add_field(self, entity: SObject, field: Field) -> None:
        default = False if field.type == "boolean" else None
        self.store.add_column(entity.name, field.name, field.sql_type, default)
        self.catalogue.add(entity.name, field)
        self.access.look_again()

    def hide_field(self, entity: SObject, field: Field, hidden: Field) -> None:
        """Put the field behind a grant that nobody has yet."""
        self.catalogue.add(entity.name, hidden)
        named = f"{entity.name}.{field.name}"
        self.store.delete("FieldPermissions", '"Field" = ?', [named])
        self.access.look_again()

    def new_id(self, prefix: str) -> str:
        number = self._made.get(prefix, 0) + 1
        self._made[prefix] = number
        made: str = new_ids(prefix, MADE_HERE, first=number, count=1)[0].as_py()
        return made

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
