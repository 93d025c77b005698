"""What would past days have said of the accounts in this folder, and what came of it?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from crm_portfolio.cli._large import MemoryOption, opened, within
from crm_portfolio.cli._options import (
    OutputOption,
    PortfolioFolder,
    SettingsFile,
    read_day,
    read_settings,
)
from crm_portfolio.cli._print import (
    say,
    show_csv,
    show_json,
    show_rows,
    show_text,
    then,
)
from crm_portfolio.cli._progress import progress

if TYPE_CHECKING:
    from crm_portfolio._backtest import BacktestResult
    from crm_portfolio._wording import Lang

__all__ = ["backtest"]

_RATES: Final = {
    "list": "list",
    "day": "day_on",
    "state": "state",
    "named": "named_count",
    "hit share": "hit_rate",
    "base share": "base_rate",
    "lift": "lift",
}
_STABLE: Final = {
    "same share": "same_share",
    "of worth share": "same_worth_share",
    "undone share": "returned_share",
    "still named share": "stayed_share",
}
_STOPS: Final = {
    "dropped": "count",
    "won": "won_count",
    "won for": "won_amount",
    "hours on the rest": "unwon_hours",
    "per hour": "contribution_per_hour",
}


def backtest(
    folder: PortfolioFolder,
    *,
    days: Annotated[
        str | None,
        typer.Option(metavar="DAY,DAY,…", help="The days, such as 2025-06-30."),
    ] = None,
    every: Annotated[
        Literal["month", "quarter", "year"] | None,
        typer.Option(help="Or the last day of each, between --from and --to."),
    ] = None,
    first: Annotated[
        date | None, typer.Option("--from", parser=read_day, metavar="DAY")
    ] = None,
    last: Annotated[
        date | None, typer.Option("--to", parser=read_day, metavar="DAY")
    ] = None,
    horizon_months: Annotated[
        int, typer.Option(min=1, help="How long it may take to come true.")
    ] = 12,
    lost_share: Annotated[
        float,
        typer.Option(
            help="Who brings so much less was rightly warned of: 0.5, a half."
        ),
    ] = 0.5,
    output: OutputOption = "table",
    settings: SettingsFile = None,
    memory: MemoryOption = None,
) -> None:
    """Replay past days, and hold what was said against what came of it.

    crm-portfolio backtest book --days 2025-06-30

    crm-portfolio backtest book --every year --from 2024-01-01 --to 2024-12-31
    """
    from crm_portfolio._backtest import backtest as look_back

    chosen = read_settings(settings)
    asked = _days(days, every, first, last)
    portfolio = opened(folder, memory)
    with within(memory), progress() as tell:
        found = look_back(
            portfolio,
            chosen,
            asked,
            horizon_months=horizon_months,
            lost_share=lost_share,
            progress=tell,
        )
    if output == "json":
        show_json(found.to_dict())
    elif output == "csv":
        show_csv(found.arrow)
    else:
        _show(found, chosen.language)
    then("What is said of them today", "analyse", folder)


def _days(
    days: str | None,
    every: Literal["month", "quarter", "year"] | None,
    first: date | None,
    last: date | None,
) -> list[date]:
    from crm_portfolio._backtest import closes_between

    if (days is None) == (every is None):
        raise typer.BadParameter("name one of them", param_hint="--days, --every")
    if days is not None:
        return [read_day(each.strip()) for each in days.split(",")]
    if every is None or first is None or last is None:
        raise typer.BadParameter("--every needs --from DAY and --to DAY")
    found = closes_between(first, last, every=every)
    if not found:
        raise typer.BadParameter(f"no {every} ends between {first} and {last}")
    return found


def _show(found: BacktestResult, language: Lang) -> None:
    """How often each list came true, what the stop rules cost, how much moved."""
    from crm_portfolio._wording import sentence

    rows = [[row[name] for name in _RATES.values()] for row in found.arrow.to_pylist()]
    show_rows([*_RATES], rows, title="backtest")
    summary: Any = found.summary
    _table("stability, from day to day", "what", _STABLE, summary["stability"])
    _table("dropped by the stop rules", "rule", _STOPS, summary["stop_rules"])
    if summary["stop_rules"]:
        for line in found.answer(lang=language).splitlines():
            show_text(line)
    for warning in found.warnings:
        say(f"backtest: {sentence(warning, language)}")


def _table(
    title: str, first: str, columns: Mapping[str, str], told: Mapping[str, Any]
) -> None:
    rows = [
        [key, *(each[name] for name in columns.values())] for key, each in told.items()
    ]
    if rows:
        show_rows([first, *columns], rows, title=title)
