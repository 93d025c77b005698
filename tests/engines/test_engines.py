"""Does each engine that holds tables elsewhere take one and tell one with nothing changed?"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from crm_portfolio._engines import ENGINES
from crm_portfolio._frames import (
    backend_of,
    from_arrow,
    from_parquet,
    kept,
    nw,
    row_count,
    same_kind,
    to_arrow,
    to_parquet,
    with_nulls,
)

TABLE = pa.table(
    {
        "text": ["Łódź", "", None],
        "integer": pa.array([2**60 + 1, None, -1], pa.int64()),
        "number": [0.1, None, -0.0],
        "flag": [True, None, False],
        "day": pa.array([date(2024, 2, 29), None, date(1900, 1, 1)], pa.date32()),
        "moment": pa.array(
            [datetime(2024, 2, 29, 1, 2, 3, 456789, UTC), None, None],
            pa.timestamp("us", "UTC"),
        ),
    }
)
pytestmark = [
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas"),
    pytest.mark.filterwarnings("ignore:fetch_arrow_table.. is deprecated"),
]


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Any:
    if request.param == "pyspark":
        request.getfixturevalue("spark")
    return request.param


def in_order(frame: Any) -> pa.Table:
    return to_arrow(frame).sort_by([("integer", "ascending")])


def test_a_round_trip_changes_nothing(engine):
    frame = from_arrow(TABLE, engine)
    assert backend_of(frame) == engine
    assert row_count(frame) == 3
    assert to_arrow(frame).equals(TABLE)


def test_a_frame_without_rows_keeps_its_columns(engine):
    assert to_arrow(from_arrow(TABLE.slice(0, 0), engine)).schema == TABLE.schema


def test_the_kind_of_another_frame_is_met(engine):
    like = from_arrow(TABLE, engine)
    assert backend_of(same_kind(pa.table({"a": [1]}), like)) == engine


def test_columns_of_nulls_have_their_kinds(engine):
    kinds = {f"no_{field.name}": field.type for field in TABLE.schema}
    table = to_arrow(with_nulls(from_arrow(TABLE, engine), kinds))
    assert table.schema == pa.schema([*TABLE.schema, *kinds.items()])
    assert all(table[name].null_count == 3 for name in kinds)


def test_what_is_written_is_read_as_it_was(engine, tmp_path):
    place = tmp_path / "a place with blanks"
    place.mkdir()
    to_parquet(from_arrow(TABLE, engine), place)
    files = sorted(place.glob("*.parquet"))
    assert in_order(from_parquet(files, engine)).equals(in_order(TABLE))


def test_what_is_kept_is_the_same_and_still_lazy(engine):
    rows = nw.from_native(from_arrow(TABLE, engine)).filter(nw.col("integer") > 0)
    held = kept(rows)
    assert isinstance(held, nw.LazyFrame)
    assert backend_of(nw.to_native(held)) == engine
    assert to_arrow(nw.to_native(held)).equals(TABLE.slice(0, 1))


def test_a_day_before_the_year_1000_can_be_asked_for(engine):
    """Periods without a beginning have one of them."""
    rows = nw.from_native(from_arrow(TABLE, engine))
    found = rows.filter(nw.col("day") >= date.min)
    assert in_order(nw.to_native(found)).num_rows == 2
