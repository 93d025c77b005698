"""Which rows of a replica count, whatever its loader made of a flag or of a moment."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from laid_down import COUNT, ids, replica

from crm_portfolio.connectors.warehouse import Warehouse, WarehouseSettings
from crm_portfolio.errors import SettingsError
from crm_portfolio.schema import TableName

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
Rows = list[dict[str, Any]]

# A flag as a loader may have it: what stands for true, for false, and their type.
SAID: dict[str, tuple[Any, Any, pa.DataType]] = {
    "boolean": (True, False, pa.bool_()),
    "integer": (1, 0, pa.int64()),
    "decimal": ("1", "0", pa.decimal128(1, 0)),
    "float": (1.0, 0.0, pa.float64()),
    "word": ("true", "false", pa.string()),
    "capitals": (" TRUE ", "False", pa.string()),
    "digit": ("1", "0", pa.string()),
}
OTHERS = {"_fivetran_deleted": False, "_fivetran_active": True}


def in_duckdb(tables: dict[str, pa.Table]) -> Any:
    connection = duckdb.connect()
    for name, rows in tables.items():
        connection.register("rows_of_it", rows)
        connection.execute(f'CREATE TABLE "{name}" AS FROM rows_of_it')
    return connection


def in_sqlite(tables: dict[str, pa.Table]) -> Any:
    backend = pytest.importorskip("ibis").sqlite.connect()
    weakref.finalize(backend, backend.con.close)
    for name, rows in tables.items():
        columns = ", ".join(f'"{f.name}" {in_sql(f.type)}' for f in rows.schema)
        backend.con.execute(f'CREATE TABLE "{name}" ({columns})')
        marks = ", ".join("?" * rows.num_columns)
        held = [[as_kept(one) for one in row.values()] for row in rows.to_pylist()]
        backend.con.executemany(f'INSERT INTO "{name}" VALUES ({marks})', held)
    return backend


def in_sql(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP"
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision}, {kind.scale})"
    names = {"string": "TEXT", "date32[day]": "DATE", "bool": "BOOLEAN"}
    return names.get(str(kind), "REAL" if pa.types.is_floating(kind) else "INTEGER")


def as_kept(value: Any) -> Any:
    return value if isinstance(value, str | int | float | None) else str(value)


PLACES: dict[str, Callable[[dict[str, pa.Table]], Any]] = {
    "duckdb": in_duckdb,
    "ibis": in_sqlite,
}


def told(place: Any, layout: str, table: TableName) -> tuple[Rows, list[str]]:
    """The live rows, and the ids of those that are gone."""
    source = Warehouse(place, settings=WarehouseSettings(layout=layout, batch_rows=4))
    batches = list(source.pull(table))
    gone = [batch.gone["id"].to_pylist() for batch in batches if batch.gone is not None]
    rows = [row for batch in batches for row in batch.rows.to_pylist()]
    return rows, [one for some in gone for one in some]


def put(rows: pa.Table, name: str, values: Any) -> pa.Table:
    if name in rows.column_names:
        return rows.set_column(rows.column_names.index(name), name, values)
    return rows.append_column(name, values)


def flagged(layout: str, how: str) -> dict[str, pa.Table]:
    """The replica, each of its flags as that loader has it."""
    true, false, kind = SAID[how]
    tables = replica(layout)
    if layout == "fivetran-salesforce":
        many = len(tables["account"])
        for name, value in OTHERS.items():
            column = pa.array([value] * many)
            tables["account"] = put(tables["account"], name, column)
    return {table: reflagged(rows, true, false, kind) for table, rows in tables.items()}


def reflagged(rows: pa.Table, true: Any, false: Any, kind: pa.DataType) -> pa.Table:
    for field in rows.schema:
        if field.type == pa.bool_():
            said = [
                None if one is None else true if one else false
                for one in rows[field.name].to_pylist()
            ]
            rows = put(rows, field.name, pa.array(said).cast(kind))
    return rows


@pytest.mark.parametrize("how", SAID)
@pytest.mark.parametrize("place", PLACES)
def test_a_flag_is_a_flag_in_whatever_type_it_is_kept(place: str, how: str) -> None:
    for layout, tables in (
        ("fivetran-salesforce", ("account", "opportunity", "activity", "owner")),
        ("dlt-hubspot", ("owner", "opportunity", "stage")),
    ):
        here = PLACES[place](flagged(layout, how))
        there = in_duckdb(flagged(layout, "boolean"))
        for table in tables:
            assert told(here, layout, table) == told(there, layout, table), table
        if layout == "fivetran-salesforce":
            rows, gone = told(here, layout, "account")
            assert len(rows) == COUNT
            assert gone == ids("salesforce", "account")[COUNT:]


@pytest.mark.parametrize("place", PLACES)
def test_a_word_that_is_no_flag_is_told_without_the_word(place: str) -> None:
    tables = flagged("fivetran-salesforce", "word")
    said = pa.array(["Secret Ltd"] + ["false"] * COUNT)
    tables["account"] = put(tables["account"], "is_deleted", said)
    with pytest.raises(
        SettingsError, match=r"account\.is_deleted: .* is no boolean"
    ) as caught:
        told(PLACES[place](tables), "fivetran-salesforce", "account")
    assert "Secret" not in str(caught.value)


def test_an_empty_word_says_nothing_of_a_record() -> None:
    tables = flagged("fivetran-salesforce", "word")
    for name in ("is_deleted", "_fivetran_active"):
        tables["account"] = put(tables["account"], name, pa.array([""] * (COUNT + 1)))
    rows, gone = told(in_duckdb(tables), "fivetran-salesforce", "account")
    assert (len(rows), gone) == (COUNT + 1, [])


def test_a_link_that_a_loader_marks_as_gone_is_none() -> None:
    layout = "fivetran-hubspot"
    pairs = replica(layout)["deal_company"]
    is_gone = [place == 0 for place in range(len(pairs))]
    tables = replica(layout) | {
        "deal_company": put(pairs, "_fivetran_deleted", pa.array(is_gone))
    }
    rows, _ = told(in_duckdb(tables), layout, "opportunity")
    # The first deal's primary company was taken away, and it has another.
    assert rows[0]["account_id"] == ids("hubspot", "account")[5]


# dlt's history


LONG_AGO, FAR_AWAY = datetime(2026, 2, 1, 3), datetime(9999, 12, 31)


def ends(kind: str, *, past: int, now: int) -> pa.Array:
    if kind == "text":
        return pa.array([LONG_AGO.isoformat()] * past + [FAR_AWAY.isoformat()] * now)
    if kind == "day":
        return pa.array([LONG_AGO.date()] * past + [date(9999, 12, 31)] * now)
    none = FAR_AWAY if kind == "far away" else None
    zone = "UTC" if kind == "zone" else None
    return pa.array([LONG_AGO] * past + [none] * now, pa.timestamp("us", zone))


def historic(rows: pa.Table, kind: str, **before: Any) -> pa.Table:
    """The rows as they are, behind the same as they were."""
    many = len(rows)
    were = rows
    for name, value in {"_dlt_id": "old", **before}.items():
        marked = [f"{value}{place}" for place in range(many)]
        were = put(were, name, pa.array(marked))
    whole = pa.concat_tables([were, rows])
    return put(whole, "_dlt_valid_to", ends(kind, past=many, now=many))


@pytest.mark.parametrize("kind", ["null", "zone", "far away", "day", "text"])
@pytest.mark.parametrize("place", PLACES)
def test_of_a_table_with_dlts_history_only_the_rows_of_today_count(
    place: str, kind: str
) -> None:
    if (place, kind) == ("ibis", "zone"):
        pytest.skip("SQLite has no zones")
    layout = "dlt-salesforce"
    tables = replica(layout)
    tables["account"] = historic(tables["account"], kind, name="before ")
    rows, gone = told(PLACES[place](tables), layout, "account")
    assert (rows, gone) == told(in_duckdb(replica(layout)), layout, "account")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("by", ["_dlt_root_id", "_dlt_parent_id"])
def test_what_is_nested_in_rows_of_the_past_is_of_the_past(place: str, by: str) -> None:
    layout = "dlt-hubspot"
    plain = replica(layout)
    tables = dict(plain)
    pairs = tables["companies__deals"]
    rooted = pairs.rename_columns(
        [by if name == "_dlt_parent_id" else name for name in pairs.column_names]
    )
    # Each deal was of the next company before; the one of two companies stays so.
    values = pairs["value"].to_pylist()
    were = put(rooted, "value", pa.array(values[1:] + values[:1]))
    old = pa.array([f"old{place}" for place in range(len(pairs))])
    tables["companies__deals"] = pa.concat_tables([put(were, by, old), rooted])
    tables["companies"] = historic(tables["companies"], "null")
    lines = tables["pipelines_deals"]
    tables["pipelines_deals"] = historic(lines, "null", label="Old ")
    stages = tables["pipelines_deals__stages"]
    past = put(stages, "_dlt_parent_id", pa.array(["old0"] * 3))
    past = put(past, "label", pa.array(["A", "B", "C"]))
    tables["pipelines_deals__stages"] = pa.concat_tables([past, stages])
    here, there = PLACES[place](tables), in_duckdb(plain)
    for table in ("account", "opportunity", "stage"):
        assert told(here, layout, table) == told(there, layout, table), table


# When rows were loaded


@pytest.mark.parametrize("place", PLACES)
def test_a_load_that_is_no_second_is_told_with_what_to_do(place: str) -> None:
    tables = replica("dlt-salesforce")
    said = pa.array(["Secret-load-1"] * (COUNT + 1))
    tables["account"] = put(tables["account"], "_dlt_load_id", said)
    source = Warehouse(PLACES[place](tables), layout="dlt-salesforce")
    for ask in (lambda: list(source.pull("account")), source.complete_until):
        with pytest.raises(
            SettingsError,
            match=r"account\._dlt_load_id does not say .* or without the column",
        ) as caught:
            ask()
        assert "Secret" not in str(caught.value)


def test_a_load_may_be_a_number_too() -> None:
    tables = replica("dlt-salesforce")
    said = tables["account"]["_dlt_load_id"].cast(pa.float64())
    tables["account"] = put(tables["account"], "_dlt_load_id", said)
    plain = Warehouse(in_duckdb(replica("dlt-salesforce")), layout="dlt-salesforce")
    source = Warehouse(in_duckdb(tables), layout="dlt-salesforce")
    assert source.complete_until() == plain.complete_until()
