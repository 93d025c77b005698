"""What did a run intend, and what came of each change?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

import attrs

from crm_portfolio.archive._entries import ChangeState, Entry, Key, Ref, key_of
from crm_portfolio.archive._failed import save_failed
from crm_portfolio.archive._heard import Heard
from crm_portfolio.archive._segments import Segment
from crm_portfolio.archive._told import Known, Told, ToldChanges
from crm_portfolio.protocols import Change, Org, Value, WritableTable

__all__ = ["CANARY", "Journal"]

CANARY: Final = "canary"


@attrs.frozen(slots=False)
class Journal:
    """What an apply did, each change in exactly one state.

    Its changes are read from disk each time they are asked for, in the order of tables,
    records and columns.

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
    entries: Sequence[Entry] = attrs.field(repr=False, hash=False)
    touched: Sequence[Change] = attrs.field(repr=False, hash=False)
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
        entries = self.entries
        if isinstance(entries, ToldChanges):
            found = entries.states()
        else:
            found = Counter(entry.state for entry in entries)
        found["not_sent"] += self.change_count - found.total()
        return {state: n for state, n in sorted(found.items()) if n}

    @cached_property
    def failed(self) -> Sequence[Entry]:
        """Changes that were looked at and do not stand in the CRM."""
        if isinstance(self.entries, ToldChanges):
            return self.entries.failed()
        fine = {"written", "unchanged", "not_sent"}
        return tuple(entry for entry in self.entries if entry.state not in fine)

    def known(self, table: WritableTable, first: str, last: str) -> Iterator[Known]:
        """What is known of the changes of the records from one to another, in order."""
        if isinstance(self.entries, ToldChanges):
            yield from self.entries.between(table, first, last)
            return
        touched = set(self.touched)
        for entry in sorted(self.entries, key=lambda entry: entry.key):
            change = entry.change
            if change.table == table and first <= change.record_id <= last:
                yield Known(entry, change in touched)

    def keys_touched(self) -> Iterator[Key]:
        """What names the changes in ``touched``, in order: quicker than they are read."""
        if isinstance(self.touched, ToldChanges):
            return self.touched.keys_touched()
        return map(key_of, self.touched)

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
    def of(cls, run_id: str, segments: Iterable[Segment]) -> Self:
        """The journal that these segments make, the first of which is a ``begin``."""
        segments = list(segments)
        begun = [segment for segment in segments if segment.kind == "begin"]
        return cls.after(run_id, begun[-1], segments[-1], Heard.of(segments))

    @classmethod
    def after(cls, run_id: str, start: Segment, last: Segment, told: Told) -> Self:
        """The journal of a run that began so, the last of whose segments is this.

        Args:
            told: What came of all its changes.
        """
        begun = start.content
        return cls(
            run_id,
            org=Org(**begun["org"]),
            as_of=date.fromisoformat(begun["as_of"]),
            portfolio_id=begun["portfolio_id"],
            settings_digest=begun["settings_digest"],
            population=begun["population"],
            change_count=begun["change_count"],
            entries=told.entries(),
            touched=told.touched(),
            interrupted=last.content["interrupted"]
            if last.kind == "end"
            else "stopped",
            overwritten=told.overwritten,
            unexpected=told.unexpected,
            others=begun.get("others", {}),
            compared=begun.get("compared", {}),
            edited=_edited(begun.get("edited", {})),
        )


def _edited(told: Any) -> Mapping[Ref, tuple[str, ...]]:
    if isinstance(told, Mapping):  # before version 3, of accounts only
        return {("account", one): tuple(columns) for one, columns in told.items()}
    return {(table, one): tuple(columns) for table, one, columns in told}
