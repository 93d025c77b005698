"""Which Bulk API 2.0 jobs does the org know, and how far are they?

A job moves on with each look at it, never by itself: so many looks until it is done. It
belongs to the user, not to the session, and is forgotten after seven days (vendor docs).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal, TypeVar

import attrs

from crm_portfolio.simulator._faults import Fault
from crm_portfolio.simulator.salesforce._org import Org
from crm_portfolio.simulator.salesforce._refusal import Refusal

__all__ = ["DELIMITERS", "Bulk", "Job", "Jobs", "Kind", "wrong_state"]

Kind = Literal["query", "ingest"]
State = Literal[
    "Open", "UploadComplete", "InProgress", "JobComplete", "Failed", "Aborted"
]
J = TypeVar("J", bound="Job")

DELIMITERS: Final[Mapping[str, str]] = {
    "COMMA": ",", "TAB": "\t", "PIPE": "|", "SEMICOLON": ";", "CARET": "^",
    "BACKQUOTE": "`",
}  # fmt: skip
_LIFETIME: Final = timedelta(days=7)
_DAY: Final = timedelta(days=1)
_ENDED: Final = ("JobComplete", "Failed", "Aborted")
_LISTED: Final = 1000


@attrs.frozen
class Bulk:
    """How Bulk API 2.0 behaves, where the vendor leaves it open or it can be made smaller.

    Attributes:
        polls: Looks at a job until it is done.
        page_rows: Rows of a page of results, where ``maxRecords`` does not say.
        refuses: Objects that it does not serve, besides those of the vendor.
        query_jobs: Query jobs in 24 hours.
        result_kb: Results of query jobs in 24 hours.
        batches: Internal batches of 10,000 rows in 24 hours.
        upload_bytes: Size of one upload.
    """

    polls: int = attrs.field(default=2, validator=attrs.validators.ge(1))
    page_rows: int = attrs.field(default=50_000, validator=attrs.validators.ge(1))
    refuses: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    query_jobs: int = 10_000
    result_kb: int = 1_000_000_000
    batches: int = 15_000
    upload_bytes: int = 100_000_000


@attrs.define(eq=False)
class Job:
    """One job. ``finish`` does its work when the last look is due."""

    kind: Kind
    id: str
    operation: str
    object: str
    version: str
    delimiter: str
    line_ending: str
    by: str
    created_at: datetime
    polls: int
    faults: tuple[Fault, ...] = ()
    state: State = "UploadComplete"
    changed_at: datetime = attrs.field(init=False)
    error: str = ""
    looks: int = 0
    processed: int = 0
    failed: int = 0
    more: Mapping[str, Any] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.changed_at = self.created_at

    @property
    def has_ended(self) -> bool:
        return self.state in _ENDED

    def fault(self, kind: str) -> Fault | None:
        return next((fault for fault in self.faults if fault.kind == kind), None)

    def look(self, now: datetime, finish: Callable[[], None]) -> None:
        """Move on by one look."""
        if self.state not in ("UploadComplete", "InProgress"):
            return
        self.looks += 1
        never = self.fault("job_never_completes") is not None
        if self.looks < self.polls or never:
            is_waiting = self.looks == 1 and self.polls > 2
            self.state = "UploadComplete" if is_waiting else "InProgress"
            return
        self.state, self.changed_at = "JobComplete", now
        finish()

    def fail(self, error: str) -> None:
        self.state, self.error = "Failed", error

    def shown(self) -> dict[str, Any]:
        """The job as every route shows it."""
        body: dict[str, Any] = {
            "id": self.id,
            "operation": self.operation,
            "object": self.object,
            "createdById": self.by,
            "createdDate": _moment(self.created_at),
            "systemModstamp": _moment(self.changed_at),
            "state": self.state,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(self.version[1:]),
            "lineEnding": self.line_ending,
            "columnDelimiter": self.delimiter,
            **self.more,
        }
        if self.error:
            body["errorMessage"] = self.error
        if self.has_ended:
            body["jobType"] = "V2Query" if self.kind == "query" else "V2Ingest"
            body["numberRecordsProcessed"] = self.processed
            body["retries"] = 0
            body["totalProcessingTime"] = 1000 * self.looks
        return body


class Jobs:
    """The jobs of an org, in the order in which they were made."""

    def __init__(self, org: Org, bulk: Bulk) -> None:
        self._org = org
        self.bulk = bulk
        self._jobs: dict[str, Job] = {}
        self._made: list[tuple[datetime, Kind]] = []
        self._used: list[tuple[datetime, str, int]] = []
        self._folder: TemporaryDirectory[str] | None = None

    def __iter__(self) -> Iterator[Job]:
        self._forget()
        return iter(tuple(self._jobs.values()))

    @property
    def folder(self) -> Path:
        """Where results lie while their jobs live."""
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="simulated-jobs-")
        return Path(self._folder.name)

    def close(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def add(self, job: Job) -> None:
        self._jobs[job.id] = job
        self._made.append((job.created_at, job.kind))

    def find(self, job_id: str, kind: type[J]) -> J:
        self._forget()
        found = self._jobs.get(job_id) or self._jobs.get(job_id[:15])
        if not isinstance(found, kind):
            raise Refusal(
                "NOT_FOUND", "The requested resource does not exist", status=404
            )
        return found

    def remove(self, job: Job) -> None:
        del self._jobs[job.id]
        for path in self.folder.glob(f"{job.id}-*"):
            path.unlink()
        self._org.store.drop(f"result_{job.id}")

    def use(self, what: str, amount: int) -> None:
        """Count against an allowance of 24 hours."""
        self._used.append((self._org.clock.now, what, amount))

    def used(self, what: str) -> int:
        since = self._org.clock.now - _DAY
        return sum(n for at, name, n in self._used if name == what and at > since)

    def made(self, kind: Kind) -> int:
        """Jobs made in the last 24 hours, deleted ones too."""
        since = self._org.clock.now - _DAY
        return sum(of == kind and at > since for at, of in self._made)

    @property
    def allowances(self) -> dict[str, tuple[int, int]]:
        """What may be used in 24 hours, and what is left of it."""
        bulk = self.bulk
        stored = bulk.result_kb // 1024
        spent = {
            "DailyBulkV2QueryJobs": (bulk.query_jobs, self.made("query")),
            "DailyBulkV2QueryFileStorageMB": (stored, self.used("result") >> 20),
            "DailyBulkApiBatches": (bulk.batches, self.used("batch")),
        }
        return {name: (most, max(0, most - n)) for name, (most, n) in spent.items()}

    def listed(self, kind: Kind, *, locator: str, path: str) -> dict[str, Any]:
        """A page of the list of jobs, the latest first."""
        mine = [job for job in self if job.kind == kind][::-1]
        start = int(locator) if locator.isdecimal() else 0
        end = start + _LISTED
        more = f"{path}?queryLocator={end}" if end < len(mine) else None
        records = [job.shown() for job in mine[start:end]]
        return {"done": more is None, "records": records, "nextRecordsUrl": more}

    def _forget(self) -> None:
        oldest = self._org.clock.now - _LIFETIME
        for job in [job for job in self._jobs.values() if job.created_at <= oldest]:
            self.remove(job)


def wrong_state(message: str) -> Refusal:
    """The job is not where that can be done (unverified: the code)."""
    return Refusal("INVALIDJOBSTATE", message)


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
