"""What must a contract test be able to do to the CRM behind a connector?"""

from __future__ import annotations

from typing import Literal, Protocol

__all__ = ["Pretend", "Trouble"]

Trouble = Literal[
    "unavailable",  # the service says: not now
    "reset",  # the connection breaks before anything was done
    "reset_after_write",  # it was done, and the answer is lost
    "cut_body",  # the answer breaks off
    "empty",  # a 200 with nothing in it
    "busy",  # too many calls at once, or in a window
    "expired",  # the session has ended
    "over_quota",  # the day's calls are used up
    "elsewhere",  # the answer sends the client to another host
    "gone",  # nothing answers from here on
]


class Pretend(Protocol):
    """A pretend CRM with accounts, as its author can poke it.

    Ids are those that the connector gives. Whatever is done here is done as a person does
    it in the CRM, not through the connector.
    """

    @property
    def api_calls(self) -> int:
        """Calls that arrived since the start, refused ones included."""
        ...

    @property
    def calls_elsewhere(self) -> int:
        """Requests that arrived at the host that ``elsewhere`` names."""
        ...

    def trouble(self, kind: Trouble, *, at_call: int, calls: int = 1) -> None:
        """Let this happen at that call from now on, and at the next ``calls`` - 1."""
        ...

    def rename(self, account_id: str, name: str) -> None: ...

    def delete(self, account_id: str) -> None: ...

    def merge(self, loser: str, winner: str) -> None: ...

    def state(self) -> object:
        """All that the CRM holds but the traces of when and by whom, to compare two states."""
        ...
