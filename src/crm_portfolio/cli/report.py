"""What does a director read about the accounts in this folder?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crm_portfolio.cli._large import MemoryOption, opened, within
from crm_portfolio.cli._options import (
    LangOption,
    PortfolioFolder,
    SettingsFile,
    read_settings,
)
from crm_portfolio.cli._print import say, then
from crm_portfolio.cli._progress import counting, progress
from crm_portfolio.cli._views import VIEWS
from crm_portfolio.errors import SettingsError, did_you_mean

__all__ = ["report"]

_ENDINGS = (".html", ".htm")


def report(
    folder: PortfolioFolder,
    *,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="page.html", help="The page to write."),
    ],
    lang: LangOption = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="OLDER_FOLDER",
            help="The same book on an earlier day: the page tells what moved since.",
        ),
    ] = None,
    settings: SettingsFile = None,
    memory: MemoryOption = None,
) -> None:
    """Write one page that answers what a director asks, with every account and why.

    How dependent are we; who is where; who is in danger; what was lost and missed; who earns
    us money; what moved; what is proposed; what is unknown, and which answer would help
    most. The page is one file: it opens without a network, in the light and in the dark,
    and prints.

    crm-portfolio report book -o page.html --lang fr

    What moved since the last time, from the folder that was pulled then:

    crm-portfolio report book -o page.html --against book-of-may
    """
    from crm_portfolio._report import can_draw
    from crm_portfolio._report import report as make

    if out.suffix.lower() not in _ENDINGS:
        raise SettingsError(
            f"the report is a page: name it .html, not {out.suffix!r}"
            + did_you_mean(out.suffix, _ENDINGS)
        )
    chosen = read_settings(settings)
    portfolio = opened(folder, memory)
    older = None if against is None else opened(against, memory)
    with within(memory), progress() as tell:
        count = counting(tell, "analyses", VIEWS)
        made = make(portfolio, chosen, against=older, lang=lang, progress=count)
    made.save(out)
    say(f"{out}: {len(made.html.encode()):,} bytes; open it in any browser.")
    if not can_draw():
        say("It has no pictures: pip install 'crm-portfolio[report]' brings them.")
    then("Why an account is where it is", "explain", "ACCOUNT", "--folder", folder)
