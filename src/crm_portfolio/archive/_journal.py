"""What did a run intend, and what came of each change?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, Self

import attrs

from crm_portfolio._managed import canonical
from crm_portfolio.archive._failed import save_failed
from crm_portfolio.archive._segments import Segment
from crm_portfolio.protocols import (
    Change,
    Org,
    OutcomeState,
    Value,
    WritableTable,
)

__all__ = [
    "CANARY",
    "ChangeState",
    "Entry",
    "Journal",
    "Key",
    "Ref",
    "Standing",
    "key_of",
]

ChangeState = OutcomeState | Literal["not_sent", "overwritten_in_window"]
Key = tuple[WritableTable, str, str]  # a table, a record and a column
Ref = tuple[WritableTable, str]  # a table and a record
CANARY: Final = "canary"

# In these states the CRM took our value, or may have.
_TOUCHED: Final = frozenset({"written", "unknown", "overwritten_in_window"})


@attrs.frozen
class Entry:
    """What came of one change.

    Attributes:
        code: The CRM's, where it refused.
        found: What stood, or stands, in the field instead of ours.
        field: The CRM's name of the field it minds, where it tells.
    """

    change: Change
    state: ChangeState
    code: str = ""
    found: Value = None
    field: str = ""

    @property
    def key(self) -> Key:
        return key_of(self.change)


def key_of(change: Change) -> Key:
    """What names a change within a run."""
    return change.table, change.record_id, change.column


@attrs.frozen(slots=False)
class Journal:
    """What an apply did, each change in exactly one state.

    Attributes:
        run_id: The id of the plan that was applied.
        change_count: Changes in the plan.
        others: Records of other tables than accounts that were compared.
        compared: The same, for each column of these tables.
        entries: What came of them; those never looked at are not listed, only counted,
            as ``not_sent``.
        touched: Changes that were written, or may have been, at any apply of this run.
        interrupted: Why it stopped before its end, as a code; empty when it did not.
        overwritten: What people set in the window between our re-read and our read-back,
            by table, record and column.
        unexpected: Tables, records and columns that moved in the canary, and should not
            have.
        edited: Records it wrote though people had edited them, and which fields; none:
            nobody could tell which.
    """

    run_id: str
    org: Org
    as_of: date
    portfolio_id: str
    settings_digest: str
    population: int
    change_count: int
    entries: tuple[Entry, ...] = attrs.field(repr=False)
    touched: tuple[Change, ...] = attrs.field(repr=False)
    interrupted: str
    overwritten: Mapping[Key, Value] = attrs.field(factory=dict, repr=False, hash=False)
    unexpected: tuple[Key, ...] = ()
    others: Mapping[WritableTable, int] = attrs.field(
        factory=dict, repr=False, hash=False
    )
    compared: Mapping[str, int] = attrs.field(factory=dict, repr=False, hash=False)
    edited: Mapping[Ref, Sequence[str]] = attrs.field(
        factory=dict, repr=False, hash=False
    )

    @cached_property
    def counts(self) -> Mapping[ChangeState, int]:
        """How many changes ended in which state; the sum is that of the plan."""
        found = Counter(entry.state for entry in self.entries)
        found["not_sent"] += self.change_count - len(self.entries)
        return {state: n for state, n in sorted(found.items()) if n}

    @cached_property
    def failed(self) -> tuple[Entry, ...]:
        """Changes that were looked at and do not stand in the CRM."""
        fine = {"written", "unchanged", "not_sent"}
        return tuple(entry for entry in self.entries if entry.state not in fine)

    @property
    def exit_code(self) -> int:
        """0 all done, 3 some failed, 4 stopped by the canary, 5 apply it again."""
        if self.interrupted:
            return 4 if self.interrupted == CANARY else 5
        return 3 if self.failed else 0

    def save_failed(self, path: Path | str) -> int:
        """Write what failed for good into a file to mend; how many changes that is.

        CSV: ``after`` is what a person may mend, ``state``, ``code`` and ``field`` say why
        the CRM refused it, ``what_to_do`` what helps. `resend` makes a plan of it.
        """
        return save_failed(self.run_id, self.entries, path)

    def __str__(self) -> str:
        counts = ", ".join(f"{n:,} {state}" for state, n in self.counts.items())
        end = f"; interrupted ({self.interrupted})" if self.interrupted else ""
        return f"Run {self.run_id} on {self.org}: {counts or 'nothing to do'}{end}"

    @classmethod
    def of(cls, run_id: str, segments: Sequence[Segment]) -> Self:
        """The journal that these segments make, the first of which is a ``begin``."""
        starts = [s.number for s in segments if s.kind == "begin"]
        begun = segments[starts[-1] - 1].content
        last = segments[-1]
        standing = Standing.of(segments)
        return cls(
            run_id,
            org=Org(**begun["org"]),
            as_of=date.fromisoformat(begun["as_of"]),
            portfolio_id=begun["portfolio_id"],
            settings_digest=begun["settings_digest"],
            population=begun["population"],
            change_count=begun["change_count"],
            entries=tuple(standing.entries.values()),
            touched=tuple(standing.touched[key] for key in sorted(standing.touched)),
            interrupted=last.content["interrupted"]
            if last.kind == "end"
            else "stopped",
            overwritten=standing.overwritten,
            unexpected=standing.unexpected,
            others=begun.get("others", {}),
            compared=begun.get("compared", {}),
            edited=_edited(begun.get("edited", {})),
        )


@attrs.define(eq=False)
class Standing:
    """How every change of a run that was looked at stands, by table, record and column.

    Attributes:
        entries: As last told.
        touched: Changes that were written, or may have been, at any time.
        overwritten: What people had set where we wrote, or set right after.
        unchecked: Written by the CRM's word, and not yet seen in it.
        moved: By table what moved in its canary and should not have; absent: not yet
            judged.
    """

    entries: dict[Key, Entry] = attrs.field(factory=dict)
    touched: dict[Key, Change] = attrs.field(factory=dict)
    overwritten: dict[Key, Value] = attrs.field(factory=dict)
    unchecked: set[Key] = attrs.field(factory=set)
    moved: dict[WritableTable, tuple[Key, ...]] = attrs.field(factory=dict)
    _sent: dict[int, list[Change]] = attrs.field(factory=dict)
    _unanswered: set[int] = attrs.field(factory=set)

    @classmethod
    def of(cls, segments: Sequence[Segment]) -> Self:
        """How they stand after these segments; what has no answer is ``unknown``."""
        standing = cls()
        for segment in segments:
            standing.take(segment)
        for intent in standing._unanswered:
            changes = standing._sent[intent]
            standing.touched |= {key_of(change): change for change in changes}
        return standing

    @property
    def unexpected(self) -> tuple[Key, ...]:
        """What moved in any canary and should not have."""
        return tuple(key for keys in self.moved.values() for key in keys)

    def take(self, segment: Segment) -> None:
        """Go on with the next segment."""
        content = segment.content
        table: WritableTable = content.get("table", "account")  # told since version 3
        match segment.kind:
            case "intent":
                for told in content["left"]:
                    self._note(_entry(told, table))
                sent = [_change(*change, table=table) for change in content["send"]]
                self._sent[segment.number] = sent
                self._unanswered.add(segment.number)
                for change in sent:
                    entry = Entry(change, "unknown")
                    self.entries[entry.key] = entry
            case "outcome":
                sent = self._sent[content["intent"]]
                self._unanswered.discard(content["intent"])
                for change, told in zip(sent, content["results"], strict=True):
                    state, code, *field = told  # the field since version 2
                    self._note(Entry(change, state, code, field="".join(field)))
                    if state == "written":
                        self.unchecked.add(key_of(change))
            case "check":
                sent = self._sent[content["intent"]]
                self.unchecked -= {key_of(change) for change in sent}
                for told in content["seen"]:
                    self._note(_entry(told, table))
            case "canary":
                keys = ((table, one, column) for one, column in content["unexpected"])
                self.moved[table] = tuple(keys)

    def _note(self, entry: Entry) -> None:
        self.entries[entry.key] = entry
        self.unchecked.discard(entry.key)
        if entry.state in _TOUCHED:
            self.touched[entry.key] = entry.change
        if entry.state == "overwritten_in_window":
            self.overwritten[entry.key] = entry.found


def _edited(told: Any) -> Mapping[Ref, tuple[str, ...]]:
    if isinstance(told, Mapping):  # before version 3, of accounts only
        return {("account", one): tuple(columns) for one, columns in told.items()}
    return {(table, one): tuple(columns) for table, one, columns in told}


def _entry(told: Sequence[object], table: WritableTable) -> Entry:
    *change, state, code, found = told
    looked_at = _change(*change, table=table)
    try:
        found = canonical(looked_at.column, found)
    except ValueError:  # text in a field of days or numbers is shown as it stood
        found = str(found)
    return Entry(looked_at, state, code, found)  # type: ignore[arg-type]


def _change(
    record_id: object,
    column: object,
    before: object,
    after: object,
    *,
    table: WritableTable,
) -> Change:
    name = str(column)
    values = canonical(name, before), canonical(name, after)
    return Change(str(record_id), name, *values, table)
