"""What may stand in each table: which key, of which kind, meaning what, by default what?

Meanings are those of the classes' docstrings, and bounds are found by asking the
classes' own validators: nothing of either is written a second time.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any, Final, get_type_hints

import attrs

from crm_portfolio.portfolio import Calendar
from crm_portfolio.settings._bounds import Bounds, bounds_of
from crm_portfolio.settings._settings import LAYERS, Settings
from crm_portfolio.settings._structure import own_fields

__all__ = ["Key", "first_line", "keys_at_the_top", "keys_of", "meanings_of"]

_ENTRY: Final = re.compile(r"    (\w+(?:, \w+)*): (.+)")


@attrs.frozen
class Key:
    """One setting.

    Attributes:
        default: ``attrs.NOTHING`` where it must be said.
        meaning: Of the docstring of its class, with its marks.
    """

    name: str
    kind: Any
    default: Any
    meaning: str
    layer: type[Any] = attrs.field(repr=False)

    @property
    def bounds(self) -> Bounds:
        """Between which numbers it lies."""
        return bounds_of(self.layer, self.name)


def keys_of(layer: type[Any], like: Any = None) -> tuple[Key, ...]:
    """The settings of a class, in its order.

    Args:
        like: An object whose values are the defaults; None: those of the class.
    """
    kinds, meanings = get_type_hints(layer), meanings_of(layer)
    return tuple(
        Key(
            field.name,
            kinds[field.name],
            _default(field) if like is None else getattr(like, field.name),
            meanings.get(field.name, ""),
            layer,
        )
        for field in own_fields(layer)
    )


def keys_at_the_top() -> tuple[Key, ...]:
    """What stands above all tables: the calendar's keys have no table of their own."""
    found: list[Key] = []
    for key in keys_of(Settings):
        if key.name == "calendar":  # without either, the org tells both
            for own in keys_of(Calendar):
                said = f"{own.meaning} {key.meaning}"
                found.append(attrs.evolve(own, default=None, meaning=said))
        elif key.name not in LAYERS:
            found.append(key)
    return tuple(found)


def meanings_of(layer: type[Any]) -> Mapping[str, str]:
    """What the docstring says of each field."""
    found: dict[str, str] = {}
    for each in reversed(layer.__mro__):
        found.update(_told(inspect.cleandoc(each.__doc__ or "")))
    return found


def _told(docstring: str) -> Mapping[str, str]:
    _, _, told = docstring.partition("\nAttributes:\n")
    found: dict[str, str] = {}
    names: list[str] = []
    for line in told.splitlines():
        if entry := _ENTRY.fullmatch(line):
            names = entry[1].split(", ")
            found.update(dict.fromkeys(names, entry[2]))
        elif line.startswith("        "):
            found.update({name: f"{found[name]} {line.strip()}" for name in names})
        elif line.strip():
            break
    return found


def first_line(layer: type[Any]) -> str:
    """What the class is, in a line."""
    return (inspect.getdoc(layer) or "").partition("\n")[0]


def _default(field: attrs.Attribute[Any]) -> Any:
    made: Any = field.default
    return made.factory() if isinstance(made, attrs.Factory) else made  # type: ignore[arg-type]
