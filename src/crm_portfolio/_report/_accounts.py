"""How do ten thousand accounts, each with all its reasons, fit on one page?

The first are rows like any other, to be read and printed without a script. All of them
stand in a packed block that holds nothing but letters and digits, which the script of
the page unpacks.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs
import pyarrow as pa

from crm_portfolio import _html
from crm_portfolio._inert import inert
from crm_portfolio._report._given import Given
from crm_portfolio._report._grid import Cell, Column, beside, means
from crm_portfolio._report._reasons import Reasons
from crm_portfolio._report._terms import TERMS
from crm_portfolio._wording import Reason

__all__ = ["Accounts"]

_FIRST: Final = 20
"""So many stand there without a script, and on paper."""

_COLUMNS: Final = (
    Column("account_id", "account", "account"),
    Column("segment", "segment"),
    Column("tier", "tier", "label"),
    Column("revenue", "revenue", "money"),
    Column("share", "share", "share"),
    Column("dependence", "dependence", "label"),
    Column("risk_level", "risk", "label"),
    Column("action", "step", "label"),
)
_FROM: Final[Mapping[str, tuple[str, ...]]] = {
    "concentration": ("revenue", "share", "dependence"),
    "tiers": ("tier",),
    "risk": ("risk_level",),
    "exit_review": ("action",),
}
_WHY: Final[Mapping[str, str]] = {
    "tiers": "term_tier",
    "concentration": "term_dependence",
    "risk": "term_risk",
    "exit_review": "term_step",
}
# Each on its own: they answer different questions, and are never put into one.
_FILTERED: Final = ("tier", "dependence", "risk_level", "action")


@attrs.frozen
class Accounts:
    """Every account of the book, largest first, and why it is where it is."""

    given: Given
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]
    why: Sequence[tuple[str, Mapping[str, tuple[Reason, ...]]]]

    @classmethod
    def of(cls, given: Given) -> Accounts:
        rows = list(_rows(given))
        columns = tuple(
            each
            for each in _COLUMNS
            if any(row.get(each.key) is not None for row in rows)
        )
        why = [(name, given.why(name)) for name in _WHY if given.of(name) is not None]
        return cls(given, columns, rows, why)

    def html(self) -> str:
        words = self.given.words
        title = _html.text(words.say("report_every_account"))
        if not self.rows:
            return _html.paragraph(words.say("report_empty"), "note")
        counts = {"shown": min(_FIRST, len(self.rows)), "n": len(self.rows)}
        return (
            f'<h3 id="accounts-title">{title}</h3>'
            f'<div id="accounts" data-old="{_html.text(words.say("report_old_browser"))}">'
            f'<p class="note first">{_html.text(words.say("report_first", **counts))}</p>'
            f'<div class="wide" role="region" aria-labelledby="accounts-title" '
            f'tabindex="0"><table><caption class="hidden">{title}</caption>'
            f"<thead><tr>{''.join(self._heads())}</tr></thead>"
            f"<tbody>{''.join(map(self._row, self.rows[:_FIRST]))}</tbody></table></div>"
            f"</div>{means((each.term for each in self.columns), words)}"
            f'<script type="text/plain" id="packed">{self._packed()}</script>'
        )

    def _heads(self) -> Iterator[str]:
        for each in self.columns:
            kind = ' class="n"' if each.shape in {"money", "share"} else ""
            name = _html.text(self.given.words.say(TERMS[each.term][0]))
            yield f'<th scope="col"{kind}>{name}</th>'

    def _row(self, row: Mapping[str, Any]) -> str:
        words = self.given.words
        account, *others = (each.cell(row, words) for each in self.columns)
        cells = "".join(
            f'<td class="{each.kind}">{_html.text(each.shown)}</td>'
            if each.kind
            else f"<td>{_html.text(each.shown)}</td>"
            for each in others
        )
        name = _html.text(account.shown) + beside(row["account_id"], account.shown)
        why = "".join(self._told(row["account_id"]))
        head = (
            f'<details><summary>{name}</summary><div class="why">{why}</div></details>'
            if why
            else name
        )
        return f'<tr><th scope="row">{head}</th>{cells}</tr>'

    def _told(self, account_id: str) -> Iterator[str]:
        words = self.given.words
        for name, reasons in self.why:
            said = [words.told(each) for each in reasons.get(account_id, ())]
            if said:
                title = _html.text(words.say(_WHY[name]))
                yield f"<h4>{title}</h4>{_html.items(said)}"

    def _packed(self) -> str:
        """All of it as JSON, compressed, in letters and digits."""
        told = json.dumps(self._data(), ensure_ascii=False, separators=(",", ":"))
        # Not the zlib of the machine: the same bytes wherever the same Arrow is.
        squeezed = pa.Codec("gzip", compression_level=9).compress(
            told.encode(), asbytes=True
        )
        return base64.b64encode(squeezed).decode()

    def _data(self) -> dict[str, Any]:
        words = self.given.words
        cells = [[each.cell(row, words) for each in self.columns] for row in self.rows]
        reasons = Reasons(words)
        for row in self.rows:
            own = row["account_id"]
            reasons.add(own, [told.get(own, ()) for _, told in self.why])
        return {
            "ids": [inert(row["account_id"]) for row in self.rows],
            "columns": [
                self._column(each, [row[at] for row in cells])
                for at, each in enumerate(self.columns)
            ],
            "heads": [words.say(_WHY[name]) for name, _ in self.why],
            "why": reasons.to_dict(),
            "words": {
                "search": words.say("report_search"),
                "hint": words.say("report_search_hint"),
                "more": words.say("report_more"),
                "all": words.say("report_all"),
                "found": words.say("report_found", shown="@1", n="@2"),
            },
        }

    def _column(self, column: Column, cells: Sequence[Cell]) -> dict[str, Any]:
        """What is shown and sorted by; a text that comes often is said once."""
        shown = list(dict.fromkeys(inert(each.shown) for each in cells))
        place = {text: at for at, text in enumerate(shown)}
        kinds = {inert(each.shown): each.kind for each in cells if each.kind}
        told: dict[str, Any] = {
            "name": self.given.words.say(TERMS[column.term][0]),
            "shown": shown,
            "at": [place[inert(each.shown)] for each in cells],
            "kinds": [kinds.get(text, "") for text in shown],
            "filter": column.key in _FILTERED,
        }
        if any(each.key is not None for each in cells):
            told["keys"] = [_short(each.key) for each in cells]
        return told


def _short(key: float | None) -> float | None:
    """As many digits as tell one account from the next."""
    return None if key is None else float(f"{key:.6g}")


def _rows(given: Given) -> Iterator[dict[str, Any]]:
    """Of each account what the separate answers say, by revenue where it is known."""
    account = given.portfolio.arrow("account")
    found: dict[str, dict[str, Any]] = {}
    keys = [key for key in ("account_id", "segment") if key in account.column_names]
    for row in account.select(keys).to_pylist():
        found[row["account_id"]] = row
    for name, columns in _FROM.items():
        for row in given.rows(name, ("account_id", *columns)):
            found.get(row["account_id"], {}).update(row)
    yield from sorted(found.values(), key=_largest_first)


def _largest_first(row: Mapping[str, Any]) -> tuple[bool, float, str]:
    revenue = row.get("revenue")
    return revenue is None, -(revenue or 0.0), row["account_id"]
