"""What do the analyses say about the accounts in this folder?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from crm_portfolio.cli import _complete
from crm_portfolio.cli._compared import show_comparisons
from crm_portfolio.cli._large import MemoryOption, opened, within
from crm_portfolio.cli._options import (
    OutputOption,
    PortfolioFolder,
    SettingsFile,
    read_settings,
)
from crm_portfolio.cli._print import (
    Output,
    say,
    show_csv,
    show_json,
    show_rows,
    show_text,
    then,
)
from crm_portfolio.cli._progress import counting, progress
from crm_portfolio.cli._views import VIEWS, plain
from crm_portfolio.errors import SettingsError

if TYPE_CHECKING:
    import pyarrow as pa

    from crm_portfolio._analyse import Findings
    from crm_portfolio._wording import Lang
    from crm_portfolio.results import Result

__all__ = ["analyse"]

_ROWS_SHOWN: Final = 20


def analyse(
    folder: PortfolioFolder,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help=f"Which of {', '.join(VIEWS)}; without: all.",
            autocompletion=_complete.nouns,
        ),
    ] = None,
    *,
    output: OutputOption = "table",
    settings: SettingsFile = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="portfolio.toml",
            help="Other settings: who moves, and why, from those to --settings.",
        ),
    ] = None,
    memory: MemoryOption = None,
) -> None:
    """Tell who matters, who may leave, what that costs, and where the hours go.

    All that the tables of the folder allow is made, in the order below; a NAME or more
    ask for less. At the end it says what could not be told, for want of which table,
    column or setting, and which one of them would let most be told: begin there.

    Every analysis in one go, for people:

    crm-portfolio analyse book --settings portfolio.toml

    One of them as a file for a spreadsheet, all of them for a program:

    crm-portfolio analyse book tiers --output csv > tiers.csv

    crm-portfolio analyse book --output json > book.json

    What if the rules changed, before they do:

    crm-portfolio analyse book tiers --settings new.toml --against old.toml
    """
    from crm_portfolio._analyse import analyse as analyse_portfolio

    chosen = read_settings(settings)
    if output == "csv" and len(names or ()) != 1:
        raise typer.BadParameter("--output csv needs the name of one analysis")
    portfolio, asked = opened(folder, memory), tuple(names or ())
    with within(memory), progress() as tell:
        findings = analyse_portfolio(
            portfolio,
            chosen,
            only=asked,
            progress=counting(tell, "analyses", asked or VIEWS),
        )
    if names and not findings:
        raise SettingsError(findings.explain_lacking(lang=chosen.language))
    if against is not None:
        with within(memory):
            other = read_settings(against)
            before = analyse_portfolio(portfolio, other, only=asked)
        show_comparisons(
            {
                name: result.compared_with(before[name])
                for name, result in findings.items()
                if name in before
            },
            output,
            chosen.language,
        )
    else:
        _show_all(findings, output, chosen.language)
    if output == "table":
        then("Why an account is where it is", "explain", "ACCOUNT", "--folder", folder)
        then("All of it as one page to read", "report", folder, "-o", "page.html")
    if lacking := findings.explain_lacking(lang=chosen.language):
        say(lacking)  # last, for it ends with what would let most be told


def _show_all(findings: Findings, output: Output, language: Lang) -> None:
    if output == "json":
        results = {name: result.to_dict() for name, result in findings.items()}
        show_json({**results, "lacking": findings.lacking()})
        return
    for name, result in findings.items():
        if output == "csv":
            show_csv(result.arrow)
        else:
            _show(name, result, language)


def _show(name: str, result: Result, language: Lang) -> None:
    """Figures, the first accounts and the warnings, for people."""
    from crm_portfolio._wording import sentence

    view = VIEWS.get(name) or plain(name, result)
    view.figures(result.summary)
    table = result.arrow
    columns = [column for column in view.columns if column in table.column_names]
    first = table.select(columns).slice(0, _ROWS_SHOWN).to_pylist()
    show_rows(columns, [tuple(row.values()) for row in first])
    if view.reasons:
        _show_reasons(table.slice(0, _ROWS_SHOWN), result.key, view.reasons)
    if table.num_rows > _ROWS_SHOWN:
        say(f"… and {table.num_rows - _ROWS_SHOWN} more (--output csv has them all).")
    for warning in result.warnings:
        say(f"{name}: {sentence(warning, language)}")


def _show_reasons(table: pa.Table, key: str, column: str) -> None:
    """Why each account stands where it does, where anything speaks against it."""
    for row in table.to_pylist():
        if row["worst_component"]:
            show_text(f"{row[key]}: {row[column]}")
