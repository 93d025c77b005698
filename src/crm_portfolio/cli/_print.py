"""What goes to stdout and what to stderr, and how does CRM text stay harmless there?"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import typer

from crm_portfolio._inert import inert

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

    from crm_portfolio.protocols import Progress

__all__ = [
    "Output",
    "counted",
    "listed",
    "program",
    "progress",
    "say",
    "screen",
    "show_csv",
    "show_json",
    "show_rows",
    "show_text",
]

Output = Literal["table", "json", "csv"]
_WIDEST: Final = 100
_WHOLE: Final = 1_000  # from here on, nobody reads the cents
_MAY_BE_CUT: Final = ("name", "after")
_NARROWEST: Final = 8
_AROUND: Final = 2  # columns of padding beside each column
# Those of full width begin a formula where such are typed.
_FORMULA_STARTS: Final = (*"=+-@", *"\uff1d\uff0b\uff0d\uff20")


def say(message: str) -> None:
    """Tell the person at the terminal; never data."""
    typer.echo("\n".join(inert(line) for line in message.split("\n")), err=True)


def program() -> str:
    """How this program is called here, fit to be pasted into the same terminal."""
    if shutil.which("crm-portfolio"):
        return "crm-portfolio"
    path = Path(sys.argv[0])
    here = Path.cwd()
    return shlex.quote(
        str(path.relative_to(here) if path.is_relative_to(here) else path)
    )


def counted(counts: Mapping[str, int]) -> str:
    """So many rows of each table, in words."""
    return ", ".join(
        f"{count:,} {_noun(name, count)}" for name, count in counts.items()
    )


def _noun(name: str, count: int) -> str:
    noun = name.replace("_", " ")
    if count == 1:
        return noun
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def listed(counts: Mapping[str, int]) -> str:
    """So many of each kind, in words."""
    return ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in counts.items())


def screen() -> Console:
    """Where tables for people are drawn: stdout, 80 columns if it is not a terminal."""
    from rich.console import Console

    wide = Console(markup=False, highlight=False, emoji=False)
    width = min(wide.width, _WIDEST) if wide.is_terminal else 80
    return Console(markup=False, highlight=False, emoji=False, width=width)


def show_json(value: object) -> None:
    """One JSON object on stdout, in ASCII, so that no terminal obeys it."""
    typer.echo(json.dumps(value, indent=2, default=_plain, allow_nan=False))


def _plain(value: object) -> object:
    if isinstance(value, date):  # a datetime is one too
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def show_csv(table: pa.Table) -> None:
    """The table as CSV on stdout; text that a spreadsheet would run is quoted by '."""
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(table.column_names)
    for batch in table.to_batches(max_chunksize=10_000):
        columns = [column.to_pylist() for column in batch.columns]
        writer.writerows(map(_csv_cell, row) for row in zip(*columns, strict=True))


def _csv_cell(value: object) -> object:
    if isinstance(value, str):
        text = inert(value)
        return f"'{text}" if text.lstrip().startswith(_FORMULA_STARTS) else text
    return value


def show_rows(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = ""
) -> None:
    """A table for people: numbers to the right, CRM text made harmless and cut to fit.

    Where it is too wide, names are cut before anything else.
    """
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    console = screen()
    cells = [list(map(_shown, columns, row)) for row in rows]
    widths = [
        max(cell_len(text) for text in (name, *(row[at][0] for row in cells)))
        for at, name in enumerate(columns)
    ]
    fixed = sum(w for n, w in zip(columns, widths, strict=True) if n not in _MAY_BE_CUT)
    room = console.width - fixed - _AROUND * len(columns)
    table = Table(
        title=title or None,
        title_justify="left",
        box=None,
        padding=(0, 2, 0, 0),
        header_style="bold",
    )
    for at, name in enumerate(columns):
        table.add_column(
            Text(name),
            justify="right" if cells and all(row[at][1] for row in cells) else "left",
            no_wrap=True,
            overflow="ellipsis",
            max_width=max(_NARROWEST, room) if name in _MAY_BE_CUT else None,
        )
    for row in cells:
        table.add_row(*(Text(text) for text, _ in row))
    console.print(table)
    console.print()


def show_text(line: str) -> None:
    """A sentence for people: CRM text made harmless, lines broken to fit."""
    from rich.text import Text

    screen().print(Text(inert(line)))


def _shown(column: str, value: object) -> tuple[str, bool]:
    """How a value is shown, and whether it belongs to the right."""
    match value:
        case None:
            return "", True
        case bool():
            return ("yes" if value else "no"), False
        case int():
            return f"{value:,}", True
        case float() if column.endswith("share"):
            return f"{100 * value:.1f} %", True
        case float():
            return (f"{value:,.0f}" if abs(value) >= _WHOLE else f"{value:.4g}"), True
        case _:
            return inert(str(value)), False


@contextmanager
def progress() -> Iterator[Progress | None]:
    """Bars on stderr while long work runs; nothing where nobody is watching."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        SpinnerColumn,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.progress import Progress as Bars

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def tell(step: str, done: int, total: int | None) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(inert(step), total=total)
            bars.update(tasks[step], completed=done, total=total)

        yield tell
