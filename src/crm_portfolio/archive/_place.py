"""What does an archive ask of the place where it is kept?

Few things, so that a disk and an object store can both do them: put a file where there is
none, put one whole, let one grow by a line, read, list. The first is what everything hangs
on: of two writers of one number, one gets it, and a file is there whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol, Self

from crm_portfolio._storage import Content
from crm_portfolio.archive._os_lock import OsLock
from crm_portfolio.errors import CrmPortfolioError

__all__ = ["LineAfter", "Place"]

LineAfter = Callable[[bytes], bytes]
"""Makes a line of the last whole one, which is empty where there is none."""


class Place(Protocol):
    """A folder of an archive, on a disk or in a store.

    What a place refuses is an `OSError`; `problem` tells it to a person.
    """

    @property
    def name(self) -> str:
        """The last part of its path."""

    @property
    def address(self) -> str:
        """Where the whole archive is, as told to people; no secret is in it."""

    def __truediv__(self, name: str) -> Self: ...

    def exists(self) -> bool: ...

    def make(self) -> None:
        """Be there, for its owner only; in a store that has folders at all."""

    def ready(self) -> None:
        """Be fit to be written by several runs, or refuse.

        Raises:
            OSError: It cannot keep two runs apart.
        """

    def read(self, file: str) -> bytes:
        """A file; `FileNotFoundError` where there is none."""

    def parts(self, file: str) -> Iterator[bytes]:
        """The same in pieces, a few of which are in memory; the first is asked for now."""

    def read_all(self, files: Sequence[str]) -> Iterator[bytes]:
        """These files in this order, more than one at a time where that is quicker."""

    def holds(self, file: str) -> bool: ...

    def create(self, file: str, content: Content) -> None:
        """Put a file where there is none, whole or not at all, to stay on return.

        Content in pieces is put in pieces where the place can; then nobody else may be
        putting the same file.

        Raises:
            FileExistsError: There is one, and it stays as it is.
        """

    def replace(self, file: str, content: Content) -> None:
        """Put a file whole, whatever was there."""

    def extend(self, file: str, line_after: LineAfter) -> bytes:
        """Put a line behind the last whole one, as if nobody else were there; gives it.

        Args:
            line_after: Asked again where another one was quicker.
        """

    def remove(self, file: str) -> None: ...

    def files(self) -> list[str]:
        """The names of the files right in it, sorted; none where it is not."""

    def folders(self) -> list[str]:
        """The names of the folders right in it, sorted."""

    def os_lock(self, file: str) -> OsLock | Literal["held", "unsupported"]:
        """A lock that the system frees when its holder ends, where there is one."""

    def problem(self, error: OSError) -> CrmPortfolioError:
        """What a person can do about it."""
