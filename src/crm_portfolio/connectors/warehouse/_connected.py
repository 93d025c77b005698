"""How is DuckDB opened, for a file that is only read or for none?"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from secrets import token_hex
from tempfile import gettempdir
from typing import Any, Final

from crm_portfolio.errors import MissingExtraError, SettingsError

__all__ = ["connected"]

_SPILLS: dict[Path, str] = {}
# What DuckDB says of a file that another program, or this one, has open otherwise.
_ELSEWHERE: Final = ("set lock on file", "different configuration")


def connected(database: Path | None) -> Any:
    """A DuckDB connection of its own, to a file that it only reads, or to memory.

    Raises:
        MissingExtraError: DuckDB is not installed.
        SettingsError: The file is no DuckDB database, or is open elsewhere.
    """
    try:
        duckdb = import_module("duckdb")
    except ImportError as error:
        raise MissingExtraError("duckdb", "duckdb") from error
    # DuckDB would lay what memory does not hold into the folder one happens to be in.
    own = token_hex(8)
    if database is not None:  # who opens it again must ask for the same, for DuckDB
        own = _SPILLS.setdefault(database.resolve(), own)
    spill = Path(gettempdir(), f"crm_portfolio_{own}")
    how: dict[str, Any] = {"temp_directory": str(spill)}
    if database is None:
        return duckdb.connect(config=how)
    try:
        return duckdb.connect(str(database), read_only=True, config=how)
    except duckdb.Error as error:
        problem = "cannot be read as a DuckDB file"
        if any(said in str(error) for said in _ELSEWHERE):
            problem = (
                "is open elsewhere, in another program or by a connection of this one: "
                "close it there and do the same again, or give that connection"
            )
        raise SettingsError(f"{database} {problem}") from error
