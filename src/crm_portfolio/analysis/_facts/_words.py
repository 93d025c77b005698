"""How is one of few words, or a list of them, said of each of many accounts?

Each word stands once, and of each account its place is told; ``plain`` makes texts of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm_portfolio._methods._ranking import Flags

__all__ = ["in_words", "listed", "named"]


def named(places: npt.NDArray[Any], names: Sequence[str]) -> pa.DictionaryArray:
    """The names at these places; null below 0."""
    kind = np.min_scalar_type(-max(len(names), 1))
    index = pa.array(places.astype(kind), mask=places < 0)
    return pa.DictionaryArray.from_arrays(index, pa.array([*names], pa.string()))


def in_words(texts: npt.NDArray[np.str_]) -> pa.DictionaryArray:
    """Texts that are few different ones; null where one is empty."""
    places = np.full(texts.size, -1, dtype=np.int64)
    names: list[str] = []
    is_left = texts != ""
    while is_left.any():
        name = texts[np.argmax(is_left)]
        is_it = texts == name
        places[is_it] = len(names)
        names.append(str(name))
        is_left &= ~is_it
    return named(places, names)


def listed(flags: Mapping[str, Flags], size: int) -> pa.DictionaryArray:
    """The names of what holds of each, in one text; empty where nothing does."""
    code = np.zeros(size, dtype=np.int64)
    for at, is_up in enumerate(flags.values()):
        code |= is_up.astype(np.int64) << at
    # Of all that could be said little is: many names have more lists than there are rows.
    if len(flags) <= max(size, 1).bit_length():
        said = np.flatnonzero(np.bincount(code, minlength=1))
        place = np.zeros(int(said.max(initial=0)) + 1, dtype=np.int64)
        place[said] = np.arange(said.size)
        places = place[code]
    else:
        said, places = np.unique(code, return_inverse=True)
    lists = [
        ", ".join(name for at, name in enumerate(flags) if number >> at & 1)
        for number in said.tolist()
    ]
    return named(places, lists)
