"""Which opportunities are there, for rows that name one?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm_portfolio._normalise._keys import Hashes, hashed

__all__ = ["Opportunities"]


class Opportunities:
    """Those that stay, by a hash of their ids; nothing is held where nobody names one.

    Attributes:
        are_wanted: There are such rows, and a table to hold them against.
    """

    def __init__(self) -> None:
        self.are_wanted = False
        self._hashes: list[Hashes] = []
        self._known: Hashes | None = None

    def add(self, ids: pa.ChunkedArray) -> None:
        """These stay."""
        if self.are_wanted:
            self._hashes.append(hashed(ids))

    def forget(self) -> None:
        """The table is walked anew."""
        self._hashes = []

    def lacking(self, ids: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
        """Which of these is said, and is none of them."""
        if not self.are_wanted:
            return np.zeros(len(ids), np.bool_)
        if self._known is None:
            self._known = np.concatenate([np.empty(0, np.uint64), *self._hashes])
            self._known.sort()
            self._hashes = []
        asked, known = hashed(ids), self._known
        at = np.minimum(np.searchsorted(known, asked), max(len(known) - 1, 0))
        is_there = known[at] == asked if len(known) else np.zeros(len(asked), np.bool_)
        lacking: npt.NDArray[np.bool_] = np.asarray(ids.is_valid()) & ~is_there
        return lacking
