"""How do findings become one page that a director reads?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from html import escape
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from crm_portfolio import _html
from crm_portfolio._analyse import Findings, analyse
from crm_portfolio._inert import inert
from crm_portfolio._report._given import Given
from crm_portfolio._report._sections import OF_BOTH, SECTIONS
from crm_portfolio._report._words import Words
from crm_portfolio._storage import write_atomically
from crm_portfolio._version import __version__
from crm_portfolio._wording import Lang
from crm_portfolio.errors import SettingsError
from crm_portfolio.settings import Settings

if TYPE_CHECKING:
    from crm_portfolio.portfolio import Portfolio
    from crm_portfolio.protocols import Progress

__all__ = ["Report", "can_draw", "report"]

_USUAL: Final = Settings()


@attrs.frozen(repr=False)
class Report:
    """One page that holds all it shows: it opens anywhere, and asks nobody for anything.

    Attributes:
        html: The whole page.
        findings: What it tells of.
    """

    html: str
    findings: Findings = attrs.field(eq=False)

    def save(self, path: Path | str) -> None:
        """Write the page."""
        write_atomically(Path(path), self.html.encode())

    def __repr__(self) -> str:
        return f"<Report: {len(self.html.encode()):,} bytes, {self.findings!r}>"

    def _repr_html_(self) -> str:
        # In a frame, so that the notebook's rules and the page's do not meet.
        page = escape(self.html)
        return (
            f'<iframe title="crm-portfolio" srcdoc="{page}" width="100%" height="800" '
            'sandbox="allow-scripts"></iframe>'
        )


def report(
    portfolio: Portfolio,
    settings: Settings = _USUAL,
    *,
    findings: Findings | None = None,
    against: Portfolio | None = None,
    lang: Lang | None = None,
    progress: Progress | None = None,
) -> Report:
    """Tell a director what the portfolio says, question by question, on one page.

    The same inputs give the same bytes.

    Args:
        findings: As `analyse` makes them with these settings where not given.
        against: The same book on an earlier day: the page tells who moved since.
        lang: None: the language of the settings.

    Raises:
        SettingsError: The older portfolio is newer, or in another currency.

    Example:
        >>> from crm_portfolio import report, samples
        >>> page = report(samples.firm(), lang="fr")
        >>> '<html lang="fr">' in page.html
        True
    """
    if against is not None:
        _must_be_older(against, portfolio)
    made = (
        analyse(portfolio, settings, progress=progress)
        if findings is None
        else findings
    )
    older = None
    if against is not None:
        both = [name for name in OF_BOTH if name in made]
        older = against, analyse(against, settings, only=both or OF_BOTH[:1])
    words = Words(lang or settings.language, portfolio.currency, _names(portfolio))
    given = Given(portfolio, made, older, words)
    return Report(_page(given), made)


def _must_be_older(against: Portfolio, portfolio: Portfolio) -> None:
    if against.as_of > portfolio.as_of:
        raise SettingsError(
            f"the folder to compare with is as of {against.as_of}, later than "
            f"{portfolio.as_of}: give them the other way round"
        )
    if against.currency != portfolio.currency:
        raise SettingsError(
            f"the folder to compare with is in {against.currency}, the other in "
            f"{portfolio.currency}: their amounts cannot be compared"
        )


def _names(portfolio: Portfolio) -> dict[str, str]:
    account = portfolio.arrow("account")
    if "name" not in account.column_names:
        return {}
    pairs: Any = zip(
        account["account_id"].to_pylist(), account["name"].to_pylist(), strict=True
    )
    return {each: inert(name) for each, name in pairs if name}


def _page(given: Given) -> str:
    words = given.words
    sections = [make(given) for make in SECTIONS]
    links = "".join(
        f'<li><a href="#{each.name}"><span class="number">{at}</span>'
        f"{_html.text(each.question)}</a></li>"
        for at, each in enumerate(sections, 1)
    )
    skip, nav = (
        _html.text(words.say("report_skip")),
        _html.text(words.say("report_nav")),
    )
    answers = "\n".join(each.html(at, words) for at, each in enumerate(sections, 1))
    body = (
        f'<a class="skip" href="#{sections[0].name}">{skip}</a>\n'
        f"<header>{''.join(_header(given))}</header>\n"
        f'<nav aria-label="{nav}"><ol>{links}</ol></nav>\n<main>\n{answers}\n</main>\n'
        f"<footer>{''.join(_footer(given))}</footer>"
    )
    title = f"{words.say('report_title')}, {words.cell('day', given.portfolio.as_of)}"
    return _html.document(title, body, lang=words.lang, script=_script())


def _header(given: Given) -> Iterator[str]:
    words, portfolio = given.words, given.portfolio
    yield _html.paragraph(words.say("report_kicker"), "kicker")
    yield f"<h1>{_html.text(words.say('report_title'))}</h1>"
    count = portfolio.arrow("account").num_rows
    said = [
        words.say("report_as_of", as_of=portfolio.as_of),
        words.say("report_counted", n=count),
    ]
    yield _html.paragraph(" ".join(said), "meta")
    measured = next(iter(given.findings.values()), None)
    if measured is not None:
        told = " ".join(words.told(each) for each in measured.basis())
        yield _html.paragraph(told, "meta")
    if not can_draw():
        yield _html.paragraph(words.say("report_no_pictures"), "meta")


def _footer(given: Given) -> Iterator[str]:
    words = given.words
    made = words.say(
        "report_footer", version=__version__, portfolio=given.portfolio.id[:12]
    )
    yield _html.paragraph(made)
    yield _html.paragraph(words.say("report_footer_fields"))


def can_draw() -> bool:
    """Whether there is what draws: the extra ``report`` brings it."""
    return find_spec("matplotlib") is not None


@cache
def _script() -> str:
    file = resources.files("crm_portfolio") / "_report" / "page.js"
    return file.read_text(encoding="utf-8")
