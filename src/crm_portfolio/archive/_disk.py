"""How is an archive kept in a folder of this machine, or of a share?

A file is flushed under another name before it gets its own by a link, which of two writers
one gets; a line is flushed before it counts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal, Self

import attrs

from crm_portfolio import _storage
from crm_portfolio._storage import Content
from crm_portfolio.archive._lines import append_line, last_line, open_private
from crm_portfolio.archive._os_lock import OsLock, take_os_lock, waited_for
from crm_portfolio.archive._place import LineAfter
from crm_portfolio.errors import SettingsError

__all__ = ["Disk"]

_PIECE: Final = 1 << 20


@attrs.frozen
class Disk:
    """A folder; ``root`` is that of the whole archive."""

    path: Path
    root: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def address(self) -> str:
        return str(self.root)

    def __truediv__(self, name: str) -> Self:
        return attrs.evolve(self, path=self.path / name)

    def exists(self) -> bool:
        return self.path.is_dir()

    def make(self) -> None:
        if not self.path.is_dir():
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            _storage.sync_folder(self.path.parent)

    def ready(self) -> None:
        """Always: the file system's own links and locks are used."""

    def read(self, file: str) -> bytes:
        return (self.path / file).read_bytes()

    def parts(self, file: str) -> Iterator[bytes]:
        (self.path / file).stat()  # it is opened when it is read
        return _in_pieces(self.path / file)

    def read_all(self, files: Sequence[str]) -> Iterator[bytes]:
        return map(self.read, files)

    def holds(self, file: str) -> bool:
        return (self.path / file).is_file()

    def create(self, file: str, content: Content) -> None:
        _storage.write_once(self.path / file, content, private=True)

    def replace(self, file: str, content: Content) -> None:
        _storage.write_atomically(self.path / file, content, private=True)

    def extend(self, file: str, line_after: LineAfter) -> bytes:
        # Runs at several orgs share a file.
        with open_private(self.path / file) as opened, waited_for(opened.fileno()):
            line = line_after(last_line(opened))
            append_line(opened, line)
        return line

    def remove(self, file: str) -> None:
        (self.path / file).unlink()

    def files(self) -> list[str]:
        return self._names(folders=False)

    def folders(self) -> list[str]:
        return self._names(folders=True)

    def _names(self, *, folders: bool) -> list[str]:
        try:
            with os.scandir(self.path) as found:
                return sorted(each.name for each in found if each.is_dir() is folders)
        except FileNotFoundError:
            return []

    def os_lock(self, file: str) -> OsLock | Literal["held", "unsupported"]:
        return take_os_lock(self.path / file)

    def problem(self, error: OSError) -> SettingsError:
        return SettingsError(
            f"the archive {self.address!r} cannot be used: {error.strerror}. It must be a "
            "folder that this user may read and write, with room on its disk; then do the "
            "same again."
        )


def _in_pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece
