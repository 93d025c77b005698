"""How is something measured in a process of its own, and what that one starts with it?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import attrs

from benchmarks._stage import Measured

__all__ = ["ONE_CORE", "bounded", "in_turn", "timed", "told"]

_MEMORY, _THREADS = "2GB", 2  # DuckDB's
_TICKS: Final = os.sysconf("SC_CLK_TCK")
ONE_CORE: Final[Mapping[str, str]] = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "POLARS_MAX_THREADS"), "1"
)
"""The environment in which numpy's libraries keep to one core."""


def told(module: str, *asked: object, **environment: str) -> Any:
    """What a module of the benchmarks prints last, as JSON, when it is run."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, asked)]
    done = subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    return json.loads(done.stdout.splitlines()[-1])


def in_turn(
    module: str, names: tuple[str, ...], *more: object, times: int, **environment: str
) -> list[Measured]:
    """Each contender so many times in turn, its least CPU: others use the machine too.

    Raises:
        AssertionError: They did not find the same.
    """
    rounds = [
        [told(module, name, *more, **environment) for name in names]
        for _ in range(times)
    ]
    found = {json.dumps(each["found"]) for one in rounds for each in one}
    assert len(found) == 1, (module, names, found)
    return [
        min((Measured(**e["measured"]) for e in of_one), key=lambda e: e.cpu_seconds)
        for of_one in zip(*rounds, strict=True)
    ]


# In the processes


def timed(
    run: Callable[[], Any], *, kin: Callable[[], set[int]] = set
) -> tuple[dict[str, Any], Any]:
    """What it took, and what came of it.

    Args:
        kin: Further processes that work for this one, such as a Java machine.
    """
    _forget_peaks({os.getpid()} | kin())
    before = _peak_mb(os.getpid())
    cpu, wall = time.process_time() + _cpu(kin()), time.perf_counter()
    found = run()
    cpu = time.process_time() + _cpu(kin()) - cpu
    wall = time.perf_counter() - wall
    peak = sum(map(_peak_mb, {os.getpid()} | kin()))
    return attrs.asdict(Measured(cpu, wall, peak, before, 0)), found


def _forget_peaks(processes: set[int]) -> None:
    for each in processes:
        Path(f"/proc/{each}/clear_refs").write_text("5", encoding="ascii")


def _peak_mb(process: int) -> float:
    """The largest resident set since it was last forgotten."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _cpu(processes: set[int]) -> float:
    fields = (Path(f"/proc/{each}/stat").read_text() for each in processes)
    spent = (each.rpartition(")")[2].split()[11:13] for each in fields)
    return sum(int(user) + int(system) for user, system in spent) / _TICKS


@contextmanager
def bounded(memory: str = _MEMORY) -> Iterator[Any]:
    """DuckDB with so much memory and two cores, and a folder for the rest."""
    import duckdb

    connection = duckdb.default_connection()
    with TemporaryDirectory() as place:
        connection.execute(f"SET threads = {_THREADS}")
        connection.execute(f"SET memory_limit = '{memory}'")
        connection.execute(f"SET temp_directory = '{place}'")
        yield connection
