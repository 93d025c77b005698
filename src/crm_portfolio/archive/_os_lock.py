"""Does a process on this machine hold a file?

The kernel frees the lock when its holder ends, however it ends; a process that is only
stopped keeps it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

__all__ = ["OsLock", "host", "kernel", "take_os_lock", "waited_for"]

OsLock = int
_HELD: Final = frozenset({errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK})
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


def take_os_lock(path: Path) -> OsLock | Literal["held", "unsupported"]:
    """The lock of that file, until `os.close` or the process's end.

    Some network shares know no locks: there only the lease counts.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(handle)
    except OSError as error:
        os.close(handle)
        return "held" if error.errno in _HELD else "unsupported"
    return handle


@contextlib.contextmanager
def waited_for(handle: int) -> Iterator[None]:
    """The lock of an open file, as soon as it is free; closing the file frees it."""
    # A share without locks: there one run at a time is at the file anyway.
    with contextlib.suppress(OSError):
        _lock(handle, may_wait=True)
    yield


if sys.platform == "win32":
    import msvcrt

    _BEHIND = 1 << 30  # locked bytes cannot be read: lock one that is not there

    def _lock(handle: OsLock, *, may_wait: bool = False) -> None:
        os.lseek(handle, _BEHIND, os.SEEK_SET)
        how = msvcrt.LK_LOCK if may_wait else msvcrt.LK_NBLCK
        msvcrt.locking(handle, how, 1)

else:
    import fcntl

    def _lock(handle: OsLock, *, may_wait: bool = False) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if may_wait else fcntl.LOCK_NB))


def host() -> str:
    """The name of this machine."""
    return socket.gethostname()


def kernel() -> str:
    """Whose locks the kernel here knows: this start of this machine, containers too."""
    with contextlib.suppress(OSError):
        return _BOOT.read_text(encoding="ascii").strip()
    return host()
