"""How do accounts move between tiers in a year, and where does that lead?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import attrs
import numpy as np

from crm_portfolio._methods import _transitions as formulas
from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._rules import LETTERS
from crm_portfolio.analysis._tomorrow._history import (
    AGREED,
    MOVED,
    NEW,
    History,
    State,
    first_day,
)
from crm_portfolio.results import Json, significant

__all__ = ["Moves"]

_YEAR = 12


@attrs.frozen(eq=False)
class Moves:
    """The moves between two closes a year apart.

    Attributes:
        counts: From each tier to each, and to lost.
        matrix: The same as shares, smoothed; None where there is no move to learn from.
    """

    was: State
    now: State
    counts: Groups
    matrix: Floats | None
    smoothing: float

    @classmethod
    def to(cls, history: History, end: int) -> Moves:
        """Those of the year up to a close."""
        was, now, k = history.at(end - _YEAR), history.at(end), history.tiers
        counts = formulas.counted(was.code, now.code, k)
        weight = history.settings.smoothing
        return cls(was, now, counts, formulas.smoothed(counts, weight), weight)

    @property
    def tiers(self) -> int:
        return len(self.counts)

    @property
    def lower(self) -> int:
        """The first tier of the lower half."""
        return (self.tiers + 1) // 2

    @property
    def sizes(self) -> Groups:
        """How many are in each tier now."""
        code = self.now.code
        return np.bincount(
            code[(code >= 0) & (code < self.tiers)], minlength=self.tiers
        )

    def leaving(self) -> dict[str, float]:
        """By tier: the chance to be lost within a year."""
        if self.matrix is None:
            return {}
        lost = self.matrix[:, -1].tolist()
        return {
            str(LETTERS[tier]): float(f"{share:.12g}")
            for tier, share in enumerate(lost)
        }

    def rising(self) -> Floats | None:
        """By tier of the lower half: the chance to move up within a year; NaN above.

        Drawn towards the base rate as the rows of the matrix are towards the pooled one.
        """
        base = self.base_rate()
        if base is None:
            return None
        weight, below = self.smoothing, self.counts[self.lower :]
        moved, sizes = self._moved_up(), below.sum(axis=1)
        rates = np.full(self.tiers, np.nan)
        rates[self.lower :] = np.divide(
            moved + weight * base,
            sizes + weight,
            out=np.full(moved.size, base),
            where=sizes + weight > 0,
        )
        return rates

    def base_rate(self) -> float | None:
        """How many of the lower half moved up, all together."""
        total = int(self.counts[self.lower :].sum())
        return int(self._moved_up().sum()) / total if total else None

    def _moved_up(self) -> Groups:
        moved: Groups = np.tril(self.counts, -1)[self.lower :].sum(axis=1)
        return moved

    def years(self) -> Floats:
        """By tier: expected years until an account is lost; NaN where none ever was."""
        if self.matrix is None:
            return np.full(self.tiers, np.nan)
        return formulas.years_to_loss(self.matrix)

    def told(self, before: Moves | None) -> dict[str, Json]:
        """The matrix, how it compares with the year ``before``, and who is not in it."""
        was, now, lost = self.was.code, self.now.code, self.tiers
        raw = formulas.shares(self.counts)
        return {
            "from_on": _close(self.was),
            "to_on": _close(self.now),
            "states": [*LETTERS[: self.tiers].tolist(), "lost"],
            "counts": self.counts.tolist(),
            "shares": [[significant(each) for each in row] for row in raw.tolist()],
            "smoothed": self._smoothed(),
            "row_counts": self.counts.sum(axis=1).tolist(),
            "new_count": int(((was == NEW) & (now >= 0) & (now < lost)).sum()),
            "returned_count": int(((was == lost) & (now >= 0) & (now < lost)).sum()),
            "moved_in_group_count": int(
                ((was >= 0) & (was < lost) & (now == MOVED)).sum()
            ),
            "under_contract_count": int(
                ((was >= 0) & (was < lost) & (now == AGREED)).sum()
            ),
            "mobility": None
            if self.matrix is None
            else significant(formulas.mobility(self.matrix)),
            "stability": _likeness(self, before),
        }

    def _smoothed(self) -> list[Json] | None:
        if self.matrix is None:
            return None
        return [[significant(each) for each in row] for row in self.matrix.tolist()]

    def ahead(self, years: int) -> list[Json]:
        """How many of those now in tiers are where, year after year; nobody new counted."""
        if self.matrix is None:
            return []
        found = formulas.projected(self.matrix, self.sizes.astype(np.float64), years)
        names = [*LETTERS[: self.tiers].tolist(), "lost"]
        rows: list[Json] = []
        for year, row in enumerate(found.tolist()):
            sizes = map(significant, row)
            rows.append({"year": year, **dict(zip(names, sizes, strict=True))})
        return rows

    def by_tier(self, history: History) -> list[dict[str, Any]]:
        """What a tier is now, and what becomes of who is in it."""
        sizes, sums = self.sizes, np.zeros(self.tiers, dtype=np.int64)
        is_in = (self.now.code >= 0) & (self.now.code < self.tiers)
        np.add.at(sums, self.now.code[is_in], self.now.revenue[is_in])
        up, years, leaving = self.rising(), self.years(), self.leaving()
        value = self._value(sums, history)
        return [
            {
                "tier": str(LETTERS[tier]),
                "account_count": int(sizes[tier]),
                "revenue": history.facts.amount(int(sums[tier])),
                "row_count": int(self.counts[tier].sum()),
                "leaving_rate": leaving.get(str(LETTERS[tier])),
                "up_rate": None if up is None else significant(float(up[tier])),
                "years_to_loss": significant(float(years[tier])),
                "present_value": significant(float(value[tier])),
            }
            for tier in range(self.tiers)
        ]

    def _value(self, sums: Groups, history: History) -> Floats:
        """Revenue of an average account from now on, discounted; NaN where unknown."""
        sizes = self.sizes
        if self.matrix is None or not sizes.all():
            return np.full(self.tiers, np.nan)
        return formulas.present_value(
            self.matrix[:, :-1],
            history.facts.money(sums) / sizes,
            history.settings.discount_share,
        )


def _close(state: State) -> str:
    return (first_day(state.month) - timedelta(days=1)).isoformat()


def _likeness(now: Moves, before: Moves | None) -> Mapping[str, Json] | None:
    found = None if before is None else formulas.unlike(before.counts, now.counts)
    if found is None:
        return None
    statistic, freedom, p = found
    return {
        "chi_square": significant(statistic),
        "degrees_of_freedom": freedom,
        "p": significant(p),
    }
