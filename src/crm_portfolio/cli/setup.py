"""Which fields and rights does the CRM still lack, and may they be made now?"""

from __future__ import annotations

from typing import Annotated

import typer

from crm_portfolio._inert import inert
from crm_portfolio.cli import _complete
from crm_portfolio.cli._options import (
    OutputOption,
    SettingsFile,
    open_crm,
    read_settings,
)
from crm_portfolio.cli._print import show_csv, show_json, then

__all__ = ["setup"]


def setup(
    crm: Annotated[
        str,
        typer.Argument(
            metavar="CRM", help="Such as salesforce.", autocompletion=_complete.crms
        ),
    ],
    *,
    apply: Annotated[
        bool,
        typer.Option("--apply", help="Do it; without it, only say what is missing."),
    ] = False,
    output: OutputOption = "table",
    settings: SettingsFile = None,
) -> None:
    """Create the fields that plans fill, and grant the right to see and edit them.

    Under an administrator's login; once; a second run changes nothing.

    crm-portfolio setup salesforce

    crm-portfolio setup salesforce --apply
    """
    from crm_portfolio.writeback import setup as set_up

    chosen = read_settings(settings)
    report = set_up(
        open_crm(crm, chosen),
        tiers=chosen.tier_names,
        also=chosen.write.also,
        dry_run=not apply,
    )
    steps = [{"what": s.what, "state": s.state, "needs": s.needs} for s in report.steps]
    if output == "json":
        show_json({"crm": crm, "applied": apply, "steps": steps})
    elif output == "csv":
        import pyarrow as pa

        show_csv(pa.Table.from_pylist(steps))
    else:
        typer.echo("\n".join(map(inert, str(report).splitlines())))
    if report.is_complete:
        then("To read the accounts", "pull", crm, "--to", "FOLDER")
    else:
        then("To create what is missing", "setup", crm, "--apply")
