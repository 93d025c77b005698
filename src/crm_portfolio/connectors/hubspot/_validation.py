"""Would HubSpot take this value, by what it says of the property itself?

One bad value makes HubSpot refuse a whole batch and name no record, so every value is
judged here before it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final, TypeAlias

import attrs

from crm_portfolio.connectors.hubspot import _paths
from crm_portfolio.connectors.hubspot._client import Client
from crm_portfolio.connectors.hubspot._fields import OUR_PROPERTIES
from crm_portfolio.connectors.hubspot._refusals import unreadable
from crm_portfolio.protocols import Change, Outcome, Value

__all__ = ["Definition", "Definitions", "described", "judged", "wire"]

_TEXT_MAX: Final = 65_536
_TYPES: Final[Mapping[type, frozenset[str]]] = {
    bool: frozenset({"bool", "enumeration", "string"}),
    int: frozenset({"number", "string"}),
    float: frozenset({"number", "string"}),
    date: frozenset({"date", "string"}),
    str: frozenset({"string", "enumeration", "phone_number"}),
}


@attrs.frozen
class Definition:
    """What the portal says of one property.

    Attributes:
        options: None where any value goes.
        label: What people read.
        is_custom: The portal made it.
    """

    name: str
    type: str
    is_read_only: bool
    options: frozenset[str] | None
    label: str = ""
    is_custom: bool = False


Definitions: TypeAlias = Mapping[str, Definition]


def described(client: Client, kind: str) -> Definitions:
    """What the portal says of its properties, by name; one call."""
    where = f"reading the properties of {kind}"
    answer = client.get(_paths.properties(kind), where=where, needs=_paths.schema(kind))
    results = answer.body.get("results") if isinstance(answer.body, dict) else None
    if not isinstance(results, list):
        raise unreadable(where)
    return {str(entry["name"]): _definition(entry) for entry in results}


def _definition(entry: Mapping[str, Any]) -> Definition:
    kind = str(entry.get("type", ""))
    options = None
    # An external list of options (owners) is empty here and says nothing.
    if kind == "enumeration" and not entry.get("externalOptions"):
        options = frozenset(str(o.get("value")) for o in entry.get("options") or ())
    rights = entry.get("modificationMetadata") or {}
    locked = bool(rights.get("readOnlyValue")) or bool(entry.get("calculated"))
    label, is_custom = str(entry.get("label") or ""), not entry.get("hubspotDefined")
    return Definition(str(entry["name"]), kind, locked, options, label, is_custom)


def judged(change: Change, known: Definitions) -> Outcome | None:
    """The outcome of a change that HubSpot would refuse; None if it would take it."""
    name = OUR_PROPERTIES[change.table][change.column]
    definition = known.get(name)
    problem: tuple[str, str] | None
    if definition is None:
        problem = "PROPERTY_DOESNT_EXIST", f"there is no property {name}"
    elif definition.is_read_only:
        problem = "READ_ONLY_VALUE", f"{name} cannot be written"
    else:
        problem = _misfit(definition, change.after)
    return Outcome(change, "rejected", *problem, field=name) if problem else None


def _misfit(definition: Definition, value: Value) -> tuple[str, str] | None:
    if value is None:
        return None
    name, text = definition.name, wire(value)
    allowed = next(types for kind, types in _TYPES.items() if isinstance(value, kind))
    if definition.type not in allowed:
        told = f"{name} has type {definition.type}, which does not hold this value"
        return "INVALID_TYPE", told
    if definition.options is not None and text not in definition.options:
        return "INVALID_OPTION", f"the value is not one of the options of {name}"
    if len(text) > _TEXT_MAX:
        return "TOO_LONG", f"the text is too long for {name}"
    return None


def wire(value: Value) -> str:
    """The value as HubSpot takes it: all are text, and empty text clears."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return _plain(value)
        case date():
            return value.isoformat()[:10]
        case _:
            return str(value)


def _plain(number: float) -> str:
    """Decimal without exponent, as short as it can be said."""
    text = repr(number)
    if "e" in text or "E" in text:
        text = f"{number:.15f}".rstrip("0").rstrip(".")
    return text.removesuffix(".0")
