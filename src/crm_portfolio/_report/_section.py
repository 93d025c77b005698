"""What does an answer to one question look like?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from crm_portfolio import _html
from crm_portfolio._report._grid import Grid
from crm_portfolio._report._terms import TERMS
from crm_portfolio._report._words import Kind, Words

__all__ = ["Section", "Tile"]


@attrs.frozen
class Tile:
    """One number with its name, and its definition on demand."""

    term: str
    kind: Kind
    value: Any

    def html(self, words: Words) -> str:
        name, meaning = (_html.text(words.say(code)) for code in TERMS[self.term])
        shown = _html.text(words.cell(self.kind, self.value))
        kind = "value u" if self.value is None else "value"
        ask = _html.text(words.say("report_definition"))
        return (
            f'<div class="tile"><dt>{name}</dt><dd class="{kind}">{shown}</dd>'
            f'<dd><details><summary>{ask}<span class="hidden">: {name}</span></summary>'
            f"<p>{meaning}</p></details></dd></div>"
        )


@attrs.frozen
class Section:
    """A question, its answer in a few words, and what stands behind it.

    Attributes:
        name: Where a link finds it.
        lead: The answer.
        notes: What could not be told, and other remarks under the answer.
        behind: Tables, where they have rows, and parts of its own, as HTML.
        remarks: What to bear in mind.
    """

    name: str
    question: str
    lead: Sequence[str] = ()
    notes: Sequence[str] = ()
    tiles: Sequence[Tile] = ()
    pictures: Sequence[str] = ()
    behind: Sequence[Grid | str] = ()
    remarks: Sequence[str] = ()

    def html(self, number: int, words: Words) -> str:
        body = "\n".join(self._parts(words))
        return (
            f'<section id="{self.name}" aria-labelledby="{self.name}-question">\n'
            f'<h2 id="{self.name}-question"><span class="number">{number}</span>'
            f"{_html.text(self.question)}</h2>\n{body}\n</section>"
        )

    def _parts(self, words: Words) -> Iterator[str]:
        for said in self.lead:
            yield _html.paragraph(said, "lead")
        for said in self.notes:
            yield _html.paragraph(said, "note")
        if self.tiles:
            tiles = "".join(each.html(words) for each in self.tiles)
            yield f'<dl class="tiles">{tiles}</dl>'
        if self.pictures:
            pictures = "".join(map(_html.picture, self.pictures))
            yield f'<div class="pictures">{pictures}</div>'
        for each in self.behind:
            if isinstance(each, str):
                yield each
            elif each.rows:
                yield each.html(words)
        if self.remarks:
            title = words.say("report_mind", n=len(self.remarks))
            yield _html.disclosure(title, _html.items(self.remarks))
