"""How does Bulk API 2.0 answer a query?

The rows are put aside when the job is made, as they stand then; a page is a slice of them
that DuckDB writes as CSV into a file, once. Without ORDER BY rows come in no useful order:
the real service cuts a table by ranges of ids that end when they end (vendor docs).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from crm_portfolio.simulator._server import Reply
from crm_portfolio.simulator._store import quoted
from crm_portfolio.simulator.salesforce._call import DATA, Call, Route
from crm_portfolio.simulator.salesforce._compiled import Column
from crm_portfolio.simulator.salesforce._jobs import (
    DELIMITERS,
    Job,
    Jobs,
    wrong_state,
)
from crm_portfolio.simulator.salesforce._jobs_refusals import (
    compiled_for_bulk,
    why_it_will_fail,
)
from crm_portfolio.simulator.salesforce._org import Org
from crm_portfolio.simulator.salesforce._refusal import Refusal, json_reply

__all__ = ["ROUTES", "QueryJob"]

_CSV: Final = "text/csv;charset=UTF-8"
_PAGES_AT_ONCE: Final = 5
_FIRST_WITH_PAGES: Final = 58
_LINE: Final = re.compile(rb'("[^"]*")|\n')
_TEXTS: Final[Mapping[str, str]] = {
    "date": "strftime({}, '%Y-%m-%d')",
    # Seen at estuary/connectors#2519: CSV has Z where REST has +0000.
    "datetime": "strftime({}, '%Y-%m-%dT%H:%M:%S.%g') || 'Z'",
}


@attrs.define(eq=False)
class QueryJob(Job):
    """A query whose rows are put aside in ``table``.

    Attributes:
        doom: What it will fail with; empty: it will not.
    """

    table: str = ""
    columns: tuple[Column, ...] = ()
    total: int = 0
    is_ordered: bool = False
    doom: str = ""


def _create(org: Org, call: Call) -> Reply:
    body = call.json()
    soql, operation = body.get("query"), body.get("operation")
    if operation not in ("query", "queryAll") or not isinstance(soql, str):
        raise Refusal("INVALIDJOB", "operation and query are required")
    delimiter = str(body.get("columnDelimiter", "COMMA"))
    line_ending = str(body.get("lineEnding", "LF"))
    if delimiter not in DELIMITERS or line_ending not in ("LF", "CRLF"):
        raise Refusal("INVALIDJOB", "unknown columnDelimiter or lineEnding")
    _must_be_within_limits(call.jobs)
    statement, compiled = compiled_for_bulk(
        org, call.jobs.bulk, soql, with_deleted=operation == "queryAll"
    )
    is_chunked = not statement.order_by and statement.limit is None
    job = QueryJob(
        kind="query",
        id=org.new_id("750"),
        operation=operation,
        object=statement.entity,
        version=call.version,
        delimiter=delimiter,
        line_ending=line_ending,
        by=org.user_id,
        created_at=org.clock.now,
        polls=call.jobs.bulk.polls,
        faults=call.faults,
        columns=tuple(c for c in compiled.columns if c.names[-1]),
        is_ordered=bool(statement.order_by),
        doom=why_it_will_fail(org, compiled),
        # vendor docs: ORDER BY and LIMIT turn it off, and large objects then time out.
        more={"isPkChunkingSupported": is_chunked},
    )
    job.table = f"result_{job.id}"
    create = f"CREATE TABLE {quoted(job.table)} AS {compiled.sql}"
    org.store.rows(create, compiled.parameters)
    job.total = org.store.count(job.table)
    call.jobs.add(job)
    return json_reply(job.shown())


def _must_be_within_limits(jobs: Jobs) -> None:
    """Vendor docs: both texts; the codes are unverified."""
    most, stored = jobs.bulk.query_jobs, jobs.bulk.result_kb
    if jobs.made("query") >= most:
        message = f"Max bulk v2 query jobs ({most}) per 24 hrs has been reached"
        raise Refusal("LIMIT_EXCEEDED", message)
    if jobs.used("result") >= stored * 1000:
        message = (
            f"Max bulk v2 query result size stored ({stored}) kb per 24 hrs has been "
            "exceeded"
        )
        raise Refusal("LIMIT_EXCEEDED", message)


def _show(org: Org, call: Call) -> Reply:
    job = call.jobs.find(call.parts["job"], QueryJob)
    job.look(org.clock.now, lambda: _finish(job))
    return json_reply(job.shown())


def _finish(job: QueryJob) -> None:
    fault = job.fault("job_fails")
    if fault is not None:
        job.fail(f"{fault.about or 'InternalServerError'}: the query failed")
    elif job.doom:
        job.fail(job.doom)
    else:
        job.processed = job.total


def _results(org: Org, call: Call) -> Reply:
    job = _ended(call)
    asked = call.request.query
    start = _start(call, job)
    most = asked.get("maxRecords", str(call.jobs.bulk.page_rows))
    if not most.isdecimal() or not int(most):
        raise Refusal("INVALIDJOB", "maxRecords must be a whole number above 0")
    end = min(start + int(most), job.total)
    fewer = call.fault("fewer_rows")
    if fewer is not None:
        size = (end - start) // 2 if fewer.size is None else fewer.size
        end = min(end, start + size)
    if call.fault("empty_page"):
        end = start
    path = _page(org, call.jobs, job, start, end)
    headers = {
        "content-type": _CSV,
        "sforce-locator": _locator(end) if end < job.total else "null",
        "sforce-numberofrecords": str(end - start),
    }
    return Reply(200, path, headers, rows=end - start)


def _ended(call: Call) -> QueryJob:
    job = call.jobs.find(call.parts["job"], QueryJob)
    if job.state != "JobComplete":
        raise wrong_state(f"the job is {job.state}, not JobComplete")
    return job


def _start(call: Call, job: QueryJob) -> int:
    locator = call.request.query.get("locator")
    if not locator:
        return 0
    if call.version != job.version:
        # vendor docs: 409; the code and the text are unverified.
        message = f"use the API version of the job, {job.version[1:]}"
        raise Refusal("API_VERSION_MISMATCH", message, status=409)
    try:
        start = int(base64.b64decode(locator, validate=True))
    except (binascii.Error, ValueError):
        start = -1
    if not 0 <= start <= job.total:
        raise Refusal("INVALID_QUERY_LOCATOR", "invalid query locator")
    return start


def _locator(start: int) -> str:
    return base64.b64encode(str(start).encode()).decode()


def _page(org: Org, jobs: Jobs, job: QueryJob, start: int, end: int) -> Path:
    """The file of a page; the same one each time it is asked for."""
    path = jobs.folder / f"{job.id}-{start}-{end}.csv"
    if path.exists():
        return path
    first, last, order = start, end, "rowid"
    if not job.is_ordered:
        first, last = job.total - end, job.total - start
        # unverified: a range of ids is read along them, or in no order at all.
        order = "rowid" if org.assumptions.bulk_rows_in_id_order else "hash(rowid)"
    is_quoted = org.assumptions.bulk_quotes_all
    columns = ", ".join(_column(column, is_quoted=is_quoted) for column in job.columns)
    select = (
        f"SELECT {columns} FROM {quoted(job.table)} "  # noqa: S608
        f"WHERE rowid >= {first} AND rowid < {last} ORDER BY {order}"
    )
    delimiter = DELIMITERS[job.delimiter]
    org.store.write_csv(select, path, delimiter=delimiter, is_quoted=is_quoted)
    if job.line_ending == "CRLF":
        text = _LINE.sub(lambda found: found[1] or b"\r\n", path.read_bytes())
        path.write_bytes(text)
    jobs.use("result", path.stat().st_size)
    return path


def _column(column: Column, *, is_quoted: bool) -> str:
    text = _TEXTS.get(column.type, "CAST({} AS VARCHAR)").format(column.sql_name)
    # Where every field stands in quotes, null is a pair of them.
    shown = f"coalesce({text}, '')" if is_quoted else text
    return f"{shown} AS {quoted('.'.join(column.names))}"


def _result_pages(_org: Org, call: Call) -> Reply:
    if float(call.version[1:]) < _FIRST_WITH_PAGES:
        raise Refusal("NOT_FOUND", "The requested resource does not exist", status=404)
    job = _ended(call)
    start, size = _start(call, job), call.jobs.bulk.page_rows
    starts = list(range(start, max(job.total, 1), size))
    here = f"/services/data/{job.version}/jobs/query/{job.id}"
    more = starts[_PAGES_AT_ONCE:]
    pages = [
        {"resultUrl": f"{here}/results?locator={_locator(first)}"}
        for first in starts[:_PAGES_AT_ONCE]
    ]
    body: dict[str, Any] = {"resultPages": pages, "done": not more}
    if more:
        body["nextRecordsUrl"] = f"{here}/resultPages?locator={_locator(more[0])}"
    return json_reply(body)


def _abort(org: Org, call: Call) -> Reply:
    job = call.jobs.find(call.parts["job"], QueryJob)
    if call.json().get("state") != "Aborted":
        raise Refusal("INVALIDJOB", "only the state Aborted can be set")
    if job.has_ended:
        raise wrong_state(f"the job is {job.state} already")
    job.state, job.changed_at = "Aborted", org.clock.now
    return json_reply(job.shown())


def _delete(_org: Org, call: Call) -> Reply:
    job = call.jobs.find(call.parts["job"], QueryJob)
    if not job.has_ended:
        raise wrong_state(f"the job is {job.state}: abort it first")
    call.jobs.remove(job)
    return Reply(204)


def _list(_org: Org, call: Call) -> Reply:
    path = f"/services/data/{call.version}/jobs/query"
    locator = call.request.query.get("queryLocator", "")
    return json_reply(call.jobs.listed("query", locator=locator, path=path))


_JOB: Final = DATA + "jobs/query/{job}"
ROUTES: Final[tuple[Route, ...]] = (
    Route("POST", DATA + "jobs/query", _create),
    Route("GET", DATA + "jobs/query", _list),
    Route("GET", _JOB, _show),
    Route("PATCH", _JOB, _abort),
    Route("DELETE", _JOB, _delete),
    Route("GET", _JOB + "/results", _results),
    Route("GET", _JOB + "/resultPages", _result_pages),
)
