"""How does a file grow by a line, so that a crash leaves a whole line or none?"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final

from crm_portfolio import _storage

__all__ = ["append_line", "last_line", "open_private", "split", "to_line"]

_TAIL: Final = 4096  # far more than a line has


def to_line(body: Mapping[str, Any]) -> bytes:
    """The line that says this, with its own checksum."""
    mark = _storage.digest(_storage.canonical_json(body))
    return _storage.canonical_json({**body, "line_sha256": mark}) + b"\n"


def split(raw: bytes) -> tuple[list[bytes], bytes]:
    """The whole lines of a file, each with its end, and what a crash cut off."""
    *whole, cut = raw.split(b"\n")
    return [line + b"\n" for line in whole], cut


def last_line(file: IO[bytes]) -> bytes:
    """The last whole line of a file, however long the file is."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - _TAIL))
    lines, _ = split(file.read())
    return lines[-1] if lines else b""


def append_line(file: IO[bytes], line: bytes) -> None:
    """Put a line behind the last whole one and have it on disk on return."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - _TAIL))
    _, cut = split(file.read())
    file.truncate(end - len(cut))
    file.seek(0, os.SEEK_END)
    file.write(line)
    file.flush()
    os.fsync(file.fileno())


def open_private(path: Path) -> IO[bytes]:
    """A file to read and append to, made if need be, that only its owner can read."""
    is_new = not path.exists()
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if is_new:
        _storage.sync_folder(path.parent)
    return os.fdopen(handle, "r+b")
