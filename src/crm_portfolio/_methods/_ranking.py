"""Who is first, who next, what do they hold, and who was where before?

Places come sorted by id, so that a stable sort by amount breaks ties by id. Amounts are
in minor units. Rules: sheet 1.1 and 1.4 with their amendments.
"""

from __future__ import annotations

from math import ceil, floor

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm_portfolio._methods._cuts import Groups, competition_ranks
from crm_portfolio._methods._indices import Amounts, Floats, part

__all__ = ["Flags", "League", "count_for", "dependence", "top_count"]

Flags = npt.NDArray[np.bool_]


@attrs.frozen(eq=False)
class League:
    """A league table: the counted, largest first, then the others, then the unknown.

    Attributes:
        is_counted: Who enters n and the statistics; the others share the last rank.
        is_known: Whose amount is known; nobody else has a rank.
        previous: Amounts of the period before.
        was_there: Who had a line then; None where the book does not reach back.
        total: What shares are of; None where it is unknown.
    """

    amounts: Amounts
    is_counted: Flags
    is_known: Flags
    previous: Amounts
    was_there: Flags | None
    total: int | None
    order: Groups = attrs.field(init=False)
    counted: Amounts = attrs.field(init=False)

    @order.default
    def _by_amount(self) -> Groups:
        kind = np.where(~self.is_known, 2, np.where(self.is_counted, 0, 1))
        return np.lexsort((-self.amounts, kind)).astype(np.int64)

    @counted.default
    def _largest_first(self) -> Amounts:
        n = int((self.is_counted & self.is_known).sum())
        return self.amounts[self.order[:n]]

    @property
    def rank(self) -> Groups:
        """By position; 0 where there is none."""
        rank = np.where(self.is_known, self.counted.size + 1, 0)
        rank[self.order[: self.counted.size]] = competition_ranks(self.counted)
        return rank

    @property
    def rank_previous(self) -> Groups:
        """By position, among those with a line in the period before; 0 for the others."""
        rank = np.zeros(self.amounts.size, dtype=np.int64)
        if self.was_there is not None:
            order = np.lexsort((-self.previous, ~self.was_there))
            order = order[: int(self.was_there.sum())]
            rank[order] = competition_ranks(self.previous[order])
        return rank

    def shares(self) -> pa.Array:
        """Of the total, by position."""
        return self._of_total(self.amounts)

    def columns(self, digits: int) -> dict[str, pa.Array]:
        """The league table's own columns, by position; unknown is null."""
        unit = float(10**digits)
        rank, before = self.rank, self.rank_previous
        has_both = (rank > 0) & (before > 0) & self.is_counted
        was_there = self.was_there if self.was_there is not None else np.zeros_like(has_both)
        unknown_before = np.full(self.amounts.size, self.was_there is None)
        return {
            "rank": pa.array(rank, mask=~self.is_known),
            "revenue": pa.array(self.amounts / unit, mask=~self.is_known),
            "share": self.shares(),
            "cum_share": self._of_total(self._cumulated()),
            "share_of_positive": self._of_positive(),
            "revenue_previous": pa.array(self.previous / unit, mask=unknown_before),
            "rank_previous": pa.array(before, mask=before == 0),
            "rank_change": pa.array(before - rank, mask=~has_both),
            "is_new": pa.array(self.is_counted & ~was_there, mask=unknown_before),
            "has_left": pa.array(~self.is_counted & was_there, mask=unknown_before),
        }

    def _cumulated(self) -> Amounts:
        held = np.full(self.amounts.size, int(self.counted.sum()), dtype=np.int64)
        held[self.order[: self.counted.size]] = np.cumsum(self.counted)
        return held

    def _of_total(self, amounts: Amounts) -> pa.Array:
        if self.total is None or self.total <= 0:
            return pa.nulls(amounts.size, pa.float64())
        return pa.array(amounts / self.total, mask=~self.is_known)

    def _of_positive(self) -> pa.Array:
        positive: Floats = np.maximum(self.amounts, 0).astype(np.float64)
        if self.total is None or self.total <= 0:
            return pa.nulls(positive.size, pa.float64())
        mass = int(self.counted[self.counted > 0].sum())
        return pa.array(positive / mass, mask=~self.is_known)


def dependence(
    amounts: Amounts, is_known: Flags, total: int | None, *, major: float, dependent: float
) -> npt.NDArray[np.str_]:
    """``dependent`` above that share of the total, ``major`` from the other one on."""
    if total is None or total <= 0:
        return np.full(amounts.size, "unknown")
    is_major = amounts >= ceil(part(total, major))
    is_dependent = amounts > floor(part(total, dependent))
    kinds = ["unknown", "dependent", "major"]
    return np.select([~is_known, is_dependent, is_major], kinds, "none")


def count_for(counted: Amounts, target: float) -> int | None:
    """The fewest, largest first, that hold the target share; None of nothing."""
    total = int(counted.sum())
    if total <= 0:
        return None
    reached = np.cumsum(counted) >= ceil(part(total, target))
    return int(np.argmax(reached)) + 1


def top_count(n: int, share: float) -> int:
    """How many accounts the top share is: rounded up, exactly."""
    return ceil(part(n, share))
