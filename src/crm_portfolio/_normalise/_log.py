"""How are faults kept, however many there are?

By table and column, in the order of rows; so that they can be read back as one sorted
frame without ever being one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._normalise._runs import Room
from crm_portfolio._normalise._sorting import Sorter
from crm_portfolio.errors import SchemaError
from crm_portfolio.schema import Effect, fault_table, join_faults

__all__ = ["FaultLog", "left_out_rows"]

_RANKS: Final[tuple[Effect, ...]] = ("stops", "left_out", "kept")
_HELD: Final = 1 << 14
_ORDER: Final = ("row", "value", "fault")
Place: TypeAlias = tuple[int, str, str]  # rank of the effect, table, column


class FaultLog:
    """What was found so far.

    Attributes:
        counts: How many of each fault and effect, by table.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._sorters: dict[Place, Sorter] = {}
        self._seen: set[tuple[str, ...]] = set()
        self._stops: list[pa.Table] = []
        self._late_stops: list[pa.Table] = []
        self.counts: Counter[tuple[str, str, str]] = Counter()

    def add(self, parts: Iterable[pa.Table], *, late: bool = False) -> None:
        """Keep these; each part is of one table, column and fault.

        Args:
            late: They tell of rows that were clean by themselves; they stop only if
                nothing stopped before.
        """
        for part in parts:
            if len(part):
                self._add(part, late=late)

    def _add(self, part: pa.Table, *, late: bool) -> None:
        table, column, fault, effect = (
            part[name][0].as_py() for name in ("table", "column", "fault", "effect")
        )
        if part["row"].null_count:  # of the whole column, which is said once
            said = (table, column, fault, *map(str, part["value"].to_pylist()))
            if said in self._seen:
                return
            self._seen.add(said)
        self.counts[table, fault, effect] += len(part)
        if effect == "stops":
            (self._late_stops if late else self._stops).append(part)
        else:
            place = (_RANKS.index(effect), table, column)
            if place not in self._sorters:
                self._sorters[place] = Sorter(self._room, _ORDER, rows_held=_HELD)
            self._sorters[place].add(part)

    @property
    def has_stops(self) -> bool:
        """Whether looking for further faults is all that is left to do."""
        return bool(self._stops)

    def forget(self, name: str) -> None:
        """The table is walked anew."""
        for place in [place for place in self._sorters if place[1] == name]:
            self._sorters.pop(place).drop()
        self._seen = {said for said in self._seen if said[0] != name}
        for stops in (self._stops, self._late_stops):
            stops[:] = [part for part in stops if part["table"][0].as_py() != name]
        for said in [said for said in self.counts if said[0] == name]:
            del self.counts[said]

    def check(self) -> None:
        """Nothing, unless something stops."""
        if stops := self._stops or self._late_stops:
            raise SchemaError(join_faults(stops))

    def tables(self) -> Iterator[pa.Table]:
        """All that does not stop, as one frame in pieces, once."""
        yield fault_table()
        for place in sorted(self._sorters):
            yield from self._sorters[place].sorted()


def left_out_rows(parts: Iterable[pa.Table]) -> pa.Array:
    """The rows of which these faults say that they go."""
    rows = [
        part["row"].filter(pc.equal(part["effect"], "left_out")).combine_chunks()
        for part in parts
    ]
    return pa.concat_arrays([pa.array([], pa.int64()), *rows])
