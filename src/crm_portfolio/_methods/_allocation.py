"""How are hours shared out, and who takes more of them than it brings?

Hours are whole minutes, so that the parts add up to the whole. Formulas: sheet 2.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats

__all__ = [
    "affordable",
    "by_group",
    "by_value",
    "intensity",
    "whole",
    "within",
]


def by_group(
    total: int, sizes: Sequence[int], floor: int = 0
) -> tuple[list[Fraction], list[bool]] | None:
    """Minutes of each group, equal but for the floor, and which groups stand on it.

    A group whose equal part would give its accounts less than the floor gets the floor for
    each; the others make room in proportion, until none is under it. Empty groups get
    nothing.

    Args:
        total: Minutes for all.
        sizes: How many accounts each group has.
        floor: Minutes that no account goes below.

    Returns:
        None where the floor of all is more than the total.
    """
    if floor * sum(sizes) > total:
        return None
    floored = [False] * len(sizes)
    while True:
        free = [at for at, size in enumerate(sizes) if size and not floored[at]]
        left = total - sum(
            floor * sizes[at] for at, is_on in enumerate(floored) if is_on
        )
        part = Fraction(left, len(free)) if free else Fraction(0)
        under = [at for at in free if part < floor * sizes[at]]
        if not under:
            break
        for at in under:
            floored[at] = True
    parts = [
        Fraction(floor * size) if is_on else part if size else Fraction(0)
        for size, is_on in zip(sizes, floored, strict=True)
    ]
    return parts, floored


def whole(parts: Sequence[Fraction]) -> list[int]:
    """Whole numbers with the same sum (which is whole): the largest remainders round up.

    Equal remainders: the first ones do.
    """
    down = [part.numerator // part.denominator for part in parts]
    missing = int(sum(parts, Fraction(0))) - sum(down)
    order = sorted(range(len(parts)), key=lambda at: (down[at] - parts[at], at))
    for at in order[:missing]:
        down[at] += 1
    return down


def within(minutes: int, size: int) -> Groups:
    """The minutes of a group among its accounts, equal but for one: the first get it."""
    each = np.full(size, minutes // size if size else 0, dtype=np.int64)
    each[: minutes % size if size else 0] += 1
    return each


def by_value(total: int, values: Floats, minutes: Groups) -> Groups:
    """Minutes to those that bring most for their time first, as many as they take.

    The last of them gets what is left; who brings nothing gets none. Equal rates: in
    their order.
    """
    rate = values / np.maximum(minutes, 1)
    order = np.argsort(-rate, kind="stable")
    wanted = np.where(values > 0, minutes, 0)[order]
    before = np.cumsum(wanted) - wanted
    given = np.zeros(minutes.size, dtype=np.int64)
    given[order] = np.clip(total - before, 0, wanted)
    return given


def affordable(total: int, count: int) -> Fraction | None:
    """The highest floor there is enough for."""
    return Fraction(total, count) if count else None


def intensity(hours_share: float | None, revenue_share: float | None) -> float | None:
    """Share of the hours over share of the revenue: above 1 it takes more than it brings."""
    if hours_share is None or revenue_share is None or revenue_share <= 0:
        return None
    return hours_share / revenue_share
