"""Does the state that was kept come back, whatever happened since?"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from crm_portfolio.simulator import _store
from crm_portfolio.simulator._store import Store


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store()
    made.create("pets", {"Id": "VARCHAR", "legs": "BIGINT"})
    made.create('odd "name', {"Id": "VARCHAR"})
    made.insert("pets", pa.table({"Id": ["b", "a"], "legs": [4, 2]}))
    made.rows("CREATE TABLE unlisted AS SELECT 1 AS one")
    made.keep()
    yield made
    made.close()


def everything(store: Store) -> dict[str, object]:
    return {
        name: store.rows(f'SELECT rowid, * FROM "{name}"')
        for name in ("pets", 'odd ""name', "unlisted")
    }


@pytest.mark.parametrize(
    "change",
    [
        lambda store: store.insert_records("pets", [{"Id": "c"}]),
        lambda store: store.update("pets", [{"Id": "a", "legs": 3}]),
        lambda store: store.delete("pets", '"Id" = ?', ["b"]),
        lambda store: store.drop("pets"),
        lambda store: store.add_column("pets", "name", "VARCHAR", "Rex"),
        lambda store: store.insert_records('odd "name', [{"Id": "c"}]),
        lambda store: store.rows("UPDATE PETS SET legs = 1"),
        lambda store: store.rows("  UPDATE unlisted SET one = 2"),
        lambda store: store.rows("CREATE OR REPLACE TABLE pets AS SELECT 1 AS Id"),
        lambda store: store.rows("INSERT INTO pets SELECT * FROM pets"),
    ],
)
def test_a_change_is_undone_as_often_as_it_is_made(store: Store, change) -> None:
    first = everything(store)
    for _ in range(3):
        change(store)
        if store.back():
            assert everything(store) == first
            continue
        assert store._is_lost  # and whoever asked loads it anew
        break


@pytest.mark.parametrize(
    "table", ["UPDATE", "DELETE FROM", "INSERT INTO", "ALTER TABLE"]
)
def test_what_is_known_to_change_a_table_is_undone_and_not_loaded_anew(
    store: Store, table: str
) -> None:
    rest = {
        "UPDATE": " SET legs = 9",
        "DELETE FROM": "",
        "INSERT INTO": " VALUES ('z', 1)",
        "ALTER TABLE": " DROP COLUMN legs",
    }
    store.rows(f'{table} "pets"{rest[table]}')
    assert store.back()
    assert store.records("pets") == [{"Id": "a", "legs": 2}, {"Id": "b", "legs": 4}]


def test_tables_made_since_are_gone(store: Store) -> None:
    store.create("more", {"Id": "VARCHAR"})
    store.rows("CREATE TEMP TABLE passing AS SELECT 1 AS one")
    store.rows("CREATE TABLE result AS SELECT 1 AS one")
    assert store.back()
    assert "more" not in store
    names = {name for (name,) in store.rows("SELECT table_name FROM duckdb_tables()")}
    assert names == {"pets", 'odd "name', "unlisted"}
    store.rows("CREATE TEMP TABLE passing AS SELECT 1 AS one")  # its name is free again


def test_columns_made_since_are_forgotten(store: Store) -> None:
    store.add_column("pets", "name", "VARCHAR")
    assert store.back()
    assert list(store.records("pets")[0]) == ["Id", "legs"]


@pytest.mark.parametrize("sql", ["CREATE VIEW seen AS SELECT 1", "CHECKPOINT"])
def test_what_nobody_thought_of_is_not_undone_but_said(store: Store, sql: str) -> None:
    store.rows(sql)
    assert not store.back()


def test_a_table_too_large_for_a_copy_is_said(store: Store, monkeypatch) -> None:
    monkeypatch.setattr(_store, "_MANY", 2)
    store.rows("SELECT * FROM pets")
    assert store.back()
    store.delete("pets", '"Id" = ?', ["b"])
    assert not store.back()


def test_reading_changes_nothing(store: Store) -> None:
    store.rows("WITH x AS (SELECT 1) SELECT * FROM x")
    assert store.back()
    assert store._copied == set()
