"""Is what each analysis is said to need what it needs, no more and no less?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from itertools import product
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from crm_portfolio import analysis
from crm_portfolio._analyse import Findings, analyse
from crm_portfolio._analyse._book import NOUNS
from crm_portfolio._analyse._needs import NEEDS, Need
from crm_portfolio.analysis import MeasureRules
from crm_portfolio.portfolio import Portfolio

WHOLE = [(name, need) for name, needs in NEEDS.items() for need in needs.whole]
PARTS = [(name, part) for name, needs in NEEDS.items() for part in needs.parts]
LACKS = [(n, p, need) for n, p in PARTS for need in NEEDS[n].parts[p].needs]
NAMED = {
    each
    for needs in NEEDS.values()
    for need in (*needs.whole, *(n for p in needs.parts.values() for n in p.needs))
    for each in need.sources
}
SWITCHES = {each for each in NAMED if each[0] == "["}
ROWS = {each for each in NAMED - SWITCHES if each[-1] == "]"}
COLUMNS = {each for each in NAMED - SWITCHES if "." in each}
KIND = {"rating": "criterion", "cost": "kind"}


@pytest.fixture(scope="module")
def make(make_book, tables, settings):
    """A book without some tables and columns, and settings without some choices."""
    every = attrs.evolve(
        settings,
        allocation=analysis.AllocationSettings(hours=900.0),
        receivables=attrs.evolve(
            settings.receivables,
            financing_rates=(analysis.DatedRate(date(2020, 1, 1), 0.05),),
        ),
        win_back=analysis.WinBackSettings(hours=6.0),
        exit_review=analysis.ExitReviewSettings(
            rules=MeasureRules(obsolete_products=("P2",), hour_value=80.0)
        ),
    )

    @cache
    def book(left_out: frozenset[str]) -> Portfolio:
        kept = {
            name: without(name, each, left_out).drop_columns(
                [c for c in each.column_names if f"{name}.{c}" in left_out]
            )
            for name, each in tables.items()
            if name not in left_out
        }
        return make_book(kept)

    def found(name: str, left_out: Iterable[str]) -> Findings:
        lacking = frozenset(left_out)
        return analyse(
            book(lacking - SWITCHES), unset(every, lacking & SWITCHES), only=[name]
        )

    return found


def without(name: str, table: Any, left_out: Iterable[str]) -> Any:
    """The table but for the rows of these kinds."""
    gone = [each.partition("[")[2][:-1] for each in left_out if each in ROWS]
    if name not in KIND or not any(each.startswith(f"{name}[") for each in left_out):
        return table
    is_gone = pc.is_in(table[KIND[name]], pa.array(gone, pa.string()))
    return table.filter(pc.invert(is_gone))


def unset(settings: Any, switches: Iterable[str]) -> Any:
    for each in switches:
        section, _, key = each[1:].partition("] ")
        settings = usual(settings, (*section.split("."), key))
    return settings


def usual(own: Any, keys: tuple[str, ...]) -> Any:
    """The same with that one at its default."""
    name, *deeper = keys
    inner = getattr(own, name)
    value = usual(inner, tuple(deeper)) if deeper else getattr(type(own)(), name)
    return attrs.evolve(own, **{name: value})


def all_but(tables: Mapping[str, Any], chosen: Iterable[str]) -> set[str]:
    """Every table, and every column and setting that is named anywhere, but these."""
    kept = {*chosen}
    kept |= {each.partition(".")[0].partition("[")[0] for each in chosen}
    return {*tables, *COLUMNS, *ROWS, *SWITCHES} - kept - {"account"}


def every_way(needs: Iterable[Need]) -> list[tuple[str, ...]]:
    """Each choice of one way for each need."""
    ways = product(*(need.ways for need in needs))
    return [tuple(one for way in chosen for one in way) for chosen in ways]


def test_every_analysis_says_what_it_needs() -> None:
    assert list(NEEDS) == list(NOUNS)


@pytest.mark.parametrize("name", NOUNS)
def test_with_one_thing_for_each_need_it_is_made(make, tables, name: str) -> None:
    for chosen in every_way(NEEDS[name].whole):
        assert list(make(name, all_but(tables, chosen))) == [name], chosen


@pytest.mark.parametrize(("name", "need"), WHOLE)
def test_without_any_of_a_need_it_is_not_made_and_says_so(
    make, name: str, need: Need
) -> None:
    found = make(name, need.sources)
    assert list(found) == []
    assert found.skipped == {name: (need,)}


@pytest.mark.parametrize(("name", "part"), PARTS)
def test_with_what_it_needs_a_part_is_told(make, tables, name: str, part: str) -> None:
    whole = [need.sources[0] for need in NEEDS[name].whole]
    for chosen in every_way(NEEDS[name].parts[part].needs):
        found = make(name, all_but(tables, (*whole, *chosen)))
        assert part in made_parts(found, name), chosen


@pytest.mark.parametrize(("name", "part", "need"), LACKS)
def test_without_any_of_a_need_a_part_is_unknown_and_says_so(
    make, name: str, part: str, need: Need
) -> None:
    found = make(name, need.sources)
    assert part not in made_parts(found, name)
    assert need in found.gaps[name][part]


def made_parts(found: Findings, name: str) -> set[str]:
    from crm_portfolio._analyse._lacking import _is_told

    return {
        part
        for part, needed in NEEDS[name].parts.items()
        if name in found and _is_told(found[name], needed)
    }
