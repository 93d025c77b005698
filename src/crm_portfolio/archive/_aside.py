"""What does a person do when there is no room for what is put aside?"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from crm_portfolio.errors import SettingsError

__all__ = ["room"]


@contextmanager
def room() -> Iterator[None]:
    """Where temporary files are kept, and what to do when it refuses them.

    Raises:
        SettingsError: It says where that is.
    """
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        said = getattr(error, "strerror", None) or str(error)
        is_database = isinstance(error, sqlite3.Error) and os.name != "nt"
        place = _of_databases() if is_database else tempfile.gettempdir()
        raise SettingsError(
            f"temporary files cannot be written in {place!r}: {said}. Make "
            "room there, or name another folder in TMPDIR; then do the same again."
        ) from error


def _of_databases() -> str:
    """Where SQLite, which does not ask Python, keeps what has no name."""
    asked = (os.environ.get("SQLITE_TMPDIR"), os.environ.get("TMPDIR"))
    places = (*asked, "/var/tmp", "/usr/tmp", "/tmp")  # noqa: S108 - it is its own list
    usable = (one for one in places if one and os.access(one, os.W_OK | os.X_OK))
    return next(usable, os.curdir)
