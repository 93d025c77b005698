"""How is a client measured alone? The pretend CRM and each contender run by themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import attrs

__all__ = ["Measured", "measured", "quickest", "served"]


@attrs.frozen
class Measured:
    """What one contender took, in a process of its own.

    Attributes:
        cpu_seconds: User and system, of the contender alone, imports left out.
        peak_mb: The largest resident set.
        baseline_mb: The same, before the work began.
        calls: API calls, where the contender counts them.
    """

    cpu_seconds: float
    wall_seconds: float
    peak_mb: float
    baseline_mb: float
    rows: int
    calls: int | None = None


@contextmanager
def served(crm: str, records: int, **switches: Any) -> Iterator[Mapping[str, str]]:
    """A pretend CRM with that many opportunities; yields the environment that reaches it."""
    asked = [crm, str(records), json.dumps(switches)]
    command = [sys.executable, "-m", "benchmarks._serve", *asked]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(60)


def quickest(
    environment: Mapping[str, str], *contenders: tuple[str, ...], times: int
) -> list[Measured]:
    """Each contender so many times in turn, its least CPU: others use the machine too."""
    rounds = [
        [measured(name, environment, *more) for name, *more in contenders]
        for _ in range(times)
    ]
    return [
        min(of_one, key=lambda one: one.cpu_seconds)
        for of_one in zip(*rounds, strict=True)
    ]


def measured(contender: str, environment: Mapping[str, str], *more: str) -> Measured:
    """Run one contender of `benchmarks._contenders` once."""
    import os

    command = [sys.executable, "-m", "benchmarks._contenders", contender, *more]
    done = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    return Measured(**json.loads(done.stdout.splitlines()[-1]))
