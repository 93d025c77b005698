"""Which few chart shapes do the results need, readable in grey and on paper?"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from crm_portfolio._inert import inert
from crm_portfolio._wording import Lang, Reason, number, sentence
from crm_portfolio.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Words", "as_svg", "axes", "curves", "paired_bars", "pareto", "waterfall"]

_SIZE = (9.0, 4.8)
_BAR, _SECOND_BAR, _INK = "#8aa0b4", "#ffffff", "#1f2a33"
_NAME_LENGTH = 20


@attrs.frozen
class Words:
    """What stands on a picture, in one language.

    Attributes:
        places, amounts, others: Of the x axis, the left and the right one.
        nothing: What is said where there is nothing to draw.
    """

    title: str
    places: str
    amounts: str
    others: str
    nothing: str
    lang: Lang = attrs.field(kw_only=True)

    @classmethod
    def of(
        cls, title: Reason, *, places: str, others: str, currency: object, lang: Lang
    ) -> Words:
        """The words of these codes; amounts are revenue in the currency."""
        revenue = Reason("label_revenue", {"currency": str(currency)})
        codes = (Reason(places), revenue, Reason(others), Reason("label_nothing"))
        said = [sentence(each, lang) for each in (title, *codes)]
        return cls(*said, lang=lang)


def axes(ax: Axes | None) -> Axes:
    """The axes given, or those of a new figure."""
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise MissingExtraError("matplotlib", "report") from error
    return plt.subplots(figsize=_SIZE, layout="constrained")[1]


def as_svg(draw: Callable[[Axes], object]) -> str:
    """The picture as inline SVG, the same bytes each time."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "report") from error
    buffer = io.StringIO()
    settings: dict[Any, Any] = {"svg.hashsalt": "crm-portfolio", "svg.fonttype": "none"}
    with rc_context(settings), warnings.catch_warnings():
        # The reader's browser has the glyphs that matplotlib's own font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure = Figure(figsize=_SIZE, layout="constrained")
        draw(figure.subplots())
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    picture = buffer.getvalue()
    return picture[picture.index("<svg") :]


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
        return _say_instead(ax, words.nothing)
    places = range(len(names))
    ax.bar(places, amounts, color=_BAR, edgecolor=_INK, linewidth=0.6)
    _named(ax, names)
    curve = ax.twinx()
    curve.plot(places, cum_percent, color=_INK, marker="o", markersize=3, linewidth=1.4)
    curve.axhline(target_percent, color=_INK, linewidth=0.8, linestyle=":")
    _share_zero(ax, curve, amounts, top=max(100.0, *cum_percent) * 1.05)
    _labelled(ax, curve, words)
    return ax


def paired_bars(
    ax: Axes,
    *,
    names: Sequence[str],
    amounts: Sequence[float],
    counts: Sequence[int],
    words: Words,
) -> Axes:
    """Two bars a group: an amount on the left axis, a hatched number on the right one."""
    if not names:
        return _say_instead(ax, words.nothing)
    width, many = 0.38, ax.twinx()
    left = ax.bar(
        [place - width / 2 for place in range(len(names))],
        amounts,
        width,
        color=_BAR,
        edgecolor=_INK,
        linewidth=0.6,
        label=words.amounts,
    )
    right = many.bar(
        [place + width / 2 for place in range(len(names))],
        counts,
        width,
        color=_SECOND_BAR,
        edgecolor=_INK,
        linewidth=0.6,
        hatch="///",
        label=words.others,
    )
    ax.bar_label(
        left, [number(each, words.lang) for each in amounts], padding=2, fontsize=8
    )
    many.bar_label(
        right, [number(each, words.lang) for each in counts], padding=2, fontsize=8
    )
    _named(ax, names)
    _labelled(ax, many, words)
    # The counts stay lower, so that the numbers on two bars of a tier do not meet.
    _share_zero(ax, many, amounts, top=max(1, *counts) * 1.4)
    many.locator_params(axis="y", integer=True)
    ax.legend(
        handles=[left, right], loc="upper left", bbox_to_anchor=(0, -0.12), ncols=2
    )
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
        return _say_instead(ax, words.nothing)
    tops = [ends[0]]
    for step in steps:
        tops.append(tops[-1] + step)
    last = len(steps) + 1
    ax.bar([0, last], ends, color=_BAR, edgecolor=_INK, linewidth=0.6)
    ax.bar(
        range(1, last),
        steps,
        bottom=tops[:-1],
        color=_SECOND_BAR,
        edgecolor=_INK,
        linewidth=0.6,
        hatch="///",
    )
    for place, top in enumerate(tops):
        ax.plot(
            [place - 0.4, place + 1.4], [top, top], color=_INK, linewidth=0.6, zorder=0
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
        ax.axhline(level, color=_INK, linewidth=1.2, linestyle="--", label=words.others)
        ax.legend(loc="upper right")
    _named(ax, [end_names[0], *names, end_names[1]])
    _one_axis(ax, words)
    ax.set_ylim(min(0.0, *ends), max(*ends, level or 0.0, 1.0) * 1.15)
    return ax


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
        return _say_instead(ax, words.nothing)
    styles = ("-", "--", "-.", ":")
    for at, (name, values) in enumerate(series.items()):
        mark = "o" if at == 1 else None
        style = styles[at % len(styles)]
        ax.plot(
            places, values, style, color=_INK, marker=mark, markersize=3, label=name
        )
    for at, (name, value) in enumerate(levels.items()):
        ax.axhline(
            value, color=_BAR, linewidth=2.0, linestyle=styles[at % 2], label=name
        )
    every = [each for values in series.values() for each in values]
    top = max([*every, *levels.values(), 1.0])
    ax.set_ylim(min(0.0, *every), top * 1.1)
    _one_axis(ax, words)
    ax.legend(loc="lower right", fontsize=8)
    return ax


def _one_axis(ax: Axes, words: Words) -> None:
    ax.set_title(words.title, loc="left", fontsize=11)
    ax.set_xlabel(words.places)
    ax.set_ylabel(words.amounts)
    ax.yaxis.set_major_formatter(lambda value, _: number(value, words.lang))
    ax.axhline(0, color=_INK, linewidth=0.8)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def _share_zero(ax: Axes, other: Axes, amounts: Sequence[float], *, top: float) -> None:
    """Zero at the same height on both axes, and room for the numbers on the bars."""
    high, low = max(0.0, *amounts) * 1.15, min(0.0, *amounts) * 1.15
    high = high or max(-low * 0.2, 1.0)
    low = min(low, -0.08 * high) if low else 0.0
    ax.set_ylim(low, high)
    ax.axhline(0, color=_INK, linewidth=0.8)
    other.set_ylim(low / high * top, top)


def _named(ax: Axes, names: Sequence[str]) -> None:
    short = [_short(name) for name in names]
    is_long = max(map(len, short), default=0) > 4
    turned: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    ax.set_xticks(
        range(len(names)), short, parse_math=False, **turned if is_long else {}
    )
    ax.tick_params(axis="x", labelsize=8)


def _short(name: str) -> str:
    safe = inert(name)
    return safe if len(safe) <= _NAME_LENGTH else safe[: _NAME_LENGTH - 1] + "…"


def _labelled(ax: Axes, other: Axes, words: Words) -> None:
    ax.set_title(words.title, loc="left", fontsize=11)
    ax.set_xlabel(words.places)
    ax.set_ylabel(words.amounts)
    other.set_ylabel(words.others)
    ax.yaxis.set_major_formatter(lambda value, _: number(value, words.lang))
    for each in (ax, other):
        each.spines["top"].set_visible(False)


def _say_instead(ax: Axes, text: str) -> Axes:
    """A sentence where there is nothing to draw."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", color=_INK)
    return ax
