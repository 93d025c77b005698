"""Which figures and columns of each analysis does a person see first?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from crm_portfolio.cli._print import show_rows

if TYPE_CHECKING:
    from crm_portfolio.results import Result

__all__ = ["VIEWS", "View", "plain"]


def _concentration_figures(summary: Mapping[str, Any]) -> None:
    sides = summary["by_account"], summary["by_group"]
    rows = [(figure, *(side[figure] for side in sides)) for figure in _CONCENTRATION]
    show_rows(("figure", "by account", "by group"), rows, title="concentration")


def _tiers_figures(summary: Mapping[str, Any]) -> None:
    rows = [[tier[column] for column in _TIER] for tier in summary["tiers"]]
    show_rows(_TIER, rows, title="tiers")


def _allocation_figures(summary: Mapping[str, Any]) -> None:
    rows = [[tier[column] for column in _ALLOTTED] for tier in summary["tiers"]]
    show_rows(_ALLOTTED, rows, title="allocation")


def _danger_figures(summary: Mapping[str, Any]) -> None:
    overall = {name: each["account_count"] for name, each in summary["levels"].items()}
    rows = [("the worst known", *overall.values())]
    rows += [(name, *each.values()) for name, each in summary["components"].items()]
    show_rows(("component", *overall), rows, title="risk")


def _loss_figures(summary: Mapping[str, Any]) -> None:
    sides = summary["before"], summary["after"]
    rows = [(figure, *(side[figure] for side in sides)) for figure in _LOSS]
    rows.append(("critical accounts", summary["critical"]["count"], None))
    show_rows(("figure", "before", "after"), rows, title="loss_scenario")
    levels = summary["recovery"]
    back = [(figure, *(level[figure] for level in levels)) for figure in _RECOVERY]
    names = [level["level"] for level in levels]
    show_rows(("back to", *names), back, title="loss_scenario: the way back")


def _succession_figures(summary: Mapping[str, Any]) -> None:
    rows = [[tier[column] for column in _MOVING] for tier in summary["tiers"]]
    show_rows(_MOVING, rows, title="succession")


def _risk_figures(summary: Mapping[str, Any]) -> None:
    sides = summary["independent"], summary["common_factor"]
    figures = [name for name in sides[0] or () if name in (sides[1] or ())]
    rows = [(each, *(side[each] for side in sides)) for each in figures]
    show_rows(("figure", "independent", "common factor"), rows, title="revenue_at_risk")


def _freed_figures(summary: Mapping[str, Any]) -> None:
    told = (summary["freed"] or {}) | (summary["plan"] or {})
    rows = [(figure, told.get(figure)) for figure in _FREED]
    show_rows(("figure", "value"), rows, title="freed_capacity")


@attrs.frozen
class View:
    """Which part of a result a person wants to see first.

    Attributes:
        reasons: The column of sentences that stand below the accounts, if there is one.
    """

    figures: Callable[[Mapping[str, Any]], None]
    columns: tuple[str, ...]
    reasons: str = ""


def plain(name: str, result: Result) -> View:
    """What any result can show: its single figures, and what its accounts are told."""

    def figures(summary: Mapping[str, Any]) -> None:
        rows = [
            (figure, value)
            for figure, value in summary.items()
            if not isinstance(value, Mapping | list)
        ]
        show_rows(("figure", "value"), rows, title=name)

    return View(figures, (result.key, "name", result.compared))


_CONCENTRATION: Final = (
    "n",
    "total",
    "n_for_80",
    "share_of_top_20pct",
    "major_count",
    "dependent_count",
    "gini_normalised",
    "hhi",
    "effective_number",
)
_LOSS: Final = (
    "revenue",
    "contribution",
    "profit",
    "break_even_revenue",
    "margin_of_safety",
    "operating_leverage",
)
_RECOVERY: Final = (
    *("missing_revenue", "months_compound", "months_linear"),
    *("months_expected", "months_p50", "months_p80"),
)
_FREED: Final = (
    "hours",
    "hours_reserve",
    "hours_given_out",
    "weighed_count",
    "chosen_count",
    "value",
    "value_p10",
    "value_p90",
)
_TIER: Final = ("tier", "account_count", "revenue", "share", "lower_edge")
_MOVING: Final = (
    *("tier", "account_count", "revenue"),
    *("up_rate", "leaving_rate", "years_to_loss"),
)
_ALLOTTED: Final = (
    *("tier", "account_count", "hours", "hours_per_account"),
    *("hours_spent", "intensity"),
)
_ACCOUNT: Final = ("account_id", "name", "revenue", "share")
VIEWS: Final[Mapping[str, View]] = {
    "concentration": View(_concentration_figures, ("rank", *_ACCOUNT, "dependence")),
    "tiers": View(_tiers_figures, ("tier", *_ACCOUNT, "tier_since_on")),
    "allocation": View(
        _allocation_figures,
        ("served_as", "account_id", "name", "minutes", "hours", "hours_spent"),
    ),
    "succession": View(
        _succession_figures,
        ("rising", "place", "account_id", "name", "tier", "revenue", "trend"),
    ),
    "loss_scenario": View(
        _loss_figures, ("account_id", "name", "revenue_lost", "share_after")
    ),
    "freed_capacity": View(
        _freed_figures, ("account_id", "name", "status", "hours_freed", "chosen_count")
    ),
    "revenue_at_risk": View(
        _risk_figures, ("account_id", "name", "revenue", "odds", "expected_loss")
    ),
    "risk": View(
        _danger_figures,
        ("risk_level", "worst_component", "account_id", "name", "revenue"),
        reasons="risk_reasons",
    ),
}
