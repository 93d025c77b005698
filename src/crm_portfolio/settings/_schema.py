"""Which JSON Schema says what may stand in a portfolio.toml?

For editors that help while one types. Days are texts in it: JSON has none. What hangs on
several settings at once is beyond it, and told when the file is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final, Literal, get_args, get_origin

import attrs

from crm_portfolio._kinds import is_list, may_be_none, parts
from crm_portfolio.analysis import TiersSettings
from crm_portfolio.portfolio import Period
from crm_portfolio.settings._keys import Key, first_line, keys_at_the_top, keys_of
from crm_portfolio.settings._orgs import OWN, SyncSettings
from crm_portfolio.settings._settings import LAYERS, Settings
from crm_portfolio.settings._structure import METHODS
from crm_portfolio.settings._wording import plain

__all__ = ["Node", "node_of", "schema", "schema_text"]

Node = dict[str, Any]
_PERIOD: Final[Node] = {
    "description": '"last 12 months", "all", or a first day and the day after the last',
    "anyOf": [
        {"const": "all"},
        {"type": "string", "pattern": "^last (?!0+ )[0-9]{1,3} months?$"},
        {
            "type": "object",
            "properties": {
                "start": {"type": "string", "format": "date"},
                "end": {"type": "string", "format": "date"},
            },
            "required": ["start", "end"],
            "additionalProperties": False,
        },
    ],
}
_TYPES: Final[Mapping[Any, Node]] = {
    Any: {},
    bool: {"type": "boolean"},
    date: {"type": "string", "format": "date"},
    float: {"type": "number"},
    int: {"type": "integer"},
    str: {"type": "string"},
    Period: {"$ref": "#/$defs/period"},
}


def schema_text() -> str:
    """The schema as a file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def schema() -> Node:
    """The whole file: what stands at the top, a table for each layer, and the orgs."""
    tables = {name: _layer(layer) for name, layer in LAYERS.items()}
    top = _properties(keys_at_the_top())
    own = _properties(key for key in keys_of(SyncSettings) if key.name in OWN)
    refers = {name: {"$ref": f"#/$defs/{name}"} for name in tables}
    loose = _unfinished(tables)
    of_org = {n: refers[n] if loose[n] == tables[n] else loose[n] for n in tables}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "portfolio.toml",
        "description": plain(first_line(Settings)),
        "type": "object",
        "properties": {
            **top,
            **refers,
            "orgs": {
                "description": "One table for each org: what holds for it alone.",
                "type": "object",
                "propertyNames": {"pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"},
                "additionalProperties": {
                    "type": "object",
                    "properties": {**top, **of_org, **own},
                    "additionalProperties": False,
                },
            },
        },
        "additionalProperties": False,
        "$defs": {"period": _PERIOD, **tables},
    }


def _layer(layer: type[Any]) -> Node:
    return _tiers() if layer is TiersSettings else _table(layer)


def _table(layer: type[Any], like: Any = None) -> Node:
    keys = keys_of(layer, like)
    needed = [key.name for key in keys_of(layer) if key.default is attrs.NOTHING]
    return {
        "description": plain(first_line(layer)),
        "type": "object",
        "properties": _properties(keys),
        **({"required": needed} if needed else {}),
        "additionalProperties": False,
    }


def _tiers() -> Node:
    """The keys of the chosen method stand beside its name, those of no other."""
    whole = _table(TiersSettings)
    own = {name: _table(method) for name, method in METHODS.items()}
    whole["properties"]["method"] = {
        "description": "; ".join(f'"{n}": {t["description"]}' for n, t in own.items()),
        "enum": sorted(METHODS),
        "default": "slices",
    }
    others: Node = {key: {} for table in own.values() for key in table["properties"]}
    whole["properties"] |= others
    whole["allOf"] = [
        {
            "if": {
                "properties": {"method": {"const": name}},
                **({} if name == "slices" else {"required": ["method"]}),
            },
            "then": {
                "properties": {
                    key: table["properties"].get(key, False) for key in others
                },
                "required": table.get("required", []),
            },
        }
        for name, table in own.items()
    ]
    return whole


def _unfinished(properties: Node) -> Node:
    """The same where some keys may stand elsewhere: in the file's own table."""
    found: Node = {}
    for name, node in properties.items():
        if node.get("type") == "object" and "properties" in node:
            kept = {k: v for k, v in node.items() if k not in ("required", "allOf")}
            found[name] = kept | {"properties": _unfinished(node["properties"])}
        else:
            found[name] = node
    return found


def _properties(keys: Iterable[Key]) -> Node:
    return {key.name: node_of(key) for key in keys}


def node_of(key: Key) -> Node:
    """What may stand under a key, what it means, and what it is by default."""
    described = {"description": plain(key.meaning)} if key.meaning else {}
    default = _json(key.default)
    by_default = {} if default is None else {"default": default}
    options = [_node(part, key.default) for part in parts(key.kind)]
    node = options[0] if len(options) == 1 else {"anyOf": options}
    return {**node, **_limits(key), **described, **by_default}


def _limits(key: Key) -> Node:
    bounds = key.bounds
    least = "exclusiveMinimum" if bounds.is_open_below else "minimum"
    greatest = "exclusiveMaximum" if bounds.is_open_above else "maximum"
    found = {least: bounds.least, greatest: bounds.greatest}
    return {name: _whole(value) for name, value in found.items() if value is not None}


def _whole(value: float) -> float:
    return int(value) if value == int(value) else value


def _node(kind: Any, default: Any = None) -> Node:
    if kind in _TYPES:
        return dict(_TYPES[kind])
    if get_origin(kind) is Literal:
        return {"enum": list(get_args(kind))}
    if is_list(kind):
        return _list(kind)
    if attrs.has(kind):
        return _table(kind, default if isinstance(default, kind) else None)
    (_, value) = get_args(kind)  # a table whose keys are the user's own
    inside = [_node(part) for part in parts(value)]
    assert not may_be_none(value)
    return {"type": "object", "additionalProperties": inside[0]}


def _list(kind: Any) -> Node:
    items = get_args(kind)
    if len(items) == 1 or items[1] is Ellipsis:
        return {"type": "array", "items": _node(items[0])}
    return {
        "type": "array",
        "prefixItems": [_node(item) for item in items],
        "minItems": len(items),
        "items": False,
    }


def _json(value: Any) -> Any:
    """A default as JSON has it; None for what has no form there, or is nothing."""
    if isinstance(value, Period):
        return "all" if value == Period.all() else f"last {value.months} months"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_json(each) for each in value]
    is_plain = isinstance(value, bool | int | float | str)
    return value if is_plain or (isinstance(value, Mapping) and not value) else None
