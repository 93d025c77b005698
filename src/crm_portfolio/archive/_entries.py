"""What came of one change, and how is it named?"""

from __future__ import annotations

from typing import Final, Literal

import attrs

from crm_portfolio.protocols import Change, OutcomeState, Value, WritableTable

__all__ = [
    "TOUCHED",
    "ChangeState",
    "Entry",
    "Key",
    "Ref",
    "is_settled",
    "key_of",
]

ChangeState = OutcomeState | Literal["not_sent", "overwritten_in_window"]
Key = tuple[WritableTable, str, str]  # a table, a record and a column
Ref = tuple[WritableTable, str]  # a table and a record

# In these states the CRM took our value, or may have.
TOUCHED: Final = frozenset({"written", "unknown", "overwritten_in_window"})


@attrs.frozen
class Entry:
    """What came of one change.

    Attributes:
        code: The CRM's, where it refused.
        found: What stood, or stands, in the field instead of ours.
        field: The CRM's name of the field it minds, where it tells.
    """

    change: Change
    state: ChangeState
    code: str = ""
    found: Value = None
    field: str = ""

    @property
    def key(self) -> Key:
        return key_of(self.change)


def key_of(change: Change) -> Key:
    """What names a change within a run."""
    return change.table, change.record_id, change.column


def is_settled(state: ChangeState, *, is_unchecked: bool) -> bool:
    """Whether the state of a change will stay, whatever else the run does."""
    return state not in ("not_sent", "unknown") and not is_unchecked
