"""How was a folder of files understood, and how surely?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import attrs

from crm_portfolio._inert import inert

__all__ = ["ColumnProposal", "Confidence", "FileProposal", "Proposal"]

# given: a person or the dialect said so; certain: the cells leave no other reading;
# likely: the usual meaning, which a setting can overrule.
Confidence = Literal["given", "certain", "likely"]


@attrs.frozen
class ColumnProposal:
    """One header and the column it fills. ``how`` is the format its cells have."""

    column: str
    header: str
    how: str
    confidence: Confidence


@attrs.frozen
class FileProposal:
    """One file and the table it fills.

    Attributes:
        unmapped: Headers that nothing is read from.
        dropped_count: Rows left out because they are totals, notes or blank.
    """

    file: str
    table: str
    confidence: Confidence
    row_count: int
    dropped_count: int
    how: str
    columns: tuple[ColumnProposal, ...]
    unmapped: tuple[str, ...]


@attrs.frozen
class Proposal:
    """What a folder was taken for; ``str()`` is for a person to read.

    Attributes:
        notes: What was derived, left unknown or left out, with counts.
    """

    dialect: str
    confidence: Confidence
    files: tuple[FileProposal, ...]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"dialect {self.dialect} ({self.confidence})"
        for file in self.files:
            dropped = f", {file.dropped_count} dropped" if file.dropped_count else ""
            yield (
                f"{inert(file.file)} → {file.table} ({file.confidence}): "
                f"{file.row_count} row(s){dropped}; {file.how}"
            )
            for column in file.columns:
                how = f"{column.how}, " if column.how else ""
                yield f"  {inert(column.header)} → {column.column} ({how}{column.confidence})"
            if file.unmapped:
                yield f"  not read: {', '.join(map(inert, file.unmapped))}"
        yield from (f"note: {inert(note)}" for note in self.notes)
