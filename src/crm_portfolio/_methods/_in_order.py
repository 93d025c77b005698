"""In which order do rows come by several whole numbers?"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["in_order"]


def in_order(*keys: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Their places by the first number, then by the next; equals as they stand.

    To sort one whole number that holds them all, and the place too, takes a third of the
    time of sorting places by one after the other.
    """
    size = keys[0].size
    bits = max(size - 1, 0).bit_length()
    packed = _packed(keys, room=1 << (63 - bits)) if size else None
    if packed is None:
        return np.lexsort(keys[::-1])
    packed <<= bits
    packed |= np.arange(size)
    packed.sort()
    packed &= (1 << bits) - 1
    return packed


def _packed(
    keys: tuple[npt.NDArray[Any], ...], room: int
) -> npt.NDArray[np.int64] | None:
    """One number below ``room`` that comes in the order of all; None if none does."""
    packed = np.zeros(keys[0].size, dtype=np.int64)
    for key in keys:
        low = int(key.min())
        span = int(key.max()) - low + 1
        room //= span
        if not room:
            return None
        packed *= span
        packed += key
        packed -= low
    return packed
