"""What does a plan come to, counted as its records go by?

A plan may hold millions of changes: nothing that is told of it as a whole asks for them
again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs

from crm_portfolio._managed import FIELDS, STAMP, VALUES, run_of
from crm_portfolio.protocols import Value, WritableTable
from crm_portfolio.writeback._counted import Counted
from crm_portfolio.writeback._planned import PlannedChange, PlannedRecord

__all__ = ["LISTED", "SAMPLES", "Behind", "Largest", "Tally"]

LISTED: Final = 25
SAMPLES: Final = 3
# More are held for a while, so that they are not put in order with each one.
_HELD: Final = 8 * LISTED
Move = tuple[str, Value, Value]  # a field, and from what to what it goes


@attrs.define(eq=False)
class Largest:
    """The accounts of the highest ranks, each with the change of its tier.

    Attributes:
        count: How many there were.
    """

    count: int = 0
    _held: list[tuple[PlannedRecord, PlannedChange]] = attrs.field(factory=list)

    def take(self, record: PlannedRecord, planned: PlannedChange) -> None:
        self.count += 1
        self._held.append((record, planned))
        if len(self._held) > _HELD:
            self._held = self.first

    @property
    def first(self) -> list[tuple[PlannedRecord, PlannedChange]]:
        """The largest first; as many as are ever listed."""
        return sorted(self._held, key=_by_rank)[:LISTED]


def _by_rank(pair: tuple[PlannedRecord, PlannedChange]) -> tuple[bool, int, str]:
    record = pair[0]
    return record.rank is None, record.rank or 0, record.record_id


@attrs.define(eq=False)
class Behind:
    """How often a reason stands behind a field, and the first changes of which it does."""

    count: int = 0
    first: list[PlannedChange] = attrs.field(factory=list)

    def take(self, planned: PlannedChange) -> None:
        self.count += 1
        if len(self.first) < SAMPLES:
            self.first.append(planned)


@attrs.define(eq=False)
class Tally:
    """What the records of a plan come to.

    Attributes:
        changes: How many changes.
        records: How many records of each table.
        counted: What the limits ask; first fills are left out.
        counts: Changes per field, first fills left out.
        first_fills: First fills per field.
        emptied: Changes per field that leave nothing there.
        moves: How often a field of choices goes from which value to which.
        moved: The accounts whose tier moves.
        begun: Those that get their first one.
        reasons: By field and code: those of the first reason of each change.
        is_ours: Whether all of it is in fields that we write.
        is_sound: Whether what it writes as stamps are some.
    """

    changes: int = 0
    records: Counter[WritableTable] = attrs.field(factory=Counter)
    counted: Counted = attrs.field(factory=Counted)
    _counts: Counter[str] = attrs.field(factory=Counter)
    _first_fills: Counter[str] = attrs.field(factory=Counter)
    emptied: Counter[str] = attrs.field(factory=Counter)
    moves: Counter[Move] = attrs.field(factory=Counter)
    moved: Largest = attrs.field(factory=Largest)
    begun: Largest = attrs.field(factory=Largest)
    reasons: dict[tuple[str, str], Behind] = attrs.field(factory=dict)
    is_ours: bool = True
    is_sound: bool = True

    @classmethod
    def of(cls, records: Iterable[PlannedRecord]) -> Tally:
        found = cls()
        for record in records:
            found.take(record)
        return found

    @property
    def counts(self) -> Mapping[str, int]:
        return dict(sorted(self._counts.items()))

    @property
    def first_fills(self) -> Mapping[str, int]:
        return dict(sorted(self._first_fills.items()))

    @property
    def touched(self) -> set[str]:
        """The fields that any change is of."""
        return {*self._counts, *self._first_fills}

    @property
    def stamps(self) -> int:
        return self._counts[STAMP] + self._first_fills[STAMP]

    def movers(self) -> tuple[Largest, bool]:
        """The accounts whose tier moves, else those that get their first one."""
        return (self.moved, True) if self.moved.count else (self.begun, False)

    def moves_of(self, column: str) -> Sequence[tuple[tuple[Value, Value], int]]:
        """How often a field goes from which value to which, most frequent first."""
        found = {move[1:]: n for move, n in self.moves.items() if move[0] == column}
        return sorted(found.items(), key=lambda item: (-item[1], str(item[0])))

    def take(self, record: PlannedRecord) -> None:
        """Go on with the next record."""
        self.records[record.table] += 1
        self.changes += len(record.changes)
        for planned in record.changes:
            self._take(record, planned)

    def _take(self, record: PlannedRecord, planned: PlannedChange) -> None:
        change = planned.change
        column = change.column
        of_kind = self._first_fills if planned.is_first_fill else self._counts
        of_kind[column] += 1
        if change.after is None:
            self.emptied[column] += 1
        if not planned.is_first_fill:
            self.counted.take(change)
        if planned.reasons:
            place = column, planned.reasons[0].code
            self.reasons.setdefault(place, Behind()).take(planned)
        if column == STAMP:
            self.is_sound &= change.after is None or bool(run_of(str(change.after)))
        elif column not in VALUES[change.table]:
            self.is_ours = False
        elif FIELDS[column].choices:
            self.moves[column, change.before, change.after] += 1
            if column == "tier":
                largest = self.begun if planned.is_first_fill else self.moved
                largest.take(record, planned)
