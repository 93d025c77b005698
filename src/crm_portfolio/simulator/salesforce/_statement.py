"""In which words is a SOQL statement held, once it is parsed?"""

from __future__ import annotations

from typing import Final, Literal

import attrs

__all__ = [
    "AGGREGATES",
    "Call",
    "Child",
    "Comparison",
    "Condition",
    "Junction",
    "LiteralKind",
    "Literal_",
    "Negation",
    "Ordering",
    "Path",
    "Statement",
    "complaint",
]

LiteralKind = Literal["text", "number", "boolean", "null", "date", "moment", "relative"]
AGGREGATES: Final = ("COUNT", "COUNT_DISTINCT", "SUM", "AVG", "MIN", "MAX")


@attrs.frozen
class Path:
    """A field, through parents where dotted. ``at`` is where it stands, from 0."""

    parts: tuple[str, ...]
    at: int


@attrs.frozen
class Call:
    """A function of a field. ``COUNT()`` has no path; ``FIELDS(ALL)`` has ALL for one."""

    function: str
    path: Path | None
    alias: str | None
    at: int

    @property
    def is_aggregate(self) -> bool:
        return self.function in AGGREGATES


@attrs.frozen
class Literal_:  # noqa: N801 - typing owns the plain name
    """A value. A relative date such as ``LAST_N_DAYS:7`` has its number after the colon."""

    kind: LiteralKind
    text: str


@attrs.frozen
class Comparison:
    """``values`` of a list, or the ``within`` of a semi-join; never both."""

    subject: Path | Call
    operator: str
    values: tuple[Literal_, ...] = ()
    within: Statement | None = None


@attrs.frozen
class Junction:
    word: Literal["AND", "OR"]
    parts: tuple[Condition, ...]


@attrs.frozen
class Negation:
    part: Condition


Condition = Comparison | Junction | Negation


@attrs.frozen
class Ordering:
    subject: Path | Call
    is_descending: bool
    nulls_last: bool


@attrs.frozen
class Child:
    """A subquery among the selected: the records below this one."""

    statement: Statement
    at: int


@attrs.frozen
class Statement:
    """``entity`` is an object, or in a child subquery the name of the way down."""

    soql: str
    select: tuple[Path | Call | Child, ...]
    entity: str
    entity_at: int
    where: Condition | None = None
    group_by: tuple[Path, ...] = ()
    having: Condition | None = None
    order_by: tuple[Ordering, ...] = ()
    limit: int | None = None
    offset: int = 0
    wants_all_rows: bool = False

    @property
    def is_count(self) -> bool:
        """Is it the bare ``SELECT COUNT()``, whose answer is ``totalSize``?"""
        first = self.select[0]
        return isinstance(first, Call) and first.path is None

    @property
    def is_aggregate(self) -> bool:
        calls = (item for item in self.select if isinstance(item, Call))
        return bool(self.group_by) or any(call.is_aggregate for call in calls)


def complaint(soql: str, at: int, text: str) -> str:
    """The message with the statement, a pointer and a position, as the service writes."""
    start = max(0, at - 40)
    shown = soql[start : at + 40]
    return f"\n{shown}\n{' ' * (at - start)}^\nERROR at Row:1:Column:{at + 1}\n{text}"
