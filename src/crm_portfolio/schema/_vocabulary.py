"""In which words is a table described?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Literal

import attrs
import pyarrow as pa

__all__ = [
    "Column",
    "ColumnType",
    "ManagedField",
    "ManagedType",
    "OptIn",
    "Table",
    "TableName",
    "When",
    "WritableTable",
    "arrow_type",
]

TableName = Literal[
    "account",
    "opportunity",
    "opportunity_change",
    "stage",
    "enquiry",
    "activity",
    "ticket",
    "revenue_line",
    "invoice",
    "contract",
    "effort",
    "cost",
    "capacity",
    "product",
    "project",
    "rating",
    "event",
    "decision",
    "exchange_rate",
    "owner",
]
ColumnType = Literal[
    "id",
    "text",
    "code",
    "integer",
    "number",
    "share",
    "money",
    "boolean",
    "day",
    "moment",
]
When = Literal["at_creation", "dated_by", "from_changes", "now_only"]
ManagedType = Literal["code", "day", "integer", "share", "text"]
WritableTable = Literal["account", "opportunity"]
"""The tables in whose records fields of ours stand."""
OptIn = Literal["decision", "lost_class", "win_back"]
"""What is written only where the settings ask for it, by the name they ask with."""

_ARROW: Mapping[str, pa.DataType] = {
    "id": pa.string(),
    "text": pa.string(),
    "code": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "share": pa.float64(),
    "money": pa.float64(),
    "boolean": pa.bool_(),
    "day": pa.date32(),
    "moment": pa.timestamp("us", "UTC"),
}


@attrs.frozen
class Column:
    """One column of a table.

    Attributes:
        unit: "currency" means the portfolio's; such a column follows the row's rate.
        when: Since when its value was known: since the row was born, since the date in
            ``dated_by``, rebuilt from ``opportunity_change``, or only as of today.
        dated_by: The column that says since when; an id: since what it names was born.
        settled_by: The column since whose day a value that is rebuilt from changes
            stands, should nobody have kept the changes.
        choices: The only values allowed; empty means any.
        bounds: The smallest and the largest value allowed.
        is_volatile: It may change in a CRM without a new modified stamp.
        is_derived: The normaliser fills it; what a source says is ignored.
    """

    name: str
    type: ColumnType
    meaning: str
    required: bool = attrs.field(default=False, kw_only=True)
    unit: str = attrs.field(default="", kw_only=True)
    when: When = attrs.field(default="now_only", kw_only=True)
    dated_by: str | None = attrs.field(default=None, kw_only=True)
    settled_by: str | None = attrs.field(default=None, kw_only=True)
    choices: tuple[str, ...] = attrs.field(default=(), kw_only=True)
    bounds: tuple[float, float] | None = attrs.field(default=None, kw_only=True)
    refers_to: TableName | None = attrs.field(default=None, kw_only=True)
    is_volatile: bool = attrs.field(default=False, kw_only=True)
    is_derived: bool = attrs.field(default=False, kw_only=True)

    @property
    def is_in_currency(self) -> bool:
        return self.unit.startswith("currency")


@attrs.frozen
class Table:
    """One table: its columns, and what the normaliser must know about its rows.

    Attributes:
        key: The columns that name a row; empty where rows have no name.
        born: The column whose day says since when the row exists; None: not known.
        begins: The column of a first day that may lie ahead, where nobody knows when the
            row was born: on that day at the latest it was known.
        closes: The column that closes a row; a later date than the as-of reopens it.
        rate_day: The column whose day picks the exchange rate; null: the as-of day.
    """

    name: TableName
    key: tuple[str, ...]
    meaning: str
    columns: tuple[Column, ...] = attrs.field(repr=False)
    born: str | None = attrs.field(default=None, kw_only=True)
    begins: str | None = attrs.field(default=None, kw_only=True)
    closes: str | None = attrs.field(default=None, kw_only=True)
    rate_day: str | None = attrs.field(default=None, kw_only=True)

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.required)


@attrs.frozen
class ManagedField:
    """One field that is ours in the CRM, or that people fill for us.

    A column stands in one table only, but for the stamp, which every table has.

    Attributes:
        choices: The values of a picklist, before the settings name other tiers.
        scale: Decimal places.
        is_human: Read, never written.
        opt_in: What the settings ask for to have it written; None: it always is. An org
            may lack such a field.
    """

    column: str
    type: ManagedType
    label: str
    meaning: str
    choices: tuple[str, ...] = ()
    scale: int = 0
    max_length: int = 0
    is_human: bool = False
    opt_in: OptIn | None = None
    table: WritableTable = "account"


def arrow_type(column: Column | ManagedField) -> pa.DataType:
    """The Arrow type that holds this column."""
    return _ARROW[column.type]
