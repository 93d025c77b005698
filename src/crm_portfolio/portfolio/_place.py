"""Where does the folder of a portfolio lie, and is a file there the one that was saved?

On this machine, or in a store that fsspec reaches. A file of this machine is known by its
checksum. To read one of a store whole for that would be what it lies there to avoid, so
its length has to do: an object is put whole or not at all.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias
from zlib import crc32

import attrs

from crm_portfolio._storage import digest_of
from crm_portfolio.archive import address_of, is_address
from crm_portfolio.archive._address import OBJECT_STORES, Address
from crm_portfolio.archive._refused import needs_extra, translated
from crm_portfolio.errors import RightMissingError, SettingsError, TransientError

__all__ = [
    "READY",
    "Folder",
    "Part",
    "Place",
    "Store",
    "folder_of",
    "is_part",
    "place_of",
]

READY: Final = ".ready"
"""Where a portfolio is that is whole, until its files stand in the folder itself."""

_Stamp: TypeAlias = tuple[int, ...]


@attrs.frozen
class Part:
    """A file of a table, as it was saved.

    Attributes:
        name: Its path below the folder.
        size: In bytes; None, as `rows`, in folders of before they were written there.
    """

    name: str
    checksum: str
    size: int | None = None
    rows: int | None = None

    @property
    def table(self) -> str:
        """The table it is of, which is in one file or in a folder of its name."""
        return self.name.partition("/")[0].removesuffix(".parquet")


def is_part(name: str) -> bool:
    """Whether this names a file below a folder, and none beside it."""
    parts = name.split("/")
    return name.endswith(".parquet") and not {"", ".", ".."} & {*parts}


class Place(Protocol):
    """A folder that is read."""

    @property
    def client(self) -> Any:
        """What engines reach its files by; None: they are files of this machine."""
        ...

    def exists(self) -> bool: ...

    def holds(self, name: str) -> bool: ...

    def read(self, name: str) -> bytes: ...

    def reached(self, name: str) -> Path | str:
        """What engines call the file."""
        ...

    def opened(self, name: str) -> Any:
        """In a ``with``: the file, as PyArrow reads it a piece at a time."""
        ...

    def stamp(self, name: str) -> _Stamp:
        """What changes with a file.

        Raises:
            FileNotFoundError: There is none.
        """
        ...

    def is_saved(self, part: Part) -> bool:
        """Whether the file is the one that was saved."""
        ...


@attrs.frozen
class Folder:
    """A folder of this machine; its files may still be on their way there."""

    path: Path

    client: Any = attrs.field(default=None, init=False)

    def __str__(self) -> str:
        return str(self.path)

    def exists(self) -> bool:
        return self.path.is_dir()

    def holds(self, name: str) -> bool:
        return self.reached(name).is_file()

    def read(self, name: str) -> bytes:
        return self.reached(name).read_bytes()

    def reached(self, name: str) -> Path:
        ready = self.path / READY / name
        return ready if ready.exists() else self.path / name

    @contextmanager
    def opened(self, name: str) -> Iterator[Path]:
        yield self.reached(name)

    def stamp(self, name: str) -> _Stamp:
        told = self.reached(name).stat()
        return told.st_ino, told.st_size, told.st_mtime_ns

    def is_saved(self, part: Part) -> bool:
        return digest_of(self.reached(part.name)) == part.checksum


@attrs.frozen(eq=False, slots=False)
class Store:
    """A folder that fsspec reaches; what lies there is looked up once."""

    address: str
    client: Any
    _path: str

    @classmethod
    def at(cls, address: Address) -> Store:
        """The place of an address; a login is where the store's client looks for it.

        Raises:
            MissingExtraError: The extra for stores is not installed.
            SettingsError: fsspec knows no such stores.
        """
        with needs_extra():
            import fsspec
        scheme, _, rest = address.url.partition("://")
        try:
            if scheme in OBJECT_STORES:
                with needs_extra():
                    from obstore.fsspec import FsspecStore
                # A new one each time, as the login may be another by now.
                client = FsspecStore(scheme, skip_instance_cache=True)  # type: ignore[call-overload]
                client.modified = partial(_version, client)
                return cls(address.url, client, rest)
            client, path = fsspec.core.url_to_fs(address.url)
        except (ImportError, ValueError, TypeError) as error:
            raise SettingsError(
                f"{address.url} cannot be read: fsspec does not know {scheme}://, or a "
                "package that it needs for it is not installed"
            ) from error
        return cls(address.url, client, path.rstrip("/"))

    def __str__(self) -> str:
        return self.address

    def exists(self) -> bool:
        return bool(self._sizes)

    def holds(self, name: str) -> bool:
        return name in self._sizes

    def read(self, name: str) -> bytes:
        with self._reading():
            return bytes(self.client.cat_file(f"{self._path}/{name}"))

    def reached(self, name: str) -> str:
        return str(self.client.unstrip_protocol(f"{self._path}/{name}"))

    @contextmanager
    def opened(self, name: str) -> Iterator[Any]:
        with self._reading(), self.client.open(f"{self._path}/{name}", "rb") as file:
            yield file

    def stamp(self, name: str) -> _Stamp:
        if name not in self._sizes:
            raise FileNotFoundError(errno.ENOENT, "it is missing")
        return (self._sizes[name],)

    def is_saved(self, part: Part) -> bool:
        return part.size in (None, self._sizes[part.name])

    @cached_property
    def _sizes(self) -> Mapping[str, int]:
        """How long each file is, by its path below this place."""
        try:
            with self._reading():
                self.client.invalidate_cache()
                found = self.client.find(self._path, detail=True)
        except FileNotFoundError:
            return {}
        start = len(self._path.lstrip("/")) + 1
        return {
            path.lstrip("/")[start:]: int(told["size"]) for path, told in found.items()
        }

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """What a store refuses, with what a person can do about it."""
        try:
            with translated():
                yield
        except FileNotFoundError:
            raise
        except PermissionError as error:
            raise RightMissingError(
                self.address,
                f"the store refuses this login{_said(error)}. The login is in the "
                "environment; it needs the rights to list and read under this address",
            ) from None
        except (ConnectionError, TimeoutError) as error:
            raise TransientError(
                self.address, f"the store cannot be read now{_said(error)}"
            ) from None
        except OSError as error:
            raise SettingsError(
                f"{self.address} cannot be read{_said(error)}. Mend the address, or "
                "what the environment says of the store; then do the same again."
            ) from None


def _said(error: OSError) -> str:
    """What the system says of it; an error that has no number has no such words."""
    return f": {error.strerror}" if error.strerror else ""


def _version(client: Any, path: str) -> datetime:
    """A moment for each version of an object: when it changed, not all clients can say.

    DuckDB asks, to know whether what it has read of it is still so.
    """
    told = str(client.info(path).get("e_tag"))
    return datetime.fromtimestamp(crc32(told.encode()), UTC)


def place_of(folder: Path | str) -> Place:
    """The place that a path or an address leads to.

    Raises:
        MissingExtraError: The extra for stores is not installed.
        SettingsError: The address holds a secret, or is none.
    """
    if not is_address(folder):
        return Folder(Path(folder).absolute())
    address = address_of(folder)
    return Folder(address) if isinstance(address, Path) else Store.at(address)


def folder_of(folder: Path | str) -> Path:
    """A folder that is to be written.

    Raises:
        SettingsError: It lies in a store.
    """
    found = address_of(folder) if is_address(folder) else Path(folder)
    if isinstance(found, Path):
        return found
    raise SettingsError(
        f"a portfolio is written to a folder of this machine, not to {found}: save it "
        "here, then copy the folder there whole, portfolio.json last"
    )
