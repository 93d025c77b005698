"""Which objects and fields does the org have, and what may stand in them?

The standard ones are the lines of ``standard_fields.csv``. Flags: n nillable, c createable,
u updateable, d filled by default, r restricted picklist, N the object's name field; a field
stands only in orgs with M several currencies, P person accounts, O a shown org currency.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Final, Literal

import attrs

from crm_portfolio.simulator._store import SqlType
from crm_portfolio.simulator.salesforce._refusal import Refusal

__all__ = ["SQL_TYPES", "Catalogue", "Feature", "Field", "FieldType", "SObject"]

FieldType = Literal[
    "id", "string", "picklist", "textarea", "url", "phone", "email", "reference",
    "boolean", "int", "double", "currency", "percent", "date", "datetime",
]  # fmt: skip
Feature = Literal["M", "P", "O"]

SQL_TYPES: Final[Mapping[FieldType, SqlType]] = {
    "id": "VARCHAR",
    "string": "VARCHAR",
    "picklist": "VARCHAR",
    "textarea": "VARCHAR",
    "url": "VARCHAR",
    "phone": "VARCHAR",
    "email": "VARCHAR",
    "reference": "VARCHAR",
    "boolean": "BOOLEAN",
    "int": "BIGINT",
    "double": "DOUBLE",
    "currency": "DOUBLE",
    "percent": "DOUBLE",
    "date": "DATE",
    "datetime": "TIMESTAMP",
}
_NUMBERS: Final = ("int", "double", "currency", "percent")


@attrs.frozen
class Field:
    """One field. ``needs_grant``: seen only through a permission set."""

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
    values: tuple[str, ...] = ()
    refers_to: str = ""
    relationship: str = ""
    is_custom: bool = False
    needs_grant: bool = False

    @property
    def sql_type(self) -> SqlType:
        return SQL_TYPES[self.type]

    @property
    def is_number(self) -> bool:
        return self.type in _NUMBERS

    @property
    def is_long_text(self) -> bool:
        return self.type == "textarea" and self.length > 255

    @property
    def is_groupable(self) -> bool:
        ungrouped = ("double", "currency", "percent", "datetime")
        return self.type not in ungrouped and not self.is_long_text


@attrs.frozen
class SObject:
    """One object type; ``abilities``: c createable, u updateable, d deletable."""

    name: str
    label: str
    plural: str
    prefix: str
    abilities: str
    fields: dict[str, Field] = attrs.field(factory=dict)

    @property
    def has_deleted(self) -> bool:
        return "IsDeleted" in self.fields


# vendor docs: prefixes of Account, Opportunity, User, Organization, PermissionSet;
# those of the other three are unverified.
_OBJECTS: Final = (
    ("Account", "Account", "Accounts", "001", "cud"),
    ("Opportunity", "Opportunity", "Opportunities", "006", "cud"),
    ("OpportunityStage", "Opportunity Stage", "Opportunity Stages", "01J", ""),
    ("User", "User", "Users", "005", "cu"),
    ("Organization", "Organization", "Organizations", "00D", "u"),
    ("PermissionSet", "Permission Set", "Permission Sets", "0PS", "cud"),
    ("FieldPermissions", "FieldPermissions", "FieldPermissions", "01k", "cud"),
    (
        "PermissionSetAssignment",
        "PermissionSetAssignment",
        "PermissionSetAssignments",
        "0Pa",
        "cd",
    ),
)
_TYPE: Final = re.compile(r"(\w+)(?:\(([^)]*)\))?")


class Catalogue:
    """The objects and fields of one org. Names are found whatever their case."""

    def __init__(self, features: Iterable[Feature] = ()) -> None:
        self._objects = {line[0].lower(): SObject(*line) for line in _OBJECTS}
        for name, field in _standard_fields(frozenset(features)):
            self.object(name).fields[field.name] = field

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

    def by_prefix(self, record_id: str) -> SObject | None:
        prefix = record_id[:3]
        return next((o for o in self._objects.values() if o.prefix == prefix), None)


def _standard_fields(features: frozenset[str]) -> Iterable[tuple[str, Field]]:
    place = resources.files(__package__).joinpath("standard_fields.csv")
    for line in csv.DictReader(place.read_text(encoding="utf-8").splitlines()):
        wanted = {flag for flag in line["flags"] if flag in "MPO"}
        if wanted <= features:
            yield line["object"], _field(line)


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
        values=tuple(filter(None, line["values"].split("|"))),
    )
    if kind == "reference":
        target, relationship = detail.split(":")
        return attrs.evolve(
            field, length=18, refers_to=target, relationship=relationship
        )
    if kind == "id":
        return attrs.evolve(field, length=18)
    if "," in detail:
        precision, scale = detail.split(",")
        return attrs.evolve(field, precision=int(precision), scale=int(scale))
    return attrs.evolve(field, length=int(detail or 0))
