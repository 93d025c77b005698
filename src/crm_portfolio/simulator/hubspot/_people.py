"""What do other people do in the portal meanwhile?

They see every property and need no token: users at their desks and administrators, and
HubSpot itself, which calculates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.simulator.hubspot._definitions import Property
from crm_portfolio.simulator.hubspot._portal import Portal, Values
from crm_portfolio.simulator.hubspot._refusal import Refusal
from crm_portfolio.simulator.hubspot._rules import Rule
from crm_portfolio.simulator.hubspot._values import checked

__all__ = ["People"]


class People:
    """Everyone but the app."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def kind(self, name: str) -> str:
        """The kind that a person means by any of its names."""
        found = self._portal.kind(name)
        if found is None:
            known = list(self._portal.kinds)
            raise SettingsError(
                f"there is no object {name!r}{did_you_mean(name, known)}"
            )
        return found.name

    def record(self, name: str, record_id: str) -> dict[str, Any]:
        """A record, whatever became of it."""
        kind, number = self.kind(name), int(record_id) if record_id.isdecimal() else -1
        found = self._portal.records(kind, [number])
        if not found:
            raise SettingsError(f"there is no record {record_id} in {kind}")
        return found[number]

    def edit(self, name: str, record_id: str, values: Mapping[str, Any]) -> None:
        kind, before = self.kind(name), self.record(name, record_id)
        try:
            texts = checked(self._portal, kind, values, before=before)
        except Refusal as refusal:
            raise SettingsError(refusal.message) from refusal
        self._portal.write(kind, {before["$id"]: texts}, source="CRM_UI")

    def calculate(self, name: str, record_id: str, values: Values) -> None:
        kind = self.kind(name)
        for field in values:
            self._property(kind, field)
        number = self._id(name, record_id)
        self._portal.write(kind, {number: values}, source="CALCULATED")

    def delete(self, name: str, record_id: str) -> None:
        self._portal.archive(self.kind(name), [self._id(name, record_id)])

    def purge(self, name: str, record_id: str) -> None:
        self._portal.purge(self.kind(name), self._id(name, record_id))

    def merge(self, name: str, winner: str, losers: tuple[str, ...]) -> None:
        for loser in losers:
            ids = self._id(name, winner), self._id(name, loser)
            self._portal.merge(self.kind(name), *ids)

    def link(
        self, name: str, record_id: str, other: str, other_id: str, label: str | None
    ) -> None:
        one, two = self.kind(name), self.kind(other)
        types = {each.label: each for each in self._portal.links.types(one, two)}
        if label not in types:
            raise SettingsError(
                f"{one} and {two} have no label {label!r}"
                f"{did_you_mean(str(label), map(str, types))}"
            )
        ids = self._id(name, record_id), self._id(other, other_id)
        self._portal.associate(one, ids[0], two, ids[1], types[label])

    def unlink(self, name: str, record_id: str, other: str, other_id: str) -> None:
        one, two = self.kind(name), self.kind(other)
        ids = self._id(name, record_id), self._id(other, other_id)
        self._portal.dissociate(one, ids[0], two, ids[1])

    def hide_field(self, name: str, field: str) -> None:
        kind = self.kind(name)
        self._property(kind, field)
        self._portal.hide(kind, field)

    def change_field(self, name: str, field: str, changes: Mapping[str, Any]) -> None:
        kind = self.kind(name)
        try:
            anew = attrs.evolve(self._property(kind, field), **changes)
        except TypeError as error:
            raise SettingsError(f"a property has no such part: {error}") from error
        self._portal.add_property(kind, anew)

    def require(self, name: str, field: str, when: str, says: str) -> None:
        kind = self.kind(name)
        for each in filter(None, (field, when)):
            self._property(kind, each)
        self._portal.rules.add(Rule(kind, field, when, says))

    def _id(self, name: str, record_id: str) -> int:
        return int(self.record(name, record_id)["$id"])

    def _property(self, kind: str, field: str) -> Property:
        known = self._portal.definitions.of(kind)
        if field not in known:
            raise SettingsError(
                f"{kind} has no property {field!r}{did_you_mean(field, known)}"
            )
        return known[field]
