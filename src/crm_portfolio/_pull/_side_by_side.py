"""How are several tables pulled at once, and stopped together?"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from typing import Final, Generic, TypeVar

__all__ = ["Stop", "side_by_side"]

Stop = Callable[[], None]  # raises where the work is to end
Name = TypeVar("Name", bound=str)
Result = TypeVar("Result")

_PATIENCE: Final = 5.0  # seconds for which an interrupted run waits for calls in flight


class _StoppedError(Exception):
    """Another table failed, or somebody pressed Ctrl-C."""


def side_by_side(
    jobs: Mapping[Name, Callable[[Stop], Result]], *, at_once: int
) -> dict[Name, Result]:
    """Do all of it. The first error stops the others, and is raised when they have.

    Args:
        jobs: Each calls what it is given now and then; that is where it can be stopped.
        at_once: With 1, one after the other and in this thread.
    """
    if at_once == 1:
        return {name: job(lambda: None) for name, job in jobs.items()}
    return _Crew(jobs).work(at_once)


class _Crew(Generic[Name, Result]):
    def __init__(self, jobs: Mapping[Name, Callable[[Stop], Result]]) -> None:
        self._jobs = jobs
        self._waiting: queue.SimpleQueue[Name] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._is_over = threading.Event()
        self._results: dict[Name, Result] = {}
        for name in jobs:
            self._waiting.put(name)

    def work(self, at_once: int) -> dict[Name, Result]:
        threads = [
            threading.Thread(target=self._one_by_one, daemon=True)
            for _ in range(min(at_once, len(self._jobs)))
        ]
        for thread in threads:
            thread.start()
        try:
            errors = [self._ended.get() for _ in threads]
        except BaseException:  # Ctrl-C; what is in flight may end, or be cut off
            self._is_over.set()
            for thread in threads:
                thread.join(_PATIENCE / len(threads))
            raise
        for error in errors:
            if error is not None:
                raise error
        return {name: self._results[name] for name in self._jobs}

    def _one_by_one(self) -> None:
        error: BaseException | None = None
        try:
            while True:
                self._stop()
                name = self._waiting.get_nowait()
                self._results[name] = self._jobs[name](self._stop)
        except (queue.Empty, _StoppedError):
            pass
        except BaseException as caught:  # noqa: BLE001 - raised in the main thread
            error = caught
            self._is_over.set()
        self._ended.put(error)

    def _stop(self) -> None:
        if self._is_over.is_set():
            raise _StoppedError
