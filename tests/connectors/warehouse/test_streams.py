"""A table of a replica is one question to its engine, whose answer is cut between keys."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from crm_portfolio.connectors.warehouse import Warehouse, WarehouseSettings
from crm_portfolio.connectors.warehouse._cuts import cut
from crm_portfolio.errors import ConnectorError, CrmPortfolioError, TransientError
from crm_portfolio.protocols import Batch

LAYOUT = "fivetran-salesforce"
# Two of them are there several times, as a loader leaves them that was cut off.
IDS = ["a", "b", "b", "c", "d", "d", "d", "d", "e", "f"]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def accounts(ids: list[str]) -> pa.Table:
    many = len(ids)
    return pa.table(
        {
            "id": ids[::-1],
            "name": [f"Firm {place}" for place in range(many)],
            "is_deleted": [False] * many,
            "_fivetran_synced": pa.array([0] * many, pa.timestamp("us")),
        }
    )


def in_duckdb(rows: pa.Table) -> Any:
    connection = duckdb.connect()
    connection.register("rows_of_it", rows)
    connection.execute("CREATE TABLE account AS FROM rows_of_it")
    return connection


def in_sqlite(rows: pa.Table) -> Any:
    backend = pytest.importorskip("ibis").sqlite.connect()
    weakref.finalize(backend, backend.con.close)
    backend.create_table("account", rows)
    return backend


def opened(place: Any, rows: int) -> Warehouse:
    return Warehouse(place, settings=WarehouseSettings(layout=LAYOUT, batch_rows=rows))


def told(batches: Iterator[Batch]) -> list[tuple[str, str]]:
    rows = [row for batch in batches for row in batch.rows.to_pylist()]
    ids = [row["account_id"] for row in rows]
    assert ids == sorted(ids)
    return sorted((row["account_id"], row["name"]) for row in rows)


@pytest.mark.parametrize("laid", [in_duckdb, in_sqlite])
def test_rows_of_one_id_all_come_whatever_the_batches(laid: Any) -> None:
    place = laid(accounts(IDS))
    whole = told(opened(in_duckdb(accounts(IDS)), 100).pull("account"))
    assert [row[0] for row in whole] == IDS
    for rows in (1, 2, 3, 4, 5, 10):
        source = opened(place, rows)
        batches = list(source.pull("account"))
        assert told(iter(batches)) == whole, rows
        for at, batch in enumerate(batches[:-1]):  # and from wherever one goes on
            rest = source.pull("account", resume=batch.cursor)
            assert told(iter([*batches[: at + 1], *rest])) == whole, (rows, at)


def test_through_ibis_a_table_takes_as_many_questions_in_many_batches_as_in_one() -> (
    None
):
    backend = in_sqlite(accounts([f"{place:04}" for place in range(300)]))
    asked: list[str] = []
    counts = {}
    for rows in (1, 10, 1_000):
        source = opened(backend, rows)
        asked.clear()
        backend.con.set_trace_callback(asked.append)
        batches = list(source.pull("account"))
        backend.con.set_trace_callback(None)
        assert len(batches) == -(-300 // rows)
        counts[rows] = sum("SELECT" in question for question in asked)
    assert counts[1] == counts[10] == counts[1_000]


def test_an_engine_is_not_asked_for_more_than_the_next_piece() -> None:
    sent = 0

    def stream() -> Iterator[pa.RecordBatch]:
        nonlocal sent
        for place in range(100):
            sent += 1
            yield pa.record_batch({"key": list(range(place * 10, place * 10 + 10))})

    for taken, piece in enumerate(cut(stream(), 20), start=1):
        assert len(piece) == 20
        assert sent <= 2 * (taken + 1)
    assert (taken, sent) == (50, 100)


def test_pieces_have_the_size_that_was_asked_for_whatever_the_engine_sends() -> None:
    keys = pa.record_batch({"key": list(range(10))})
    sent = [keys.slice(0, 1), keys.slice(1, 0), keys.slice(1, 6), keys.slice(7)]
    assert [len(piece) for piece in cut(sent, 4)] == [4, 4, 2]
    same = pa.record_batch({"key": [1] * 9 + [2]})
    assert [len(piece) for piece in cut([same], 4)] == [9, 1]
    unknown = pa.record_batch({"key": pa.array([None] * 4 + [1], pa.int64())})
    assert sum(len(piece) for piece in cut([unknown], 2)) == 5
    assert not list(cut([], 4))


# An engine that fails


def test_an_engine_that_fails_is_told_without_its_words() -> None:
    connection = in_duckdb(accounts(IDS))
    connection.execute(
        "CREATE TABLE long AS SELECT * FROM account; DROP TABLE account; "
        "CREATE VIEW account AS SELECT id, error('Secret Ltd: ' || id) AS name, "
        "is_deleted, _fivetran_synced FROM long"
    )
    with pytest.raises(CrmPortfolioError) as caught:
        list(opened(connection, 4).pull("account"))
    assert type(caught.value) is ConnectorError
    assert "while the table account was read" in str(caught.value)
    assert "Secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_connection_that_is_lost_is_a_reason_to_wait() -> None:
    backend = in_sqlite(accounts(IDS))
    source = opened(backend, 4)

    def lost() -> int:
        return 1

    backend.con.set_progress_handler(lost, 1)  # SQLite stops, as if interrupted
    with pytest.raises(TransientError, match="sqlite3 failed while it was asked"):
        list(source.pull("account"))
    backend.con.set_progress_handler(None, 0)
    assert len(told(source.pull("account"))) == len(IDS)
    backend.raw_sql("DROP TABLE account")
    with pytest.raises(ConnectorError) as caught:
        list(source.pull("account"))
    assert type(caught.value) is ConnectorError
