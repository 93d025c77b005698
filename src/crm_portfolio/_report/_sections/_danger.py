"""Who is in danger?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from crm_portfolio._report._given import Given
from crm_portfolio._report._grid import Column, Grid
from crm_portfolio._report._section import Section, Tile

__all__ = ["danger"]

_SHOWN: Final = 25
_GRAVEST: Final = ("critical", "high")
_COLUMNS: Final = (
    Column("account_id", "account", "account"),
    Column("risk_level", "risk", "label"),
    Column("worst_component", "worst_component", "label"),
    Column("revenue", "revenue", "money"),
    Column("revenue_previous", "revenue_before", "money"),
    Column("why", "why"),
)


def danger(given: Given) -> Section:
    """Accounts that may leave or hurt, from what, and what is owed."""
    words = given.words
    rows = sorted(
        (row for row in _rows(given) if row["risk_level"] in _GRAVEST), key=_gravity
    )
    shown = [row | {"why": _why(given, row)} for row in rows[:_SHOWN]]
    return Section(
        "danger",
        words.say("question_danger"),
        lead=tuple(_lead(given)),
        notes=tuple(given.lacks("risk", "receivables")),
        tiles=tuple(_tiles(given)),
        pictures=(
            *given.drawn("risk", "plot"),
            *given.drawn("receivables", "plot"),
        ),
        behind=(
            Grid(
                words.say("report_in_danger"),
                _COLUMNS,
                shown,
                count=len(rows),
                is_open=True,
            ),
        ),
        remarks=given.warned("risk", "receivables"),
    )


def _rows(given: Given) -> list[dict[str, Any]]:
    columns = [each.key for each in _COLUMNS]
    return given.rows("risk", columns)


def _gravity(row: dict[str, Any]) -> tuple[int, float, str]:
    """Worst first; of equal danger, who brought most."""
    brought = max(row["revenue"] or 0.0, row["revenue_previous"] or 0.0)
    return _GRAVEST.index(row["risk_level"]), -brought, row["account_id"]


def _why(given: Given, row: dict[str, Any]) -> str:
    """The first reason that is not the level itself, which stands beside it."""
    reasons = given.findings["risk"].reasons(row["account_id"])
    return given.words.told(reasons[min(1, len(reasons) - 1)])


def _tiles(given: Given) -> Iterator[Tile]:
    if given.of("risk"):
        for level in _GRAVEST:
            found = given.figure("risk", f"levels/{level}")
            yield Tile(f"{level}_count", "count", found["account_count"])
            yield Tile(f"{level}_revenue", "money", found["revenue"])
        unknown = given.figure("risk", "levels/unknown/account_count")
        yield Tile("unknown_count", "count", unknown)
    if given.of("receivables"):
        for term, kind, path in (
            ("overdue", "money", "receivables/overdue_amount"),
            ("days_late", "decimal", "payments/undisputed/days_late"),
            ("days_sales", "decimal", "dso/simple_days"),
        ):
            value = given.figure("receivables", path)
            if kind == "decimal" and value is not None:
                value = round(value)
            yield Tile(term, kind, value)  # type: ignore[arg-type]


def _lead(given: Given) -> Iterator[str]:
    words = given.words
    if given.of("risk"):
        levels = given.figure("risk", "levels")
        critical, high = (levels[level] for level in _GRAVEST)
        if critical["account_count"] or high["account_count"]:
            yield words.say(
                "report_lead_danger",
                n=critical["account_count"],
                high=high["account_count"],
                revenue=critical["revenue"] + high["revenue"],
            )
        else:
            yield words.say("report_lead_safe")
        if unknown := levels["unknown"]["account_count"]:
            yield words.say("report_lead_danger_unknown", n=unknown)
    owed = given.figure("receivables", "receivables") or {}
    if owed.get("overdue_amount"):
        overdue, every = owed["overdue_amount"], owed["open_amount"]
        yield words.say("report_lead_overdue", amount=overdue, all=every)
