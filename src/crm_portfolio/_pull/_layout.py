"""Which columns has a table whose pieces do not all have the same?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pyarrow as pa

from crm_portfolio._frames import to_arrow
from crm_portfolio.schema import Table, arrow_type

__all__ = ["common_schema", "fitted", "plain_rows"]

_TEXTS: Final = ("id", "text", "code")


def plain_rows(rows: pa.Table, spec: Table) -> pa.Table:
    """The rows with texts as texts, and all-null columns of the type they should have."""
    if all(_is_settled(field, spec) for field in rows.schema):  # the usual case
        return rows.replace_schema_metadata(None)
    rows = to_arrow(rows)
    fields = [pa.field(field.name, _plain_type(field, spec)) for field in rows.schema]
    return rows.cast(pa.schema(fields))


def _is_settled(field: pa.Field, spec: Table) -> bool:
    if field.name not in spec:
        return bool(field.type == pa.string())
    return field.type in (pa.string(), arrow_type(spec[field.name]))


def _plain_type(field: pa.Field, spec: Table) -> pa.DataType:
    if field.name not in spec:
        return field.type
    column = spec[field.name]
    if pa.types.is_null(field.type):
        return arrow_type(column)
    is_plain = pa.types.is_integer(field.type) or pa.types.is_boolean(field.type)
    return pa.string() if column.type in _TEXTS and is_plain else field.type


def common_schema(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """All columns of all; one that is text in some is text."""
    types: dict[str, set[pa.DataType]] = {}
    for schema in schemas:
        for field in schema:
            types.setdefault(field.name, set()).add(field.type)
    return pa.schema([(name, _common(kinds)) for name, kinds in types.items()])


def _common(kinds: set[pa.DataType]) -> pa.DataType:
    if len(kinds) > 1 and pa.string() in kinds:
        return pa.string()
    named = [pa.schema([("it", kind)]) for kind in sorted(kinds, key=str)]
    return pa.unify_schemas(named, promote_options="permissive").field("it").type


def fitted(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows with these columns; null where they have no such."""
    if rows.schema.equals(schema):
        return rows
    columns = [
        rows[field.name].cast(field.type)
        if field.name in rows.column_names
        else pa.nulls(len(rows), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
