"""What do the columns of a pandas frame hold, whatever pandas calls them?"""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa

__all__ = ["from_pandas"]


def from_pandas(frame: Any) -> pa.Table:
    """The frame with each column in the kind of what it holds."""
    names = [str(name) for name in frame.columns]
    arrays = [_column_from_pandas(frame.iloc[:, i]) for i in range(len(names))]
    return pa.table(arrays, names=names)


def _column_from_pandas(series: Any) -> pa.Array | pa.ChunkedArray:
    try:
        array = pa.array(series, from_pandas=True)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        # An object column of several types, such as 12.5 beside "12x": as text, so that
        # the normaliser can name the cells that are wrong.
        return _texts(series)
    # UUIDs, as databases hand them out, would come as their sixteen bytes.
    return _texts(series) if isinstance(array.type, pa.BaseExtensionType) else array


def _texts(series: Any) -> pa.Array:
    import pandas as pd

    return pa.array(
        [
            None if pd.api.types.is_scalar(value) and pd.isna(value) else _text(value)
            for value in series
        ],
        pa.string(),
    )


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a 7.0 beside text is the 7 it is in other columns
    if isinstance(value, date):
        return value.isoformat()
    return str(value).encode(errors="backslashreplace").decode()
