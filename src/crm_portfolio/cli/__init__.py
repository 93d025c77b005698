"""How is all of this run from a terminal or a nightly job?

One command is one file: it parses, calls one function of the library, and prints. Data
goes to stdout, everything said to a person goes to stderr.
"""

from __future__ import annotations

from typing import Annotated

import typer

from crm_portfolio.cli import _run
from crm_portfolio.cli.analyse import analyse
from crm_portfolio.cli.apply import apply
from crm_portfolio.cli.backtest import backtest
from crm_portfolio.cli.demo import demo
from crm_portfolio.cli.doctor import doctor
from crm_portfolio.cli.explain import explain
from crm_portfolio.cli.history import history
from crm_portfolio.cli.plan import plan
from crm_portfolio.cli.pull import pull
from crm_portfolio.cli.report import report
from crm_portfolio.cli.resend import resend
from crm_portfolio.cli.settings import settings
from crm_portfolio.cli.setup import setup
from crm_portfolio.cli.simulate import simulate
from crm_portfolio.cli.sync import sync
from crm_portfolio.cli.undo import undo
from crm_portfolio.cli.verify import verify

__all__ = ["app", "main"]

app = typer.Typer(
    name="crm-portfolio",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        from crm_portfolio._version import __version__

        typer.echo(f"crm-portfolio {__version__}")
        raise typer.Exit


@app.callback()
def start(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Say which it is."
        ),
    ] = False,
) -> None:
    """Rank, tier and watch the accounts of a CRM; write it back safely; undo it.

    See it all at once, on invented data and a pretend CRM:  crm-portfolio demo

    A night's work on a real one (the login comes from the environment):

      crm-portfolio pull salesforce --to book --as-of 2026-06-30

      crm-portfolio plan book --crm salesforce -o plan.jsonl

      crm-portfolio apply plan.jsonl --archive runs

    Exit codes: 0 done, 1 unexpected, 2 usage, settings, login or a missing right, 3 partly done, 4 refused and nothing written, 5 transient (run it again), 6 another run is at the org, 7 data refused, 130 or 143 interrupted.
    """


for _command in (
    demo,
    doctor,
    setup,
    pull,
    analyse,
    report,
    explain,
    backtest,
    plan,
    apply,
    undo,
    resend,
    verify,
    history,
    sync,
    simulate,
):
    app.command()(_run.guarded(_command))

app.add_typer(settings)


def main() -> None:
    """Run the command line as a process of its own."""
    _run.stop_on_sigterm()
    app(prog_name="crm-portfolio")
