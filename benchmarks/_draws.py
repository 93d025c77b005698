"""What do a hundred thousand years of who leaves cost, on one core?

The analysis runs in a process of its own, and so does its floor: numpy making as many
normal values, one for each client in each year, and throwing them away.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Final

import attrs

from benchmarks._stage import Measured

__all__ = ["DRAWS", "at_risk_and_floor"]

DRAWS: Final = 100_000
_TIMES: Final = 2
_AT_ONCE: Final = 4_000_000
_THREADS: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "POLARS_MAX_THREADS")


def at_risk_and_floor(accounts: int) -> tuple[Measured, Measured]:
    """The least of a few runs each, in turn: others use the machine too."""
    rounds = [
        [_measured(name, accounts) for name in ("at_risk", "floor")]
        for _ in range(_TIMES)
    ]
    ours, floor = (
        min(each, key=lambda one: one.wall_seconds)
        for each in zip(*rounds, strict=True)
    )
    return ours, floor


def _measured(name: str, accounts: int) -> Measured:
    command = [sys.executable, "-m", "benchmarks._draws", name, str(accounts)]
    one_core = dict.fromkeys(_THREADS, "1")
    done = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **one_core},
    )
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


# In the processes


def _at_risk(accounts: int) -> Measured:
    from datetime import date

    import numpy as np
    import pyarrow as pa

    from crm_portfolio import Portfolio
    from crm_portfolio.analysis import RevenueAtRiskSettings, revenue_at_risk

    chance = np.random.default_rng(20)
    ids = [f"A{at:07}" for at in range(accounts)]
    book = Portfolio.from_frames(
        as_of=date(2026, 6, 30),
        currency="EUR",
        account=pa.table({"account_id": ids}),
        revenue_line=pa.table(
            {
                "line_id": ids,
                "account_id": ids,
                "booked_on": [date(2026, 1, 15)] * accounts,
                "amount": (1_000 * (1 + chance.pareto(1.2, accounts))).round(2),
            }
        ),
    )
    odds = dict(zip(ids, chance.uniform(0.01, 0.3, accounts), strict=True))
    chosen = RevenueAtRiskSettings(draws=DRAWS, common_factor=0.2)

    def run() -> None:
        figures = revenue_at_risk(book, chosen, odds=odds).summary
        assert figures["client_count"] == accounts

    return _timed(run, accounts)


def _floor(accounts: int) -> Measured:
    import numpy as np

    generator = np.random.default_rng(20)
    rows = max(1, _AT_ONCE // accounts)
    kept = np.empty((rows, accounts))

    def run() -> None:
        for _ in range(0, DRAWS, rows):
            generator.standard_normal(out=kept)

    return _timed(run, accounts)


def _timed(run: Callable[[], None], accounts: int) -> Measured:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cpu, wall = time.process_time(), time.perf_counter()
    run()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measured(cpu, wall, peak, before, accounts * DRAWS)


if __name__ == "__main__":
    contender = {"at_risk": _at_risk, "floor": _floor}[sys.argv[1]]
    print(json.dumps(attrs.asdict(contender(int(sys.argv[2])))))
