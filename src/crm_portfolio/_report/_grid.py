"""How does a list become a table that can be read, sorted and searched?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final, Literal, TypeAlias, get_args

import attrs

from crm_portfolio import _html
from crm_portfolio._report._labels import LABELS
from crm_portfolio._report._terms import TERMS
from crm_portfolio._report._words import Kind, Words

__all__ = ["Cell", "Column", "Grid", "beside", "means"]

Shape: TypeAlias = Kind | Literal["account", "label", "text", "said"]

_KINDS: Final = get_args(Kind)
_ORDERED: Final[Mapping[str, tuple[str, ...]]] = {
    "risk_level": ("critical", "high", "medium", "low", "unknown"),
    "dependence": ("dependent", "major", "none", "unknown"),
    "tier": ("A", "B", "C", "D", "E", "F", "G", "H", "new", "none"),
}
_MARKED: Final = frozenset({"risk_level", "dependence"})


@attrs.frozen
class Cell:
    """One value as it is shown, and what it is sorted by; None: by what is shown."""

    shown: str
    key: float | None = None
    kind: str = ""


@attrs.frozen
class Column:
    """One column of a table.

    Attributes:
        key: Of the value in a row.
        term: What it is called and means.
        shape: How it is shown.
        of: Whose labels its codes have; None: those of its key.
    """

    key: str
    term: str
    shape: Shape = "text"
    of: str | None = None

    def cell(self, row: Mapping[str, Any], words: Words) -> Cell:
        value = row.get(self.key)
        if self.shape == "account":
            return Cell(words.called(str(value)), kind="account")
        if value is None and self.shape not in {"text", "said"}:
            return Cell(words.unknown, None, "u" + self._number)
        if self.shape in _KINDS:
            shown = words.cell(self.shape, value)  # type: ignore[arg-type]
            return Cell(shown, _sorted_by(value), self._number.strip())
        if self.shape == "label":
            return self._labelled(str(value), words)
        return Cell("" if value is None else str(value), None, self._number.strip())

    @property
    def _number(self) -> str:
        is_number = self.shape in {*_KINDS, "said"} and self.shape != "day"
        return " n" if is_number else ""

    def _labelled(self, code: str, words: Words) -> Cell:
        group = self.of or self.key
        labels = LABELS.get(group, {})
        shown = words.say(labels[code]) if code in labels else code
        order = _ORDERED.get(group, ())
        place = float(order.index(code)) if code in order else None
        kind = f"level {code}" if group == "risk_level" else ""
        if group == "dependence" and code in {"major", "dependent"}:
            kind = code
        return Cell(shown, place, kind)


def _sorted_by(value: object) -> float | None:
    if isinstance(value, date):
        return float(value.toordinal())
    return float(value) if isinstance(value, int | float) else None


@attrs.frozen
class Grid:
    """A table with what its columns mean, shown on demand or at once.

    Attributes:
        rows: As many as the page shows.
        count: Of how many these are the first; None: they are all.
        is_open: Whether it is shown at once.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]
    count: int | None = None
    is_open: bool = False

    def html(self, words: Words) -> str:
        parts = [self._table(words)]
        if self.count is not None and self.count > len(self.rows):
            counts = {"shown": len(self.rows), "n": self.count}
            parts.append(
                _html.paragraph(words.say("report_shown_of", **counts), "note")
            )
        parts.append(means((each.term for each in self.columns), words))
        content = "".join(parts)
        if self.is_open:
            return f"<h3>{_html.text(self.title)}</h3>{content}"
        return _html.disclosure(words.say("report_table_of", title=self.title), content)

    def _table(self, words: Words) -> str:
        label = _html.text(self.title)
        body = "".join(
            f"<tr>{''.join(self._row(row, words))}</tr>" for row in self.rows
        )
        return (
            f'<div class="wide" role="region" aria-label="{label}" tabindex="0">'
            f'<table class="sortable"><caption class="hidden">{label}</caption>'
            f"<thead><tr>{''.join(self._heads(words))}</tr></thead>"
            f"<tbody>{body}</tbody></table></div>"
        )

    def _heads(self, words: Words) -> Iterator[str]:
        for each in self.columns:
            kind = each._number.strip()  # noqa: SLF001 - of this module
            role = f' class="{kind}"' if kind else ""
            name = _html.text(words.say(TERMS[each.term][0]))
            yield f'<th scope="col"{role}>{name}</th>'

    def _row(self, row: Mapping[str, Any], words: Words) -> Iterator[str]:
        for at, column in enumerate(self.columns):
            cell = column.cell(row, words)
            kind = f' class="{cell.kind}"' if cell.kind else ""
            key = "" if cell.key is None else f' data-key="{cell.key:.12g}"'
            tag = 'th scope="row"' if at == 0 else "td"
            shown = _html.text(cell.shown)
            if column.shape == "account":
                kind = ""
                shown += beside(str(row.get(column.key)), cell.shown)
            yield f"<{tag}{kind}{key}>{shown}</{tag.split(maxsplit=1)[0]}>"


def beside(record_id: str, name: str) -> str:
    """The id after the name, where it is not the name."""
    if record_id == name:
        return ""
    return f' <span class="id">{_html.text(record_id)}</span>'


def means(terms: Iterable[str], words: Words) -> str:
    """What these are, on demand."""
    told = "".join(
        f"<dt>{_html.text(words.say(name))}</dt><dd>{_html.text(words.say(meaning))}</dd>"
        for name, meaning in (TERMS[term] for term in dict.fromkeys(terms))
    )
    return _html.disclosure(words.say("report_columns"), f"<dl>{told}</dl>", "means")
