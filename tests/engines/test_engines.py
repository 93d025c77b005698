"""Does each engine that holds tables elsewhere take one and tell one with nothing changed?"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from door_watch import watched

from crm_portfolio._engines import ENGINES, reaching
from crm_portfolio._frames import (
    backend_of,
    from_arrow,
    from_parquet,
    in_file_order,
    kept,
    numbered,
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
LAZY = "polars_lazy"
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


@pytest.fixture
def room(tmp_path, monkeypatch):
    """Where temporary files go."""
    place = tmp_path / "a [1] room"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def test_what_lazy_polars_keeps_waits_in_a_file_that_goes_with_who_holds_it(room):
    at = pa.array(range(300_000))
    frame = from_arrow(pa.table({"at": at, "is_odd": pc.bit_wise_and(at, 1)}), LAZY)
    with watched() as watch:
        held = kept(nw.from_native(frame).filter(nw.col("at") >= 7))
    assert watch.most[0] == 0
    (file,) = room.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600  # what customers did
    assert to_arrow(nw.to_native(held))["at"].equals(pa.chunked_array([at[7:]]))
    part = held.filter(nw.col("is_odd") == 1)
    del held
    assert to_arrow(nw.to_native(part)).num_rows == 149_997
    assert file.exists()
    del part
    assert not [*room.iterdir()]


def test_what_lazy_polars_could_not_keep_leaves_no_file(room):
    rows = nw.from_native(from_arrow(TABLE, LAZY))
    with pytest.raises(pl.exceptions.InvalidOperationError):
        kept(rows.with_columns(number=nw.col("text").cast(nw.Int64)))
    gc.collect()
    assert not [*room.iterdir()]


@pytest.mark.parametrize("ending", ["", "raise SystemExit(0)", "gc.disable()"])
def test_what_lazy_polars_keeps_goes_with_the_process(tmp_path, ending):
    program = f"""if True:
        import gc, os
        import pyarrow as pa
        from crm_portfolio._frames import from_arrow, kept, nw

        frame = nw.from_native(from_arrow(pa.table({{"a": [1, 2]}}), "polars_lazy"))
        held = [kept(frame), kept(frame)]
        held.append(held)
        print(len(os.listdir(os.environ["TMPDIR"])))
        {ending}
    """
    room = {"TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | room,
        capture_output=True,
        check=True,
        text=True,
    )
    assert int(done.stdout) >= 2, done.stderr
    assert not [*tmp_path.glob("crm-portfolio-*")]


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


def parts(place, lengths, *, word="part"):
    """Files of so many rows, whose ids do not come in order."""
    place.mkdir()
    texts = iter(f"O{(7 * at) % sum(lengths):02}" for at in range(sum(lengths)))
    files = []
    for at, length in enumerate(lengths):
        rows = pa.table({"id": pa.array([next(texts) for _ in range(length)])})
        pq.write_table(rows, place / f"{word}-{at}.parquet")
        files.append(place / f"{word}-{at}.parquet")
    return files


@pytest.mark.parametrize("lengths", [(17,), (5, 0, 8, 4)])
def test_each_row_has_a_number_and_always_the_same(engine, tmp_path, lengths):
    files = parts(tmp_path / "a place %41", lengths, word="ü {1}")
    known = () if len(lengths) == 1 else lengths
    rows = to_arrow(
        numbered(from_parquet(files, engine, lengths=known), "ordinal", "id")
    )
    found = dict(zip(rows["id"].to_pylist(), rows["ordinal"].to_pylist(), strict=True))
    assert sorted(found.values()) == list(range(17))
    assert rows.schema.field("ordinal").type == pa.int32()
    in_files = [
        each for file in files for each in pq.read_table(file)["id"].to_pylist()
    ]
    by_id = sorted(in_files)  # where an engine does not say how rows lie
    assert found == {
        each: (by_id if engine == "ibis" else in_files).index(each) for each in in_files
    }


@pytest.mark.parametrize("lengths", [(17,), (5, 8, 4)])
def test_spark_needs_no_order_of_all_rows_to_number_them(spark, tmp_path, lengths):
    """In one task, as it would be: of a hundred million rows that would be the end."""
    files = parts(tmp_path / "book", lengths)
    read = from_parquet(files, "pyspark", lengths=lengths)
    of = spark.sparkContext._jvm.PythonSQLUtils.explainString
    plans = [
        of(numbered(frame, "ordinal", "id")._jdf.queryExecution(), "simple")
        for frame in (read, read.filter("id <> 'O03'"))
    ]
    assert ["Window" in each for each in plans] == [False, True]


def test_only_of_one_file_does_spark_say_how_the_rows_lie(spark, tmp_path):
    one, several = (
        from_parquet(parts(tmp_path / f"of {len(each)}", each), "pyspark", lengths=each)
        for each in ((17,), (5, 12))
    )
    rows = to_arrow(in_file_order(one, "place")).sort_by("place")
    assert rows["id"].to_pylist()[:3] == ["O00", "O07", "O14"]
    assert in_file_order(several, "place") is None
    assert in_file_order(one.filter("id <> 'O03'"), "place") is None
    assert in_file_order(from_arrow(TABLE, "duckdb"), "place") is None


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
