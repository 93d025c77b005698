"""How does each change of a run stand after what its segments tell?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Final, Self

import attrs

from crm_portfolio.archive._entries import (
    TOUCHED,
    Entry,
    Key,
    change_of,
    entry_of,
    key_of,
)
from crm_portfolio.archive._segments import Json, Segment
from crm_portfolio.archive._told import Told
from crm_portfolio.protocols import Change, Value, WritableTable

__all__ = ["Standing"]

# So many changes are in memory before all are put aside that nobody works at.
_IN_MEMORY: Final = 20_000


@attrs.define(eq=False)
class Standing:
    """How every change of a run that was looked at stands, by table, record and column.

    Of most changes nothing more comes: they are put aside. Those in flight are here, and
    of other records what `recall` brought back.

    Attributes:
        entries: As last told.
        touched: Changes that were written, or may have been, at any time.
        overwritten: What people had set where we wrote, or set right after; of all.
        unchecked: Written by the CRM's word, and not yet seen in it.
        moved: By table what moved in its canary and should not have; absent: not yet
            judged.
    """

    entries: dict[Key, Entry] = attrs.field(factory=dict)
    touched: dict[Key, Change] = attrs.field(factory=dict)
    overwritten: dict[Key, Value] = attrs.field(factory=dict)
    unchecked: set[Key] = attrs.field(factory=set)
    moved: dict[WritableTable, tuple[Key, ...]] = attrs.field(factory=dict)
    _sent: dict[int, dict[Key, Change]] = attrs.field(factory=dict)
    _unanswered: set[int] = attrs.field(factory=set)
    _aside: Told = attrs.field(factory=Told)

    @classmethod
    def of(cls, segments: Iterable[Segment]) -> Self:
        """How they stand after these segments; what has no answer is ``unknown``."""
        standing = cls()
        for segment in segments:
            standing.hear(segment)
        standing.give_up()
        return standing

    def beside(self) -> Self:
        """That of another run, whose changes are put aside in the same place."""
        return type(self)(aside=Told(self._aside))

    @property
    def unexpected(self) -> tuple[Key, ...]:
        """What moved in any canary and should not have."""
        return tuple(key for keys in self.moved.values() for key in keys)

    def told(self) -> Told:
        """What is known of all changes so far."""
        self._put_aside()
        return self._aside

    def recall(self, table: WritableTable, record_ids: Iterable[str]) -> None:
        """Have at hand again what is known of these records."""
        if self._aside.is_empty:
            return
        for record_id in record_ids:
            for known in self._aside.between(table, record_id, record_id):
                key = known.entry.key
                if known.is_touched:
                    self.touched[key] = known.entry.change
                if key not in self.entries:
                    self.entries[key] = known.entry
                    if known.is_unchecked:
                        self.unchecked.add(key)

    def rest(self) -> None:
        """Nobody works at any of them now: many are put aside."""
        if len(self.entries) > _IN_MEMORY and not self._unanswered:
            self._put_aside()
            self._sent.clear()
            for each in (self.entries, self.touched, self.unchecked):
                each.clear()

    def give_up(self) -> None:
        """What was sent and not answered may have arrived; no answer comes any more."""
        for intent in self._unanswered:
            self.touched |= self._sent[intent]

    def hear(self, segment: Segment) -> None:
        """Go on with the next segment of a run at which nobody works."""
        if segment.kind == "intent":
            self.rest()
        self.take(segment)

    def take(self, segment: Segment) -> None:
        """Go on with the next segment."""
        content = segment.content
        table: WritableTable = content.get("table", "account")  # told since version 3
        match segment.kind:
            case "begin":
                # What the process before did not answer will not be answered.
                self.give_up()
                self._unanswered.clear()
            case "intent":
                self._intend(segment.number, content, table)
            case "outcome":
                self._answer(content)
            case "check":
                self._look(content, table)
            case "canary":
                keys = ((table, one, column) for one, column in content["unexpected"])
                self.moved[table] = tuple(keys)

    def intended(
        self, number: int, sent: Sequence[Change], left: Iterable[Entry]
    ) -> None:
        """Go on with an intent of this number."""
        for entry in left:
            self._note(entry.key, entry)
        if sent:
            self._sent[number] = {key_of(change): change for change in sent}
            self._unanswered.add(number)
            for key, change in self._sent[number].items():
                self.entries[key] = Entry(change, "unknown")

    def answered(self, intent: int, outcomes: Iterable[Entry]) -> None:
        """Go on with what came of what an intent sent."""
        self._unanswered.discard(intent)
        for entry in outcomes:
            key = entry.key
            self._note(key, entry)
            if entry.state == "written":
                self.unchecked.add(key)

    def _intend(self, number: int, content: Json, table: WritableTable) -> None:
        left = [entry_of(told, table) for told in content["left"]]
        sent = [change_of(*change, table=table) for change in content["send"]]
        self.intended(number, sent, left)

    def _answer(self, content: Json) -> None:
        sent = self._sent[content["intent"]]
        outcomes = []
        for change, told in zip(sent.values(), content["results"], strict=True):
            state, code, *field = told  # the field since version 2
            outcomes.append(Entry(change, state, code, field="".join(field)))
        self.answered(content["intent"], outcomes)

    def _look(self, content: Json, table: WritableTable) -> None:
        self.unchecked.difference_update(self._sent[content["intent"]])
        for told in content["seen"]:
            entry = entry_of(told, table)
            self._note(entry.key, entry)

    def _note(self, key: Key, entry: Entry) -> None:
        self.entries[key] = entry
        self.unchecked.discard(key)
        if entry.state in TOUCHED:
            self.touched[key] = entry.change
        if entry.state == "overwritten_in_window":
            self.overwritten[key] = entry.found

    def _put_aside(self) -> None:
        if self.entries:
            in_doubt = set[Key]().union(*(self._sent[at] for at in self._unanswered))
            known = sorted(self.entries.items(), key=itemgetter(0))
            self._aside.put(known, self.touched.keys(), in_doubt, self.unchecked)
