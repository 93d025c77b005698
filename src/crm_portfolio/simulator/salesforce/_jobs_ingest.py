"""What does Bulk API 2.0 do with the rows of an upload?

They are judged by the same code as those of a collection, in the order of the upload; the
results come in another order, as from the real service, which works on parts side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import attrs

from crm_portfolio.simulator._server import Reply
from crm_portfolio.simulator.salesforce._call import DATA, Call, Route
from crm_portfolio.simulator.salesforce._jobs import DELIMITERS, Job, wrong_state
from crm_portfolio.simulator.salesforce._jobs_csv import (
    Upload,
    UploadError,
    read_upload,
    written,
)
from crm_portfolio.simulator.salesforce._jobs_refusals import must_be_in_bulk
from crm_portfolio.simulator.salesforce._jobs_rows import (
    OPERATIONS,
    Result,
    Target,
    rows_written,
)
from crm_portfolio.simulator.salesforce._metadata import SObject
from crm_portfolio.simulator.salesforce._org import Org
from crm_portfolio.simulator.salesforce._refusal import Refusal, json_reply

__all__ = ["ROUTES", "IngestJob"]

_CSV: Final = "text/csv;charset=UTF-8"
_TOGETHER: Final = 200  # vendor docs: records that one run of a trigger sees
_BATCH: Final = 10_000
_STRIDE: Final = 7_919
Cells = tuple[str, ...]


@attrs.define(eq=False)
class IngestJob(Job):
    """Rows to write, and what came of each."""

    key: str = ""
    content: bytes | None = None
    upload: Upload = attrs.field(factory=lambda: Upload((), ()))
    successes: list[tuple[str, bool, Cells]] = attrs.field(factory=list)
    failures: list[tuple[str, str, Cells]] = attrs.field(factory=list)
    unprocessed: list[Cells] = attrs.field(factory=list)

    def shown(self) -> dict[str, Any]:
        body = super().shown()
        if self.has_ended:
            more = ("apiActiveProcessingTime", "apexProcessingTime")
            body["numberRecordsFailed"] = self.failed
            body |= dict.fromkeys(more, 0)
        return body


def _create(org: Org, call: Call) -> Reply:
    body = call.json()
    operation, named = str(body.get("operation")), str(body.get("object"))
    if operation not in OPERATIONS:
        raise Refusal("INVALIDJOB", f"the operation is one of {', '.join(OPERATIONS)}")
    if body.get("contentType", "CSV") != "CSV":
        raise Refusal("INVALIDJOB", "the contentType is CSV")
    delimiter = str(body.get("columnDelimiter", "COMMA"))
    line_ending = str(body.get("lineEnding", "LF"))
    if delimiter not in DELIMITERS or line_ending not in ("LF", "CRLF"):
        raise Refusal("INVALIDJOB", "unknown columnDelimiter or lineEnding")
    must_be_in_bulk(call.jobs.bulk, named)
    entity = org.catalogue.find(named)
    if entity is None or org.access.fields(entity.name) is None:
        message = f"Entity '{named}' is not supported by the Bulk API"
        raise Refusal("INVALIDENTITY", message)
    if call.jobs.used("batch") >= call.jobs.bulk.batches:
        # vendor docs: 15,000 batches in 24 hours; the text is unverified.
        raise Refusal("LIMIT_EXCEEDED", "ApiBatchItems Limit exceeded.", status=403)
    job_id = org.new_id("750")
    key = str(body.get("externalIdFieldName", ""))
    if (operation == "upsert") != bool(key):
        raise Refusal("INVALIDJOB", "externalIdFieldName goes with upsert, and only so")
    more = {"contentUrl": f"services/data/{call.version}/jobs/ingest/{job_id}/batches"}
    job = IngestJob(
        kind="ingest",
        id=job_id,
        operation=operation,
        object=entity.name,
        version=call.version,
        delimiter=delimiter,
        line_ending=line_ending,
        by=org.user_id,
        created_at=org.clock.now,
        polls=call.jobs.bulk.polls,
        faults=call.faults,
        state="Open",
        key=_key(entity, key) if key else "",
        more={**more, **({"externalIdFieldName": key} if key else {})},
    )
    call.jobs.add(job)
    return json_reply(job.shown())


def _key(entity: SObject, name: str) -> str:
    found = next(
        (f for f in entity.fields.values() if f.name.lower() == name.lower()), None
    )
    if found is None or not found.is_key:
        message = (
            f"Field name provided, {name} does not match an External ID, Salesforce Id, "
            f"or indexed field for {entity.name}"
        )
        raise Refusal("INVALIDJOB", message)
    return found.name


def _upload(org: Org, call: Call) -> Reply:
    job = call.jobs.find(call.parts["job"], IngestJob)
    content = call.request.body
    if len(content) > call.jobs.bulk.upload_bytes:
        message = f"the upload exceeds {call.jobs.bulk.upload_bytes} bytes"
        status = org.assumptions.bulk_oversize_status
        raise Refusal("REQUEST_ENTITY_TOO_LARGE", message, status=status)
    if job.state != "Open" or job.content is not None:
        refusal = wrong_state("Found multiple contents for the job: close it")
        refusal.status = org.assumptions.bulk_second_upload_status
        raise refusal
    if not call.request.headers.get("content-type", "").startswith("text/csv"):
        raise Refusal("INVALIDCONTENTTYPE", "the Content-Type must be text/csv")
    job.content = content
    return Reply(201)


def _close(org: Org, call: Call) -> Reply:
    job = call.jobs.find(call.parts["job"], IngestJob)
    state = call.json().get("state")
    if state not in ("UploadComplete", "Aborted"):
        raise Refusal("INVALIDJOB", "the state is UploadComplete or Aborted")
    if job.has_ended or (state == "UploadComplete" and job.state != "Open"):
        raise wrong_state(f"the job is {job.state} already")
    job.state, job.changed_at = state, org.clock.now
    _read(job)
    if state == "Aborted":
        job.unprocessed = list(job.upload.rows)
    call.jobs.use("batch", -(-len(job.upload.rows) // _BATCH))
    return json_reply(job.shown())


def _read(job: IngestJob) -> None:
    try:
        job.upload = read_upload(
            job.content or b"", delimiter=DELIMITERS[job.delimiter]
        )
    except UploadError as error:
        job.fail(str(error))


def _show(org: Org, call: Call) -> Reply:
    job = call.jobs.find(call.parts["job"], IngestJob)
    job.look(org.clock.now, lambda: _finish(org, job))
    return json_reply(job.shown())


def _finish(org: Org, job: IngestJob) -> None:
    rows = job.upload.rows
    fault = job.fault("job_fails")
    done = len(rows)
    if fault is not None:
        done = done // 2 if fault.size is None else min(fault.size, done)
        message = "InternalServerError: the job was ended after too many retries"
        job.fail(f"{fault.about}: the job failed" if fault.about else message)
    try:
        columns = _columns(org, job)
    except UploadError as error:
        job.fail(str(error))
        done = 0
    target = Target(org.catalogue.object(job.object), job.operation, job.key)
    for start in range(0, done, _TOGETHER):
        part = rows[start : min(start + _TOGETHER, done)]
        records = [dict(zip(columns, cells, strict=True)) for cells in part]
        results = rows_written(org, target, records)
        for cells, result in zip(part, results, strict=True):
            _note(org, job, cells, result)
    job.unprocessed = list(rows[done:])
    job.processed, job.failed = done, len(job.failures)


def _columns(org: Org, job: IngestJob) -> tuple[str, ...]:
    """The header, each name as the object writes it; unknown ones fail the job."""
    entity = org.catalogue.object(job.object)
    seen = org.access.fields(entity.name) or {}
    for name in job.upload.header:
        if name.lower() not in seen:
            raise UploadError(f"InvalidBatch : Field name not found : {name}")
    columns = tuple(seen[name.lower()].name for name in job.upload.header)
    if len(set(columns)) < len(columns):
        raise UploadError("InvalidBatch : a field stands twice in the header")
    by_id = job.operation in ("update", "delete", "hardDelete")
    wanted = "Id" if by_id else job.key
    if wanted and wanted not in columns:
        raise UploadError(f"InvalidBatch : Field name not found : {wanted}")
    if job.operation in ("delete", "hardDelete") and columns != ("Id",):
        raise UploadError("InvalidBatch : a delete takes the column Id alone")
    return columns


def _note(org: Org, job: IngestJob, cells: Cells, result: Result) -> None:
    if not isinstance(result, Refusal):
        job.successes.append((*result, cells))
        return
    shape = org.assumptions.bulk_error_tail if result.fields else "--"
    tail = shape.format(fields=",".join(result.fields))
    named = dict(zip(job.upload.header, cells, strict=True)).get("Id", "")
    job.failures.append((named, f"{result.code}:{result.message}:{tail}", cells))


def _successes(org: Org, call: Call) -> Reply:
    job = _ended(call)
    rows = [(key, str(made).lower(), *cells) for key, made, cells in job.successes]
    return _listed(org, job, ("sf__Id", "sf__Created"), rows)


def _failures(org: Org, call: Call) -> Reply:
    job = _ended(call)
    rows = [(key, error, *cells) for key, error, cells in job.failures]
    return _listed(org, job, ("sf__Id", "sf__Error"), rows)


def _unprocessed(org: Org, call: Call) -> Reply:
    job = _ended(call)
    return _listed(org, job, (), job.unprocessed)


def _ended(call: Call) -> IngestJob:
    job = call.jobs.find(call.parts["job"], IngestJob)
    if not job.has_ended:
        raise wrong_state(f"the job is {job.state}: its results are not there yet")
    return job


def _listed(
    org: Org, job: IngestJob, more: Sequence[str], rows: Sequence[Sequence[str]]
) -> Reply:
    text = written(
        (*more, *job.upload.header),
        _shuffled(rows),
        delimiter=DELIMITERS[job.delimiter],
        line_ending=job.line_ending,
        is_quoted=org.assumptions.bulk_quotes_all,
    )
    return Reply(200, text, {"content-type": _CSV}, rows=len(rows))


def _shuffled(rows: Sequence[Sequence[str]]) -> Iterator[Sequence[str]]:
    """Another order, the same each time (vendor docs: none is promised)."""
    order = sorted(range(len(rows)), key=lambda place: (place + 1) * _STRIDE % 10_007)
    return (rows[place] for place in order)


def _delete(_org: Org, call: Call) -> Reply:
    job = call.jobs.find(call.parts["job"], IngestJob)
    if not job.has_ended:
        raise wrong_state(f"the job is {job.state}: close or abort it first")
    call.jobs.remove(job)
    return Reply(204)


def _list(_org: Org, call: Call) -> Reply:
    path = f"/services/data/{call.version}/jobs/ingest"
    locator = call.request.query.get("queryLocator", "")
    return json_reply(call.jobs.listed("ingest", locator=locator, path=path))


_JOB: Final = DATA + "jobs/ingest/{job}"
ROUTES: Final[tuple[Route, ...]] = (
    Route("POST", DATA + "jobs/ingest", _create),
    Route("GET", DATA + "jobs/ingest", _list),
    Route("GET", _JOB, _show),
    Route("PUT", _JOB + "/batches", _upload),
    Route("PATCH", _JOB, _close),
    Route("DELETE", _JOB, _delete),
    Route("GET", _JOB + "/successfulResults", _successes),
    Route("GET", _JOB + "/failedResults", _failures),
    # The guide writes it in lower case, the usual client does not.
    Route("GET", _JOB + "/unprocessedrecords", _unprocessed),
    Route("GET", _JOB + "/unprocessedRecords", _unprocessed),
)
