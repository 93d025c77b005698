"""How is a setting written in TOML?"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import attrs

from crm_portfolio.portfolio import Period

__all__ = ["key", "value"]

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def value(thing: Any) -> str:  # noqa: PLR0911 - one kind of value each
    """A value as a file has it; an object as an inline table of what is not None."""
    match thing:
        case bool():
            return "true" if thing else "false"
        case str():
            return json.dumps(thing, ensure_ascii=False).replace("\x7f", "\\u007f")
        case int() | float():
            return repr(thing)
        case date():
            return thing.isoformat()
        case Period():
            return _period(thing)
        case Mapping():
            return _inline(thing)
        case tuple() | list():
            return f"[{', '.join(map(value, thing))}]"
        case _ if attrs.has(type(thing)):
            said = attrs.asdict(thing, recurse=False)
            return _inline({k: v for k, v in said.items() if v is not None})
    raise TypeError(f"{type(thing).__name__} has no form in TOML")


def key(name: str) -> str:
    """A key, in quotes where it needs them."""
    return name if _BARE.fullmatch(name) else value(name)


def _inline(table: Mapping[str, Any]) -> str:
    inside = ", ".join(f"{key(name)} = {value(each)}" for name, each in table.items())
    return f"{{ {inside} }}" if inside else "{}"


def _period(period: Period) -> str:
    if period == Period.all():
        return '"all"'
    if period.months is not None:
        return f'"last {period.months} month{"" if period.months == 1 else "s"}"'
    return f"{{ start = {period.start}, end = {period.end} }}"
