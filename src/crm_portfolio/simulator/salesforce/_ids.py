"""How does a Salesforce record id look, and is this text one?

Fifteen case-sensitive characters (three of the object's prefix, twelve of its own) and
three more that let software which ignores case tell them apart. vendor docs: REST
returns 18 characters, accepts 15.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import pyarrow as pa

__all__ = ["LOADED", "MADE_HERE", "is_id", "new_ids", "to_18"]

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CHECKSUM: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
LOADED: Final = "Sm0"  # where other ids carry their instance: records of the folder
MADE_HERE: Final = "Sn0"  # records created through the API
_SHAPE: Final = re.compile(r"[0-9A-Za-z]{15}(?:[A-Z0-5]{3})?")


def new_ids(prefix: str, instance: str, *, first: int, count: int) -> pa.Array:
    """Consecutive 18-character ids; as text they sort in the order of their numbers."""
    numbers = np.arange(first, first + count, dtype=np.int64)
    letters = np.frombuffer(ALPHABET.encode(), dtype=np.uint8)
    ids = np.empty((count, 18), dtype=np.uint8)
    ids[:, :6] = np.frombuffer((prefix + instance).encode(), dtype=np.uint8)
    for place in range(9):
        ids[:, 14 - place] = letters[numbers % 62]
        numbers //= 62
    is_upper = ((ids[:, :15] >= ord("A")) & (ids[:, :15] <= ord("Z"))).reshape(-1, 3, 5)
    sums = (is_upper * (1 << np.arange(5))).sum(axis=2)
    ids[:, 15:] = np.frombuffer(CHECKSUM.encode(), dtype=np.uint8)[sums]
    ends = np.arange(0, 18 * (count + 1), 18, dtype=np.int32)
    texts = [None, pa.py_buffer(ends), pa.py_buffer(ids)]
    return pa.Array.from_buffers(pa.string(), count, texts)


def to_18(text: str) -> str | None:
    """The full form of an id, or None if this is no id."""
    if not _SHAPE.fullmatch(text):
        return None
    chunks = (text[:5], text[5:10], text[10:15])
    sums = (
        sum(1 << place for place, letter in enumerate(chunk) if letter.isupper())
        for chunk in chunks
    )
    full = text[:15] + "".join(CHECKSUM[number] for number in sums)
    return full if text in (full, text[:15]) else None


def is_id(text: str, prefix: str) -> bool:
    """Is this a full id of the object with that prefix?"""
    return len(text) == 18 and text.startswith(prefix) and to_18(text) == text
