"""Does every analysis give the same in every engine, and stay every long table in it?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from gappy_book import SETTINGS

from crm_portfolio import _frames, analyse
from crm_portfolio._analyse._book import NOUNS
from crm_portfolio._frames import LAZY, backend_of, to_arrow
from crm_portfolio.portfolio import Portfolio

LONG = ("opportunity", "opportunity_change", "activity", "revenue_line", "invoice")
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
        self.doors: list[int] = []
        self.read: set[str] = set()
        portfolio = Portfolio.load(folder, backend=engine)
        with pytest.MonkeyPatch.context() as here:
            for door in ("_through_narwhals", "_from_duckdb"):
                here.setattr(_frames, door, self._counted(getattr(_frames, door)))
            here.setattr(pq, "read_table", self._noted(pq.read_table))
            self.findings = analyse(portfolio, SETTINGS)
        self.counts = portfolio.row_counts

    def _counted(self, real: Any) -> Any:
        def counted(frame: Any) -> Any:
            table = real(frame)
            self.doors.append(table.num_rows)
            return table

        return counted

    def _noted(self, real: Any) -> Any:
        def noted(path: Any, *more: Any, **how: Any) -> Any:
            self.read.add(Path(path).stem)
            return real(path, *more, **how)

        return noted


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
        shortest = min(run.counts[name] for name in LONG)
        assert run.doors
        assert max(run.doors) < shortest
        assert not run.read & {*LONG}


def test_the_watch_sees_a_long_table_that_is_collected(folder, plain):
    """Or the test above could not fail."""
    portfolio = Portfolio.load(folder, backend="polars_lazy")
    with pytest.MonkeyPatch.context() as here:
        door = plain._counted(_frames._through_narwhals)
        here.setattr(_frames, "_through_narwhals", door)
        to_arrow(portfolio["activity"])
    assert max(plain.doors) == plain.counts["activity"]
