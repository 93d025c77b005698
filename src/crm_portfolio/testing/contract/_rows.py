"""In what do two pulls of a table differ?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa

from crm_portfolio import schema
from crm_portfolio.protocols import Batch
from crm_portfolio.schema import TABLES, TableName

__all__ = ["differences", "ids_in", "latest", "repeated", "typed", "whole"]

_SHOWN = 3


def whole(batches: Sequence[Batch]) -> pa.Table:
    """The rows of all batches, in their order."""
    parts = [batch.rows for batch in batches if len(batch.rows)]
    parts = parts or [batches[0].rows]
    return pa.concat_tables(parts, promote_options="permissive").combine_chunks()


def typed(name: TableName, rows: pa.Table, time_zone: str) -> pa.Table:
    """The rows, cast as the normaliser casts them."""
    tables, _ = schema.read({name: rows}, time_zone=time_zone)
    return tables[name]


def ids_in(batches: Sequence[Batch]) -> list[str]:
    """The ids of a table whose key is one column, in the order in which they came."""
    key = TABLES[batches[0].table].key[0]
    return [str(one) for one in whole(batches)[key].to_pylist()]


def latest(batches: Sequence[Batch], column: str) -> dict[str, object]:
    """What the batches say last of each record, where they say it at all."""
    found: dict[str, object] = {}
    for batch in batches:
        if column in batch.rows.column_names:
            ids = batch.rows[TABLES[batch.table].key[0]].to_pylist()
            found.update(zip(ids, batch.rows[column].to_pylist(), strict=True))
    return found


def repeated(name: TableName, rows: pa.Table) -> str:
    """The records that came more than once, or nothing."""
    if not TABLES[name].key:
        return ""
    often = [one for one, times in Counter(_keys(name, rows)).items() if times > 1]
    return f"{len(often)} came more than once, {_few(often)}" if often else ""


def differences(
    name: TableName,
    found: pa.Table,
    expected: pa.Table,
    *,
    columns: Sequence[str] | None = None,
) -> str:
    """What is wrong with ``found``, in a sentence; empty if nothing is."""
    columns = expected.column_names if columns is None else columns
    if lacking := [one for one in columns if one not in found.column_names]:
        return f"{name}: the column {lacking[0]!r} does not come"
    faults = []
    ours, theirs = Counter(_keys(name, found)), Counter(_keys(name, expected))
    if lost := [*(theirs - ours)]:
        faults.append(f"{len(lost)} did not come, {_few(lost)}")
    surplus = [*(ours - theirs)]
    if often := [key for key in surplus if key in theirs]:
        faults.append(f"{len(often)} came too often, {_few(often)}")
    if strange := [key for key in surplus if key not in theirs]:
        faults.append(f"{len(strange)} came that are not there, {_few(strange)}")
    said = "; ".join(faults) or _first_value(name, found, expected, columns)
    return said and f"{name}: {said}"


def _first_value(
    name: TableName, found: pa.Table, expected: pa.Table, columns: Sequence[str]
) -> str:
    ours, theirs = _by_key(name, found), _by_key(name, expected)
    for column in columns:
        wanted = theirs[column].cast(ours[column].type)
        pairs = zip(ours[column].to_pylist(), wanted.to_pylist(), strict=True)
        for key, (said, meant) in zip(_keys(name, ours), pairs, strict=True):
            if said != meant:
                return f"{column} of {key!r} is {said!r}, not {meant!r}"
    return ""


def _by_key(name: TableName, rows: pa.Table) -> pa.Table:
    keys = TABLES[name].key or rows.column_names
    return rows.sort_by([(key, "ascending") for key in keys]).combine_chunks()


def _keys(name: TableName, rows: pa.Table) -> list[object]:
    keys = TABLES[name].key or tuple(rows.column_names)
    if len(keys) == 1:
        return list(rows[keys[0]].to_pylist())
    return list(zip(*(rows[key].to_pylist() for key in keys), strict=True))


def _few(these: Sequence[object]) -> str:
    return f"such as {', '.join(map(repr, these[:_SHOWN]))}"
