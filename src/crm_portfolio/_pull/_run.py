"""Which pull is this: a new one, or the one that was cut off?

source/run.json      its id, what it was to do, and whether it came to its end
source/lock          held while a pull writes into the folder, and by which process
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

import attrs

from crm_portfolio._storage import canonical_json, write_atomically
from crm_portfolio.errors import LockHeldError

try:
    import fcntl
except ImportError:  # Windows has no such lock; there, one pull at a time is up to you
    fcntl = None  # type: ignore[assignment]

__all__ = ["Run", "locked"]

_FILE: Final = "run.json"
_LOCK: Final = "lock"


@attrs.frozen
class Run:
    """One pull into a folder; killed and started again, it is the same.

    Attributes:
        is_resumed: It was begun by a process that did not end it.
        age: How long ago that was.
    """

    id: str
    since: bool
    is_resumed: bool = False
    age: timedelta = timedelta(0)

    @classmethod
    def begun(cls, source: Path, *, since: bool) -> Run:
        """The one that was cut off if it was to do the same, else a new one."""
        try:
            known = json.loads((source / _FILE).read_bytes())
            if not known["is_done"] and known["since"] == since:
                age = _age(source)
                return cls(str(known["id"]), since, is_resumed=True, age=age)
        except (OSError, ValueError, KeyError, TypeError):
            pass
        run = cls(secrets.token_hex(8), since)
        run._save(source, is_done=False)
        return run

    def end(self, source: Path) -> None:
        """The portfolio stands in the folder."""
        self._save(source, is_done=True)

    def _save(self, source: Path, *, is_done: bool) -> None:
        source.mkdir(parents=True, exist_ok=True)
        plain = {"id": self.id, "since": self.since, "is_done": is_done}
        write_atomically(source / _FILE, canonical_json(plain) + b"\n")


def _age(source: Path) -> timedelta:
    """Between the run's first process and this one, by the clock of the file system."""
    now, begun = ((source / name).stat().st_mtime for name in (_LOCK, _FILE))
    return timedelta(seconds=max(0.0, now - begun))


@contextmanager
def locked(source: Path) -> Iterator[None]:
    """Hold the folder, as long as this process lives.

    Raises:
        LockHeldError: Another pull is writing into it.
    """
    source.mkdir(parents=True, exist_ok=True)
    with (source / _LOCK).open("a+") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                file.seek(0)
                holder = file.read() or "a pull that has just begun"
                raise LockHeldError(f"the folder {source.parent}", holder) from error
        file.truncate(0)
        file.write(f"process {os.getpid()}")
        file.flush()
        yield
