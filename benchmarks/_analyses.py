"""Building a portfolio and three analyses of it, against scripts that give the same.

Each contender has the tables in memory, in a process of its own, before the clock starts.
"""

from __future__ import annotations

import ctypes
import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import pyarrow as pa

from benchmarks._firm import AS_OF, firm
from benchmarks._scripts import HOURS, pandas_frames, polars_book, polars_frames
from benchmarks._stage import Measured

__all__ = ["measured_in_turn"]

Run = Callable[[], Any]
# Compared between the contenders: one sum of each frame's own.
_SUMMED: Final = ("rank", "share_before", "minutes")


def measured_in_turn(accounts: int, *contenders: str, times: int) -> list[Measured]:
    """Each contender so many times in turn, its least wall time: others use the machine.

    Raises:
        AssertionError: Two of them did not find the same.
    """
    rounds = [[_measured(name, accounts) for name in contenders] for _ in range(times)]
    found = {tuple(sums) for one in rounds for _, sums in one if sums}
    assert len(found) <= 1, found
    return [
        min((measured for measured, _ in of_one), key=lambda one: one.wall_seconds)
        for of_one in zip(*rounds, strict=True)
    ]


def _measured(contender: str, accounts: int) -> tuple[Measured, list[float]]:
    command = [sys.executable, "-m", "benchmarks._analyses", contender, str(accounts)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told = json.loads(done.stdout.splitlines()[-1])
    return Measured(**told["measured"]), told["sums"]


# In the processes


def _book(accounts: int) -> Run:
    from crm_portfolio import Portfolio

    tables = {name: table.lazy() for name, table in firm(accounts).items()}
    return lambda: Portfolio.from_frames(as_of=AS_OF, currency="EUR", **tables)


def _book_by_hand(accounts: int) -> Run:
    tables = {name: table.lazy() for name, table in firm(accounts).items()}
    return lambda: polars_book(**tables)


def _ours(accounts: int) -> Run:
    from crm_portfolio import analysis

    book = _book(accounts)()
    allocation = analysis.AllocationSettings(hours=float(HOURS))

    def run() -> list[Any]:
        tiers = analysis.tiers(book)
        shares = analysis.allocation(book, allocation, tiers=tiers)
        return [analysis.concentration(book).frame, tiers.frame, shares.frame]

    return run


def _polars(accounts: int) -> Run:
    tables = {name: table.lazy() for name, table in polars_book_of(accounts).items()}
    return lambda: polars_frames(**tables)


def _pandas(accounts: int) -> Run:
    import pandas as pd

    tables = {name: t.to_pandas() for name, t in polars_book_of(accounts).items()}
    lines = tables["revenue_line"]
    lines["booked_on"] = pd.to_datetime(lines["booked_on"])
    return lambda: pandas_frames(**tables)


def polars_book_of(accounts: int) -> dict[str, Any]:
    return polars_book(**{name: table.lazy() for name, table in firm(accounts).items()})


_CONTENDERS: Final[dict[str, Callable[[int], Run]]] = {
    "book": _book,
    "book_by_hand": _book_by_hand,
    "ours": _ours,
    "polars": _polars,
    "pandas": _pandas,
}


def _peak_mb() -> float:
    """The largest resident set since it was last forgotten, of the process."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _timed(run: Run, accounts: int) -> tuple[Measured, list[float]]:
    gc.collect()
    pa.default_memory_pool().release_unused()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _peak_mb()
    cpu, wall = time.process_time(), time.perf_counter()
    found = run()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    measured = Measured(cpu, wall, _peak_mb(), before, 10 * accounts)
    return measured, _sums(found) if isinstance(found, list | tuple) else []


def _sums(frames: Any) -> list[float]:
    columns = zip(frames, _SUMMED, strict=True)
    return [
        float(f"{np.nansum(np.asarray(frame[name], dtype=float)):.9g}")
        for frame, name in columns
    ]


if __name__ == "__main__":
    measured, sums = _timed(
        _CONTENDERS[sys.argv[1]](int(sys.argv[2])), int(sys.argv[2])
    )
    print(json.dumps({"measured": attrs.asdict(measured), "sums": sums}))
