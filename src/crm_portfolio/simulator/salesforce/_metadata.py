"""Which objects and fields does the org have, and what may stand in them?

The standard ones are the lines of ``standard_objects.csv`` and ``standard_fields.csv``.
Flags of a field: n nillable, c createable, u updateable, d filled by default, r restricted
picklist, N the object's name field, x known to upserts, f not filterable, g not groupable,
a not aggregatable, z not in Bulk; it stands only in orgs with M several currencies, P person accounts, O a
shown org currency. A reference names its targets, the name of the way up, and in the
column ``children`` that of the way down, with ``!`` where a delete goes down it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any, Final, Literal

import attrs

from crm_portfolio.simulator._store import SqlType
from crm_portfolio.simulator.salesforce._refusal import Refusal

__all__ = ["SQL_TYPES", "Catalogue", "Feature", "Field", "FieldType", "SObject"]

FieldType = Literal[
    "id", "string", "picklist", "combobox", "textarea", "url", "phone", "email",
    "reference", "boolean", "int", "double", "currency", "percent", "date", "datetime",
    "address", "anyType",
]  # fmt: skip
Feature = Literal["M", "P", "O", "D"]

SQL_TYPES: Final[Mapping[str, SqlType]] = {
    "boolean": "BOOLEAN",
    "int": "BIGINT",
    "double": "DOUBLE",
    "currency": "DOUBLE",
    "percent": "DOUBLE",
    "date": "DATE",
    "datetime": "TIMESTAMP",
}
_NUMBERS: Final = ("int", "double", "currency", "percent")
_UNGROUPED: Final = (
    "double", "currency", "percent", "datetime", "combobox", "anyType", "address",
)  # fmt: skip


@attrs.frozen
class Field:
    """One field.

    Attributes:
        refers_to: The objects it may point at; ``User`` comes first where it may.
        relationship: The name of the way up, empty if there is none.
        children: The name of the way down.
        cascades: Is the record deleted with the one it points at?
        inactive: Values of the picklist that are no longer offered.
        needs_grant: It is seen only through a permission set.
        is_tracked: The object's history keeps its changes.
    """

    name: str
    label: str
    type: FieldType
    length: int = 0
    precision: int = 0
    scale: int = 0
    is_nillable: bool = True
    is_createable: bool = True
    is_updateable: bool = True
    is_defaulted: bool = False
    is_restricted: bool = False
    is_name: bool = False
    is_filterable: bool = True
    is_groupable: bool = True
    is_aggregatable: bool = True
    is_in_bulk: bool = True
    is_lookup_key: bool = False
    is_external_id: bool = False
    is_unique: bool = False
    is_calculated: bool = False
    values: tuple[str, ...] = ()
    inactive: frozenset[str] = frozenset()
    refers_to: tuple[str, ...] = ()
    relationship: str = ""
    children: str = ""
    cascades: bool = False
    is_custom: bool = False
    needs_grant: bool = False
    is_tracked: bool = False

    @property
    def sql_type(self) -> SqlType:
        return SQL_TYPES.get(self.type, "VARCHAR")

    @property
    def is_number(self) -> bool:
        return self.type in _NUMBERS

    @property
    def is_long_text(self) -> bool:
        return self.type == "textarea" and self.length > 255

    @property
    def is_link(self) -> bool:
        return self.type in ("id", "reference")

    @property
    def is_stored(self) -> bool:
        """Has it a column of its own? An address is made of other fields."""
        return self.type != "address"

    @property
    def may_filter(self) -> bool:
        return self.is_filterable and not self.is_long_text and self.is_stored

    @property
    def may_group(self) -> bool:
        return (
            self.is_groupable and self.type not in _UNGROUPED and not self.is_long_text
        )

    @property
    def may_aggregate(self) -> bool:
        return self.is_aggregatable and self.may_filter and self.type != "boolean"

    @property
    def is_key(self) -> bool:
        """May an upsert find records by it?"""
        return self.is_lookup_key or self.is_external_id or self.type == "id"


@attrs.frozen
class SObject:
    """One object type.

    Attributes:
        abilities: c createable, u updateable, d deletable, m can be merged, k kept out of
            the recycle bin's reach.
    """

    name: str
    label: str
    plural: str
    prefix: str
    abilities: str
    fields: dict[str, Field] = attrs.field(factory=dict)

    @property
    def has_deleted(self) -> bool:
        return "IsDeleted" in self.fields

    @property
    def has_archived(self) -> bool:
        return "IsArchived" in self.fields

    @property
    def can_come_back(self) -> bool:
        return self.has_deleted and "k" not in self.abilities

    def links(self) -> Iterator[Field]:
        """The fields that point at other records."""
        return (field for field in self.fields.values() if field.type == "reference")


_TYPE: Final = re.compile(r"(\w+)(?:\(([^)]*)\))?")


class Catalogue:
    """The objects and fields of one org. Names are found whatever their case."""

    def __init__(
        self, features: Iterable[Feature] = (), *, without: Iterable[str] = ()
    ) -> None:
        there = frozenset(features)
        missing = {name.lower() for name in without}
        self._objects: dict[str, SObject] = {}
        for line in _lines("standard_objects.csv"):
            if set(line["feature"]) <= there and line["name"].lower() not in missing:
                name, label, plural, prefix, abilities, _ = line.values()
                self.add_object(SObject(name, label, plural, prefix, abilities))
        for name, wanted, field in _standard_fields():
            if wanted <= there and name.lower() in self._objects:
                self.add(name, field)

    def all(self) -> tuple[SObject, ...]:
        return tuple(self._objects.values())

    def object(self, name: str) -> SObject:
        found = self.find(name)
        if found is None:
            raise Refusal(
                "NOT_FOUND", "The requested resource does not exist", status=404
            )
        return found

    def find(self, name: str) -> SObject | None:
        return self._objects.get(name.lower())

    def add(self, name: str, field: Field) -> None:
        """Add a field, or put a changed one in its place."""
        self.object(name).fields[field.name] = field

    def add_object(self, entity: SObject) -> None:
        self._objects[entity.name.lower()] = entity

    def by_prefix(self, record_id: str) -> SObject | None:
        prefix = record_id[:3]
        return next((o for o in self._objects.values() if o.prefix == prefix), None)

    def children(self, name: str) -> Iterator[tuple[SObject, Field]]:
        """The objects that point at this one, and by which field."""
        for entity in self._objects.values():
            for field in entity.links():
                if name in field.refers_to:
                    yield entity, field


@cache
def _standard_fields() -> tuple[tuple[str, frozenset[str], Field], ...]:
    """Each with its object and the features of the org that has it."""
    return tuple(
        (line["object"], frozenset(line["flags"]) & {*"MPOD"}, _field(line))
        for line in _lines("standard_fields.csv")
    )


def _lines(name: str) -> Iterable[dict[str, str]]:
    place = resources.files(__package__).joinpath(name)
    return csv.DictReader(place.read_text(encoding="utf-8").splitlines())


def _field(line: Mapping[str, str]) -> Field:
    matched = _TYPE.fullmatch(line["type"])
    assert matched is not None, line
    kind, detail = matched[1], matched[2] or ""
    flags = line["flags"]
    field = Field(
        name=line["name"],
        label=line["label"],
        type=kind,  # type: ignore[arg-type]
        is_nillable="n" in flags,
        is_createable="c" in flags,
        is_updateable="u" in flags,
        is_defaulted="d" in flags,
        is_restricted="r" in flags,
        is_name="N" in flags,
        is_filterable="f" not in flags,
        is_groupable="g" not in flags,
        is_aggregatable="a" not in flags,
        is_in_bulk="z" not in flags and kind != "address",
        is_lookup_key="x" in flags,
        values=tuple(filter(None, line["values"].split("|"))),
        children=line["children"].rstrip("!"),
        cascades=line["children"].endswith("!"),
    )
    return attrs.evolve(field, **_detailed(kind, detail))


def _detailed(kind: str, detail: str) -> dict[str, Any]:
    if kind == "reference":
        targets, _, relationship = detail.partition(":")
        named = {"refers_to": tuple(targets.split("+")), "relationship": relationship}
        return {"length": 18, **named}
    if kind == "id":
        return {"length": 18}
    if "," in detail:
        precision, scale = detail.split(",")
        return {"precision": int(precision), "scale": int(scale)}
    return {"length": int(detail or 0)}
