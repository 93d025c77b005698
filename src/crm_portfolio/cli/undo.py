"""How is a run taken back?"""

from __future__ import annotations

from typing import Annotated

import typer

from crm_portfolio.cli import _complete
from crm_portfolio.cli._options import (
    ArchiveFolder,
    CrmName,
    OutputOption,
    PlanFile,
    SettingsFile,
    open_crm,
    read_settings,
)
from crm_portfolio.cli._progress import progress
from crm_portfolio.cli.plan import show_plan, tell_next

__all__ = ["undo"]


def undo(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="The id that `apply` printed.")
    ],
    *,
    archive: ArchiveFolder,
    to: PlanFile,
    account: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Only this account; may come several times."),
    ] = None,
    opportunity: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="The same of opportunities."),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="C",
            help="Only this field; may come several times.",
            autocompletion=_complete.managed,
        ),
    ] = None,
    crm: CrmName = None,
    output: OutputOption = "table",
    settings: SettingsFile = None,
) -> None:
    """Make a plan that takes a run back. Nothing is written until you apply it.

    Only what still stands as that run left it is taken back; later edits stay and are
    listed. An undo can be taken back too.

    crm-portfolio undo RUN --archive runs -o back.jsonl

    crm-portfolio undo RUN --archive runs --account 001A --column tier -o back.jsonl

    crm-portfolio apply back.jsonl --archive runs
    """
    from crm_portfolio.archive import Archive
    from crm_portfolio.writeback import undo as make_undo

    chosen = read_settings(settings)
    journal = Archive(archive).journal(run)
    with progress() as tell:
        way_back = make_undo(
            journal,
            open_crm(crm or journal.org.vendor, chosen),
            limits=chosen.limits,
            accounts=account or None,
            columns=column or None,
            opportunities=opportunity or None,
            progress=tell,
        )
    way_back.save(to)
    show_plan(way_back, output)
    tell_next(way_back, to, archive)
