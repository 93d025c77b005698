"""How is a book opened that is too long to be held in memory?"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import attrs
import typer

from crm_portfolio.cli._print import say
from crm_portfolio.errors import MissingExtraError, SettingsError

if TYPE_CHECKING:
    from crm_portfolio.portfolio import Portfolio

__all__ = ["MemoryOption", "opened", "within"]

_LONG: Final = 1_000_000
"""Rows of a table that any machine holds as a frame."""
_USUAL: Final = "33%"
"""Beside it stand the results, and what Python works with: as much again."""

MemoryOption = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="What DuckDB may hold of a long book, such as 2GB; the rest goes to disk. "
        f"Without: {_USUAL} of the machine's.",
    ),
]


def opened(folder: Path, memory: str | None) -> Portfolio:
    """The portfolio of a folder; a long one is read by DuckDB, what it needs of it.

    The results are the same.
    """
    from crm_portfolio.portfolio import Portfolio

    portfolio = Portfolio.load(folder)
    longest = max(portfolio.row_counts.values(), default=0)
    if longest < _LONG and memory is None:
        return portfolio
    if find_spec("duckdb") is None and memory is None:
        say(
            f"The book has a table of {longest:,} rows: pip install "
            "'crm-portfolio[duckdb]', and it need not fit in memory."
        )
        return portfolio
    _bound(memory or _USUAL)
    return attrs.evolve(portfolio, backend="duckdb")


@contextmanager
def within(memory: str | None) -> Iterator[None]:
    """Tell who gives DuckDB too little room that it is too little, and what to do."""
    try:
        yield
    except Exception as error:
        if type(error).__name__ != "OutOfMemoryException":
            raise
        raise SettingsError(
            f"DuckDB may hold {memory or _USUAL}, which is too little for this book, or "
            f"there is no room left in {tempfile.gettempdir()}: give more with --memory"
        ) from error


def _bound(memory: str) -> None:
    """Let DuckDB hold so much of memory, from now on in this process.

    What does not fit is in a folder that only we can read, and goes with us.

    Raises:
        SettingsError: It is no amount of memory.
    """
    try:
        import duckdb
    except ImportError as error:
        raise MissingExtraError("duckdb", "duckdb") from error
    connection = duckdb.default_connection()
    refused = SettingsError(f"{memory!r} is no memory such as 2GB or 33%")
    if not memory.strip()[:1].isdigit():  # DuckDB takes -2GB for all there is
        raise refused
    try:
        connection.execute("SET memory_limit = $memory", {"memory": memory})
    except duckdb.Error as error:
        raise refused from error
    spill = tempfile.mkdtemp(prefix="crm-portfolio-")
    atexit.register(shutil.rmtree, spill, ignore_errors=True)
    with suppress(duckdb.Error):  # it has spilled before, and goes on where it did
        connection.execute("SET temp_directory = $spill", {"spill": spill})
