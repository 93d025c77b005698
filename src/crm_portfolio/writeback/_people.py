"""What have people done to our fields: which did they edit, which tier do they hold?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import attrs

from crm_portfolio._managed import PIN, STAMP, VALUES, is_own, run_of
from crm_portfolio.protocols import Value, WritableTable
from crm_portfolio.writeback._held import Row, as_text
from crm_portfolio.writeback._limits import Policy
from crm_portfolio.writeback._planned import Ended, Pinned

__all__ = ["Edits", "ended_pin", "find_edits", "is_bare", "is_edited", "valid_pin"]


def valid_pin(record_id: str, row: Row, as_of: date) -> Pinned | None:
    """The tier a person holds fast on that day, if any."""
    tier, until_on, by = (row.get(column) for column in PIN["account"])
    if tier is None or (isinstance(until_on, date) and until_on < as_of):
        return None
    until_on = until_on if isinstance(until_on, date) else None
    return Pinned(record_id, str(tier), until_on, as_text(by))


def ended_pin(
    record_id: str, row: Row, as_of: date, told_on: date | None
) -> Ended | None:
    """The pin that ended before that day, unless the run of ``told_on`` has said so."""
    tier, until_on, by = (row.get(column) for column in PIN["account"])
    if tier is None or not isinstance(until_on, date) or until_on >= as_of:
        return None
    if told_on is not None and until_on < told_on:
        return None
    return Ended(record_id, str(tier), until_on, as_text(by))


def is_bare(table: WritableTable, row: Row) -> bool:
    """Whether nothing of ours stands there: the record is new, or was emptied."""
    return all(row[column] is None for column in (*VALUES[table], STAMP))


def is_edited(table: WritableTable, row: Row) -> bool:
    """Whether the managed values are not as a run of ours left them.

    Of a record on which nothing stands only the archive can tell.
    """
    if row[STAMP] is None:
        return any(row[column] is not None for column in VALUES[table])
    return not is_own(as_text(row[STAMP]), row)


@attrs.frozen
class Edits:
    """What is known of the edits on one record.

    Attributes:
        table: Of the record.
        columns: Those that hold another value than our last run left there; None where
            nobody can tell.
        ours: What our last run left in each field it ever wrote.
    """

    table: WritableTable
    columns: frozenset[str] | None
    ours: Mapping[str, Value]

    @property
    def is_unstamped(self) -> bool:
        """Whether a person took a stamp of ours away, alone or with all else."""
        return self.columns is not None and STAMP in self.columns

    def standing(
        self, row: Row, wanted: Mapping[str, Value], policy: Policy
    ) -> frozenset[str]:
        """The fields in which a person's edit stays, or may; none: all is ours again.

        An edit stays unless the policy overwrites it with what the results assign, also
        where the two agree today.
        """
        replaced = {c: wanted[c] for c in wanted if policy.of(c) == "overwrite"}
        if self.columns is not None:
            # Who only took the stamp away changed none of our values.
            ends = {STAMP} if policy.edited != "keep" else set[str]()
            return self.columns - replaced.keys() - ends
        if is_own(as_text(row[STAMP]), {**row, **replaced}):
            return frozenset()  # whatever was edited is among what is replaced
        ours = VALUES[self.table]
        return frozenset(c for c in ours if policy.of(c) != "overwrite")

    def may_change(self, column: str, policy: Policy) -> bool:
        """Whether, beside an edit that stays, this field of the account may change."""
        match policy.of(column):
            case "overwrite":
                return True
            case "report":
                return self.columns is not None and column not in self.columns
            case "keep":
                return False


def find_edits(
    table: WritableTable, row: Row, ours: Mapping[str, Value] | None
) -> Edits:
    """What was edited on a record whose stamp does not fit, or is gone.

    Args:
        ours: What our last run left there, the stamp included; None without an archive.
    """
    mark = as_text(row[STAMP])
    if ours is None or (run_of(mark) and mark != ours.get(STAMP)):
        # Its newest stamp is of a run that this archive does not hold.
        return Edits(table, None, {})
    kept = (*VALUES[table], STAMP)
    columns = {column for column in kept if row[column] != ours.get(column)}
    return Edits(table, frozenset(columns) or None, ours)
