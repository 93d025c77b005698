"""What is each setting now, and which of the sources did it come from?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.settings import _toml
from crm_portfolio.settings._keys import keys_at_the_top, keys_of
from crm_portfolio.settings._origins import DEFAULT, Origin
from crm_portfolio.settings._secrets import looks_secret
from crm_portfolio.settings._settings import LAYERS, Settings
from crm_portfolio.settings._structure import METHODS

__all__ = ["Place", "places"]


@attrs.frozen
class Place:
    """One setting: what it is, as a file would say it, and where that comes from.

    Attributes:
        value: None: nothing is said, and the meaning says what holds then. What looks
            like a secret is not shown.
    """

    key: str
    value: str | None
    origin: Origin


def places(settings: Settings, key: str = "") -> tuple[Place, ...]:
    """Where a setting, or each of a table, comes from; no key: all that are not defaults.

    Args:
        key: ``limits.max_share``, a table, or a name that several tables may have.

    Raises:
        SettingsError: Nothing is called so.
    """
    every = tuple(
        Place(name, _shown(value), origin)
        for name, value in _values(settings)
        for origin in (settings.origin(name),)
    )
    if not key:
        return tuple(place for place in every if place.origin != DEFAULT)
    asked = key.replace("[", "").replace("]", ".").replace(" ", "").strip(".")
    found = tuple(
        place
        for place in every
        if place.key == asked
        or place.key.startswith(f"{asked}.")
        or place.key.endswith(f".{asked}")
    )
    if not found:
        names = [place.key for place in every]
        known = (*names, *(name.rpartition(".")[2] for name in names), *LAYERS)
        raise SettingsError(f"{key!r} is no setting{did_you_mean(asked, known)}")
    return found


def _shown(value: Any) -> str | None:
    if any(looks_secret({"": value})):
        return "…"
    return None if value is None else _toml.value(value)


def _values(settings: Settings) -> Iterator[tuple[str, Any]]:
    for key in keys_at_the_top():
        if key.name in ("time_zone", "year_starts"):
            yield key.name, getattr(settings.calendar, key.name, None)
        elif key.name != "period":  # the analyses hold it
            yield key.name, getattr(settings, key.name)
    for name in LAYERS:
        yield from _inside(name, getattr(settings, name))


def _inside(at: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The values of an object or of a table, one for each key."""
    if isinstance(value, Mapping) and value:
        for name, each in value.items():
            yield from _inside(f"{at}.{name}", each)
    elif attrs.has(type(value)) and type(value).__name__ != "Period":
        for key in keys_of(type(value)):
            own = getattr(value, key.name)
            if key.name == "method":  # its settings stand beside its name
                yield f"{at}.method", _named(own)
                yield from _inside(at, own)
            else:
                yield from _inside(f"{at}.{key.name}", own)
    else:
        yield at, value


def _named(method: Any) -> str:
    return next(name for name, kind in METHODS.items() if type(method) is kind)
