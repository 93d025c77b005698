r"""How does a query say a value, whatever it is?

Every value in a query is written here, so that none can end its own literal. vendor docs:
``\n \r \t \b \f \" \' \\`` and ``\uXXXX`` in a text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from crm_portfolio.errors import SettingsError

__all__ = ["listed", "literal"]

_ESCAPES: Final = str.maketrans(
    {
        **{code: f"\\u{code:04x}" for code in (*range(0x20), 0x7F, 0x2028, 0x2029)},
        "\\": r"\\",
        "'": r"\'",
        "\n": r"\n",
        "\r": r"\r",
        "\t": r"\t",
    }
)
Said = str | bool | int | float | date | datetime | None


def literal(value: Said) -> str:
    r"""The value as a query says it.

    Example:
        >>> print(literal("O'Neill"), literal(0.000001))
        'O\'Neill' 0.000001
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case date():
            return value.isoformat()
        case str():
            return f"'{value.translate(_ESCAPES)}'"
        case _:
            return _number(value)


def listed(values: Iterable[Said]) -> str:
    """The values as what may follow ``IN``."""
    return f"({', '.join(map(literal, values))})"


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise SettingsError("salesforce: a query takes finite numbers only")
    return f"{Decimal(repr(value)):f}"  # a query has no exponents
