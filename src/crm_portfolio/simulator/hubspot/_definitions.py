"""Which properties do a portal's objects have, and what may stand in them?

The standard ones are the lines of ``standard_properties.csv``, of companies as recorded, of
deals as the vendor docs tell, of other objects partly unverified. Flags: D comes back when
nobody asks, R value is read-only, C calculated, Z counts from nought, H hidden, U unique,
E choices from outside, F in forms, M money, W shown by every write, X its definition may
be changed.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Final, Literal

import attrs

from crm_portfolio.simulator.hubspot._kinds import KINDS

__all__ = [
    "FIELD_TYPES",
    "YES_NO",
    "Definitions",
    "FieldType",
    "Group",
    "Option",
    "Property",
    "PropertyType",
    "Source",
]

PropertyType = Literal[
    "bool", "date", "datetime", "enumeration", "number", "phone_number", "string"
]
FieldType = str
Source = Literal["", "OWNER", "STAGE", "PIPELINE", "CURRENCY", "COMPANY"]

# vendor docs: the pairing is validated. unverified: datetime with date, and the pairs of
# calculation_equation, whose formulas are not imitated.
FIELD_TYPES: Final[Mapping[PropertyType, frozenset[FieldType]]] = {
    "bool": frozenset({"booleancheckbox"}),
    "date": frozenset({"date"}),
    "datetime": frozenset({"date"}),
    "enumeration": frozenset({"select", "radio", "checkbox", "booleancheckbox"}),
    "number": frozenset({"number"}),
    "phone_number": frozenset({"phonenumber"}),
    "string": frozenset({"text", "textarea", "html", "file", "phonenumber"}),
}


@attrs.frozen
class Option:
    """One choice of an enumeration."""

    value: str
    label: str
    is_hidden: bool = False
    description: str = ""


# recorded: the two choices of every standard bool.
YES_NO: Final = (Option("true", "True"), Option("false", "False"))


@attrs.frozen
class Group:
    """Where a settings page shows some properties."""

    name: str
    label: str
    display_order: int = -1


@attrs.frozen
class Property:
    """One property. ``source``: where choices that are not its own come from."""

    name: str
    label: str
    type: PropertyType
    field_type: FieldType
    group: str
    options: tuple[Option, ...] = ()
    source: Source = ""
    description: str = ""
    is_default: bool = False
    is_read_only: bool = False
    is_calculated: bool = False
    is_count: bool = False
    is_hidden: bool = False
    has_unique_value: bool = False
    has_external_options: bool = False
    is_in_forms: bool = False
    is_money: bool = False
    is_echoed: bool = False
    is_defined_by_hubspot: bool = True
    is_fixed: bool = True
    display_order: int = -1
    created_at: str | None = None
    updated_at: str | None = None

    @property
    def is_multiple(self) -> bool:
        return self.type == "enumeration" and self.field_type == "checkbox"


class Definitions:
    """The live properties and groups of one portal, by kind of object."""

    def __init__(self) -> None:
        self._live: dict[str, dict[str, Property]] = {}
        self._archived: dict[str, dict[str, Property]] = {}
        self._groups: dict[str, dict[str, Group]] = {}
        for kind, known in standard().items():
            self._live[kind] = dict(known)
            self._groups[kind] = {p.group: _group(p.group) for p in known.values()}

    def of(self, kind: str) -> Mapping[str, Property]:
        """The live properties of a kind, also of one that nobody has defined yet."""
        return self._live.get(kind, {})

    def archived(self, kind: str) -> Mapping[str, Property]:
        return self._archived.get(kind, {})

    def defaults(self, kind: str) -> tuple[str, ...]:
        """What comes back when a request names no properties."""
        return tuple(name for name, p in self.of(kind).items() if p.is_default)

    def add(self, kind: str, prop: Property) -> None:
        """Define a property, or put a changed one in its place."""
        self._live.setdefault(kind, {})[prop.name] = prop
        self._archived.get(kind, {}).pop(prop.name, None)
        self._groups.setdefault(kind, {}).setdefault(prop.group, _group(prop.group))

    def archive(self, kind: str, name: str) -> None:
        """Put a property into the recycle bin."""
        gone = self._live[kind].pop(name)
        self._archived.setdefault(kind, {})[name] = gone

    def groups(self, kind: str) -> Mapping[str, Group]:
        return self._groups.get(kind, {})

    def add_group(self, kind: str, group: Group) -> None:
        self._groups.setdefault(kind, {})[group.name] = group

    def widen(self, kind: str, name: str, values: Iterable[str]) -> None:
        """Let an enumeration allow more values, each its own label."""
        prop = self._live[kind][name]
        known = {option.value for option in prop.options}
        more = tuple(Option(v, v) for v in dict.fromkeys(values) if v not in known)
        self.add(kind, attrs.evolve(prop, options=(*prop.options, *more)))


@cache
def standard() -> Mapping[str, Mapping[str, Property]]:
    """The properties that every portal has."""
    found: dict[str, dict[str, Property]] = {name: {} for name in KINDS}
    place = resources.files(__package__).joinpath("standard_properties.csv")
    for line in csv.DictReader(place.read_text(encoding="utf-8").splitlines()):
        for kind in line["objects"].split("|"):
            found[kind][line["name"]] = _property(line)
    return found


def _property(line: Mapping[str, str]) -> Property:
    flags = line["flags"]
    return Property(
        name=line["name"],
        label=line["label"],
        type=line["type"],  # type: ignore[arg-type]
        field_type=line["field_type"],
        group=line["group"],
        options=tuple(_options(line)),
        source=line["refers_to"],  # type: ignore[arg-type]
        is_default="D" in flags,
        is_read_only="R" in flags,
        is_calculated="C" in flags,
        is_count="Z" in flags,
        is_hidden="H" in flags,
        has_unique_value="U" in flags,
        has_external_options="E" in flags,
        is_in_forms="F" in flags,
        is_money="M" in flags,
        is_echoed="W" in flags,
        is_fixed="X" not in flags,
    )


def _options(line: Mapping[str, str]) -> Iterator[Option]:
    if line["type"] == "bool":
        yield from YES_NO
    for choice in filter(None, line["options"].split("|")):
        value, _, label = choice.partition("=")
        yield Option(value, label)


def _group(name: str) -> Group:
    return Group(name, name.replace("_", " ").capitalize())
