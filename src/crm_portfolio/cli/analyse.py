"""What do the analyses say about the accounts in this folder?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import attrs
import typer

from crm_portfolio.cli._compared import show_comparisons
from crm_portfolio.cli._options import (
    OutputOption,
    PortfolioFolder,
    SettingsFile,
    read_settings,
)
from crm_portfolio.cli._print import say, show_csv, show_json, show_rows

if TYPE_CHECKING:
    from crm_portfolio._wording import Lang
    from crm_portfolio.results import Result

__all__ = ["analyse"]

_ROWS_SHOWN: Final = 20


def analyse(
    folder: PortfolioFolder,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME", help="Which analyses, such as tiers; without: all."
        ),
    ] = None,
    output: OutputOption = "table",
    settings: SettingsFile = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="portfolio.toml",
            help="Other settings: who moves, and why, from those to --settings.",
        ),
    ] = None,
) -> None:
    """Rank the accounts, measure dependence, put them into tiers.

    crm-portfolio analyse book

    crm-portfolio analyse book tiers --output csv > tiers.csv

    crm-portfolio analyse book tiers --settings new.toml --against old.toml
    """
    from crm_portfolio._analyse import analyse as analyse_portfolio
    from crm_portfolio.portfolio import Portfolio

    chosen = read_settings(settings)
    if output == "csv" and len(names or ()) != 1:
        raise typer.BadParameter("--output csv needs the name of one analysis")
    portfolio = Portfolio.load(folder)
    findings = analyse_portfolio(portfolio, chosen, only=tuple(names or ()))
    for name, missing in findings.skipped.items():
        say(f"{name} was skipped: it needs {missing}.")
    if against is not None:
        before = analyse_portfolio(
            portfolio, read_settings(against), only=tuple(names or ())
        )
        show_comparisons(
            {
                name: result.compared_with(before[name])
                for name, result in findings.items()
                if name in before
            },
            output,
            chosen.language,
        )
        return
    if output == "json":
        show_json({name: result.to_dict() for name, result in findings.items()})
        return
    for name, result in findings.items():
        if output == "csv":
            show_csv(result.arrow)
        else:
            _show(name, result, chosen.language)


def _show(name: str, result: Result, language: Lang) -> None:
    """Figures, the first accounts and the warnings, for people."""
    from crm_portfolio._wording import sentence

    view = _VIEWS.get(name) or _plain(name, result)
    view.figures(result.summary)
    table = result.arrow
    columns = [column for column in view.columns if column in table.column_names]
    first = table.select(columns).slice(0, _ROWS_SHOWN).to_pylist()
    show_rows(columns, [tuple(row.values()) for row in first])
    if table.num_rows > _ROWS_SHOWN:
        say(f"… and {table.num_rows - _ROWS_SHOWN} more (--output csv has them all).")
    for warning in result.warnings:
        say(f"{name}: {sentence(warning, language)}")


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
    show_rows(("figure", "before", "after"), rows, title="loss_scenario")


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
class _View:
    """Which part of a result a person wants to see first."""

    figures: Callable[[Mapping[str, Any]], None]
    columns: tuple[str, ...]


def _plain(name: str, result: Result) -> _View:
    """What any result can show: its single figures, and what its accounts are told."""

    def figures(summary: Mapping[str, Any]) -> None:
        rows = [
            (figure, value)
            for figure, value in summary.items()
            if not isinstance(value, Mapping | list)
        ]
        show_rows(("figure", "value"), rows, title=name)

    return _View(figures, (result.key, "name", result.compared))


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
_VIEWS: Final[Mapping[str, _View]] = {
    "concentration": _View(_concentration_figures, ("rank", *_ACCOUNT, "dependence")),
    "tiers": _View(_tiers_figures, ("tier", *_ACCOUNT, "tier_since_on")),
    "allocation": _View(
        _allocation_figures,
        ("served_as", "account_id", "name", "minutes", "hours", "hours_spent"),
    ),
    "succession": _View(
        _succession_figures,
        ("rising", "place", "account_id", "name", "tier", "revenue", "trend"),
    ),
    "loss_scenario": _View(
        _loss_figures, ("account_id", "name", "revenue_lost", "share_after")
    ),
    "freed_capacity": _View(
        _freed_figures, ("account_id", "name", "status", "hours_freed", "chosen_count")
    ),
    "revenue_at_risk": _View(
        _risk_figures, ("account_id", "name", "revenue", "odds", "expected_loss")
    ),
    "risk": _View(
        _danger_figures,
        ("risk_level", "worst_component", "account_id", "name", "revenue"),
    ),
}
