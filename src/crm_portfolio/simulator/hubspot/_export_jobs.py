"""Which exports were asked for, how far are they, and how long do their links live?

vendor docs: one after the other, 30 in any 24 hours; a link needs no token and lives about
five minutes, after which the status tells a new one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs

from crm_portfolio.simulator.hubspot._refusal import Refusal
from crm_portfolio.simulator.hubspot._time import iso

if TYPE_CHECKING:
    from crm_portfolio.simulator.hubspot._portal import Portal

__all__ = ["Exports", "Job"]

_DAY: Final = timedelta(hours=24)
_MOST_A_DAY: Final = 30
_LINK_LIVES: Final = timedelta(minutes=5)
_FIRST_ID: Final = 3085
State = Literal["PENDING", "PROCESSING", "COMPLETE", "CANCELED"]


@attrs.define(eq=False)
class Job:
    """One export. ``polls`` counts those while it was its turn."""

    number: int
    asked_at: datetime
    write: Callable[[Path], Path]
    is_endless: bool = False
    fails: bool = False
    polls: int = 0
    file: Path | None = None
    ended_at: datetime | None = None

    @property
    def state(self) -> State:
        if self.fails and self.polls > 1:
            return "CANCELED"
        if self.ended_at is not None:
            return "COMPLETE"
        return "PROCESSING" if self.polls > 1 else "PENDING"

    @property
    def is_running(self) -> bool:
        return self.state in ("PENDING", "PROCESSING")


class Exports:
    """The exports of one portal.

    Attributes:
        polls: Polls until one is complete.
        zip_above: Bytes above which a file arrives zipped.
        split_rows: Rows above which an export comes in several files.
    """

    def __init__(self) -> None:
        self.polls = 3
        self.zip_above = 2_000_000  # vendor docs
        self.split_rows = 1_000_000  # vendor docs
        self._jobs: dict[int, Job] = {}
        self._links: dict[str, tuple[int, datetime]] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def close(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def begin(
        self,
        portal: Portal,
        write: Callable[[Path], Path],
        *,
        endless: bool,
        fails: bool,
    ) -> Job:
        """A new export; refused beyond the day's number."""
        now = portal.clock.now
        recent = [job for job in self._jobs.values() if job.asked_at > now - _DAY]
        if len(recent) >= _MOST_A_DAY:
            # unverified: status, category and words
            message = f"You can only run {_MOST_A_DAY} exports in 24 hours."
            raise Refusal(message, category="RATE_LIMITS", status=429)
        is_busy = any(job.is_running for job in self._jobs.values())
        if is_busy and portal.assumptions.exports_at_once == "refused":
            message = "Another export is running."
            raise Refusal(message, category="RATE_LIMITS", status=429)
        portal.clock.advance()
        job = Job(_FIRST_ID + len(self._jobs), now, write, endless, fails)
        self._jobs[job.number] = job
        return job

    def polled(self, portal: Portal, number: int) -> Job | None:
        """The export after one more look at it; time passes for the one whose turn it is."""
        job = self._jobs.get(number)
        if job is None or not job.is_running:
            return job
        first = next(each for each in self._jobs.values() if each.is_running)
        first.polls += 1
        if first.polls >= self.polls and not first.is_endless and not first.fails:
            first.file = first.write(self._place(first.number))
            first.ended_at = portal.clock.now
        return job

    def link(self, portal: Portal, job: Job) -> str:
        """An address of the file that works for a while; the last one while it does."""
        now = portal.clock.now
        for key, (number, ends) in self._links.items():
            if number == job.number and now < ends:
                return key
        key = f"{portal.portal_id}-{job.number}-{len(self._links) + 1}"
        self._links[key] = (job.number, now + _LINK_LIVES)
        return key

    def file(self, portal: Portal, key: str) -> Path | None:
        """The file behind a link; None if there is none, or no more."""
        number, ends = self._links.get(key, (0, portal.clock.now))
        return self._jobs[number].file if portal.clock.now < ends else None

    def told(self, job: Job) -> dict[str, Any]:
        """How far an export is, as the API says; the caller adds the link."""
        told: dict[str, Any] = {"status": job.state, "requestedAt": iso(job.asked_at)}
        if job.polls > 1 or job.ended_at:
            told["startedAt"] = iso(job.asked_at)
        if job.ended_at is not None:
            told |= {"completedAt": iso(job.ended_at), "numErrors": 0, "errors": []}
        if job.state == "CANCELED":
            entry = Refusal("The export failed.", category="INTERNAL_ERROR").entry()
            told |= {"numErrors": 1, "errors": [entry]}
        return told

    def _place(self, number: int) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="exports-")
        place = Path(self._folder.name) / str(number)
        place.mkdir(exist_ok=True)
        return place
