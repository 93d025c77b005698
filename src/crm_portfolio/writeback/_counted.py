"""What do the limits ask of changes, counted as they go by?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import attrs

from crm_portfolio._managed import STAMP
from crm_portfolio.protocols import Change, Value

__all__ = ["OFTEN_UNKNOWN", "Counted"]

# Most accounts of a CRM may never have bought: nothing is known of their danger. In a
# book of a year no trend is: nothing is known of who rises.
OFTEN_UNKNOWN: Final = frozenset({"risk_level", "rising"})
_NOTHING: Final = frozenset({None, "unknown"})
_JUMP: Final = 2


@attrs.define(eq=False)
class Counted:
    """What the limits ask of changes, counted as they go by; stamps are left out.

    Attributes:
        changed: Per field, how many.
        emptied: Per field, how many of them lose its value.
        tiers: How often a tier goes from which to which.
    """

    changed: Counter[str] = attrs.field(factory=Counter)
    emptied: Counter[str] = attrs.field(factory=Counter)
    tiers: Counter[tuple[Value, Value]] = attrs.field(factory=Counter)

    def take(self, change: Change) -> None:
        """Go on with the next change, which is no first fill."""
        if change.column == STAMP:  # a stamp only follows another change
            return
        self.changed[change.column] += 1
        if _is_lost(change):
            self.emptied[change.column] += 1
        if change.column == "tier":
            self.tiers[change.before, change.after] += 1

    def jumps(self, tiers: Sequence[str]) -> int:
        """How many accounts move by two tiers or more at once."""
        moves = self.tiers.items()
        return sum(n for move, n in moves if _is_jump(*move, tiers))


def _is_lost(change: Change) -> bool:
    """Whether a field loses its value; a danger that was known is a value to lose."""
    if change.column not in OFTEN_UNKNOWN:
        return change.after is None
    return change.before not in _NOTHING and change.after in _NOTHING


def _is_jump(before: Value, after: Value, tiers: Sequence[str]) -> bool:
    if before not in tiers or after not in tiers:
        return False
    return abs(tiers.index(str(before)) - tiers.index(str(after))) >= _JUMP
