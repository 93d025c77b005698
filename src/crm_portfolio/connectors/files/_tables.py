"""How does a folder of files become tables of the model?

Each file is recognised by its headers, each column read by its cells; what a person has to
settle is gathered and told at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._inert import inert
from crm_portfolio._storage import digest
from crm_portfolio.connectors.files._columns import FilePart, part_of
from crm_portfolio.connectors.files._csv import Head
from crm_portfolio.connectors.files._dialects import finished
from crm_portfolio.connectors.files._guess import DIALECTS, Guess, guessed
from crm_portfolio.connectors.files._headers import lexicon
from crm_portfolio.connectors.files._proposal import Proposal
from crm_portfolio.connectors.files._reading import Conventions
from crm_portfolio.connectors.files._settings import Dialect, FilesSettings
from crm_portfolio.connectors.files._sheets import head_of, paths_of
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.schema import TABLES, TableName

__all__ = ["Content", "read"]

_IGNORE: Final = "ignore"


@attrs.frozen(eq=False)
class Content:
    """All that a folder holds.

    Attributes:
        faults: Cells that could not be read; None if all could.
        modified: When the newest file of each table was last written, in seconds.
        edition: Changes with the files and with how they are understood.
    """

    tables: Mapping[TableName, pa.Table]
    faults: pa.Table | None
    proposal: Proposal
    modified: Mapping[TableName, float]
    edition: str


def read(folder: Path, dialect: Dialect | None, settings: FilesSettings) -> Content:
    """The tables of a folder, and how they were understood.

    Raises:
        SettingsError: Something that only a person can settle; all of it is listed.
        FieldNotFoundError: A file lacks a header that the settings name.
        DataError: A file is no CSV or Parquet file, or is broken.
    """
    _check(dialect, settings)
    paths, notes = paths_of(folder, settings)
    heads = _heads(paths, settings)
    guess = guessed(heads, dialect, settings.files)
    _check_fields(guess, settings)
    parts = _parts(heads, guess, settings)
    done = finished(_joined(parts), guess.lexicon, settings)
    questions = [question for part in parts for question in part.questions]
    _ask([*questions, *done.questions])
    faults = [fault for part in parts for fault in part.faults]
    proposal = Proposal(
        guess.lexicon.dialect,
        guess.confidence,
        tuple(part.proposal for part in parts),
        (*notes, *done.notes),
    )
    return Content(
        done.tables,
        pa.concat_tables(faults) if faults else None,
        proposal,
        _modified(parts, done.tables),
        _edition(paths, proposal, settings),
    )


def _check(dialect: str | None, settings: FilesSettings) -> None:
    problems = []
    if dialect is not None and dialect not in DIALECTS:
        hint = did_you_mean(dialect, DIALECTS) or f"; there are {', '.join(DIALECTS)}"
        problems.append(f"no dialect {dialect!r}{hint}")
    tables = [("fields", name) for name in settings.fields]
    tables += [("files", name) for name in settings.files.values() if name != _IGNORE]
    problems += [
        f"{where}: no table {name!r}{did_you_mean(name, TABLES)}"
        for where, name in tables
        if name not in TABLES
    ]
    for table, columns in settings.fields.items():
        if table in TABLES:
            known = _columns(table, dialect)  # type: ignore[arg-type]
            problems += [
                f"fields.{table}: no column {column!r}{did_you_mean(column, known)}"
                for column in columns
                if column not in known
            ]
    problems += [
        f"stages: {inert(stage)!r} is to be 'open', 'won' or 'lost', not {status!r}"
        for stage, status in settings.stages.items()
        if status not in ("open", "won", "lost")
    ]
    if settings.decimal not in (None, ",", "."):
        problems.append(f"decimal is ',' or '.', not {settings.decimal!r}")
    if settings.date_order not in (None, "dmy", "mdy"):
        problems.append(f"date_order is 'dmy' or 'mdy', not {settings.date_order!r}")
    if not _is_zone(settings.time_zone):
        problems.append(
            f"no time zone {settings.time_zone!r}; write it like 'Europe/Paris'"
        )
    if problems:
        raise SettingsError(
            "\n".join(("these settings do not fit:", *(f"  {p}" for p in problems)))
        )


def _check_fields(guess: Guess, settings: FilesSettings) -> None:
    there = {layout.table for layout in guess.layouts if layout is not None}
    for table in settings.fields:
        if table not in there:
            raise SettingsError(
                f"fields names headers of the table {table!r}, but none of the files is that "
                f"table; they are {', '.join(sorted(there))}"
            )


def _columns(table: TableName, dialect: Dialect | None) -> tuple[str, ...]:
    """The model's columns, and the steps that a dialect takes to them."""
    steps = (
        column
        for name in DIALECTS
        if dialect in (None, name)
        for column in lexicon(name).layout(table).columns
    )
    return tuple(dict.fromkeys((*TABLES[table].names, *steps)))


def _is_zone(name: str) -> bool:
    epoch = pa.array([0], pa.timestamp("us"))
    try:
        pc.assume_timezone(epoch, name)
    except pa.ArrowInvalid:
        return False
    return True


def _heads(paths: Sequence[Path], settings: FilesSettings) -> list[Head]:
    wanted = [
        labels
        for name in DIALECTS
        for layout in lexicon(name).layouts
        for column in layout.wanted
        for labels in column.labels
    ]
    return [head_of(path, wanted, settings.encoding) for path in paths]


def _parts(
    heads: Sequence[Head], guess: Guess, settings: FilesSettings
) -> list[FilePart]:
    conventions = Conventions(
        settings.decimal,
        settings.date_order,
        settings.time_zone,
        settings.symbols,
        is_canonical=guess.lexicon.dialect == "tables",
    )
    parts: list[FilePart] = []
    for head, layout in zip(heads, guess.layouts, strict=True):
        if layout is None:
            continue
        before = sum(part.rows.num_rows for part in parts if part.table == layout.table)
        fields = settings.fields.get(layout.table, {})
        is_given = guess.confidence == "given" or head.path.name in settings.files
        parts.append(
            part_of(
                head,
                layout,
                guess.lexicon,
                conventions,
                fields=fields,
                first_row=before,
                confidence="given" if is_given else guess.confidence,
            )
        )
    return parts


def _joined(parts: Iterable[FilePart]) -> dict[TableName, pa.Table]:
    """One table from all its files, in their order; a column that one lacks is null."""
    of_table: dict[TableName, list[pa.Table]] = {}
    for part in parts:
        of_table.setdefault(part.table, []).append(part.rows)
    return {
        name: pa.concat_tables(tables, promote_options="default")
        for name, tables in of_table.items()
    }


def _ask(questions: Sequence[str]) -> None:
    different = list(dict.fromkeys(questions))
    if different:
        lines = "\n".join(f"  {question}" for question in different)
        raise SettingsError(
            f"{len(different)} thing(s) cannot be told from the files:\n{lines}"
        )


def _edition(paths: Iterable[Path], proposal: Proposal, settings: FilesSettings) -> str:
    files = [
        (path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths
    ]
    return digest(repr((sorted(files), str(proposal), settings)).encode())


def _modified(
    parts: Sequence[FilePart], tables: Iterable[TableName]
) -> dict[TableName, float]:
    newest = {part.table: 0.0 for part in parts}
    for part in parts:
        newest[part.table] = max(newest[part.table], part.modified)
    return {name: newest.get(name, max(newest.values())) for name in tables}
