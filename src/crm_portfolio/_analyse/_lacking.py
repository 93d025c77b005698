"""What is missing, and which one thing would let most be told?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

import attrs
import pyarrow.compute as pc

from crm_portfolio._analyse._needs import NEEDS, REVENUE, Need, Part
from crm_portfolio.analysis._facts._lines import TABLE_OF
from crm_portfolio.analysis._facts._said import says
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Result
from crm_portfolio.schema import TableName
from crm_portfolio.settings import Settings

__all__ = ["Unlock", "gaps", "lacking", "unlocks"]

Lacks = tuple[Need, ...]
_KINDS: Final = ("table", "column", "setting")


@attrs.frozen
class Unlock:
    """One thing to add, and what could be told with it alone.

    Attributes:
        add: A table, a column as ``revenue_line.cost``, or a setting as in the file.
        columns: Those that the table needs to have, besides what every such table has.
        analyses: Those that could be made.
        parts: Of analyses that are made without: what they could tell besides.
    """

    add: str
    columns: tuple[str, ...]
    analyses: tuple[str, ...]
    parts: Mapping[str, tuple[str, ...]]

    @property
    def kind(self) -> str:
        """``table``, ``column`` or ``setting``."""
        return _kind(self.add)

    @property
    def part_count(self) -> int:
        return sum(map(len, self.parts.values()))

    def to_dict(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {
            "add": self.add,
            "kind": self.kind,
            "columns": list(self.columns),
            "analyses": list(self.analyses),
            "parts": {name: list(parts) for name, parts in self.parts.items()},
        }


def lacking(portfolio: Portfolio, settings: Settings, name: str) -> Lacks:
    """What an analysis cannot be made without, and is not there; nothing if it can."""
    own = getattr(settings, name)
    needs = (_measured(need, own) for need in NEEDS[name].whole)
    return tuple(
        need
        for need in needs
        if not any(_is_there(portfolio, settings, each) for each in need.any_of)
    )


def gaps(
    portfolio: Portfolio, settings: Settings, name: str, result: Result
) -> dict[str, Lacks]:
    """By part that a result tells nothing of: what it would take."""
    unknown = {
        part: needed.needs
        for part, needed in NEEDS[name].parts.items()
        if not _is_told(result, needed)
    }
    lacks = {
        part: tuple(
            need
            for need in needs
            if not any(_is_filled(portfolio, settings, each) for each in need.any_of)
        )
        for part, needs in unknown.items()
    }
    return {part: needs for part, needs in lacks.items() if needs}


def unlocks(
    portfolio: Portfolio,
    skipped: Mapping[str, Lacks],
    unknown: Mapping[str, Mapping[str, Lacks]],
) -> tuple[Unlock, ...]:
    """Whatever lets something be told by itself; what lets most analyses be is first."""
    lacks = [
        *skipped.values(),
        *(n for each in unknown.values() for n in each.values()),
    ]
    sources = {one for needs in lacks for need in needs for one in need.any_of}
    found = [
        _unlock(portfolio, add, skipped, unknown)
        for add in sorted({_whole(portfolio, each) for each in sources})
    ]
    return tuple(
        sorted(
            (each for each in found if each.analyses or each.parts),
            key=lambda each: (
                -len(each.analyses),
                -each.part_count,
                _KINDS.index(each.kind),
                each.add,
            ),
        )
    )


def _unlock(
    portfolio: Portfolio,
    add: str,
    skipped: Mapping[str, Lacks],
    unknown: Mapping[str, Mapping[str, Lacks]],
) -> Unlock:
    columns: set[str] = set()

    def is_enough(needs: Iterable[Need]) -> bool:
        used = [
            next((one for one in need.any_of if _whole(portfolio, one) == add), None)
            for need in needs
        ]
        if None in used:
            return False
        columns.update(str(one).partition(".")[2] for one in used if one != add)
        return True

    analyses = tuple(name for name, needs in skipped.items() if is_enough(needs))
    parts = {
        name: tuple(part for part, needs in each.items() if is_enough(needs))
        for name, each in unknown.items()
    }
    told = {name: each for name, each in parts.items() if each}
    return Unlock(add, tuple(sorted(columns)), analyses, told)


def _kind(source: str) -> str:
    if source.startswith("["):
        return "setting"
    return "column" if "." in source else "table"


def _whole(portfolio: Portfolio, source: str) -> str:
    """What a person adds: a column of a table that is not there comes with the table."""
    if _kind(source) != "column":
        return source
    table = source.partition(".")[0]
    return source if _has_rows(portfolio, table) else table


def _measured(need: Need, own: object) -> Need:
    """What is wanted of revenue, where the settings say what it is measured by."""
    measure = getattr(own, "measure", None)
    return Need((TABLE_OF[measure],)) if need == REVENUE and measure else need


def _is_there(portfolio: Portfolio, settings: Settings, source: str) -> bool:
    if _kind(source) == "table":
        return source in portfolio  # empty, it still says that there is nothing
    return _is_filled(portfolio, settings, source)


def _is_filled(portfolio: Portfolio, settings: Settings, source: str) -> bool:
    """Whether it says anything."""
    if _kind(source) == "setting":
        section, _, key = source[1:].partition("] ")
        return getattr(getattr(settings, section), key) not in (None, (), {})
    table, _, column = source.partition(".")
    if not column or not _has_rows(portfolio, table):
        return _has_rows(portfolio, table)
    return says(portfolio, cast("TableName", table), column)


def _has_rows(portfolio: Portfolio, table: str) -> bool:
    name = cast("TableName", table)
    return name in portfolio and portfolio.row_counts[name] > 0


def _is_told(result: Result, part: Part) -> bool:
    if not part.shown_in.startswith("/"):
        return any(_said(result, part))
    value: Any = result.summary
    for key in part.shown_in[1:].split("/"):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value is not None and value != part.unknown_as


def _said(result: Result, part: Part) -> Iterator[bool]:
    """Whether each different value of the column says something."""
    if part.shown_in in result.arrow.column_names:
        values = pc.unique(result.arrow[part.shown_in]).to_pylist()
        yield from (value not in (None, part.unknown_as) for value in values)
