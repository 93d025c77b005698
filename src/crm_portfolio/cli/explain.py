"""Why is this account where it is?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from crm_portfolio._inert import inert
from crm_portfolio.cli._large import MemoryOption, opened, within
from crm_portfolio.cli._options import LangOption, SettingsFile, read_settings
from crm_portfolio.cli._print import show_json, then

if TYPE_CHECKING:
    from crm_portfolio._wording import Lang
    from crm_portfolio.portfolio import Portfolio
    from crm_portfolio.settings import Settings

__all__ = ["explain"]


def explain(
    account: Annotated[
        str, typer.Argument(metavar="ACCOUNT", help="The account's id.")
    ],
    *,
    folder: Annotated[
        str | None,
        typer.Option(
            "--folder", metavar="FOLDER", help="Computed now, from what `pull` wrote."
        ),
    ] = None,
    archive: Annotated[
        str | None,
        typer.Option(
            "--archive", metavar="FOLDER", help="As last written, from the journals."
        ),
    ] = None,
    lang: LangOption = None,
    output: Annotated[
        Literal["table", "json"], typer.Option(help="Sentences, or codes and values.")
    ] = "table",
    settings: SettingsFile = None,
    memory: MemoryOption = None,
) -> None:
    """Say why an account has its rank, dependence and tier: now, or as last written.

    crm-portfolio explain 001A --folder book --lang fr

    crm-portfolio explain 001A --archive runs
    """
    chosen = read_settings(settings)
    language = lang or chosen.language
    if folder is not None and archive is None:
        with within(memory):
            portfolio = opened(folder, memory)
            _computed_now(account, portfolio, chosen, language, output)
    elif archive is not None and folder is None:
        _as_last_written(account, archive, language, output)
    else:
        raise typer.BadParameter("name one of them", param_hint="--folder, --archive")
    if archive is not None:
        then("Every value it had", "history", account, "--archive", archive)
    else:
        then("What the CRM would get", *("plan", folder, "--crm", "NAME", "-o", "PLAN"))


def _computed_now(
    account: str, portfolio: Portfolio, settings: Settings, lang: Lang, output: str
) -> None:
    from crm_portfolio._analyse import analyse

    every = analyse(portfolio, settings)
    findings = {name: each for name, each in every.items() if each.key == "account_id"}
    if output == "json":
        reasons = {
            name: [reason.to_dict() for reason in result.reasons(account)]
            for name, result in findings.items()
        }
        show_json({"account_id": account, "reasons": reasons})
        return
    told = {name: each.explain(account, lang=lang) for name, each in findings.items()}
    for name, sentences in told.items():
        typer.echo(f"{name}:")
        for line in sentences.splitlines():
            typer.echo(f"  {inert(line)}")


def _as_last_written(account: str, archive: str, lang: Lang, output: str) -> None:
    from crm_portfolio._wording import sentence
    from crm_portfolio.archive import Archive
    from crm_portfolio.writeback import last_written

    found = last_written(Archive(archive), account)
    key = f"{found[0].planned.change.table}_id"
    if output == "json":
        fields = {
            each.planned.change.column: {
                "value": each.planned.change.after,
                "before": each.planned.change.before,
                "run": each.run_id,
                "as_of": each.as_of,
                "reasons": [reason.to_dict() for reason in each.planned.reasons],
            }
            for each in found
        }
        show_json({key: account, "fields": fields})
        return
    for each in found:
        change = each.planned.change
        value = "empty" if change.after is None else inert(str(change.after))
        typer.echo(f"{change.column}: {value} (run {each.run_id}, as of {each.as_of})")
        for reason in each.planned.reasons:
            typer.echo(f"  {inert(sentence(reason, lang))}")
