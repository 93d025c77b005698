"""What fits, best rate first, and what is it worth to swap one for another?"""

from __future__ import annotations

from typing import Any, TypeAlias

import attrs
import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts, Floats
from crm_portfolio._methods._ranking import Flags

__all__ = ["Items", "Places", "best_of", "by_rate", "filled"]

Places: TypeAlias = npt.NDArray[np.int64]

_PAIRS = 100_000
"""How many swaps are weighed at a time."""


@attrs.frozen(eq=False)
class Items:
    """Candidates that may be taken: each fits alone, and is worth something."""

    values: Amounts
    needs: Groups
    room: Groups

    @property
    def size(self) -> int:
        return int(self.values.size)

    def worth(self, chosen: Flags) -> int:
        return int(self.values[chosen].sum())

    def left(self, chosen: Flags) -> Groups:
        free: Groups = self.room - self.needs[chosen].sum(axis=0)
        return free

    def only(self, kept: Flags, roles: Flags) -> Items:
        return Items(self.values[kept], self.needs[kept][:, roles], self.room[roles])


def best_of(items: Items, price: Floats) -> Flags:
    """The best of four greedy choices, each bettered by swaps."""
    scarce = items.needs / np.maximum(items.room, 1)
    plain = by_rate(items.values, items.needs.sum(axis=1))
    orders = (
        plain,
        by_rate(items.values, scarce.sum(axis=1)),
        by_rate(items.values, np.maximum(items.needs @ price, 1e-12)),
        np.argsort(-items.values, kind="stable"),
    )
    found = [_swapped(items, filled(items, order), plain) for order in orders]
    return max(found, key=items.worth)


def by_rate(values: Amounts, weights: npt.NDArray[Any]) -> Places:
    """Places by value for weight, best first; equal ones in their order."""
    with np.errstate(divide="ignore"):
        return np.argsort(-(values / weights), kind="stable")


def filled(items: Items, order: Places) -> Flags:
    """Take in this order whatever still fits.

    As many at a time as fit one after the other; who does not fit now never will.
    """
    chosen = np.zeros(items.size, dtype=bool)
    left = items.room.copy()
    while order.size:
        fits = np.cumsum(items.needs[order], axis=0) <= left
        stop = int(np.argmin(np.append(fits.all(axis=1), values=False)))
        chosen[order[:stop]] = True
        left -= items.needs[order[:stop]].sum(axis=0)
        order = order[stop + 1 :]
        order = order[(items.needs[order] <= left).all(axis=1)]
    return chosen


def _swapped(items: Items, chosen: Flags, order: Places) -> Flags:
    """One for another while that is worth more, and whatever then still fits.

    Args:
        order: `by_rate`, of all that each needs.
    """
    chosen = chosen.copy()
    while (pair := _best_swap(items, chosen, order)) is not None:
        into, out = pair
        chosen[into], chosen[out] = True, False
        left = items.left(chosen)
        rest = order[~chosen[order]]
        rest = rest[(items.needs[rest] <= left).all(axis=1)]
        chosen |= filled(Items(items.values, items.needs, left), rest)
    return chosen


def _best_swap(items: Items, chosen: Flags, order: Places) -> tuple[int, int] | None:
    """Who comes in and who goes out, where that gains something."""
    outs = np.flatnonzero(chosen)
    # With very many candidates, those of the best rate are tried.
    ins = order[~chosen[order]][: _PAIRS // max(1, outs.size)]
    gain = items.values[ins][:, None] - items.values[outs][None, :]
    left = items.left(chosen)
    for role in range(items.room.size):
        more = items.needs[ins, role][:, None] - items.needs[outs, role][None, :]
        gain[more > left[role]] = 0
    if not gain.size or gain.max() <= 0:
        return None
    into, out = np.unravel_index(int(np.argmax(gain)), gain.shape)
    return int(ins[into]), int(outs[out])
