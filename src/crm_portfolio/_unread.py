"""What does a person do when an engine cannot read a file that it reads lazily?

What engines and clients of stores say is not repeated: they quote requests, and with
them keys and signatures. What kind of error it was, and which file, is enough to act on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from crm_portfolio.errors import (
    CrmPortfolioError,
    DamagedFileError,
    RightMissingError,
    TransientError,
)

__all__ = ["reading"]

_SOME: Final = "a file of these tables"
_AGAIN: Final = (
    "Put it back as it was, or pull again; then load the portfolio once more."
)
# By the name of an error: what was wrong. Those behind OSError's are obstore's.
_KINDS: Final[Mapping[str, str]] = {
    "FileNotFoundError": "gone",
    "NotFoundError": "gone",
    "PermissionError": "refused",
    "PermissionDeniedError": "refused",
    "UnauthenticatedError": "refused",
    "ConnectionError": "later",
    "BrokenPipeError": "later",
    "ConnectionAbortedError": "later",
    "ConnectionRefusedError": "later",
    "ConnectionResetError": "later",
    "TimeoutError": "later",
    "HTTPException": "later",
    "GenericError": "later",
}
# By what DuckDB says, which has no errors of its own for these.
_SAYINGS: Final = (
    ("No files found that match", "gone"),
    ("No such file or directory", "gone"),
    ("No magic bytes found", "cut"),
    ("too small to be a Parquet file", "cut"),
)
# What Python raised inside of DuckDB, which an older one tells by its places alone.
_INSIDE: Final = re.compile(
    r"^(Traceback \(most recent call last\)|At):$", re.MULTILINE
)
# The last line of it, where its words begin.
_RAISED: Final = re.compile(r"^(?:\w+\.)*(\w+(?:Error|Exception))(?::|$)", re.MULTILINE)
_FILE: Final = re.compile(r"""["']?([^"'?@*\s][^"'?@*\n]*\.parquet)["']?""")


@contextmanager
def reading(file: str = "") -> Iterator[None]:
    """What goes wrong while an engine reads, as an error that says what to do.

    Args:
        file: The one that is read, if there is but one.

    Raises:
        TransientError: The store does not answer now.
        RightMissingError: It refuses this login.
        DamagedFileError: A file is gone, or was cut.
    """
    try:
        yield
    except Exception as error:
        told = _told(error, file)
        if told is None:
            raise
        raise told from None


def _told(error: Exception, file: str) -> CrmPortfolioError | None:
    kind = _kind(error)
    if kind is None:
        return None
    where = _file_in(str(error)) or file or _SOME
    if kind == "later":
        return TransientError(where, "the store cannot be read now")
    if kind == "refused":
        return RightMissingError(
            where,
            "it refuses this login, which is in the environment and needs the rights to "
            "list and read",
        )
    gone = "it is missing" if kind == "gone" else "it was cut or altered"
    return DamagedFileError(where, gone, _AGAIN)


def _kind(error: Exception) -> str | None:
    """What kind of error an engine met as it read; None: it was another."""
    for each in type(error).__mro__:
        if each.__name__ in _KINDS:
            return _KINDS[each.__name__]
    if type(error).__module__.partition(".")[0].lstrip("_") != "duckdb":
        return None
    text = str(error)
    if _INSIDE.search(text):
        raised = [name for name in _RAISED.findall(text) if name in _KINDS]
        return _KINDS[raised[-1]] if raised else None
    return next((kind for said, kind in _SAYINGS if said in text), None)


def _file_in(text: str) -> str:
    """The file that is named first; none where a traceback names its own."""
    if _INSIDE.search(text):
        return ""
    found = _FILE.search(text)
    return found[1].strip() if found else ""
