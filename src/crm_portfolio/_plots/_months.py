"""Which pictures run month by month, with a target ahead or with what happened?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from crm_portfolio._plots._axes import (
    BAR,
    INK,
    SECOND_BAR,
    Words,
    name_places,
    one_axis,
    say_instead,
    shortened,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["climb", "timeline"]

_MOST_NAMED: Final = 8
_LOOKS: Final = (("-", "o"), ("--", None), (":", "s"), ("-.", "^"))
Amounts = Sequence[float | None]


def climb(
    ax: Axes,
    *,
    names: Sequence[str],
    series: Mapping[str, Amounts],
    target: tuple[str, float] | None,
    words: Words,
) -> Axes:
    """Sums that grow month by month, told apart by their dashes, to a level ahead."""
    if target is None:
        return say_instead(ax, words.nothing)
    for (name, values), (style, mark) in zip(series.items(), _LOOKS, strict=False):
        shown = [float("nan") if each is None else each for each in values]
        ax.plot(
            range(len(names)), shown, style, color=INK, marker=mark, ms=4, label=name
        )
    label, level = target
    ax.axhline(level, color=BAR, linewidth=2.5, label=label)
    name_places(ax, names)
    one_axis(ax, words)
    every = [each for values in series.values() for each in values if each is not None]
    ax.set_ylim(min(0.0, *every, 0.0), max(level, *every, level) * 1.1)
    ax.legend(loc="upper left", bbox_to_anchor=(0, -0.2), ncols=2, frameon=False)
    return ax


def timeline(
    ax: Axes,
    *,
    names: Sequence[str],
    amounts: Amounts,
    spans: Sequence[tuple[str, int, int]],
    words: Words,
) -> Axes:
    """A bar a month, and a letter over each span of months with what it stands for.

    A question mark stands where an amount is not known.

    Args:
        spans: A label with its first and its last place; the first few are named.
    """
    if not names:
        return say_instead(ax, words.nothing)
    known = [each or 0.0 for each in amounts]
    ax.bar(range(len(names)), known, 0.8, color=BAR, edgecolor=INK, linewidth=0.6)
    for place in (at for at, each in enumerate(amounts) if each is None):
        ax.annotate("?", (place, 0.0), ha="center", va="bottom", fontsize=8)
    low, high = min(0.0, *known, 0.0), max(1.0, *known)
    room = high - low
    for at, (label, first, last) in enumerate(spans[:_MOST_NAMED]):
        letter = chr(ord("A") + at)
        height = high + room * (0.05 + 0.07 * (at % 4))
        edges = (max(first, 0) - 0.5, min(last, len(names) - 1) + 0.5)
        for edge in edges:
            ax.plot([edge, edge], [low, height], ":", color=INK, linewidth=0.8)
        ax.plot(
            edges,
            [height, height],
            "-",
            color=INK,
            linewidth=2.5,
            label=f"{letter}  {shortened(label)}",
        )
        ax.annotate(
            letter,
            (sum(edges) / 2, height),
            (0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            bbox={"boxstyle": "round,pad=0.15", "fc": SECOND_BAR, "ec": "none"},
        )
    name_places(ax, names)
    _thinned(ax, len(names))
    one_axis(ax, words)
    top = high + room * (0.4 if spans else 0.1)
    ax.set_ylim(low * 1.1, top)
    if spans:
        legend = ax.legend(
            loc="upper left",
            bbox_to_anchor=(0, -0.2),
            ncols=4,
            frameon=False,
            handlelength=0,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
    return ax


def _thinned(ax: Axes, count: int) -> None:
    """Of many months, the name of every third."""
    if count <= 24:
        return
    for at, label in enumerate(ax.get_xticklabels()):
        label.set_visible(at % 3 == 0)
