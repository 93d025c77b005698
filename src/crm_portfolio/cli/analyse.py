"""What do the analyses say about the accounts in this folder?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

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
        typer.Argument(metavar="[NAME]...", help="concentration, tiers; without: all."),
    ] = None,
    output: OutputOption = "table",
    settings: SettingsFile = None,
) -> None:
    """Rank the accounts, measure dependence, put them into tiers.

    crm-portfolio analyse book

    crm-portfolio analyse book tiers --output csv > tiers.csv
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
    if output == "json":
        show_json({name: result.to_dict() for name, result in findings.items()})
        return
    for name, result in findings.items():
        if output == "csv":
            from crm_portfolio._frames import to_arrow

            show_csv(to_arrow(result.frame))
        else:
            _show(name, result, chosen.language)


def _show(name: str, result: Result, language: Lang) -> None:
    """The summary, the warnings and the first rows, for people."""
    from crm_portfolio._frames import to_arrow
    from crm_portfolio._wording import sentence

    table = to_arrow(result.frame)
    shown = table.slice(0, _ROWS_SHOWN)
    rows = [tuple(row.values()) for row in shown.to_pylist()]
    facts = [(key, value) for key, value in result.summary.items() if _is_plain(value)]
    show_rows(("figure", "value"), facts, title=name)
    show_rows(table.column_names, rows)
    if table.num_rows > _ROWS_SHOWN:
        say(
            f"… and {table.num_rows - _ROWS_SHOWN} more accounts (--output csv has all)."
        )
    for warning in result.warnings:
        say(f"{name}: {sentence(warning, language)}")


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)
