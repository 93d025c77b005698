"""Does each engine that holds tables elsewhere take one and tell one with nothing changed?"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crm_portfolio._engines import ENGINES, reaching
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
from crm_portfolio.errors import SettingsError

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


def test_files_in_folders_of_years_are_one_table_of_their_own_columns(engine, tmp_path):
    files = []
    for year, rows in (("2024", TABLE.slice(0, 1)), ("2023", TABLE.slice(1))):
        place = tmp_path / f"day_year={year}"
        place.mkdir()
        pq.write_table(rows, place / "part-00000.parquet")
        files.append(place / "part-00000.parquet")
    assert in_order(from_parquet(files, engine)).equals(in_order(TABLE))


@pytest.mark.parametrize("name", ["book [1]", "b*k", "b?k", "{a,book}"])
def test_a_folder_that_is_called_like_a_pattern_is_read_and_no_other(
    engine, tmp_path, name
):
    for each in ("book 1", "book", "bok", "a", name):
        place = tmp_path / each
        place.mkdir()
        pq.write_table(TABLE.slice(0, 3 if each == name else 1), place / "rows.parquet")
    files = [tmp_path / name / "rows.parquet"]
    assert in_order(from_parquet(files, engine)).equals(in_order(TABLE))


def test_a_spark_that_knows_no_such_store_says_what_it_needs(spark):
    import fsspec

    client = fsspec.filesystem("memory")
    pq.write_table(TABLE, "engines/rows.parquet", filesystem=client)
    with pytest.raises(SettingsError, match=r"no client for memory://.*duckdb"):
        from_parquet(["memory://engines/rows.parquet"], "pyspark", client=client)


def test_an_ibis_on_another_engine_says_what_to_set(monkeypatch):
    import ibis

    class Elsewhere:
        name = "elsewhere"

    monkeypatch.setattr(ibis, "get_backend", Elsewhere)
    with pytest.raises(SettingsError, match=r"Ibis on elsewhere.*default_backend"):
        from_parquet(["memory://engines/rows.parquet"], "ibis", client=object())


def test_a_file_system_that_somebody_gave_duckdb_stays():
    import duckdb
    import fsspec

    theirs, ours = (
        fsspec.filesystem("memory", skip_instance_cache=True) for _ in range(2)
    )
    with duckdb.connect() as connection:
        connection.register_filesystem(theirs)
        reaching(connection, ours)
        connection.unregister_filesystem("memory")
        reaching(connection, ours)
        reaching(connection, ours)
        reaching(connection, theirs)  # the newer one of two of ours
        assert connection.list_filesystems() == ["memory"]
