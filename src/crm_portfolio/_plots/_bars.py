"""Which pictures are made of bars?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from crm_portfolio._plots._axes import (
    BAR,
    INK,
    SECOND_BAR,
    Words,
    legend_outside,
    name_places,
    one_axis,
    say_instead,
    shortened,
)
from crm_portfolio._wording import Lang, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer

__all__ = [
    "paired_bars",
    "pareto",
    "side_by_side",
    "stacked",
    "waterfall",
]


def pareto(
    ax: Axes,
    *,
    names: Sequence[str],
    amounts: Sequence[float],
    cum_percent: Sequence[float],
    target_percent: float,
    words: Words,
) -> Axes:
    """Bars, largest first, and the share they hold together."""
    if not names:
        return say_instead(ax, words.nothing)
    places = range(len(names))
    ax.bar(places, amounts, color=BAR, edgecolor=INK, linewidth=0.6)
    name_places(ax, names)
    curve = ax.twinx()
    curve.plot(places, cum_percent, color=INK, marker="o", markersize=3, linewidth=1.4)
    curve.axhline(target_percent, color=INK, linewidth=0.8, linestyle=":")
    _share_zero(ax, curve, amounts, top=max(100.0, *cum_percent) * 1.05)
    _labelled(ax, curve, words)
    return ax


def paired_bars(
    ax: Axes,
    *,
    names: Sequence[str],
    notes: Sequence[str],
    amounts: Sequence[float],
    others: Sequence[float | None] | None,
    words: Words,
) -> Axes:
    """Two bars a group: an amount on the left axis, a hatched number on the right one.

    Args:
        notes: What stands below each name.
        others: A question mark stands where one is unknown. Without any there is one bar
            a group, and the right label says so below.
    """
    if not names:
        return say_instead(ax, words.nothing)
    width = 0.38
    left = _bars(ax, amounts, (-width / 2 if others else 0.0, width), words)
    left.set_label(words.amounts)
    labels = [f"{shortened(n)}\n{note}" for n, note in zip(names, notes, strict=True)]
    ax.set_xticks(range(len(names)), labels, parse_math=False, fontsize=8)
    if not others:
        one_axis(ax, words)
        _room_for_numbers(ax, amounts)
        ax.set_xlabel(f"{words.places}\n{words.others}")
        return ax
    many = ax.twinx()
    right = _bars(many, others, (width / 2, width), words, hatch="///")
    right.set_label(words.others)
    _labelled(ax, many, words)
    # These stay lower, so that the numbers on two bars of a group do not meet.
    known = [each for each in others if each is not None]
    _share_zero(ax, many, amounts, top=max(1.0, *known) * 1.4)
    ax.legend(
        handles=[left, right], loc="upper left", bbox_to_anchor=(0, -0.19), ncols=2
    )
    return ax


def _bars(
    ax: Axes,
    heights: Sequence[float | None],
    place: tuple[float, float],
    words: Words,
    *,
    hatch: str | None = None,
) -> BarContainer:
    """Bars with their numbers on them, beside the middle of each group and so wide."""
    beside, width = place
    bars = ax.bar(
        [at + beside for at in range(len(heights))],
        [each or 0.0 for each in heights],
        width,
        color=SECOND_BAR if hatch else BAR,
        edgecolor=INK,
        linewidth=0.6,
        hatch=hatch,
    )
    said = ["?" if each is None else _on_a_bar(each, words.lang) for each in heights]
    ax.bar_label(bars, said, padding=2, fontsize=8)
    return bars


def _on_a_bar(value: float, lang: Lang) -> str:
    """In whole units, and in tenths where those would hide what there is."""
    is_small = 0 < abs(value) < 10 and not float(value).is_integer()
    return number(value, lang, digits=int(is_small))


def side_by_side(
    ax: Axes,
    *,
    names: Sequence[str],
    series: Mapping[str, Sequence[float | None]],
    words: Words,
) -> Axes:
    """Two bars a group on one axis, the second hatched; what is unknown says so."""
    heights = [each for values in series.values() for each in values]
    # No bars at all, or bars without height beside question marks.
    if not heights or (None in heights and not any(heights)):
        return say_instead(ax, words.nothing)
    width = 0.38
    for at, (name, values) in enumerate(series.items()):
        place = ((at - 0.5) * width, width)
        bars = _bars(ax, values, place, words, hatch="///" if at else None)
        bars.set_label(name)
    name_places(ax, names)
    one_axis(ax, words)
    _room_for_numbers(ax, [each or 0.0 for each in heights])
    legend_outside(ax)
    return ax


def waterfall(
    ax: Axes,
    *,
    names: Sequence[str],
    steps: Sequence[float],
    ends: tuple[float, float] | None,
    end_names: Sequence[str],
    level: float | None,
    words: Words,
) -> Axes:
    """From one amount to another, a hatched step at a time; a line where a level is."""
    if ends is None:
        return say_instead(ax, words.nothing)
    tops = [ends[0]]
    for step in steps:
        tops.append(tops[-1] + step)
    last = len(steps) + 1
    ax.bar([0, last], ends, color=BAR, edgecolor=INK, linewidth=0.6)
    ax.bar(
        range(1, last),
        steps,
        bottom=tops[:-1],
        color=SECOND_BAR,
        edgecolor=INK,
        linewidth=0.6,
        hatch="///",
    )
    for place, top in enumerate(tops):
        ax.plot(
            [place - 0.4, place + 1.4], [top, top], color=INK, linewidth=0.6, zorder=0
        )
    said = [ends[0], *steps, ends[1]]
    for place, (amount, top) in enumerate(zip(said, [*tops, ends[1]], strict=True)):
        over = max(top, top - amount) if 0 < place < last else max(top, 0.0)
        ax.annotate(
            number(amount, words.lang),
            (place, over),
            (0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    if level is not None:
        ax.axhline(level, color=INK, linewidth=1.2, linestyle="--", label=words.others)
        ax.legend(loc="upper right")
    name_places(ax, [end_names[0], *names, end_names[1]])
    one_axis(ax, words)
    low, high = min(0.0, *tops), max(*tops, level or 0.0, 1.0)
    ax.set_ylim(low * 1.15, high * 1.15)
    return ax


def stacked(
    ax: Axes,
    *,
    names: Sequence[str],
    series: Mapping[str, Sequence[float]],
    words: Words,
) -> Axes:
    """One bar a group, its parts told apart by full, hatched, empty, and finer patterns."""
    if not names:
        return say_instead(ax, words.nothing)
    floor = [0.0] * len(names)
    # A number does not fit on what is thinner than it.
    thin = _THINNEST * max(map(sum, zip(*series.values(), strict=True)), default=0.0)
    for (name, values), (color, hatch) in zip(series.items(), _LOOKS, strict=False):
        bars = ax.bar(
            range(len(names)),
            values,
            0.6,
            bottom=floor,
            color=color,
            edgecolor=INK,
            linewidth=0.6,
            hatch=hatch,
            label=name,
        )
        said = [number(each, words.lang) if each > thin else "" for each in values]
        frame = {"facecolor": SECOND_BAR, "edgecolor": "none", "pad": 1}
        ax.bar_label(bars, said, label_type="center", fontsize=8, bbox=frame)
        floor = [low + each for low, each in zip(floor, values, strict=True)]
    name_places(ax, names)
    one_axis(ax, words)
    ax.set_ylim(0, max(1.0, *floor) * 1.1)
    legend_outside(ax)
    return ax


_THINNEST: Final = 0.025
_LOOKS: Final = (
    *((BAR, None), (SECOND_BAR, "///"), (SECOND_BAR, None)),
    *((SECOND_BAR, "..."), (SECOND_BAR, "xxx"), (SECOND_BAR, "---")),
)


def _room_for_numbers(ax: Axes, amounts: Sequence[float]) -> tuple[float, float]:
    """Space above and below the bars for the numbers on them."""
    high, low = max(0.0, *amounts) * 1.15, min(0.0, *amounts) * 1.15
    high = high or max(-low * 0.2, 1.0)
    low = min(low, -0.08 * high) if low else 0.0
    ax.set_ylim(low, high)
    return low, high


def _share_zero(ax: Axes, other: Axes, amounts: Sequence[float], *, top: float) -> None:
    """Zero at the same height on both axes, and room for the numbers on the bars."""
    low, high = _room_for_numbers(ax, amounts)
    ax.axhline(0, color=INK, linewidth=0.8)
    other.set_ylim(low / high * top, top)


def _labelled(ax: Axes, other: Axes, words: Words) -> None:
    ax.set_title(words.title, loc="left", fontsize=11)
    ax.set_xlabel(words.places)
    ax.set_ylabel(words.amounts)
    other.set_ylabel(words.others)
    ax.yaxis.set_major_formatter(lambda value, _: number(value, words.lang))
    for each in (ax, other):
        each.spines["top"].set_visible(False)
