"""Which of these candidates are worth the most together, in the room there is?

Sheet 4.4: the 0/1 knapsack, with room in several roles. All figures are whole numbers
(minor units, minutes), so that "the most" is exact: with one role by dynamic programming
on the minutes, with several by a search that leaves out only what cannot be better.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd

import attrs
import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._greedy import Items, Places, by_rate, filled
from crm_portfolio._methods._indices import Amounts
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._search import Search

__all__ = ["Choice", "best_choice", "greedy_choice"]

_EXACT_UP_TO = 200
_CELLS = 400_000_000
_BITS = 62
"""Of the table of minutes by candidate; beyond them it is searched instead."""


@attrs.frozen(eq=False)
class Choice:
    """What to take.

    Attributes:
        value: What it is worth together.
        bound: No choice is worth more; equal to the value where that is proved.
    """

    is_chosen: Flags
    value: int
    bound: int

    @property
    def is_best(self) -> bool:
        return self.bound == self.value


def best_choice(
    values: Amounts, needs: Groups, room: Groups, *, exact_up_to: int = _EXACT_UP_TO
) -> Choice:
    """The most valuable choice, up to so many candidates; beyond, a good one.

    ``needs`` has a row a candidate and a column a role. A good one is the best of several
    greedy choices, bettered by swaps, with the bound that tells how good.
    """
    items, chosen, open_ = _sorted_out(values, needs, room)
    bound = int(values[chosen].sum())
    for part, at in _parts(items):
        found = _of_part(part, is_exact=items.size <= exact_up_to)
        chosen[open_[at[found.is_chosen]]] = True
        bound += found.bound
    return Choice(chosen, int(values[chosen].sum()), bound)


def greedy_choice(values: Amounts, needs: Groups, room: Groups) -> Choice:
    """By value per hour alone, whatever fits: what the best choice is held against."""
    items, chosen, open_ = _sorted_out(values, needs, room)
    chosen[open_[filled(items, by_rate(items.values, items.needs.sum(axis=1)))]] = True
    return Choice(chosen, int(values[chosen].sum()), int(values[values > 0].sum()))


def _sorted_out(
    values: Amounts, needs: Groups, room: Groups
) -> tuple[Items, Flags, Places]:
    """The candidates to weigh, who is taken anyway, and the places of the former."""
    is_free = (values > 0) & (needs.sum(axis=1) == 0)
    is_open = (values > 0) & ~is_free & (needs <= room).all(axis=1)
    items = Items(values[is_open], needs[is_open], room)
    return items, is_free.copy(), np.flatnonzero(is_open)


def _parts(items: Items) -> Iterator[tuple[Items, Places]]:
    """Candidates that compete for the same roles, and where they stand.

    A role with room for all of them is no constraint; who needs no other competes with
    nobody.
    """
    is_tight = items.needs.sum(axis=0) > items.room
    needed = items.needs[:, is_tight] > 0
    label = np.arange(needed.shape[1])
    for row in _different(needed):
        joined = np.flatnonzero(row)
        if joined.size > 1:
            label[np.isin(label, label[joined])] = label[joined].min()
    at = np.full(items.size, -1)
    competes = np.flatnonzero(needed.any(axis=1))
    if competes.size:
        at[competes] = label[needed[competes].argmax(axis=1)]
    for each in np.unique(at):
        roles = np.zeros(items.room.size, dtype=bool)
        roles[np.flatnonzero(is_tight)[label == each]] = True
        yield items.only(at == each, roles), np.flatnonzero(at == each)


def _different(rows: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Each of them once, in order; as whole numbers they are found many times as fast."""
    count = rows.shape[1]
    if count > _BITS:
        return np.unique(rows, axis=0)
    bits = np.arange(count)[::-1]
    numbers = np.zeros(len(rows), dtype=np.int64)
    for column, bit in zip(rows.T, bits, strict=True):
        numbers |= column.astype(np.int64) << bit
    found: npt.NDArray[np.bool_] = (np.unique(numbers)[:, None] >> bits & 1) == 1
    return found


def _of_part(items: Items, *, is_exact: bool) -> Choice:
    if not items.room.size:
        everyone = np.ones(items.size, dtype=bool)
        return Choice(everyone, items.worth(everyone), items.worth(everyone))
    if is_exact and items.room.size == 1:
        unit = gcd(int(items.room[0]), *items.needs[:, 0].tolist())
        if items.size * (int(items.room[0]) // unit) <= _CELLS:
            return _by_minutes(items, unit)
    search = Search.of(items)
    if is_exact:
        search.run()
    return Choice(search.chosen, search.value, search.bound)


def _by_minutes(items: Items, unit: int) -> Choice:
    """Dynamic programming: the best value for each length of time, candidate by candidate."""
    needs, room = items.needs[:, 0] // unit, int(items.room[0]) // unit
    best = np.zeros(room + 1, dtype=np.int64)
    taken = []
    for value, need in zip(items.values, needs, strict=True):
        with_it = best[: room + 1 - need] + value
        is_better = with_it > best[need:]
        taken.append(np.packbits(is_better))
        best[need:] = np.where(is_better, with_it, best[need:])
    chosen, left = np.zeros(items.size, dtype=bool), room
    for at in range(items.size - 1, -1, -1):
        place = left - int(needs[at])
        if place >= 0 and taken[at][place >> 3] >> (7 - (place & 7)) & 1:
            chosen[at], left = True, place
    return Choice(chosen, items.worth(chosen), int(best[room]))
