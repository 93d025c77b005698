"""Which amount has so many below it, however many there are?"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from crm_portfolio._frames import nw
from crm_portfolio.analysis._facts._lines import collected

__all__ = ["at_share"]

_CELLS: Final = 4096


def at_share(rows: Any, column: str, share: float) -> int | None:
    """The smallest whole number that this share of the known ones does not exceed.

    Exact in every engine: numbers are counted in ever finer cells, and only those counts
    come back. None where no number is known.
    """
    known = rows.filter(~nw.col(column).is_null()).select(nw.col(column))
    value = nw.col(column)
    edges = known.with_columns(n=nw.lit(1, dtype=nw.Int64)).select(
        low=value.min(), high=value.max(), n=nw.col("n").sum()
    )
    (found,) = collected(edges).to_pylist()
    if not found["n"]:
        return None
    low, high = int(found["low"]), int(found["high"])
    place = max(math.ceil(share * int(found["n"])), 1)
    while low < high:
        width = (high - low) // _CELLS + 1
        cells = (
            known.filter((value >= low) & (value <= high))
            .select(cell=(value - low) // width, n=nw.lit(1, dtype=nw.Int64))
            .group_by("cell")
            .agg(nw.col("n").sum())
        )
        table = collected(cells).sort_by("cell")
        running = np.cumsum(table["n"].to_numpy())
        at = int(np.searchsorted(running, place))
        place -= int(running[at - 1]) if at else 0
        low += int(table["cell"][at].as_py()) * width
        high = min(low + width - 1, high)
    return low
