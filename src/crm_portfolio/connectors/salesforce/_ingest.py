"""How are many records written as one job, and what came of each?

The CSV is ours: the library's has its columns in an order of chance, and can clear
nothing. Until a job is closed the org does nothing, so up to there all may be done again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeVar

import attrs
import pyarrow as pa

from crm_portfolio.connectors._retry import QuotaSpentError, persistent
from crm_portfolio.connectors.salesforce._csv import Reading, rows_of
from crm_portfolio.connectors.salesforce._jobs import OVER, Job, Jobs, Patience
from crm_portfolio.connectors.salesforce._portions import is_for_a_job
from crm_portfolio.connectors.salesforce._refusals import (
    BulkRefusedError,
    unreadable,
)
from crm_portfolio.connectors.salesforce._session import Client, Session, asked
from crm_portfolio.connectors.salesforce._settings import SalesforceSettings
from crm_portfolio.connectors.salesforce._verdicts import (
    Verdict,
    accepted,
    from_text,
    unprocessed,
)
from crm_portfolio.errors import ConnectorError, TransientError

__all__ = ["MAX_UPLOAD_BYTES", "Ingest", "Sent", "csv_of", "fits"]

# 100 MB is the limit; what is left is for what a proxy may add.
MAX_UPLOAD_BYTES: Final = 95_000_000
_NULL: Final = "#N/A"
_SPECIAL: Final = re.compile(r'[",\r\n]')
_MAX_FIELD: Final = 32_000
_MAX_RECORD: Final = 400_000
_ID: Final = "Id"
_WHERE: Final = "writing by a job"
_PATIENCE: Final = Patience(total_seconds=7_200.0)
G = TypeVar("G")
Record = Mapping[str, Any]


@attrs.frozen
class Sent:
    """What is known of records that were sent.

    Attributes:
        verdicts: By the id that was sent.
        is_lost: Those without a verdict may or may not be written.
        failure: What ended it.
    """

    verdicts: Mapping[str, Verdict]
    is_lost: bool = False
    failure: ConnectorError | None = None


def fits(record: Record) -> bool:
    """Whether the CSV of a job can say this; a collection can say everything."""
    texts = [value for value in record.values() if isinstance(value, str)]
    return (
        all(_is_plain(text) for text in texts)
        and sum(map(len, texts)) < _MAX_RECORD - 1_000
    )


def _is_plain(text: str) -> bool:
    if text.strip().upper() == _NULL or "\0" in text or len(text) > _MAX_FIELD:
        return False
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def csv_of(records: Sequence[Record]) -> bytes:
    """The upload: rows by id, so that neighbours are locked together; ``#N/A`` clears.

    An empty cell leaves a field as it is, which is how records with other fields share
    a header.
    """
    columns = sorted({name for record in records for name in record} - {"id"})
    lines = [",".join((_ID, *columns))]
    for record in sorted(records, key=lambda one: str(one["id"])):
        cells = (str(record["id"]), *_cells(record, columns))
        lines.append(",".join(map(_quoted, cells)))
    return ("\n".join(lines) + "\n").encode()


def _quoted(cell: str) -> str:
    # Python's own writer leaves a lone carriage return bare, and the row is cut there.
    if _SPECIAL.search(cell) is None:
        return cell
    doubled = cell.replace('"', '""')
    return f'"{doubled}"'


def _cells(record: Record, columns: Iterable[str]) -> Iterator[str]:
    for column in columns:
        yield _cell(record[column]) if column in record else ""


def _cell(value: object) -> str:
    match value:
        case None | "":
            return _NULL
        case bool():
            return "true" if value else "false"
        case float():
            return format(Decimal(repr(value)), "f")  # all digits, and no exponent
        case _:
            return str(value)


class Ingest:
    """Updates that run as jobs."""

    def __init__(
        self,
        session: Session,
        settings: SalesforceSettings,
        *,
        patience: Patience = _PATIENCE,
        upload_bytes: int = MAX_UPLOAD_BYTES,
    ) -> None:
        self._session, self._settings = session, settings
        self._jobs = Jobs(session, "ingest", patience)
        self._upload_bytes = upload_bytes

    @property
    def is_a_must(self) -> bool:
        return self._settings.bulk == "always"

    def is_for(self, count: int) -> bool:
        """Whether so many records go as a job."""
        return is_for_a_job(self._settings, count)

    def parts(
        self, groups: Sequence[G], record_of: Callable[[G], Record]
    ) -> Iterator[Sequence[G]]:
        """Parts of which each is one upload."""
        start = size = 0
        for place, group in enumerate(groups):
            more = _upper_size(record_of(group))
            if size + more > self._upload_bytes and place > start:
                yield groups[start:place]
                start, size = place, 0
            size += more
        if groups:
            yield groups[start:]

    def sent(self, sobject: str, records: Sequence[Record]) -> Sent:
        """Write records and wait for what came of them.

        Raises:
            BulkRefusedError: Nothing was sent; write them by collections.
        """
        run = _Run(self._session, self._jobs, self._settings, sobject, records)
        return run.sent()


def _lists(
    job: Job,
) -> tuple[tuple[str, str, Callable[[str | None, str], Verdict]], ...]:
    """What a job tells of its rows: which list, the column that says it, its meaning."""
    left = unprocessed(str(job.get("errorMessage") or ""))
    return (
        ("successfulResults", "sf__Id", accepted),
        ("failedResults", "sf__Error", lambda error, _: from_text(error)),
        ("unprocessedrecords", _ID, lambda _, __: left),
    )


def _upper_size(record: Record) -> int:
    """No fewer bytes than the record's line has, whatever must be quoted in it."""
    # Columns it lacks are a comma each; no object of ours has a hundred.
    return 128 + sum(2 * len(str(value).encode()) + 3 for value in record.values())


@attrs.define
class _Run:
    """One job from its making to its results."""

    session: Session
    jobs: Jobs
    settings: SalesforceSettings
    sobject: str
    records: Sequence[Record]
    verdicts: dict[str, Verdict] = attrs.field(factory=dict)
    is_lost: bool = False

    def sent(self) -> Sent:
        try:
            job_id = persistent(self.settings.retry)(self._uploaded)
        except BulkRefusedError:
            raise
        except ConnectorError as error:
            return Sent({}, failure=error)
        try:
            self._close(job_id)
            self.is_lost = True  # from here on the org is at work
            job, failure = self._awaited(job_id)
            self._take_results(job)
        except ConnectorError as error:
            return Sent(self.verdicts, is_lost=self.is_lost, failure=error)
        self.jobs.delete(job_id)
        return Sent(self.verdicts, is_lost=True, failure=failure)

    def _uploaded(self) -> str:
        """A job with our rows, not yet closed: nothing happens in the org."""
        order = {
            "operation": "update",
            "object": self.sobject,
            "contentType": "CSV",
            "columnDelimiter": "COMMA",
            "lineEnding": "LF",
        }
        needs = f"Edit on {self.sobject}"
        job = self.jobs.made(order, where=_WHERE, needs=needs, is_patient=False)
        job_id, body = str(job["id"]), csv_of(self.records)

        def put(client: Client) -> None:
            path = f"jobs/ingest/{job_id}/batches"
            headers = {"Content-Type": "text/csv; charset=UTF-8"}
            with asked(client, "PUT", path, data=body, headers=headers) as reply:
                if reply.status_code != 201:
                    raise unreadable(_WHERE)

        try:
            self.session.call_once(put, where=_WHERE)
        except ConnectorError:
            # Whether the rows are there is not known, and a second upload is refused.
            self.jobs.stop(job_id)
            raise
        return job_id

    def _close(self, job_id: str) -> None:
        """Let the job begin; where no answer came, look before it is said again."""
        is_in_doubt = False

        def once() -> None:
            nonlocal is_in_doubt
            if is_in_doubt and self.jobs.seen(job_id, where=_WHERE)["state"] != "Open":
                return
            try:
                self.jobs.told(job_id, "UploadComplete", where=_WHERE)
            except TransientError as error:
                is_in_doubt = True
                self.is_lost |= not isinstance(error, QuotaSpentError)
                raise

        persistent(self.settings.retry)(once)

    def _awaited(self, job_id: str) -> tuple[Job, TransientError | None]:
        """The job when it is over, and why it was not awaited to its own end."""
        try:
            return self.jobs.awaited(job_id, where=_WHERE), None
        except TransientError as error:
            if error.code != "JOB_TIMEOUT":
                raise
            # It was stopped, so that it can say exactly what it has done.
            job = self.jobs.seen(job_id, where=_WHERE)
            if job["state"] not in OVER:
                raise
            return job, error

    def _take_results(self, job: Job) -> None:
        """By id, for rows come in any order; no more lists than it takes to know all."""
        job_id = str(job["id"])
        sent_as = {str(record["id"])[:15]: str(record["id"]) for record in self.records}
        for which, column, verdict_of in _lists(job):
            for listed, said in self._pairs(job_id, which, column):
                record_id = sent_as.get((listed or "")[:15])
                if record_id is not None:
                    verdict = verdict_of(said, record_id)
                    self.verdicts.setdefault(record_id, verdict)
            if len(self.verdicts) == len(self.records):
                return

    def _pairs(
        self, job_id: str, which: str, column: str
    ) -> Iterator[tuple[str | None, str | None]]:
        """The id that was sent and one column, of each row of a list."""
        columns = tuple(dict.fromkeys((_ID, column)))
        path = f"jobs/ingest/{job_id}/{which}"

        def ask(client: Client) -> pa.Table:
            headers = {"Accept": "text/csv"}
            with asked(client, "GET", path, headers=headers, stream=True) as reply:
                reading = Reading(columns, {}, with_care=True, must_have_header=True)
                return rows_of(reply, reading, where=_WHERE)

        rows = self.session.call(ask, where=_WHERE)
        for batch in rows.to_batches(max_chunksize=10_000):
            arrays = (batch.column(name).to_pylist() for name in (_ID, column))
            yield from zip(*arrays, strict=True)
