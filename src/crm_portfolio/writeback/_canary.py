"""Which records are written first, and did writing them move anything else?"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain, islice, zip_longest
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from crm_portfolio._managed import FIELDS, STAMP
from crm_portfolio.archive import Key
from crm_portfolio.protocols import Change, WritableTable
from crm_portfolio.writeback._held import Row
from crm_portfolio.writeback._owed import Placed
from crm_portfolio.writeback._planned import PlannedRecord

__all__ = ["first_slice", "moved", "unexpected"]

_OURS: Final = {STAMP, *FIELDS}
_LAST_RANK: Final = 2**62


def first_slice(records: Iterable[Placed], size: int) -> list[int]:
    """The places of so many accounts of every tier and every place within it, in order.

    Where a plan moves no tier, the ranks alone spread the slice. The records come in the
    order of their ids, and none of them is kept.
    """
    groups: defaultdict[str, _Group] = defaultdict(_Group)
    for place, record in records:
        groups[_tier(record)].add(record.rank or 0, place)
    turns = zip_longest(*(groups[tier].spread(size) for tier in sorted(groups)))
    in_turn = (place for place in chain.from_iterable(turns) if place is not None)
    return sorted(islice(in_turn, size))


@attrs.define(eq=False)
class _Group:
    """Where records of one tier stand, and their ranks."""

    _ranks: array[int] = attrs.field(factory=lambda: array("q"))
    _places: array[int] = attrs.field(factory=lambda: array("Q"))

    def add(self, rank: int, place: int) -> None:
        self._ranks.append(min(rank, _LAST_RANK))
        self._places.append(place)

    def spread(self, size: int) -> list[int]:
        """The first and the last by rank, and others at equal distances between."""
        order = np.argsort(np.frombuffer(self._ranks, np.int64), kind="stable")
        return [self._places[at] for at in _spread(order, size)]


def _tier(record: PlannedRecord) -> str:
    changes = (planned.change for planned in record.changes)
    return next((str(c.after or "") for c in changes if c.column == "tier"), "")


def _spread(order: npt.NDArray[np.int64], size: int) -> list[int]:
    count = min(size, len(order))
    if count < 2:
        return [int(at) for at in order[:count]]
    step = (len(order) - 1) / (count - 1)
    # Ends and middles first, for the turn may end before the group does.
    places = [round(number * step) for number in range(count)]
    in_turn = dict.fromkeys((places[0], places[-1], *places))
    return [int(order[place]) for place in in_turn]


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
