"""What came of one change, and how is it named?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import attrs

from crm_portfolio._managed import canonical
from crm_portfolio.protocols import Change, OutcomeState, Value, WritableTable

__all__ = [
    "TOUCHED",
    "ChangeState",
    "Entry",
    "Key",
    "Ref",
    "change_of",
    "entry_of",
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


def entry_of(told: Sequence[object], table: WritableTable) -> Entry:
    """An entry as a segment tells it; the field is told elsewhere."""
    *change, state, code, found = told
    looked_at = change_of(*change, table=table)
    try:
        found = canonical(looked_at.column, found)
    except ValueError:  # text in a field of days or numbers is shown as it stood
        found = str(found)
    return Entry(looked_at, state, code, found)  # type: ignore[arg-type]


def change_of(
    record_id: object,
    column: object,
    before: object,
    after: object,
    *,
    table: WritableTable,
) -> Change:
    """A change as a segment tells it."""
    name = str(column)
    values = canonical(name, before), canonical(name, after)
    return Change(str(record_id), name, *values, table)
