"""Which pictures are made of lines, spans and cells?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

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
from crm_portfolio._wording import Lang, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "curves",
    "distribution",
    "falling",
    "layers",
    "matrix",
    "ranges",
]

_MOST_WITH_TENTHS: Final = 8


def curves(
    ax: Axes,
    *,
    places: Sequence[float],
    series: Mapping[str, Sequence[float]],
    levels: Mapping[str, float],
    words: Words,
) -> Axes:
    """Lines told apart by their dashes, and the levels they should reach."""
    if not series:
        return say_instead(ax, words.nothing)
    styles = ("-", "--", "-.", ":")
    for at, (name, values) in enumerate(series.items()):
        mark = "o" if at == 1 else None
        style = styles[at % len(styles)]
        ax.plot(places, values, style, color=INK, marker=mark, markersize=3, label=name)
    for at, (name, value) in enumerate(levels.items()):
        ax.axhline(
            value, color=BAR, linewidth=2.0, linestyle=styles[at % 2], label=name
        )
    every = [each for values in series.values() for each in values]
    top = max([*every, *levels.values(), 1.0])
    ax.set_ylim(min(0.0, *every), top * 1.1)
    one_axis(ax, words)
    ax.legend(loc="lower right", fontsize=8)
    return ax


def distribution(
    ax: Axes,
    *,
    edges: Sequence[float],
    series: Mapping[str, Sequence[float]],
    marks: Mapping[str, float],
    words: Words,
) -> Axes:
    """How often each amount comes: an outline, hatched bars, and what is marked.

    The first of the values is of the first edge alone; each other one is of what lies
    between its edge and the one before.
    """
    if len(edges) < 2 or not series:
        return say_instead(ax, words.nothing)
    width = edges[1] - edges[0]
    middles = [each - width / 2 for each in edges]
    (outline, first), (name, second) = series.items()
    ax.bar(middles, second, width, color=BAR, edgecolor="white", label=name)
    ax.stairs(first, [edges[0] - width, *edges], color=INK, label=outline)
    _marked(ax, marks)
    one_axis(ax, words)
    _numbered(ax, words)
    ax.set_xlim(edges[0] - width, edges[-1])
    legend_outside(ax)
    return ax


def falling(
    ax: Axes,
    *,
    places: Sequence[float],
    series: Mapping[str, Sequence[float]],
    marks: Mapping[str, float],
    words: Words,
) -> Axes:
    """Curves that fall from left to right, and what is marked below them."""
    if len(places) < 2 or not series:
        return say_instead(ax, words.nothing)
    for style, (name, values) in zip(("--", "-"), series.items(), strict=False):
        ax.step(places, values, style, where="post", color=INK, label=name)
    _marked(ax, marks)
    one_axis(ax, words)
    _numbered(ax, words)
    ax.set_xlim(0, places[-1])
    ax.set_ylim(0, max(1.0, *(each for values in series.values() for each in values)))
    legend_outside(ax)
    return ax


def matrix(
    ax: Axes,
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    shares: Sequence[Sequence[float]] | None,
    words: Words,
    counts: Sequence[Sequence[int]] | None = None,
) -> Axes:
    """Shares, fuller the larger, in per cent or as counts; a NaN leaves its cell empty."""
    if not rows or shares is None:
        return say_instead(ax, words.nothing)
    digits = 1 if len(columns) <= _MOST_WITH_TENTHS else 0
    for down, row in enumerate(shares):
        for across, share in enumerate(row):
            if share != share:  # noqa: PLR0124 - NaN
                continue
            # Bars rather than an image: they take the colours of a dark page too.
            ax.bar(across, 1, 1, down - 0.5, color=BAR, alpha=_fullness(share))
            ax.text(
                across,
                down,
                number(counts[down][across], words.lang)
                if counts
                else _per_cent(100 * share, words.lang, digits),
                ha="center",
                va="center",
                fontsize=9,
                color=INK,
            )
    ax.set_xticks(range(len(columns)), columns, parse_math=False)
    ax.set_yticks(range(len(rows)), rows, parse_math=False)
    ax.set_title(words.title, loc="left", fontsize=11)
    ax.set_xlabel(words.places)
    ax.set_ylabel(words.others)
    ax.set_xlim(-0.5, len(columns) - 0.5)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    for side in ax.spines.values():
        side.set_color(INK)
    return ax


def _fullness(share: float) -> float:
    return min(1.0, max(0.0, 0.05 + 0.95 * share))


def _per_cent(value: float, lang: Lang, digits: int) -> str:
    """In so many digits, without the sign: the title has it."""
    if value and not round(value, digits):
        return "<" + number(10**-digits, lang, digits=digits)
    return number(value, lang, digits=0 if value in {0, 100} else digits)


def _numbered(ax: Axes, words: Words) -> None:
    """Whole numbers along the amounts; a digit more beside a tick between two of them."""
    ax.xaxis.set_major_formatter(lambda value, _: number(value, words.lang))
    ax.yaxis.set_major_formatter(
        lambda value, _: number(value, words.lang, digits=int(value % 1 != 0))
    )


def _marked(ax: Axes, marks: Mapping[str, float]) -> None:
    """Upright lines, each with its name beside the top; several at one place share it."""
    shared: dict[float, list[str]] = {}
    for name, place in marks.items():
        shared.setdefault(place, []).append(name)
    for style, (place, names) in zip(
        ("--", "-.", ":") * 3, shared.items(), strict=False
    ):
        ax.axvline(place, color=INK, linewidth=1.2, linestyle=style)
        ax.annotate(
            ", ".join(names),
            (place, 1.0),
            (3, -3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            rotation=90,
            va="top",
            fontsize=8,
        )


def layers(
    ax: Axes,
    *,
    names: Sequence[str],
    parts: Mapping[str, Sequence[float | None]],
    line: tuple[str, Sequence[float | None]],
    words: Words,
) -> Axes:
    """A part or two over each other through time, the upper hatched, and a line over them.

    A question mark stands where the lower part is not known.
    """
    label, heights = line
    if all(each is None for values in parts.values() for each in values):
        return say_instead(ax, words.nothing)
    places = range(len(names))
    floor = [0.0] * len(names)
    for (name, values), hatch in zip(parts.items(), (None, "///"), strict=False):
        known = [each or 0.0 for each in values]
        color = SECOND_BAR if hatch else BAR
        looks: dict[str, Any] = {"edgecolor": INK, "linewidth": 0.6, "hatch": hatch}
        ax.bar(places, known, 0.8, bottom=floor, color=color, label=name, **looks)
        floor = [low + each for low, each in zip(floor, known, strict=True)]
    lowest = next(iter(parts.values()))
    for place in (at for at, each in enumerate(lowest) if each is None):
        ax.annotate("?", (place, floor[place]), ha="center", va="bottom", fontsize=8)
    shown = [float("nan") if each is None else each for each in heights]
    if any(each is not None for each in heights):
        ax.plot(
            places, shown, "-o", color=INK, markersize=4, linewidth=1.6, label=label
        )
    name_places(ax, names)
    one_axis(ax, words)
    ax.set_ylim(0, max(1.0, *floor, *(each or 0.0 for each in heights)) * 1.1)
    ax.legend(loc="upper left", bbox_to_anchor=(0, -0.2), ncols=3, frameon=False)
    return ax


def ranges(
    ax: Axes,
    *,
    names: Sequence[str],
    middles: Sequence[float],
    lows: Sequence[float],
    highs: Sequence[float],
    words: Words,
) -> Axes:
    """A mark for each amount, and a line from the least to the most it may be."""
    if not names:
        return say_instead(ax, words.nothing)
    places = range(len(names))
    ax.vlines(places, lows, highs, color=BAR, linewidth=6)
    ax.plot(places, middles, "o", color=INK, markersize=5)
    for place, (middle, high) in enumerate(zip(middles, highs, strict=True)):
        ax.annotate(
            number(middle, words.lang),
            (place, max(middle, high)),
            (0, 4),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    name_places(ax, names)
    one_axis(ax, words)
    ax.set_xlim(-0.6, len(names) - 0.4)
    ax.set_ylim(min(0.0, *lows), max(1.0, *highs, *middles) * 1.15)
    return ax
