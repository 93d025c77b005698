"""How is an archive kept where a store takes no conditions?

In the memory of this process, where a lock of the process stands for them; and, for
whoever asks for it by ``unlocked+``, in anything that fsspec can write. There a name is
looked for and then taken: of two runs in the same moment both may get it.
"""

from __future__ import annotations

import errno
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, Literal, Self

import attrs

from crm_portfolio._storage import Content, in_parts
from crm_portfolio.archive._address import OBJECT_STORES, UNLOCKED, Address
from crm_portfolio.archive._lines import split
from crm_portfolio.archive._place import LineAfter
from crm_portfolio.archive._refused import needs_extra, problem_of
from crm_portfolio.errors import CrmPortfolioError, SettingsError

__all__ = ["Filesystem"]

_PIECE: Final = 1 << 20
_HERE: Final = threading.RLock()
# These take a file whole; elsewhere it gets its name when it is complete.
_WHOLE: Final = OBJECT_STORES | {"memory"}


@attrs.frozen(eq=False)
class Filesystem:
    """A folder of a file system that fsspec reaches."""

    address: str
    _files: Any
    _path: str
    _is_whole: bool

    @classmethod
    def at(cls, address: Address) -> Self:
        """The place of an address; a login is where fsspec looks for it.

        Raises:
            MissingExtraError: The extra for stores is not installed.
            SettingsError: Nothing there keeps two runs apart, and nobody said it may be so;
                or fsspec does not know such stores.
        """
        if address.scheme != "memory" and not address.is_unlocked:
            raise SettingsError(
                f"the archive {str(address)!r} cannot be used: over {address.scheme}:// "
                "nothing keeps two runs apart. Use a folder, s3://, gs:// or az://; or, "
                "where you see to it that one run at a time is there, write "
                f"{UNLOCKED}{address.scheme}://"
            )
        with needs_extra():
            import fsspec
        files, path = _opened(fsspec, address)
        return cls(str(address), files, path, address.scheme in _WHOLE)

    @property
    def name(self) -> str:
        return self._path.rpartition("/")[2]

    def __truediv__(self, name: str) -> Self:
        return attrs.evolve(self, path=self._key(name))

    def _key(self, name: str) -> str:
        return f"{self._path}/{name}"

    def exists(self) -> bool:
        return bool(self._listed())

    def make(self) -> None:
        with _at_the_files():
            self._files.makedirs(self._path, exist_ok=True)

    def ready(self) -> None:
        """Always: what it cannot do was accepted with its address."""

    def read(self, file: str) -> bytes:
        with _at_the_files():
            return bytes(self._files.cat_file(self._key(file)))

    def parts(self, file: str) -> Iterator[bytes]:
        if not self.holds(file):
            raise FileNotFoundError(errno.ENOENT, "there is no such file")
        return self._streamed(file)

    def _streamed(self, file: str) -> Iterator[bytes]:
        with _at_the_files():
            opened = self._files.open(self._key(file), "rb")
        with opened:
            while True:
                with _at_the_files():
                    piece = bytes(opened.read(_PIECE))
                if not piece:
                    return
                yield piece

    def read_all(self, files: Sequence[str]) -> Iterator[bytes]:
        return map(self.read, files)

    def holds(self, file: str) -> bool:
        # Not `exists`, which takes a lost connection for a file that is not there.
        try:
            with _at_the_files():
                return bool(self._files.info(self._key(file))["type"] == "file")
        except FileNotFoundError:
            return False

    def create(self, file: str, content: Content) -> None:
        with _at_the_files():
            if self.holds(file):
                raise FileExistsError(errno.EEXIST, "another one was quicker")
            self.replace(file, content)

    def replace(self, file: str, content: Content) -> None:
        with _at_the_files():
            if self._is_whole:
                whole = b"".join(in_parts(content))
                self._files.pipe_file(self._key(file), whole)
                return
            temporary = self._key(f".{secrets.token_hex(8)}.tmp")
            try:
                with self._files.open(temporary, "wb") as opened:
                    opened.writelines(in_parts(content))
                self._files.mv(temporary, self._key(file))
            except BaseException:
                with suppress(Exception):
                    self._files.rm_file(temporary)
                raise

    def extend(self, file: str, line_after: LineAfter) -> bytes:
        with _at_the_files():
            content = self.read(file) if self.holds(file) else b""
            lines, cut = split(content)
            line = line_after(lines[-1] if lines else b"")
            self.replace(file, content[: len(content) - len(cut)] + line)
        return line

    def remove(self, file: str) -> None:
        with _at_the_files():
            self._files.rm_file(self._key(file))

    def files(self) -> list[str]:
        return self._listed("file")

    def folders(self) -> list[str]:
        return self._listed("directory")

    def os_lock(self, file: str) -> Literal["unsupported"]:  # noqa: ARG002
        """None: whoever ends without a word is found out by its lease."""
        return "unsupported"

    def problem(self, error: OSError) -> CrmPortfolioError:
        return problem_of(self.address, error)

    def _listed(self, kind: str = "") -> list[str]:
        try:
            with _at_the_files():
                self._files.invalidate_cache()
                found = self._files.ls(self._path, detail=True)
        except FileNotFoundError:
            return []
        told = (each for each in found if not kind or each["type"] == kind)
        return sorted(each["name"].rstrip("/").rpartition("/")[2] for each in told)


def _opened(fsspec: Any, address: Address) -> tuple[Any, str]:
    scheme, _, rest = address.url.partition("://")
    try:
        if scheme in OBJECT_STORES:
            with needs_extra():
                from obstore.fsspec import FsspecStore
            return FsspecStore(scheme), rest  # type: ignore[call-overload]
        files, path = fsspec.core.url_to_fs(address.url, use_listings_cache=False)
    except (ImportError, ValueError, TypeError) as error:
        raise SettingsError(
            f"the archive {str(address)!r} cannot be used: fsspec does not know "
            f"{scheme}://, or a package that it needs for it is not installed."
        ) from error
    return files, path.rstrip("/")


@contextmanager
def _at_the_files() -> Iterator[None]:
    """One thread at a time; what the file system raises is an `OSError`."""
    with _HERE:
        try:
            yield
        except (OSError, CrmPortfolioError):
            raise
        except Exception as error:  # noqa: BLE001 - each file system has its own
            # Its words may hold a login; its kind is enough to look it up.
            raise OSError(errno.EIO, type(error).__name__) from None
