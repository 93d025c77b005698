"""How long until Python, the library and the command are there?"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from math import nan
from pathlib import Path
from typing import Final

from benchmarks._stage import Measured

__all__ = ["started"]

_TIMES: Final = 15
_COMMANDS: Final[Sequence[Sequence[str]]] = (
    (sys.executable, "-c", "pass"),
    (sys.executable, "-c", "import crm_portfolio"),
    (str(Path(sys.executable).with_name("crm-portfolio")), "--help"),
)


def started() -> tuple[Measured, ...]:
    """Bare Python, with the import, and the command's help: the least time of each."""
    rounds = [[_once(command) for command in _COMMANDS] for _ in range(_TIMES)]
    return tuple(
        min(of_one, key=lambda one: one.wall_seconds)
        for of_one in zip(*rounds, strict=True)
    )


def _once(command: Sequence[str]) -> Measured:
    nowhere = (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
    wall = time.perf_counter()
    process = os.posix_spawn(
        command[0], list(command), os.environ, file_actions=[nowhere]
    )
    _, status, used = os.wait4(process, 0)
    wall = time.perf_counter() - wall
    assert status == 0, (command, status)
    # Its peak would be that of this process, which it was before it became another.
    return Measured(used.ru_utime + used.ru_stime, wall, nan, nan, 0)
