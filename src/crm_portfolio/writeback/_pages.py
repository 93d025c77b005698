"""How does a plan become a document that can be pasted, sent or opened anywhere?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from crm_portfolio import _html
from crm_portfolio._inert import inert_cell
from crm_portfolio._wording import Lang
from crm_portfolio.writeback._sections import Cell, Section, sections

if TYPE_CHECKING:
    from crm_portfolio.portfolio import Portfolio
    from crm_portfolio.writeback._plan import Plan

__all__ = ["html", "markdown"]

_CHANGES_ON_A_PAGE: Final = 1_000


def markdown(plan: Plan, names: Portfolio | None, lang: Lang) -> str:
    """The document without the single changes, for a chat or a ticket."""
    lines = [f"# {_title(plan)}"]
    for section in sections(plan, _names(names), lang, changes_shown=0):
        lines += ["", f"## {section.title}", "", *_as_markdown(section)]
    return "\n".join(lines) + "\n"


def html(plan: Plan, names: Portfolio | None, lang: Lang) -> str:
    """The document with its first changes, as a page that needs nothing else."""
    told = sections(plan, _names(names), lang, changes_shown=_CHANGES_ON_A_PAGE)
    parts = [part for section in told for part in _as_html(section)]
    return _html.page(_title(plan), parts, lang="en")


def _title(plan: Plan) -> str:
    return f"Plan {plan.id}"


def _names(portfolio: Portfolio | None) -> Mapping[str, str]:
    if portfolio is None:
        return {}
    accounts = portfolio.arrow("account")
    if "name" not in accounts.column_names:
        return {}
    pairs = zip(
        accounts["account_id"].to_pylist(), accounts["name"].to_pylist(), strict=True
    )
    return {record_id: name for record_id, name in pairs if name}


def _as_markdown(section: Section) -> Iterator[str]:
    yield from (f"- {inert_cell(fact)}" for fact in section.facts)
    if section.columns and section.rows:
        yield f"| {' | '.join(section.columns)} |"
        yield f"|{' --- |' * len(section.columns)}"
        for row in section.rows:
            yield f"| {' | '.join(inert_cell(_shown(cell)) for cell in row)} |"
    if section.left_out:
        yield from ("", _more(section))


def _as_html(section: Section) -> Iterator[str]:
    yield _html.heading(section.title)
    if section.facts:
        yield _html.items(section.facts)
    if section.columns and section.rows:
        rows = [dict(zip(section.columns, row, strict=True)) for row in section.rows]
        yield _html.table(section.columns, rows)
    if section.left_out:
        yield _html.items([_more(section)])


def _more(section: Section) -> str:
    return f"and {section.left_out:,} more, in the file of the plan"


def _shown(cell: Cell) -> str:
    if cell is None:
        return ""
    return f"{cell:,}" if isinstance(cell, int) else str(cell)
