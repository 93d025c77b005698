"""How do the changes stand at which a run works?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

import attrs

from crm_portfolio.archive._entries import TOUCHED, Entry, Key, is_settled, key_of
from crm_portfolio.archive._marks import mark_of, marked
from crm_portfolio.archive._told import Told, ToldChange
from crm_portfolio.protocols import Change, WritableTable

__all__ = ["Standing"]

# So many changes are in memory before all are put aside that nobody works at.
_IN_MEMORY: Final = 20_000
_TOUCHED: Final = mark_of("written")


@attrs.define(eq=False)
class Standing:
    """How every change of a run that was looked at stands, by table, record and column.

    Of most changes nothing more comes: they are put aside. Those in flight are here, and
    of other records what `recall` brought back.

    Attributes:
        entries: As last told.
        unchecked: Written by the CRM's word, and not yet seen in it.
    """

    entries: dict[Key, Entry] = attrs.field(factory=dict)
    unchecked: set[Key] = attrs.field(factory=set)
    _aside: Told = attrs.field(factory=Told)
    _sent: dict[int, dict[Key, Change]] = attrs.field(factory=dict)
    _unanswered: set[int] = attrs.field(factory=set)
    # They were written, or may have been, before what was last told of them.
    _touched: set[Key] = attrs.field(factory=set)

    @property
    def moved(self) -> Mapping[WritableTable, tuple[Key, ...]]:
        """By table what moved in its canary and should not have; absent: not yet judged."""
        return self._aside.moved

    @property
    def unexpected(self) -> tuple[Key, ...]:
        """What moved in any canary and should not have."""
        return self._aside.unexpected

    def told(self) -> Told:
        """What came of all changes so far, now put aside.

        What was sent and has no answer may have arrived.
        """
        tables = groupby(self.entries.items(), key=_table_of)
        for table, each in tables:
            self._aside.put(table, self._as_told(each))
        for number in self._unanswered:
            sent = {key: Entry(c, "unknown") for key, c in self._sent[number].items()}
            for table, each in groupby(sent.items(), key=_table_of):
                self._aside.put(table, self._as_told(each))
        for known in (self.entries, self.unchecked, self._touched):
            known.clear()
        self._sent.clear()
        self._unanswered.clear()
        return self._aside

    def rest(self) -> None:
        """Nobody works at any of them now: many are put aside."""
        if len(self.entries) > _IN_MEMORY and not self._unanswered:
            self.told()

    def recall(self, table: WritableTable, record_ids: Sequence[str]) -> None:
        """Have at hand again what is known of these records."""
        for known in self._aside.of(table, record_ids):
            key = known.entry.key
            if key not in self.entries:
                self.entries[key] = known.entry
                if known.is_unchecked:
                    self.unchecked.add(key)

    def is_settled(self, key: Key) -> bool:
        """Whether it is told what became of a change, once and for all."""
        entry, is_unchecked = self.entries.get(key), key in self.unchecked
        return entry is not None and is_settled(entry.state, is_unchecked=is_unchecked)

    def is_in_doubt(self, key: Key) -> bool:
        """Whether a change was sent, and nobody knows yet if it arrived."""
        if any(key in self._sent[number] for number in self._unanswered):
            return True
        entry = self.entries.get(key)
        return entry is not None and entry.state == "unknown"

    def intended(
        self, number: int, sent: Sequence[Change], left: Iterable[Entry]
    ) -> None:
        """Go on with an intent of this number."""
        for entry in left:
            self._note(entry)
        if sent:
            self._sent[number] = keys = {key_of(change): change for change in sent}
            self._unanswered.add(number)
            for key in keys.keys() & self.entries.keys():
                self._tell_again(key)

    def answered(self, intent: int, outcomes: Sequence[Entry]) -> None:
        """Go on with what came of what an intent sent, in its order."""
        self._unanswered.discard(intent)
        keys = self._sent[intent]
        self.entries.update(zip(keys, outcomes, strict=True))
        self.unchecked.difference_update(keys)
        self.unchecked.update(
            key
            for key, entry in zip(keys, outcomes, strict=True)
            if entry.state == "written"
        )

    def checked(self, intent: int, seen: Iterable[Entry]) -> None:
        """Go on with a look at what an intent sent: it is as answered, but for these."""
        self.unchecked.difference_update(self._sent.pop(intent))
        for entry in seen:
            self._note(entry)

    def judged(self, table: WritableTable, unexpected: Iterable[Key]) -> None:
        """Go on with what moved in the canary of a table, and should not have."""
        self._aside.moved[table] = tuple(unexpected)

    def _note(self, entry: Entry) -> None:
        key = entry.key
        if key in self.entries:
            self._tell_again(key)
        self.entries[key] = entry
        self.unchecked.discard(key)
        if entry.state == "overwritten_in_window":
            self._aside.overwritten[key] = entry.found

    def _tell_again(self, key: Key) -> None:
        if self.entries[key].state in TOUCHED:
            self._touched.add(key)

    def _as_told(self, entries: Iterable[tuple[Key, Entry]]) -> Iterator[ToldChange]:
        for key, entry in entries:
            change, found = entry.change, entry.found
            told: list[object] = [change.column, change.before, change.after]
            if entry.code or entry.field or found is not None:
                told += (entry.code, found, entry.field)
            mark = mark_of(entry.state, is_unchecked=key in self.unchecked)
            if key in self._touched:
                mark = marked(_TOUCHED, mark)
            yield change.record_id, mark, told


def _table_of(known: tuple[Key, Entry]) -> WritableTable:
    (table, _, _), _ = known
    return table
