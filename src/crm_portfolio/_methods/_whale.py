"""How much of the profit is made by how few accounts, and how much is eaten again?

Amounts are in minor units and come sorted by id, so that ties stand by id. Rules: sheet
7.3 with its amendment: of equal peaks the first counts.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final, Literal

import attrs
import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts, Floats

__all__ = ["STANDINGS", "Standing", "Whale", "standings"]

Standing = Literal["profitable", "break_even", "loss_making"]
STANDINGS: Final = ("profitable", "break_even", "loss_making")


@attrs.frozen(eq=False)
class Whale:
    """The curve of cumulative profit, most profitable account first.

    Attributes:
        order: Places of the accounts along the curve.
        cumulative: Minor units after each of them.
    """

    margins: Amounts
    order: Groups = attrs.field(init=False)
    cumulative: Amounts = attrs.field(init=False)

    @order.default
    def _largest_first(self) -> Groups:
        return np.argsort(-self.margins, kind="stable")

    @cumulative.default
    def _summed(self) -> Amounts:
        sums: Amounts = np.cumsum(self.margins[self.order], dtype=np.int64)
        return sums

    @property
    def size(self) -> int:
        return int(self.margins.size)

    @property
    def total(self) -> int:
        return int(self.cumulative[-1]) if self.size else 0

    @property
    def peak(self) -> int:
        """The most that is reached; 0 where the first account loses already."""
        return max(int(self.cumulative.max()), 0) if self.size else 0

    @property
    def peak_count(self) -> int:
        """How many accounts it takes to reach it."""
        if not self.size or int(self.cumulative.max()) <= 0:
            return 0
        return int(self.cumulative.argmax()) + 1

    @property
    def peak_ratio(self) -> float | None:
        """Of the total; None where the total is no profit."""
        return self.peak / self.total if self.total > 0 else None

    @property
    def eaten(self) -> int:
        """What the others take of it again."""
        return self.peak - self.total

    @property
    def shares(self) -> Floats | None:
        """The curve as parts of the total; None where the total is no profit."""
        return self.cumulative / self.total if self.total > 0 else None

    @property
    def losing(self) -> tuple[int, int]:
        """How many lose, strictly, and what they lose."""
        below = self.margins[self.margins < 0]
        return int(below.size), int(below.sum())


def standings(margins: Amounts, revenue: Amounts, share: float) -> npt.NDArray[np.str_]:
    """Profitable, loss-making, or as good as neither: within a share of revenue.

    Exact: an account whose margin is that share to the minor unit breaks even.
    """
    part = Fraction(str(share))
    wide = np.abs(margins) * part.denominator > np.abs(revenue) * part.numerator
    return np.select(
        [wide & (margins > 0), wide & (margins < 0)],
        [STANDINGS[0], STANDINGS[2]],
        default=STANDINGS[1],
    )
