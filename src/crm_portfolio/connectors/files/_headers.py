"""Which table is a file, and which column is a header?

The headers that are known are data, in ``headers.toml``.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

import attrs

from crm_portfolio.connectors.files._settings import Dialect, Status
from crm_portfolio.schema import TABLES, TableName

__all__ = [
    "Layout",
    "Lexicon",
    "Match",
    "Wanted",
    "fold",
    "lexicon",
    "matched",
    "our_layout",
]

_APOSTROPHES: Final = re.compile("[’ʼ`´]")


@attrs.frozen
class Wanted:
    """One column, the labels it goes by in order of preference, and its converter.

    Attributes:
        label: The one to ask a person for.
    """

    column: str
    labels: tuple[frozenset[str], ...]
    convert: str
    label: str


@attrs.frozen
class Layout:
    """What a dialect knows of one table.

    Attributes:
        marks: Columns any of which tells that a file is this table.
        foreign: Folded headers any of which tells that it is not.
        constants: Columns that say the same in every row.
    """

    table: TableName
    marks: tuple[str, ...] = ()
    foreign: frozenset[str] = frozenset()
    wanted: tuple[Wanted, ...] = ()
    constants: Mapping[str, str] = attrs.field(factory=dict)

    def converter(self, column: str) -> str:
        """The converter of a column, also of one that only a person maps."""
        for wanted in self.wanted:
            if wanted.column == column:
                return wanted.convert
        return _usual(self.table, column)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(wanted.column for wanted in self.wanted)


@attrs.frozen
class Lexicon:
    """All that is known of one dialect. Texts are folded."""

    dialect: Dialect
    layouts: tuple[Layout, ...]
    stages: Mapping[str, Status]
    notes: tuple[str, ...]
    totals: tuple[str, ...]

    def layout(self, table: TableName) -> Layout:
        """What is known of a table; nothing, of most."""
        found = (layout for layout in self.layouts if layout.table == table)
        return next(found, Layout(table))

    def recognised(self, headers: Sequence[str]) -> Layout | None:
        """The first table that a header marks."""
        folded = {fold(header) for header in headers}
        for layout in self.layouts:
            if not layout.foreign & folded and any(
                labels & folded
                for wanted in layout.wanted
                if wanted.column in layout.marks
                for labels in wanted.labels
            ):
                return layout
        return None


@attrs.frozen
class Match:
    """Headers and the columns they fill.

    Attributes:
        columns: Column → name of the header.
        rivals: Column → the headers of which nobody can tell the right one.
    """

    columns: Mapping[str, str]
    rivals: Mapping[str, tuple[str, ...]]


def fold(text: str) -> str:
    """The text without case, accents and kinds of space or apostrophe."""
    plain = unicodedata.normalize("NFKD", _APOSTROPHES.sub("'", text))
    letters = "".join(char for char in plain if not unicodedata.combining(char))
    return " ".join(letters.casefold().split())


def matched(headers: Sequence[str], names: Sequence[str], layout: Layout) -> Match:
    """The column of each header; of two that fit one column alike, neither."""
    places: dict[str, list[str]] = {}
    for header, name in zip(headers, names, strict=True):
        places.setdefault(fold(header), []).append(name)
    columns, rivals = {}, {}
    for wanted in layout.wanted:
        for labels in wanted.labels:
            found = [name for label in labels for name in places.get(label, ())]
            if len(found) == 1:
                columns[wanted.column] = found[0]
            elif found:
                rivals[wanted.column] = tuple(sorted(found, key=list(names).index))
            if found:
                break
    return Match(columns, rivals)


def our_layout(table: TableName) -> Layout:
    """Our own tables: every column goes by its own name."""
    wanted = tuple(
        Wanted(column.name, (frozenset({column.name}),), column.type, column.name)
        for column in TABLES[table].columns
    )
    marks = TABLES[table].key or TABLES[table].required
    return Layout(table, marks, frozenset(), wanted)


@cache
def lexicon(dialect: Dialect) -> Lexicon:
    """What is known of a dialect."""
    if dialect == "tables":
        return Lexicon(dialect, tuple(map(our_layout, TABLES)), {}, (), ())
    said = tomllib.loads((files(__package__) / "headers.toml").read_text("utf-8"))[
        dialect
    ]
    footers = said["footers"]
    return Lexicon(
        dialect,
        tuple(_layouts(said)),
        {fold(stage): status for stage, status in said["stages"].items()},
        tuple(map(fold, footers["notes"])),
        tuple(map(fold, footers["totals"])),
    )


def _layouts(said: Mapping[str, Any]) -> Iterator[Layout]:
    for name in said:
        if name not in TABLES:
            continue
        table: TableName = name  # type: ignore[assignment]
        of_table = said[table]
        chosen = of_table.get("as", {})
        wanted = tuple(
            _wanted(column, labels, chosen.get(column) or _usual(table, column))
            for column, labels in of_table["columns"].items()
        )
        yield Layout(
            table,
            tuple(of_table["marks"]),
            frozenset(map(fold, of_table.get("foreign", ()))),
            wanted,
            of_table.get("constants", {}),
        )


def _wanted(column: str, said: Any, convert: str) -> Wanted:
    groups = [said] if isinstance(said[0], str) else said
    labels = tuple(frozenset(map(fold, group)) for group in groups)
    return Wanted(column, labels, convert, groups[0][0])


def _usual(table: TableName, column: str) -> str:
    if column in TABLES[table]:
        return TABLES[table][column].type
    # Steps on the way to the model's columns.
    if column.startswith("is_"):
        return "boolean"
    return "day" if column.endswith("_date") else "text"
