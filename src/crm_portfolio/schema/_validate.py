"""Which cells and rows do not fit their table?

Each table is looked at by itself; what concerns several tables (links, currencies, the
as-of date) is the normaliser's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.errors import did_you_mean
from crm_portfolio.schema._cast import cast
from crm_portfolio.schema._currencies import MINOR_DIGITS
from crm_portfolio.schema._faults import FAULTS, faults_of
from crm_portfolio.schema._vocabulary import Column, ColumnType, Table

__all__ = ["header_faults", "key_faults", "read_rows", "read_table"]

_SHOWN = 60  # characters of an unreadable cell
_HINTS: Mapping[ColumnType, str] = {
    "id": "write an id as text",
    "text": "write it as text",
    "code": "write it as text",
    "integer": "write a whole number in digits, as 1250",
    "number": "write a number with a point and no blanks, as 1250.5",
    "share": "write a share as a number with a point, as 0.25",
    "money": "write an amount with a point and neither blanks nor currency, as 1250.50",
    "boolean": "write true or false",
    "day": "write a day as 2026-06-30",
    "moment": "write a moment as 2026-06-30T14:05:00Z",
}


def read_table(
    spec: Table, raw: pa.Table, time_zone: str
) -> tuple[pa.Table, list[pa.Table]]:
    """The table with the schema's types, and every fault that it has by itself."""
    table, faults = read_rows(spec, raw, time_zone)
    keys = table.append_column("#row", pa.array(range(len(table)), pa.int64()))
    return table, [
        *header_faults(spec, raw.column_names),
        *faults,
        *key_faults(spec, keys),
    ]


def read_rows(
    spec: Table, raw: pa.Table, time_zone: str, *, first_row: int = 0
) -> tuple[pa.Table, list[pa.Table]]:
    """Rows with the schema's types in the schema's order, and the faults of their cells.

    A faulty cell is null, so that the rest can still be looked at. Derived columns are
    dropped: the normaliser makes them anew.

    Args:
        first_row: The number of the first of these rows in the whole table.
    """
    faults: list[pa.Table] = []
    columns = {}
    for column in spec.columns:
        if raw.column_names.count(column.name) == 1 and not column.is_derived:
            values, found = _read_column(
                spec, column, raw[column.name], time_zone, first_row
            )
            columns[column.name] = values
            faults += found
    return pa.table(columns), faults


def header_faults(spec: Table, names: Sequence[str]) -> Iterator[pa.Table]:
    """Columns that are unknown, stand twice, or lack."""
    for name in dict.fromkeys(names):
        if name not in spec:
            hint = FAULTS["unknown_column"].hint + did_you_mean(name, spec.names)
            yield faults_of(spec.name, name, "unknown_column", hint=hint)
        elif names.count(name) > 1:
            hint = "the column stands twice; drop one"
            yield faults_of(spec.name, name, "unknown_column", hint=hint)
    for name in spec.required:
        if name not in names:
            yield faults_of(spec.name, name, "missing_column")


def _read_column(
    spec: Table, column: Column, raw: pa.ChunkedArray, time_zone: str, first_row: int
) -> tuple[pa.Array, list[pa.Table]]:
    values, unreadable = cast(column, raw, time_zone)
    faults = []

    def report(
        code: str, mask: pa.Array, shown: pa.Array | None, hint: str = ""
    ) -> None:
        if not pc.any(mask).as_py():
            return
        rows = pc.indices_nonzero(pc.fill_null(mask, False)).cast(pa.int64())  # noqa: FBT003
        faults.append(
            faults_of(
                spec.name,
                column.name,
                code,
                rows=pc.add(rows, first_row),
                values=None if shown is None else _shown(shown.take(rows)),
                hint=hint,
            )
        )

    report("wrong_type", unreadable, raw, _HINTS[column.type])
    if column.required:
        empty = pc.and_not(values.is_null(), unreadable)
        report("missing_value", empty, None)
    for code, mask in _value_faults(column, values):
        report(code, mask, values, _allowed(code, column))
        if code == "unknown_choice" and pc.any(mask).as_py():
            values = pc.if_else(mask, pa.scalar(None, values.type), values)
    return values, faults


def _value_faults(column: Column, values: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    if column.choices:
        code = "unknown_status" if column.required else "unknown_choice"
        yield code, _not_in(values, column.choices)
    if column.bounds:
        low, high = column.bounds
        yield "out_of_bounds", pc.or_(pc.less(values, low), pc.greater(values, high))
    if column.type in {"day", "moment"}:
        yield "absurd_date", _absurd(values)
    if column.name in {"currency", "base"}:
        yield "unknown_currency", _not_in(values, MINOR_DIGITS)


def _allowed(code: str, column: Column) -> str:
    if code == "out_of_bounds" and column.bounds:
        return "it must be from {:g} to {:g}".format(*column.bounds)
    is_closed = code in {"unknown_status", "unknown_choice"}
    return "use one of " + ", ".join(column.choices) if is_closed else ""


def _not_in(values: pa.Array, known: Iterable[str]) -> pa.Array:
    return pc.and_not(
        values.is_valid(), pc.is_in(values, value_set=pa.array(known, pa.string()))
    )


def _absurd(values: pa.Array) -> pa.Array:
    if pa.types.is_date(values.type):
        first, end = pa.scalar(date(1900, 1, 1)), pa.scalar(date(2201, 1, 1))
    else:
        first, end = (
            pa.scalar(datetime(year, 1, 1, tzinfo=UTC), values.type)
            for year in (1900, 2201)
        )
    return pc.or_(pc.less(values, first), pc.greater_equal(values, end))


def _shown(cells: pa.Array | pa.ChunkedArray) -> pa.Array:
    texts = [None if cell is None else str(cell)[:_SHOWN] for cell in cells.to_pylist()]
    return pa.array(texts, pa.string())


def key_faults(spec: Table, numbered: pa.Table) -> Iterator[pa.Table]:
    """Rows whose key an earlier one has; the table has the row numbers in ``#row``."""
    if not spec.key or not set(spec.key) <= set(numbered.column_names):
        return
    keys = numbered.select([*spec.key, "#row"]).drop_null()
    firsts = keys.group_by(list(spec.key)).aggregate([("#row", "min")])
    if len(firsts) == len(keys):
        return
    again = keys.filter(pc.invert(pc.is_in(keys["#row"], value_set=firsts["#row_min"])))
    values = [
        " ".join(str(row[name]) for name in spec.key) for row in again.to_pylist()
    ]
    yield faults_of(
        spec.name, spec.key[0], "duplicate_id", rows=again["#row"], values=values
    )
