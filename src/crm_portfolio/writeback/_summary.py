"""How is a plan told to a person, in fewer than twenty lines?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import attrs

from crm_portfolio._frames import to_arrow
from crm_portfolio._inert import inert, inert_cell
from crm_portfolio._managed import FIELDS, STAMP
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.protocols import Value
from crm_portfolio.writeback._planned import (
    Edited,
    Pinned,
    PlannedChange,
    PlannedRecord,
)

if TYPE_CHECKING:
    from crm_portfolio.portfolio import Portfolio
    from crm_portfolio.writeback._plan import Plan

__all__ = ["markdown", "text"]

_LARGEST: Final = 5
_SHOWN: Final = 6
_REFUSALS: Final = 2
_Lines = list[str]


@attrs.frozen
class _Style:
    """How ids, points of a list, facts below it and headings are set."""

    shown: Callable[[str], str]
    point: str
    fact: str = ""
    strong: str = ""
    names: Mapping[str, str] = attrs.field(factory=dict)
    lang: Lang = "en"

    def title(self, words: str) -> str:
        return f"{self.strong}{words}{self.strong}"

    def account(self, record_id: str) -> str:
        name = self.names.get(record_id)
        return self.shown(f"{name} ({record_id})" if name else record_id)

    def move(self, before: Value, after: Value) -> str:
        return f"{self.value(before)}→{self.value(after)}"

    def value(self, value: Value) -> str:
        return "empty" if value is None else self.shown(str(value))

    def because(self, reasons: Sequence[Reason]) -> str:
        """The first reason, which is the rule; the others are in the plan."""
        if not reasons:
            return ""
        said = sentence(reasons[0], self.lang, names=self.names)
        return f". {self.shown(said)}"


def text(plan: Plan) -> str:
    """The plan for a terminal."""
    return "\n".join(_lines(plan, _Style(inert, "  ")))


def markdown(plan: Plan, names: Portfolio | None, lang: Lang) -> str:
    """The plan for a chat or a ticket."""
    style = _Style(inert_cell, "- ", "- ", "**", _names(names), lang)
    head, *rest = _lines(plan, style)
    return "\n".join([style.title(head), "", *rest]) + "\n"


def _names(portfolio: Portfolio | None) -> dict[str, str]:
    if portfolio is None:
        return {}
    accounts = to_arrow(portfolio["account"])
    if "name" not in accounts.column_names:
        return {}
    pairs = zip(
        accounts["account_id"].to_pylist(), accounts["name"].to_pylist(), strict=True
    )
    return {record_id: name for record_id, name in pairs if name}


def _lines(plan: Plan, style: _Style) -> _Lines:
    return [
        _head(plan),
        _extent(plan),
        *(style.point + line for line in _by_field(plan, style)),
        *_movers(plan, style),
        *(style.fact + line for line in _people(plan, style)),
        *(style.fact + style.title(line) for line in _refused(plan)),
        style.fact + _calls(plan),
    ]


def _head(plan: Plan) -> str:
    header = plan.header
    back = f", takes back run {header.undoes}," if header.undoes else ""
    return (
        f"Plan {plan.id}{back} for {header.org}, made {header.made_at:%Y-%m-%d %H:%M} UTC, "
        f"as of {header.as_of}"
    )


def _extent(plan: Plan) -> str:
    if not plan.changes:
        return f"Nothing to change on {plan.header.population:,} accounts."
    stamps = sum(planned.change.column == STAMP for planned in plan.changes)
    return (
        f"{len(plan.changes):,} changes on {len(plan.records):,} of "
        f"{plan.header.population:,} accounts; {stamps:,} of the changes are stamps."
    )


def _by_field(plan: Plan, style: _Style) -> _Lines:
    """A line for each field with choices, one for all others together."""
    lines, others = [], []
    touched = {c.change.column for c in plan.changes} - {STAMP}
    for column in (column for column in FIELDS if column in touched):
        count, filled = plan.counts.get(column, 0), plan.first_fills.get(column, 0)
        parts = [f"{count:,} changed"] * bool(count)
        parts += [f"{filled:,} filled for the first time"] * bool(filled)
        said = f"{column}: {', '.join(parts)}"
        if FIELDS[column].choices:
            lines.append(said + _moves(plan.changes, column, style))
        else:
            others.append(said)
    return [*lines, *(["; ".join(others)] if others else [])]


def _moves(changes: Iterable[PlannedChange], column: str, style: _Style) -> str:
    moves = Counter(
        (c.change.before, c.change.after) for c in changes if c.change.column == column
    )
    ranked = sorted(moves.items(), key=lambda item: (-item[1], str(item[0])))
    told = [f"{style.move(*move)} {count:,}" for move, count in ranked[:_SHOWN]]
    return f" ({', '.join(told)}{', …' if ranked[_SHOWN:] else ''})"


def _movers(plan: Plan, style: _Style) -> _Lines:
    """The largest accounts whose tier moves, else those that get their first."""
    tiers = [
        (record, planned)
        for record in plan.records
        for planned in record.changes
        if planned.change.column == "tier"
    ]
    moved = [pair for pair in tiers if not pair[1].is_first_fill]
    chosen = sorted(moved or tiers, key=_by_rank)[:_LARGEST]
    if not chosen:
        return []
    words = "Largest accounts that move:" if moved else "Largest accounts, first tier:"
    lines = [
        f"{style.point}{style.account(record.record_id)} "
        f"{style.move(planned.change.before, planned.change.after)}"
        f"{style.because(planned.reasons)}"
        for record, planned in chosen
    ]
    return ["", style.title(words), *lines]


def _by_rank(pair: tuple[PlannedRecord, PlannedChange]) -> tuple[bool, int, str]:
    record = pair[0]
    return record.rank is None, record.rank or 0, record.record_id


def _people(plan: Plan, style: _Style) -> _Lines:
    kept = "kept" if plan.header.policy.edited == "keep" else "overwritten"
    # What stands there instead may be a later run's, too.
    edited = (
        "Changed since, kept" if plan.header.undoes else f"Edited by people, {kept}"
    )
    told = (
        ("Pinned by people", [_pinned(each, style) for each in plan.pinned]),
        (edited, [_edited(each, style) for each in plan.edited]),
        ("Not in the CRM", [style.account(each) for each in plan.missing]),
    )
    return [f"{words}: {len(each):,} ({_few(each)})" for words, each in told if each]


def _few(told: Sequence[str]) -> str:
    return ", ".join(told[:_LARGEST]) + (", …" if told[_LARGEST:] else "")


def _pinned(pinned: Pinned, style: _Style) -> str:
    until = f" until {pinned.until_on}" if pinned.until_on else ""
    by = f" by {style.shown(pinned.by)}" if pinned.by else ""
    return f"{style.account(pinned.record_id)} {style.shown(pinned.tier)}{until}{by}"


def _edited(edited: Edited, style: _Style) -> str:
    columns = " ".join(edited.columns)
    return style.account(edited.record_id) + (f" {columns}" if columns else "")


def _refused(plan: Plan) -> _Lines:
    refusals = plan.refusals
    if not refusals:
        return []
    lines = [f"Refused: {refusal}" for refusal in refusals[:_REFUSALS]]
    more = len(refusals) - _REFUSALS
    lines[-1] += f" And {more} more." if more > 0 else ""
    lines[-1] += f" To accept all of it: accept_changes={len(plan.changes)}."
    return lines


def _calls(plan: Plan) -> str:
    quota = plan.header.quota
    left = f"; {quota.remaining:,} of {quota.limit:,} left today" if quota else ""
    return f"API calls to apply it: about {plan.call_estimate:,}{left}."
