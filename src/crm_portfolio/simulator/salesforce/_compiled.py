"""What is a statement once it can be run, and how does a row of it become JSON?

A row is put aside typed; a page turns its rows into text, in DuckDB.
"""

from __future__ import annotations

from typing import Any

import attrs

__all__ = ["CHILD_PAGE", "Column", "Compiled"]

# vendor docs: the records below one record come in pages too.
CHILD_PAGE = 2000


@attrs.frozen
class Column:
    """One column of the rows put aside.

    Attributes:
        names: Where it goes in the answer: ``("Owner", "Name")``. An empty last name marks
            the id of a record, for its attributes.
        type: Its field's type; ``children`` for the list of the records below.
        entity: The object of the record whose id this is, else empty.
        below: The columns of each record below.
    """

    names: tuple[str, ...]
    sql_name: str
    type: str
    entity: str = ""
    below: tuple[Column, ...] = ()


@attrs.frozen
class Compiled:
    """One statement as SQL.

    Attributes:
        entity: The object it asks.
        sql: Its rows; the columns are named as in ``columns``.
        parameters: What ``$1``, ``$2`` and so on stand for in ``sql``.
        counting: SQL that counts the rows its WHERE keeps, with ``counted`` parameters.
    """

    sql: str
    parameters: tuple[Any, ...]
    columns: tuple[Column, ...]
    is_aggregate: bool
    entity: str = ""
    is_count: bool = False
    counting: str = ""
    counted: int = 0

    def record_sql(self, version: str, *, locator: str = "") -> str:
        """SQL for a record as a struct, its attributes first."""
        attributes = "{'type': 'AggregateResult'}" if self.is_aggregate else None
        return _record_sql(self.columns, version, attributes, locator)


def _record_sql(
    columns: tuple[Column, ...],
    version: str,
    attributes: str | None,
    locator: str = "",
    row: str = "",
) -> str:
    record: dict[str, Any] = {}
    for column in columns:
        place = record
        for name in column.names[:-1]:
            place = place.setdefault(name, {})
        place[column.names[-1]] = column
    return _struct(record, version, attributes, locator, row)


def _struct(
    record: dict[str, Any], version: str, attributes: str | None, locator: str, row: str
) -> str:
    key = record.pop("", None)
    if key is not None:
        root = f"/services/data/{version}/sobjects/{key.entity}/"
        its_id = f"{row}{key.sql_name}"
        attributes = f"{{'type': '{key.entity}', 'url': '{root}' || {its_id}}}"
    parts = [f"'attributes': {attributes}"]
    for name, value in record.items():
        if isinstance(value, dict):
            parent = f"{row}{value[''].sql_name}"
            nested = _struct(value, version, None, locator, row)
            shown = f"CASE WHEN {parent} IS NULL THEN NULL ELSE {nested} END"
        elif value.type == "children":
            shown = _children(value, version, locator)
        else:
            shown = _shown(value, row)
        parts.append(f"'{name}': {shown}")
    return "{" + ", ".join(parts) + "}"


def _shown(column: Column, row: str) -> str:
    sql = f"{row}{column.sql_name}"
    if column.type == "date":
        return f"strftime({sql}, '%Y-%m-%d')"
    if column.type == "datetime":
        return f"strftime({sql}, '%Y-%m-%dT%H:%M:%S.%g+0000')"
    return sql


def _children(column: Column, version: str, locator: str) -> str:
    """Recorded: an object like a page of its own, null where there is no record."""
    sql = column.sql_name
    record = _record_sql(column.below, version, None, row="x.")
    first = f"list_transform({sql}[1:{CHILD_PAGE}], lambda x: {record})"
    total = f"'totalSize': len({sql})"
    # The place of the rest: the row and the column beside the locator of the result.
    rest = f"'/services/data/{version}/query/{locator}' || '.' || rowid || '.{sql}-{CHILD_PAGE}'"
    whole = f"to_json({{{total}, 'done': true, 'records': {first}}})"
    begun = f"to_json({{{total}, 'done': false, 'nextRecordsUrl': {rest}, 'records': {first}}})"
    is_whole = f"len({sql}) <= {CHILD_PAGE}"
    return f"CASE WHEN {sql} IS NULL THEN NULL WHEN {is_whole} THEN {whole} ELSE {begun} END"


def child_sql(column: Column, version: str, start: int, end: int) -> str:
    """The records from one place to another among those below, as a list of structs."""
    record = _record_sql(column.below, version, None, row="x.")
    part = f"{column.sql_name}[{start + 1}:{end}]"
    return f"list_transform({part}, lambda x: {record})"
