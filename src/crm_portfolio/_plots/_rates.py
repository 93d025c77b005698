"""How do two rates compare, place by place, and how sure is each of them?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from crm_portfolio._plots._axes import (
    BAR,
    INK,
    SECOND_BAR,
    Words,
    legend_outside,
    name_places,
    one_axis,
    say_instead,
)
from crm_portfolio._wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Rates", "paired_ranges"]

Rates: TypeAlias = Sequence[tuple[float, float, float]]
"""In per cent: each rate with where it may lie at least and at most; NaN unknown."""

_BESIDE: Final = 0.14
_LOOKS: Final = (("o", INK), ("s", SECOND_BAR))


def paired_ranges(
    ax: Axes, *, names: Sequence[str], series: Mapping[str, Rates], words: Words
) -> Axes:
    """Two marks a place, full and hollow, each on the line of what it may be."""
    if not names:
        return say_instead(ax, words.nothing)
    for at, ((label, rates), (mark, fill)) in enumerate(
        zip(series.items(), _LOOKS, strict=False)
    ):
        beside = _BESIDE * (2 * at - 1)
        places = [place + beside for place in range(len(names))]
        middles, lows, highs = zip(*rates, strict=True)
        ax.vlines(places, lows, highs, color=BAR, linewidth=3)
        ax.plot(
            places, middles, mark, color=INK, mfc=fill, ms=6, linewidth=0, label=label
        )
        for place, middle in zip(places, middles, strict=True):
            if middle == middle:  # noqa: PLR0124 - NaN is unknown
                ax.annotate(
                    number(middle, words.lang),
                    (place, middle),
                    (6 * (2 * at - 1), 0),
                    textcoords="offset points",
                    ha="left" if at else "right",
                    va="center",
                    fontsize=8,
                )
    name_places(ax, names)
    one_axis(ax, words)
    ax.set_xlim(-0.6, len(names) - 0.4)
    ax.set_ylim(0, 105)
    legend_outside(ax)
    return ax
