"""What does the CRM, or a folder of exports, hold today?"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crm_portfolio.cli._options import AsOf, SettingsFile, as_of_or_today, read_settings
from crm_portfolio.cli._print import counted, progress, say
from crm_portfolio.connectors.files import Dialect

if TYPE_CHECKING:
    import pyarrow as pa

    from crm_portfolio.protocols import Source
    from crm_portfolio.settings import Settings

__all__ = ["pull"]


def pull(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="salesforce, or files.")
    ],
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="FOLDER", help="With files: the folder to read."),
    ] = None,
    *,
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder to write.")],
    as_of: AsOf = None,
    currency: Annotated[
        str | None,
        typer.Option(metavar="CODE", help="Such as EUR; without it, the org's own."),
    ] = None,
    dialect: Annotated[
        Dialect | None,
        typer.Option(help="With files: whose headers; without it, guessed and told."),
    ] = None,
    settings: SettingsFile = None,
) -> None:
    """Read all accounts and opportunities into a folder. Nothing is written to the CRM.

    crm-portfolio pull salesforce --to book --as-of 2026-06-30

    crm-portfolio pull files exports/ --to book --as-of 2026-06-30 --currency EUR
    """
    from crm_portfolio._frames import to_arrow
    from crm_portfolio._pull import pull as pull_tables
    from crm_portfolio.connectors import connect

    chosen = read_settings(settings)
    day = as_of_or_today(as_of)
    if source == "files":
        if folder is None:
            raise typer.BadParameter("pull files needs the folder to read")
        crm = _files(folder, dialect, chosen)
    elif folder is not None or dialect is not None:
        raise typer.BadParameter(
            f"only `pull files` takes a folder or a dialect, not {source}"
        )
    else:
        crm = connect(source, settings=chosen.of_connector(source))
    with progress() as bar:
        portfolio = pull_tables(
            crm,
            as_of=day,
            currency=currency or chosen.currency,
            calendar=chosen.calendar,
            progress=bar,
        )
    portfolio.save(to)
    rows = counted({name: len(portfolio[name]) for name in portfolio.tables})
    say(f"{to}: {rows}, in {portfolio.currency}, as of {portfolio.as_of}.")
    _tell_faults(to_arrow(portfolio.faults))


def _files(folder: Path, dialect: Dialect | None, settings: Settings) -> Source:
    """The folder as a source, after saying how its files were understood."""
    from crm_portfolio.connectors.files import Files

    source = Files(folder, dialect=dialect, settings=settings.files)
    say(str(source.proposal()))
    return source


def _tell_faults(faults: pa.Table) -> None:
    """How many rows were odd, by kind; what stops a pull never comes here."""
    counts = Counter(
        zip(faults["fault"].to_pylist(), faults["effect"].to_pylist(), strict=True)
    )
    for (fault, effect), count in sorted(counts.items()):
        say(f"  {count} {fault.replace('_', ' ')} ({effect.replace('_', ' ')})")
