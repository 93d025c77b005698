"""By which rule is a ranking cut into tiers, and where does each tier begin?

What a person chooses between; `_cuts` has the arithmetic.
"""

from __future__ import annotations

from decimal import Decimal
from string import ascii_uppercase
from typing import Any, Literal, TypeAlias, get_args

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm_portfolio._methods import _breaks, _cuts
from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts, Floats
from crm_portfolio.errors import SettingsError, did_you_mean

__all__ = [
    "Abc",
    "Bands",
    "Cut",
    "Method",
    "NaturalBreaks",
    "Quantiles",
    "Slices",
    "cut",
]


LETTERS = np.array([*ascii_uppercase], dtype=object)
"""The names of tiers, best first."""


def _is_count(_: object, field: attrs.Attribute[int], value: int) -> None:
    if not 1 <= value <= len(ascii_uppercase):
        raise SettingsError(
            f"{field.name} is a number of tiers from 1 to 26, not {value}"
        )


@attrs.frozen
class Slices:
    """Tiers of about equal revenue, the largest accounts first.

    Attributes:
        count: How many tiers.
    """

    count: int = attrs.field(default=4, validator=_is_count)

    @property
    def tier_count(self) -> int:
        return self.count

    def cut(self, descending: Amounts) -> Groups:
        return _cuts.slices(descending, self.count)


@attrs.frozen
class Bands:
    """Fixed bands of revenue an account; an amount on an edge is in the upper band.

    Attributes:
        edges: Where each tier but the last begins, in units of the currency.
    """

    edges: tuple[float, ...] = attrs.field(converter=tuple)

    @edges.validator
    def _fall(self, _: object, edges: tuple[float, ...]) -> None:
        if not edges or any(edge <= 0 for edge in edges) or len(edges) > 25:
            raise SettingsError("bands need 1 to 25 edges, all above 0")
        if list(edges) != sorted(set(edges), reverse=True):
            raise SettingsError("the edges of bands go from the highest to the lowest")

    @property
    def tier_count(self) -> int:
        return len(self.edges) + 1

    def minor(self, digits: int) -> list[int]:
        """The edges in minor units; a finer edge is met by the next unit up."""
        exact = (Decimal(str(edge)).scaleb(digits) for edge in self.edges)
        return [int(edge.to_integral_value("ROUND_CEILING")) for edge in exact]


@attrs.frozen
class Abc:
    """Tiers by the share of revenue that the accounts before each one hold.

    The account that crosses a line stays in the better tier.

    Attributes:
        a_share: Of the revenue that tier A holds.
        b_share: Of the revenue that tiers A and B hold.
    """

    a_share: float = 0.80
    b_share: float = 0.95

    def __attrs_post_init__(self) -> None:
        if not 0 < self.a_share < self.b_share < 1:
            raise SettingsError("a_share and b_share rise between 0 and 1")

    @property
    def tier_count(self) -> int:
        return 3

    def cut(self, descending: Amounts) -> Groups:
        return _cuts.by_share(descending, (self.a_share, self.b_share))


@attrs.frozen
class Quantiles:
    """Tiers of about equal number; equal revenues go to the better one.

    Attributes:
        count: How many tiers.
    """

    count: int = attrs.field(default=4, validator=_is_count)

    @property
    def tier_count(self) -> int:
        return self.count

    def cut(self, descending: Amounts) -> Groups:
        return _cuts.by_rank(descending, self.count)


Scale: TypeAlias = Literal["log", "raw"]


def _is_scale(_: object, __: attrs.Attribute[str], value: str) -> None:
    if value not in get_args(Scale):
        hint = did_you_mean(value, get_args(Scale))
        raise SettingsError(f"scale is 'log' or 'raw', not {value!r}{hint}")


@attrs.frozen
class NaturalBreaks:
    """Tiers as revenue falls apart by itself: as little scatter within each as can be.

    Attributes:
        count: How many tiers.
        scale: ``log``: an account that brings twice as much is as far away wherever it
            stands. ``raw``: distances are amounts, and the largest often stand alone.
    """

    count: int = attrs.field(default=4, validator=_is_count)
    scale: Scale = attrs.field(default="log", validator=_is_scale)

    @property
    def tier_count(self) -> int:
        return self.count

    def cut(self, descending: Amounts) -> Groups:
        return _breaks.natural_breaks(self._scaled(descending), self.count)

    def goodness_of_fit(self, descending: Amounts, group: Groups) -> float | None:
        """The part of all scatter that lies between the tiers; None without scatter."""
        return _breaks.goodness_of_fit(self._scaled(descending), group)

    def _scaled(self, descending: Amounts) -> Floats:
        amounts = descending.astype(np.float64)
        return np.log(amounts) if self.scale == "log" else amounts


Method: TypeAlias = Slices | Bands | Abc | Quantiles | NaturalBreaks


@attrs.frozen(eq=False)
class Cut:
    """A ranking cut into tiers.

    Attributes:
        amounts: Largest first.
        group: The tier of each, 0 for the best.
        edge: Where each tier begins; None where it has no account, or no beginning.
        is_fixed: Whether the edges were given, not found.
        fit: How much of the scatter lies between tiers; None where that is no aim.
    """

    amounts: Amounts
    group: Groups
    edge: tuple[int | None, ...]
    is_fixed: bool
    fit: float | None = None

    @property
    def made(self) -> int:
        return len(self.edge)

    @property
    def total(self) -> int:
        return int(self.amounts.sum())

    @property
    def imbalance(self) -> float | None:
        """How far the furthest tier is from an equal part, as a share of the total."""
        total, made = self.total, self.made
        furthest = max(
            (abs(int(each) * made - total) for each in self.sums()), default=0
        )
        return furthest / (total * made) if total else None

    def better(self) -> Groups:
        """For each tier the next one up that begins somewhere; -1 for the top."""
        found, last = [], -1
        for group, edge in enumerate(self.edge):
            found.append(last)
            last = last if edge is None else group
        return np.array(found, dtype=np.int64)

    def has_worse(self) -> npt.NDArray[np.bool_]:
        """For each tier whether its accounts can move down."""
        below = [
            any(self.is_fixed or each is not None for each in self.edge[group + 1 :])
            for group in range(self.made)
        ]
        return np.array(below, dtype=bool)

    def own_edge(self) -> Amounts:
        """Of each account: where its tier begins; 0 where that has no beginning."""
        return np.array([edge or 0 for edge in self.edge], dtype=np.int64)[self.group]

    def edge_above(self) -> Amounts:
        """Of each account: where the next tier up begins; 0 for the top."""
        above = [0 if up < 0 else self.edge[up] or 0 for up in self.better()]
        return np.array(above, dtype=np.int64)[self.group]

    def sums(self) -> Amounts:
        """What each tier holds."""
        sums = np.zeros(self.made, dtype=np.int64)
        np.add.at(sums, self.group, self.amounts)
        return sums

    def sizes(self) -> Groups:
        return np.bincount(self.group, minlength=self.made).astype(np.int64)

    def held_before(self) -> Amounts:
        """What all with a larger amount hold."""
        until = np.concatenate([[0], np.cumsum(self.amounts)])
        return until[_cuts.competition_ranks(self.amounts) - 1]


def standing(cut: Cut, places: Groups, count: int, digits: int) -> dict[str, pa.Array]:
    """Rank, share and distance to the edges, as columns of all ``count`` accounts.

    Those that are not at ``places``, where the accounts of the cut stand, are null.
    """
    unit, total = 10**digits, max(cut.total, 1)
    below, above = cut.own_edge(), cut.edge_above()
    has_below, has_above = below > 0, above > 0
    everyone = np.ones(cut.amounts.size, dtype=bool)

    def placed(values: npt.NDArray[Any], known: npt.NDArray[np.bool_]) -> pa.Array:
        full, mask = np.zeros(count, dtype=values.dtype), np.ones(count, dtype=bool)
        full[places], mask[places] = values, ~known
        return pa.array(full, mask=mask)

    return {
        "rank": placed(_cuts.competition_ranks(cut.amounts), everyone),
        "share": placed(cut.amounts / total, everyone),
        "share_before": placed(cut.held_before() / total, everyone),
        "lower_edge": placed(below / unit, has_below),
        "margin": placed((cut.amounts - below) / unit, has_below),
        "has_worse": placed(cut.has_worse()[cut.group], everyone),
        "better": pa.array(LETTERS).take(
            placed(np.maximum(cut.better(), 0)[cut.group], has_above)
        ),
        "edge_above": placed(above / unit, has_above),
        "gap": placed((above - cut.amounts) / unit, has_above),
    }


def cut(method: Method, descending: Amounts, digits: int) -> Cut:
    """Cut a ranking by a rule; ``digits`` of the minor unit turn edges into it."""
    if isinstance(method, Bands):
        edges = method.minor(digits)
        return Cut(
            descending, _cuts.bands(descending, edges), (*edges, None), is_fixed=True
        )
    group = method.cut(descending)
    # These make no empty tier, but may make fewer; other rules say how many there are.
    is_open = isinstance(method, Slices | NaturalBreaks)
    filled = int(group.max()) + 1 if group.size else 0
    made = filled if is_open else method.tier_count
    lowest = {
        int(each): int(descending[group == each][-1]) for each in np.unique(group)
    }
    edge = tuple(lowest.get(each) for each in range(made))
    fit = None
    if isinstance(method, NaturalBreaks):
        fit = method.goodness_of_fit(descending, group)
    return Cut(descending, group, edge, is_fixed=False, fit=fit)
