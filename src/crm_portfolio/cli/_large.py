"""How is a book opened that is too long to be held in memory?"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import attrs
import typer

from crm_portfolio.cli._print import say

if TYPE_CHECKING:
    from crm_portfolio.portfolio import Portfolio

__all__ = ["MemoryOption", "opened"]

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


def _bound(memory: str) -> None:
    """What does not fit is in a folder that only we can read, and goes with us."""
    from crm_portfolio._frames import bounded

    spill = Path(tempfile.mkdtemp(prefix="crm-portfolio-"))
    atexit.register(shutil.rmtree, spill, ignore_errors=True)
    bounded(memory, spill)
