"""How is a book analysed that is too long to be held in memory?"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from contextlib import suppress
from typing import Final

import attrs

from crm_portfolio.errors import MissingExtraError, SettingsError
from crm_portfolio.portfolio import Portfolio

__all__ = ["LONG", "USUAL", "in_engine", "longest"]

LONG: Final = 1_000_000
"""Rows of a table that any machine holds as a frame."""
USUAL: Final = "33%"
"""Beside it stand the results, and what Python works with: as much again."""


def longest(portfolio: Portfolio) -> int:
    """The rows of its longest table."""
    return max(portfolio.row_counts.values(), default=0)


def in_engine(portfolio: Portfolio, memory: str = USUAL) -> Portfolio:
    """The same, of which DuckDB reads what it needs, and holds no more than so much.

    The results are the same.

    Raises:
        MissingExtraError: DuckDB is not installed.
        SettingsError: It is no amount of memory.
    """
    _bound(memory)
    return attrs.evolve(portfolio, backend="duckdb")


def _bound(memory: str) -> None:
    """Let DuckDB hold so much of memory, from now on in this process.

    What does not fit is in a folder that only we can read, and goes with us.
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
