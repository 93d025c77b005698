"""Which numbers does a setting take? Said once, and in the same words wherever it stands.

None always passes: where it may stand, it is a choice of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import inf
from typing import Any, Final, TypeAlias

import attrs

from crm_portfolio.errors import SettingsError

__all__ = [
    "is_above",
    "is_at_least",
    "is_count",
    "is_inside",
    "is_no_less",
    "is_part",
    "is_share",
]

Validator: TypeAlias = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def _takes(is_fit: Callable[[Any], bool], said: str) -> Validator:
    def check(own: object, field: attrs.Attribute[Any], value: Any) -> None:
        if value is not None and not is_fit(value):  # no comparison holds of NaN
            key = f"{_table(type(own))}.{field.name}"
            raise SettingsError(f"{key} {said}, not {value}")

    return check


def _table(kind: type) -> str:
    """As the file calls it: ``win_back`` for ``WinBackSettings``."""
    name = kind.__name__.removesuffix("Settings")
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def is_at_least(least: int) -> Validator:
    """So many, or more."""
    return _takes(lambda value: value >= least, f"is no less than {least}")


is_share: Final = _takes(lambda value: 0 <= value <= 1, "is a share from 0 to 1")
"""Of nothing, of all, or of anything between."""
is_part: Final = _takes(lambda value: 0 < value <= 1, "is a share above 0 and up to 1")
"""A share that is not nothing."""
is_inside: Final = _takes(lambda value: 0 < value < 1, "lies between 0 and 1")
"""A share that is neither nothing nor all."""
is_above: Final = _takes(lambda value: 0 < value < inf, "is above 0")
is_no_less: Final = is_at_least(0)
is_count: Final = is_at_least(1)
