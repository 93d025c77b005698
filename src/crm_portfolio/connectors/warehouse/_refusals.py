"""What does it mean that an engine refuses, or fails while it is asked?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from crm_portfolio.errors import ConnectorError, CrmPortfolioError, TransientError

__all__ = ["is_of_values", "translated"]

# What drivers call a connection that is lost, a server that is away or has too much to
# do: names of PEP 249, of DuckDB and of Google; no driver is loaded to compare classes.
_PASSING: Final = frozenset(
    {
        *("OperationalError", "InterfaceError", "HTTPException", "IOException"),
        *("ConnectionException", "ServiceUnavailable", "InternalServerError"),
        *("BadGateway", "GatewayTimeout", "TooManyRequests", "RetryError"),
    }
)
_LASTING: Final = frozenset({"OutOfMemoryException"})
# SQLITE_ERROR: a table or a column is not there, which has a class of its own elsewhere.
_SQLITE_ERROR: Final = 1
_DATA: Final = "22"  # the class of SQL for faults of data


def is_of_values(error: Exception) -> bool:
    """Whether an engine may have failed at a value that it was to cast."""
    has_class = _state(error)[:2] in ("", _DATA)
    return _is_vendors(error) and not _is_passing(error) and has_class


def _is_passing(error: BaseException) -> bool:
    """Whether the same question may be answered later."""
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    names = {kind.__name__ for kind in type(error).__mro__}
    code = getattr(error, "sqlite_errorcode", None)
    return bool(names & _PASSING) and not names & _LASTING and code != _SQLITE_ERROR


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """What an engine raises as an error of ours.

    Its own words are left out: they hold its SQL, values of rows, or how one logs in.

    Raises:
        TransientError: The connection was lost, or the engine has too much to do.
        ConnectorError: It refuses for another reason.
    """
    try:
        yield
    except CrmPortfolioError:
        raise
    except Exception as error:
        if not _is_vendors(error):
            raise
        engine = type(error).__module__.partition(".")[0].lstrip("_")
        code = " ".join(filter(None, (type(error).__name__, _state(error))))
        if _is_passing(error):
            raise TransientError(
                "warehouse",
                f"{engine} failed {doing}: wait, then do the same again",
                code,
            ) from None
        raise ConnectorError("warehouse", f"{engine} refused {doing}", code) from None


def _is_vendors(error: Exception) -> bool:
    """Whether an engine or its driver raised it; what Python raises is a fault in code."""
    if isinstance(error, OSError):
        return True
    is_pythons = type(error).__module__ == "builtins"
    return not is_pythons and not isinstance(error, Warning)


def _state(error: Exception) -> str:
    """The five letters of SQL for it, where the driver has them."""
    state = getattr(error, "sqlstate", None)
    return state if isinstance(state, str) else ""
