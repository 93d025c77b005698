"""Do frames that are too long to be taken up become the same portfolio?"""

from __future__ import annotations

import gc
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crm_portfolio import _frames
from crm_portfolio._frames import LAZY, backend_of, from_arrow, from_parquet, to_arrow
from crm_portfolio.errors import SchemaError, SettingsError
from crm_portfolio.portfolio import Calendar, Portfolio
from crm_portfolio.portfolio._laid import SHORT

ROWS = SHORT + 5_000
PLAIN = {
    "as_of": date(2026, 6, 30),
    "currency": "EUR",
    "calendar": Calendar("Europe/Paris"),
}
ACCOUNT = pa.table({"account_id": [f"A{at:03}" for at in range(400)]})
pytestmark = [
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas"),
    pytest.mark.filterwarnings("ignore:fetch_arrow_table.. is deprecated"),
]


def activity(rows: int) -> pa.Table:
    """In no order; some name no account that there is, some came too late."""
    at = np.arange(rows)
    first = datetime(2023, 7, 1, 22, 30, tzinfo=UTC)
    moments = [first + timedelta(minutes=int(each)) for each in at % 1_600_000 * 7]
    ids = [f"T{each * 7_919 % rows:06}" for each in at.tolist()]
    return pa.table(
        {
            "activity_id": ids,
            "account_id": [f"A{each % 401:03}" for each in at.tolist()],
            "occurred_at": pa.array(moments, pa.timestamp("us", "UTC")),
            "direction": pa.array(np.where(at % 3, "in", "out").tolist()),
            "minutes": pa.array(at % 50 / 4, mask=at % 5 == 0),
        }
    )


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return activity(ROWS)


@pytest.fixture(scope="module")
def file(table: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("raw") / "activity.parquet"
    pq.write_table(table, path, coerce_timestamps="us")
    return path


@pytest.fixture(scope="module")
def taken_up(table: pa.Table) -> Portfolio:
    return Portfolio.from_frames(**PLAIN, account=ACCOUNT, activity=table)


@pytest.fixture(params=LAZY)
def engine(request: pytest.FixtureRequest) -> Any:
    if request.param == "pyspark":
        request.getfixturevalue("spark")
    return request.param


def test_a_long_lazy_frame_is_laid_down_and_not_taken_up(engine, file, taken_up):
    """What it says, what is wrong with it, and whose portfolio it is: all is the same."""
    doors: list[int] = []
    with pytest.MonkeyPatch.context() as here:
        for name in ("_through_narwhals", "_from_duckdb"):

            def counted(frame: Any, real: Any = getattr(_frames, name)) -> pa.Table:
                arrived = real(frame)
                doors.append(arrived.num_rows)
                return arrived

            here.setattr(_frames, name, counted)
        made = Portfolio.from_frames(
            **PLAIN,
            account=from_arrow(ACCOUNT, engine),
            activity=from_parquet([file], engine),
        )
    assert set(doors) == {1}  # the counts of their rows; no row of theirs
    assert made.backend == engine
    assert made.id == taken_up.id
    assert made.row_counts == taken_up.row_counts
    assert to_arrow(made.faults).equals(to_arrow(from_arrow(taken_up._faults, engine)))
    assert to_arrow(made.balance).equals(to_arrow(taken_up.balance))
    assert backend_of(made["activity"]) == engine
    assert len(taken_up.faults) > 600


def test_what_nobody_named_a_folder_for_goes_with_the_portfolio(file):
    made = Portfolio.from_frames(
        **PLAIN, account=ACCOUNT, activity=from_parquet([file], "duckdb")
    )
    assert made.backend == "duckdb"
    place = made._tables._place.path
    assert place.is_dir()
    del made
    gc.collect()
    assert not place.exists()


def test_a_folder_that_was_named_holds_a_portfolio_like_any_other(
    file, taken_up, tmp_path
):
    place = tmp_path / "book"
    made = Portfolio.from_frames(
        **PLAIN, into=place, account=ACCOUNT, activity=from_parquet([file], "duckdb")
    )
    assert made.id == Portfolio.load(place).id == taken_up.id
    names = {each.name for each in place.iterdir()}
    assert names == {
        "portfolio.json",
        *(f"{name}.parquet" for name in ("account", "activity", "balance", "faults")),
    }


def test_a_fault_that_stops_leaves_nothing_behind(file, tmp_path):
    frame = from_parquet([file], "duckdb").project("* EXCLUDE (occurred_at)")
    with pytest.raises(SchemaError, match="occurred_at: missing_column"):
        Portfolio.from_frames(
            **PLAIN, into=tmp_path / "book", account=ACCOUNT, activity=frame
        )
    assert not [each for each in tmp_path.rglob("*") if each.is_file()]


def test_a_long_lazy_table_is_not_quietly_taken_up_beside_others(file, taken_up):
    with pytest.raises(SettingsError, match=r"250,000 rows.*into="):
        taken_up.with_tables(activity=from_parquet([file], "polars_lazy"))


def test_what_is_no_frame_is_told_as_such():
    with pytest.raises(SettingsError, match="a DuckDBPyConnection is no frame"):
        Portfolio.from_frames(**PLAIN, account=ACCOUNT, activity=duckdb.connect())


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("spark.sql.session.timeZone", "Asia/Tokyo", r"Asia/Tokyo.*UTC"),
        ("spark.sql.legacy.interval.enabled", "true", r"interval\.enabled to false"),
    ],
)
def test_a_session_that_tells_time_otherwise_is_refused(spark, name, value, said):
    before = spark.conf.get(name)
    spark.conf.set(name, value)
    try:
        with pytest.raises(SettingsError, match=said):
            from_arrow(ACCOUNT, "pyspark")
    finally:
        spark.conf.set(name, before)
