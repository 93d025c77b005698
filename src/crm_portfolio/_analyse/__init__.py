"""What do all analyses say about a portfolio, and what can they not, for want of what?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from crm_portfolio import _html
from crm_portfolio._analyse._book import NOUNS, Book, in_turn
from crm_portfolio._analyse._lacking import Unlock, gaps, lacking, unlocks
from crm_portfolio._analyse._needs import NEEDS, Need
from crm_portfolio._analyse._told import next_step, not_made, unknown
from crm_portfolio.errors import MissingTableError, SettingsError, did_you_mean
from crm_portfolio.settings import Settings

if TYPE_CHECKING:
    from crm_portfolio._wording import Lang
    from crm_portfolio.portfolio import Portfolio
    from crm_portfolio.protocols import Progress
    from crm_portfolio.results import Result
    from crm_portfolio.schema import OptIn

__all__ = ["Findings", "Need", "Unlock", "analyse", "assigning"]

_ASSIGNING: Final = ("concentration", "tiers", "succession", "risk")
_ON_REQUEST: Final[Mapping[OptIn, str]] = {
    "decision": "exit_review",
    "lost_class": "lost_opportunities",
    "win_back": "win_back",
}

_DEFAULTS: Final = Settings()


@attrs.frozen(eq=False, repr=False)
class Findings(Mapping[str, "Result"]):
    """Results by the name of their analysis.

    Attributes:
        skipped: Analyses that could not be made, and all that each one lacks.
        gaps: By analysis that was made: the parts it tells nothing of, and what each of
            them lacks.
        unlocks: What would let more be told by itself; the first lets most.
    """

    _results: Mapping[str, Result]
    skipped: Mapping[str, tuple[Need, ...]]
    gaps: Mapping[str, Mapping[str, tuple[Need, ...]]]
    unlocks: tuple[Unlock, ...]

    def __getitem__(self, name: str) -> Result:
        return self._results[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)

    def __repr__(self) -> str:
        skipped = f", skipped: {', '.join(self.skipped)}" if self.skipped else ""
        return f"<Findings: {', '.join(self) or 'none'}{skipped}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: each result in a line, and what could not be told."""
        made = [
            {"result": name, "holds": repr(result)} for name, result in self.items()
        ]
        lacking = self.explain_lacking().splitlines()
        return _html.table(("result", "holds"), made) + _html.items(lacking)

    def lacking(self) -> dict[str, Any]:
        """What could not be told, and what would help, as JSON-able values."""
        return {
            "skipped": {name: _plain(needs) for name, needs in self.skipped.items()},
            "gaps": {
                name: {part: _plain(needs) for part, needs in parts.items()}
                for name, parts in self.gaps.items()
            },
            "unlocks": [each.to_dict() for each in self.unlocks],
        }

    def explain_lacking(self, *, lang: Lang = "en") -> str:
        """The same in sentences, one a line; the last say the best next step."""
        said = (
            *not_made(self.skipped, lang),
            *unknown(self.gaps, lang),
            *next_step(self.unlocks, lang),
        )
        return "\n".join(said)


def assigning(also: Collection[OptIn] = ()) -> tuple[str, ...]:
    """The analyses whose results say what should stand in the CRM.

    Args:
        also: What is written on request only, and is asked for.
    """
    return (*_ASSIGNING, *dict.fromkeys(_ON_REQUEST[one] for one in also))


def analyse(
    portfolio: Portfolio,
    settings: Settings = _DEFAULTS,
    *,
    only: Iterable[str] = (),
    progress: Progress | None = None,
) -> Findings:
    """Make every analysis the portfolio has the tables for, or only those named.

    What one analysis takes of another is made once. An analysis that was asked for by
    name and lacks a table is skipped like any other; a name nobody knows is an error.

    Example:
        >>> from crm_portfolio import analyse, samples
        >>> found = analyse(samples.firm(), only=["tiers", "receivables", "risk"])
        >>> found
        <Findings: tiers, risk, skipped: receivables>
        >>> found.unlocks[0].add, found.unlocks[0].analyses
        ('invoice', ('receivables',))
    """
    book = Book(portfolio, settings)
    made: dict[str, Result | tuple[Need, ...]] = {}
    chosen = _chosen(only)
    turns = in_turn(chosen)
    for at, name in enumerate(turns, 1):
        _tell(progress, name, 0)
        made[name] = _made(book, name)
        book.let_go(turns[at:])
        _tell(progress, name, 1)
    told = {name: made[name] for name in chosen}
    results = {n: each for n, each in told.items() if not isinstance(each, tuple)}
    skipped = {n: each for n, each in told.items() if isinstance(each, tuple)}
    found = {
        name: gaps(portfolio, settings, name, result)
        for name, result in results.items()
    }
    unknown_parts = {name: parts for name, parts in found.items() if parts}
    return Findings(
        results,
        skipped,
        unknown_parts,
        unlocks(portfolio, settings, skipped, unknown_parts),
    )


def _made(book: Book, name: str) -> Result | tuple[Need, ...]:
    """One result; all that it lacks where it cannot be made."""
    needs = lacking(book.portfolio, book.settings, name)
    if needs:
        return needs
    try:
        result: Result = getattr(book, name)
    except MissingTableError as error:
        return _of_table(book.portfolio, name, error.table)
    return result


def _tell(progress: Progress | None, name: str, done: int) -> None:
    if progress is not None:
        progress(name, done, 1)


def _of_table(portfolio: Portfolio, name: str, table: str) -> tuple[Need, ...]:
    """What would do in place of a table that says too little; none that is there."""
    needs = [need for need in NEEDS[name].whole if table in need.sources]
    missing = (
        tuple(one for one in need.sources if one == table or one not in portfolio)
        for need in needs
    )
    return tuple(map(Need, missing)) or (Need((table,)),)


def _plain(needs: Iterable[Need]) -> list[list[str | list[str]]]:
    """Each way is one thing, or a list of those that do together."""
    return [
        [way if isinstance(way, str) else list(way) for way in need.any_of]
        for need in needs
    ]


def _chosen(only: Iterable[str]) -> list[str]:
    asked = [only] if isinstance(only, str) else list(only)
    for name in asked:
        if name not in NOUNS:
            raise SettingsError(
                f"there is no analysis {name!r}"
                + (did_you_mean(name, NOUNS) or f"; there are {', '.join(NOUNS)}")
            )
    return [name for name in NOUNS if not asked or name in asked]
