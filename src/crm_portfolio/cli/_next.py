"""Which command mends what went wrong?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from crm_portfolio import errors
from crm_portfolio.cli._print import pasted

__all__ = ["way_out"]

_Way = Callable[[Any, str, Mapping[str, Any]], str]
_PROGRAM: Final = "crm-portfolio "


def way_out(
    error: errors.CrmPortfolioError, command: str, given: Mapping[str, Any]
) -> str:
    """What to type next, unless the error itself says it; the kind of error decides.

    Args:
        command: The one that failed, without the program's name.
        given: What it was called with.
    """
    if _PROGRAM in str(error):
        return ""
    ways = (_WAYS[kind] for kind in type(error).__mro__ if kind in _WAYS)
    return next(ways)(error, command, given)


# Sources without a log-in that could be looked through.
_PLAIN = ("files", "warehouse")


def _again(_error: Any, command: str, _given: Mapping[str, Any]) -> str:
    return f"Then the same again: {pasted(command)} …"


def _help(_error: Any, command: str, given: Mapping[str, Any]) -> str:
    """Where settings were read, they may be at fault; else it is how it was called."""
    file = given.get("settings")
    if isinstance(file, Path) and file.is_file():
        return f"To look through the settings: {pasted('settings', 'check', file)}"
    return f"How it is called: {pasted(*command.split(), '--help')}"


def _doctor(error: Any, command: str, given: Mapping[str, Any]) -> str:
    """The CRM said no; a folder of files has no doctor."""
    from crm_portfolio.connectors import REGISTRY

    if error.source in REGISTRY and error.source not in _PLAIN:
        return f"To see all that lacks: {pasted('doctor', error.source)}"
    return _help(error, command, given)


def _pull(_error: Any, _command: str, _given: Mapping[str, Any]) -> str:
    return f"To have all tables: {pasted('pull', 'CRM', '--to', 'FOLDER')} --tables all"


def _plan(_error: Any, _command: str, _given: Mapping[str, Any]) -> str:
    again = pasted("plan", "FOLDER", "--crm", "NAME", "-o", "PLAN")
    return f"To make a new plan: {again}"


def _look(_error: Any, command: str, given: Mapping[str, Any]) -> str:
    """The exact number is in the message: nobody accepts without having read it."""
    plan = given.get("plan", "PLAN")
    return f"To accept it: {pasted(command, plan)} … --accept-changes N"


def _undo(error: Any, _command: str, given: Mapping[str, Any]) -> str:
    archive = given.get("archive", "FOLDER")
    way = pasted("undo", error.run_id, "--archive", archive, "-o", "PLAN")
    return f"To take it back: {way}"


def _verify(_error: Any, _command: str, given: Mapping[str, Any]) -> str:
    archive = given.get("archive") or "FOLDER"
    return f"To see what else was changed: {pasted('verify', '--archive', archive)}"


_WAYS: Final[Mapping[type, _Way]] = {
    errors.CrmPortfolioError: _help,
    errors.FieldNotFoundError: _doctor,
    errors.ConnectorError: _doctor,
    errors.TransientError: _again,
    errors.CursorLostError: _again,
    errors.DataError: _again,
    errors.MissingTableError: _pull,
    errors.DamagedFileError: _verify,
    errors.LockHeldError: _again,
    errors.LimitExceededError: _look,
    errors.RefusedError: _plan,
    errors.UnexpectedChangeError: _undo,
}
