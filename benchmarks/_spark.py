"""The reductions of a folder on PySpark of this machine, ours and as SQL by hand.

Each contender has a Java machine of its own, whose CPU and memory count as its own; the
session stands, and has answered once, before the clock starts.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks._process import timed
from benchmarks._reductions import ON_SPARK

_SETTINGS: Final[Mapping[str, str]] = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "3g",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "4",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
# What DuckDB's words are called in Spark.
_WORDS: Final = (
    ("date_diff('day',", "datediff(DAY,"),
    ("TIMESTAMPTZ", "TIMESTAMP_LTZ"),
    ("::TIMESTAMP)", "::TIMESTAMP_LTZ)"),
)
_COLUMNS: Final = {  # that ours answers; by hand there are more of some
    "revenue by account": 4,
    "days of purchases": 2,
    "lateness of payers": 3,
    "inbound activities": 3,
    "open by owner": 7,
    "contacts after losses": 3,
}


def _session() -> Any:
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master("local[2]")
    for name, value in _SETTINGS.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    session.sql(
        "CREATE TEMPORARY FUNCTION timezone(zone STRING, moment TIMESTAMP) "
        "RETURNS TIMESTAMP RETURN to_utc_timestamp(moment, zone)"
    )
    return session


def _ours(folder: Path, _: Any) -> Any:
    from crm_portfolio import Portfolio

    book = Portfolio.load(folder, backend="pyspark")
    return {name: ours(book) for name, (ours, _) in ON_SPARK.items()}


def _by_hand(folder: Path, session: Any) -> Any:
    for path in folder.glob("*.parquet"):
        session.read.parquet(str(path)).createOrReplaceTempView(path.stem)
    found = {}
    for name, (_, statement) in ON_SPARK.items():
        for duckdb, spark in _WORDS:
            statement = statement.replace(duckdb, spark)  # noqa: PLW2901
        found[name] = session.sql(statement).toArrow()
    return found


def _sums(found: Mapping[str, Any]) -> dict[str, list[int]]:
    import pyarrow.compute as pc

    return {
        name: [table.num_rows]
        + [pc.sum(table.column(at)).as_py() for at in range(1, _COLUMNS[name])]
        for name, table in found.items()
    }


def _java() -> set[int]:
    """The Java machine that this process started, and none of another."""
    found = set()
    for each in Path("/proc").glob("[0-9]*"):
        try:
            stat = (each / "stat").read_text()
        except OSError:
            continue
        if int(stat.rpartition(")")[2].split()[1]) == os.getpid():
            found.add(int(each.name))
    return found


if __name__ == "__main__":
    name, place = sys.argv[1:]
    session = _session()
    try:
        warm = session.read.parquet(f"{place}/stage.parquet").toArrow()
        assert warm.num_rows
        run = {"ours": _ours, "by_hand": _by_hand}[name]
        measured, found = timed(lambda: run(Path(place), session), kin=_java)
    finally:
        session.stop()
    print(json.dumps({"measured": measured, "found": _sums(found)}))
