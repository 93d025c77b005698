"""What does a folder that was pulled show of the settings it needs?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from string import ascii_uppercase
from typing import Any, Final

import pyarrow.compute as pc

from crm_portfolio import analysis
from crm_portfolio.errors import MissingTableError
from crm_portfolio.portfolio import Calendar, Portfolio
from crm_portfolio.schema import TableName
from crm_portfolio.settings._template import Seen

__all__ = ["seen_in_folder"]

_FEWEST: Final = 3  # accounts in a tier, so that it is one
_COUNTS: Final = (4, 3, 2)
_LISTED: Final = 12


# Settings whose words are those of the firm, and where the folder has them.
_KINDS: Final[tuple[tuple[TableName, str, str], ...]] = (
    ("effort", "kind", "profitability.internal_kinds"),
    ("effort", "kind", "focus.innovation_kinds"),
    ("project", "status", "focus.finished_statuses"),
    ("rating", "criterion", "risk.relationship_criteria"),
    ("opportunity", "loss_reason", "win_back.price_reasons"),
    ("capacity", "role", "win_back.roles"),
)


def seen_in_folder(
    portfolio: Portfolio,
    folder: str,
    lacking: Mapping[str, Sequence[Sequence[str]]],
) -> Seen:
    """Its currency and calendar, the tiers that make sense, and what cannot be told.

    Args:
        lacking: By analysis what it cannot be made without: any one of each. Nothing
            where it can be made.
    """
    values: dict[tuple[str, ...], Any] = {("currency",): portfolio.currency}
    if portfolio.calendar != Calendar():
        values["time_zone",] = portfolio.calendar.time_zone
        values["year_starts",] = portfolio.calendar.year_starts
    count, told = _tiers(portfolio)
    if count not in (None, _COUNTS[0]):
        values["tiers", "count"] = count
    notes = {(): tuple(_tables(portfolio)), ("tiers",): (told,)}
    for at, said in (*_lacks(folder, lacking), *_words(portfolio)):
        notes[at] = (*notes.get(at, ()), said)
    return Seen(f"the folder {folder}", values, notes)


def _tables(portfolio: Portfolio) -> Iterator[str]:
    rows = ", ".join(f"{name} {n:,}" for name, n in portfolio.row_counts.items())
    yield f"It holds, as of {portfolio.as_of}, so many rows: {rows}."


def _lacks(
    folder: str, lacking: Mapping[str, Sequence[Sequence[str]]]
) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, needs in lacking.items():
        if needs:
            named = " and ".join(" or ".join(any_of) for any_of in needs)
            yield (name,), f"It cannot be made of {folder}: it needs {named}."


def _words(portfolio: Portfolio) -> Iterator[tuple[tuple[str, ...], str]]:
    for table, column, key in _KINDS:
        if listed := _distinct(portfolio, table, column):
            name, _, own = key.partition(".")
            there = ", ".join(map(repr, listed))
            yield (name,), f"For {own}: {table}.{column} holds {there}."


def _tiers(portfolio: Portfolio) -> tuple[int | None, str]:
    """As many tiers of equal revenue as leave some accounts in each."""
    told = ""
    for count in _COUNTS:
        chosen = analysis.TiersSettings(method=analysis.Slices(count))
        try:
            result = analysis.tiers(portfolio, chosen)
        except MissingTableError:
            return None, "What accounts bring is not in this folder."
        found = pc.value_counts(result.arrow["tier"]).to_pylist()
        sizes = {each["values"]: int(each["counts"]) for each in found}
        sizes = {tier: sizes.get(tier, 0) for tier in ascii_uppercase[:count]}
        told = ", ".join(f"{size:,} in {tier}" for tier, size in sizes.items())
        if min(sizes.values()) >= _FEWEST:
            break
    return count, f"{count} tiers of about equal revenue would have {told} accounts."


def _distinct(portfolio: Portfolio, table: TableName, column: str) -> list[str]:
    """What stands in a column of few words; nothing where there are many."""
    if table not in portfolio:
        return []
    found = portfolio.arrow(table)
    if column not in found.column_names:
        return []
    words = pc.unique(found[column]).drop_null().to_pylist()
    return sorted(words) if len(words) <= _LISTED else []
