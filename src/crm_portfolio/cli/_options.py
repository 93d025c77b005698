"""Which arguments do several commands share, and how is their text read?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo

import typer

from crm_portfolio.cli import _complete
from crm_portfolio.cli._print import Output, say, say_more
from crm_portfolio.errors import SettingsError

if TYPE_CHECKING:
    from crm_portfolio.protocols import Connector
    from crm_portfolio.settings import Settings

__all__ = [
    "ArchiveFolder",
    "AsOf",
    "CrmName",
    "LangOption",
    "OutputOption",
    "PlanFile",
    "PortfolioFolder",
    "SettingsFile",
    "as_of_or_today",
    "must_have_begun",
    "open_crm",
    "read_day",
    "read_settings",
]


def read_day(text: str) -> date:
    """A day as a person writes it."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a day such as 2026-06-30") from error


SettingsFile = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        envvar="CRM_PORTFOLIO_SETTINGS",
        metavar="portfolio.toml",
        help="The settings file; without it, the defaults.",
    ),
]
AsOf = Annotated[
    date | None,
    typer.Option(
        parser=read_day, metavar="DAY", help="The last day known, such as 2026-06-30."
    ),
]
OutputOption = Annotated[
    Output, typer.Option(help="How the data is written to stdout.")
]
PortfolioFolder = Annotated[
    str,
    typer.Argument(
        metavar="FOLDER",
        help="A folder that `pull` wrote, or where it lies in a store.",
    ),
]
CrmName = Annotated[
    str | None,
    typer.Option(
        "--crm",
        metavar="NAME",
        help="The CRM; its login is in the environment.",
        autocompletion=_complete.crms,
    ),
]
# The languages once more, for the catalogue of sentences need not be read to show help.
LangOption = Annotated[
    Literal["en", "fr"] | None, typer.Option(help="The language of the sentences.")
]
# Text, because an address such as s3://bucket/crm is no path.
ArchiveFolder = Annotated[
    str,
    typer.Option(
        "--archive",
        metavar="FOLDER",
        help="Where journals are kept: a folder, or an address such as s3://bucket/crm.",
    ),
]
PlanFile = Annotated[
    str, typer.Option("--to", "-o", metavar="PLAN", help="The plan file to write.")
]


def read_settings(path: Path | None) -> Settings:
    """The settings in the file, or the defaults."""
    from crm_portfolio.settings import Settings

    say_more(f"Settings: {path or 'the defaults'}.")
    return Settings() if path is None else Settings.load(path)


def as_of_or_today(as_of: date | None) -> date:
    """The day asked for; else today, which is said."""
    if as_of is not None:
        return as_of
    today = datetime.now(UTC).astimezone().date()  # noqa: TID251 - today is chosen here
    say(f"As of today, {today} (--as-of DAY chooses another day).")
    return today


def must_have_begun(day: date, zone: Callable[[], str]) -> None:
    """Nothing, unless the day lies ahead: of that nobody knows anything yet.

    What is foreseen would be taken for done, and its tiers written.

    Args:
        zone: The time zone in which a day begins; asked only if it matters.

    Raises:
        SettingsError: It names today.
    """
    now = datetime.now(UTC)  # noqa: TID251 - a day that a person chose is checked here
    if day < now.date() - timedelta(days=1):  # over wherever on earth the org is
        return
    name = zone()
    today = now.astimezone(ZoneInfo(name)).date()
    if day > today:
        raise SettingsError(
            f"as of {day}: that day is still ahead, today is {today} in {name}. Nothing "
            f"was written. Say --as-of {today}, or an earlier day."
        )


def open_crm(name: str, settings: Settings) -> Connector:
    """The CRM of that name, with its own part of the settings."""
    from crm_portfolio.connectors import connect

    crm: Connector = connect(name, settings=settings.of_connector(name))
    return crm
