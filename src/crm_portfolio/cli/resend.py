"""How is what failed for good sent again, once a person mended it?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crm_portfolio.cli._options import (
    ArchiveFolder,
    CrmName,
    OutputOption,
    PlanFile,
    SettingsFile,
    open_crm,
    read_settings,
)
from crm_portfolio.cli.plan import show_plan, tell_next

__all__ = ["resend"]


def resend(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="What `history RUN --failed FILE` wrote."),
    ],
    *,
    archive: ArchiveFolder,
    to: PlanFile,
    crm: CrmName = None,
    output: OutputOption = "table",
    settings: SettingsFile = None,
) -> None:
    """Make a plan of a mended file of failed changes. Nothing is written until you apply it.

    Mend the column `after`, and delete the lines that are not to be sent.

    crm-portfolio resend failed.csv --archive runs -o again.jsonl

    crm-portfolio apply again.jsonl --archive runs
    """
    from crm_portfolio.archive import Archive, read_mended
    from crm_portfolio.writeback import resend as make_resend

    chosen = read_settings(settings)
    kept = Archive(archive)
    name = crm
    if name is None:
        name = kept.journal(read_mended(file)[0].run_id).org.vendor
    proposal = make_resend(
        file, open_crm(name, chosen), archive=kept, limits=chosen.limits
    )
    proposal.save(to)
    show_plan(proposal, output)
    tell_next(proposal, to, archive)
