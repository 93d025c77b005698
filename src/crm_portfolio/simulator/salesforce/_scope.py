"""Which column does a SOQL path mean, and through which joins?

A path is found among the fields that the running user sees; parents become LEFT JOINs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import attrs

from crm_portfolio.simulator._store import quoted
from crm_portfolio.simulator.salesforce._assumptions import Assumptions
from crm_portfolio.simulator.salesforce._metadata import Field, SObject
from crm_portfolio.simulator.salesforce._refusal import Refusal, not_imitated
from crm_portfolio.simulator.salesforce._statement import Path, Statement, complaint

__all__ = ["Found", "Parameters", "Scope", "World", "column_sql"]

Visible = Callable[[str], Mapping[str, Field] | None]
"""The fields of an object that the running user reads, by lower-case name."""

_MAX_PARENTS: Final = 5
_UNKNOWN: Final = (
    "No such column '{name}' on entity '{entity}'. If you are attempting to use a custom "
    "field, be sure to append the '__c' after the custom field name. Please reference your "
    "WSDL or the describe call for the appropriate names."
)
_UNSUPPORTED: Final = (
    "sObject type '{name}' is not supported. If you are attempting to use a custom object, "
    "be sure to append the '__c' after the entity name. Please reference your WSDL or the "
    "describe call for the appropriate names."
)


@attrs.frozen
class World:
    """What a query may know of the org."""

    visible: Visible
    find: Callable[[str], SObject | None]
    children: Callable[[str], Iterable[tuple[SObject, Field]]]
    now: datetime
    zone: ZoneInfo
    assumptions: Assumptions
    only_own: Callable[[SObject], str | None]

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    def object(self, name: str) -> SObject:
        found = self.find(name)
        assert found is not None, name
        return found


class Parameters:
    """The bound values of one SQL statement, numbered: ``$1`` is the first."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def bind(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


@attrs.frozen
class Found:
    """A field, the parents it was reached through, and its SQL."""

    chain: tuple[str, ...]
    field: Field
    sql: str


class Scope:
    """One FROM: its object under an alias of its own, and the parents joined to it."""

    def __init__(
        self, world: World, statement: Statement, entity: SObject, *, alias: str = "t"
    ) -> None:
        self.world, self.statement, self.entity = world, statement, entity
        self._alias = alias
        self.alias = f"{alias}0"
        self._joins: dict[tuple[str, ...], tuple[str, str]] = {
            (): (self.alias, entity.name)
        }
        self.joins = ""

    @classmethod
    def of(cls, world: World, statement: Statement, *, alias: str = "t") -> Scope:
        """The scope of a statement whose FROM names an object."""
        found = world.find(statement.entity)
        if found is None or world.visible(found.name) is None:
            # Observed in a recorded session: 400, not 404, with the position.
            text = _UNSUPPORTED.format(name=statement.entity)
            message = complaint(statement.soql, statement.entity_at, text)
            raise Refusal("INVALID_TYPE", message)
        return cls(world, statement, found, alias=alias)

    @property
    def source(self) -> str:
        """FROM and its joins, as they are so far."""
        return f"{quoted(self.entity.name)} AS {self.alias}{self.joins}"

    def table(self, chain: tuple[str, ...]) -> tuple[str, str]:
        """The alias and the object that a chain of parents ends at."""
        return self._joins[chain]

    def fields(self) -> Mapping[str, Field]:
        return self.world.visible(self.entity.name) or {}

    def find(self, path: Path) -> Found:
        *parents, name = path.parts
        if parents and parents[0].lower() == self.entity.name.lower():
            ways_up = (field.relationship.lower() for field in self.fields().values())
            if parents[0].lower() not in ways_up:
                parents = parents[1:]  # SELECT Account.Name FROM Account
        chain: tuple[str, ...] = ()
        for parent in parents:
            chain = self._join(chain, parent, path)
        alias, entity = self._joins[chain]
        field = (self.world.visible(entity) or {}).get(name.lower())
        if field is None:
            text = _UNKNOWN.format(name=name, entity=entity)
            raise self.refused("INVALID_FIELD", path.at, text)
        return Found(chain, field, column_sql(alias, field))

    def _join(self, chain: tuple[str, ...], parent: str, path: Path) -> tuple[str, ...]:
        alias, entity = self._joins[chain]
        links = (self.world.visible(entity) or {}).values()
        link = next(
            (f for f in links if f.relationship.lower() == parent.lower()), None
        )
        if link is not None and link.relationship in ("Who", "What"):
            raise not_imitated("fields of a record that may be of several objects")
        if link is None or self._visible(link.refers_to[0]) is None:
            text = f"Didn't understand relationship '{parent}' in field path."
            raise self.refused("INVALID_FIELD", path.at, text)
        longer = (*chain, link.relationship)
        if len(longer) > _MAX_PARENTS:
            raise self.refused("MALFORMED_QUERY", path.at, "too many parent levels")
        if longer not in self._joins:
            target = link.refers_to[0]
            joined = f"{self._alias}{len(self._joins)}"
            self._joins[longer] = (joined, target)
            self.joins += (
                f" LEFT JOIN {quoted(target)} AS {joined}"
                f' ON {alias}.{quoted(link.name)} = {joined}."Id"'
            )
        return longer

    def _visible(self, name: str) -> Mapping[str, Field] | None:
        return self.world.visible(name) if self.world.find(name) else None

    def refused(self, code: str, at: int, text: str) -> Refusal:
        return Refusal(code, complaint(self.statement.soql, at, text))


def column_sql(alias: str, field: Field) -> str:
    """The SQL of a field of the table with that alias."""
    if field.type == "address":
        return _address(alias, field.name.removesuffix("Address"))
    sql = f"{alias}.{quoted(field.name)}"
    if field.type != "anyType":
        return sql
    # The old and the new value are held as text, beside their type.
    number = f"to_json(TRY_CAST({sql} AS DOUBLE))"
    kinds = "('Currency', 'Double', 'Percent')"
    return (
        f'CASE WHEN {alias}."DataType" IN {kinds} THEN {number} ELSE to_json({sql}) END'
    )


def _address(alias: str, which: str) -> str:
    """Recorded: a compound field is an object, null where all its parts are."""
    parts = {part: f'{alias}."{which}{part}"' for part in
             ("City", "Country", "PostalCode", "State", "Street")}  # fmt: skip
    known = " IS NOT NULL OR ".join(parts.values())
    return (
        f"CASE WHEN {known} IS NOT NULL THEN {{'city': {parts['City']}, "
        f"'country': {parts['Country']}, 'geocodeAccuracy': NULL, 'latitude': NULL, "
        f"'longitude': NULL, 'postalCode': {parts['PostalCode']}, "
        f"'state': {parts['State']}, 'street': {parts['Street']}}} END"
    )
