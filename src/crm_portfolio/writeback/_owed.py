"""Which records of a plan have a change without a state, of however many?

A byte for each record says so; the records themselves are read again from disk, a batch
at a time.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import attrs

from crm_portfolio.archive import Lines, Standing
from crm_portfolio.protocols import WritableTable
from crm_portfolio.writeback._planned import PlannedRecord

__all__ = ["Owed", "Placed"]

_DONE: Final = 0
_OWED: Final = 1
_HALF_DONE: Final = 2
Placed = tuple[int, PlannedRecord]  # a record, and its place among those of its table


@attrs.frozen(eq=False)
class Owed:
    """What is still to be done in the records of one table."""

    records: Lines[PlannedRecord]
    _marks: bytearray

    @classmethod
    def of(
        cls, table: WritableTable, records: Lines[PlannedRecord], standing: Standing
    ) -> Owed:
        """As what is known of their changes tells; nothing is told of most."""
        marks = bytearray([_OWED]) * len(records)
        told = standing.told().settled(table)
        known = next(told, None)
        for place, record in enumerate(records) if known else ():
            if known is None:
                break
            record_id, settled, is_half_done = known
            if record.record_id == record_id:
                is_done = settled >= len(record.changes)
                rest = _HALF_DONE if is_half_done else _OWED
                marks[place] = _DONE if is_done else rest
                known = next(told, None)
        return cls(records, marks)

    def __len__(self) -> int:
        return len(self._marks) - self._marks.count(_DONE)

    def half_done(self) -> Iterator[Placed]:
        """Those of which changes may be in the CRM already, unseen by us."""
        return self._marked(_HALF_DONE)

    def untouched(self) -> Iterator[Placed]:
        """The others."""
        return self._marked(_OWED)

    def places(self) -> array[int]:
        """Where all of them stand."""
        return array("Q", (place for place, mark in enumerate(self._marks) if mark))

    def at(self, places: Iterable[int]) -> Iterator[Placed]:
        """The records at these places."""
        return ((place, self.records[place]) for place in places)

    def settle(self, places: Sequence[int]) -> None:
        """Nothing more is to be done in the records at these places."""
        for place in places:
            self._marks[place] = _DONE

    def _marked(self, mark: int) -> Iterator[Placed]:
        if mark in self._marks:
            for place, line in enumerate(self.records.raw()):
                if self._marks[place] == mark:
                    yield place, self.records.read(line)
