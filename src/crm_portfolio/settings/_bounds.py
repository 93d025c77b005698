"""Between which numbers does a class take a setting? It is asked, not read."""

from __future__ import annotations

import contextlib
import math
import re
import struct
from collections.abc import Callable
from typing import Any, Final, get_type_hints

import attrs

from crm_portfolio._kinds import parts
from crm_portfolio.errors import SettingsError

__all__ = ["Bounds", "bounds_of"]

_LONGEST: Final = 1e15
_TRIED: Final = (1, 0, 0.5, 2, 10, 100, 1_000, 10_000)


@attrs.frozen
class Bounds:
    """The least and the greatest number that is taken; None: there is no end.

    Attributes:
        is_open_below: The least itself is not taken.
        is_open_above: The greatest itself is not taken.
    """

    least: float | None = None
    greatest: float | None = None
    is_open_below: bool = False
    is_open_above: bool = False


_KNOWN: Final[dict[tuple[type[Any], str], Bounds]] = {}


def bounds_of(layer: type[Any], name: str) -> Bounds:
    """Those of a number; what hangs on other settings too is left out."""
    if (layer, name) not in _KNOWN:
        _KNOWN[layer, name] = _found(layer, getattr(attrs.fields(layer), name))
    return _KNOWN[layer, name]


def _found(layer: type[Any], field: attrs.Attribute[Any]) -> Bounds:
    (number, *more) = parts(get_type_hints(layer)[field.name])
    if more or number not in (int, float):
        return Bounds()
    takes = _asked(layer, field)
    start = next((n for n in (field.default, *_TRIED) if _may(takes, n, number)), None)
    if start is None:
        return Bounds()
    if number is int:
        low, high = int(-_LONGEST), int(_LONGEST)
        below = None if takes(low) else _edge(takes, low, int(start), int)
        above = None if takes(high) else _edge(takes, high, int(start), int)
        return Bounds(below, above)
    below = None if takes(-_LONGEST) else _edge(takes, -_LONGEST, float(start), float)
    above = None if takes(_LONGEST) else _edge(takes, _LONGEST, float(start), float)
    least, is_open_below = _named(below, -math.inf)
    greatest, is_open_above = _named(above, math.inf)
    return Bounds(least, greatest, is_open_below, is_open_above)


def _may(takes: Callable[[Any], bool], value: Any, number: type[Any]) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and (number is float or value == int(value)) and takes(value)


def _asked(layer: type[Any], field: attrs.Attribute[Any]) -> Callable[[Any], bool]:
    """Whether the class takes a value, whatever its other settings are."""
    bare = object.__new__(layer)
    made = None
    with contextlib.suppress(SettingsError, TypeError):
        made = layer()
    others = {other.name for other in attrs.fields(layer)} - {field.name}

    def takes(value: Any) -> bool:
        try:
            if field.validator is not None:
                field.validator(bare, field, value)
            if made is not None and hasattr(layer, "__attrs_post_init__"):
                attrs.evolve(made, **{field.name: value})
        except AttributeError:  # it looks at another setting
            return True
        except SettingsError as error:
            return any(re.search(rf"\b{name}\b", str(error)) for name in others)
        except ValueError:
            return False
        return True

    return takes


def _edge(
    takes: Callable[[Any], bool], refused: Any, taken: Any, number: type[Any]
) -> Any:
    """The last number that is taken on the way to one that is refused."""
    to, back = (int, int) if number is int else (_place, _at)
    low, high = to(refused), to(taken)
    while abs(high - low) > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if takes(back(middle)) else (middle, high)
    return back(high)


def _named(taken: float | None, outward: float) -> tuple[float | None, bool]:
    """The bound as a person would write it: the last taken, or the first refused."""
    if taken is None:
        return None, False
    refused = math.nextafter(taken, outward)
    is_open = len(repr(refused)) < len(repr(taken))
    return (refused + 0.0 if is_open else taken + 0.0), is_open


def _place(number: float) -> int:
    """Its place among all floats, so that halves of a span are found exactly."""
    (bits,) = struct.unpack("<q", struct.pack("<d", number + 0.0))
    return int(bits) if bits >= 0 else -(int(bits) + (1 << 63))


def _at(place: int) -> float:
    bits = place if place >= 0 else -place - (1 << 63)
    (number,) = struct.unpack("<d", struct.pack("<q", bits))
    return float(number)
