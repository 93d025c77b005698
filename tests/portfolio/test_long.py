"""Is what is made of a long portfolio the same, with none of its long tables taken up?"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crm_portfolio import _folder, _frames
from crm_portfolio._frames import LAZY, backend_of, from_arrow, to_arrow
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Calendar, Portfolio, _portfolio

AS_OF = date(2026, 6, 30)
ROWS = 5
"""In a group of a file, so that every table is many of them."""
LONG = ("opportunity", "opportunity_change", "activity", "revenue_line", "invoice")
PARTS = {
    "activity": "occurred_at",
    "opportunity": "created_at",
    "opportunity_change": "changed_at",
}
pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table.. is deprecated")
DAYS = (date(2024, 12, 31), date(2025, 12, 31))


@pytest.fixture(scope="module")
def book(firm: Callable[..., dict[str, pa.Table]]) -> Portfolio:
    """With values of the past that cannot be read, and a child that loses its parent."""
    drawn = firm(7, 1, DAYS[1], "Europe/Paris", ["probability"])
    changes = drawn["opportunity_change"]
    is_odd = [at % 3 == 0 for at in range(len(changes))]
    texts = changes["old"].to_pylist()
    odd = [f"no {at % 3}" if is_odd[at] else text for at, text in enumerate(texts)]
    at = changes.column_names.index("old")
    drawn["opportunity_change"] = changes.set_column(at, "old", [odd])
    return Portfolio.from_frames(
        as_of=AS_OF,
        currency="EUR",
        calendar=Calendar("Europe/Paris"),
        backend="pyarrow",
        **drawn,
    )


@pytest.fixture(scope="module", params=["whole", "in parts"])
def folder(
    request: pytest.FixtureRequest,
    book: Portfolio,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    place = tmp_path_factory.mktemp("long") / "book"
    with pytest.MonkeyPatch.context() as here:
        here.setattr(_folder, "_GROUP_ROWS", ROWS)
        book.save(place, partitioned=PARTS if request.param == "in parts" else None)
    return place


@pytest.fixture
def taken_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many rows at a time came out of files and engines, but of what is told.

    No table is short enough to be taken up.
    """
    rows: list[int] = []

    def counted(real: Any) -> Any:
        def told(*given: Any, **how: Any) -> Any:
            found = real(*given, **how)
            if Path(str(given[0])).stem not in ("faults", "balance"):
                rows.append(found.num_rows)
            return found

        return told

    monkeypatch.setattr(_portfolio, "SHORT", 0)
    monkeypatch.setattr(_folder, "_GROUP_ROWS", ROWS)
    for holder, name in (
        (pq, "read_table"),
        (pq.ParquetFile, "read_row_group"),
        (pq.ParquetFile, "read"),
        (_frames, "_through_narwhals"),
        (_frames, "_from_duckdb"),
    ):
        monkeypatch.setattr(holder, name, counted(getattr(holder, name)))
    return rows


def accounts(book: Portfolio) -> list[str]:
    ids = sorted(book.arrow("account")["account_id"].to_pylist())
    return random.Random(3).sample(ids, len(ids) // 2)


def of_days(book: Portfolio) -> Iterator[Portfolio]:
    then = book.at(DAYS[1])
    yield then
    yield then.at(DAYS[0])


def of_accounts(book: Portfolio) -> Iterator[Portfolio]:
    some = book.only(accounts(book))
    yield some
    yield some.at(DAYS[1])
    yield book.only([])


def with_others(book: Portfolio) -> Iterator[Portfolio]:
    line = book.arrow("revenue_line")
    yield book.with_tables(revenue_line=line.slice(3, len(line) // 2))
    odd = pa.table({"owner_id": ["U1", "U1"], "is_active": [True, False]})
    yield book.with_tables(owner=odd.slice(1))


@pytest.mark.parametrize("made", [of_days, of_accounts, with_others])
def test_it_is_the_same_and_stays_where_it_lies(book, folder, taken_up, made):
    loaded = Portfolio.load(folder, backend="duckdb")
    known = list(made(book))
    taken_up.clear()
    found = list(made(loaded))
    if made is not with_others:  # which takes up the lines itself
        assert max(taken_up) <= max(ROWS, book.row_counts["account"])
    for mine, other in zip(known, found, strict=True):
        assert other.backend == "duckdb"
        assert (other.id, other.as_of) == (mine.id, mine.as_of)
        assert other.row_counts == mine.row_counts
        assert to_arrow(other.faults).equals(to_arrow(mine.faults))
        assert to_arrow(other.balance).equals(to_arrow(mine.balance))
        assert backend_of(other["activity"]) == "duckdb"
    longest = max(ROWS, book.row_counts["account"])
    assert all(book.row_counts[name] > longest for name in LONG)


def test_what_cannot_be_read_of_the_past_is_told_once(book, folder, taken_up):
    then = Portfolio.load(folder, backend="polars_lazy").at(DAYS[0])
    told = [
        (row["column"], row["value"])
        for row in to_arrow(then.faults).to_pylist()
        if row["fault"] == "unreadable_change"
    ]
    assert len(told) == len({*told}) > 2


@pytest.mark.parametrize("backend", [each for each in LAZY if each != "pyspark"])
def test_it_is_handed_out_in_its_kind_and_goes_when_nobody_holds_it(
    book, folder, taken_up, backend, tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    loaded = Portfolio.load(folder, backend=backend)
    made = loaded.only(accounts(book))
    assert backend_of(made["activity"]) == backend
    assert [each.name.startswith("crm-portfolio-") for each in tmp_path.iterdir()]
    del made
    gc.collect()
    assert not list(tmp_path.iterdir())
    assert loaded.id == book.id


def test_a_long_table_of_an_engine_can_be_given_to_it(book, folder, taken_up):
    line = book.arrow("revenue_line")
    loaded = Portfolio.load(folder, backend="duckdb")
    made = loaded.with_tables(revenue_line=from_arrow(line, "duckdb"))
    assert made.id == book.id


def test_what_is_refused_leaves_nothing_behind(folder, taken_up, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    loaded = Portfolio.load(folder, backend="duckdb")
    with pytest.raises(SettingsError, match="not in this portfolio"):
        loaded.only(["nobody"])
    assert not list(tmp_path.iterdir())
