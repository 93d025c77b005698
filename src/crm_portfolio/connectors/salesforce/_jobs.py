"""How is a job of Bulk API 2.0 made, awaited and put away?"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeAlias

import attrs
import requests
from simple_salesforce.exceptions import SalesforceError

from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors.salesforce._refusals import unreadable
from crm_portfolio.connectors.salesforce._session import Client, Session, asked
from crm_portfolio.errors import ConnectorError, TransientError

__all__ = ["OVER", "Job", "Jobs", "Patience", "version_of"]

Job: TypeAlias = Mapping[str, Any]  # as the vendor describes it
OVER: Final = frozenset({"JobComplete", "Failed", "Aborted"})
_NOT_HERE: Final = frozenset({404, 409, 410})
_UNDER_WAY: Final = frozenset({"Open", "UploadComplete", "InProgress"})


@attrs.frozen
class Patience:
    """How a job is waited for: soon at first, then ever less often.

    Attributes:
        total_seconds: When a job that is not over is given up.
    """

    first_seconds: float = 0.05
    growth: float = 2.0
    longest_seconds: float = 10.0
    total_seconds: float = 3_600.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def looks(self, rows: int) -> int:
        """How often a job of so many rows is looked at until it is over."""
        left = _assumptions.JOB_START_SECONDS + rows / _assumptions.JOB_ROWS_PER_SECOND
        left, count, pause = min(left, self.total_seconds), 0, self.first_seconds
        while left > 0:
            left, count = left - pause, count + 1
            pause = min(pause * self.growth, self.longest_seconds)
        return count


@attrs.frozen
class Jobs:
    """The jobs of one kind: ``query`` or ``ingest``. Every method says what it costs."""

    session: Session
    kind: str
    patience: Patience = Patience()

    def made(
        self, order: Job, *, where: str, needs: str = "", is_patient: bool = True
    ) -> Job:
        """A new job; one call. A lost answer may leave a second one, which does nothing.

        Args:
            is_patient: Try again; else that is the caller's.
        """

        def ask(client: Client) -> Job:
            return _job(asked(client, "POST", f"jobs/{self.kind}", json=order), where)

        call = self.session.call if is_patient else self.session.call_once
        return call(ask, where=where, needs=needs)

    def awaited(self, job_id: str, *, where: str) -> Job:
        """The job when it is over; one call for each look.

        Raises:
            TransientError: It was not over in time, and was told to stop.
        """
        patience = self.patience
        until = patience.clock() + patience.total_seconds
        pause = patience.first_seconds
        while True:
            patience.sleep(pause)
            pause = min(pause * patience.growth, patience.longest_seconds)
            job = self.seen(job_id, where=where)
            if job["state"] in OVER:
                return job
            if patience.clock() >= until:
                break
        self.stop(job_id)
        minutes = patience.total_seconds / 60
        raise TransientError(
            "salesforce",
            f"{where}: the job is not done after {minutes:g} minutes, and was stopped",
            "JOB_TIMEOUT",
        )

    def seen(self, job_id: str, *, where: str) -> Job:
        """How the job stands; one call."""

        def ask(client: Client) -> Job:
            path = f"jobs/{self.kind}/{job_id}"
            return _job(asked(client, "GET", path), where)

        return self.session.call(ask, where=where)

    def found(self, job_id: str, *, where: str, version: str) -> Job | None:
        """The same, for a job that may be gone, or of another version."""

        def ask(client: Client) -> Job | None:
            try:
                path = f"jobs/{self.kind}/{job_id}"
                return _job(asked(client, "GET", path, version=version), where)
            except SalesforceError as error:
                if error.status in _NOT_HERE:
                    return None
                raise

        return self.session.call(ask, where=where)

    def told(self, job_id: str, state: str, *, where: str) -> Job:
        """Tell the job its next state; one call, one attempt."""

        def ask(client: Client) -> Job:
            path = f"jobs/{self.kind}/{job_id}"
            return _job(asked(client, "PATCH", path, json={"state": state}), where)

        return self.session.call_once(ask, where=where)

    def stop(self, job_id: str) -> None:
        """Ask the job to stop, if the org can hear us; one call."""
        with suppress(ConnectorError):
            self.told(job_id, "Aborted", where="stopping a job")

    def delete(self, job_id: str, *, version: str = "") -> None:
        """Put the job and its results away; one call, and no harm if it fails.

        What is left is deleted by Salesforce itself after seven days.
        """

        def ask(client: Client) -> None:
            path = f"jobs/{self.kind}/{job_id}"
            asked(client, "DELETE", path, version=version or None).close()

        with suppress(ConnectorError):
            self.session.call_once(ask, where="deleting a job")


def version_of(job: Job) -> str:
    """The API's with which the job was made; every call about it must use that."""
    told = job.get("apiVersion")
    return f"{told:.1f}" if isinstance(told, int | float) else ""


def _job(reply: requests.Response, where: str) -> Job:
    job = reply.json()
    is_one = isinstance(job, dict) and isinstance(job.get("id"), str)
    if not is_one or not job["id"].isalnum():
        raise unreadable(where)
    if job.get("state") not in OVER | _UNDER_WAY:
        raise unreadable(where)
    return dict(job)
