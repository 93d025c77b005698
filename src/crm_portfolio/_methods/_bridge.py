"""What carried revenue from one period to the next, account by account?

Present is who has a line, whatever its sign; amounts are in minor units and signed, so that
the bars add up to the change exactly. Rules: sheet 5.2 with its amendments.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._retention import Kept

__all__ = ["BARS", "MOVEMENTS", "Bridge", "Movements", "movements", "of_groups"]

MOVEMENTS: Final = (
    *("absent", "new", "returned", "expanded", "contracted", "unchanged"),
    *("lost", "perimeter", "unknown"),
)
_CODE: Final = {name: np.int8(at) for at, name in enumerate(MOVEMENTS)}
BARS: Final[Mapping[str, str]] = {
    "new": "new",
    "returned": "returned",
    "expansion": "expanded",
    "contraction": "contracted",
    "lost": "lost",
    "perimeter": "perimeter",
    "unknown": "unknown",
}
"""The bars, in order, and the movement each one sums; exchange rates are one more."""

Movements = npt.NDArray[np.int8]


def movements(
    before: Amounts,
    now: Amounts,
    *,
    was_here: Flags,
    is_here: Flags,
    is_older: Flags,
    is_unknown: Flags,
) -> Movements:
    """What each did: a place in `MOVEMENTS`.

    Args:
        now: At the rates of the period before.
        is_older: Who has a line before both periods.
        is_unknown: Who has a line of unknown amount in one of them.
    """
    change = now - before
    found = np.select(
        [
            is_unknown,
            ~was_here & ~is_here,
            ~was_here & is_older,
            ~was_here,
            ~is_here,
            change > 0,
            change < 0,
        ],
        [
            _CODE[name]
            for name in (
                *("unknown", "absent", "returned", "new", "lost"),
                *("expanded", "contracted"),
            )
        ],
        default=_CODE["unchanged"],
    )
    return found.astype(np.int8)


def of_groups(
    group_of: Groups,
    is_perimeter: Flags,
    before: Amounts,
    now: Amounts,
    **flags: Flags,
) -> Movements:
    """The movement of each account's group; what was bought or sold goes apart.

    A group that grew by an account which came with an acquisition has not grown by it.
    """
    size = int(group_of.max()) + 1 if group_of.size else 0
    stays = ~is_perimeter

    def summed(values: Amounts) -> Amounts:
        sums = np.zeros(size, dtype=np.int64)
        np.add.at(sums, group_of[stays], values[stays])
        return sums

    has = {name: summed(flag.astype(np.int64)) > 0 for name, flag in flags.items()}
    found = movements(summed(before), summed(now), **has)[group_of]
    return np.where(is_perimeter, _CODE["perimeter"], found)


@attrs.frozen(eq=False)
class Bridge:
    """From the revenue of one period to that of another.

    Attributes:
        constant: Of this period, at the rates of the one before.
        movement: Of each account, a place in `MOVEMENTS`.
        group_of: Whom it comes, stays and goes with; None: each by itself.
    """

    before: Amounts
    now: Amounts
    constant: Amounts
    movement: Movements
    group_of: Groups | None = None

    @property
    def bars(self) -> dict[str, int]:
        """Minor units by bar; they add up to the change."""
        change = self.constant - self.before
        found = {
            bar: int(change[self.is_(movement)].sum()) for bar, movement in BARS.items()
        }
        return found | {"fx": int((self.now - self.constant).sum())}

    @property
    def change(self) -> int:
        return int(self.now.sum()) - int(self.before.sum())

    @property
    def like_for_like(self) -> float | None:
        """Growth of those present in both, at constant rates and perimeter."""
        is_both = self.is_("expanded", "contracted", "unchanged")
        start = int(self.before[is_both].sum())
        end = int(self.constant[is_both].sum())
        return (end - start) / start if start > 0 else None

    @property
    def kept(self) -> Kept:
        """What is left of those who were there, at constant rates and perimeter."""
        is_in = ~self.is_("perimeter", "unknown")
        start, end = self.before[is_in], self.constant[is_in]
        if self.group_of is None:
            return Kept.of(start, end)
        groups = self.group_of[is_in]
        sums = np.zeros((2, int(groups.max(initial=-1)) + 1), dtype=np.int64)
        for values, each in zip((start, end), sums, strict=True):
            np.add.at(each, groups, values)
        return Kept.of(sums[0], sums[1])

    def count(self, chosen: Flags) -> int:
        """How many accounts, or groups with one of them, these are."""
        of = None if self.group_of is None else self.group_of[chosen]
        return int(chosen.sum()) if of is None else int(np.unique(of).size)

    def is_(self, *movements: str) -> Flags:
        found: Flags = np.isin(self.movement, [_CODE[each] for each in movements])
        return found
