"""How is an archive kept in an object store?

An object is put whole or not at all, and under a condition: that there is none of this
name, or that it is still the one that was read. Of two writers the store takes one. When
its answer is lost on the way, the object itself says whose it is: no two of ours are
alike.
"""

from __future__ import annotations

import errno
import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import attrs

from crm_portfolio._storage import Content, in_parts
from crm_portfolio.archive._address import Address
from crm_portfolio.archive._lines import split
from crm_portfolio.archive._place import LineAfter
from crm_portfolio.archive._refused import needs_extra, problem_of, translated
from crm_portfolio.errors import CrmPortfolioError, SettingsError

if TYPE_CHECKING:
    from obstore import UpdateVersion
    from obstore.store import ObjectStore

__all__ = ["Objects"]

# One that the store must refuse: it tells whether conditions are minded at all.
_PROBE: Final = "conditions.probe"
_NEVER: Final[UpdateVersion] = {"e_tag": '"0x0"', "version": "1"}
_UNMINDED: Final = (
    "it puts an object although a condition forbids it, so two runs could both write. "
    "Use a store that minds If-None-Match and If-Match"
)
_READERS: Final = 8
# What is put in one request, and under a condition; more goes in so large pieces.
_PIECE: Final = 8 * 1024 * 1024
_ATTEMPTS: Final = 20
_RETRY: Final[Any] = {
    "max_retries": 5,
    "retry_timeout": timedelta(seconds=30),
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=2),
        "base": 2,
    },
}


@attrs.frozen
class _Known:
    """What this process knows of the store's objects, by their keys.

    Attributes:
        grown: Logs as they were left by ourselves, and their versions.
        doubtful: What was sent and never answered.
    """

    grown: dict[str, tuple[bytes, UpdateVersion]] = attrs.field(factory=dict)
    doubtful: dict[str, bytes] = attrs.field(factory=dict)


@attrs.frozen(eq=False)
class Objects:
    """A folder in a bucket, of objects whose names begin alike."""

    address: str
    _store: ObjectStore
    _path: str = ""
    _known: _Known = attrs.field(factory=_Known)

    @classmethod
    def at(cls, address: Address) -> Self:
        """The place of an address; the login is in the environment.

        Raises:
            MissingExtraError: The extra for stores is not installed.
            SettingsError: What the environment says of the store cannot be used.
        """
        with needs_extra():
            from obstore.exceptions import BaseError
            from obstore.store import from_url
        url = address.url.replace("gcs://", "gs://", 1)
        try:
            return cls(str(address), from_url(url, retry_config=_RETRY))
        except (BaseError, ValueError, TypeError):
            # Its own words may quote what the environment holds.
            raise SettingsError(
                f"the archive {str(address)!r} cannot be used: the address is none of "
                "such a store, or the environment says of it what cannot be."
            ) from None

    @property
    def name(self) -> str:
        return self._path.rpartition("/")[2]

    def __truediv__(self, name: str) -> Self:
        return attrs.evolve(self, path=self._key(name))

    def _key(self, name: str) -> str:
        return f"{self._path}/{name}" if self._path else name

    def exists(self) -> bool:
        found = self._listed()
        return bool(found["objects"] or found["common_prefixes"])

    def make(self) -> None:
        """Nothing: a bucket has no folders."""

    def ready(self) -> None:
        """Be sure that the store minds a condition, which older servers do not."""
        with suppress(FileExistsError):
            self._put_once(_PROBE, b"", "create")
            self._must_refuse("create")
        self._must_refuse(_NEVER)

    def _must_refuse(self, mode: Literal["create"] | UpdateVersion) -> None:
        try:
            self._put_once(_PROBE, b"", mode)
        except FileExistsError:
            return
        raise OSError(errno.ENOTSUP, _UNMINDED)

    def read(self, file: str) -> bytes:
        return self._get(file)[0]

    def parts(self, file: str) -> Iterator[bytes]:
        import obstore

        with translated():
            found = obstore.get(self._store, self._key(file))
        return _streamed(found)

    def read_all(self, files: Sequence[str]) -> Iterator[bytes]:
        if len(files) <= 1:
            yield from map(self.read, files)
            return
        with ThreadPoolExecutor(_READERS) as readers:
            for first in range(0, len(files), _READERS):  # more would wait in memory
                yield from readers.map(self.read, files[first : first + _READERS])

    def holds(self, file: str) -> bool:
        import obstore

        try:
            with translated():
                obstore.head(self._store, self._key(file))
        except FileNotFoundError:
            return False
        return True

    def create(self, file: str, content: Content) -> None:
        first, others = _begun(content)
        if others is None:
            self._put(file, first, "create")
            return
        # What is put in pieces takes no condition.
        if self.holds(file):
            raise FileExistsError(errno.EEXIST, "another one was quicker")
        self._put_in_pieces(file, first, others)

    def replace(self, file: str, content: Content) -> None:
        import obstore

        first, others = _begun(content)
        if others is not None:
            self._put_in_pieces(file, first, others)
            return
        with translated():
            obstore.put(self._store, self._key(file), first, use_multipart=False)

    def _put_in_pieces(self, file: str, first: bytes, others: Iterator[bytes]) -> None:
        """It is there whole, when the last piece is, or not at all."""
        import obstore

        pieces = itertools.chain((first,), others)
        with translated():
            obstore.put(
                self._store,
                self._key(file),
                pieces,
                use_multipart=True,
                chunk_size=_PIECE,
                max_concurrency=1,
            )

    def extend(self, file: str, line_after: LineAfter) -> bytes:
        key = self._key(file)
        for _ in range(_ATTEMPTS):
            known = self._known.grown.pop(key, None)
            content, version = known or self._so_far(file)
            lines, cut = split(content)
            try:
                line = line_after(lines[-1] if lines else b"")
            except CrmPortfolioError:
                if known is None:
                    raise
                continue  # what is known may be of before others went on
            grown = content[: len(content) - len(cut)] + line
            try:
                left = self._put(file, grown, version or "create")
            except FileExistsError:
                continue
            # After a lost connection, whether it grew is seen when it is read anew.
            self._known.grown[key] = grown, left
            return line
        raise TimeoutError(errno.ETIMEDOUT, "others were quicker each time")

    def _so_far(self, file: str) -> tuple[bytes, UpdateVersion | None]:
        try:
            return self._get(file)
        except FileNotFoundError:
            return b"", None

    def remove(self, file: str) -> None:
        import obstore

        with translated():
            obstore.delete(self._store, self._key(file))

    def files(self) -> list[str]:
        return _last_parts(each["path"] for each in self._listed()["objects"])

    def folders(self) -> list[str]:
        return _last_parts(self._listed()["common_prefixes"])

    def os_lock(self, file: str) -> Literal["unsupported"]:  # noqa: ARG002
        """None: whoever ends without a word is found out by its lease."""
        return "unsupported"

    def problem(self, error: OSError) -> CrmPortfolioError:
        return problem_of(self.address, error)

    def _listed(self) -> Any:
        import obstore

        with translated():
            return obstore.list_with_delimiter(self._store, self._path or None)

    def _get(self, file: str) -> tuple[bytes, UpdateVersion]:
        import obstore

        with translated():
            found = obstore.get(self._store, self._key(file))
            return bytes(found.bytes()), _version(found.meta)

    def _put(
        self, file: str, content: bytes, mode: Literal["create"] | UpdateVersion
    ) -> UpdateVersion:
        """Put an object under a condition; one whose answer was lost is known again.

        Raises:
            FileExistsError: Another one was quicker.
        """
        key = self._key(file)
        for is_last in (False, True):
            try:
                return self._put_once(file, content, mode)
            except FileExistsError:
                found, version = self._so_far(file)
                if version and found == content:
                    return version
                if version and found == self._known.doubtful.get(key):
                    late = (
                        "an earlier write, which it never answered, is there after all"
                    )
                    raise ConnectionError(errno.ECONNABORTED, late) from None
                if version or is_last:
                    raise
            except ConnectionError:
                if is_last:
                    self._known.doubtful[key] = content
                    raise
        raise AssertionError  # pragma: no cover - the last try returns or raises

    def _put_once(
        self, file: str, content: bytes, mode: Literal["create"] | UpdateVersion
    ) -> UpdateVersion:
        import obstore

        with translated():
            return _version(
                obstore.put(self._store, self._key(file), content, mode=mode)
            )


def _begun(content: Content) -> tuple[bytes, Iterator[bytes] | None]:
    """All of it, if it is little; else its beginning, and the pieces behind that."""
    if isinstance(content, bytes):
        return content, None
    pieces, first, size = iter(in_parts(content)), list[bytes](), 0
    for piece in pieces:
        first.append(piece)
        size += len(piece)
        if size > _PIECE:
            return b"".join(first), pieces
    return b"".join(first), None


def _streamed(found: Any) -> Iterator[bytes]:
    pieces = iter(found.stream(min_chunk_size=1 << 20))
    while True:
        with translated():
            piece = next(pieces, None)
        if piece is None:
            return
        yield bytes(piece)


def _last_parts(paths: Iterator[str] | Sequence[str]) -> list[str]:
    return sorted(path.rstrip("/").rpartition("/")[2] for path in paths)


def _version(told: Any) -> UpdateVersion:
    """Which object it was that was read or put: a tag, or a number."""
    found: Any = {name: told[name] for name in ("e_tag", "version") if told[name]}
    return found  # type: ignore[no-any-return]
