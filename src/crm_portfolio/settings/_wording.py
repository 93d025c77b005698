"""How are the words of a docstring said in a file, and what does a schema allow?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["allowed", "marked", "plain"]

_UNITS: Final = ("days", "hours", "minutes", "seconds", "months", "years", "quarters")
_NAMES: Final[Mapping[str, str]] = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "object": "a table",
    "string": "a text",
}


def marked(meaning: str) -> str:
    """The meaning in Markdown; who leaves a key out says None without a word of Python."""
    said = meaning.replace("``", "`")
    said = re.sub(r"(^|[.;] )None:", r"\1without it:", said)
    return re.sub(r"(?:^|\. )[a-z]", lambda met: met[0].upper(), said)


def plain(meaning: str) -> str:
    """The meaning without marks."""
    return re.sub(r"`([^`]*)`", r"\1", marked(meaning))


def allowed(name: str, node: Mapping[str, Any]) -> str:
    """What may stand there, in words; the unit is in the key's name."""
    if "anyOf" in node:
        return ", or ".join(allowed(name, option) for option in node["anyOf"])
    if "enum" in node:
        return _words(node["enum"])
    kind = node.get("type", "")
    if kind == "array":
        return f"a list of {_several(node)}"
    if kind in ("integer", "number"):
        return _number(name, node)
    is_day = node.get("format") == "date"
    is_period = "$ref" in node  # the only one
    said = 'such as "last 12 months", or "all"' if is_period else _NAMES.get(kind, "")
    return "a day such as 2026-06-30" if is_day else said


def _words(words: list[Any]) -> str:
    said = [f'"{word}"' if isinstance(word, str) else str(word) for word in words]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} or {said[-1]}"


def _several(node: Mapping[str, Any]) -> str:
    each = node["items"] or node["prefixItems"][0]
    many = f"{len(node['prefixItems'])} " if "prefixItems" in node else ""
    if "enum" in each:
        return _words(each["enum"])
    if each.get("format") == "date":
        return f"{many}days"
    named = {"integer": "whole numbers", "number": "numbers", "object": "tables"}
    return many + named.get(each.get("type", ""), "texts")


def _number(name: str, node: Mapping[str, Any]) -> str:
    unit = next((unit for unit in _UNITS if unit in name.split("_")), "")
    kind = "a share" if name.endswith("share") else _NAMES[node["type"]]
    said = f"{kind} of {unit}" if unit and kind != "a share" else kind
    least, above = node.get("minimum"), node.get("exclusiveMinimum")
    greatest, under = node.get("maximum"), node.get("exclusiveMaximum")
    if least is not None and greatest is not None:
        return f"{said} from {_said(least)} to {_said(greatest)}"
    ends = [
        *([f"from {_said(least)} on"] if least is not None else []),
        *([f"above {_said(above)}"] if above is not None else []),
        *([f"up to {_said(greatest)}"] if greatest is not None else []),
        *([f"below {_said(under)}"] if under is not None else []),
    ]
    return " ".join([said, " and ".join(ends)]).strip()


def _said(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"
