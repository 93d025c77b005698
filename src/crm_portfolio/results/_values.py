"""Which values does a result hold, and how do they become JSON?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, TypeAlias

import pyarrow as pa

__all__ = ["Json", "Row", "json_rows", "leaves", "significant"]

Json: TypeAlias = (
    str | int | float | bool | Sequence["Json"] | Mapping[str, "Json"] | None
)
Row: TypeAlias = Mapping[str, Any]
"""One line of a result's frame, by column."""


def significant(value: float | None) -> float | None:
    """A statistic to 12 significant digits, where engines still agree; no NaN, no −0."""
    if value is None or value != value:  # noqa: PLR0124 - NaN is unknown here
        return None
    return float(f"{value:.12g}") + 0.0


def json_rows(table: pa.Table) -> list[dict[str, Json]]:
    """A table as JSON-able rows: days as ISO text, NaN as null."""
    return [
        {key: _json(value) for key, value in row.items()} for row in table.to_pylist()
    ]


def _json(value: Any) -> Json:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - NaN
        return None
    plain: Json = value
    return plain


def leaves(value: Json, path: str) -> Iterator[tuple[str, Json]]:
    """Nested values flat, each with the path to it."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from leaves(each, f"{path}.{key}" if path else str(key))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for at, each in enumerate(value, 1):
            yield from leaves(each, f"{path}.{at}")
    else:
        yield path, value
