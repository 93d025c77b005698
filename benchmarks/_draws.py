"""What do many thousand years of who leaves cost, on one core?

The analysis runs in a process of its own, and so do the others: its floor, which is numpy
making as many normal values, one for each client in each year, and throwing them away; and
the version of the textbook, which draws every client of a block of years at once.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import attrs

from benchmarks._stage import Measured

__all__ = ["DRAWS", "at_risk_and_floor", "at_risk_and_textbook"]

DRAWS: Final = 100_000
_TIMES: Final = 2
_AT_ONCE: Final = 4_000_000
_BLOCK: Final = 1_000  # years that the textbook draws at once
_FACTOR: Final = 0.2
_THREADS: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "POLARS_MAX_THREADS")


def at_risk_and_floor(accounts: int) -> tuple[Measured, Measured]:
    """The least of a few runs each, in turn: others use the machine too."""
    return _in_turn(("at_risk", "floor"), accounts, DRAWS)


def at_risk_and_textbook(accounts: int, draws: int) -> tuple[Measured, Measured]:
    """The same, against the version of the textbook."""
    return _in_turn(("at_risk", "textbook"), accounts, draws)


def _in_turn(
    names: tuple[str, str], accounts: int, draws: int
) -> tuple[Measured, Measured]:
    rounds = [
        [_measured(name, accounts, draws) for name in names] for _ in range(_TIMES)
    ]
    ours, other = (
        min(each, key=lambda one: one.cpu_seconds) for each in zip(*rounds, strict=True)
    )
    return ours, other


def _measured(name: str, *sizes: int) -> Measured:
    command = [sys.executable, "-m", "benchmarks._draws", name, *map(str, sizes)]
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


def _clients(accounts: int) -> tuple[Any, Any]:
    """What each client brings, and the odds that it leaves."""
    import numpy as np

    chance = np.random.default_rng(20)
    amounts = (1_000 * (1 + chance.pareto(1.2, accounts))).round(2)
    return amounts, chance.uniform(0.01, 0.3, accounts)


def _at_risk(accounts: int, draws: int) -> Measured:
    from datetime import date

    import pyarrow as pa

    from crm_portfolio import Portfolio
    from crm_portfolio.analysis import RevenueAtRiskSettings, revenue_at_risk

    amounts, odds = _clients(accounts)
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
                "amount": amounts,
            }
        ),
    )
    said = dict(zip(ids, odds, strict=True))
    chosen = RevenueAtRiskSettings(draws=draws, common_factor=_FACTOR)

    def run() -> None:
        figures = revenue_at_risk(book, chosen, odds=said).summary
        assert figures["client_count"] == accounts

    return _timed(run, accounts * draws)


def _textbook(accounts: int, draws: int) -> Measured:
    """Normal values for a block of years, held against the edge of each client."""
    import numpy as np
    from scipy.stats import norm

    amounts, odds = _clients(accounts)

    def run() -> None:
        generator, edges = np.random.default_rng(20), norm.ppf(odds)
        losses = []
        for start in range(0, draws, _BLOCK):
            years = min(_BLOCK, draws - start)
            common = generator.standard_normal((years, 1))
            own = generator.standard_normal((years, accounts))
            is_lost = _FACTOR**0.5 * common + (1 - _FACTOR) ** 0.5 * own < edges
            losses.append(is_lost @ amounts)
        law = np.concatenate(losses)
        assert np.quantile(law, 0.99) > law.mean() > 0

    return _timed(run, accounts * draws)


def _floor(accounts: int, draws: int) -> Measured:
    import numpy as np

    generator = np.random.default_rng(20)
    rows = max(1, _AT_ONCE // accounts)
    kept = np.empty((rows, accounts))

    def run() -> None:
        for _ in range(0, draws, rows):
            generator.standard_normal(out=kept)

    return _timed(run, accounts * draws)


def _timed(run: Callable[[], None], drawn: int) -> Measured:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cpu, wall = time.process_time(), time.perf_counter()
    run()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measured(cpu, wall, peak, before, drawn)


if __name__ == "__main__":
    contenders = {"at_risk": _at_risk, "floor": _floor, "textbook": _textbook}
    accounts, draws = map(int, sys.argv[2:])
    print(json.dumps(attrs.asdict(contenders[sys.argv[1]](accounts, draws))))
