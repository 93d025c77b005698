"""What is read of a replica, from wherever it lies, and what is said of one that lacks something."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
import weakref
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from laid_down import COUNT, LONG_AGO, SYNCED, ids, laid_down, replica

from crm_portfolio import connect, pull
from crm_portfolio._pull import pull_into
from crm_portfolio.connectors.warehouse import Warehouse, WarehouseSettings
from crm_portfolio.errors import (
    ConnectorError,
    CursorLostError,
    FieldNotFoundError,
    SettingsError,
)
from crm_portfolio.portfolio import Calendar
from crm_portfolio.protocols import Batch, StaleSourceWarning
from crm_portfolio.schema import TableName

LAYOUTS = ("fivetran-salesforce", "dlt-salesforce", "fivetran-hubspot", "dlt-hubspot")
Rows = list[dict[str, Any]]


def in_duckdb(tables: dict[str, pa.Table], *, schema: str = "main") -> Any:
    connection = duckdb.connect()
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    for name, rows in tables.items():
        connection.register("rows_of_it", rows)
        connection.execute(f'CREATE TABLE {schema}."{name}" AS FROM rows_of_it')
        connection.unregister("rows_of_it")
    return connection


def of(
    layout: str, laid: dict[str, pa.Table] | None = None, /, **chosen: Any
) -> Warehouse:
    """A replica in DuckDB's memory, with these tables in the place of ours."""
    settings = WarehouseSettings(layout=layout, **chosen)
    return Warehouse(in_duckdb(replica(layout) | (laid or {})), settings=settings)


def rows_of(source: Warehouse, table: TableName, **how: Any) -> Rows:
    return [
        row for batch in source.pull(table, **how) for row in batch.rows.to_pylist()
    ]


def gone_in(batches: list[Batch]) -> Rows:
    return [
        row
        for batch in batches
        if batch.gone is not None
        for row in batch.gone.to_pylist()
    ]


def changed(table: pa.Table, **columns: list[Any]) -> pa.Table:
    for name, values in columns.items():
        if name in table.column_names:
            kind = table.schema.field(name).type
            place = table.column_names.index(name)
            table = table.set_column(place, name, pa.array(values, kind))
        else:
            table = table.append_column(name, pa.array(values))
    return table


@pytest.fixture(scope="module", params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> str:
    return request.param


# Where it lies


def places() -> dict[str, Callable[[Path, str], object]]:
    def file(folder: Path, layout: str) -> Path:
        path = folder / "replica.duckdb"
        with duckdb.connect(str(path)) as connection:
            for name, rows in replica(layout).items():
                connection.register("rows_of_it", rows)
                connection.execute(f'CREATE TABLE "{name}" AS FROM rows_of_it')
        return path

    def ibis(_folder: Path, layout: str) -> object:
        backend = pytest.importorskip("ibis").sqlite.connect()
        weakref.finalize(backend, backend.con.close)
        for name, rows in replica(layout).items():
            backend.create_table(name, rows)
        return backend

    def on_duckdb(_folder: Path, layout: str) -> object:
        duck = pytest.importorskip("ibis").duckdb
        return duck.from_connection(in_duckdb(replica(layout)))

    return {
        "folder": lambda folder, layout: laid_down(layout, folder / "replica"),
        "file": file,
        "ibis": ibis,
        "ibis_on_duckdb": on_duckdb,
    }


# Ibis itself asks DuckDB in a way that DuckDB would have otherwise.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("place", places())
@pytest.mark.parametrize("layout", ["fivetran-salesforce", "dlt-hubspot"])
def test_it_tells_the_same_wherever_it_lies(
    place: str, layout: str, tmp_path: Path
) -> None:
    here = connect(
        "warehouse",
        places()[place](tmp_path, layout),
        settings=WarehouseSettings(layout=layout, batch_rows=5),
    )
    there = of(layout, batch_rows=5)
    assert here.tables() == there.tables()
    for table in there.tables():
        ours, theirs = (list(one.pull(table)) for one in (here, there))
        assert len(ours) == len(theirs), table
        for one, other in zip(ours, theirs, strict=True):
            assert one.rows.equals(other.rows), table
            assert (one.gone is None) == (other.gone is None)
    since = list(there.pull("account"))[-1].cursor
    assert rows_of(here, "account", since=since) == rows_of(
        there, "account", since=since
    )


def test_a_column_that_came_later_is_unknown_of_the_rows_before(tmp_path: Path) -> None:
    accounts = replica("dlt-salesforce")["account"]
    folder = laid_down("dlt-salesforce", tmp_path)
    later = changed(accounts.slice(6), own_rating_c=["high"] * (COUNT - 5))
    pq.write_table(later, folder / "account" / "loaded=2026" / "1.parquet")
    settings = WarehouseSettings(
        layout="dlt-salesforce", fields={"account": {"segment": "Own_Rating__c"}}
    )
    told = rows_of(Warehouse(folder, settings=settings), "account")
    assert [row["segment"] for row in told] == [None] * 6 + ["high"] * 5


def test_a_folder_called_like_a_pattern_is_not_its_neighbour(tmp_path: Path) -> None:
    folder = laid_down("dlt-salesforce", tmp_path / "lake [1]")
    beside = laid_down("dlt-salesforce", tmp_path / "lake 1")
    for file in beside.glob("account/**/*.parquet"):
        pq.write_table(pq.read_table(file, partitioning=None).slice(0, 1), file)
    settings = WarehouseSettings(layout="dlt-salesforce")
    mine, other = (Warehouse(each, settings=settings) for each in (folder, beside))
    assert len(rows_of(mine, "account")) > len(rows_of(other, "account"))


def test_a_table_of_which_a_file_was_cut_is_named(tmp_path: Path) -> None:
    folder = laid_down("dlt-salesforce", tmp_path / "lake")
    cut = folder / "account" / "loaded=2026" / "1.parquet"
    cut.write_bytes(cut.read_bytes()[:-50])
    with pytest.raises(ConnectorError, match=r"the table .account. was looked at"):
        Warehouse(folder, layout="dlt-salesforce")


def test_a_file_that_is_open_elsewhere_is_not_called_broken(tmp_path: Path) -> None:
    file = tmp_path / "replica.duckdb"
    holder = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(1, flush=True); input()"
    command = [sys.executable, "-c", holder, str(file)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as other:  # type: ignore[call-overload]
        assert other.stdout.readline() == "1\n"
        with pytest.raises(SettingsError, match="is open elsewhere"):
            Warehouse(file, layout="dlt-hubspot")
        other.communicate("\n")
    mine, refused = duckdb.connect(str(file)), "by a connection of this one"
    with mine, pytest.raises(SettingsError, match=refused):
        Warehouse(file, layout="dlt-hubspot")


def test_the_schema_with_such_tables_is_found_and_of_two_one_is_to_be_named() -> None:
    layout = "fivetran-salesforce"
    connection = in_duckdb(replica(layout), schema="crm")
    connection.execute("CREATE TABLE unrelated (id INTEGER)")
    assert len(rows_of(Warehouse(connection, layout=layout), "account")) == COUNT
    connection.execute(
        "CREATE SCHEMA old; CREATE TABLE old.account AS FROM crm.account"
    )
    with pytest.raises(
        SettingsError, match="several schemas have such tables, crm, old"
    ):
        Warehouse(connection, layout=layout)
    for schema, there in (("crm", True), ("nowhere", False)):
        settings = WarehouseSettings(layout=layout, schema=schema)
        if there:
            assert Warehouse(connection, settings=settings).tables()
        else:
            with pytest.raises(
                SettingsError, match="no schema 'nowhere'; there is crm"
            ):
                Warehouse(connection, settings=settings)


def test_a_view_gives_a_table_the_name_that_the_layout_has_for_it() -> None:
    laid = replica("dlt-salesforce")
    connection = in_duckdb(
        {"sf_account" if n == "account" else n: t for n, t in laid.items()}
    )
    with pytest.raises(SettingsError, match="account needs the table account"):
        Warehouse(connection, layout="dlt-salesforce")
    connection.execute("CREATE VIEW account AS FROM sf_account")
    assert (
        len(rows_of(Warehouse(connection, layout="dlt-salesforce"), "account")) == COUNT
    )


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("nowhere.duckdb", "there is no DuckDB file and no folder nowhere.duckdb"),
        (7, "a int is no place of a replica"),
        (
            "postgresql://u:secret@host/crm",
            "^an address is no place of a replica: open",
        ),
    ],
)
def test_what_is_no_place_of_a_replica_is_refused(place: object, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        Warehouse(place, layout="dlt-hubspot")


def test_a_file_of_something_else_and_an_empty_folder_are_refused(
    tmp_path: Path,
) -> None:
    with pytest.raises(SettingsError, match="holds no Parquet files"):
        Warehouse(tmp_path, layout="dlt-hubspot")
    (tmp_path / "it.duckdb").write_text("no database")
    with pytest.raises(SettingsError, match="cannot be read as a DuckDB file"):
        Warehouse(tmp_path / "it.duckdb", layout="dlt-hubspot")
    with pytest.raises(SettingsError, match="say the layout of the replica"):
        Warehouse(tmp_path)


# What it says


def test_activities_of_all_kinds_make_one_table() -> None:
    told = rows_of(of("fivetran-salesforce"), "activity")
    kinds = [row["kind"] for row in told]
    # An invitee's copy of an event is one that counts already.
    assert (kinds.count("call"), kinds.count("meeting")) == (COUNT, COUNT - 1)
    call, event = told[0], told[-1]
    deals = ids("salesforce", "opportunity")
    assert (call["minutes"], call["direction"], call["status"]) == (1.5, "in", "held")
    assert call["opportunity_id"] == deals[0]
    assert event["opportunity_id"] is None  # it is about an account
    assert event["minutes"] is None
    calls = rows_of(of("fivetran-hubspot"), "activity")
    accounts = ids("hubspot", "account")
    assert {row["kind"] for row in calls} == {"call"}
    assert [row["account_id"] for row in calls] == accounts[: COUNT + 1]
    assert calls[0]["minutes"] == 1.5


def test_a_deal_is_of_its_primary_company_or_its_only_one_and_of_none_if_nobody_says() -> (
    None
):
    accounts = ids("hubspot", "account")
    told = rows_of(of("fivetran-hubspot"), "opportunity")
    assert [row["account_id"] for row in told[:4]] == [*accounts[:2], None, accounts[3]]


@pytest.mark.parametrize("kind", [pa.string(), pa.decimal128(38, 0), pa.float64()])
def test_ids_are_those_of_the_crm_whatever_the_loader_made_of_them(
    kind: pa.DataType,
) -> None:
    laid = replica("fivetran-hubspot")
    for table, column in (("deal", "deal_id"), ("company", "id")):
        place = laid[table].column_names.index(column)
        values = laid[table][column].cast(kind)
        laid[table] = laid[table].set_column(place, column, values)
    source = of("fivetran-hubspot", laid, batch_rows=4)
    accounts = [row["account_id"] for row in rows_of(source, "account")]
    assert accounts == ids("hubspot", "account")[:COUNT]
    told = list(source.pull("opportunity"))
    ours = [row for batch in told for row in batch.rows.to_pylist()]
    assert [row["opportunity_id"] for row in ours] == ids("hubspot", "opportunity")[
        :COUNT
    ]
    assert [row["account_id"] for row in ours] == [
        row["account_id"] for row in rows_of(of("fivetran-hubspot"), "opportunity")
    ]
    rest = source.pull("opportunity", resume=told[0].cursor)
    assert [row for batch in rest for row in batch.rows.to_pylist()] == ours[4:]


def test_what_a_deal_says_of_itself_counts_before_its_stage() -> None:
    deals = replica("fivetran-hubspot")["deal"]
    won = [True, None, False, *[None] * (COUNT - 2)]
    source = of(
        "fivetran-hubspot", {"deal": changed(deals, property_hs_is_closed_won=won)}
    )
    told = rows_of(source, "opportunity")
    assert [row["status"] for row in told[:3]] == ["won", "won", "lost"]


def test_stages_are_told_by_name_and_what_they_make_of_a_deal(layout: str) -> None:
    source = of(layout)
    told = rows_of(source, "opportunity")
    assert [row["status"] for row in told[:3]] == ["open", "won", "lost"]
    assert [row["closed_on"] is None for row in told[:3]] == [True, False, False]
    if layout.endswith("hubspot"):
        assert [row["stage"] for row in told[:3]] == ["Talk", "Won", "Lost"]
        assert {row["pipeline"] for row in told} == {"Sales"}
    if layout != "dlt-salesforce":  # which does not load them
        stages = rows_of(source, "stage")
        assert [(row["stage"], row["status"]) for row in stages] == [
            ("Talk", "open"),
            ("Won", "won"),
            ("Lost", "lost"),
        ]
        assert [row["default_probability"] for row in stages] == [0.2, 1.0, 0.0]
    if layout.endswith("salesforce"):
        assert {row["loss_reason"] for row in told} == {"price"}
        assert {row["kind"] for row in told} == {"renewal"}


def test_a_moment_is_a_day_where_the_org_is_and_a_day_stays_what_it_is() -> None:
    for zone, born in (("UTC", date(2025, 12, 31)), ("Europe/Paris", date(2026, 1, 1))):
        for layout in ("fivetran-salesforce", "dlt-hubspot"):
            source = of(layout, time_zone=zone)
            assert rows_of(source, "account")[0]["created_on"] == born
    paris = of("fivetran-salesforce", time_zone="America/New_York")
    assert rows_of(paris, "opportunity")[1]["closed_on"] == date(2026, 3, 31)


@pytest.mark.parametrize(
    "said",
    ["2025-12-31 23:30:00", "2025-12-31T23:30:00Z", "2026-01-01T05:00:00.000+05:30"],
)
def test_a_moment_in_words_has_the_zone_it_names_or_that_of_the_warehouse(
    said: str,
) -> None:
    accounts = replica("fivetran-salesforce")["account"].drop_columns(["created_date"])
    accounts = accounts.append_column("created_date", pa.array([said] * len(accounts)))
    for zone, born in (("UTC", date(2025, 12, 31)), ("Europe/Paris", date(2026, 1, 1))):
        source = of("fivetran-salesforce", {"account": accounts}, time_zone=zone)
        assert rows_of(source, "account")[0]["created_on"] == born


def test_fields_of_ones_own_are_mapped_by_the_names_they_have_in_the_crm(
    layout: str,
) -> None:
    is_salesforce = layout.endswith("salesforce")
    own = "Own_Class__c" if is_salesforce else "own_class"
    source = of(layout, fields={"account": {"segment": own}})
    told = rows_of(source, "account", columns=["segment", "tier"])
    assert told[0] == {
        "account_id": ids(layout.partition("-")[2], "account")[0],
        "segment": "gold",
        "tier": "B",
    }


def test_an_account_that_is_a_person_has_no_name() -> None:
    accounts = replica("fivetran-salesforce")["account"]
    people = [place == 1 for place in range(COUNT + 1)]
    source = of(
        "fivetran-salesforce",
        {"account": changed(accounts, is_person_account=people)},
    )
    told = rows_of(source, "account")
    assert [row["name"] is None for row in told] == people[:COUNT]
    assert [row["is_person"] for row in told] == people[:COUNT]


def test_rows_of_the_past_and_people_of_other_firms_are_left_out() -> None:
    accounts = replica("fivetran-salesforce")["account"]
    before = changed(
        accounts, name=["before"] * (COUNT + 1), _fivetran_active=[False] * (COUNT + 1)
    )
    now = changed(accounts, _fivetran_active=[True] * (COUNT + 1))
    source = of("fivetran-salesforce", {"account": pa.concat_tables([before, now])})
    told = rows_of(source, "account")
    assert len(told) == COUNT
    assert "before" not in {row["name"] for row in told}
    assert len(rows_of(source, "owner")) == COUNT


def test_names_as_the_api_has_them_and_capitals_are_found_too() -> None:
    accounts = replica("fivetran-salesforce")["account"]
    own = {"created_date": "CreatedDate", "id": "Id"}
    names = [own.get(name, name.upper()) for name in accounts.column_names]
    laid = {"ACCOUNT": accounts.rename_columns(names)}
    settings = WarehouseSettings(layout="fivetran-salesforce")
    told = rows_of(Warehouse(in_duckdb(laid), settings=settings), "account")
    assert len(told) == COUNT
    assert told[0]["created_on"] == date(2025, 12, 31)


# Who is gone, and what has changed


def test_who_is_deleted_or_merged_is_gone(layout: str) -> None:
    batches = list(of(layout, batch_rows=3).pull("account"))
    accounts = ids(layout.partition("-")[2], "account")
    is_merged = layout.endswith("salesforce")
    assert gone_in(batches) == [
        {
            "id": accounts[-1],
            "reason": "merged" if is_merged else "deleted",
            "merged_into": accounts[0] if is_merged else None,
            "at": LONG_AGO.replace(tzinfo=UTC),
        }
    ]
    assert [len(batch.rows) for batch in batches] == [3, 3, 3, 2]


def later(layout: str, table: pa.Table, places: list[int]) -> pa.Table:
    """The table, these rows of which were loaded two days later."""
    now = SYNCED + timedelta(days=2)
    if layout.startswith("fivetran"):
        stamp, said = "_fivetran_synced", now
    else:
        stamp, said = "_dlt_load_id", f"{now.replace(tzinfo=UTC).timestamp():.6f}"
    values = table[stamp].to_pylist()
    for place in places:
        values[place] = said
    return changed(table, **{stamp: values})


def test_since_a_pull_only_what_was_loaded_since_is_told(layout: str) -> None:
    first = list(of(layout).pull("account"))
    since = first[-1].cursor
    assert since is not None
    assert since.taken_at == SYNCED.replace(tzinfo=UTC)
    name = {"fivetran-salesforce": "account", "dlt-salesforce": "account"}
    table = name.get(layout, "company" if layout == "fivetran-hubspot" else "companies")
    rows = replica(layout)[table]
    gone = [place in (4, COUNT) for place in range(COUNT + 1)]
    again = of(layout, {table: later(layout, changed(rows, is_deleted=gone), [2, 4])})
    batches = list(again.pull("account", since=since))
    accounts = ids(layout.partition("-")[2], "account")
    assert [row["id"] for row in gone_in(batches)] == [accounts[4]]
    told = [row["account_id"] for batch in batches for row in batch.rows.to_pylist()]
    # What was loaded within an hour of the newest comes again, for loads overlap.
    assert told == accounts[:4] + accounts[5:COUNT]
    newest = batches[-1].cursor
    assert newest is not None
    after = list(again.pull("account", since=newest))
    assert [row["account_id"] for row in after[0].rows.to_pylist()] == [accounts[2]]


def test_a_deal_that_only_its_company_has_changed_is_told_too() -> None:
    layout = "fivetran-hubspot"
    deals = replica(layout)["deal"]
    pairs = replica(layout)["deal_company"]
    long_ago = {
        "deal": changed(deals, _fivetran_synced=[LONG_AGO] * (COUNT + 1)),
        "deal_company": changed(pairs, _fivetran_synced=[LONG_AGO] * len(pairs)),
    }
    linked = later(layout, long_ago["deal_company"], [3])
    again = of(layout, long_ago | {"deal_company": linked})
    since = list(again.pull("opportunity"))[-1].cursor
    told = rows_of(again, "opportunity", since=since)
    assert [row["opportunity_id"] for row in told] == [str(503)]


def test_a_replica_that_does_not_say_when_it_was_loaded_has_no_cursors() -> None:
    accounts = replica("dlt-salesforce")["account"].drop_columns(["_dlt_load_id"])
    source = of("dlt-salesforce", {"account": accounts}, batch_rows=4)
    batches = list(source.pull("account"))
    assert sum(len(batch.rows) for batch in batches) == COUNT
    assert {batch.cursor for batch in batches} == {None}


def test_a_cursor_of_another_replica_is_refused() -> None:
    cursor = list(of("dlt-salesforce").pull("account"))[-1].cursor
    assert cursor is not None
    with pytest.raises(CursorLostError, match="of another replica"):
        list(of("fivetran-salesforce").pull("account", since=cursor))
    broken = attrs.evolve(cursor, token=json.dumps({"layout": "dlt-salesforce"}))
    with pytest.raises(CursorLostError):
        list(of("dlt-salesforce").pull("account", resume=broken))


def test_its_fingerprint_changes_with_the_columns_behind_its_tables() -> None:
    accounts = replica("dlt-salesforce")["account"]
    plain, again = (of("dlt-salesforce").fingerprint() for _ in range(2))
    less = of("dlt-salesforce", {"account": accounts.drop_columns(["industry"])})
    assert plain == again != less.fingerprint()


def test_of_a_long_table_no_more_than_a_few_batches_are_held() -> None:
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE account AS SELECT lpad(range::VARCHAR, 18, '0') AS id, "
        "'A name of some length, ' || range AS name, false AS is_deleted, "
        "TIMESTAMP '2026-06-30' AS _fivetran_synced FROM range(400_000)"
    )
    settings = WarehouseSettings(layout="fivetran-salesforce", batch_rows=8_192)
    before, most, count = pa.total_allocated_bytes(), 0, 0
    for batch in Warehouse(connection, settings=settings).pull("account"):
        most = max(most, pa.total_allocated_bytes() - before)
        count += len(batch.rows)
        assert len(batch.rows) <= 8_192
    assert count == 400_000
    whole = count * (18 + 29)
    assert most < whole / 4


# What it lacks


def test_all_that_is_missing_is_told_at_once_with_what_was_found() -> None:
    laid = replica("fivetran-hubspot")
    tables = {
        "company": laid["company"].drop_columns(["id"]),
        "deal": laid["deal"].drop_columns(["property_amount", "property_closedate"]),
    }
    laid = {name: table for name, table in laid.items() if name != "deal_company"}
    with pytest.raises(SettingsError) as caught:
        Warehouse(in_duckdb(laid | tables), layout="fivetran-hubspot")
    told = str(caught.value)
    assert told.startswith("this is no replica as fivetran-hubspot lays it down:")
    assert "account.account_id needs the column id of the table company" in told
    assert "which has _fivetran_synced, is_deleted" in told
    assert (
        "opportunity.amount needs the column property_amount of the table deal" in told
    )
    assert "opportunity.closed_on needs the column property_closedate" in told
    assert "needs the table deal_company with deal_id and company_id" in told
    assert f"There are {len(laid)} table(s): company, deal" in told


def test_a_table_asked_for_by_name_must_be_there() -> None:
    with pytest.raises(SettingsError) as caught:
        of("dlt-salesforce", tables=("account", "activity", "contract"))
    assert "contract needs the table" in str(caught.value)
    chosen = of("dlt-salesforce", tables=("opportunity",))
    assert list(chosen.tables()) == ["account", "opportunity"]
    with pytest.raises(SettingsError, match="no table 'activity'"):
        chosen.pull("activity")
    with pytest.raises(FieldNotFoundError, match="tierr"):
        chosen.pull("account", columns=["tierr"])


def test_the_wrong_layout_is_told_what_was_found() -> None:
    with pytest.raises(
        SettingsError, match=r"account needs the table companies"
    ) as caught:
        Warehouse(in_duckdb(replica("fivetran-salesforce")), layout="dlt-hubspot")
    assert "account, event, opportunity, opportunity_stage, task, user" in str(
        caught.value
    )


def test_a_value_of_another_kind_is_told_without_the_value() -> None:
    deals = replica("fivetran-salesforce")["opportunity"].drop_columns(["is_won"])
    deals = deals.append_column("is_won", pa.array(["Secret Ltd"] * (COUNT + 1)))
    source = of("fivetran-salesforce", {"opportunity": deals})
    with pytest.raises(
        SettingsError, match=r"opportunity\.IsWon: .* is no boolean"
    ) as told:
        list(source.pull("opportunity"))
    assert "Secret" not in str(told.value)


def test_settings_that_name_nothing_known_are_refused() -> None:
    with pytest.raises(SettingsError, match="layout is one of fivetran-salesforce, "):
        WarehouseSettings(layout="stitch-salesforce")  # type: ignore[arg-type]
    with pytest.raises(
        SettingsError, match="no table 'acount'; did you mean 'account'"
    ):
        WarehouseSettings(tables=("acount",))
    with pytest.raises(SettingsError, match="a list of tables, or 'all'"):
        WarehouseSettings(tables="account")


# How far it reaches


def test_a_replica_that_does_not_reach_the_day_of_the_books_is_warned_of(
    tmp_path: Path,
) -> None:
    source = of("fivetran-salesforce")
    assert source.complete_until() == datetime(2026, 6, 30, 6, tzinfo=UTC)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pull(source, as_of=date(2026, 6, 30), currency="EUR")
    with pytest.warns(
        StaleSourceWarning, match="brought up to date on 2026-06-30, and"
    ):
        pull(source, as_of=date(2026, 7, 5), currency="EUR")
    pulled = pull_into(
        source,
        tmp_path / "book",
        as_of=date(2026, 7, 5),
        currency="EUR",
        calendar=Calendar("UTC"),
    )
    assert "of the 5 day(s) between it knows nothing" in pulled.notes[0]
