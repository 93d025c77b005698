"""Is there a better choice than this one?"""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._greedy import Items, Places, best_of
from crm_portfolio._methods._indices import Amounts, Floats
from crm_portfolio._methods._ranking import Flags

__all__ = ["Search"]

_STATES = 10_000_000
"""How many partial choices a search may look at before it stops without a proof."""
_CHUNK = 20_000
_STEPS = 300
_WIDE = 2**60


@attrs.define(eq=False)
class Search:
    """The best choice so far, and what no choice can exceed.

    With a price for each role's minute, a candidate's surplus is its value less what its
    time costs at these prices. No choice exceeds the price of all room plus all positive
    surpluses; and what a choice lacks of it is the surpluses it goes against plus the
    price of the room it leaves. So only choices that lack less than the best so far need
    to be looked at. All is exact: prices are whole parts of a minor unit.
    """

    items: Items
    scale: int
    price: Amounts
    surplus: Amounts
    top: int
    chosen: Flags
    value: int
    is_done: bool = False

    @classmethod
    def of(cls, items: Items) -> Search:
        chosen = best_of(items, np.ones(items.room.size))
        price = _prices(items, items.worth(chosen))
        other = best_of(items, price)
        if items.worth(other) > items.worth(chosen):
            chosen = other
        scale = 1
        while scale < 1024 and 2 * scale * int(items.values.sum()) < _WIDE // 1024:
            scale *= 2
        whole = np.rint(price * scale).astype(np.int64)
        surplus = items.values * scale - items.needs @ whole
        top = int(whole @ items.room) + int(surplus[surplus > 0].sum())
        return cls(items, scale, whole, surplus, top, chosen, items.worth(chosen))

    @property
    def bound(self) -> int:
        return self.value if self.is_done else max(self.value, self.top // self.scale)

    @property
    def may_lack(self) -> int:
        """What a better choice lacks of the top, at the most."""
        return self.top - (self.value + 1) * self.scale

    def run(self) -> None:
        """Look at all that can be better, most telling candidates first."""
        if self.may_lack < 0:
            self.is_done = True
            return
        weight = np.abs(self.surplus)
        core = np.flatnonzero(weight <= self.may_lack)
        core = core[np.argsort(-weight[core], kind="stable")]
        fixed = self.surplus > 0
        fixed[core] = False
        self._go_through(core, fixed, _Ahead.of(self, core))

    def _go_through(self, core: Places, fixed: Flags, ahead: _Ahead) -> None:
        items = self.items
        start = _States(
            lack=np.zeros(1, dtype=np.int64),
            left=items.left(fixed)[None, :],
            picks=np.zeros((1, core.size), dtype=bool),
        )
        waiting, seen = [(0, start)] if (start.left >= 0).all() else [], 0
        while waiting:
            level, states = waiting.pop()
            states = states.taken(ahead.lack(level, states) <= self.may_lack)
            seen += states.size
            if seen > _STATES:
                return
            if not states.size:
                continue
            if level == core.size:
                self._settle(core, fixed, states)
                continue
            at = int(core[level])
            grown = states.grown(level, int(self.surplus[at]), items.needs[at])
            waiting += [(level + 1, each) for each in grown.in_chunks()]
        self.is_done = True

    def _settle(self, core: Places, fixed: Flags, states: _States) -> None:
        lack = states.lack + states.left @ self.price
        best = int(np.argmin(lack))
        if lack[best] <= self.may_lack:
            chosen = fixed.copy()
            chosen[core[states.picks[best]]] = True
            self.chosen, self.value = chosen, self.items.worth(chosen)


@attrs.frozen(eq=False)
class _States:
    """Partial choices: what each lacks so far, the room it leaves, and what it took."""

    lack: Amounts
    left: Groups
    picks: npt.NDArray[np.bool_]

    @property
    def size(self) -> int:
        return int(self.lack.size)

    def taken(self, which: npt.NDArray[np.bool_]) -> _States:
        if which.all():
            return self
        return _States(self.lack[which], self.left[which], self.picks[which])

    def grown(self, level: int, surplus: int, need: Groups) -> _States:
        """Each without the candidate, and with it where it fits."""
        fits = (self.left >= need).all(axis=1)
        picks = self.picks[fits].copy()
        picks[:, level] = True
        return _States(
            np.concatenate(
                [self.lack + max(surplus, 0), self.lack[fits] + max(-surplus, 0)]
            ),
            np.concatenate([self.left, self.left[fits] - need]),
            np.concatenate([self.picks, picks]),
        )

    def in_chunks(self) -> Iterator[_States]:
        """The most promising last, since the last is looked at first."""
        if self.size <= _CHUNK:
            yield self
            return
        order = np.argsort(-self.lack, kind="stable")
        for each in np.array_split(order, -(-self.size // _CHUNK)):
            yield _States(self.lack[each], self.left[each], self.picks[each])


@attrs.frozen(eq=False)
class _Ahead:
    """What the candidates still to come will cost a partial choice at the least.

    Attributes:
        needs: By level, of all candidates from it on; what they leave unused costs.
        wanted: By level, of those from it on with a positive surplus.
        cheapest: By level and role: minutes given up, and the least surplus that goes
            with them.
    """

    price: Amounts
    needs: Groups
    wanted: Groups
    cheapest: tuple[tuple[tuple[Floats, Floats], ...], ...]

    @classmethod
    def of(cls, search: Search, core: Places) -> _Ahead:
        needs, surplus = search.items.needs[core], search.surplus[core]
        wanted = np.where(surplus[:, None] > 0, needs, 0)
        levels = range(core.size + 1)
        roles = range(needs.shape[1])
        return cls(
            search.price,
            _from_here_on(needs),
            _from_here_on(wanted),
            tuple(
                tuple(_cheapest(surplus[level:], needs[level:, role]) for role in roles)
                for level in levels
            ),
        )

    def lack(self, level: int, states: _States) -> Amounts:
        """At the least, of the finished choices that these become."""
        unused = np.maximum(states.left - self.needs[level], 0) @ self.price
        excess = self.wanted[level] - states.left
        least = np.zeros(states.size)
        for role, (minutes, cost) in enumerate(self.cheapest[level]):
            np.maximum(least, np.interp(excess[:, role], minutes, cost), out=least)
        # A hair less than computed, so that no rounding makes it more than it is.
        whole = np.floor(least * (1 - 1e-9)).astype(np.int64)
        ahead: Amounts = states.lack + np.maximum(whole, unused)
        return ahead


def _from_here_on(needs: Groups) -> Groups:
    summed = np.zeros((len(needs) + 1, needs.shape[1]), dtype=np.int64)
    summed[:-1] = np.cumsum(needs[::-1], axis=0)[::-1]
    return summed


def _cheapest(surplus: Amounts, needs: Groups) -> tuple[Floats, Floats]:
    """Giving up time, the least surplus for a minute first: minutes and cost, summed."""
    can = (surplus > 0) & (needs > 0)
    surplus, needs = surplus[can], needs[can]
    order = np.argsort(surplus / needs, kind="stable")
    return (
        np.concatenate([[0.0], np.cumsum(needs[order])]),
        np.concatenate([[0.0], np.cumsum(surplus[order])]),
    )


def _prices(items: Items, reached: int) -> Floats:
    """What a minute of each role is worth, so that the top comes down as far as it can.

    Subgradient steps of Polyak's length; any prices give a valid top, better ones a lower
    one.
    """
    values, needs, room = (
        items.values.astype(float),
        items.needs.astype(float),
        items.room.astype(float),
    )
    price = np.full(room.size, values.sum() / needs.sum())
    best, least, reach = price, np.inf, 1.5
    for step in range(_STEPS):
        surplus = values - needs @ price
        top = float(price @ room + surplus[surplus > 0].sum())
        if top < least:
            best, least = price, top
        slope = room - (surplus > 0).astype(float) @ needs  # whole minutes: exact
        length = float(slope @ slope)
        if length == 0:
            break
        if step % 20 == 19:
            reach /= 1.5
        price = np.maximum(
            price - reach * max(top - reached, 0.0) / length * slope, 0.0
        )
    return best
