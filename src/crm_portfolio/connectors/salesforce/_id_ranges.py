"""Where is the middle between two record ids?

The 15 characters of an id are digits to the base 62, in the order 0-9, A-Z, a-z; the
three behind them only guard its case.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from crm_portfolio.connectors.salesforce._places import Range

__all__ = ["guard", "halves", "parts"]

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_WORTH: Final = {digit: worth for worth, digit in enumerate(_DIGITS)}
_LENGTH: Final = 15


def halves(first: str, last: str, whole: Range) -> tuple[Range, Range] | None:
    """A range cut in two between the ids at its ends; None where there is no between."""
    low, high = _number(first), _number(last)
    if high - low < 2:
        return None
    middle = _id((low + high) // 2)
    return (whole[0], middle), (middle, whole[1])


def parts(first: str, last: str, count: int) -> tuple[Range, ...]:
    """All ids as so many ranges, evenly between the ids at the ends."""
    low, high = _number(first), _number(last)
    cuts = sorted({low + (high - low) * place // count for place in range(1, count)})
    edges = [None, *(_id(cut) for cut in cuts if low < cut < high), None]
    return tuple(pairwise(edges))


def _number(record_id: str) -> int:
    number = 0
    for digit in record_id[:_LENGTH]:
        number = number * 62 + _WORTH[digit]
    return number


def _id(number: int) -> str:
    digits = []
    for _ in range(_LENGTH):
        number, worth = divmod(number, 62)
        digits.append(_DIGITS[worth])
    short = "".join(reversed(digits))
    return short + guard(short)


def guard(short: str) -> str:
    """The three characters that tell which of the fifteen are upper case."""
    marks = ""
    for start in (0, 5, 10):
        five = short[start : start + 5]
        bits = sum(1 << place for place, one in enumerate(five) if "A" <= one <= "Z")
        marks += "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[bits]
    return marks
