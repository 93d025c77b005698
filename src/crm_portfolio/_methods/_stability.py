"""Has an account earned its move, or does it only waver about an edge?

Sheet 2.5 with its amendments: edges are those of a close; an account moves when it is
beyond an edge by more than the band, at so many closes in a row, and so many months after
its last move. First it takes the place that the cut gives it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any, Final, Literal, TypeAlias

import attrs
import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts, part
from crm_portfolio.errors import SettingsError

__all__ = ["Close", "Every", "Replay", "Rule"]

Every: TypeAlias = Literal["month", "quarter"]
_NOWHERE: Final = np.iinfo(np.int64).max
_NEVER: Final = np.iinfo(np.int64).min // 2


def _is_count(_: object, field: attrs.Attribute[int], value: int) -> None:
    if value < (1 if field.name == "closes" else 0):
        raise SettingsError(f"stability.{field.name} cannot be {value}")


@attrs.frozen
class Rule:
    """What it takes to move.

    Attributes:
        band_share: How far beyond an edge, as a share of the edge.
        closes: At how many closes in a row.
        dwell_months: How many months after the account's last move.
    """

    band_share: float = attrs.field(default=0.10)
    closes: int = attrs.field(default=2, validator=_is_count)
    dwell_months: int = attrs.field(default=3, validator=_is_count)

    @band_share.validator
    def _is_share(self, _: object, value: float) -> None:
        if not 0 <= value < 1:
            raise SettingsError(
                f"stability.band_share is a share below 1, such as 0.1, not {value}"
            )


@attrs.frozen(eq=False)
class Close:
    """The books at one close.

    Attributes:
        month: Counted from any fixed month, so that differences are months.
        amounts: Of every account, in minor units.
        group: The tier the cut gives each, 0 for the best; -1 outside the rule.
        is_known: Not so where an account's revenue is unknown: it then stays where it is.
        edges: Where each tier begins; None where no account shows it.
    """

    month: int
    amounts: Amounts
    group: Groups
    is_known: npt.NDArray[np.bool_]
    edges: Sequence[int | None]


@attrs.define(eq=False)
class Replay:
    """The tiers of all accounts, taken from close to close.

    Attributes:
        tier: 0 for the best; -1 outside the rule.
        before: The same at the close before.
        since: Month of the close at which each came into its tier.
        pending: The tier that an account is on its way to; its own where there is none.
        streak: At how many closes in a row it has been beyond the band.
        moves: Moves of accounts from tier to tier; ``raw_moves`` by the cut alone.
    """

    rule: Rule
    tier: Groups
    before: Groups
    since: Groups
    pending: Groups
    streak: Groups
    moves: int = 0
    raw_moves: int = 0
    close_count: int = 0
    _moved: Groups = attrs.field(init=False)
    _raw: Groups = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._moved = np.full(self.tier.size, _NEVER, dtype=np.int64)
        self._raw = self.tier.copy()

    @classmethod
    def of(cls, rule: Rule, count: int) -> Replay:
        """Nobody is anywhere yet."""
        outside = np.full(count, -1, dtype=np.int64)
        nothing = np.zeros(count, dtype=np.int64)
        return cls(
            rule,
            tier=outside.copy(),
            before=outside.copy(),
            since=nothing.copy(),
            pending=outside.copy(),
            streak=nothing.copy(),
        )

    def at(self, close: Close) -> None:
        """Go on to the next close."""
        self.close_count += 1
        self.before = self.tier.copy()
        is_in, was_in = close.group >= 0, self.tier >= 0
        self._leave(close.is_known & ~is_in & was_in, close.month)
        self._enter(is_in & ~was_in, close)
        self._consider(is_in & was_in, close)
        both = is_in & (self._raw >= 0)
        self.raw_moves += int((close.group[both] != self._raw[both]).sum())
        self._raw = np.where(close.is_known, close.group, self._raw)

    def _leave(self, who: npt.NDArray[np.bool_], month: int) -> None:
        self.tier[who], self.since[who], self._moved[who] = -1, month, _NEVER
        self.pending[who], self.streak[who] = -1, 0

    def _enter(self, who: npt.NDArray[np.bool_], close: Close) -> None:
        self.tier[who] = self.pending[who] = close.group[who]
        self.since[who], self.streak[who] = close.month, 0

    def _consider(self, who: npt.NDArray[np.bool_], close: Close) -> None:
        """Everyone who could stay or move, by the edges of this close."""
        places = np.flatnonzero(who)
        here, amounts = self.tier[places], close.amounts[places]
        up, down = _targets(amounts, close.edges, self.rule.band_share)
        target = np.where(up < here, up, np.where(down > here, down, here))
        self._count(places, here, target)
        has_stayed = close.month - self._moved[places] >= self.rule.dwell_months
        is_due = (self.streak[places] >= self.rule.closes) & has_stayed
        due = places[is_due]
        self.tier[due] = self.pending[due]
        self.since[due] = self._moved[due] = close.month
        self.streak[due] = 0
        self.moves += int(due.size)

    def _count(self, places: Groups, here: Groups, target: Groups) -> None:
        """Closes in a row on one side; the way goes as far as all of them agree."""
        last = np.sign(self.pending[places] - here)
        way = np.sign(target - here)
        goes_on = (way != 0) & (way == last)
        nearer = np.where(
            way < 0,
            np.maximum(self.pending[places], target),
            np.minimum(self.pending[places], target),
        )
        self.streak[places] = np.where(
            goes_on, self.streak[places] + 1, np.where(way != 0, 1, 0)
        )
        self.pending[places] = np.where(goes_on, nearer, target)


def _targets(
    amounts: Amounts, edges: Sequence[int | None], band: float
) -> tuple[Groups, Groups]:
    """The tier each could rise to, and the one it could fall to, by band-widened edges."""
    found = _edges(edges)
    up = np.array([_widened(edge, 1 + part(1, band)) for edge in found], np.int64)
    down = np.array([_widened(edge, 1 - part(1, band)) for edge in found], np.int64)
    return _below(amounts, up), _below(amounts, down)


def _edges(edges: Sequence[int | None]) -> list[int]:
    """Between each tier and the next; one that nobody shows lies where the better's does."""
    found, last = [], _NOWHERE
    for edge in edges[:-1]:
        last = last if edge is None else edge
        found.append(last)
    return found


def _widened(edge: int, factor: Any) -> int:
    return edge if edge == _NOWHERE else ceil(edge * factor)


def _below(amounts: Amounts, falling: npt.NDArray[np.int64]) -> Groups:
    """How many of these falling edges each amount is below."""
    places = np.searchsorted(falling[::-1], amounts, side="right")
    return (falling.size - places).astype(np.int64)
