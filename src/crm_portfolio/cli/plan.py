"""Which fields would be written into the CRM, and why?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import attrs
import typer

from crm_portfolio._storage import write_atomically
from crm_portfolio.cli import _complete
from crm_portfolio.cli._large import MemoryOption, opened, within
from crm_portfolio.cli._options import (
    OutputOption,
    PlanFile,
    PortfolioFolder,
    SettingsFile,
    must_have_begun,
    open_crm,
    read_settings,
)
from crm_portfolio.cli._print import (
    Output,
    complain,
    pasted,
    say,
    show_csv,
    show_json,
    then,
)
from crm_portfolio.cli._progress import counting, progress
from crm_portfolio.errors import SettingsError

if TYPE_CHECKING:
    import pyarrow as pa

    from crm_portfolio.writeback import Plan

__all__ = ["as_texts", "plan", "show_plan", "tell_next"]

_ROWS_AT_ONCE: Final = 10_000


def plan(
    folder: PortfolioFolder,
    *,
    crm: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The CRM the folder was pulled from.",
            autocompletion=_complete.crms,
        ),
    ],
    to: PlanFile,
    archive: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Where journals are kept. It tells which fields people edited, whether "
            "accounts have gone since the last run, and which pins have ended.",
        ),
    ] = None,
    markdown: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Also write the plan as a Markdown document."
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Also write the plan as a page for a browser."
        ),
    ] = None,
    names: Annotated[
        bool,
        typer.Option("--names", help="With account names in these two; else ids only."),
    ] = False,
    output: OutputOption = "table",
    settings: SettingsFile = None,
    memory: MemoryOption = None,
) -> None:
    """Compare the analyses with the CRM and write the difference into a file.

    Nothing is written to the CRM: read the plan, then apply it. What the limits of the
    settings refuse is in the plan, and `apply` stops at it.

    crm-portfolio plan book --crm salesforce -o plan.jsonl --archive runs --html plan.html
    """
    from crm_portfolio._analyse import analyse, assigning
    from crm_portfolio.archive import Archive
    from crm_portfolio.protocols import CopiedOrg
    from crm_portfolio.writeback import plan as make_plan

    if names and not (markdown or html):
        raise typer.BadParameter(
            "names stand in documents only: add --markdown FILE or --html FILE",
            param_hint="--names",
        )
    chosen = read_settings(settings)
    portfolio = opened(folder, memory)
    must_have_begun(portfolio.as_of, lambda: portfolio.calendar.time_zone)
    with within(memory), progress() as tell:
        only = assigning(chosen.write.also)
        counted = counting(tell, "analyses", only)
        findings = analyse(portfolio, chosen, only=only, progress=counted)
    proposal = make_plan(
        findings.values(),
        open_crm(crm, chosen),
        # Of files or of a replica, it may not be what the CRM holds now.
        held=portfolio if portfolio.org and not CopiedOrg.read(portfolio.org) else None,
        limits=chosen.limits,
        policy=chosen.policy,
        also=chosen.write.also,
        archive=Archive(archive) if archive else None,
    )
    proposal.save(to)
    named = portfolio if names else None
    if markdown:
        _write(markdown, proposal.to_markdown(named, lang=chosen.language))
    if html:
        _write(html, proposal.to_html(named, lang=chosen.language))
    show_plan(proposal, output)
    tell_next(proposal, to, archive or "FOLDER")


def _write(path: Path, content: str) -> None:
    """A document that its owner alone can read: there may be names in it."""
    try:
        write_atomically(path, content.encode(), private=True)
    except OSError as error:
        raise SettingsError(
            f"{str(path)!r} cannot be written: {error.strerror}. Name a file in a folder "
            "that is there and that this user may write."
        ) from error
    say(f"{path}: the plan, to read.")


def tell_next(proposal: Plan, to: str, archive: str) -> None:
    """What to do with the plan file."""
    if proposal.refusals:
        count = len(proposal.changes)
        complain(
            f"{to}: the limits refuse this plan, and `apply` will write nothing. Look at "
            "it; if a broken pull is behind it, mend that and plan again; if it is right, "
            f"apply it with --accept-changes {count}."
        )
    elif proposal.changes:
        way = pasted("apply", to, "--archive", archive)
        say(f"{to}: nothing is written yet; this writes it: {way}")
    else:
        say(f"{to}: there is nothing to write.")
        then("To ask again once the CRM has moved", "pull", "CRM", "--to", "FOLDER")


def show_plan(proposal: Plan, output: Output) -> None:
    """A plan on stdout: what a person reads, or every change as data."""
    if output == "table":
        typer.echo(str(proposal))
    elif output == "json":
        show_json(_facts(proposal))
    else:
        columns = ("table", "record_id", "column", "before", "after")
        changes = (planned.change for planned in proposal.changes)
        show_csv(as_texts(columns, ([getattr(x, c) for c in columns] for x in changes)))


def as_texts(columns: Sequence[str], rows: Iterator[Sequence[object]]) -> pa.Table:
    """These rows as a table of texts, made of a few of them at a time."""
    import pyarrow as pa

    schema = pa.schema([(name, pa.string()) for name in columns])
    batches = []
    while part := list(islice(rows, _ROWS_AT_ONCE)):
        texts = [
            [_text(value) for value in values] for values in zip(*part, strict=True)
        ]
        batches.append(pa.record_batch(texts, schema=schema))
    return pa.Table.from_batches(batches, schema)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _facts(proposal: Plan) -> dict[str, object]:
    return {
        "id": proposal.id,
        "org": attrs.asdict(proposal.header.org),
        "as_of": proposal.header.as_of,
        "undoes": proposal.header.undoes,
        "population": proposal.header.population,
        "others": proposal.header.others,
        "population_before": proposal.header.previous,
        "unknown": proposal.header.unknown,
        "counts": proposal.counts,
        "first_fills": proposal.first_fills,
        "refusals": [str(refusal) for refusal in proposal.refusals],
        "pinned": [attrs.asdict(pinned) for pinned in proposal.pinned],
        "edited": [attrs.asdict(edited) for edited in proposal.edited],
        "ended": [attrs.asdict(ended) for ended in proposal.ended],
        "missing": [attrs.asdict(missing) for missing in proposal.missing],
        "borders": [
            {"record_id": each.record_id, **each.reason.to_dict()}
            for each in proposal.borders
        ],
        "call_estimate": proposal.call_estimate,
        "quota": attrs.asdict(quota) if (quota := proposal.header.quota) else None,
        "changes": [
            {
                **attrs.asdict(planned.change),
                "is_first_fill": planned.is_first_fill,
                "reasons": [reason.to_dict() for reason in planned.reasons],
            }
            for planned in proposal.changes
        ],
    }
