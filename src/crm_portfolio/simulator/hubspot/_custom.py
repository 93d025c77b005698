"""Which properties must a portal have beyond the standard ones to hold the data?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.simulator._given import Given
from crm_portfolio.simulator.hubspot._definitions import (
    YES_NO,
    Definitions,
    Option,
    Property,
)
from crm_portfolio.simulator.hubspot._text import texts

__all__ = ["Custom"]

_LONG: Final = 255
_STANDARD: Final = Definitions()


class Custom:
    """Properties found on the way in. ``define`` puts them into fresh definitions."""

    def __init__(self) -> None:
        self._added: list[tuple[str, Property]] = []
        self._widened: list[tuple[str, str, list[str]]] = []

    def define(self, definitions: Definitions) -> None:
        for kind, prop in self._added:
            definitions.add(kind, prop)
        for kind, name, values in self._widened:
            definitions.widen(kind, name, values)

    def widen(self, kind: str, name: str, said: pa.Array) -> None:
        """Let an enumeration allow what the data says, as a customer would."""
        values = pc.unique(said.drop_null()).to_pylist()
        if values:
            self._widened.append((kind, name, sorted(values)))

    def columns(
        self, kind: str, given: Given, used: frozenset[str]
    ) -> dict[str, pa.Array]:
        """The columns without a home, as text, each under a property of its own."""
        found = {}
        for column, array in given.others(used):
            found[column] = self.column(kind, column, array, given.choices(column))
        return found

    def column(
        self, kind: str, name: str, array: pa.Array, choices: tuple[str, ...] = ()
    ) -> pa.Array:
        """One column as text, under the property of its name."""
        stored = texts(array)
        standard = _STANDARD.of(kind).get(name)
        if standard is None:
            title = name.replace("_", " ").capitalize()
            shape = _shape(array, choices)
            self._added.append((kind, _own(name, title, **shape)))
        elif standard.options:
            self.widen(kind, name, stored)
        return stored

    def stage_dates(self, stage_ids: Iterable[str]) -> None:
        """Vendor docs: a deal has a property for when it entered each stage."""
        for stage_id in stage_ids:
            name = f"hs_v2_date_entered_{stage_id}"
            prop = _own(
                name, f"Date entered {stage_id}", type="datetime", field_type="date"
            )
            is_new = all(known.name != name for _, known in self._added)
            if is_new:
                read_only = attrs.evolve(
                    prop,
                    is_read_only=True,
                    is_calculated=True,
                    is_defined_by_hubspot=True,
                    group="dealstages",
                )
                self._added.append(("deals", read_only))


def _own(name: str, label: str, **shape: Any) -> Property:
    return Property(
        name=name,
        label=label,
        group="imported",
        is_defined_by_hubspot=False,
        is_fixed=False,
        **shape,
    )


def _shape(array: pa.Array, choices: tuple[str, ...]) -> Mapping[str, Any]:
    """The type of a custom property that holds the array."""
    kind = array.type
    if choices:
        options = tuple(Option(choice, choice) for choice in choices)
        return {"type": "enumeration", "field_type": "select", "options": options}
    if pa.types.is_boolean(kind):
        return {"type": "bool", "field_type": "booleancheckbox", "options": YES_NO}
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return {"type": "number", "field_type": "number"}
    if pa.types.is_date(kind):
        return {"type": "date", "field_type": "date"}
    if pa.types.is_timestamp(kind):
        return {"type": "datetime", "field_type": "date"}
    longest = pc.max(pc.utf8_length(texts(array))).as_py() or 0
    return {"type": "string", "field_type": "textarea" if longest > _LONG else "text"}
