"""What is wrong with a file, all of it, where, and what was meant?"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar, get_type_hints

import attrs
from cattrs.errors import (
    AttributeValidationNote,
    BaseValidationError,
    ForbiddenExtraKeysError,
    IterableValidationNote,
)

from crm_portfolio._kinds import is_no_list, parts
from crm_portfolio.analysis import TiersSettings
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.settings._lines import Path
from crm_portfolio.settings._secrets import place
from crm_portfolio.settings._structure import CALENDAR, METHODS, own_fields

__all__ = ["Fault", "read_all"]

_Whole = TypeVar("_Whole")
# How cattrs tells that a list is too short or too long.
_OTHER_COUNT: Final = re.compile(r"(?:Not enough|Too many) .* as tuple\[(.*)\]", re.S)


@attrs.frozen
class Fault:
    """One thing that is wrong.

    Attributes:
        path: The keys that lead to it; to its table, where no key is to blame alone.
        said: A sentence with its place in it, and what will do instead.
        beside: What else has a part in it: another setting that it names.
    """

    path: Path
    said: str
    beside: tuple[Path, ...] = ()


def read_all(
    written: Mapping[str, Any],
    read: Callable[[Mapping[str, Any]], _Whole],
    whole: type[_Whole],
) -> tuple[_Whole | None, list[Fault]]:
    """What the file says, or all that is wrong with it.

    A class names its first fault only, so what was found is set aside and the rest read
    again, until nothing is left to find.
    """
    left = copy.deepcopy(dict(written))
    faults = [*_no_lists(left, whole)]
    for fault in faults:
        _set_aside(left, fault.path)
    while True:
        try:
            found = read(left)
        except BaseValidationError as error:
            new = [*_told(error, (), whole, left)]
        else:
            return (None if faults else found), faults
        faults += [fault for fault in dict.fromkeys(new) if fault not in faults]
        paths = [path for fault in new for path in (fault.path, *fault.beside)]
        if sum(_set_aside(left, path) for path in paths) == 0:
            return None, faults


def _set_aside(written: dict[str, Any], path: Path) -> bool:
    """Take it out; whether it was there."""
    inside: Any = written
    for key in path[:-1]:
        inside = inside.get(key) if isinstance(inside, dict) else None
    if not path or not isinstance(inside, dict) or path[-1] not in inside:
        return bool(path) and len(path) > 1 and _set_aside(written, path[:-1])
    del inside[path[-1]]
    return True


def _no_lists(
    written: Mapping[str, Any], layer: type[Any], at: Path = ()
) -> Iterator[Fault]:
    """Texts and tables that stand where a list must."""
    for key, kind in get_type_hints(layer).items():
        value = written.get(key)
        if is_no_list(kind, value):
            here = (*at, key)
            yield Fault(here, f"{place(at, key)}: this must be a list")
        for part in parts(kind):
            is_table = isinstance(value, Mapping) and attrs.has(part)
            if is_table and part not in METHODS.values():
                yield from _no_lists(value, part, (*at, key))  # type: ignore[arg-type]


def _told(
    error: BaseValidationError, at: Path, whole: type[Any], written: Mapping[str, Any]
) -> Iterator[Fault]:
    """Every mistake below an error of cattrs, as a sentence that says where it stands."""
    for inner in error.exceptions:
        here = (*at, *_step(inner))
        here = here[1:] if here[:1] == ("calendar",) else here
        if isinstance(inner, BaseValidationError):
            yield from _told(inner, here, whole, written)
        elif isinstance(inner, ForbiddenExtraKeysError):
            for key in sorted(inner.extra_fields):
                hint = _hint(key, inner.cl, whole)
                said = f"{place(here, key)} is no setting{hint}"
                yield Fault((*here, key), said)
        elif isinstance(inner, SettingsError):  # a class's own words
            first, *others = _named(here, str(inner), written) or [here]
            yield Fault(first, str(inner), tuple(others))
        else:
            said = f"{place(here[:-1], *here[-1:])}: {_in_words(inner)}"
            yield Fault(here, said)


def _named(at: Path, said: str, written: Mapping[str, Any]) -> list[Path]:
    """The keys that a class named, of those that stand in its table of the file."""
    inside: Any = written
    for key in at:
        inside = inside.get(key) if isinstance(inside, Mapping) else None
    keys = inside if isinstance(inside, Mapping) else {}
    if not at:  # the calendar has no table of its own
        keys = {key: keys[key] for key in (*CALENDAR, "currency") if key in keys}
    named = {
        key: met.start()
        for key in keys
        if (met := re.search(rf"\b{re.escape(key)}\b", said))
    }
    return [(*at, key) for key in sorted(named, key=named.__getitem__)]


def _in_words(error: Exception) -> str:
    """What a converter's own error means to the author of a file."""
    if isinstance(error, KeyError):
        return "this is missing"
    said = str(error)
    if met := _OTHER_COUNT.fullmatch(said):
        return f"this must be a list of {met[1].count(',') + 1} values"
    if not isinstance(error, AttributeError | TypeError) or "must" in said:
        return said
    return f"this must be a {'list' if 'has no len' in said else 'table'}"


def _step(error: Exception) -> Iterator[str]:
    """The key under which cattrs met an error, if it stands in its notes."""
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            yield note.name
        elif isinstance(note, IterableValidationNote):
            yield str(note.index)


def _keys(layer: type[Any], whole: type[Any]) -> set[str]:
    """What may stand in the table of the file that fills this class."""
    keys = {field.name for field in own_fields(layer)}
    return (keys | set(CALENDAR)) - {"calendar"} if layer is whole else keys


def _hint(key: str, layer: type[Any], whole: type[Any]) -> str:
    """How to spell an unknown key, or where it has its place."""
    known = _keys(layer, whole)
    if near := did_you_mean(key, known):
        return near
    for name, kind in get_type_hints(whole).items():
        if attrs.has(kind) and key in _keys(kind, whole):
            return f"; it stands in [{name}]"
    for name, method in METHODS.items():
        own = _keys(method, whole)
        if near := did_you_mean(key, own):
            is_own = key in own
            return f"; it is of [tiers] with method = {name!r}" if is_own else near
    if layer is TiersSettings:
        known = known.union(*(_keys(method, whole) for method in METHODS.values()))
    return f"; there are {', '.join(sorted(known))}."
