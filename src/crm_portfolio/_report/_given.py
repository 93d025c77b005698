"""What does the page have to tell of, and how does a section ask for it?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

import attrs

from crm_portfolio._analyse import Findings, Need
from crm_portfolio._plots import as_svg
from crm_portfolio._report._labels import PARTS, TABLES
from crm_portfolio._report._words import Words
from crm_portfolio._wording import Reason
from crm_portfolio.errors import MissingExtraError

if TYPE_CHECKING:
    from crm_portfolio.portfolio import Portfolio
    from crm_portfolio.results import Result

__all__ = ["Given", "figure"]

_SIZE: Final = (7.2, 4.4)


@attrs.frozen
class Given:
    """The findings of a portfolio, perhaps those of an older one, and the words.

    Attributes:
        older: What was found in the older portfolio; None where none was given.
    """

    portfolio: Portfolio
    findings: Findings
    older: tuple[Portfolio, Findings] | None
    words: Words

    def of(self, name: str) -> Result | None:
        return self.findings.get(name)

    def figure(self, name: str, path: str) -> Any:
        """A figure of a summary; None where the analysis or the figure is not there."""
        return figure(self.findings, name, path)

    def rows(self, name: str, columns: Iterable[str]) -> list[dict[str, Any]]:
        """The frame of a result as rows; none without the result."""
        result = self.of(name)
        if result is None:
            return []
        there = [each for each in columns if each in result.arrow.column_names]
        rows: list[dict[str, Any]] = result.arrow.select(there).to_pylist()
        return rows

    def drawn(self, name: str, *plots: str) -> tuple[str, ...]:
        """Pictures of a result, by the names of what draws them; none without it."""
        result = self.of(name)
        found = [getattr(result, each) for each in plots] if result else []
        return tuple(filter(None, map(self._picture, found)))

    def _picture(self, plot: Callable[..., object]) -> str:
        try:
            drawn = as_svg(lambda ax: plot(ax=ax, lang=self.words.lang), size=_SIZE)
        except MissingExtraError:
            return ""
        # Without axes it only says that there is nothing to draw, as the lead does.
        return self.words.fine(drawn) if "stroke=" in drawn else ""

    def lacks(self, *names: str) -> Iterator[str]:
        """What each of these that could not be made needs, in sentences."""
        for name in names:
            if needs := self.findings.skipped.get(name):
                yield self.words.say(
                    "report_lacks", analysis=self.title(name), lacks=self.needed(needs)
                )

    def untold(self, name: str, *parts: str) -> Iterator[str]:
        """What each of these parts of a result that was made needs, in sentences."""
        for part, needs in self.findings.gaps.get(name, {}).items():
            if part in parts:
                yield self.words.say(
                    "report_lacks",
                    analysis=self.words.say(
                        "report_part_of",
                        part=self.part(part),
                        analysis=self.title(name),
                    ),
                    lacks=self.needed(needs),
                )

    def title(self, name: str) -> str:
        """What an analysis is called."""
        return self.words.say(f"heading_{name}")

    def needed(self, needs: Iterable[Need]) -> str:
        """All of these, each in any of the ways that will do."""
        each = (
            self._joined(
                "either",
                (self._joined("both", map(self.source, way)) for way in need.ways),
            )
            for need in needs
        )
        return self._joined("also", each)

    def source(self, add: str) -> str:
        """A table, a column or rows of one, or a setting, for people."""
        say = self.words.say
        if add.startswith("["):
            return say("report_add_setting", add=add)
        name, _, column = add.partition(".")
        name, _, rows = name.partition("[")
        table = say(TABLES[name]) if name in TABLES else name
        if column:
            return say("report_add_column", column=column, table=table)
        if rows:
            return say("report_add_rows", rows=rows.rstrip("]"), table=table)
        return say("report_add_table", table=table, add=add)

    def part(self, name: str) -> str:
        """A part of what an analysis tells; as it is called in a program, for want of a word."""
        return self.words.say(PARTS[name]) if name in PARTS else name.replace("_", " ")

    def _joined(self, code: str, each: Iterable[str]) -> str:
        return reduce(
            lambda one, other: self.words.say(code, one=one, other=other), each
        )

    def warned(self, *names: str) -> tuple[str, ...]:
        """What to bear in mind of these results, each sentence once."""
        said = (
            self.words.told(warning)
            for name in names
            if (result := self.of(name)) is not None
            for warning in result.warnings
        )
        return tuple(dict.fromkeys(said))

    def why(self, name: str) -> Mapping[str, tuple[Reason, ...]]:
        """The reasons of every account; of none without the result."""
        result = self.of(name)
        return {} if result is None else dict(result.every_reason())


def figure(findings: Findings, name: str, path: str) -> Any:
    value: Any = findings[name].summary if name in findings else None
    for key in path.split("/"):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
