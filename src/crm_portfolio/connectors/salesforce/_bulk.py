"""How does a large object come by Bulk API 2.0: asked for, awaited, streamed, checked?

The library would wait five seconds before it looks, hold each page twice and follow no
session that ends; so the loop is ours, over the library's own session.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs
import pyarrow as pa

from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors.salesforce._csv import Reading, columns_of, sobject_of
from crm_portfolio.connectors.salesforce._jobs import Job, Jobs, Patience, version_of
from crm_portfolio.connectors.salesforce._refusals import (
    BulkRefusedError,
    PlaceLostError,
    QueryTooLargeError,
    meaning_of,
    safe_code,
)
from crm_portfolio.connectors.salesforce._results import Result
from crm_portfolio.connectors.salesforce._rights import to_read
from crm_portfolio.connectors.salesforce._session import Session
from crm_portfolio.connectors.salesforce._settings import SalesforceSettings
from crm_portfolio.errors import ConnectorError

__all__ = [
    "Bulk",
    "BulkPage",
    "BulkPlace",
    "BulkRefusedError",
    "PlaceLostError",
    "QueryTooLargeError",
]


@attrs.frozen
class BulkPlace:
    """Where a query goes on: the job, and the page behind the last one stored.

    Attributes:
        rows_before: Rows of the pages up to here; None: not known, so not checked.
    """

    job_id: str
    locator: str | None
    api_version: str
    rows_before: int | None = None


@attrs.frozen(eq=False)
class BulkPage:
    """One page of a query's result, and the place behind it.

    Attributes:
        rows: One column for each field of the select, in its order and by its name.
        place: None behind the last page.
    """

    rows: pa.Table
    place: BulkPlace | None


class Bulk:
    """Queries that run as jobs."""

    def __init__(
        self,
        session: Session,
        settings: SalesforceSettings,
        *,
        patience: Patience | None = None,
    ) -> None:
        self._session, self._settings = session, settings
        self._jobs = Jobs(session, "query", patience or Patience())

    def pages(
        self,
        soql: str,
        *,
        kinds: Mapping[str, str],
        with_deleted: bool = False,
        resume: BulkPlace | None = None,
    ) -> Iterator[BulkPage]:
        """The result, page by page, in its order; at least one page.

        The job is put away when the iterator is asked for what is behind its last page,
        and stays for a week if it is not.

        Args:
            kinds: Salesforce types by field; a field that is not here stays text.
            with_deleted: Deleted and archived records too.

        Raises:
            BulkRefusedError: Read it by REST.
            QueryTooLargeError: Ask for it in parts.
            PlaceLostError: What ``resume`` names is gone.
        """
        if resume is None:
            job = self._run(soql, with_deleted=with_deleted)
            place = BulkPlace(job["id"], None, self._settings.api_version, 0)
        else:
            job, place = self._found(resume), resume
        place = attrs.evolve(place, api_version=version_of(job) or place.api_version)
        result = Result(
            self._session,
            place.job_id,
            place.api_version,
            Reading(columns_of(soql), kinds),
            page_rows=self._settings.bulk_page_rows,
            total=_total(job),
        )
        for page in result.pages(place.locator, place.rows_before):
            behind = attrs.evolve(
                place, locator=page.following, rows_before=page.rows_so_far
            )
            yield BulkPage(page.rows, None if page.is_last else behind)
        self._jobs.delete(place.job_id, version=place.api_version)

    def _run(self, soql: str, *, with_deleted: bool) -> Job:
        order = {
            "operation": "queryAll" if with_deleted else "query",
            "query": soql,
            "contentType": "CSV",
            "columnDelimiter": "COMMA",
            "lineEnding": "LF",
        }
        where = "asking Bulk for a query"
        needs = to_read(sobject_of(soql))
        made = self._jobs.made(order, where=where, needs=needs)
        job = self._jobs.awaited(made["id"], where="waiting for a Bulk query")
        if job["state"] != "JobComplete":
            raise _failure(job)
        return job

    def _found(self, place: BulkPlace) -> Job:
        """The job of a place; it may have been made with another version than ours."""
        where = "going on with a Bulk query"
        for version in dict.fromkeys((place.api_version, self._settings.api_version)):
            job = self._jobs.found(place.job_id, version=version, where=where)
            if job is not None and job["state"] == "JobComplete":
                return job
        raise PlaceLostError(
            "salesforce", f"{where}: it is gone, ask for it anew", "JOB_GONE"
        )


def _total(job: Job) -> int | None:
    told = job.get("numberRecordsProcessed")
    return told if isinstance(told, int) else None


def _failure(job: Job) -> ConnectorError:
    """Why a job has no result; the text of the vendor may hold the query."""
    text = str(job.get("errorMessage") or "")
    code = safe_code(text.partition(":")[0].strip()) or str(job["state"]).upper()
    where = "a Bulk query did not come to an end"
    if _assumptions.TOO_LARGE_JOB.search(text):
        return QueryTooLargeError(
            "salesforce", f"{where}: the org gives up on a query of this size", code
        )
    return meaning_of(code, text, where=where)
