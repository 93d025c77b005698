"""What must a contract test be able to do to the CRM behind a connector?

`Pretend` is the least. What else a pretend CRM can do is a protocol each; tests that
need what it cannot do are skipped, and say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

__all__ = ["Clocked", "Fallible", "Merging", "Pretend", "Quiet", "Timed", "Trouble"]

Trouble = Literal[
    "unavailable",  # the service says: not now
    "reset",  # the connection breaks before anything was done
    "reset_after_write",  # it was done, and the answer is lost
    "cut_body",  # the answer breaks off
    "empty",  # a 200 with nothing in it
    "busy",  # too many calls at once, or in a window
    "expired",  # the session has ended; a log-in is not struck by it
    "over_quota",  # the day's calls are used up
    "elsewhere",  # the answer sends the client to another host
    "gone",  # nothing answers from here on
]


class Pretend(Protocol):
    """A pretend CRM with accounts, as its author can poke it.

    Ids are those that the connector gives. Whatever is done here is done as a person does
    it in the CRM, not through the connector. Let its clock stand still while it is poked,
    so that many changes bear one stamp.
    """

    @property
    def api_calls(self) -> int:
        """Calls that arrived since the start, refused ones included, log-ins not."""
        ...

    def rename(self, account_id: str, name: str) -> None: ...

    def delete(self, account_id: str) -> None: ...

    def state(self) -> object:
        """All that the CRM holds but the traces of when and by whom, to compare two states."""
        ...


@runtime_checkable
class Fallible(Protocol):
    """A pretend CRM that fails when it is told to."""

    @property
    def calls_elsewhere(self) -> int:
        """Requests that arrived at the host that ``elsewhere`` names."""
        ...

    def trouble(self, kind: Trouble, *, at_call: int, calls: int = 1) -> None:
        """Let this happen at that call from now on, and at the next ``calls`` - 1.

        Raises:
            NotImplementedError: This CRM does not know such trouble.
        """
        ...


@runtime_checkable
class Clocked(Protocol):
    """A pretend CRM with a clock of its own."""

    def advance(self, seconds: float) -> None:
        """Let so much time go by."""
        ...


@runtime_checkable
class Merging(Protocol):
    """A pretend CRM in which two accounts can be made one."""

    def merge(self, loser: str, winner: str) -> None: ...


@runtime_checkable
class Quiet(Protocol):
    """A pretend CRM in which something changes without a new modified stamp."""

    def change_quietly(self, account_id: str) -> tuple[str, object]:
        """Change a volatile column; which one, and what it says from now on."""
        ...


@runtime_checkable
class Timed(Protocol):
    """A pretend CRM that notes when it was asked."""

    @property
    def arrivals(self) -> Sequence[float]:
        """When each call arrived, in seconds of one monotonic clock."""
        ...
