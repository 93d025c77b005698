"""Who earns us money?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from crm_portfolio._report._given import Given
from crm_portfolio._report._grid import Column, Grid
from crm_portfolio._report._section import Section, Tile

__all__ = ["earns"]

_SHOWN: Final = 15
_COLUMNS: Final = (
    Column("account_id", "account", "account"),
    Column("net_revenue", "revenue", "money"),
    Column("gross_margin", "gross_margin", "money"),
    Column("margin", "margin", "money"),
    Column("avoidable_contribution", "contribution", "money"),
    Column("contribution_per_hour", "per_hour", "money"),
)


def earns(given: Given) -> Section:
    """What accounts leave after what they cost, and what they should bring yet."""
    words = given.words
    known = [row for row in _rows(given) if row["margin"] is not None]
    known.sort(key=lambda row: (-row["margin"], row["account_id"]))
    losing = [row for row in reversed(known) if row["margin"] < 0]
    best = [row for row in known if row["margin"] > 0]
    grids = (("report_earns", best), ("report_costs", losing))
    return Section(
        "earns",
        words.say("question_earns"),
        lead=tuple(_lead(given)),
        notes=tuple(given.lacks("profitability", "lifetime_value")),
        tiles=tuple(_tiles(given)),
        pictures=(
            *given.drawn("profitability", "plot", "plot_statement"),
            *given.drawn("lifetime_value", "plot"),
        ),
        behind=tuple(
            Grid(words.say(title), _COLUMNS, rows[:_SHOWN], count=len(rows))
            for title, rows in grids
        ),
        remarks=given.warned("profitability", "lifetime_value"),
    )


def _rows(given: Given) -> list[dict[str, Any]]:
    """With the margin by which the curve ranks them, which most accounts have."""
    curve = given.figure("profitability", "whale/curve")
    columns = [each.key for each in _COLUMNS]
    rows = given.rows("profitability", dict.fromkeys([*columns, curve or "name"]))
    return [row | {"margin": row.get(curve) if curve else None} for row in rows]


def _tiles(given: Given) -> Iterator[Tile]:
    whale = given.figure("profitability", "whale") or {}
    if given.of("profitability"):
        for term in ("profit", "peak", "eaten"):
            yield Tile(term, "money", whale.get(term))
        yield Tile("losing_count", "count", whale.get("losing_count"))
    if given.of("lifetime_value"):
        value = given.figure("lifetime_value", "value")
        yield Tile("lifetime_value", "money", value)


def _lead(given: Given) -> Iterator[str]:
    whale = given.figure("profitability", "whale")
    if whale is None:
        return
    if whale["eaten"] is None:
        yield given.words.say("report_lead_margin_unknown")
        return
    if not whale["losing_count"]:
        yield given.words.say("report_lead_all_earn")
        return
    yield given.words.say(
        "report_lead_earns",
        n=whale["profitable_count"],
        losing=whale["losing_count"],
        eaten=whale["eaten"],
    )
