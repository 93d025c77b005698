"""How are the reasons of thousands of accounts said without saying the same twice?

A sentence is its pattern and the values in it. Accounts with the same patterns in the
same order share a shape, and the values of one place in a pattern stand in one list,
account after account: alike things beside each other pack best.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crm_portfolio._report._words import Words
from crm_portfolio._wording import Reason

__all__ = ["Reasons"]

_HERE = "\x1f"
_ITSELF = "\x1e"


class Reasons:
    """Takes the reasons of one account after the other."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._said: dict[object, tuple[str, ...]] = {}
        self._patterns: dict[str, int] = {}
        self._values: list[list[list[str]]] = []
        self._shapes: dict[tuple[tuple[int, ...], ...], int] = {}
        self._shape_of: list[int] = []

    def add(self, account_id: str, reasons: Sequence[Sequence[Reason]]) -> None:
        """The reasons of an account, under each of the headings."""
        name = self._words.names.get(account_id)
        itself = f"{name} ({account_id})" if name else account_id
        shape = tuple(
            tuple(self._added(reason, itself) for reason in under) for under in reasons
        )
        self._shape_of.append(self._shapes.setdefault(shape, len(self._shapes)))

    def _added(self, reason: Reason, itself: str) -> int:
        told = (reason.code, *((k, v, type(v)) for k, v in reason.values.items()))
        if told not in self._said:
            self._said[told] = self._words.parts(reason)
        pattern, *values = self._said[told]
        place = self._patterns.setdefault(pattern, len(self._patterns))
        if place == len(self._values):
            self._values.append([[] for _ in values])
        for column, value in zip(self._values[place], values, strict=True):
            column.append(_ITSELF if value == itself else value)
        return place

    def to_dict(self) -> dict[str, Any]:
        """As the script of the page reads it."""
        return {
            "patterns": [each.replace("\0", _HERE) for each in self._patterns],
            "values": self._values,
            "shapes": list(self._shapes),
            "of": self._shape_of,
        }
