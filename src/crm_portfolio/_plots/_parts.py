"""How much of two figures of each group is of a kind?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from crm_portfolio._plots._axes import (
    BAR,
    INK,
    SECOND_BAR,
    Words,
    name_places,
    say_instead,
)
from crm_portfolio._wording import Lang, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Figures", "parts"]

Figures: TypeAlias = tuple[Sequence[float | None], Sequence[float | None]]
"""Of each group: the whole, and the part of it that is marked; None where unknown."""

_WIDTH = 0.38


def parts(
    ax: Axes,
    *,
    names: Sequence[str],
    left: Figures,
    right: Figures,
    words: Words,
    marked: tuple[str, str],
) -> Axes:
    """Two bars a group, one on each axis; the marked part of both is hatched.

    Args:
        marked: What the marked part is called, on the left and on the right axis.
    """
    if not names:
        return say_instead(ax, words.nothing)
    other = ax.twinx()
    drawn = []
    for on, side, figures, labels in (
        (ax, -1, left, (words.amounts, marked[0])),
        (other, 1, right, (words.others, marked[1])),
    ):
        drawn += _pair(on, figures, labels, words.lang, is_left=side < 0)
        top = max((each or 0.0 for each in figures[0]), default=0.0)
        on.set_ylim(0, (top or 1.0) * 1.15)
        if not top:  # between 0 and nothing there are no steps to name
            on.set_yticks([0.0])
        on.yaxis.set_major_formatter(lambda value, _: number(value, words.lang))
    name_places(ax, names)
    ax.set_xlabel(words.places)
    ax.set_ylabel(words.amounts)
    other.set_ylabel(words.others)
    for each in (ax, other):
        each.spines["top"].set_visible(False)
    ax.legend(
        handles=drawn,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.06),
        ncols=2,
        frameon=False,
        fontsize=8,
    )
    ax.set_title(words.title, loc="left", fontsize=11, pad=46)
    return ax


def _pair(
    on: Axes,
    figures: Figures,
    labels: tuple[str, str],
    lang: Lang,
    *,
    is_left: bool,
) -> list[object]:
    """The bars of one axis: the whole, and over it the part that is marked."""
    whole, part = figures
    beside = -_WIDTH / 2 if is_left else _WIDTH / 2
    places = [at + beside for at in range(len(whole))]
    looks: dict[str, Any] = {"edgecolor": INK, "linewidth": 0.6}
    looks["color"] = BAR if is_left else SECOND_BAR
    bars = on.bar(places, [each or 0.0 for each in whole], _WIDTH, **looks)
    over = on.bar(places, [each or 0.0 for each in part], _WIDTH, hatch="////", **looks)
    # Counts are short and stand on their bars; amounts would run into each other.
    known = ["" if not is_left else number(each or 0, lang) for each in whole]
    pairs = zip(whole, known, strict=True)
    said = ["?" if each is None else text for each, text in pairs]
    on.bar_label(bars, said, padding=2, fontsize=8)
    bars.set_label(labels[0])
    over.set_label(labels[1])
    return [bars, over]
