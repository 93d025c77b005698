"""Who is first, who next, what do they hold, and who was where before?

Places come sorted by id, so that a stable sort by amount breaks ties by id. Amounts are
in minor units. Rules: sheet 1.1 and 1.4 with their amendments.
"""

from __future__ import annotations

from math import ceil, floor
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm_portfolio._methods._cuts import Groups, competition_ranks, largest_first
from crm_portfolio._methods._indices import Amounts, Floats, part

__all__ = ["Flags", "League", "Revenue", "count_for", "top_count"]

Flags = npt.NDArray[np.bool_]

_NEVER = np.iinfo(np.int64).max
"""Later than any day."""


@attrs.frozen(eq=False)
class Revenue:
    """What each account, or each group, brought; one place each, sorted by id.

    Attributes:
        revenue: In minor units; where ``is_known`` is false, 0 stands for unknown.
        lines: Lines in the period, ``known_lines`` of them with an amount.
        lines_previous: The same of the period before, ``known_lines_previous`` of them
            with an amount.
        months: Months of the calendar with a line; of a group, of its busiest account.
        first_on: Day of the first line before the end of the period, NaT without one.
    """

    ids: pa.Array
    revenue: Amounts
    lines: Groups
    known_lines: Groups
    months: Groups
    revenue_previous: Amounts
    lines_previous: Groups
    known_lines_previous: Groups
    first_on: npt.NDArray[np.datetime64]

    @property
    def is_known(self) -> Flags:
        """Not so where lines there are, but none with an amount."""
        known: Flags = (self.lines == 0) | (self.known_lines > 0)
        return known

    @property
    def is_known_previous(self) -> Flags:
        """The same of the period before."""
        known: Flags = (self.lines_previous == 0) | (self.known_lines_previous > 0)
        return known

    @property
    def is_whole(self) -> Flags:
        """Where no line lacks its amount, so that nothing can be missing."""
        whole: Flags = self.known_lines == self.lines
        return whole

    @property
    def is_whole_previous(self) -> Flags:
        """The same of the period before."""
        whole: Flags = self.known_lines_previous == self.lines_previous
        return whole

    @property
    def has_lines(self) -> Flags:
        return self.lines > 0

    def grouped(self, ids: pa.Array, group_of: Groups) -> Revenue:
        """The same for groups, given the place of each account's group."""

        def summed(values: Groups) -> Groups:
            sums = np.zeros(len(ids), dtype=np.int64)
            np.add.at(sums, group_of, values)
            return sums

        months = np.zeros(len(ids), dtype=np.int64)
        np.maximum.at(months, group_of, self.months)
        # As numbers: of days the least is found one by one.
        days = self.first_on.astype("datetime64[D]").astype(np.int64)
        first = np.full(len(ids), _NEVER)
        np.minimum.at(first, group_of, np.where(np.isnat(self.first_on), _NEVER, days))
        first_on = first.astype("datetime64[D]")
        first_on[first == _NEVER] = np.datetime64("NaT", "D")
        return Revenue(
            ids=ids,
            revenue=summed(self.revenue),
            lines=summed(self.lines),
            known_lines=summed(self.known_lines),
            months=months,
            revenue_previous=summed(self.revenue_previous),
            lines_previous=summed(self.lines_previous),
            known_lines_previous=summed(self.known_lines_previous),
            first_on=first_on,
        )


@attrs.frozen(eq=False)
class League:
    """A league table: the counted, largest first, then the others, then the unknown.

    Attributes:
        is_counted: Who enters n and the statistics; the others share the last rank.
        has_previous: Whether anything is known of the period before.
        total: What shares are of, in minor units; None where it is unknown.
        dependence: By position: ``dependent`` above that share of the total, ``major``
            from the other one on, else ``none``, or ``unknown`` where amounts lack.
    """

    of: Revenue
    is_counted: Flags
    has_previous: bool
    total: int | None
    major_share: float
    dependent_share: float
    order: Groups = attrs.field(init=False)
    counted: Amounts = attrs.field(init=False)
    dependence: npt.NDArray[np.str_] = attrs.field(init=False)

    @order.default
    def _by_amount(self) -> Groups:
        kind = np.where(~self.of.is_known, 2, np.where(self.is_counted, 0, 1))
        return largest_first(self.of.revenue, kind)

    @counted.default
    def _largest_first(self) -> Amounts:
        n = int((self.is_counted & self.of.is_known).sum())
        return self.of.revenue[self.order[:n]]

    @dependence.default
    def _by_share(self) -> npt.NDArray[np.str_]:
        amounts, total = self.of.revenue, self.total
        if total is None or total <= 0:
            return np.full(amounts.size, "unknown")
        is_major = amounts >= ceil(part(total, self.major_share))
        is_dependent = amounts > floor(part(total, self.dependent_share))
        # A part of the revenue can prove that much hangs on it, not that little does.
        is_open = self.of.known_lines < self.of.lines
        kinds = ["unknown", "dependent", "major", "unknown"]
        found = [~self.of.is_known, is_dependent, is_major, is_open]
        return np.select(found, kinds, "none")

    @property
    def kinds(self) -> dict[str, int]:
        """How many are major, and how many of those we depend on."""
        dependent = int((self.dependence == "dependent").sum())
        return {
            "major_count": int((self.dependence == "major").sum()) + dependent,
            "dependent_count": dependent,
        }

    @property
    def rank(self) -> Groups:
        """By position; 0 where there is none."""
        rank = np.where(self.of.is_known, self.counted.size + 1, 0)
        rank[self.order[: self.counted.size]] = competition_ranks(self.counted)
        return rank

    @property
    def rank_previous(self) -> Groups:
        """By position, among those known to have brought something; 0 for the others."""
        rank = np.zeros(self.of.revenue.size, dtype=np.int64)
        is_ranked = self._was_there & self.of.is_known_previous
        order = largest_first(self.of.revenue_previous, ~is_ranked)
        order = order[: int(is_ranked.sum())]
        rank[order] = competition_ranks(self.of.revenue_previous[order])
        return rank

    @property
    def _was_there(self) -> Flags:
        return (self.of.lines_previous > 0) & self.has_previous

    def share(self, amount: int | np.integer[Any]) -> float | None:
        """An amount as a share of the total."""
        has_shares = self.total is not None and self.total > 0
        return int(amount) / self.total if self.total and has_shares else None

    def reading(self, negatives: str) -> str:
        """The form of the Gini index to read, given the one for negatives."""
        return negatives if bool((self.counted < 0).any()) else "plain"

    def shares(self) -> pa.Array:
        """Of the total, by position."""
        return self._of_total(self.of.revenue)

    def columns(self, digits: int) -> dict[str, pa.Array]:
        """The league table's own columns, by position; unknown is null."""
        unit = float(10**digits)
        rank, before = self.rank, self.rank_previous
        has_both = (rank > 0) & (before > 0) & self.of.has_lines
        # What is known is a part of it: a place lost or won may be an amount that lacks.
        has_both &= self.of.is_whole & self.of.is_whole_previous
        was_there, is_here = self._was_there, self.of.has_lines
        unknown_before = np.full(rank.size, not self.has_previous)
        return {
            "rank": pa.array(rank, mask=~self.of.is_known),
            "revenue": pa.array(self.of.revenue / unit, mask=~self.of.is_known),
            "share": self.shares(),
            "cum_share": self._of_total(self._cumulated()),
            "share_of_positive": self._of_positive(),
            "revenue_previous": pa.array(
                self.of.revenue_previous / unit,
                mask=unknown_before | ~self.of.is_known_previous,
            ),
            "rank_previous": pa.array(before, mask=before == 0),
            "rank_change": pa.array(before - rank, mask=~has_both),
            "is_new": pa.array(is_here & ~was_there, mask=unknown_before),
            "has_left": pa.array(~is_here & was_there, mask=unknown_before),
        }

    def _cumulated(self) -> Amounts:
        held = np.full(self.of.revenue.size, int(self.counted.sum()), dtype=np.int64)
        held[self.order[: self.counted.size]] = np.cumsum(self.counted)
        return held

    def _of_total(self, amounts: Amounts) -> pa.Array:
        if self.total is None or self.total <= 0:
            return pa.nulls(amounts.size, pa.float64())
        return pa.array(amounts / self.total, mask=~self.of.is_known)

    def _of_positive(self) -> pa.Array:
        positive: Floats = np.maximum(self.of.revenue, 0).astype(np.float64)
        if self.total is None or self.total <= 0:
            return pa.nulls(positive.size, pa.float64())
        mass = int(self.counted[self.counted > 0].sum())
        return pa.array(positive / mass, mask=~self.of.is_known)


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
