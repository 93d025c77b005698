"""Does every analysis give the same, to the byte, whatever kind of frame comes in?"""

from __future__ import annotations

import json
from functools import cache

import polars as pl
import pyarrow as pa
import pytest
from gappy_book import AS_OF, IDS, SETTINGS, tables

from crm_portfolio import analysis
from crm_portfolio._analyse import analyse
from crm_portfolio._frames import from_arrow, to_arrow
from crm_portfolio.portfolio import Calendar, Portfolio

KINDS = {
    "pandas": lambda table: from_arrow(table, "pandas"),
    "pandas of numpy": lambda table: table.to_pandas(),
    "polars": lambda table: from_arrow(table, "polars"),
    "polars lazy": lambda table: pl.from_arrow(table).lazy(),
    "the last row first": lambda table: table.take(
        pa.array(range(table.num_rows)[::-1])
    ),
    "duckdb": lambda table: from_arrow(table, "duckdb"),
    "pyarrow": lambda table: table,
}

WITHOUT = {
    "everything": (),
    "bookings and meetings": ("revenue_line", "effort", "capacity"),
}


@cache
def findings(kind: str, book: str):
    left_out = WITHOUT[book]
    frames = {
        name: KINDS[kind](each)
        for name, each in tables().items()
        if name not in left_out
    }
    portfolio = Portfolio.from_frames(
        as_of=AS_OF, currency="EUR", calendar=Calendar("Europe/Paris"), **frames
    )
    return analyse(portfolio, SETTINGS)


@cache
def told(kind, noun, book):
    """All that is compared; of what is compared with, once and not for each kind."""
    result = findings(kind, book)[noun]
    rows = to_arrow(result.frame)
    explained = [result.explain(each) for each in rows[result.key].to_pylist()[::7]]
    return json.dumps(result.to_dict()), rows, result.warnings, explained


NOUNS = sorted(
    name
    for name in analysis.__all__
    if f"{name.title().replace('_', '')}Result" in analysis.__all__
)


@pytest.mark.parametrize("book", WITHOUT)
@pytest.mark.parametrize("noun", NOUNS)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "pyarrow"])
def test_every_kind_of_frame_gives_identical_results(kind, noun, book):
    mine, other = told("pyarrow", noun, book), told(kind, noun, book)
    assert other[0] == mine[0]
    assert other[1].equals(mine[1])
    assert other[2:] == mine[2:]


@pytest.mark.parametrize("noun", NOUNS)
def test_the_book_has_something_to_say_to_every_analysis(noun):
    """So that what is compared above is not two empty tables."""
    result = findings("pyarrow", "everything")[noun]
    rows = to_arrow(result.frame)
    assert rows.num_rows == len(IDS) if result.key == "account_id" else rows.num_rows
    known = [
        name for name in rows.column_names if rows[name].null_count < rows.num_rows
    ]
    assert len(known) >= 8
