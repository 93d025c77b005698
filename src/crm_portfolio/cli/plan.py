"""Which fields would be written into the CRM, and why?"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
import typer

from crm_portfolio.cli._options import (
    OutputOption,
    PortfolioFolder,
    SettingsFile,
    open_crm,
    read_settings,
)
from crm_portfolio.cli._print import Output, program, say, show_csv, show_json

if TYPE_CHECKING:
    from crm_portfolio.writeback import Plan

__all__ = ["plan", "show_plan", "tell_next"]


def plan(
    folder: PortfolioFolder,
    *,
    crm: Annotated[
        str, typer.Option(metavar="NAME", help="The CRM the folder was pulled from.")
    ],
    to: Annotated[
        Path, typer.Option("--to", "-o", metavar="PLAN", help="The plan file to write.")
    ],
    output: OutputOption = "table",
    settings: SettingsFile = None,
) -> None:
    """Compare the analyses with the CRM and write the difference into a file.

    Nothing is written to the CRM: read the plan, then apply it.

    crm-portfolio plan book --crm salesforce -o plan.jsonl
    """
    from crm_portfolio._analyse import analyse
    from crm_portfolio.portfolio import Portfolio
    from crm_portfolio.writeback import plan as make_plan

    chosen = read_settings(settings)
    portfolio = Portfolio.load(folder)
    findings = analyse(portfolio, chosen)
    proposal = make_plan(
        findings.values(),
        open_crm(crm, chosen),
        held=portfolio,
        limits=chosen.limits,
        policy=chosen.policy,
    )
    proposal.save(to)
    show_plan(proposal, output)
    tell_next(proposal, to, "FOLDER")


def tell_next(proposal: Plan, to: Path, archive: Path | str) -> None:
    """What to do with the plan file."""
    if proposal.changes:
        there = shlex.quote(str(archive))
        way = f"{program()} apply {shlex.quote(str(to))} --archive {there}"
        say(f"{to}: nothing is written yet; this writes it: {way}")
    else:
        say(f"{to}: there is nothing to write.")


def show_plan(proposal: Plan, output: Output) -> None:
    """A plan on stdout: what a person reads, or every change as data."""
    if output == "table":
        typer.echo(str(proposal))
    elif output == "json":
        show_json(_facts(proposal))
    else:
        import pyarrow as pa

        changes = [planned.change for planned in proposal.changes]
        columns = ("record_id", "column", "before", "after")
        show_csv(
            pa.table({c: [_text(getattr(x, c)) for x in changes] for c in columns})
        )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _facts(proposal: Plan) -> dict[str, object]:
    return {
        "id": proposal.id,
        "org": attrs.asdict(proposal.header.org),
        "as_of": proposal.header.as_of,
        "undoes": proposal.header.undoes,
        "counts": proposal.counts,
        "first_fills": proposal.first_fills,
        "refusals": [str(refusal) for refusal in proposal.refusals],
        "pinned": [attrs.asdict(pinned) for pinned in proposal.pinned],
        "edited": [attrs.asdict(edited) for edited in proposal.edited],
        "missing": proposal.missing,
        "call_estimate": proposal.call_estimate,
        "changes": [
            {
                **attrs.asdict(planned.change),
                "is_first_fill": planned.is_first_fill,
                "reasons": [reason.to_dict() for reason in planned.reasons],
            }
            for planned in proposal.changes
        ],
    }
