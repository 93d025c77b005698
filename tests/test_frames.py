"""Does every kind of frame come in, and the same kind go out, with nothing changed?"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from crm_portfolio._frames import (
    BACKENDS,
    Backend,
    backend_of,
    from_arrow,
    kept,
    nw,
    same_kind,
    to_arrow,
    with_nulls,
)
from crm_portfolio.errors import MissingExtraError, SettingsError
from crm_portfolio.portfolio import Portfolio

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


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_round_trip_changes_nothing(backend: Backend) -> None:
    frame = from_arrow(TABLE, backend)
    assert backend_of(frame) == backend
    assert to_arrow(frame).equals(TABLE)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_frame_without_rows_keeps_its_columns(backend: Backend) -> None:
    frame = from_arrow(TABLE.slice(0, 0), backend)
    assert to_arrow(frame).schema.names == TABLE.schema.names


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_kind_of_another_frame_is_met(backend: Backend) -> None:
    like = from_arrow(TABLE, backend)
    assert type(same_kind(pa.table({"a": [1]}), like)) is type(like)


def test_runs_of_one_value_come_as_the_rows_they_are() -> None:
    texts = pc.run_end_encode(pa.array(["a", "a", None]))
    table = pa.table({"text": texts, "other": [1, 2, 3]})
    assert to_arrow(table).to_pydict() == {"text": ["a", "a", None], "other": [1, 2, 3]}


def test_what_is_no_kind_of_frame_is_refused_before_a_folder_is_looked_for() -> None:
    with pytest.raises(SettingsError, match="there is no backend 'spark'; there are"):
        Portfolio.load("nowhere", backend="spark")  # type: ignore[arg-type]


def test_missing_values_of_plain_pandas_are_null() -> None:
    frame = pd.DataFrame(
        {
            "number": [1.5, np.nan],
            "text": ["x", None],
            "day": pd.to_datetime(["2024-02-29", None]),
            "category": pd.Categorical(["u", None]),
        },
        index=[7, 9],
    )
    assert to_arrow(frame).to_pydict() == {
        "number": [1.5, None],
        "text": ["x", None],
        "day": [datetime(2024, 2, 29), None],
        "category": ["u", None],
    }


def test_an_object_column_of_several_types_comes_as_text() -> None:
    frame = pd.DataFrame({"amount": [1.5, "12x", None, True, date(2024, 2, 29)]})
    assert to_arrow(frame)["amount"].to_pylist() == [
        "1.5",
        "12x",
        None,
        "true",
        "2024-02-29",
    ]


@pytest.mark.parametrize(
    ("cells", "texts"),
    [
        ([7.0, "B7"], ["7", "B7"]),
        ([np.array([1, 2]), "x"], ["[1 2]", "x"]),
        ([2**70, 1], ["1180591620717411303424", "1"]),
        ([Decimal("Infinity"), Decimal(1)], ["Infinity", "1"]),
        ([1 + 2j, None], ["(1+2j)", None]),
        (["A\ud800", None], ["A\\ud800", None]),
        ([UUID(int=65), None], ["00000000-0000-0000-0000-000000000041", None]),
    ],
)
def test_what_arrow_has_no_type_for_comes_as_text(
    cells: list[object], texts: list[str | None]
) -> None:
    column = pd.Series([None, *cells], dtype=object).iloc[1:]
    assert to_arrow(pd.DataFrame({"cell": column}))["cell"].to_pylist() == texts


def test_lazy_frames_and_relations_come_in() -> None:
    wanted = [{"a": 1, "b": "x"}]
    lazy = pl.LazyFrame({"a": [1], "b": ["x"]})
    assert to_arrow(lazy).to_pylist() == wanted
    assert backend_of(lazy) == "polars_lazy"
    relation = duckdb.sql("select 1 as a, 'x' as b")
    assert to_arrow(relation).to_pylist() == wanted
    assert backend_of(relation) == "duckdb"
    assert to_arrow(TABLE.to_batches()[0]).equals(TABLE)


def test_text_is_plain_text_whatever_the_engine_calls_it() -> None:
    frame = pl.DataFrame({"a": ["x"], "b": pl.Series(["y"], dtype=pl.Categorical)})
    assert to_arrow(frame).schema.types == [pa.string(), pa.string()]


def test_no_metadata_of_pandas_travels_along() -> None:
    tagged = TABLE.replace_schema_metadata({"pandas": "{}"})
    assert to_arrow(tagged).schema.metadata is None


@pytest.mark.parametrize(
    "thing",
    [
        None,
        [1, 2],
        {"a": [1]},
        "account.csv",
        pd.Series(["A"], name="a"),
        duckdb.default_connection(),
    ],
)
def test_what_is_no_frame_is_refused(thing: object) -> None:
    with pytest.raises(SettingsError, match="is no frame"):
        to_arrow(thing)


def test_an_unknown_backend_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="pandas, polars, pyarrow, duckdb"):
        from_arrow(TABLE, "spark")  # type: ignore[arg-type]


def test_a_relation_reads_the_table_where_it_lies() -> None:
    table = pa.table({"a": pa.array(range(100_000), pa.int64())})
    before = pa.total_allocated_bytes()
    relation = from_arrow(table, "duckdb")
    assert pa.total_allocated_bytes() - before < table.nbytes / 100
    assert nw.from_native(relation).implementation is nw.Implementation.DUCKDB
    assert isinstance(nw.from_native(relation), nw.LazyFrame)


def test_two_relations_can_be_joined_and_named_in_a_query() -> None:
    one = from_arrow(pa.table({"a": [1, 2], "b": ["x", "y"]}), "duckdb")
    other = from_arrow(pa.table({"a": [2, 3], "c": [0.5, 1.5]}), "duckdb")
    joined = nw.from_native(one).join(nw.from_native(other), on="a", how="inner")
    assert to_arrow(nw.to_native(joined)).to_pylist() == [{"a": 2, "b": "y", "c": 0.5}]
    found = duckdb.sql("select b from one join other using (a)")
    assert found.fetchall() == [("y",)]


def test_a_sum_of_whole_numbers_is_a_whole_number_again() -> None:
    relation = duckdb.sql("""select sum(9007199254740993::bigint) as "a ""sum""\"""")
    assert to_arrow(relation).schema.types == [pa.int64()]
    assert to_arrow(relation).to_pylist() == [{'a "sum"': 9007199254740993}]


@pytest.mark.parametrize("extra", ["polars", "duckdb"])
def test_a_missing_engine_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, extra: Backend
) -> None:
    monkeypatch.setitem(sys.modules, extra, None)
    with pytest.raises(MissingExtraError, match=rf"crm-portfolio\[{extra}\]"):
        from_arrow(TABLE, extra)


@pytest.mark.parametrize("backend", BACKENDS)
def test_null_columns_of_every_kind_are_added_where_the_frame_lies(
    backend: Backend,
) -> None:
    kinds = {
        f"{name} more": TABLE.schema.field(name).type for name in TABLE.schema.names
    }
    found = with_nulls(from_arrow(TABLE, backend), kinds)
    assert backend_of(found) == backend
    table = to_arrow(found)
    assert table.select(TABLE.column_names).equals(TABLE)
    assert table.select(list(kinds)).schema.types == TABLE.schema.types
    assert all(table[name].null_count == 3 for name in kinds)


def _kept_tables() -> list[tuple[str, ...]]:
    found = duckdb.sql(
        "SELECT table_name FROM duckdb_tables() WHERE starts_with(table_name, 'crm_')"
    )
    return found.fetchall()


def test_what_is_kept_goes_with_who_holds_it() -> None:
    before = _kept_tables()
    held = kept(nw.from_native(from_arrow(TABLE, "duckdb")))
    part = held.filter(nw.col("flag"))
    assert len(_kept_tables()) == len(before) + 1
    del held
    assert to_arrow(part.to_native()).num_rows == 1
    del part
    assert _kept_tables() == before


@pytest.mark.skipif(
    duckdb.__version__ < "2", reason="before, any query took the result of the last"
)
def test_letting_go_takes_no_result_from_who_reads_it() -> None:
    before, connection = _kept_tables(), duckdb.default_connection()
    held = kept(nw.from_native(from_arrow(TABLE, "duckdb")))
    connection.execute("SELECT * FROM range(5)")
    del held
    assert len(connection.fetchall()) == 5
    kept(nw.from_native(from_arrow(TABLE, "duckdb")))
    assert _kept_tables() == before
