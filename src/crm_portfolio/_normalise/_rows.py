"""Which row of the source is this, and which rows go?"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.schema import Table, fault_table, faults_of

__all__ = [
    "ROW",
    "leave_out",
    "null",
    "numbered",
    "report",
    "set_column",
    "true_rows",
    "with_keys",
    "with_values",
]

# The row of the source, kept beside the model's columns until all faults are known.
ROW = "#row"


def numbered(table: pa.Table, first_row: int = 0) -> pa.Table:
    """The table with the number of each row."""
    rows = np.arange(first_row, first_row + len(table), dtype=np.int64)
    return table.append_column(ROW, pa.array(rows))


def true_rows(mask: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Where the mask is true; null counts as false."""
    known = pc.fill_null(mask, fill_value=False)
    if isinstance(known, pa.ChunkedArray):
        known = known.combine_chunks()  # older PyArrow crashes where there is no chunk
    return pc.indices_nonzero(known)


def null(type_: pa.DataType) -> pa.Scalar:
    return pa.scalar(None, type_)


def set_column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    """The table with that column replaced, or added."""
    if name in table.column_names:
        return table.set_column(table.column_names.index(name), name, values)
    return table.append_column(name, values)


def report(
    table: pa.Table,
    spec: Table,
    column: str,
    code: str,
    mask: pa.Array,
    *,
    shown: str | None = None,
) -> pa.Table:
    """The same fault for every masked row; ``shown`` is the column whose value to show."""
    if not pc.any(mask).as_py():
        return fault_table()
    shown = column if shown is None else shown
    used = [name for name in (shown, ROW) if name in table.column_names]
    found = table.select(used).take(true_rows(mask))
    values = found[shown].cast(pa.string()) if shown in found.column_names else None
    return faults_of(spec.name, column, code, rows=found[ROW], values=values)


def with_keys(found: pa.Table, rows: pa.Table, spec: Table) -> pa.Table:
    """The fault with the key of each row in its hint: in a CRM no row has a number.

    Args:
        found: One fault of these rows, which are numbered one after the other.
    """
    is_keyed = bool(spec.key) and set(spec.key) <= set(rows.column_names)
    if not len(found) or found["row"].null_count or not is_keyed:
        return found
    at = pc.subtract(found["row"], rows[ROW][0])
    keys = [rows[name].take(at).cast(pa.string()) for name in spec.key]
    said = pc.binary_join_element_wise(*[pc.fill_null(key, "?") for key in keys], " ")
    name = f"{' '.join(spec.key)} "
    hints = pc.binary_join_element_wise(name, said, ": ", found["hint"], "")
    return set_column(found, "hint", hints)


def with_values(found: pa.Table, rows: pa.Table, names: Sequence[str]) -> pa.Table:
    """The fault with what its rows say, as JSON.

    Args:
        found: One fault, of these rows and no others.
    """
    told = rows.select([name for name in names if name in rows.column_names])
    said = [json.dumps(row, default=str) for row in told.to_pylist()]
    return set_column(found, "said", pa.array(said, pa.string()))


def leave_out(table: pa.Table, mask: pa.Array) -> pa.Table:
    """The rows that the mask does not name."""
    return table.filter(pc.invert(pc.fill_null(mask, fill_value=False)))
