"""How do I try all of this without a CRM?"""

from __future__ import annotations

import shlex
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

import typer

from crm_portfolio.cli._print import program, say

__all__ = ["simulate"]


def simulate(
    crm: Annotated[Literal["salesforce"], typer.Argument(help="Which CRM to imitate.")],
    *,
    data: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Tables to load (CSV or Parquet)."),
    ] = None,
    currency: Annotated[
        str | None, typer.Option(metavar="CODE", help="The org's own, such as EUR.")
    ] = None,
    port: Annotated[int, typer.Option(help="0: any free port.")] = 0,
) -> None:
    """Serve a pretend CRM on this machine until Ctrl-C, and print how to reach it.

    Without --data it holds an invented book of 300 accounts.

    crm-portfolio simulate salesforce --data folder/
    """
    from crm_portfolio import samples
    from crm_portfolio._folder import read_folder
    from crm_portfolio.simulator import Salesforce

    if data is None:
        book = samples.book()
        held, own = book.tables, str(book.truths["currency"])
    else:
        held, own = read_folder(data), "USD"
    with Salesforce(held, currency=currency or own, port=port) as pretend:
        for name, value in pretend.environment.items():
            typer.echo(f"export {name}={shlex.quote(value)}")
        sys.stdout.flush()
        say(
            f"A pretend {crm} listens at {pretend.url}. In another terminal, set the lines"
        )
        say(f"above and try: {program()} pull salesforce --to book. Ctrl-C ends it.")
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
