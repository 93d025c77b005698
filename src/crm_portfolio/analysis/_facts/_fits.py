"""Does a setting hold one of the words it may, and a list where it asks for one?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

import attrs

from crm_portfolio.errors import SettingsError

__all__ = ["fits"]


def fits(table: str) -> Callable[[type, list[Any]], list[Any]]:
    """A `field_transformer` for the settings of this table of the file.

    The text "ABC" is a sequence too: taken letter by letter it would name three accounts.
    """

    def validated(own: Any, field: attrs.Attribute[Any], value: object) -> None:
        kind = _kinds(type(own))[field.name]
        is_list = tuple in (get_origin(kind), *map(get_origin, get_args(kind)))
        if is_list and isinstance(value, str):
            raise SettingsError(f"{table}.{field.name} is a list, not {value!r}")
        choices = _choices(kind)
        if choices and value not in choices:
            spelled = " or ".join(repr(each) for each in choices if each is not None)
            raise SettingsError(f"{table}.{field.name} is {spelled}, not {value!r}")

    def transformed(_: type, fields: list[Any]) -> list[Any]:
        return [
            field.evolve(
                validator=attrs.validators.and_(
                    validated, *filter(None, [field.validator])
                )
            )
            for field in fields
        ]

    return transformed


_KNOWN: Final[dict[type[Any], dict[str, Any]]] = {}


def _kinds(settings: type[Any]) -> dict[str, Any]:
    if settings not in _KNOWN:
        _KNOWN[settings] = get_type_hints(settings)
    return _KNOWN[settings]


def _choices(kind: Any) -> tuple[Any, ...]:
    """The words of a Literal, and None where that may be left out; none of other types."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    parts = get_args(kind)
    words = [part for part in parts if get_origin(part) is Literal]
    if len(words) == 1 and set(parts) == {words[0], type(None)}:
        return (*get_args(words[0]), None)
    return ()
