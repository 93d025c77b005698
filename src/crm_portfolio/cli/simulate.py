"""How do I try all of this without a CRM?"""

from __future__ import annotations

import shlex
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from crm_portfolio.cli._print import say, then

if TYPE_CHECKING:
    from crm_portfolio.schema import TableName

__all__ = ["simulate"]

_SAMPLE = "Without --data: "


def simulate(
    crm: Annotated[
        Literal["salesforce", "hubspot"], typer.Argument(help="Which CRM to imitate.")
    ],
    *,
    data: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Tables to load (CSV or Parquet)."),
    ] = None,
    currency: Annotated[
        str | None, typer.Option(metavar="CODE", help="The org's own, such as EUR.")
    ] = None,
    accounts: Annotated[
        int | None, typer.Option(metavar="N", help=_SAMPLE + "accounts, 300.")
    ] = None,
    opportunities: Annotated[
        int | None, typer.Option(metavar="N", help=_SAMPLE + "opportunities, 4000.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help=_SAMPLE + "another book, the same.")
    ] = None,
    daily_limit: Annotated[
        int | None, typer.Option(metavar="N", help="API calls before the CRM refuses.")
    ] = None,
    port: Annotated[int, typer.Option(help="0: any free port.")] = 0,
) -> None:
    """Serve a pretend CRM on this machine until Ctrl-C, and print how to reach it.

    Without --data it holds an invented book of accounts. It is steered and looked into
    below /__sim__/: POST reset and fault, GET calls and state.

    crm-portfolio simulate salesforce --data folder/
    """
    from crm_portfolio.simulator import HubSpot, Salesforce

    drawn = {"accounts": accounts, "opportunities": opportunities, "seed": seed}
    held, own = _held(data, {k: v for k, v in drawn.items() if v is not None})
    switches: dict[str, Any] = {"currency": currency or own, "port": port}
    if daily_limit is not None:
        switches["daily_limit"] = daily_limit
    kind = {"salesforce": Salesforce, "hubspot": HubSpot}[crm]
    with kind(held, **switches) as pretend, suppress(KeyboardInterrupt):
        for name, value in pretend.environment.items():
            typer.echo(f"export {name}={shlex.quote(value)}")
        sys.stdout.flush()
        say(f"A pretend {crm} listens at {pretend.url}. Ctrl-C ends it.")
        then("In another terminal, with these lines set", "pull", crm, "--to", "book")
        threading.Event().wait()


def _held(
    data: Path | None, drawn: Mapping[str, int]
) -> tuple[Mapping[TableName, Any], str]:
    """The tables and the currency they are in."""
    from crm_portfolio import samples
    from crm_portfolio._folder import read_folder

    if data is None:
        book = samples.book(**drawn)
        return book.tables, str(book.truths["currency"])
    if drawn:
        raise typer.BadParameter(f"--{next(iter(drawn))} has no meaning with --data")
    return read_folder(data), "USD"
