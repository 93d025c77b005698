"""How far is long work, how fast does it go, and how long will it still take?

Told on stderr: as bars to whoever watches, as a line now and then to a log, and not at
all to whoever wants quiet.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import attrs

from crm_portfolio._inert import inert
from crm_portfolio.cli._print import is_loud, say

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import Task, TaskID

    from crm_portfolio.protocols import Progress

__all__ = ["counting", "is_watched", "progress"]

_LINE_EVERY_SECONDS: Final = 10.0
_ONE_PIECE: Final = 1  # of such a step no rate can be told


@contextmanager
def progress() -> Iterator[Progress | None]:
    """What long work tells how far it is; None: nobody wants to know."""
    if is_loud("quiet"):
        yield None
    elif not sys.stderr.isatty():
        yield _Lines(is_verbose=is_loud("verbose"))
    else:
        with _bars() as bars:
            yield _Drawn(bars)


def is_watched() -> bool:
    """Whether somebody looks on, or asked for more than usual."""
    return sys.stderr.isatty() or is_loud("verbose")


def counting(
    tell: Progress | None, what: str, steps: Collection[str]
) -> Progress | None:
    """The same for work of many single steps: also how many of these are done."""
    if tell is None or len(steps) == _ONE_PIECE:
        return tell
    told, finished = tell, 0

    def count(step: str, done: int, total: int | None) -> None:
        nonlocal finished
        if step in steps:
            finished += done == total
            told(what, finished, len(steps))
        told(step, done, total)

    return count


@attrs.frozen
class _Begun:
    """A step under way: when it began, and with how many done."""

    at: float
    done: int


@attrs.define
class _Lines:
    """A line for each step that takes long, and another now and then.

    Once a step of one piece took long, the beginning of each next one is told too.

    Attributes:
        is_verbose: A line for each step, however short; asked beforehand, for steps may
            be told by other threads.
    """

    clock: Callable[[], float] = time.monotonic
    is_verbose: bool = False
    _is_slow: bool = attrs.field(default=False, init=False)
    _begun: dict[str, _Begun] = attrs.field(factory=dict, init=False)
    _told_at: dict[str, float] = attrs.field(factory=dict, init=False)

    def __call__(self, step: str, done: int, total: int | None) -> None:
        now = self.clock()
        begun = self._begun.setdefault(step, _Begun(now, done))
        since = now - self._told_at.setdefault(step, now)
        if done == total:
            is_told = self._told_at[step] > begun.at
            is_long = total == _ONE_PIECE and since >= _LINE_EVERY_SECONDS
            self._is_slow |= is_long
            is_due = is_told or is_long or self.is_verbose
            self._begun.pop(step), self._told_at.pop(step)
        else:
            is_begun = self._is_slow and total == _ONE_PIECE
            is_due = is_begun or since >= _LINE_EVERY_SECONDS
            self._told_at[step] = now if is_due else self._told_at[step]
        if is_due:
            say(line_of(step, done, total, begun.done, now - begun.at))


def line_of(step: str, done: int, total: int | None, first: int, took: float) -> str:
    """How far a step is, in one line of a log."""
    if total == _ONE_PIECE:
        return f"{step}: {'done' if done else 'under way'}, {_clock(took)}"
    far = f"{done:,}" if total is None else f"{done:,} of {total:,}"
    rate = (done - first) / took if took > 0 else 0.0
    told = f", {_rate(rate)}" if rate else ""
    if total is None or done >= total or not rate:
        return f"{step}: {far}{told}, {_clock(took)}"
    return f"{step}: {far}{told}, {_clock((total - done) / rate)} left"


def _rate(rate: float) -> str:
    """So many a second; a minute where it is slow."""
    return f"{rate:,.0f}/s" if rate >= 1 else f"{60 * rate:,.0f}/min"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _bars() -> Bars:
    """One bar for each step, with its rate and the time it will still take."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        SpinnerColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        """How many a second."""

        def render(self, task: Task) -> Text:
            took = task.finished_time or task.elapsed or 0.0
            done = task.completed - task.fields["first"]
            is_told = done and took and task.total != _ONE_PIECE
            return Text(_rate(done / took) if is_told else "", style="dim")

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        console=Console(stderr=True),
        transient=True,
    )


@attrs.define
class _Drawn:
    """The steps as bars; a step of one piece leaves when it is done."""

    bars: Bars
    _tasks: dict[str, TaskID] = attrs.field(factory=dict, init=False)

    def __call__(self, step: str, done: int, total: int | None) -> None:
        if step not in self._tasks:
            self._tasks[step] = self.bars.add_task(inert(step), total=total, first=done)
        is_over = done == total == _ONE_PIECE
        self.bars.update(
            self._tasks[step], completed=done, total=total, visible=not is_over
        )
