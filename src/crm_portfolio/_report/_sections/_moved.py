"""What has moved: since the older folder, or else between the last two periods?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from crm_portfolio._frames import to_arrow
from crm_portfolio._report._given import Given, figure
from crm_portfolio._report._grid import Column, Grid
from crm_portfolio._report._section import Section, Tile
from crm_portfolio._report._terms import TERMS
from crm_portfolio.results import Comparison

__all__ = ["OF_BOTH", "moved"]

_SHOWN: Final = 40
_COMPARED: Final[Mapping[str, str]] = {
    "tiers": "tier",
    "concentration": "dependence",
    "risk": "risk",
    "exit_review": "step",
}
# The wide settings stay: they say on which day it was looked.
_SAME_RULES: Final = ("settings.",)
_FIGURES: Final = (
    ("revenue", "money", "concentration", "by_account/total"),
    ("largest_share", "share", "concentration", "by_group/cr1"),
    ("n_for_80", "count", "concentration", "by_account/n_for_80"),
    ("critical_count", "count", "risk", "levels/critical/account_count"),
    ("high_count", "count", "risk", "levels/high/account_count"),
    ("overdue", "money", "receivables", "receivables/overdue_amount"),
    ("lost_amount", "money", "lost_opportunities", "opportunities/amount"),
    ("losing_count", "count", "profitability", "whale/losing_count"),
)
_WHERE: Final = ("rank", "risk_is_")
OF_BOTH: Final = tuple(dict.fromkeys((*_COMPARED, *(each[2] for each in _FIGURES))))
"""The analyses that are made of the older folder too."""


def moved(given: Given) -> Section:
    """Who moved since last time, and what carried the revenue from one to the other."""
    words = given.words
    found = dict(_comparisons(given))
    return Section(
        "moved",
        words.say("question_moved"),
        lead=tuple(_lead(given, found)),
        notes=tuple(_notes(given, found)),
        tiles=tuple(_tiles(given)),
        pictures=(
            *given.drawn("review", "plot", "plot_gross_to_net"),
            *given.drawn("pipeline", "plot"),
        ),
        behind=(*_then_and_now(given), *_who(given, found)),
        remarks=given.warned("review", "pipeline"),
    )


def _comparisons(given: Given) -> Iterator[tuple[str, Comparison]]:
    if given.older is None:
        return
    before = given.older[1]
    for name in _COMPARED:
        if name in given.findings and name in before:
            yield name, given.findings[name].compared_with(before[name])


def _lead(given: Given, found: Mapping[str, Comparison]) -> Iterator[str]:
    words = given.words
    if given.older is not None and found:
        as_of = given.older[0].as_of
        ids = {
            each
            for one in found.values()
            for each in to_arrow(one.frame)["account_id"].to_pylist()
        }
        first = next(iter(found.values()))
        came, left = len(first.came), len(first.left)
        code = "report_lead_since" if ids else "report_lead_same"
        yield words.say(code, as_of=as_of, **({"n": len(ids)} if ids else {}))
        if came or left:
            yield words.say("report_lead_came", came=came, left=left)
    yield from _change(given)


def _change(given: Given) -> Iterator[str]:
    """What the two periods of the review brought, which an older folder does not move."""
    result, bridge = given.of("review"), given.figure("review", "bridge")
    if result is None or None in (bridge["revenue_before"], bridge["revenue"]):
        return
    days: dict[str, Any] = {
        f"{name}_{day}": result.params[name][key]  # type: ignore[index, call-overload]
        for name in ("before", "period")
        for day, key in (("from", "start"), ("to", "last_day"))
    }
    before, now = bridge["revenue_before"], bridge["revenue"]
    yield given.words.say("report_lead_change", before=before, now=now, **days)


def _notes(given: Given, found: Mapping[str, Comparison]) -> Iterator[str]:
    words = given.words
    yield from given.lacks("review", "pipeline")
    if given.older is None:
        is_told = given.of("review") is not None
        yield words.say("report_no_older_periods" if is_told else "report_no_older")
        return
    for name in _COMPARED:
        if name in given.findings and name not in found:
            yield words.say("report_not_then", analysis=given.title(name))
    for name, each in found.items():
        if any(path.startswith(_SAME_RULES) for path in each.changed):
            yield words.say("report_other_rules", analysis=given.title(name))


def _tiles(given: Given) -> Iterator[Tile]:
    bridge = given.figure("review", "bridge")
    if bridge is None:
        return
    yield Tile("change", "money", bridge["change"])
    for term, key in (
        ("like_for_like", "like_for_like_share"),
        ("net_retention", "net_retention_share"),
        ("gross_retention", "gross_retention_share"),
    ):
        yield Tile(term, "share", bridge[key])


def _then_and_now(given: Given) -> Iterator[Grid]:
    if given.older is None:
        return
    words = given.words
    rows = [
        {
            "figure": words.say(TERMS[term][0]),
            "was": words.cell(kind, figure(given.older[1], name, path)),  # type: ignore[arg-type]
            "is_now": words.cell(kind, given.figure(name, path)),  # type: ignore[arg-type]
        }
        for term, kind, name, path in _FIGURES
    ]
    columns = (Column("figure", "figure"), Column("was", "was", "said"))
    yield Grid(
        words.say("report_then_now"),
        (*columns, Column("is_now", "is_now", "said")),
        rows,
        is_open=True,
    )


def _who(given: Given, found: Mapping[str, Comparison]) -> Iterator[Grid]:
    """One table for each separate field: it moves by itself."""
    for name, each in found.items():
        told = to_arrow(each.frame)
        by = [
            (column, "descending")
            for column in ("revenue", "net_revenue")
            if column in told.column_names
        ]
        rows: list[dict[str, Any]] = told.sort_by(
            [*by, ("account_id", "ascending")]
        ).to_pylist()
        for row in rows:
            row["why"] = _why(given, name, row["account_id"])
        columns = (
            Column("account_id", "account", "account"),
            Column("before", "was", "label", of=each.column),
            Column("after", "is_now", "label", of=each.column),
            Column("why", "why"),
        )
        term = given.words.say(TERMS[_COMPARED[name]][0])
        title = given.words.say("report_moves", what=term)
        yield Grid(title, columns, rows[:_SHOWN], count=len(rows))


def _why(given: Given, name: str, account_id: str) -> str:
    """The first reason that says more than where it is, which stands beside it."""
    reasons = given.findings[name].reasons(account_id)
    more = (each for each in reasons if not each.code.startswith(_WHERE))
    return given.words.told(next(more, reasons[0]))
