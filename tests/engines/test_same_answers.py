"""Does every analysis give the same in every engine, and stay every long table in it?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from door_watch import LONG, watched
from gappy_book import SETTINGS

from crm_portfolio import analyse
from crm_portfolio._analyse._book import NOUNS
from crm_portfolio._frames import LAZY, backend_of, nw, to_arrow
from crm_portfolio.portfolio import Portfolio

ENGINES = [*LAZY, "pandas", "polars"]
# Of PySpark, which says so of every pandas 3; of Ibis, which asks DuckDB in an old way.
pytestmark = [
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas"),
    pytest.mark.filterwarnings("ignore:fetch_arrow_table.. is deprecated"),
]


class Run:
    """Everything analysed in one engine, and what left it and the folder meanwhile."""

    def __init__(self, folder: Path, engine: Any) -> None:
        self.engine = engine
        portfolio = Portfolio.load(folder, backend=engine)
        with watched() as self.watch:
            self.findings = analyse(portfolio, SETTINGS)
        self.counts = portfolio.row_counts


@pytest.fixture(scope="module")
def plain(folder: Path) -> Run:
    return Run(folder, "pyarrow")


@pytest.fixture(scope="module", params=ENGINES)
def run(request: pytest.FixtureRequest, folder: Path) -> Run:
    if request.param == "pyspark":
        request.getfixturevalue("spark")
    return Run(folder, request.param)


@pytest.mark.parametrize("noun", NOUNS)
def test_an_analysis_gives_the_same_to_the_last_digit(run, plain, noun):
    """Money and classes have to; other numbers would only have to in twelve digits."""
    mine, other = plain.findings[noun], run.findings[noun]
    assert other.arrow.equals(mine.arrow)
    assert other.to_dict() == mine.to_dict()


def test_what_could_not_be_told_is_the_same(run, plain):
    assert run.findings.lacking() == plain.findings.lacking()


def test_results_come_in_the_kind_of_frame_that_the_tables_are(run):
    for result in run.findings.values():
        assert backend_of(result.frame) == run.engine
    frame = run.findings["tiers"].frame
    assert to_arrow(frame).equals(run.findings["tiers"].arrow)


def test_no_long_table_leaves_the_engine(run):
    """What comes out of one is counted by account, month and the like."""
    if run.engine in LAZY:
        assert min(run.counts[name] for name in LONG) > 4_000
        rows, way = run.watch.most
        assert 0 < rows < min(run.counts[name] for name in LONG), way


def by_fetchmany(frame: Any) -> None:
    found = duckdb.default_connection().execute(frame.sql_query())
    while found.fetchmany(700):
        pass


COLLECTED: dict[str, tuple[str, Callable[[Any], object]]] = {
    "our door": ("duckdb", to_arrow),
    "narwhals of DuckDB": ("duckdb", lambda frame: nw.from_native(frame).collect()),
    "DuckDB's rows": ("duckdb", lambda frame: frame.fetchall()),
    "DuckDB's rows, a few at a time": ("duckdb", by_fetchmany),
    "DuckDB's arrays": ("duckdb", lambda frame: frame.fetchnumpy()),
    "pandas of DuckDB": ("duckdb", lambda frame: frame.df()),
    "Polars of DuckDB": ("duckdb", lambda frame: frame.pl()),
    "Arrow of DuckDB": ("duckdb", pa.table),
    "Polars": ("polars_lazy", lambda frame: frame.collect()),
    "Polars, all at once": ("polars_lazy", lambda frame: pl.collect_all([frame])),
    "narwhals of Polars": (
        "polars_lazy",
        lambda frame: nw.from_native(frame).collect(),
    ),
    "Polars of Ibis": ("ibis", lambda frame: frame.to_polars()),
    "Arrow of Ibis": ("ibis", lambda frame: frame.to_pyarrow()),
    "Spark": ("pyspark", lambda frame: frame.collect()),
    "Spark, row by row": ("pyspark", lambda frame: list(frame.toLocalIterator())),
    "narwhals of Spark": ("pyspark", lambda frame: nw.from_native(frame).collect()),
}


@pytest.mark.parametrize("way", COLLECTED)
def test_the_watch_sees_a_long_table_that_is_collected(request, folder, way):
    """Or the test above could not fail."""
    engine, collect = COLLECTED[way]
    if engine == "pyspark":
        request.getfixturevalue("spark")
    portfolio = Portfolio.load(folder, backend=engine)
    with watched() as watch:
        collect(portfolio["cost"])
    assert watch.most[0] == portfolio.row_counts["cost"]


def test_the_watch_sees_a_long_table_that_is_read_from_its_file(folder):
    file = folder / "ticket.parquet"
    with watched() as one:
        pq.read_table(file)
    with watched() as other:
        pq.ParquetFile(file).read()
    assert one.most[0] == other.most[0] == pq.read_metadata(file).num_rows
