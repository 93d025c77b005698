"""How does the main job look, on invented data and a pretend CRM?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import attrs
import typer

from crm_portfolio.cli._options import AsOf
from crm_portfolio.cli._print import complain, say, screen, show_json, then
from crm_portfolio.cli._progress import progress

if TYPE_CHECKING:
    from crm_portfolio import _demo

__all__ = ["demo"]

_NOT_SHOWN: Final = 1


def demo(
    *,
    crm: Annotated[
        Literal["salesforce", "hubspot", "both"],
        typer.Option(help="Which CRM is pretended."),
    ] = "salesforce",
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

    It starts a pretend CRM on this machine with an invented book of 300 accounts, and
    leaves the portfolio, the plans and the archive in a folder. No network is used.

    crm-portfolio demo

    crm-portfolio demo --crm both --keep demo-files --output json
    """
    from crm_portfolio import _demo
    from crm_portfolio.cli._acts import Page

    names: tuple[_demo.CrmName, ...] = ("salesforce", "hubspot")
    wanted = names if crm == "both" else (crm,)
    shown: dict[str, _demo.Demo] = {}
    for name in wanted:
        page = Page(screen())
        with progress() as bar:
            shown[name] = _demo.demo(
                name,
                data=data,
                keep=keep / name if keep and crm == "both" else keep,
                as_of=as_of,
                tell=None if output == "json" else page.show,
                progress=bar,
            )
    if output == "json":
        told = {n: {**attrs.asdict(d), "is_good": d.is_good} for n, d in shown.items()}
        show_json(told if crm == "both" else told[crm])
    code = _ended(list(shown.values()))
    then("With your own CRM, begin by asking what it lacks", "doctor", "CRM")
    return code


def _ended(shown: list[_demo.Demo]) -> int:
    agree = all(one.agrees_with(shown[0]) for one in shown)
    if agree and len(shown) > 1:
        say("Both CRMs, holding the same book, gave the same ranking and tiers.")
    if agree and all(one.is_good for one in shown):
        return 0
    complain("The demonstration did not come out as it should: please report it.")
    return _NOT_SHOWN
