"""What do the segments of a run tell of each of its changes, while nobody works at it?

What they tell goes where it is kept as it stands in them: no value is looked at before
somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import attrs

from crm_portfolio.archive._marks import mark_of
from crm_portfolio.archive._segments import Json, Segment
from crm_portfolio.archive._told import Told, ToldChange, value_of
from crm_portfolio.protocols import WritableTable

__all__ = ["Heard"]

# So many changes are in memory before they are put aside.
_IN_MEMORY: Final = 20_000
_UNANSWERED: Final = ("unknown", "", "")


@attrs.define(eq=False)
class _Sent:
    """What a segment says was about to be sent, or was not, and what came of it.

    Attributes:
        results: In the order of what was sent; None before an answer.
        seen: Where the CRM was not as its answer said; None before a look.
    """

    table: WritableTable
    send: Sequence[Sequence[Any]]
    left: Sequence[Sequence[Any]]
    results: Sequence[Sequence[Any]] | None = None
    seen: Sequence[Sequence[Any]] | None = None

    @property
    def is_unanswered(self) -> bool:
        return self.results is None and bool(self.send)

    def answers(self) -> Iterator[ToldChange]:
        """What came of what was sent; what has no answer may have arrived."""
        answers = self.results
        if answers is None:
            answers = [_UNANSWERED] * len(self.send)
        for sent, (state, code, *field) in zip(self.send, answers, strict=True):
            record_id, *change = sent
            if code or any(field):  # the field since version 2
                change = [*change, code, None, *field]
            is_unchecked = state == "written" and self.seen is None
            yield record_id, mark_of(state, is_unchecked=is_unchecked), change


@attrs.define(eq=False)
class Heard:
    """Listens to the segments of a run.

    Attributes:
        told: What came of its changes, but for those last heard of.
    """

    told: Told = attrs.field(factory=Told)
    _sent: dict[int, _Sent] = attrs.field(factory=dict)
    _in_memory: int = 0

    @classmethod
    def of(cls, segments: Iterable[Segment]) -> Told:
        """What came of the changes after these segments."""
        heard = cls()
        for segment in segments:
            heard.hear(segment)
        return heard.all()

    def hear(self, segment: Segment) -> None:
        """Go on with the next segment."""
        content = segment.content
        table: WritableTable = content.get("table", "account")  # told since version 3
        match segment.kind:
            case "begin":
                # What the process before did not answer will not be answered.
                self.all()
            case "intent":
                self._intend(segment.number, content, table)
            case "outcome":
                self._sent[content["intent"]].results = content["results"]
            case "check":
                self._sent[content["intent"]].seen = content["seen"]
            case "canary":
                keys = ((table, one, column) for one, column in content["unexpected"])
                self.told.moved[table] = tuple(keys)

    def all(self) -> Told:
        """What came of all changes so far; what has no answer gets none any more."""
        for sent in self._sent.values():
            self.told.put(sent.table, sent.answers())
            self.told.put(sent.table, self._found(sent.table, sent.left))
            self.told.put(sent.table, self._found(sent.table, sent.seen or ()))
        self._sent.clear()
        self._in_memory = 0
        return self.told

    def _intend(self, number: int, content: Json, table: WritableTable) -> None:
        is_much = self._in_memory > _IN_MEMORY
        if is_much and not any(sent.is_unanswered for sent in self._sent.values()):
            self.all()
        self._sent[number] = sent = _Sent(table, content["send"], content["left"])
        self._in_memory += len(sent.send) + len(sent.left)

    def _found(
        self, table: WritableTable, told: Iterable[Sequence[Any]]
    ) -> Iterator[ToldChange]:
        """What was found otherwise, before the sending or after it."""
        for record_id, column, before, after, state, code, found in told:
            if state == "overwritten_in_window":
                theirs = value_of(column, found)
                self.told.overwritten[table, record_id, column] = theirs
            yield record_id, mark_of(state), (column, before, after, code, found)
