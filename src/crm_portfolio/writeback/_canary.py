"""Which records are written first, and did writing them move anything else?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain, zip_longest

from crm_portfolio._managed import FIELDS, STAMP
from crm_portfolio.archive import Key
from crm_portfolio.protocols import Change, WritableTable
from crm_portfolio.writeback._held import Row
from crm_portfolio.writeback._planned import PlannedRecord

__all__ = ["first_slice", "moved", "unexpected"]

_OURS = {STAMP, *FIELDS}


def first_slice(
    records: Sequence[PlannedRecord], size: int
) -> tuple[tuple[PlannedRecord, ...], tuple[PlannedRecord, ...]]:
    """So many accounts of every tier and every place within it, and all the others.

    Where a plan moves no tier, the ranks alone spread the slice.
    """
    groups: defaultdict[str, list[PlannedRecord]] = defaultdict(list)
    for record in sorted(records, key=lambda one: (one.rank or 0, one.record_id)):
        groups[_tier(record)].append(record)
    turns = zip_longest(*(_spread(groups[tier], size) for tier in sorted(groups)))
    in_turn = [one for one in chain.from_iterable(turns) if one is not None]
    chosen = {record.record_id for record in in_turn[:size]}
    first = tuple(one for one in records if one.record_id in chosen)
    return first, tuple(one for one in records if one.record_id not in chosen)


def _tier(record: PlannedRecord) -> str:
    changes = (planned.change for planned in record.changes)
    return next((str(c.after or "") for c in changes if c.column == "tier"), "")


def _spread(group: Sequence[PlannedRecord], size: int) -> list[PlannedRecord]:
    """The first and the last of a group, and others at equal distances between."""
    count = min(size, len(group))
    if count < 2:
        return list(group[:count])
    step = (len(group) - 1) / (count - 1)
    # Ends and middles first, for the turn may end before the group does.
    places = [round(number * step) for number in range(count)]
    return [group[place] for place in dict.fromkeys((places[0], places[-1], *places))]


def unexpected(
    table: WritableTable,
    sent: Collection[Change],
    before: Mapping[str, Row],
    after: Mapping[str, Row],
    *,
    expected: Collection[str],
) -> Iterator[Key]:
    """What moved in these records without our doing; a record that went is its key.

    Args:
        sent: What was written to them.
        before: How they stood before that, in every column to be looked at.
        after: How they stand once the CRM had time to settle.
        expected: Columns that the CRM's own automation may change.
    """
    written = {(change.record_id, change.column): change.after for change in sent}
    for record_id, row in before.items():
        now = after.get(record_id)
        if now is None:
            yield table, record_id, f"{table}_id"
            continue
        for column, value in row.items():
            wanted = written.get((record_id, column), value)
            if column not in expected and now[column] != wanted:
                yield table, record_id, column


def moved(keys: Collection[Key]) -> tuple[tuple[str, int], ...]:
    """In how many records each column moved, ours first."""
    counts = Counter(column for *_, column in keys)
    return tuple(
        sorted(counts.items(), key=lambda told: (told[0] not in _OURS, told[0]))
    )
