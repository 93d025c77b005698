"""What do other people do in the org meanwhile?

They see every field and need no session: users at their desks and administrators.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.simulator._store import StoredValue
from crm_portfolio.simulator.salesforce import _lifecycle, _write
from crm_portfolio.simulator.salesforce._ids import to_18
from crm_portfolio.simulator.salesforce._metadata import Field, SObject
from crm_portfolio.simulator.salesforce._org import Org
from crm_portfolio.simulator.salesforce._refusal import Refusal

__all__ = ["People"]


class People:
    """Everyone but the user of the integration."""

    def __init__(self, org: Org, someone_id: str) -> None:
        self._org = org
        others = org.store.records("User", '"Id" <> ?', [org.user_id])
        self._by = str(others[0]["Id"]) if others else someone_id

    def entity(self, name: str) -> SObject:
        found = self._org.catalogue.find(name)
        if found is None:
            known = [entity.name for entity in self._org.catalogue.all()]
            raise SettingsError(
                f"there is no object {name!r}{did_you_mean(name, known)}"
            )
        return found

    def record(self, name: str, record_id: str) -> dict[str, StoredValue]:
        full = to_18(record_id) or record_id
        found = self._org.store.records(self.entity(name).name, '"Id" = ?', [full])
        if not found:
            raise SettingsError(f"there is no {name} {record_id}")
        return found[0]

    def edit(self, name: str, record_id: str, values: Mapping[str, Any]) -> None:
        row = _write.Row(self.entity(name), record_id, values)
        (result,) = _write.update(self._org, [row], by=self._by)
        if isinstance(result, Refusal):
            raise SettingsError(f"{result.code}: {result.message}")

    def delete(self, name: str, record_id: str) -> None:
        found = str(self.record(name, record_id)["Id"])
        _lifecycle.delete(self._org, self.entity(name), found, by=self._by)

    def undelete(self, name: str, record_id: str) -> None:
        found = str(self.record(name, record_id)["Id"])
        _lifecycle.undelete(self._org, self.entity(name), found, by=self._by)

    def hard_delete(self, name: str, record_id: str) -> None:
        found = str(self.record(name, record_id)["Id"])
        _lifecycle.hard_delete(self._org, self.entity(name), found, by=self._by)

    def merge(self, name: str, winner: str, losers: Sequence[str]) -> None:
        kept, *gone = (str(self.record(name, one)["Id"]) for one in (winner, *losers))
        _lifecycle.merge(self._org, self.entity(name), kept, gone, by=self._by)

    def stamp(self, name: str, record_ids: Sequence[str] | None) -> int:
        return _lifecycle.stamp(self._org, self.entity(name), record_ids, by=self._by)

    def archive(self, name: str, record_ids: Sequence[str]) -> None:
        _lifecycle.archive(self._org, self.entity(name), record_ids)

    def recalculate(
        self, name: str, record_id: str, values: Mapping[str, StoredValue]
    ) -> None:
        """A formula or a roll-up has another value: the stamps do not move."""
        found = str(self.record(name, record_id)["Id"])
        moved: dict[str, StoredValue] = {}
        if self._org.assumptions.derived_moves_stamp:
            self._org.clock.advance()
            moved = {"SystemModstamp": self._org.clock.stored}
        self._org.store.update(
            self.entity(name).name, [{"Id": found, **values, **moved}]
        )

    def hide_field(self, name: str, field: str) -> None:
        entity = self.entity(name)
        known = _named(entity, field)
        hidden = attrs.evolve(known, needs_grant=True)
        self._org.hide_field(entity, known, hidden)

    def change_field(self, name: str, field: str, changes: Mapping[str, Any]) -> None:
        entity = self.entity(name)
        changed = attrs.evolve(_named(entity, field), **changes)
        self._org.catalogue.add(entity.name, changed)
        self._org.access.look_again()


def _named(entity: SObject, name: str) -> Field:
    if name not in entity.fields:
        raise SettingsError(
            f"{entity.name} has no field {name!r}{did_you_mean(name, entity.fields)}"
        )
    return entity.fields[name]
