"""What goes to stdout and what to stderr, and how does CRM text stay harmless there?"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import typer

from crm_portfolio._inert import inert

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

__all__ = [
    "Loudness",
    "Output",
    "complain",
    "counted",
    "hush",
    "is_loud",
    "listed",
    "pasted",
    "program",
    "say",
    "say_more",
    "screen",
    "show_csv",
    "show_json",
    "show_rows",
    "show_text",
    "speaking",
    "then",
]

Output = Literal["table", "json", "csv"]
Loudness = Literal["quiet", "usual", "verbose"]
_LOUDNESS: Final[ContextVar[Loudness]] = ContextVar("loudness", default="usual")
_WIDEST: Final = 100
_WHOLE: Final = 1_000  # from here on, nobody reads the cents
_MAY_BE_CUT: Final = ("name", "after")
_NARROWEST: Final = 8
_AROUND: Final = 2  # columns of padding beside each column
# Those of full width begin a formula where such are typed.
_FORMULA_STARTS: Final = (*"=+-@", *"\uff1d\uff0b\uff0d\uff20")


@contextmanager
def speaking(loudness: Loudness) -> Iterator[None]:
    """How much is told on stderr, within."""
    before = _LOUDNESS.set(loudness)
    try:
        yield
    finally:
        _LOUDNESS.reset(before)


def hush() -> None:
    """From here on only what goes wrong: stderr is read by a program."""
    _LOUDNESS.set("quiet")


def is_loud(loudness: Loudness) -> bool:
    """Whether so much is told."""
    return _LOUDNESS.get() == loudness


def say(message: str) -> None:
    """Tell the person at the terminal, unless quiet was asked for; never data."""
    if not is_loud("quiet"):
        complain(message)


def say_more(message: str) -> None:
    """What only matters to whoever asked for more."""
    if is_loud("verbose"):
        complain(message)


def complain(message: str) -> None:
    """Tell what went wrong, and what to do: to everybody."""
    typer.echo("\n".join(inert(line) for line in message.split("\n")), err=True)


def then(what_for: str, *words: object) -> None:
    """The next command, fit to be pasted, and what it is for.

    Args:
        words: A word in capitals stands for what the person fills in.
    """
    say(f"{what_for}: {pasted(*words)}")


def pasted(*words: object) -> str:
    """A command line of this program, quoted for the shell."""
    return f"{program()} {shlex.join(map(str, words))}"


def program() -> str:
    """How this program is called here, fit to be pasted into the same terminal."""
    path = Path(sys.argv[0])
    if shutil.which("crm-portfolio") or not path.is_file():
        return "crm-portfolio"
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
