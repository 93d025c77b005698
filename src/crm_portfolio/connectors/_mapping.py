"""How does what a source says become a model column?

A mapping is data: one `Field` for each model column, with the source's own field names
and a named converter. Converters take arrays and give an array. Typed arrays come out
typed; text stays text, because the normaliser judges it and reports every fault at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Mapping as MappingOf
from typing import TypeAlias

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._managed import FIELDS, canonical
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.protocols import edits_schema
from crm_portfolio.schema import TABLES, TableName, arrow_type

__all__ = [
    "CONVERTERS",
    "Converter",
    "Field",
    "Mapping",
    "chosen",
    "edits_table",
    "empty_as_null",
    "extended",
    "in_canonical_form",
    "mapped",
    "moments",
]

# The arrays of a field's sources, in their order, and the name of the org's time zone.
Converter: TypeAlias = Callable[[tuple[pa.Array, ...], str], pa.Array]


@attrs.frozen
class Field:
    """One model column and where it comes from.

    Attributes:
        sources: The source's own names; the column is absent unless all of them are there.
        convert: A name in `CONVERTERS`, or a function of arrays.
        constant: What every row says, for a column without a source.
        is_required: Absent sources are an error, not an absent column.
    """

    column: str
    sources: tuple[str, ...] = ()
    convert: str | Converter = "text"
    constant: str | None = None
    is_required: bool = False


Mapping: TypeAlias = MappingOf[TableName, tuple[Field, ...]]


def mapped(
    raw: pa.Table, fields: tuple[Field, ...], *, time_zone: str = "UTC"
) -> pa.Table:
    """The model columns of a raw table; a column whose sources are absent is absent.

    Chunk by chunk, so that no column is copied to be one piece.
    """
    names = set(raw.column_names)
    seen = tuple(
        field
        for field in fields
        if field.constant is not None or set(field.sources) <= names
    )
    pieces = raw.to_batches() or [_nothing(raw.schema)]
    return pa.Table.from_batches([_piece(piece, seen, time_zone) for piece in pieces])


def _nothing(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [pa.nulls(0, field.type) for field in schema], schema=schema
    )


def _piece(
    raw: pa.RecordBatch, fields: tuple[Field, ...], time_zone: str
) -> pa.RecordBatch:
    columns = {}
    for field in fields:
        if field.constant is not None:
            columns[field.column] = pa.repeat(pa.scalar(field.constant), raw.num_rows)
        else:
            arrays = tuple(raw.column(source) for source in field.sources)
            columns[field.column] = _converted(field, arrays, time_zone)
    return pa.RecordBatch.from_pydict(columns)


def _converted(field: Field, arrays: tuple[pa.Array, ...], time_zone: str) -> pa.Array:
    convert = field.convert if callable(field.convert) else CONVERTERS[field.convert]
    try:
        return convert(arrays, time_zone)
    except pa.ArrowException:
        # Arrow's own text shows the value.
        raise SettingsError(
            f"{field.column}: what {' and '.join(field.sources)} holds is no "
            f"{field.convert}; map the column onto another field"
        ) from None


def chosen(
    fields: tuple[Field, ...], columns: Sequence[str] | None
) -> tuple[Field, ...]:
    """Only the fields of these columns, in the mapping's order; None means all."""
    if columns is None:
        return fields
    return tuple(field for field in fields if field.column in columns)


def extended(
    mapping: Mapping, additions: MappingOf[str, MappingOf[str, object]]
) -> Mapping:
    """The mapping with a person's own fields; theirs replace ours column by column.

    Args:
        additions: For each table, column → field name, or
            column → ``{"field": name, "as": converter}``, or
            column → ``{"constant": text}``.
    """
    whole = dict(mapping)
    for table, said in additions.items():
        if table not in mapping:
            raise SettingsError(
                f"fields: no table {table!r} is mapped here{did_you_mean(table, mapping)}"
            )
        if not isinstance(said, MappingOf):
            raise SettingsError(f'fields.{table}: write {{column = "Field_Name"}}')
        name: TableName = table  # type: ignore[assignment]
        ours = {field.column for field in mapping[name]}
        added = {
            column: _added(name, column, value, ours) for column, value in said.items()
        }
        kept = tuple(field for field in mapping[name] if field.column not in added)
        whole[name] = (*kept, *added.values())
    return whole


def _added(table: TableName, column: str, said: object, ours: set[str]) -> Field:
    where = f"fields.{table}.{column}"
    model = TABLES[table]
    if column not in model.names:
        raise SettingsError(
            f"{where}: {table} has no column {column!r}{did_you_mean(column, model.names)}"
        )
    is_key = column in model.key and column in ours
    if is_key or column in FIELDS:
        raise SettingsError(f"{where}: this column is not yours to map")
    if isinstance(said, str):
        return Field(column, (said,), model[column].type, is_required=True)
    if not isinstance(said, MappingOf) or set(said) - {"field", "as", "constant"}:
        raise SettingsError(
            f'{where}: write "Field_Name" or {{field = "Field_Name", as = "percent"}}'
        )
    if set(said) == {"constant"} and isinstance(said["constant"], str):
        return Field(column, constant=said["constant"])
    source, convert = said.get("field"), said.get("as", model[column].type)
    if not isinstance(source, str) or convert not in list(CONVERTERS):
        raise SettingsError(
            f"{where}: 'field' is a field's name and 'as' one of {', '.join(CONVERTERS)}"
        )
    return Field(column, (source,), str(convert), is_required=True)


def in_canonical_form(rows: pa.Table, columns: Sequence[str]) -> pa.Table:
    """These columns, values that we write in the one form in which they compare."""
    arrays = {}
    for column in columns:
        arrays[column] = rows[column]
        if column in FIELDS:
            values = [canonical(column, value) for value in rows[column].to_pylist()]
            arrays[column] = pa.array(values, arrow_type(FIELDS[column]))
    return pa.table(arrays)


def edits_table(edits: Sequence[tuple[object, ...]]) -> pa.Table:
    """Record, column, moment, value and who, as `protocols.edits_schema` has them."""
    schema = edits_schema()
    named = [dict(zip(schema.names, edit, strict=True)) for edit in edits]
    return pa.Table.from_pylist(named, schema=schema)


def empty_as_null(text: pa.Array) -> pa.Array:
    """The text as it came, null where it is empty."""
    if pc.min(pc.binary_length(text)).as_py() != 0:  # costs a hundredth of the copy
        return text
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, text.type), text)


def _trimmed(text: pa.Array) -> pa.Array:
    return empty_as_null(pc.utf8_trim_whitespace(text))


def moments(text: pa.Array) -> pa.Array:
    """UTC moments from ``…T03:26:07.000+0000``, ``…Z`` or milliseconds since 1970."""
    if not _is_text(text):
        return text.cast(pa.timestamp("us", "UTC"))
    try:
        return text.cast(pa.timestamp("us", "UTC"))
    except pa.ArrowInvalid:
        return _moments_of_any_spelling(text)


def _moments_of_any_spelling(text: pa.Array) -> pa.Array:
    said = _trimmed(text)
    counted = pc.match_substring_regex(said, r"^-?\d{9,}$")
    nothing = pa.scalar(None, pa.string())
    written = pc.if_else(counted, nothing, said).cast(pa.timestamp("us", "UTC"))
    milliseconds = pc.if_else(counted, said, nothing).cast(pa.int64())
    return pc.coalesce(
        written, milliseconds.cast(pa.timestamp("ms", "UTC")).cast(written.type)
    )


_UTC = pa.timestamp("us", "UTC")


def _is_text(array: pa.Array) -> bool:
    return bool(pa.types.is_string(array.type) or pa.types.is_large_string(array.type))


def _text(arrays: tuple[pa.Array, ...], _zone: str) -> pa.Array:
    array = arrays[0]
    return empty_as_null(array if _is_text(array) else array.cast(pa.string()))


def _as(wanted: pa.DataType) -> Converter:
    def convert(arrays: tuple[pa.Array, ...], _zone: str) -> pa.Array:
        array = arrays[0]
        if array.type == wanted:
            return array
        return _trimmed(array) if _is_text(array) else array.cast(wanted)

    return convert


def _percent(arrays: tuple[pa.Array, ...], _zone: str) -> pa.Array:
    array = arrays[0]
    numbers = (_trimmed(array) if _is_text(array) else array).cast(pa.float64())
    return pc.divide(numbers, 100.0)


def _day(arrays: tuple[pa.Array, ...], zone: str) -> pa.Array:
    array = arrays[0]
    if _is_text(array):
        return _trimmed(array)
    if pa.types.is_timestamp(array.type):
        if array.type == _UTC and zone == "UTC":
            return array.cast(pa.date32())
        return pc.local_timestamp(array.cast(pa.timestamp("us", zone))).cast(
            pa.date32()
        )
    return array.cast(pa.date32())


def _moment(arrays: tuple[pa.Array, ...], zone: str) -> pa.Array:
    array = arrays[0]
    if _is_text(array):
        return _trimmed(array)
    if array.type == _UTC:
        return array
    if pa.types.is_date(array.type):
        midnight = pc.assume_timezone(
            array.cast(pa.timestamp("us")),
            zone,
            ambiguous="earliest",
            nonexistent="latest",
        )
        return midnight.cast(pa.timestamp("us", "UTC"))
    return array.cast(pa.timestamp("us", "UTC"))


def _host(arrays: tuple[pa.Array, ...], _zone: str) -> pa.Array:
    host = pc.utf8_lower(_trimmed(arrays[0]))
    # A look for what is seldom there is a third of the price of taking it away.
    for unwanted, hint in (
        (r"^[a-z][a-z0-9+.-]*://", None),
        (r"^[^/?#]*@", "@"),
        (r"[/?#:].*$", None),
        (r"^www\.", "www."),
    ):
        if hint is None or pc.any(pc.match_substring(host, hint)).as_py():
            host = pc.replace_substring_regex(host, pattern=unwanted, replacement="")
    if pc.any(pc.ends_with(host, ".")).as_py():
        host = pc.replace_substring_regex(host, pattern=r"\.$", replacement="")
    is_host = pc.match_substring_regex(host, r"^[^\s.]+(\.[^\s.]+)+$")
    return pc.if_else(is_host, host, pa.scalar(None, pa.string()))


_float = _as(pa.float64())
CONVERTERS: MappingOf[str, Converter] = {
    "id": _text,
    "text": _text,
    "code": _text,
    "integer": _as(pa.int64()),
    "number": _float,
    "money": _float,
    "share": _float,
    "percent": _percent,
    "boolean": _as(pa.bool_()),
    "day": _day,
    "moment": _moment,
    "host": _host,
}
