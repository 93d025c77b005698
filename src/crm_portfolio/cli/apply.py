"""How does a plan get into the CRM?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import attrs
import typer

from crm_portfolio.cli._options import (
    ArchiveFolder,
    CrmName,
    OutputOption,
    SettingsFile,
    open_crm,
    read_settings,
)
from crm_portfolio.cli._print import (
    complain,
    say,
    show_csv,
    show_json,
    show_rows,
    then,
)
from crm_portfolio.cli._progress import progress
from crm_portfolio.cli._run import Stopping
from crm_portfolio.cli.plan import as_texts

if TYPE_CHECKING:
    from crm_portfolio.archive import Entry, Journal

__all__ = ["apply"]

_COLUMNS: Final = (
    *("table", "record_id", "column", "after"),
    *("state", "found", "code", "field"),
)
_FAILED_SHOWN: Final = 20


def apply(
    plan: Annotated[
        str, typer.Argument(metavar="PLAN", help="A file that `plan` or `undo` wrote.")
    ],
    *,
    archive: ArchiveFolder,
    accept_changes: Annotated[
        int | None,
        typer.Option(metavar="N", help="Beyond the limits: exactly how many changes."),
    ] = None,
    crm: CrmName = None,
    output: OutputOption = "table",
    settings: SettingsFile = None,
) -> int:
    """Write a plan, and nothing but the plan, into the CRM it was made for.

    Each record is read again first: what a person changed since is left alone. The first
    ones are looked at before the rest is written. A journal of every change is in the
    archive; `undo` takes its run back. What was cut off goes on when it is applied again.

    crm-portfolio apply plan.jsonl --archive runs
    """
    from crm_portfolio.archive import PERMANENT, Archive
    from crm_portfolio.writeback import Plan
    from crm_portfolio.writeback import apply as apply_plan

    chosen = read_settings(settings)
    proposal = Plan.load(plan)
    # Said first: whoever stops it knows which run to take back.
    say(f"Run {proposal.id}, to {proposal.header.org}.")
    with progress() as bar, Stopping() as stop:
        journal = apply_plan(
            proposal,
            open_crm(crm or proposal.header.org.vendor, chosen),
            archive=Archive(archive),
            accept_changes=accept_changes,
            progress=bar,
            stop=stop,
        )
    if output == "json":
        show_json(_facts(journal))
    elif output == "csv":
        show_csv(as_texts(_COLUMNS, map(_row, journal.entries)))
    else:
        typer.echo(str(journal))
        failed = [_row(entry) for entry in journal.failed[:_FAILED_SHOWN]]
        if failed:
            show_rows(_COLUMNS, failed)
    if journal.interrupted:
        when = "" if stop() else " when the CRM is back"
        complain(f"Interrupted: apply {plan} again{when}; it goes on from here.")
    of_run = (journal.run_id, "--archive", archive)
    if PERMANENT & journal.counts.keys():
        what_for = "To mend what failed for good, and send it again"
        then(what_for, "history", *of_run, "--failed", "FILE")
    if journal.touched:
        then("To take it back", "undo", *of_run, "-o", "PLAN")
    else:
        then("What it came to, change by change", "history", *of_run)
    is_cut_off = bool(journal.interrupted)
    return stop.code(journal.exit_code) if is_cut_off else journal.exit_code


def _row(entry: Entry) -> tuple[object, ...]:
    change = entry.change
    where = (change.table, change.record_id, change.column, change.after)
    return *where, entry.state, entry.found, entry.code, entry.field


def _facts(journal: Journal) -> dict[str, object]:
    return {
        "run_id": journal.run_id,
        "org": attrs.asdict(journal.org),
        "as_of": journal.as_of,
        "counts": journal.counts,
        "interrupted": journal.interrupted,
        "exit_code": journal.exit_code,
        "failed": [dict(zip(_COLUMNS, _row(e), strict=True)) for e in journal.failed],
    }
