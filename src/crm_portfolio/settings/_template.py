"""How does a first portfolio.toml look: every setting, commented, and what was seen?"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, get_args, get_origin

import attrs

from crm_portfolio._inert import inert
from crm_portfolio._kinds import parts
from crm_portfolio.errors import SettingsError
from crm_portfolio.settings import _toml
from crm_portfolio.settings._keys import Key, first_line, keys_at_the_top, keys_of
from crm_portfolio.settings._schema import node_of
from crm_portfolio.settings._settings import LAYERS
from crm_portfolio.settings._structure import METHODS
from crm_portfolio.settings._wording import allowed, plain

__all__ = ["Seen", "template"]

_WIDE: Final = 88
_HEAD: Final = (
    "Settings of crm-portfolio. A line such as #key = value is a default: take the # away "
    "to change it. A key without a value has none until you give it one. No secret stands "
    "in this file: log-ins are in the environment."
)
_THEN: Final = "Then: crm-portfolio settings check portfolio.toml"
_EXAMPLES: Final[Mapping[str, str]] = {"service": "A", "unit_times": "call"}


@attrs.frozen
class Seen:
    """What a CRM or a folder shows of itself.

    Attributes:
        what: Such as ``the folder book``; empty: nothing was looked at.
        values: What is so: filled in, by the way to the key.
        notes: What to know, by the way to the table; the empty way is the whole file's.
        proposals: What may be meant, by the way to the key: written, but commented out.
    """

    what: str = ""
    values: Mapping[tuple[str, ...], Any] = attrs.field(factory=dict)
    notes: Mapping[tuple[str, ...], tuple[str, ...]] = attrs.field(factory=dict)
    proposals: Mapping[tuple[str, ...], tuple[Any, str]] = attrs.field(factory=dict)


NOTHING: Final = Seen()


def template(seen: Seen = NOTHING, *, schema: str = "") -> str:
    """The text of the file.

    Args:
        schema: Where editors find the JSON Schema, from the file's folder; empty: nowhere.
    """
    lines = [f"#:schema {schema}"] if schema else []
    for paragraph in (_HEAD, _THEN):
        lines += _comment(paragraph)
    if seen.what:
        lines += _comment(f"Seen in {seen.what}: what is not commented out.")
    lines += _notes((), seen)
    for key in keys_at_the_top():
        lines += _setting((key.name,), key, seen)
    for name, layer in LAYERS.items():
        lines += _table((name,), layer, seen)
    return "\n".join(lines) + "\n"


def _table(
    at: tuple[str, ...],
    layer: type[Any],
    seen: Seen,
    *,
    like: Any = None,
    is_absent: bool = False,
) -> Iterator[str]:
    """A header, what the table is for, its keys, then the tables in it."""
    mark = "#" if is_absent else ""
    yield ""
    yield f"{mark}[{'.'.join(map(_toml.key, at))}]"
    yield from _comment(plain(first_line(layer)))
    yield from _notes(at, seen)
    inside = []
    for key in keys_of(layer, like):
        if _is_table(key.kind):
            inside.append(key)
        elif key.name == "method":
            yield from _methods(at, key, seen)
        else:
            yield from _setting((*at, key.name), key, seen)
    for key in inside:
        yield from _table_in((*at, key.name), key, seen, is_absent=is_absent)


def _table_in(
    at: tuple[str, ...], key: Key, seen: Seen, *, is_absent: bool
) -> Iterator[str]:
    """A table of one kind, a table for each name, or one for each table of a CRM."""
    (kind,) = parts(key.kind)
    if attrs.has(kind):
        is_optional = key.default is None or key.default != _made(kind)
        yield from _table(
            at, kind, seen, like=key.default, is_absent=is_absent or is_optional
        )
        return
    (_, inner) = get_args(kind)
    if attrs.has(inner):
        example = (*at, _EXAMPLES.get(at[-1], "NAME"))
        yield from ("", *_comment(_told(key)))
        yield from _table(example, inner, seen, is_absent=True)
        return
    yield from ("", *_comment(f"[{'.'.join((*at, 'TABLE'))}] {_told(key)}"))
    for table in dict.fromkeys(path[:-1] for path in seen.proposals):
        if table[:-1] == at:
            yield f"#[{'.'.join(map(_toml.key, table))}]"
            yield from _notes(table, seen)
            for path, (value, why) in seen.proposals.items():
                if path[:-1] == table:
                    yield f"#{_toml.key(path[-1])} = {_toml.value(value)}{_why(why)}"


def _made(kind: type[Any]) -> Any:
    """The class's own defaults; None where something must be said."""
    if any(key.default is attrs.NOTHING for key in keys_of(kind)):
        return None
    try:
        return kind()
    except SettingsError:
        return None


def _is_table(kind: Any) -> bool:
    """Whether it has lines of its own rather than one."""
    found = parts(kind)
    if len(found) != 1 or found[0].__name__ == "Period":
        return False
    if attrs.has(found[0]):
        return True
    inner = get_args(found[0])[1:] if get_origin(found[0]) is not tuple else ()
    return bool(inner) and (attrs.has(inner[0]) or get_origin(inner[0]) is Mapping)


def _methods(at: tuple[str, ...], key: Key, seen: Seen) -> Iterator[str]:
    """The rule of the tiers: its name, and beside it its own settings."""
    chosen = seen.values.get((*at, key.name), "slices")
    yield from _comment(
        "The rule of the tiers; its own settings stand beside its name:"
    )
    for name, method in METHODS.items():
        own = ", ".join(f"{each.name} ({_allowed(each)})" for each in keys_of(method))
        yield from _comment(f'"{name}": {plain(first_line(method))} It has {own}.')
    named = attrs.evolve(key, default="slices", kind=str)
    yield _line((*at, key.name), named, seen)
    for each in keys_of(METHODS[chosen]):
        yield from _setting((*at, each.name), each, seen)


def _setting(at: tuple[str, ...], key: Key, seen: Seen) -> Iterator[str]:
    yield from _comment(_told(key))
    yield _line(at, key, seen)


def _line(at: tuple[str, ...], key: Key, seen: Seen) -> str:
    name = _toml.key(key.name)
    if at in seen.values:
        return f"{name} = {_toml.value(seen.values[at])}"
    if at in seen.proposals:
        value, why = seen.proposals[at]
        return f"#{name} = {_toml.value(value)}{_why(why)}"
    if key.default is None or key.default is attrs.NOTHING:
        return f"#{name} ="
    return f"#{name} = {_toml.value(key.default)}"


def _told(key: Key) -> str:
    said = plain(key.meaning)
    end = "" if said[-1:] in (".", '"', "") else "."
    return f"{said}{end} ({_allowed(key)})".strip()


def _allowed(key: Key) -> str:
    return allowed(key.name, node_of(key))


def _notes(at: tuple[str, ...], seen: Seen) -> Iterator[str]:
    for note in seen.notes.get(at, ()):
        yield from _comment(note)


def _why(why: str) -> str:
    return f"  # {_harmless(why)}" if why else ""


def _comment(text: str) -> Iterable[str]:
    """A paragraph as comments; what a CRM says cannot break out of them."""
    return textwrap.wrap(
        _harmless(text),
        _WIDE,
        initial_indent="# ",
        subsequent_indent="# ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _harmless(text: str) -> str:
    return " ".join(inert(text).split())
