"""The whole book in a folder on DuckDB, and single reductions of it against SQL by hand.

The book is drawn once and stays where it lies: each contender reads what it needs of it,
in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks._reductions import REDUCTIONS
from benchmarks._stage import Measured
from benchmarks._triage_by_hand import by_hand as triaged
from benchmarks._whole_book import ZONE

__all__ = ["analysed", "reduced_in_one_run", "scanned_by_hand"]

LONG: Final = (
    "opportunity",
    "opportunity_change",
    "activity",
    "revenue_line",
    "invoice",
)
_FIELDS: Final = ("cpu_seconds", "wall_seconds", "peak_mb", "baseline_mb", "rows")
_MEMORY, _THREADS = "3GB", 2  # DuckDB's, ours and by hand
_ODD: Final = 0x9E3779B97F4A7C15


def analysed(folder: Path) -> tuple[Measured, Mapping[str, Measured]]:
    """The whole book, and what each analysis added to those made before it."""
    told = _told("analyse", "ours", folder)
    return Measured(**told["measured"]), {
        name: Measured(**each) for name, each in told["nouns"].items()
    }


def scanned_by_hand(folder: Path) -> Measured:
    """One scan of every column of the long tables, each reduction by hand, and triage."""
    return Measured(**_told("floor", "by_hand", folder)["measured"])


def reduced_in_one_run(
    folder: Path, *, times: int
) -> dict[str, tuple[Measured, Measured]]:
    """Each reduction, ours and by hand in turn; of each the least CPU of so many runs.

    A run is a process in which all are made, one after the other: what several of ours need
    is prepared by the first, as in a book, and what DuckDB keeps of the files is kept.

    Raises:
        AssertionError: They did not find the same.
    """
    rounds = []
    for _ in range(times):
        ours = _told("reductions", "ours", folder)
        widths = {name: each["width"] for name, each in ours.items()}
        rounds.append(
            [ours, _told("reductions", "by_hand", folder, json.dumps(widths))]
        )
    return {name: _least(name, rounds) for name in REDUCTIONS}


def _least(name: str, rounds: list[list[Any]]) -> tuple[Measured, Measured]:
    found = {json.dumps(each[name]["sums"]) for one in rounds for each in one}
    assert len(found) == 1, (name, found)
    ours, other = (
        min(
            (Measured(**each[name]["measured"]) for each in of_one),
            key=lambda each: each.cpu_seconds,
        )
        for of_one in zip(*rounds, strict=True)
    )
    return ours, other


def _told(what: str, who: str, folder: Path, *more: str) -> Any:
    module = (sys.executable, "-m", "benchmarks._whole")
    command = [*module, what, who, str(folder), *more]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


# In the processes


def _load(folder: Path) -> Any:
    from crm_portfolio import Portfolio

    return Portfolio.load(folder, backend="duckdb")


def _peak_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _timed(run: Callable[[], Any]) -> tuple[dict[str, Any], Any]:
    clock = _Clock()
    found = run()
    return clock.told(getattr(found, "num_rows", 0)), found


class _Clock:
    """CPU, time and the largest resident set, from when it is made."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        self._before = _peak_mb()
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def told(self, rows: int) -> dict[str, Any]:
        cpu = time.process_time() - self._cpu
        wall = time.perf_counter() - self._wall
        told = (cpu, wall, _peak_mb(), self._before, rows)
        return dict(zip(_FIELDS, told, strict=True))


def _whole(folder: Path) -> dict[str, Any]:
    """As a user has it made; each analysis takes what it needs and is not there yet."""
    from crm_portfolio import analyse

    nouns: dict[str, dict[str, Any]] = {}
    clocks: dict[str, _Clock] = {}

    def tell(name: str, done: int, _total: int | None) -> None:
        if not done:
            clocks[name] = _Clock()
            return
        its = nouns[name] = clocks[name].told(0)
        far = f"{len(nouns)}: {name}, {its['cpu_seconds']:.1f} s of CPU"
        print(f"{far}, {its['peak_mb']:.0f} MB", file=sys.stderr, flush=True)

    before = _peak_mb()
    cpu, wall = time.process_time(), time.perf_counter()
    found = analyse(_load(folder), progress=tell)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = max(_peak_mb(), *(each["peak_mb"] for each in nouns.values()))
    told = (cpu, wall, peak, before, len(found))
    return {"measured": dict(zip(_FIELDS, told, strict=True)), "nouns": nouns}


def _connected(folder: Path) -> Any:
    """DuckDB, in which every table of the folder has its name."""
    import duckdb

    connection = duckdb.default_connection()
    for path in folder.glob("*.parquet"):
        connection.execute(f"CREATE VIEW {path.stem} AS FROM '{path}'")
    return connection


def _floor(folder: Path) -> dict[str, Any]:
    connection = _connected(folder)

    def run() -> None:
        for table in LONG:
            columns = connection.table(table).columns
            largest = ", ".join(f'max("{name}")' for name in columns)
            connection.sql(f"SELECT {largest} FROM {table}").to_arrow_table()
        for _, by_hand in REDUCTIONS.values():
            connection.sql(by_hand).to_arrow_table()
        triaged(connection, ZONE)

    return {"measured": _timed(run)[0]}


def _reductions(who: str, folder: Path, widths: Mapping[str, int]) -> dict[str, Any]:
    """Each in turn. By hand there may be columns behind those of ours, whose widths are told."""
    from crm_portfolio.analysis import _facts
    from crm_portfolio.portfolio import Period

    assert _facts.one_of
    assert Period.between  # imported before the clock starts
    book, connection = _load(folder), _connected(folder)
    told = {}
    for name, (ours, by_hand) in REDUCTIONS.items():
        if who == "ours":
            measured, found = _timed(partial(ours, book))
        else:
            measured, found = _timed(partial(_asked, connection, by_hand))
        width = widths.get(name, found.num_columns)
        sums = _summed(found, width)
        told[name] = {"measured": measured, "width": width, "sums": sums}
    return told


def _asked(connection: Any, query: str) -> Any:
    return connection.sql(query).to_arrow_table()


def _summed(found: Any, width: int) -> list[int]:
    """What tells one table from another, but for the order of its rows and its key."""
    its = [_numbers(found.column(at)) for at in range(1, width)]
    return [found.num_rows, *(int(each.sum()) for each in its), _mixed(its)]


def _numbers(column: Any) -> Any:
    """Of whole numbers, or of texts in their place."""
    import numpy as np
    import pyarrow as pa

    if pa.types.is_string(column.type):
        texts = (zlib.crc32(each.encode()) for each in column.to_pylist())
        return np.fromiter(texts, np.int64, len(column))
    return column.cast(pa.int64()).to_numpy()


def _mixed(columns: Sequence[Any]) -> int:
    """A number that tells which values stand in one row, in whatever order the rows are."""
    import numpy as np

    mixed = np.zeros(len(columns[0]), np.uint64)
    for each in columns:
        mixed = (mixed ^ each.astype(np.uint64)) * np.uint64(_ODD)
        mixed ^= mixed >> np.uint64(29)
    return int(mixed.sum())


@contextmanager
def _bounded() -> Iterator[None]:
    """DuckDB with so much memory and so many cores, and a folder for the rest."""
    import duckdb

    connection = duckdb.default_connection()
    with TemporaryDirectory() as place:
        connection.execute(f"SET threads = {_THREADS}")
        connection.execute(f"SET memory_limit = '{_MEMORY}'")
        connection.execute(f"SET temp_directory = '{place}'")
        yield


if __name__ == "__main__":
    what, who, place, *more = sys.argv[1:]
    with _bounded():
        if what in ("analyse", "floor"):
            told = {"analyse": _whole, "floor": _floor}[what](Path(place))
        else:
            told = _reductions(who, Path(place), json.loads(*more) if more else {})
    print(json.dumps(told))
