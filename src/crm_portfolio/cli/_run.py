"""How does a command end? Every exit code of the command line is decided here.

A command returns its code, or None for done. What it raises on purpose carries its own.
How much a command tells is decided here too, for all of them at once.
"""

from __future__ import annotations

import functools
import inspect
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Final, Self

import typer

from crm_portfolio.cli._next import way_out
from crm_portfolio.cli._print import complain, say_more, speaking
from crm_portfolio.errors import CrmPortfolioError

__all__ = [
    "TERMINATED",
    "UNEXPECTED",
    "Stopping",
    "gravest",
    "guarded",
    "stop_on_sigterm",
    "unexpected",
]

UNEXPECTED: Final = 1
_INTERRUPTED: Final = 130
TERMINATED: Final = 143
# Broken, then what only a person can mend, then what mends itself on the next night.
_GRAVEST_FIRST: Final = (TERMINATED, _INTERRUPTED, UNEXPECTED, 7, 2, 4, 6, 5, 3)
_ASKS_FOR_TRACEBACK: Final = "CRM_PORTFOLIO_TRACEBACK"

_LOUDNESS: Final = {
    "quiet": Annotated[
        bool, typer.Option("--quiet", "-q", help="Tell only what goes wrong.")
    ],
    "verbose": Annotated[
        bool, typer.Option("--verbose", "-v", help="Tell each step, and how long.")
    ],
}


class _Terminated(BaseException):
    """SIGTERM: like Ctrl-C, whatever is in flight closes its journal on the way out."""


def stop_on_sigterm() -> None:
    """Turn SIGTERM into an exception, so that journals are closed on the way out."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise _Terminated

    signal.signal(signal.SIGTERM, stop)


class Stopping:
    """SIGTERM while something is written: a wish, asked for between two batches.

    What is in flight is finished and its journal is closed. A second SIGTERM stops at
    once, like the first one outside of this.
    """

    def __init__(self) -> None:
        self._is_wished = False
        self._before: signal._HANDLER = None

    def __call__(self) -> bool:
        return self._is_wished

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._wish)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
            self._before = None

    def _wish(self, _signal: int, _frame: FrameType | None) -> None:
        if self._is_wished:
            raise _Terminated
        self._is_wished = True

    def code(self, otherwise: int) -> int:
        """How the process ends: as stopped, if that was the wish."""
        return TERMINATED if self._is_wished else otherwise


def gravest(codes: Iterable[int]) -> int:
    """Of several exit codes, the one that a person must see to first."""
    found = set(codes)
    return next((code for code in _GRAVEST_FIRST if code in found), 0)


def guarded(command: Callable[..., int | None], group: str = "") -> Callable[..., None]:
    """The command, ending in an exit code and a message instead of a traceback.

    It takes `--quiet` and `--verbose` beside its own options.
    """
    name = f"{group} {command.__name__}".strip()

    @functools.wraps(command)
    def run(
        *args: Any, quiet: bool = False, verbose: bool = False, **kwargs: Any
    ) -> None:
        if quiet and verbose:
            raise typer.BadParameter("name one of them", param_hint="-q, -v")
        began = time.monotonic()
        with speaking("quiet" if quiet else "verbose" if verbose else "usual"):
            code = _code_of(lambda: command(*args, **kwargs), name, kwargs)
            say_more(f"Ended with {code} after {time.monotonic() - began:.1f} s.")
        raise typer.Exit(code)

    _takes(run, _LOUDNESS)
    return run


def _takes(run: Callable[..., None], options: Mapping[str, Any]) -> None:
    """Let typer see these options beside the command's own."""
    own = inspect.signature(run, eval_str=True)
    more = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind
        )
        for name, kind in options.items()
    ]
    signature = own.replace(parameters=[*own.parameters.values(), *more])
    run.__signature__ = signature  # type: ignore[attr-defined]
    run.__annotations__ = {
        name: each.annotation for name, each in signature.parameters.items()
    }


def _code_of(
    call: Callable[[], int | None], name: str, given: Mapping[str, Any]
) -> int:
    try:
        return call() or 0
    except typer.Exit as end:
        return end.exit_code
    except CrmPortfolioError as error:
        complain(f"crm-portfolio: {error}")
        if told := way_out(error, name, given):
            complain(told)
        return error.exit_code
    except _Terminated:
        complain("crm-portfolio: stopped; what was done is kept.")
        return TERMINATED
    except KeyboardInterrupt:
        complain("crm-portfolio: interrupted; what was done is kept.")
        return _INTERRUPTED
    except (typer.BadParameter, BrokenPipeError):  # typer knows what to do with these
        raise
    except Exception as error:  # noqa: BLE001 - the last door before the user
        complain(unexpected(error))
        return UNEXPECTED


def unexpected(error: Exception) -> str:
    """Where it broke, without its message: that may hold names or secrets."""
    if os.environ.get(_ASKS_FOR_TRACEBACK):
        return "".join(traceback.format_exception(error))
    last = traceback.extract_tb(error.__traceback__)[-1]
    told = (
        f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    )
    return (
        f"crm-portfolio: unexpected {type(error).__name__}{told} "
        f"({Path(last.filename).name}:{last.lineno}).\n"
        f"Set {_ASKS_FOR_TRACEBACK}=1 to see all of it, and please report it."
    )
