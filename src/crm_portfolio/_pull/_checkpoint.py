"""How far has the pull of one table come, in a form that outlives the process?

No secret is in it, and no name: the org, the columns, a fingerprint of the settings, and
the cursors as the source gave them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, cast

import attrs

from crm_portfolio._storage import canonical_json, write_atomically
from crm_portfolio.protocols import Cursor
from crm_portfolio.schema import TableName

__all__ = ["Checkpoint", "Copy", "Identity", "Kind", "Part"]

Kind: TypeAlias = Literal["whole", "since"]
_FORMAT: Final = 1
_Json: TypeAlias = Mapping[str, Any]


@attrs.frozen
class Identity:
    """Whose table it is, and which settings shape it."""

    org: str
    columns: tuple[str, ...]
    fingerprint: str

    def differs_in(self, other: Identity) -> str:
        """What two of them do not share, in words; empty if nothing."""
        if self.org != other.org:
            return f"the copy is of {other.org or 'files'}"
        if self.columns != other.columns:
            return "it has other columns now"
        if self.fingerprint == other.fingerprint:
            return ""
        return "its mapping changed" if self.org else "the files are others now"


@attrs.frozen
class Part:
    """A pull that is under way, or whole and not yet taken over.

    Attributes:
        folder: Where its batches are, beside the checkpoint.
        batches: How many of them are stored.
        is_reconciled: All that is in the CRM was listed before the batches.
    """

    kind: Kind
    folder: str
    batches: int = 0
    rows: int = 0
    cursor: Cursor | None = None
    is_reconciled: bool = False
    is_done: bool = False


@attrs.frozen
class Copy:
    """What the source said, whole.

    Attributes:
        cursor: Since when to ask what changed; None: the source cannot tell.
        volatile_as_of: Since when columns that change without a trace are known.
        reconciled_at: When it was last compared with all that is in the CRM.
    """

    folder: str
    rows: int
    cursor: Cursor | None
    complete_as_of: datetime | None
    volatile_as_of: datetime | None
    reconciled_at: datetime | None


@attrs.frozen
class Checkpoint:
    """What is known of one table.

    Attributes:
        run: The run in which the copy was last brought up to date.
        way: How that was done.
    """

    identity: Identity
    run: str = ""
    way: Kind = "whole"
    copy: Copy | None = None
    part: Part | None = None

    def save(self, file: Path) -> None:
        plain = {"format": _FORMAT, **attrs.asdict(self)}
        write_atomically(file, canonical_json(plain) + b"\n")

    @classmethod
    def load(cls, file: Path) -> Checkpoint | None:
        """None: there is none that this version can read, so the table begins anew."""
        try:
            plain = json.loads(file.read_bytes())
            if plain["format"] != _FORMAT:
                return None
            return cls(
                _identity(plain["identity"]),
                plain["run"],
                plain["way"],
                _copy(plain["copy"]),
                _part(plain["part"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _identity(plain: _Json) -> Identity:
    return Identity(plain["org"], tuple(plain["columns"]), plain["fingerprint"])


def _part(plain: _Json | None) -> Part | None:
    if plain is None:
        return None
    return Part(**{**plain, "cursor": _cursor(plain["cursor"])})


def _copy(plain: _Json | None) -> Copy | None:
    if plain is None:
        return None
    moments = ("complete_as_of", "volatile_as_of", "reconciled_at")
    read = {name: _moment(plain[name]) for name in moments}
    return Copy(**{**plain, **read, "cursor": _cursor(plain["cursor"])})


def _cursor(plain: _Json | None) -> Cursor | None:
    if plain is None:
        return None
    taken_at = datetime.fromisoformat(plain["taken_at"])
    return Cursor(cast("TableName", plain["table"]), plain["token"], taken_at)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
