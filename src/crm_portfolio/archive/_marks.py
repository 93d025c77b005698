"""How is what is known of a change, apart from its values, told in one letter?

So a record's changes are a short text, of which a run has few: what is asked of all changes
is asked of these, without a look at any value.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from itertools import product
from typing import Final, get_args

import attrs

from crm_portfolio.archive._entries import TOUCHED, ChangeState, is_settled

__all__ = ["MARKS", "Mark", "letters", "mark_of", "marked"]


@attrs.frozen
class Mark:
    """What is known of one change.

    Attributes:
        is_touched: It was written, or may have been, at some time.
        is_unchecked: Written by the CRM's word, and not yet seen in it.
    """

    state: ChangeState
    is_touched: bool
    is_unchecked: bool

    @property
    def is_settled(self) -> bool:
        """Whether its state will stay."""
        return is_settled(self.state, is_unchecked=self.is_unchecked)

    @property
    def is_half_done(self) -> bool:
        """Whether it may be in the CRM already, unseen by us."""
        return self.state == "unknown" or self.is_unchecked


_STATES: Final = [state for part in get_args(ChangeState) for state in get_args(part)]
_KNOWN: Final = [Mark(*each) for each in product(_STATES, (True, False), (True, False))]
# Letters only: SQLite looks for a set of them with GLOB.
MARKS: Final = dict(zip(string.ascii_letters[: len(_KNOWN)], _KNOWN, strict=True))
_LETTERS: Final = {mark: letter for letter, mark in MARKS.items()}
_TOLD: Final = {
    (mark.state, mark.is_unchecked): letter
    for letter, mark in MARKS.items()
    if mark.is_touched == (mark.state in TOUCHED)
}


def mark_of(state: ChangeState, *, is_unchecked: bool = False) -> str:
    """The letter of a state that was just told."""
    return _TOLD[state, is_unchecked]


def marked(earlier: str, later: str) -> str:
    """The letter of a change that had one, and was told again.

    Once it may have been written, that stays true whatever is told later.
    """
    before, now = MARKS[earlier], MARKS[later]
    return _LETTERS[attrs.evolve(now, is_touched=before.is_touched or now.is_touched)]


def letters(holds: Callable[[Mark], bool]) -> str:
    """The letters of all of which this holds."""
    return "".join(letter for letter, mark in MARKS.items() if holds(mark))
