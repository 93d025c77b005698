"""Who bought what, when, for how much: which deals are planted, which are ordinary?"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

import attrs
import numpy as np

from crm_portfolio.samples import _names

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Deals", "drawn", "tenth"]

AS_OF: Final = date(2026, 6, 30)
START: Final = date(2025, 7, 1)
LAST_DAY: Final = (AS_OF - START).days
EPOCH: Final = (START - date(1970, 1, 1)).days

# Planted accounts by position: one too big, one group on four levels (member: parent),
# and some with one story each. Ordinary accounts follow.
GIANT: Final = 0
GROUP: Final = {1: None, 2: 1, 3: 1, 4: 2, 5: 4, 6: 2}
NEGATIVE, SWINGING, NEW, DORMANT = 7, 8, 9, 10
LOOP: Final = (11, 12)
TWINS: Final = (13, 14)
HOSTILE: Final = range(15, 15 + len(_names.HOSTILE))
FIRST_SELLING, FIRST_ORDINARY = 11, HOSTILE.stop
GIANT_SHARE, GROUP_SHARE = 24, 13  # percent of all that was won in the period
WON, LOST, OPEN = 0, 1, 2


@attrs.define(eq=False)
class Deals:
    """Opportunities while they are drawn, as whole numbers (positions, days, cents)."""

    account: NDArray[np.int64]  # -1: none
    status: NDArray[np.int64]
    cents: NDArray[np.int64]
    has_amount: NDArray[np.int64]
    closes: NDArray[np.int64]  # day it closed or should close, 0 = first of the period
    created: NDArray[np.int64]

    def revenue(self) -> NDArray[np.bool_]:
        """Which of them are net revenue of an account in the period."""
        inside = (self.closes >= 0) & (self.closes <= LAST_DAY)
        counted: NDArray[np.bool_] = inside & (self.status == WON) & (self.account >= 0)
        return counted


def drawn(chance: np.random.Generator, accounts: int, opportunities: int) -> Deals:
    """All deals of a book: the planted ones first, scaled to their share of the rest."""
    planted = _planted(chance)
    ordinary = _ordinary(chance, accounts, opportunities - len(planted.account))
    _soil(ordinary)
    _scale(planted, ordinary)
    pairs = zip(_arrays(planted), _arrays(ordinary), strict=True)
    return Deals(*(np.concatenate(pair) for pair in pairs))


def _arrays(deals: Deals) -> tuple[NDArray[np.int64], ...]:
    return attrs.astuple(deals, recurse=False)


def tenth(month: int) -> int:
    """The tenth day of a month counted from the period's first; before it: negative."""
    years, index = divmod(START.month - 1 + month, 12)
    return (date(START.year + years, index + 1, 10) - START).days


def _planted(chance: np.random.Generator) -> Deals:
    """The won deals of the planted accounts, before giant and group are scaled."""
    months = [*range(-12, 12), *range(12)]
    wins = [(GIANT, month, int(chance.integers(70, 131))) for month in months]
    wins += [
        (member, month, int(chance.integers(80, 121)))
        for member in GROUP
        for month in range(-11, 12, 3)
    ]
    wins += [
        (NEGATIVE, -5, 900_000),
        (NEGATIVE, 2, 450_000),
        (NEGATIVE, 7, -610_000),
    ]
    wins += [(SWINGING, month, 300_000) for month in range(12)]
    wins += [(SWINGING, 4, -512_345), (SWINGING, 9, -420_050)]
    wins += [(NEW, 10, 250_000), (NEW, 11, 120_000), (DORMANT, -9, 700_000)]
    account, month, cents = (np.array(column) for column in zip(*wins, strict=True))
    days = np.array([tenth(int(number)) for number in month])
    age = np.where(account == NEW, 12, chance.integers(30, 150, size=len(wins)))
    return Deals(
        account=account,
        status=np.full(len(wins), WON),
        cents=cents,
        has_amount=np.ones(len(wins), dtype=np.int64),
        closes=days + chance.integers(0, 10, size=len(wins)),
        created=days - age,
    )


def _ordinary(chance: np.random.Generator, accounts: int, count: int) -> Deals:
    """The deals of all others: a heavy tail over two years; some accounts sell nothing."""
    selling = accounts - accounts // 25 - FIRST_SELLING
    pull = np.cumsum(chance.lognormal(0.0, 1.0, selling))
    account = FIRST_SELLING + np.searchsorted(pull, chance.random(count) * pull[-1])
    status = np.searchsorted((0.46, 0.74), chance.random(count))
    closed = chance.integers(-400, LAST_DAY + 1, size=count)
    ahead = chance.integers(LAST_DAY - 60, LAST_DAY + 240, size=count)
    opened = chance.integers(LAST_DAY - 250, LAST_DAY - 60, size=count)
    is_open = status == OPEN
    return Deals(
        account=account,
        status=status,
        cents=chance.lognormal(8.6, 0.9, count).round(-1).astype(np.int64) * 100,
        has_amount=np.ones(count, dtype=np.int64),
        closes=np.where(is_open, ahead, closed),
        created=np.where(is_open, opened, closed - chance.integers(5, 200, size=count)),
    )


def _soil(deals: Deals) -> None:
    """Make some deals as dirty as real ones: no account, no amount, zero, closed later."""
    won, lost, opened = (np.flatnonzero(deals.status == code) for code in range(3))
    deals.account[lost[5::120]] = -1
    deals.account[opened[3::40]] = -1
    deals.has_amount[opened[7::25]] = 0
    deals.cents[lost[2::9]] = 0
    deals.cents[won[4::150]] = 0
    late = np.concatenate([won[11::400], lost[17::300]])
    deals.closes[late] = LAST_DAY + 30
    deals.created[late] = LAST_DAY - 45


def _scale(planted: Deals, ordinary: Deals) -> None:
    """Give the giant and the group their shares of all that was won, to the cent."""
    giant = planted.account == GIANT
    group = np.isin(planted.account, list(GROUP))
    rest = int(planted.cents[planted.revenue() & ~giant & ~group].sum())
    rest += int(ordinary.cents[ordinary.revenue()].sum())
    for rows, share in ((giant, GIANT_SHARE), (group, GROUP_SHARE)):
        total = rest * share // (100 - GIANT_SHARE - GROUP_SHARE)
        now = rows & planted.revenue()
        weights = planted.cents[rows]
        cents = total * (weights / planted.cents[now].sum()) // 1_000 * 1_000
        planted.cents[rows] = cents.astype(np.int64)
        planted.cents[np.flatnonzero(now)[-1]] += total - planted.cents[now].sum()
