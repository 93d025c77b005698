"""How does the main job look, on invented data and a pretend CRM?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import attrs
import typer

from crm_portfolio.cli._options import AsOf
from crm_portfolio.cli._print import progress, say, screen, show_json

__all__ = ["demo"]

_NOT_SHOWN: Final = 1


def demo(
    *,
    data: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Tables to show instead of invented ones."),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Where the files go; else a new temporary one."
        ),
    ] = None,
    as_of: AsOf = None,
    output: Annotated[
        Literal["text", "json"], typer.Option(help="For people, or one JSON object.")
    ] = "text",
) -> int:
    """Show the main job end to end: pull, rank, plan, write, and take it all back.

    It starts a pretend Salesforce on this machine with an invented book of 300 accounts,
    and leaves the portfolio, the plans and the archive in a folder. No network is used.

    crm-portfolio demo

    crm-portfolio demo --keep demo-files --output json
    """
    from crm_portfolio import _demo
    from crm_portfolio.cli._acts import Page

    page = Page(screen())
    with progress() as bar:
        shown = _demo.demo(
            data=data,
            keep=keep,
            as_of=as_of,
            tell=None if output == "json" else page.show,
            progress=bar,
        )
    if output == "json":
        show_json({**attrs.asdict(shown), "is_good": shown.is_good})
    if not shown.is_good:
        say("The demonstration did not come out as it should: please report it.")
        return _NOT_SHOWN
    return 0
