"""Does a setting hold one of the words it may, and a list where it asks for one?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, get_type_hints

import attrs

from crm_portfolio._kinds import choices, is_no_list, may_be_none
from crm_portfolio.errors import SettingsError

__all__ = ["fits"]


def fits(table: str) -> Callable[[type, list[Any]], list[Any]]:
    """A `field_transformer` for the settings of this table of the file."""

    def validated(own: Any, field: attrs.Attribute[Any], value: object) -> None:
        kind = _kinds(type(own))[field.name]
        if is_no_list(kind, value):
            raise SettingsError(f"{table}.{field.name} is a list, not {value!r}")
        words = choices(kind)
        is_unsaid = value is None and may_be_none(kind)
        if words and value not in words and not is_unsaid:
            spelled = " or ".join(map(repr, words))
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
