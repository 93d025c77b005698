"""What stands in the CRM where we wrote, and who put it there?

Neither CRM can write only where nothing has changed since it was read. So what was sent is
read again: a value that is not ours came after us. What a person set between our re-read
and our write is gone from the field; only a CRM that remembers can tell it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from crm_portfolio._managed import STAMP, canonical
from crm_portfolio.archive import Entry, Standing, key_of
from crm_portfolio.protocols import Change, Tracing, Value, WritableTable
from crm_portfolio.writeback._held import Readable, Row

__all__ = ["SKEW", "has_landed", "overwritten", "seen", "stands"]

# How far the clock of this machine may be ahead of the CRM's; looking further back harms
# nothing, because what came before our re-read is told from what came after by its value.
SKEW: Final = timedelta(minutes=15)


def seen(
    sent: Sequence[Change], rows: Mapping[str, Row], standing: Standing
) -> Iterator[Entry]:
    """What became of the changes of one table that were sent, if the answer said otherwise.

    A change whose answer was lost, and that is not there, has no entry: it may go again.
    """
    by_record: dict[str, list[Change]] = {}
    for change in sent:
        by_record.setdefault(change.record_id, []).append(change)
    for record_id, changes in by_record.items():
        row = rows.get(record_id)
        told = [standing.entries[key_of(change)] for change in changes]
        doubtful = [entry.change for entry in told if entry.state == "unknown"]
        arrived = row is not None and has_landed(doubtful, row)
        for entry in told:
            is_ours = entry.state == "written" or (entry.state == "unknown" and arrived)
            if row is None and entry.state in ("written", "unknown"):
                yield Entry(entry.change, "gone")
            elif row is not None and is_ours:
                found = stands(entry.change, row)
                if found.state != entry.state:
                    yield found


def has_landed(changes: Sequence[Change], row: Row) -> bool:
    """Whether changes of one record, sent together and never answered, were written.

    The stamp tells, because nobody else writes ours; without it any of our values does.
    """
    marks = [change for change in changes if change.column == STAMP] or changes
    return any(row[change.column] == change.after for change in marks)


def stands(change: Change, row: Row) -> Entry:
    """A change that was written, as it is found."""
    current = row[change.column]
    if current == change.after:
        return Entry(change, "written")
    return Entry(change, "overwritten_in_window", found=current)


def overwritten(
    crm: Readable,
    table: WritableTable,
    changes: Sequence[Change],
    *,
    since: datetime,
) -> Iterator[Entry]:
    """Of changes that were written: those under which a person's edit lies.

    Args:
        since: When the records were read again, before they were written.
    """
    if not isinstance(crm, Tracing) or not changes:
        return
    ids = list(dict.fromkeys(change.record_id for change in changes))
    columns = sorted({change.column for change in changes} - {STAMP})
    if not columns:
        return
    told = crm.edits(table, ids, columns, since=since - SKEW)
    history: dict[tuple[str, str], list[Value]] = {}
    names = ("record_id", "column", "value")
    for record_id, column, text in zip(
        *(told[name].to_pylist() for name in names), strict=True
    ):
        history.setdefault((record_id, column), []).append(_value(column, text))
    for change in changes:
        values = history.get((change.record_id, change.column), [])
        before = _before_ours(values, change.after)
        if before and before[0] not in (change.before, change.after):
            yield Entry(change, "overwritten_in_window", found=before[0])


def _before_ours(values: Sequence[Value], ours: Value) -> tuple[Value] | None:
    """What the field held right before we wrote, as far as its history goes."""
    places = [place for place, value in enumerate(values) if value == ours]
    return (values[places[-1] - 1],) if places and places[-1] > 0 else None


def _value(column: str, text: str | None) -> Value:
    try:
        return canonical(column, text)
    except ValueError:  # a person may type anything
        return text
