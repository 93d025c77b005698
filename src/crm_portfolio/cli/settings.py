"""Which settings are there, are these right, and where does each come from?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from crm_portfolio.cli import _complete, _run
from crm_portfolio.cli._options import CrmName, SettingsFile, read_settings
from crm_portfolio.cli._print import say, show_json, show_text, then
from crm_portfolio.errors import SettingsError

if TYPE_CHECKING:
    from crm_portfolio.settings import Remark
    from crm_portfolio.settings._check import Look
    from crm_portfolio.settings._template import Seen

__all__ = ["settings"]

_FILE: Final = "portfolio.toml"
_SCHEMA: Final = "portfolio.schema.json"
# Flags of other commands that go before what a file says.
_FLAGS: Final = {
    "currency": "pull --currency",
    "language": "explain --lang",
    "salesforce.tables": "pull --tables",
    "hubspot.tables": "pull --tables",
}
_Shown = Annotated[
    Literal["table", "json"], typer.Option(help="For people, or for programs.")
]
_Folder = Annotated[
    Path | None,
    typer.Option("--folder", metavar="FOLDER", help="A folder that `pull` wrote."),
]

settings = typer.Typer(
    name="settings",
    help="Write a first portfolio.toml, check one, say where each value comes from.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


def init(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file to write; - is stdout.")
    ] = Path(_FILE),
    crm: CrmName = None,
    folder: _Folder = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over a file that is there.")
    ] = False,
) -> None:
    """Write a settings file: every setting with its meaning, and what can be seen.

    Each setting is commented out at its default. What the CRM or the folder shows is
    filled in: currency, time zone, tiers; stages, fields to map and what is missing are
    told beside. Nothing is written to the CRM, and no secret into the file.

    crm-portfolio settings init

    crm-portfolio settings init --folder book

    crm-portfolio settings init europe.toml --crm salesforce
    """
    from crm_portfolio._storage import write_atomically
    from crm_portfolio.settings._template import template

    is_stdout = str(file) == "-"
    if not (is_stdout or force) and file.exists():
        raise SettingsError(f"{file} is there already; --force writes over it")
    seen = _seen(crm, folder)
    has_schema = not is_stdout and (file.parent / _SCHEMA).is_file()
    text = template(seen, schema=f"./{_SCHEMA}" if has_schema else "")
    if is_stdout:
        typer.echo(text, nl=False)
        return
    write_atomically(file, text.encode())
    shown = f", with what {seen.what} shows" if seen.what else ""
    say(f"{file} holds every setting{shown}.")
    then("Look through it, then", "settings", "check", file)


def check(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            envvar="CRM_PORTFOLIO_SETTINGS",
            help=f"The settings file; {_FILE} without it.",
        ),
    ] = None,
    crm: CrmName = None,
    folder: _Folder = None,
    output: _Shown = "table",
) -> int:
    """Name all that is wrong with a settings file, with its line, and what is odd.

    With a CRM, the mapped fields are looked for there; with a folder, the accounts,
    owners, segments and the like that the file names. Ends in 2 if anything is wrong.

    crm-portfolio settings check portfolio.toml

    crm-portfolio settings check portfolio.toml --folder book

    crm-portfolio settings check portfolio.toml --crm salesforce --output json
    """
    from crm_portfolio.settings import check as all_of

    path = file or Path(_FILE)
    remarks = all_of(path, environment=os.environ, look=_looks(crm, folder))
    faults = sum(remark.state == "fault" for remark in remarks)
    if output == "json":
        _as_json(path, remarks)
    else:
        for remark in remarks:
            where = path.name if remark.line is None else f"{path.name}:{remark.line}"
            show_text(f"{remark.state:<5} {where}  {remark.said}")
    say(f"{path}: {faults} fault(s), {len(remarks) - faults} odd.")
    if faults:
        then("What may stand there", "settings", "init", "-")
    else:
        then("Where each value comes from", "settings", "where", "--settings", path)
    return SettingsError.exit_code if faults else 0


def where(
    context: typer.Context,
    key: Annotated[
        str,
        typer.Argument(
            metavar="KEY",
            help="limits.max_share, a table, or a name; without: all but defaults.",
            autocompletion=_complete.keys,
        ),
    ] = "",
    settings: SettingsFile = None,
    org: Annotated[
        str | None, typer.Option(metavar="NAME", help="As for one of the file's orgs.")
    ] = None,
    output: _Shown = "table",
) -> None:
    """Say what a setting is, and which of the sources it comes from.

    A default, a table of the file, its common period, or the table of one org. Which
    flags of other commands go before it is told too.

    crm-portfolio settings where limits.max_share --settings portfolio.toml

    crm-portfolio settings where --settings orgs.toml --org europe
    """
    from crm_portfolio.settings import Settings, places

    chosen = read_settings(settings)
    if org is not None:
        if settings is None:
            raise typer.BadParameter("--org needs a file of settings")
        chosen = Settings.load(settings, org=org)
    found = places(chosen, key)
    named_by = _named_by(context.get_parameter_source("settings"))
    if settings is not None:
        say(f"{settings}, named by {named_by}.")
    if output == "json":
        rows = [
            {
                "key": each.key,
                "value": each.value,
                "source": each.origin.kind,
                "table": each.origin.table,
                "line": each.origin.line,
                "overruled_by": _FLAGS.get(each.key),
            }
            for each in found
        ]
        show_json(
            {"file": settings and str(settings), "named_by": named_by, "settings": rows}
        )
        return
    for each in found:
        value = "nothing" if each.value is None else each.value
        flag = f"; {_FLAGS[each.key]} goes before it" if each.key in _FLAGS else ""
        show_text(f"{each.key} = {value}  ({each.origin}{flag})")
    if settings is not None:
        then("Whether all of them are right", "settings", "check", settings)
    else:
        then("To have a file of your own", "settings", "init")


def schema() -> None:
    """Print the JSON Schema of the file, for editors that help while one types.

    Beside a settings file and called so, `settings init` points editors to it:

    crm-portfolio settings schema > portfolio.schema.json
    """
    from crm_portfolio.settings._schema import schema_text

    typer.echo(schema_text(), nl=False)


for _command in (init, check, where, schema):
    settings.command()(_run.guarded(_command, "settings"))


def _named_by(source: object) -> str | None:
    """What says which file to read; None: nothing does."""
    named = {"ENVIRONMENT": "CRM_PORTFOLIO_SETTINGS", "COMMANDLINE": "--settings"}
    return named.get(str(getattr(source, "name", "")))


def _as_json(file: Path, remarks: list[Remark]) -> None:
    rows = [
        {"state": r.state, "key": r.key, "line": r.line, "said": r.said}
        for r in remarks
    ]
    is_good = all(remark.state != "fault" for remark in remarks)
    show_json({"file": str(file), "is_good": is_good, "remarks": rows})


def _seen(crm: str | None, folder: Path | None) -> Seen:
    """What there is to be seen, of one of them at most."""
    from crm_portfolio.settings._template import Seen

    if crm is not None and folder is not None:
        raise typer.BadParameter("name one of them", param_hint="--crm, --folder")
    if crm is not None:
        from crm_portfolio.connectors import connect
        from crm_portfolio.settings._seen_in_crm import seen_in_crm

        return seen_in_crm(connect(crm))
    if folder is not None:
        return _seen_in(folder)
    return Seen()


def _seen_in(folder: Path) -> Seen:
    from crm_portfolio._analyse._book import NOUNS
    from crm_portfolio._analyse._lacking import lacking
    from crm_portfolio.portfolio import Portfolio
    from crm_portfolio.settings import Settings
    from crm_portfolio.settings._seen_in_folder import seen_in_folder

    portfolio, defaults = Portfolio.load(folder), Settings()
    missing = {
        name: [
            [way if isinstance(way, str) else " with ".join(way) for way in need.any_of]
            for need in lacking(portfolio, defaults, name)
        ]
        for name in NOUNS
    }
    return seen_in_folder(portfolio, str(folder), missing)


def _looks(crm: str | None, folder: Path | None) -> tuple[Look, ...]:
    """What else is asked of settings that hold no fault."""
    looks: list[Look] = []
    if folder is not None:
        from crm_portfolio.portfolio import Portfolio
        from crm_portfolio.settings._against import against_folder

        looks.append(against_folder(Portfolio.load(folder)))
    if crm is not None:
        from crm_portfolio.settings._against import against_crm

        looks.append(against_crm(crm))
    return tuple(looks)
