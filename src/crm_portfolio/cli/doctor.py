"""What does this set-up lack, before a night finds it out?"""

from __future__ import annotations

from typing import Annotated

import typer

from crm_portfolio._inert import inert
from crm_portfolio.cli import _complete
from crm_portfolio.cli._options import OutputOption, SettingsFile, read_settings
from crm_portfolio.cli._print import show_csv, show_json, then

__all__ = ["doctor"]


def doctor(
    crm: Annotated[
        str,
        typer.Argument(
            metavar="CRM",
            help="salesforce or hubspot.",
            autocompletion=_complete.crms,
        ),
    ],
    *,
    output: OutputOption = "table",
    settings: SettingsFile = None,
) -> int:
    """Say which right, field or option lacks, and which retirement dates concern you.

    It only reads. What it prints holds no secret and no customer's name: paste it into a
    question without fear.

    crm-portfolio doctor salesforce

    crm-portfolio doctor hubspot --output json
    """
    from crm_portfolio._doctor import doctor as diagnose

    diagnosis = diagnose(crm, settings=read_settings(settings))
    rows = [
        {"state": finding.state, "what": finding.what, "mend": finding.mend}
        for finding in diagnosis.findings
    ]
    if output == "json":
        show_json({"crm": crm, "is_good": diagnosis.is_good, "findings": rows})
    elif output == "csv":
        import pyarrow as pa

        show_csv(pa.Table.from_pylist(rows))
    else:
        typer.echo("\n".join(map(inert, str(diagnosis).splitlines())))
    if diagnosis.is_good:
        then("To read it", "pull", crm, "--to", "FOLDER")
    else:
        then("Once that is mended, to see what is left", "doctor", crm)
    return diagnosis.exit_code
