"""Do odds come true, group by group?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from crm_portfolio._plots._axes import BAR, INK, Words, one_axis, say_instead
from crm_portfolio._wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["reliability"]


def reliability(
    ax: Axes,
    *,
    said: Sequence[float],
    came: Sequence[float],
    lows: Sequence[float],
    highs: Sequence[float],
    labels: tuple[str, str],
    words: Words,
) -> Axes:
    """What came against what was said, with the span it may be, beside the diagonal.

    Args:
        labels: What the marks are called, and what the diagonal.
    """
    if not said:
        return say_instead(ax, words.nothing)
    top = max(*said, *highs) * 1.05
    ax.plot([0, top], [0, top], "--", color=INK, linewidth=1.0, label=labels[1])
    ax.vlines(said, lows, highs, color=BAR, linewidth=5)
    ax.plot(said, came, "o", color=INK, markersize=5, label=labels[0])
    one_axis(ax, words)
    ax.xaxis.set_major_formatter(lambda value, _: number(value, words.lang))
    ax.set_xlim(0, top)
    ax.set_ylim(0, top)
    ax.legend(loc="upper left", frameon=False, fontsize=9)
    return ax
