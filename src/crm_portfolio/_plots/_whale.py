"""How does profit add up, from the account that makes most of it to the one that eats most?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from crm_portfolio._plots._axes import BAR, INK, Words, one_axis, say_instead
from crm_portfolio._wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["whale"]


def whale(
    ax: Axes,
    *,
    places: Sequence[float],
    heights: Sequence[float],
    peak: tuple[float, float],
    words: Words,
) -> Axes:
    """A curve that rises to its peak and falls to what is left; both are numbered."""
    if len(places) < 2:
        return say_instead(ax, words.nothing)
    mark = "o" if len(places) <= _MARKED else None
    ax.fill_between(places, heights, color=BAR, alpha=0.35, linewidth=0)
    ax.plot(places, heights, color=INK, marker=mark, markersize=3, linewidth=1.6)
    end = (places[-1], heights[-1])
    for level in {peak[1], end[1]}:
        ax.axhline(level, color=INK, linewidth=0.8, linestyle=":")
    # What is reached is told over the curve, what is left of it below its end.
    for (place, height), beside, align in (
        (peak, (0, 5), "center"),
        (end, (4, -4), "left"),
    ):
        ax.annotate(
            number(height, words.lang),
            (place, height),
            beside,
            textcoords="offset points",
            ha=align,
            va="top" if align == "left" else "bottom",
            fontsize=9,
        )
    ax.plot([peak[0], end[0]], [peak[1], end[1]], "o", color=INK, markersize=6)
    one_axis(ax, words)
    ax.xaxis.set_major_formatter(lambda value, _: number(value, words.lang))
    low, high = min(0.0, *heights), max(1.0, *heights)
    ax.set_xlim(0, places[-1] * 1.08)
    ax.set_ylim(low * 1.12, high * 1.15)
    return ax


_MARKED = 60
