"""How sure is the Gini index, if other accounts had come as well as these?

Accounts are drawn again with replacement, as often as there are; the interval is that of
the percentiles. They are sorted once, into cells of neighbours: how many come from each
cell is multinomial, exactly. Where an account is a cell of its own, so is all the rest;
larger books have one such cell for each of their extremes, which the index depends on most,
and between them cells of many, whose sum is drawn as normal with the mean and variance of
its accounts.
"""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts, Floats, rising

__all__ = ["FEW", "gini_interval"]

FEW: Final = 30
"""Under so many accounts an interval would say nothing."""

_CELLS: Final = 4_096
_AT_ONCE: Final = 100


def gini_interval(
    amounts: Amounts, *, form: str, seed: int, draws: int, level: float = 0.95
) -> tuple[float, float] | None:
    """Percentile interval of the plain or ``rsv`` index; None under 30 accounts."""
    if amounts.size < FEW or form not in ("plain", "rsv"):
        return None
    cells = _Cells.of(rising(amounts))
    generator = np.random.default_rng(seed)
    found = [
        cells.drawn(generator, min(_AT_ONCE, draws - at), form)
        for at in range(0, draws, _AT_ONCE)
    ]
    drawn = np.concatenate(found)
    defined = drawn[np.isfinite(drawn)]
    if not defined.size:
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@attrs.frozen(eq=False)
class _Cells:
    """Neighbours in the order of their amounts, the smallest first.

    Attributes:
        gap: Mean difference between two accounts drawn from a cell.
    """

    size: Groups
    mean: Floats
    variance: Floats
    gap: Floats
    sign: Floats

    @classmethod
    def of(cls, ordered: Amounts, cells: int = _CELLS) -> _Cells:
        starts = _starts(ordered, cells)
        size = np.diff(np.append(starts, ordered.size))
        values = ordered.astype(np.float64)
        mean = np.add.reduceat(values, starts) / size
        apart = values - np.repeat(mean, size)
        place = np.arange(ordered.size) - np.repeat(starts, size)
        # Σ over pairs of their difference is Σ (2i − k − 1)·y, the i-th smallest of k.
        weights = 2 * place + 1 - np.repeat(size, size)
        pairs = np.add.reduceat(weights * apart, starts)
        return cls(
            size,
            mean,
            variance=np.add.reduceat(apart**2, starts) / size,
            gap=2 * pairs / size.astype(np.float64) ** 2,
            sign=np.sign(mean),
        )

    def drawn(self, generator: np.random.Generator, draws: int, form: str) -> Floats:
        """The index of so many books drawn again; infinite or NaN where it has none."""
        n = int(self.size.sum())
        count = generator.multinomial(n, self.size / n, size=draws)
        held = count * self.mean
        is_many = self.size > 1
        if is_many.any():
            spread = np.sqrt(count[:, is_many] * self.variance[is_many])
            held[:, is_many] += spread * generator.standard_normal(spread.shape)
        below = np.cumsum(count, axis=1)
        apart = (held * (2 * below - count - n)).sum(axis=1)
        apart += (count * (count - 1) / 2) @ self.gap
        total, mass = held.sum(axis=1), held @ self.sign
        if form == "rsv":
            over = np.where(mass > 0, (n - 1) * mass, np.nan)
        else:
            over = np.where(total > 0, n * total, np.nan)
        index: Floats = apart / over
        return index


def _starts(ordered: Amounts, cells: int) -> Groups:
    """Where cells begin: each account alone, or the extremes alone and the others not.

    No cell holds amounts of both signs, so that its sum has the sign of its accounts.
    """
    n = ordered.size
    if n <= cells:
        return np.arange(n)
    alone = cells // 4
    between = np.linspace(alone, n - alone, cells // 2 + 1).astype(np.int64)
    turns = np.searchsorted(ordered, [0, 1])
    starts = [np.arange(alone), between, np.arange(n - alone, n), turns[turns < n]]
    return np.unique(np.concatenate(starts))
