"""Where do lines wait that are more than memory should hold, and how are they read again?

In a file that has no name, once there are more than a few: it goes with whoever holds it,
and a crash leaves nothing.
"""

from __future__ import annotations

import os
import tempfile
import threading
import weakref
from array import array
from collections.abc import Callable, Iterator
from io import FileIO
from typing import Any, Final, TypeVar, overload

from crm_portfolio.archive._aside import room
from crm_portfolio.archive._read_again import ReadAgain

__all__ = ["Lines", "Spool"]

T = TypeVar("T")
_IN_MEMORY: Final = 1 << 20
_AT_ONCE: Final = 1 << 18
_MARKED: Final = 64  # every so many lines it is noted where one begins
_HAS_PREAD: Final = hasattr(os, "pread")  # Windows has not, and does not fork


class Spool:
    """Lines put aside, each without its end, in the order in which they came."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._file: FileIO | None = None
        self._stored = 0
        self._lock = threading.Lock()
        self._marks = array("Q")
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._count = self._end = 0

    def __len__(self) -> int:
        return self._count

    def add(self, line: bytes) -> None:
        if self._count % _MARKED == 0:
            self._marks.append(self._end)
        self._waiting.append(line)
        self._count += 1
        self._end += len(line) + 1
        self._waiting_bytes += len(line) + 1
        if self._waiting_bytes > _AT_ONCE:
            self._put()

    def lines(self, start: int, stop: int) -> Iterator[bytes]:
        """Those from one place to another; several may be read side by side."""
        self._put()
        if start >= stop:
            return
        at, skipped, left = self._marks[start // _MARKED], start % _MARKED, stop - start
        last = (stop - 1) // _MARKED + 1
        end = self._marks[last] if last < len(self._marks) else self._end
        rest = b""
        while at < end:
            block = self._read(at, min(end - at, _AT_ONCE))
            at += len(block)
            *whole, rest = (rest + block).split(b"\n")
            for line in whole[skipped:][:left]:
                left -= 1
                yield line
            skipped = max(0, skipped - len(whole))

    def _put(self) -> None:
        with self._lock, room():
            if self._waiting:
                told = b"\n".join(self._waiting) + b"\n"
                self._store(told)
                self._stored += len(told)
                self._waiting, self._waiting_bytes = [], 0

    def _store(self, told: bytes) -> None:
        if self._file is None and len(self._kept) + len(told) <= _IN_MEMORY:
            self._kept += told
            return
        if self._file is None:
            self._file = _without_name()
            weakref.finalize(self, self._file.close)
        # Where there was no room for all of it, it is written again from its beginning.
        self._file.seek(self._stored - len(self._kept))
        left = memoryview(self._kept + told)
        while left:
            left = left[self._file.write(left) :]
        self._kept.clear()

    def _read(self, at: int, size: int) -> bytes:
        with self._lock, room():
            if self._file is None or self._kept:
                return bytes(self._kept[at : at + size])
            if _HAS_PREAD:  # a forked process has the same place in the same file
                return os.pread(self._file.fileno(), size, at)
            self._file.seek(at)
            return self._file.read(size)


def _without_name() -> FileIO:
    file: Any = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - a spool closes it
    return file  # type: ignore[no-any-return]


class Lines(ReadAgain[T]):
    """Some lines of a spool, read as what they stand for each time they are asked for.

    Attributes:
        read: Reads one.
    """

    def __init__(
        self, spool: Spool, read: Callable[[bytes], T], start: int, stop: int
    ) -> None:
        self._spool, self.read = spool, read
        self._start, self._stop = start, stop

    def raw(self) -> Iterator[bytes]:
        """The lines as they are."""
        return self._spool.lines(self._start, self._stop)

    def read_as(self, read: Callable[[bytes], T]) -> Lines[T]:
        """The same lines, read in another way."""
        return Lines(self._spool, read, self._start, self._stop)

    def __len__(self) -> int:
        return self._stop - self._start

    def __iter__(self) -> Iterator[T]:
        return map(self.read, self.raw())

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> Lines[T]: ...
    def __getitem__(self, at: int | slice) -> T | Lines[T]:
        if isinstance(at, slice):
            start, stop, step = at.indices(len(self))
            if step != 1:
                raise ValueError("lines put aside are read one after the other")
            first, last = self._start + start, self._start + max(start, stop)
            return Lines(self._spool, self.read, first, last)
        place = range(self._start, self._stop)[at]
        return self.read(next(self._spool.lines(place, place + 1)))

    def __repr__(self) -> str:
        return f"<{len(self):,} lines>"
