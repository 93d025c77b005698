"""Triage of a long book on DuckDB, against the SQL that gives the same class totals.

The book is drawn once, in parts, and kept as Parquet while both are measured. Each has the
tables in memory, in a process of its own, before the clock starts.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks._stage import Measured
from benchmarks._triage_by_hand import by_hand

__all__ = ["triaged_in_turn"]

_PART: Final = 250_000  # opportunities drawn at a time, and
_ACTIVITIES: Final = 2  # activities of each that are kept, on average
_LONG: Final = ("opportunity", "opportunity_change", "activity", "enquiry")
_SHARED: Final = ("owner_id", "pipeline", "stage")

Totals = dict[str, list[int]]


def triaged_in_turn(opportunities: int, *, times: int) -> tuple[Measured, Measured]:
    """Ours and by hand, so many times in turn, and the least wall time of each.

    Raises:
        AssertionError: They did not find the same.
    """
    with TemporaryDirectory() as folder:
        _drawn(Path(folder), opportunities)
        rounds = [
            [_measured(name, Path(folder)) for name in _CONTENDERS]
            for _ in range(times)
        ]
    first = rounds[0][0][1]
    assert all(totals == first for one in rounds for _, totals in one), rounds
    ours, other = (
        min((measured for measured, _ in of_one), key=lambda one: one.wall_seconds)
        for of_one in zip(*rounds, strict=True)
    )
    return ours, other


def _measured(contender: str, folder: Path) -> tuple[Measured, Totals]:
    command = [sys.executable, "-m", "benchmarks._triage", contender, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told = json.loads(done.stdout.splitlines()[-1])
    return Measured(**told["measured"]), told["totals"]


def _drawn(folder: Path, opportunities: int) -> None:
    """A book of so many, from parts with accounts and ids of their own."""
    for at, size in enumerate(_sizes(opportunities)):
        command = [sys.executable, "-m", "benchmarks._triage", "part", str(folder)]
        subprocess.run([*command, str(at), str(size)], check=True)


def _sizes(opportunities: int) -> Iterator[int]:
    for start in range(0, opportunities, _PART):
        yield min(_PART, opportunities - start)


# In the processes


def _part(folder: Path, at: int, size: int) -> None:
    from crm_portfolio import samples

    book = samples.lost_book(opportunities=size, seed=at)
    tables = dict(book.tables)
    activity = tables["activity"]
    kept = np.random.default_rng(at).random(len(activity))
    share = _ACTIVITIES * len(tables["opportunity"]) / len(activity)
    tables["activity"] = activity.filter(pa.array(kept < share))
    for name, table in tables.items():
        if name in (*_LONG, "account") or at == 0:
            pq.write_table(_named(table, f"{at}-"), folder / f"{name}-{at}.parquet")
    truths = {"as_of": str(book.truths["as_of"]), "zone": book.truths["time_zone"]}
    (folder / "truths.json").write_text(json.dumps(truths))


def _named(table: pa.Table, prefix: str) -> pa.Table:
    """With ids that no other part has; owners are those of all."""
    for at, name in enumerate(table.column_names):
        if (name.endswith("_id") and name not in _SHARED) or name == "parent_id":
            named = pc.binary_join_element_wise(prefix, table[name], "")
            table = table.set_column(at, name, named)
    return table


def _portfolio(folder: Path) -> Any:
    from datetime import date

    from crm_portfolio import Calendar, Portfolio

    truths = json.loads((folder / "truths.json").read_text())
    names = {each.name.rpartition("-")[0] for each in folder.glob("*.parquet")}
    parts = {name: sorted(folder.glob(f"{name}-*.parquet")) for name in names}
    return Portfolio.from_frames(
        as_of=date.fromisoformat(truths["as_of"]),
        currency="EUR",
        calendar=Calendar(truths["zone"]),
        backend="duckdb",
        **{
            name: pa.concat_tables([pq.read_table(each) for each in files])
            for name, files in parts.items()
        },
    )


def _ours(folder: Path) -> Callable[[], Totals]:
    from crm_portfolio import analysis

    book = _portfolio(folder)

    def run() -> Totals:
        frame = analysis.lost_opportunities(book).frame.to_arrow_table()
        return {
            row["class"]: [row["count"], round((row["amount"] or 0) * 100)]
            for row in frame.to_pylist()
            if row["count"]
        }

    return run


def _by_hand(folder: Path) -> Callable[[], Totals]:
    import duckdb

    book, connection = _portfolio(folder), duckdb.connect()
    for name in book.tables:
        connection.register(name, book.arrow(name))

    def run() -> Totals:
        rows = by_hand(connection).to_pylist()
        return {row["class"]: [row["n"], row["minor"]] for row in rows}

    return run


_CONTENDERS: Final[dict[str, Callable[[Path], Callable[[], Totals]]]] = {
    "ours": _ours,
    "by_hand": _by_hand,
}


def _peak_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _timed(contender: str, folder: Path) -> dict[str, Any]:
    run = _CONTENDERS[contender](folder)
    pa.default_memory_pool().release_unused()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _peak_mb()
    cpu, wall = time.process_time(), time.perf_counter()
    totals = run()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    rows = sum(count for count, _ in totals.values())
    measured = Measured(cpu, wall, _peak_mb(), before, rows)
    return {"measured": attrs.asdict(measured), "totals": totals}


if __name__ == "__main__":
    asked, place, *more = sys.argv[1:]
    if asked == "part":
        _part(Path(place), *map(int, more))
    else:
        print(json.dumps(_timed(asked, Path(place))))
