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


def _focus_figures(summary: Mapping[str, Any]) -> None:
    core, new = summary["core"], summary["innovation"]
    shares = {"share of revenue": core["revenue"], "share of hours": core["hours"]}
    rows = [(name, *(each[kind] for kind in _CLASSES)) for name, each in shares.items()]
    show_rows(("core business", *_CLASSES), rows, title="focus")
    told = [(f"innovation {figure}", new[figure]) for figure in _NEW]
    told += [(figure, summary["buffer"][figure]) for figure in _BUFFER]
    told += [
        (f"projects to {choice}", each["project_count"])
        for choice, each in summary["unfinished"]["choices"].items()
    ]
    show_rows(("figure", "value"), told)


def _owed_figures(summary: Mapping[str, Any]) -> None:
    rows = [*summary["receivables"].items(), *summary["dso"].items()]
    rows += [(f"{part} cost", summary["cost"][part]) for part in _COST]
    show_rows(("figure", "value"), rows, title="receivables")
    sides = [summary["payments"][who] for who in ("undisputed", "disputed")]
    late = [(figure, *(side[figure] for side in sides)) for figure in sides[0]]
    show_rows(("figure", "undisputed", "disputed"), late)


def _worth_figures(summary: Mapping[str, Any]) -> None:
    rows = [(name, *each.values()) for name, each in summary["methods"].items()]
    rows.append(
        (
            "all",
            *(summary[each] for each in ("account_count", "unknown_count", "value")),
        )
    )
    head = ("found by", "accounts", "unknown", f"value in {summary['value_is']}")
    show_rows(head, rows, title="lifetime_value")
    model = [(name, value) for name, value in summary["model"].items() if value]
    show_rows(("figure", "value"), [*model, *summary["rfm"].items()])


def _review_figures(summary: Mapping[str, Any]) -> None:
    bridge, steps = summary["bridge"], summary["gross_to_net"] or {}
    ends = [(name, bridge[name]) for name in ("revenue_before", "revenue")]
    rows = [ends[0], *bridge["bars"].items(), ends[1]]
    rows += [(name, bridge[name]) for name in _KEPT]
    show_rows(("figure", "value"), rows, title="review")
    sides = [steps.get(when) or {} for when in ("before", "now")]
    given = [(name, *(side.get(name) for side in sides)) for name in sides[1]]
    if given:
        show_rows(("gross to net", "before", "now"), given)


def _profit_figures(summary: Mapping[str, Any]) -> None:
    known = summary["known_counts"]
    rows = [
        (name, amount, known[name]) for name, amount in summary["statement"].items()
    ]
    show_rows(("step", "all accounts", "known of"), rows, title="profitability")
    told = [(name, summary["whale"][name]) for name in _WHALE]
    told.append(("unused hours cost", summary["hours"]["unused_cost"]))
    told.append(("cost of a new account", summary["acquisition"]["cost_of_one"]))
    show_rows(("figure", "value"), told)


def _lost_figures(summary: Mapping[str, Any]) -> None:
    told = [(figure, summary["opportunities"][figure]) for figure in _LOST]
    parts = (
        ("enquiries missed", "enquiries", "missed_count"),
        ("duplicates set apart", "duplicates", "count"),
        ("share of reasons unknown", "reasons", "unknown_share"),
    )
    told += [(says, (summary[part] or {}).get(name)) for says, part, name in parts]
    show_rows(("figure", "value"), told, title="lost_opportunities")


def _again_figures(summary: Mapping[str, Any]) -> None:
    rows = [*summary["recommendations"].items()]
    rows += [(name, summary[name]) for name in ("expected_value_now", "hours_now")]
    rows.append(("value of an hour", summary["hour"]["value"]))
    show_rows(("figure", "value"), rows, title="win_back")


def _ahead_figures(summary: Mapping[str, Any]) -> None:
    trend = summary["trend"]
    rows = [("is the work ahead growing?", trend["label"]), ("judged by", trend["of"])]
    rows += [(figure, summary["now"][figure]) for figure in _AHEAD]
    show_rows(("figure", "value"), rows, title="pipeline")


def _exit_figures(summary: Mapping[str, Any]) -> None:
    rows = [(name, count) for name, count in summary["actions"].items() if count]
    rows += [(f"standing {name}", n) for name, n in summary["standings"].items()]
    rows += [(name, summary[name]) for name in _WEIGHED]
    show_rows(("proposed", "accounts"), rows, title="exit_review")
    known = [
        (code, each["name"], each["known_count"], each["mean_worth"])
        for code, each in summary["criteria"].items()
    ]
    show_rows(("criterion", "is", "known of", "mean worth"), known)


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
_CLASSES: Final = ("core", "complementary", "unclassified")
_NEW: Final = ("share", "target_share", "under_count")
_BUFFER: Final = ("runway_months", "young_revenue_share")
_TIER: Final = ("tier", "account_count", "revenue", "share", "lower_edge")
_MOVING: Final = (
    *("tier", "account_count", "revenue"),
    *("up_rate", "leaving_rate", "years_to_loss"),
)
_ALLOTTED: Final = (
    *("tier", "account_count", "hours", "hours_per_account"),
    *("hours_spent", "intensity"),
)
_COST: Final = ("financing", "administration", "bad_debt", "total")
_ACCOUNT: Final = ("account_id", "name", "revenue", "share")
_KEPT: Final = (
    *("like_for_like_share", "net_retention_share"),
    *("gross_retention_share", "logo_retention_share"),
)
_WHALE: Final = (
    *("curve", "profit", "peak", "peak_count", "peak_ratio", "eaten"),
    *("profitable_count", "break_even_count", "loss_making_count", "losing_count"),
)
_LOST: Final = (
    *("count", "amount", "missed_count", "missed_amount"),
    *("addressable_count", "addressable_amount", "unclassified_share"),
)
_AHEAD: Final = ("live_count", "stale_count", "amount", "weighted_amount")
_WEIGHED: Final = ("firm_count", "open_count", "veto_count", "blocked_count")
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
    "lost_opportunities": View(
        _lost_figures,
        ("class", "count", "amount", "addressable_count", "addressable_amount"),
    ),
    "win_back": View(
        _again_figures,
        (
            *("rank", "recommendation", "opportunity_id", "account_id"),
            *("not_before_on", "expected_value", "hours"),
        ),
    ),
    "pipeline": View(
        _ahead_figures,
        (
            *("month", "open_count", "amount", "weighted_amount"),
            *("stale_amount", "win_rate_share"),
        ),
    ),
    "focus": View(
        _focus_figures,
        ("line", "core", "revenue", "hours", "worth", "open_value"),
    ),
    "review": View(
        _review_figures,
        ("movement", "account_id", "name", "revenue_before", "revenue", "change"),
    ),
    "profitability": View(
        _profit_figures,
        (
            "standing",
            "account_id",
            "name",
            "net_revenue",
            "gross_margin",
            "full_margin",
        ),
    ),
    "receivables": View(
        _owed_figures,
        (
            *("pays", "account_id", "name", "overdue_amount"),
            *("days_late", "dso_days", "cost_of_lateness"),
        ),
    ),
    "lifetime_value": View(
        _worth_figures,
        ("value", "method", "account_id", "name", "alive", "retention", "rfm"),
    ),
    "exit_review": View(
        _exit_figures,
        ("action", "standing", "account_id", "name", "score", "weakest_criterion"),
    ),
    "risk": View(
        _danger_figures,
        ("risk_level", "worst_component", "account_id", "name", "revenue"),
        reasons="risk_reasons",
    ),
}
