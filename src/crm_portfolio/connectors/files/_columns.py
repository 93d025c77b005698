"""How does one file become rows of its table?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._inert import inert
from crm_portfolio.connectors.files._convert import CONVERTERS
from crm_portfolio.connectors.files._csv import Head
from crm_portfolio.connectors.files._footers import records
from crm_portfolio.connectors.files._headers import Layout, Lexicon, Match, fold, matched
from crm_portfolio.connectors.files._proposal import ColumnProposal, Confidence, FileProposal
from crm_portfolio.connectors.files._reading import Conventions, Reading, plain
from crm_portfolio.connectors.files._sheets import cells_of
from crm_portfolio.errors import FieldNotFoundError
from crm_portfolio.schema import FAULT_COLUMNS, FAULTS, TABLES, TableName

__all__ = ["FilePart", "part_of"]

# The amount that a currency beside it belongs to.
_PRICED: Final = ("amount", "original_amount")


@attrs.frozen(eq=False)
class FilePart:
    """The rows that one file gives its table.

    Attributes:
        questions: What only a person can settle.
        faults: Cells that could not be read, as fault tables.
    """

    table: TableName
    rows: pa.Table
    proposal: FileProposal
    questions: tuple[str, ...]
    faults: tuple[pa.Table, ...]
    modified: float


def part_of(
    head: Head,
    layout: Layout,
    words: Lexicon,
    conventions: Conventions,
    fields: Mapping[str, str],
    *,
    first_row: int,
    confidence: Confidence,
) -> FilePart:
    """The rows of one file as columns of its table.

    Args:
        fields: Column → header, as a person said.
        first_row: How many rows of the table other files gave before.

    Raises:
        FieldNotFoundError: The file lacks a header of ``fields``.
    """
    match = _with_fields(matched(head.headers, head.names, layout), head, layout, fields)
    columns = dict(match.columns)
    if words.dialect == "tables":
        # A header that the model does not know is refused later, with all other faults.
        taken = set(columns.values())
        columns |= {name: name for name in head.names if name not in taken}
    converters = {name: layout.converter(column) for column, name in columns.items()}
    wanted = dict.fromkeys((*columns.values(), *head.names[:1]))
    cells, ragged = cells_of(head, list(wanted))
    found = records(cells, ragged, head, words, converters)
    readings = {
        column: _read(found.rows[name], converters[name], conventions)
        for column, name in columns.items()
    }
    where = f"{head.path.name}: "
    questions = [
        *_rivalries(match, layout.table, where),
        *_lacking(layout, words, columns, where),
        *(
            f"{where}the column {columns[column]!r} ({layout.table}.{column}) {reading.question}"
            for column, reading in readings.items()
            if reading.question
        ),
    ]
    return FilePart(
        layout.table,
        _rows(readings, layout, found.rows.num_rows),
        _proposed(head, layout, columns, readings, fields, found.dropped_count, confidence),
        tuple(map(inert, questions)),
        tuple(_faults(head, layout.table, columns, readings, found.rows, first_row)),
        head.path.stat().st_mtime,
    )


def _with_fields(
    match: Match, head: Head, layout: Layout, fields: Mapping[str, str]
) -> Match:
    """The match with what a person said, which goes before what is known."""
    said = {}
    for column, header in fields.items():
        exact = [name for name in head.names if name == header]
        alike = [name for name in head.names if fold(name) == fold(header)]
        found = exact or alike
        if len(found) != 1:
            raise FieldNotFoundError(
                "files", layout.table, header, head.names, f"(In {head.path.name}.)"
            )
        said[column] = found[0]
    kept = {
        column: name
        for column, name in match.columns.items()
        if column not in said and name not in said.values()
    }
    rivals = {column: names for column, names in match.rivals.items() if column not in said}
    return Match({**kept, **said}, rivals)


def _rivalries(match: Match, table: str, where: str) -> Iterator[str]:
    for column, names in match.rivals.items():
        yield (
            f"{where}{' and '.join(map(repr, names))} could each be {table}.{column}: say "
            f'fields={{"{table}": {{"{column}": "{names[0]}"}}}}'
        )


def _lacking(
    layout: Layout, words: Lexicon, columns: Mapping[str, str], where: str
) -> Iterator[str]:
    """Ids that nothing can stand for; what else is missing is told with all faults."""
    if words.dialect == "tables" or layout.table != "opportunity":
        return
    for wanted in layout.wanted:
        if wanted.column == "opportunity_id" and wanted.column not in columns:
            yield (
                f"{where}no column holds the ids of the opportunities; add {wanted.label!r} "
                'to the export, or name it: fields={"opportunity": {"opportunity_id": "…"}}'
            )


def _read(cells: pa.ChunkedArray, converter: str, conventions: Conventions) -> Reading:
    column = cells.combine_chunks()
    if pa.types.is_large_string(column.type) or pa.types.is_null(column.type):
        column = column.cast(pa.string())
    if not pa.types.is_string(column.type):
        return plain(column)
    return CONVERTERS[converter](column, conventions)


def _rows(readings: Mapping[str, Reading], layout: Layout, row_count: int) -> pa.Table:
    columns = {column: reading.values for column, reading in readings.items()}
    for name in _PRICED:
        if name in readings and (currency := readings[name].currency) is not None:
            said = columns.get("currency")
            columns["currency"] = currency if said is None else pc.coalesce(said, currency)
            break
    for column, value in layout.constants.items():
        if column not in columns:
            columns[column] = pa.repeat(pa.scalar(value), row_count)
    if not columns:
        return pa.table({"": pa.nulls(row_count)}).select([])
    return pa.table(columns)


def _proposed(
    head: Head,
    layout: Layout,
    columns: Mapping[str, str],
    readings: Mapping[str, Reading],
    fields: Mapping[str, str],
    dropped_count: int,
    confidence: Confidence,
) -> FileProposal:
    read = tuple(
        ColumnProposal(
            column,
            name,
            readings[column].how,
            "given" if column in fields else readings[column].confidence,
        )
        for column, name in columns.items()
    )
    row_count = next((len(reading.values) for reading in readings.values()), 0)
    unmapped = tuple(name for name in head.names if name not in columns.values())
    return FileProposal(
        head.path.name,
        layout.table,
        confidence,
        row_count,
        dropped_count,
        head.how,
        read,
        unmapped,
    )


def _faults(
    head: Head,
    table: TableName,
    columns: Mapping[str, str],
    readings: Mapping[str, Reading],
    rows: pa.Table,
    first_row: int,
) -> Iterator[pa.Table]:
    for column, reading in readings.items():
        at = pc.indices_nonzero(reading.unread.fill_null(False))
        if not len(at):
            continue
        is_text = column in TABLES[table] and TABLES[table][column].type == "text"
        value = rows[columns[column]].take(at).combine_chunks()
        hint = f"{head.path.name}, {columns[column]!r}: {reading.hint}"
        said = {
            "table": table,
            "column": column,
            "fault": "wrong_type",
            "effect": FAULTS["wrong_type"].effect,
            "hint": inert(hint),
        }
        arrays = {name: pa.repeat(pa.scalar(text), len(at)) for name, text in said.items()}
        arrays["row"] = pc.add(at.cast(pa.int64()), first_row)
        arrays["value"] = pa.nulls(len(at), pa.string()) if is_text else value
        yield pa.table(
            [arrays[name] for name in FAULT_COLUMNS], schema=pa.schema(list(FAULT_COLUMNS.items()))
        )
