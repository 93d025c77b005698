"""How do model tables arrive: checked and typed, before any of it is a vendor's?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.errors import DataError
from crm_portfolio.schema import HUMAN, MANAGED, TABLES, TableName, arrow_type

__all__ = ["Given", "Tables", "text_or_none"]

Tables = Mapping[TableName, pa.Table]
_OURS = frozenset(
    field.column for table in MANAGED for field in (*MANAGED[table], *HUMAN[table])
)


class Given:
    """One model table, its columns typed as the schema says."""

    def __init__(self, name: TableName, table: pa.Table | None) -> None:
        self.name = name
        self._table = pa.table({}) if table is None else table
        self._known = TABLES[name]

    @property
    def count(self) -> int:
        rows: int = self._table.num_rows
        return rows

    def __contains__(self, column: str) -> bool:
        return column in self._table.column_names

    def get(self, column: str) -> pa.Array:
        """The column; all null where the table lacks it."""
        wanted = arrow_type(self._known[column]) if column in self._known else pa.null()
        if column not in self:
            return pa.nulls(self.count, wanted)
        array = self._table[column].combine_chunks()
        return _typed(array, wanted, f"{self.name}.{column}")

    def keys(self) -> pa.Array:
        (column,) = self._known.key
        if column not in self and self.count:
            raise DataError(f"the table {self.name} has no column {column}")
        ids = self.get(column)
        counted = pc.value_counts(ids)
        twice = counted.filter(pc.greater(pc.struct_field(counted, "counts"), 1))
        if ids.null_count or len(twice):
            example = twice[0]["values"].as_py() if len(twice) else None
            raise DataError(
                f"{self.name}.{column} must name each row once; {example!r} does not"
            )
        return ids

    def others(self, used: frozenset[str]) -> Iterator[tuple[str, pa.Array]]:
        """The columns with no home yet. Managed, pinned and derived ones have none."""
        for column in self._table.column_names:
            known = column in self._known
            is_derived = known and self._known[column].is_derived
            if column not in used | _OURS and not is_derived:
                array = self._table[column].combine_chunks()
                yield column, self.get(column) if known else array

    def choices(self, column: str) -> tuple[str, ...]:
        return self._known[column].choices if column in self._known else ()


def text_or_none(array: pa.Array) -> pa.Array:
    """A vendor knows no empty text."""
    return pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)


def _typed(array: pa.Array, wanted: pa.DataType, where: str) -> pa.Array:
    if wanted == pa.null():
        return array
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    is_text = pa.types.is_string(array.type) or pa.types.is_large_string(array.type)
    if pa.types.is_string(wanted):
        return text_or_none(array.cast(pa.string()))
    try:
        if not is_text:
            return array.cast(wanted)
        text = text_or_none(pc.utf8_trim_whitespace(array.cast(pa.string())))
        return _parsed(text, wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"{where} does not hold {wanted}: mend the data") from error


def _parsed(text: pa.Array, wanted: pa.DataType) -> pa.Array:
    if not pa.types.is_timestamp(wanted):
        return text.cast(wanted)
    try:
        return text.cast(wanted)
    except pa.ArrowInvalid:
        return text.cast(pa.timestamp("us")).cast(wanted)  # no zone said: UTC
