"""How does a file survive a crash, and what time is it?"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

__all__ = [
    "Content",
    "canonical_json",
    "digest",
    "digest_of",
    "digest_of_all",
    "in_parts",
    "now",
    "sync_folder",
    "write_atomically",
    "write_once",
]

Content = bytes | Iterable[bytes]
"""What a file is to hold, in one piece or in several."""


def now() -> datetime:
    """This moment, in UTC: the only wall clock below the command line."""
    return datetime.now(UTC)  # noqa: TID251 - the one place that may


def write_atomically(path: Path, content: Content, *, private: bool = False) -> None:
    """Write a file whole or not at all, and have it on disk on return.

    A private file can be read by its owner only.
    """
    with _beside(path, content, private=private) as temporary:
        temporary.replace(path)


def write_once(path: Path, content: Content, *, private: bool = False) -> None:
    """Write a file whole where there is none: of two writers, one gets the name.

    Raises:
        FileExistsError: There is one, and it stays as it is.
    """
    with _beside(path, content, private=private) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise
        except OSError:  # some network shares have no links: look, then take the name
            if path.exists():
                raise FileExistsError(path) from None
            temporary.replace(path)


@contextmanager
def _beside(path: Path, content: Content, *, private: bool) -> Iterator[Path]:
    """The content on disk under another name, until it has its own."""
    # The temporary name is as unguessable as it is short, so that two writers of one
    # path never share it and a long name of ours still fits the file system.
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    mode = 0o600 if private else 0o666
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "wb") as file:
            file.writelines(in_parts(content))
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        with suppress(OSError):
            temporary.unlink()
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk: those of new files, and that old ones went."""
    if os.name == "nt":  # Windows cannot open a folder to flush it
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def canonical_json(value: object) -> bytes:
    """One spelling for one value: sorted keys, no blanks, UTF-8, days as ISO text.

    Example:
        >>> canonical_json({"b": date(2026, 6, 30), "a": None})
        b'{"a":null,"b":"2026-06-30"}'
    """
    # A lone surrogate in a CRM's text must not stop a run; json.loads reads it back.
    return _CANONICAL.encode(value).encode("utf-8", "surrogatepass")


def _plain(value: object) -> object:
    if isinstance(value, date):  # a datetime is one too
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no canonical JSON")


_CANONICAL: Final = json.JSONEncoder(
    sort_keys=True,
    separators=(",", ":"),
    ensure_ascii=False,
    allow_nan=False,
    default=_plain,
)


def digest(content: bytes | memoryview) -> str:
    """The SHA-256 of the content, as hexadecimal text."""
    return hashlib.sha256(content).hexdigest()


def in_parts(content: Content) -> Iterable[bytes]:
    """The content in pieces, of which there may be one."""
    return (content,) if isinstance(content, bytes) else content


def digest_of_all(parts: Iterable[bytes]) -> str:
    """The SHA-256 of content that comes in pieces, of which one at a time is in memory."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, of which a little at a time is in memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
