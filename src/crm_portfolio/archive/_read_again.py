"""What has a sequence in common with others that is read each time it is asked for?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

__all__ = ["ReadAgain"]

T = TypeVar("T")


class ReadAgain(Sequence[T], Generic[T]):
    """It equals any sequence that says the same, and so cannot be hashed."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str | bytes):
            return NotImplemented
        return len(self) == len(other) and all(
            mine == theirs for mine, theirs in zip(self, other, strict=True)
        )

    __hash__ = None  # type: ignore[assignment]
