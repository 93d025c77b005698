"""What is missing, and which one thing would let most be told?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any, Final, cast

import attrs
import pyarrow.compute as pc

from crm_portfolio._analyse._needs import (
    NEEDS,
    RELATIONSHIP,
    REVENUE,
    Need,
    Part,
)
from crm_portfolio.analysis._facts._lines import TABLE_OF
from crm_portfolio.analysis._facts._said import says
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Result
from crm_portfolio.schema import TableName
from crm_portfolio.settings import Settings

__all__ = ["Unlock", "gaps", "lacking", "unlocks"]

Lacks = tuple[Need, ...]
_KINDS: Final = ("table", "column", "rows", "setting")
_SORTED_BY: Final = {"rating": "criterion", "cost": "kind"}
"""The column that says which rows of a table are meant."""


@attrs.frozen
class Unlock:
    """One thing to add, and what could be told with it alone.

    Attributes:
        add: A table, a column as ``revenue_line.cost``, rows as ``rating[ethics]``, or a
            setting as in the file.
        columns: Those that the table needs to have, besides what every such table has.
        rows: Those that the table needs to have.
        analyses: Those that could be made.
        parts: Of analyses that are made without: what they could tell besides.
    """

    add: str
    columns: tuple[str, ...]
    analyses: tuple[str, ...]
    parts: Mapping[str, tuple[str, ...]]
    rows: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """``table``, ``column``, ``rows`` or ``setting``."""
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
            "rows": list(self.rows),
            "analyses": list(self.analyses),
            "parts": {name: list(parts) for name, parts in self.parts.items()},
        }


def lacking(portfolio: Portfolio, settings: Settings, name: str) -> Lacks:
    """What an analysis cannot be made without, and is not there; nothing if it can."""
    own = getattr(settings, name)
    needs = (_as_chosen(need, own) for need in NEEDS[name].whole)
    return tuple(
        need
        for need in needs
        if not _is_met(need, lambda one: _is_there(portfolio, settings, one))
    )


def gaps(
    portfolio: Portfolio, settings: Settings, name: str, result: Result
) -> dict[str, Lacks]:
    """By part that a result tells nothing of: what it would take."""
    own = getattr(settings, name)
    unknown = {
        part: [_as_chosen(need, own) for need in needed.needs]
        for part, needed in NEEDS[name].parts.items()
        if not _is_told(result, needed)
    }
    lacks = {
        part: tuple(
            need
            for need in needs
            if not _is_met(need, lambda one: _is_filled(portfolio, settings, one))
        )
        for part, needs in unknown.items()
    }
    return {part: needs for part, needs in lacks.items() if needs}


def unlocks(
    portfolio: Portfolio,
    settings: Settings,
    skipped: Mapping[str, Lacks],
    unknown: Mapping[str, Mapping[str, Lacks]],
) -> tuple[Unlock, ...]:
    """Whatever lets something be told by itself; what lets most analyses be is first."""
    lacks = [
        *skipped.values(),
        *(n for each in unknown.values() for n in each.values()),
    ]
    sources = {one for needs in lacks for need in needs for one in need.sources}
    missing = {one for one in sources if not _is_filled(portfolio, settings, one)}
    whole = {one: _whole(portfolio, one) for one in missing}
    found = [_unlock(add, whole, skipped, unknown) for add in sorted({*whole.values()})]
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
    add: str,
    whole: Mapping[str, str],
    skipped: Mapping[str, Lacks],
    unknown: Mapping[str, Mapping[str, Lacks]],
) -> Unlock:
    """What one thing lets be told by itself.

    Args:
        whole: Of all that is missing, what a person adds to have it.
    """
    wanted: set[str] = set()

    def is_enough(needs: Iterable[Need]) -> bool:
        used = [_with(need, add, whole) for need in needs]
        if None in used:
            return False
        wanted.update(one for each in used if each for one in each if one != add)
        return True

    analyses = tuple(name for name, needs in skipped.items() if is_enough(needs))
    parts = {
        name: tuple(part for part, needs in each.items() if is_enough(needs))
        for name, each in unknown.items()
    }
    told = {name: each for name, each in parts.items() if each}
    columns = {one.partition(".")[2] for one in wanted if _kind(one) == "column"}
    rows = {one.partition("[")[2][:-1] for one in wanted if _kind(one) == "rows"}
    ordered = (tuple(sorted(each)) for each in (columns, rows))
    return Unlock(add, next(ordered), analyses, told, next(ordered))


def _with(need: Need, add: str, whole: Mapping[str, str]) -> list[str] | None:
    """What is missing of the first way that lacks nothing but this; None without one."""
    for way in need.ways:
        missing = [one for one in way if one in whole]
        if all(whole[one] == add for one in missing):
            return missing
    return None


def _kind(source: str) -> str:
    if source.startswith("["):
        return "setting"
    if source.endswith("]"):
        return "rows"
    return "column" if "." in source else "table"


def _table_of(source: str) -> str:
    """The table of a column, or of some rows."""
    return source.partition(".")[0].partition("[")[0]


def _whole(portfolio: Portfolio, source: str) -> str:
    """What a person adds: a column, or rows, of no table yet come with the table."""
    if _kind(source) == "setting":
        return source
    table = _table_of(source)
    return source if _has_rows(portfolio, table) else table


def _as_chosen(need: Need, own: object) -> Need:
    """What is wanted where the settings say by what revenue, or a relationship, is told."""
    measure = getattr(own, "measure", None)
    if need == REVENUE and measure:
        return Need((TABLE_OF[measure],))
    criteria = getattr(own, "relationship_criteria", None)
    if need == RELATIONSHIP and criteria:
        return Need(tuple(f"rating[{each}]" for each in criteria))
    return need


def _is_met(need: Need, is_there: Callable[[str], bool]) -> bool:
    """Whether all that one of the ways takes is there."""
    return any(all(map(is_there, way)) for way in need.ways)


def _is_there(portfolio: Portfolio, settings: Settings, source: str) -> bool:
    if _kind(source) == "table":
        return source in portfolio  # empty, it still says that there is nothing
    return _is_filled(portfolio, settings, source)


def _is_filled(portfolio: Portfolio, settings: Settings, source: str) -> bool:
    """Whether it says anything."""
    if _kind(source) == "setting":
        section, _, key = source[1:].partition("] ")
        return attrgetter(f"{section}.{key}")(settings) not in (None, (), {})
    table = _table_of(source)
    if _kind(source) == "table" or not _has_rows(portfolio, table):
        return _has_rows(portfolio, table)
    if _kind(source) == "rows":
        its, word = _SORTED_BY[table], source.partition("[")[2][:-1]
        return says(portfolio, cast("TableName", table), its, word)
    return says(portfolio, cast("TableName", table), source.partition(".")[2])


def _has_rows(portfolio: Portfolio, table: str) -> bool:
    name = cast("TableName", table)
    return name in portfolio and portfolio.row_counts[name] > 0


def _is_told(result: Result, part: Part) -> bool:
    if not part.shown_in.startswith("/"):
        return _is_said(result, part)
    value: Any = result.summary
    for key in part.shown_in[1:].split("/"):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value is not None and value != part.unknown_as


def _is_said(result: Result, part: Part) -> bool:
    """Whether any value of the column says something."""
    told = result.columns(part.shown_in)
    if not told.num_columns:
        return False
    known = told.column(0).drop_null()
    if part.unknown_as is None:
        return len(known) > 0
    return bool(pc.any(pc.not_equal(known, part.unknown_as)).as_py())
