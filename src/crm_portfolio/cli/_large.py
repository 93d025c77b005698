"""How is a book opened that is too long to be held in memory?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from crm_portfolio.cli._print import say
from crm_portfolio.errors import SettingsError

if TYPE_CHECKING:
    from crm_portfolio.portfolio import Portfolio

__all__ = ["MemoryOption", "opened", "within"]

_USUAL: Final = "33%"

MemoryOption = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="What DuckDB may hold of a long book, such as 2GB; the rest goes to disk. "
        f"Without: {_USUAL} of the machine's.",
    ),
]


def opened(folder: Path | str, memory: str | None) -> Portfolio:
    """The portfolio of a folder; a long one is read by DuckDB, what it needs of it.

    The results are the same.
    """
    from crm_portfolio._analyse import _large
    from crm_portfolio.portfolio import Portfolio

    portfolio = Portfolio.load(folder)
    rows = _large.longest(portfolio)
    if rows < _large.LONG and memory is None:
        return portfolio
    if find_spec("duckdb") is None and memory is None:
        say(
            f"The book has a table of {rows:,} rows: pip install "
            "'crm-portfolio[duckdb]', and it need not fit in memory."
        )
        return portfolio
    return _large.in_engine(portfolio, memory or _USUAL)


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
