"""On what is a picture drawn, in which words, and what do its axes say?"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any, Final

import attrs

from crm_portfolio._inert import inert
from crm_portfolio._plots._svg import fitted
from crm_portfolio._wording import Lang, Reason, number, sentence
from crm_portfolio.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BAR",
    "INK",
    "SECOND_BAR",
    "Words",
    "as_svg",
    "axes",
    "legend_outside",
    "name_places",
    "one_axis",
    "say_instead",
    "shortened",
]

_SIZE: Final = (9.0, 4.8)
_LETTERS: Final = 9.5  # to an inch
_NAME_LENGTH: Final = 20
BAR, SECOND_BAR, INK = "#8aa0b4", "#ffffff", "#1f2a33"


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


def as_svg(draw: Callable[[Axes], object], *, size: tuple[float, float] = _SIZE) -> str:
    """The picture as inline SVG in the colours of its page, the same bytes each time.

    Args:
        size: In inches; letters stay as they are, so they are larger on a smaller one.
    """
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
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.subplots())
        titles = [each.get_title(loc="left") for each in figure.axes]
        _wrap(figure, size)
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return fitted(buffer.getvalue(), next(filter(None, titles), ""))


def _wrap(figure: Figure, size: tuple[float, float]) -> None:
    """Titles and labels that are longer than their side of the picture get more lines."""
    from matplotlib.text import Text

    for each in figure.axes:
        title = each.get_title(loc="left")
        for part in each.get_children() if title else ():
            if isinstance(part, Text) and part.get_text() == title:
                part.set_text(fill(title, int(size[0] * _LETTERS)))
        label = each.yaxis.label
        label.set_text(fill(label.get_text(), int(size[1] * _LETTERS)))


def legend_outside(ax: Axes) -> None:
    """Below the axes; beside them where turned names hang down."""
    is_turned = any(label.get_rotation() for label in ax.get_xticklabels())
    place, columns = ((1.0, 1.0), 1) if is_turned else ((0.0, -0.14), 2)
    ax.legend(loc="upper left", bbox_to_anchor=place, ncols=columns, frameon=False)


def one_axis(ax: Axes, words: Words) -> None:
    ax.set_title(words.title, loc="left", fontsize=11)
    ax.set_xlabel(words.places)
    ax.set_ylabel(words.amounts)
    ax.yaxis.set_major_formatter(lambda value, _: number(value, words.lang))
    ax.axhline(0, color=INK, linewidth=0.8)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def name_places(ax: Axes, names: Sequence[str]) -> None:
    short = [shortened(name) for name in names]
    is_long = max(map(len, short), default=0) > 4
    turned: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    ax.set_xticks(
        range(len(names)), short, parse_math=False, **turned if is_long else {}
    )
    ax.tick_params(axis="x", labelsize=8)


def shortened(name: str) -> str:
    safe = inert(name)
    return safe if len(safe) <= _NAME_LENGTH else safe[: _NAME_LENGTH - 1] + "…"


def say_instead(ax: Axes, text: str) -> Axes:
    """A sentence where there is nothing to draw."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", color=INK)
    return ax
