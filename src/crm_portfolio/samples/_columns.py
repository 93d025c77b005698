"""How does what was drawn become a column?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.samples import _deals

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["days", "draw", "ids", "pick"]


def ids(letter: str, positions: NDArray[np.int64]) -> pa.Array:
    """Ids such as A0000012; a position below zero has none."""
    numbers = pa.array(positions, mask=positions < 0).cast(pa.string())
    padded = pc.utf8_lpad(numbers, 7, "0")
    return pc.binary_join_element_wise(letter, padded, "")


def pick(values: Sequence[object], positions: NDArray[np.int64]) -> pa.Array:
    """The value at each position."""
    return pa.array(values).take(pa.array(positions))


def draw(chance: np.random.Generator, values: Sequence[object], count: int) -> pa.Array:
    """So many of the values, each as likely as any other."""
    return pick(values, chance.integers(0, len(values), size=count))


def days(days: NDArray[np.int64], known: NDArray[np.bool_] | None = None) -> pa.Array:
    """Days counted from the period's first one, null where not known."""
    since_epoch = (days + _deals.EPOCH).astype(np.int32)
    return pa.array(since_epoch, mask=None if known is None else ~known).cast(
        pa.date32()
    )
