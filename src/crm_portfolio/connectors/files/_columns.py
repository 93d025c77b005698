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
from crm_portfolio.connectors.files._headers import (
    Layout,
    Lexicon,
    Match,
    fold,
    matched,
)
from crm_portfolio.connectors.files._proposal import (
    ColumnProposal,
    Confidence,
    FileProposal,
)
from crm_portfolio.connectors.files._reading import Conventions, Reading, plain
from crm_portfolio.connectors.files._sheets import cells_of
from crm_portfolio.errors import FieldNotFoundError
from crm_portfolio.schema import FAULT_COLUMNS, FAULTS, TABLES, TableName

__all__ = ["FilePart", "part_of"]

# The amounts that a currency beside them belongs to.
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


@attrs.frozen(eq=False)
class _Read:
    """The columns of one file, read.

    Attributes:
        names: Column → name of its header.
        cells: What the file says, under the names of its headers.
    """

    head: Head
    layout: Layout
    names: Mapping[str, str]
    cells: pa.Table
    readings: Mapping[str, Reading]


def part_of(
    head: Head,
    layout: Layout,
    words: Lexicon,
    conventions: Conventions,
    *,
    fields: Mapping[str, str],
    first_row: int,
    confidence: Confidence,
) -> FilePart:
    """The rows of one file as columns of its table.

    ``fields`` is column → header, as a person said; ``first_row`` how many rows of the
    table other files gave before; ``confidence`` how surely the file is of that table.

    Raises:
        FieldNotFoundError: The file lacks a header of ``fields``.
    """
    match = _with_fields(
        matched(head.headers, head.names, layout), head, layout, fields
    )
    names = dict(match.columns)
    if words.dialect == "tables":
        # A header that the model does not know is refused later, with all other faults.
        taken = {*names, *names.values()}
        names |= {name: name for name in head.names if name not in taken}
    converters = {name: layout.converter(column) for column, name in names.items()}
    wanted = dict.fromkeys((*names.values(), *head.names[:1]))
    cells, ragged = cells_of(head, list(wanted))
    found = records(cells, ragged, head, words, converters)
    readings = {
        column: _read(found.rows[name], converters[name], conventions)
        for column, name in names.items()
    }
    read = _Read(head, layout, names, found.rows, _agreed(readings))
    return FilePart(
        layout.table,
        _rows(read),
        FileProposal(
            head.path.name,
            layout.table,
            confidence,
            found.rows.num_rows,
            found.dropped_count,
            head.how,
            tuple(_proposed(read, fields)),
            tuple(name for name in head.names if name not in names.values()),
        ),
        tuple(inert(question) for question in _questions(read, match, words)),
        tuple(_faults(read, first_row)),
        head.path.stat().st_mtime,
    )


def _with_fields(
    match: Match, head: Head, layout: Layout, fields: Mapping[str, str]
) -> Match:
    """The match with what a person said, which goes before what is known."""
    said = {}
    for column, header in fields.items():
        exact = [name for name in head.names if name == header]
        found = exact or [name for name in head.names if fold(name) == fold(header)]
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
    rivals = {
        column: names for column, names in match.rivals.items() if column not in said
    }
    return Match({**kept, **said}, rivals)


def _read(cells: pa.ChunkedArray, converter: str, conventions: Conventions) -> Reading:
    column = cells.combine_chunks()
    if pa.types.is_large_string(column.type) or pa.types.is_null(column.type):
        column = column.cast(pa.string())
    if converter == "text" or not pa.types.is_string(column.type):
        return plain(column)
    # Most cells repeat, and a convention is a matter of the different ones.
    encoded = column.dictionary_encode()
    return CONVERTERS[converter](encoded.dictionary, conventions).spread(
        encoded.indices
    )


def _agreed(readings: Mapping[str, Reading]) -> dict[str, Reading]:
    """Amounts whose own currency is not the one in the column beside them are not read."""
    agreed = dict(readings)
    said = readings.get("currency")
    for name in _PRICED:
        price = readings.get(name)
        if said is None or price is None or price.currency is None:
            continue
        if price.confidence == "likely":
            continue
        differs = pc.not_equal(price.currency, pc.utf8_upper(said.values))
        differs = differs.fill_null(fill_value=False)
        agreed[name] = attrs.evolve(
            price,
            unread=pc.or_(price.unread, differs),
            hint=f"{price.hint}, in the currency that the row names",
        )
    return agreed


def _questions(read: _Read, match: Match, words: Lexicon) -> Iterator[str]:
    file, table = read.head.path.name, read.layout.table
    for column, names in match.rivals.items():
        yield (
            f"{file}: {' and '.join(map(repr, names))} could each be {table}.{column}: say "
            f'fields={{"{table}": {{"{column}": "{names[0]}"}}}}'
        )
    for wanted in read.layout.wanted if words.dialect != "tables" else ():
        # Nothing can stand for this one; what else is missing is told with all faults.
        if wanted.column == "opportunity_id" and wanted.column not in read.names:
            yield (
                f"{file}: no column holds the ids of the opportunities; add "
                f"{wanted.label!r} to the export, or name it: "
                'fields={"opportunity": {"opportunity_id": "…"}}'
            )
    for column, reading in read.readings.items():
        if reading.question:
            yield (
                f"{file}: the column {read.names[column]!r} ({table}.{column}) "
                f"{reading.question}"
            )


def _rows(read: _Read) -> pa.Table:
    columns = {column: reading.values for column, reading in read.readings.items()}
    for name in _PRICED if "currency" in TABLES[read.layout.table] else ():
        price = read.readings.get(name)
        if price is not None and price.currency is not None:
            said = columns.get("currency", price.currency)
            columns["currency"] = pc.coalesce(said, price.currency)
            break
    for column, value in read.layout.constants.items():
        columns.setdefault(column, pa.repeat(pa.scalar(value), read.cells.num_rows))
    return pa.table(columns) if columns else read.cells.select([])


def _proposed(read: _Read, fields: Mapping[str, str]) -> Iterator[ColumnProposal]:
    for column, name in read.names.items():
        reading = read.readings[column]
        confidence = "given" if column in fields else reading.confidence
        yield ColumnProposal(column, name, reading.how, confidence)


def _faults(read: _Read, first_row: int) -> Iterator[pa.Table]:
    model = TABLES[read.layout.table]
    for column, reading in read.readings.items():
        rows = pc.indices_nonzero(reading.unread)
        if not len(rows):
            continue
        values = read.cells[read.names[column]].take(rows).combine_chunks()
        if column in model and model[column].type == "text":
            values = pa.nulls(len(rows), pa.string())
        where = f"{read.head.path.name}, {read.names[column]!r}"
        said = {
            "table": read.layout.table,
            "column": column,
            "fault": "wrong_type",
            "effect": FAULTS["wrong_type"].effect,
            "hint": inert(f"{where}: {reading.hint}"),
        }
        arrays = {
            name: pa.repeat(pa.scalar(text), len(rows)) for name, text in said.items()
        }
        arrays |= {"row": pc.add(rows.cast(pa.int64()), first_row), "value": values}
        arrays |= {"said": pa.nulls(len(rows), pa.string())}
        yield pa.table(
            [arrays[name] for name in FAULT_COLUMNS],
            schema=pa.schema(list(FAULT_COLUMNS.items())),
        )
