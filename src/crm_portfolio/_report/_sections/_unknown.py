"""What is unknown, and which answer would help most?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from crm_portfolio import _html
from crm_portfolio._analyse import Unlock
from crm_portfolio._frames import to_arrow
from crm_portfolio._report._given import Given
from crm_portfolio._report._grid import Column, Grid
from crm_portfolio._report._labels import TABLES
from crm_portfolio._report._section import Section, Tile
from crm_portfolio.analysis import ExitReviewResult

__all__ = ["unknown"]

_HELPS: Final = 5
_QUESTIONS: Final = 10
_MEASURED: Final = ("concentration", "tiers", "risk")
_ASKED: Final = (
    Column("question", "question"),
    Column("about", "about"),
    Column("ask", "ask", "label"),
)


def unknown(given: Given) -> Section:
    """What could not be told, for want of what, and what to ask whom first."""
    words = given.words
    asked, count = _questions(given)
    return Section(
        "unknown",
        words.say("question_unknown"),
        lead=(_lead(given),),
        tiles=tuple(_tiles(given)),
        behind=(
            *_helps(given),
            Grid(words.say("report_questions"), _ASKED, asked, count, is_open=True),
            *_not_told(given),
        ),
        remarks=given.warned("focus"),
    )


def _lead(given: Given) -> str:
    skipped = len(given.findings.skipped)
    parts = sum(map(len, given.findings.gaps.values()))
    if not skipped and not parts:
        return given.words.say("report_lead_all_known")
    if not parts:
        return given.words.say("report_lead_not_made", n=skipped)
    if not skipped:
        return given.words.say("report_lead_parts", parts=parts)
    return given.words.say("report_lead_lacking", n=skipped, parts=parts)


def _tiles(given: Given) -> Iterator[Tile]:
    made = [given.findings[name] for name in _MEASURED if name in given.findings]
    for result in made[:1]:
        yield Tile("coverage", "share", result.coverage)
        yield Tile("rejected", "count", to_arrow(result.rejected).num_rows)
    yield Tile("faults", "count", to_arrow(given.portfolio.faults).num_rows)


def _helps(given: Given) -> Iterator[str]:
    unlocks = given.findings.unlocks[:_HELPS]
    if not unlocks:
        return
    title = _html.text(given.words.say("report_helps"))
    steps = "".join(f"<li>{_help(given, each)}</li>" for each in unlocks)
    yield f'<h3>{title}</h3><ol class="steps">{steps}</ol>'


def _help(given: Given, unlock: Unlock) -> str:
    words = given.words
    add = _added(given, unlock)
    said = [f"<strong>{_html.text(add[:1].upper() + add[1:])}</strong>"]
    if unlock.analyses:
        titles = words.listed([given.title(name) for name in unlock.analyses])
        said.append(_html.text(words.say("report_lets_make", analyses=titles)))
    if unlock.parts:
        parts = ", ".join(
            words.say(
                "report_part_of",
                part=words.listed([given.part(part) for part in each]),
                analysis=given.title(name),
            )
            for name, each in unlock.parts.items()
        )
        said.append(_html.text(words.say("report_lets_tell", parts=parts)))
    return "<br>".join(said)


def _added(given: Given, unlock: Unlock) -> str:
    """The thing to add, with the columns and rows it is wanted with."""
    wanted = (*unlock.columns, *unlock.rows)
    if not wanted:
        return given.source(unlock.add)
    return given.words.say(
        "report_add_table_with",
        table=given.words.say(TABLES[unlock.add]),
        add=unlock.add,
        columns=given.words.listed(wanted),
    )


def _not_told(given: Given) -> Iterator[str]:
    """Each analysis and part that is unknown, with what it needs."""
    lines = [*given.lacks(*given.findings.skipped)]
    for name, parts in given.findings.gaps.items():
        lines += given.untold(name, *parts)
    if lines:
        yield _html.disclosure(given.words.say("report_not_told"), _html.items(lines))


def _questions(given: Given) -> tuple[list[dict[str, Any]], int]:
    result = given.of("exit_review")
    if not isinstance(result, ExitReviewResult):
        return [], 0
    table = to_arrow(result.questions(lang=given.words.lang))
    rows: list[dict[str, Any]] = table.slice(0, _QUESTIONS).to_pylist()
    for row in rows:
        row["about"] = (
            given.words.called(row["account_id"])
            if row["account_id"]
            else given.words.say("report_about_many", n=row["account_count"])
        )
        row["question"] = given.words.fine(row["question"])
    return rows, table.num_rows
