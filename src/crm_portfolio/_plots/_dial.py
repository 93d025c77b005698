"""How much of all weightings say what of each account?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from crm_portfolio._plots._axes import (
    BAR,
    INK,
    SECOND_BAR,
    Words,
    say_instead,
    shortened,
)
from crm_portfolio._wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["dial"]

_LOOKS: Final = ((SECOND_BAR, "////"), (SECOND_BAR, None), (BAR, None))
_THIN: Final = 7.0
"""Per cent under which a number does not fit on its part."""


def dial(
    ax: Axes,
    *,
    names: Sequence[str],
    parts: Mapping[str, Sequence[float]],
    said: Sequence[str],
    words: Words,
) -> Axes:
    """A bar an account, from 0 to 100 %, cut by what the weightings say of it.

    Args:
        parts: Per cent of each account, by what is said, from the worst.
        said: What stands beside each bar.
    """
    if not names:
        return say_instead(ax, words.nothing)
    places = range(len(names))
    starts = [0.0] * len(names)
    for (label, values), (color, hatch) in zip(parts.items(), _LOOKS, strict=True):
        bars = ax.barh(
            places,
            values,
            0.62,
            left=starts,
            color=color,
            hatch=hatch,
            edgecolor=INK,
            linewidth=0.6,
            label=label,
        )
        texts = [number(each, words.lang) if each >= _THIN else "" for each in values]
        frame = {"facecolor": SECOND_BAR, "edgecolor": "none", "pad": 1}
        ax.bar_label(bars, texts, label_type="center", fontsize=8, bbox=frame)
        starts = [low + each for low, each in zip(starts, values, strict=True)]
    for place, text in zip(places, said, strict=True):
        ax.text(101.5, place, text, va="center", fontsize=8, parse_math=False)
    ax.set_yticks(places, [shortened(name) for name in names], parse_math=False)
    ax.tick_params(axis="y", labelsize=8)
    ax.invert_yaxis()
    ax.set_xlim(0, 100)
    ax.set_xlabel(words.amounts)
    ax.set_ylabel(words.places)
    ax.set_title(words.title, loc="left", fontsize=11)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.legend(loc="upper left", bbox_to_anchor=(0, -0.14), ncols=3, frameon=False)
    return ax
