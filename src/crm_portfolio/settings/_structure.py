"""How does what a file says become the settings classes of the layers?"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final, Literal, get_args, get_origin

import attrs
import cattrs
from cattrs.errors import BaseValidationError, ClassValidationError
from cattrs.gen import make_dict_structure_fn, override

from crm_portfolio import analysis
from crm_portfolio._kinds import is_list, parts
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Calendar, Period

__all__ = [
    "CALENDAR",
    "METHODS",
    "by_layer",
    "converter",
    "own_fields",
    "without",
]

METHODS: Final[Mapping[str, type[Any]]] = {
    "abc": analysis.Abc,
    "bands": analysis.Bands,
    "natural_breaks": analysis.NaturalBreaks,
    "quantiles": analysis.Quantiles,
    "slices": analysis.Slices,
}
CALENDAR: Final = tuple(field.name for field in attrs.fields(Calendar))
_KINDS: Final[Mapping[type[Any], str]] = {
    bool: "true or false",
    date: "a day such as 2026-06-30",
    float: "a number",
    int: "a whole number",
    list: "a list",
    str: "a text in quotes",
}
_LAST_MONTHS = re.compile(r"last ([0-9]{1,3}) months?")
# There is one rule for tiers, in [tiers].
_NOT_WRITTEN: Final[Mapping[type[Any], frozenset[str]]] = {
    analysis.SuccessionSettings: frozenset({"method"})
}


def own_fields(layer: type[Any]) -> tuple[attrs.Attribute[Any], ...]:
    """The fields of a class that a file may fill."""
    out = _NOT_WRITTEN.get(layer, frozenset())
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(layer)
    return tuple(f for f in fields if f.name not in out and f.name[0] != "_")


def by_layer(written: Mapping[str, Any], with_period: frozenset[str]) -> dict[str, Any]:
    """The file's shape turned into that of the classes: calendar and period spread out."""
    layers = {key: value for key, value in written.items() if key not in CALENDAR}
    calendar = {key: written[key] for key in CALENDAR if key in written}
    if calendar:
        layers["calendar"] = calendar
    if _is_period(written.get("period")):
        for name in with_period:
            table = layers.get(name, {})
            if isinstance(table, Mapping):
                layers[name] = {"period": written["period"], **table}
    return layers


def _is_period(value: object) -> bool:
    """Whether it may be handed on; a wrong one is told once, where it stands."""
    try:
        _period(value, Period)
    except (ValueError, SettingsError):
        return False
    return True


def _exactly(*kinds: type[Any]) -> Callable[[Any, Any], Any]:
    """Take a value as the file wrote it: no number from a text, no text from a number."""

    def take(value: Any, _: Any) -> Any:
        if type(value) is kinds[0]:
            return value
        if type(value) in kinds:
            return kinds[0](value)
        raise TypeError(
            f"this must be {_KINDS[kinds[0]]}, not {_KINDS.get(type(value), 'a table')}"
        )

    return take


def _is_choice(kind: Any) -> bool:
    """Whether this is a Literal."""
    return bool(get_origin(kind) == Literal)


def _choice(value: Any, kind: Any) -> Any:
    choices = get_args(kind)
    # True is 1, and 1.0 too: only the very word, or number, will do.
    if any(value == choice and type(value) is type(choice) for choice in choices):
        return value
    spelled = " or ".join(repr(choice) for choice in choices)
    raise ValueError(f"this must be {spelled}, not {value!r}")


def _is_list_or_choice(kind: Any) -> bool:
    """Whether this is a list or a word in its stead, such as "all"."""
    found = parts(kind)
    lists = [part for part in found if is_list(part)]
    return len(found) == 2 and len(lists) == 1 and any(map(_is_choice, found))


def _list_or_choice(value: Any, kind: Any) -> Any:
    (choice,) = filter(_is_choice, parts(kind))
    (whole,) = (part for part in parts(kind) if part is not choice)
    if isinstance(value, str):
        return _choice(value, choice)
    if not isinstance(value, list):
        spelled = " or ".join(repr(word) for word in get_args(choice))
        raise TypeError(f"this must be a list, or {spelled}")
    return converter.structure(value, whole)


def _period(value: Any, _: Any) -> Period:
    """A period as people write it: "last 12 months", "all", or its two edges."""
    if isinstance(value, Mapping) and set(value) == {"start", "end"}:
        start, end = value["start"], value["end"]
        if type(start) is date and type(end) is date:
            return Period.between(start, end)
    elif isinstance(value, str):
        if value == "all":
            return Period.all()
        if months := _LAST_MONTHS.fullmatch(value):
            return Period.last_months(int(months[1]))
    raise ValueError(
        'this must be "last 12 months", "all", or {start = 2025-07-01, end = 2026-07-01} '
        "(the end is the day after the last)"
    )


def _tiers(value: Any, _: Any) -> analysis.TiersSettings:
    """The method is named in the table and its own settings stand beside the name."""
    if not isinstance(value, Mapping):
        raise TypeError("this must be a table")
    name = value.get("method", "slices")
    if not isinstance(name, str) or name not in METHODS:
        known = ", ".join(sorted(METHODS))
        raise SettingsError(f"[tiers] method must be one of {known}, not {name!r}")
    method = METHODS[name]
    keys = {field.name for field in attrs.fields(method)}
    own = {key: part for key, part in value.items() if key in keys}
    rest = {k: v for k, v in value.items() if k not in own and k != "method"}
    errors, chosen = [], []
    for take, part, kind in (
        (converter.structure, own, method),
        (_rest_of_tiers, rest, analysis.TiersSettings),
    ):
        try:
            chosen.append(take(part, kind))
        except BaseValidationError as error:
            errors.append(error)
    if errors:
        raise ClassValidationError("tiers", errors, analysis.TiersSettings)
    rest_of_it: analysis.TiersSettings = chosen[1]
    return attrs.evolve(rest_of_it, method=chosen[0])


def _strict() -> cattrs.Converter:
    """A converter that guesses nothing: TOML has types, and the classes say theirs."""
    strict = cattrs.Converter(forbid_extra_keys=True)
    for kind, also in ((str, ()), (bool, ()), (int, ()), (float, (int,)), (date, ())):
        strict.register_structure_hook(kind, _exactly(kind, *also))
    strict.register_structure_hook_func(_is_choice, _choice)
    strict.register_structure_hook_func(_is_list_or_choice, _list_or_choice)
    strict.register_structure_hook(Period, _period)
    strict.register_structure_hook(analysis.TiersSettings, _tiers)
    return strict


def without(layer: type[Any], *names: str) -> Callable[[Any, Any], Any]:
    """What reads a class whose fields of these names are not for a file."""
    out: dict[str, Any] = {name: override(omit=True) for name in names}
    return make_dict_structure_fn(
        layer, converter, _cattrs_forbid_extra_keys=True, **out
    )


converter: Final = _strict()
_rest_of_tiers = without(analysis.TiersSettings, "method")
for _layer, _names in _NOT_WRITTEN.items():
    converter.register_structure_hook(_layer, without(_layer, *_names))
