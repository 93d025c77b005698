"""On what is a plan drafted before it has an id, and how is it read from a file?

Lines are put aside as they come, so that a plan of millions of changes is never in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import attrs

from crm_portfolio._storage import canonical_json
from crm_portfolio.archive import Lines, Ref, Spool
from crm_portfolio.writeback._document import (
    VERSION,
    covered,
    is_unstamped,
    read_line,
    read_record,
    renamed,
    to_line,
)
from crm_portfolio.writeback._planned import (
    Bordering,
    Draft,
    Edited,
    Ended,
    Missing,
    Pinned,
    PlannedRecord,
)
from crm_portfolio.writeback._tally import Tally

__all__ = ["Reading", "Reported", "Sheet"]

# Stands in new stamps while the id, which covers them, is made; no id is like it.
_UNNAMED: Final = "new"
Reported = Pinned | Ended | Edited | Missing | Bordering
# In the order in which they stand on file, the records behind them all.
_GROUPS: Final[dict[type[Any], str]] = {
    Pinned: "pinned",
    Ended: "ended",
    Edited: "edited",
    Missing: "missing",
    Bordering: "borders",
}
_RECORDS: Final = "records"


@attrs.define(eq=False)
class Sheet:
    """What a plan is to hold; its records come in the order of tables and ids.

    Attributes:
        tally: What the records come to so far.
    """

    tally: Tally = attrs.field(factory=Tally)
    _records: Spool = attrs.field(factory=Spool)
    _reported: dict[str, Spool] = attrs.field(
        factory=lambda: {name: Spool() for name in _GROUPS.values()}
    )
    _unstamped: set[Ref] = attrs.field(factory=set)
    _last: Ref | None = None

    def tell(self, part: Reported) -> None:
        """Put down what is told beside the changes."""
        self._reported[_GROUPS[type(part)]].add(canonical_json(to_line(part)))
        if isinstance(part, Edited) and is_unstamped(part, VERSION):
            self._unstamped.add((part.table, part.record_id))

    def add(self, draft: Draft) -> None:
        """Put down the changes of the next record.

        Raises:
            ValueError: It comes before the one before.
        """
        record = draft.stamped(_UNNAMED)
        ref = record.table, record.record_id
        if self._last is not None and ref < self._last:
            raise ValueError("the records of a plan come in order")
        self._last = ref
        self.tally.take(record)
        self._records.add(canonical_json(to_line(record)))

    def lines(self) -> Iterator[bytes]:
        """All lines, as the plan's id covers them."""
        for spool in self._reported.values():
            yield from spool.lines(0, len(spool))
        for line in self._records.lines(0, len(self._records)):
            yield covered(line, _UNNAMED)

    def named(self, plan_id: str) -> dict[str, Any]:
        """The parts of the plan, its id in the new stamps."""
        written = Spool()
        for line in self._records.lines(0, len(self._records)):
            written.add(renamed(line, _UNNAMED, plan_id))
        told = {
            name: Lines(spool, read_line, 0, len(spool))
            for name, spool in self._reported.items()
        }
        read = partial(read_record, unstamped=frozenset(self._unstamped))
        return {**told, _RECORDS: Lines(written, read, 0, len(written))}


@attrs.define(eq=False)
class Reading:
    """The lines of a plan on file, each of which is read once to see whether it is sound.

    Attributes:
        tally: What the records come to.
        is_as_written: Whether all of them are spelt and ordered as we do.
    """

    version: int
    _aside: Spool
    tally: Tally = attrs.field(factory=Tally)
    is_as_written: bool = True
    _counts: dict[str, int] = attrs.field(
        factory=lambda: dict.fromkeys((*_GROUPS.values(), _RECORDS), 0)
    )
    _unstamped: set[Ref] = attrs.field(factory=set)

    @classmethod
    def of(cls, aside: Spool, version: int) -> Reading:
        """Read all these lines.

        Raises:
            ValueError: One is no part of a plan; a `LookupError` or `TypeError` says the
                same.
        """
        found = cls(version, aside)
        places = {name: place for place, name in enumerate(found._counts)}
        before: tuple[Any, ...] = ()
        for line in aside.lines(0, len(aside)):
            part = read_line(line, found._unstamped)
            group = _GROUPS.get(type(part), _RECORDS)
            found._counts[group] += 1
            at: tuple[Any, ...] = (places[group],)
            if isinstance(part, PlannedRecord):
                at = (*at, part.table, part.record_id)
                found.tally.take(part)
            elif isinstance(part, Edited) and is_unstamped(part, version):
                found._unstamped.add((part.table, part.record_id))
            is_next = before < at or before == at == at[:1]
            is_spelt = canonical_json(to_line(part)) == line
            found.is_as_written &= is_next and is_spelt
            before = at
        return found

    def parts(self) -> dict[str, Lines[Any]]:
        """The parts of the plan."""
        found, start = {}, 0
        for name, count in self._counts.items():
            read: Any = read_line
            if name == _RECORDS:
                read = partial(read_record, unstamped=frozenset(self._unstamped))
            found[name] = Lines(self._aside, read, start, start + count)
            start += count
        return found
