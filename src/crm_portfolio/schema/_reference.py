"""What does the reference page of the tables say?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from crm_portfolio.schema._faults import FAULTS
from crm_portfolio.schema._fields import HUMAN, MANAGED
from crm_portfolio.schema._vocabulary import Column, ManagedField, Table, TableName

__all__ = ["markdown"]

_HEAD = """\
# Tables

<!-- Made from the schema by `crm_portfolio.schema.reference_markdown()`. -->

A portfolio is made of these tables. Only `account` must be there; an analysis that needs
another one says so. A column that a source cannot give is absent; a value that nobody
knows is null, never 0 and never empty text. Names end in `_id` (text), `_on` (a day in
the calendar's time zone), `_at` (a moment in UTC), `_share` (0 to 1), or begin with `is_`.

**must**: the column is required. **known** says since when the value was known: *at
creation*, with the row; *with* another column, since the day it names; *from changes*,
rebuilt from `opportunity_change`; *now only*, nobody can say what it was before.
A *volatile* column may change in a CRM without a new modified stamp; a *derived* one is
filled by the library, whatever a source says.

Columns come typed, or as canonical text: days as `2026-06-30`, moments as
`2026-06-30T14:05:00Z` (without a zone: UTC), numbers with a point, `true` and `false`.
"""

_TYPES = {
    "id": "id (text)",
    "text": "text",
    "code": "code (text)",
    "integer": "integer",
    "number": "number",
    "share": "share",
    "money": "money",
    "boolean": "true or false",
    "day": "day",
    "moment": "moment",
}


def markdown(tables: Mapping[TableName, Table]) -> str:
    """The reference page: tables, managed fields, faults."""
    parts = [_HEAD, *(_table(table) for table in tables.values()), _fields(), _faults()]
    return "\n".join(parts)


def _table(table: Table) -> str:
    rows = (
        (
            f"`{column.name}`",
            _TYPES[column.type],
            column.unit,
            "must" if column.required else "",
            _known(column),
            _meaning(column),
        )
        for column in table.columns
    )
    lines = [f"## `{table.name}`", "", table.meaning, ""]
    if table.key:
        lines += [
            "One row for each " + ", ".join(f"`{k}`" for k in table.key) + ".",
            "",
        ]
    head = ("column", "type", "unit", "", "known", "meaning")
    return "\n".join([*lines, *_grid(head, rows), ""])


def _known(column: Column) -> str:
    if column.is_derived:
        return "derived"
    if column.when == "dated_by":
        return f"with `{column.dated_by}`"
    known = column.when.replace("_", " ")
    return known + (", volatile" if column.is_volatile else "")


def _meaning(column: Column) -> str:
    said = column.meaning
    if column.choices:
        said += " One of " + ", ".join(f"`{choice}`" for choice in column.choices) + "."
    if column.refers_to:
        said += f" Refers to `{column.refers_to}`."
    return said


def _fields() -> str:
    rows = (
        (f"`{f.column}`", _kind(f), _hand(f), f.meaning) for f in (*MANAGED, *HUMAN)
    )
    head = ("column", "type", "who fills it", "meaning")
    return "\n".join(["## Fields of ours in the CRM", "", *_grid(head, rows), ""])


def _kind(field: ManagedField) -> str:
    if field.choices:
        return "one of " + ", ".join(f"`{choice}`" for choice in field.choices)
    return f"{field.type}, {field.scale} places" if field.scale else field.type


def _hand(field: ManagedField) -> str:
    return "people" if field.is_human else "`apply`"


def _faults() -> str:
    effects = {"stops": "the run stops", "left_out": "left out", "kept": "kept"}
    rows = (
        (f"`{kind.code}`", effects[kind.effect], kind.meaning, kind.hint)
        for kind in FAULTS.values()
    )
    head = ("fault", "effect on the row", "meaning", "what to do")
    said = "All faults are reported at once, as a frame: `portfolio.faults`, or "
    said += "`SchemaError.faults` where they stop the run."
    return "\n".join(["## Faults", "", said, "", *_grid(head, rows), ""])


def _grid(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield _line(head)
    yield _line(("---",) * len(head))
    yield from map(_line, rows)


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"
