"""Why is this account where it is?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from crm_portfolio._inert import inert
from crm_portfolio._wording import Lang
from crm_portfolio.cli._options import SettingsFile, read_settings
from crm_portfolio.cli._print import show_json

__all__ = ["explain"]


def explain(
    account: Annotated[
        str, typer.Argument(metavar="ACCOUNT", help="The account's id.")
    ],
    *,
    folder: Annotated[
        Path, typer.Option("--folder", metavar="FOLDER", help="A folder `pull` wrote.")
    ],
    lang: Annotated[
        Lang | None, typer.Option(help="The language of the sentences.")
    ] = None,
    output: Annotated[
        Literal["table", "json"], typer.Option(help="Sentences, or codes and values.")
    ] = "table",
    settings: SettingsFile = None,
) -> None:
    """Say why an account has its rank, dependence and tier, computed now.

    crm-portfolio explain 001A --folder book --lang fr
    """
    from crm_portfolio._analyse import analyse
    from crm_portfolio.portfolio import Portfolio

    chosen = read_settings(settings)
    findings = analyse(Portfolio.load(folder), chosen)
    language = lang or chosen.language
    if output == "json":
        reasons = {
            name: [reason.to_dict() for reason in result.reasons(account)]
            for name, result in findings.items()
        }
        show_json({"account_id": account, "reasons": reasons})
        return
    told = {
        name: each.explain(account, lang=language) for name, each in findings.items()
    }
    for name, sentences in told.items():
        typer.echo(f"{name}:")
        for sentence in sentences.splitlines():
            typer.echo(f"  {inert(sentence)}")
