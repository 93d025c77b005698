"""Can everything be analysed without what a book need not have?

What is unknown stays unknown: it is no fault of the book, and stops nothing.
"""

from __future__ import annotations

import re
from itertools import zip_longest

from crm_portfolio._analyse import analyse
from crm_portfolio._analyse._book import NOUNS
from crm_portfolio._analyse._needs import NEEDS, Needs
from crm_portfolio.schema import TABLES


def optional(table: str, names: list[str]) -> list[tuple[str, str]]:
    required = {each.name for each in TABLES[table].columns if each.required}
    return [(table, name) for name in names if name not in required]


def test_a_column_that_nobody_has_to_give_may_be_left_out(
    tables, make_book, settings
) -> None:
    """Of each table one at a time: what is asked of one seldom hangs on another."""
    each = [optional(name, table.column_names) for name, table in tables.items()]
    rounds = [dict(filter(None, together)) for together in zip_longest(*each)]
    assert len(rounds) > 10
    for left_out in rounds:
        held = {
            name: table.drop_columns([left_out[name]] if name in left_out else [])
            for name, table in tables.items()
        }
        found = analyse(make_book(held), settings)
        assert {*found, *found.skipped} == {*NOUNS}, left_out


def test_a_table_may_be_left_out(tables, make_book, settings) -> None:
    for name in sorted(tables.keys() - {"account"}):
        held = {other: table for other, table in tables.items() if other != name}
        asking = [noun for noun, needs in NEEDS.items() if asks(needs, name)]
        found = analyse(make_book(held), settings, only=asking)
        assert {*found, *found.skipped} >= {*asking}, name


def asks(needs: Needs, table: str) -> bool:
    """Whether the analysis, or a part of it, says that it takes the table."""
    parts = (need for part in needs.parts.values() for need in part.needs)
    named = {each for need in (*needs.whole, *parts) for each in need.sources}
    return any(re.split(r"[.[]", each)[0] == table for each in named)
