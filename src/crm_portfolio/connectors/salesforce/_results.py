"""How do the pages of a finished query come down, in order, side by side, none missing?"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit

import attrs
import pyarrow as pa
import requests
from simple_salesforce.exceptions import SalesforceError

from crm_portfolio.connectors.salesforce._csv import OddValueError, Reading, rows_of
from crm_portfolio.connectors.salesforce._refusals import PlaceLostError, unreadable
from crm_portfolio.connectors.salesforce._session import Client, Session, asked
from crm_portfolio.errors import ConnectorError

__all__ = ["Result", "ResultPage"]

_THREADS: Final = 4
# As many links as one call lists; up to here pages come one after the other.
_FEW_PAGES: Final = 5
_FIRST_WITH_LINKS: Final = 58.0
_IDLE_PAGES: Final = 5
_LOST_CURSOR: Final = "INVALID_QUERY_LOCATOR"
_WHERE: Final = "reading the result of a Bulk query"
# A page, and the locator of the one behind it.
_Page: TypeAlias = tuple[pa.Table, str | None]


@attrs.frozen(eq=False)
class ResultPage:
    """Some rows, and where the next ones are.

    Attributes:
        rows_so_far: These included, since the job's first; None: not known.
    """

    rows: pa.Table
    following: str | None
    rows_so_far: int | None

    @property
    def is_last(self) -> bool:
        return self.following is None


class _LocatorLostError(Exception):
    """The page is there, but not by this name."""


@attrs.define(eq=False)
class Result:
    """What a job that is over has found.

    Attributes:
        version: The API's that made the job; with another a page is refused.
        total: Rows by the job's own count; None: it did not tell.
    """

    session: Session
    job_id: str
    version: str
    reading: Reading
    page_rows: int
    total: int | None

    def pages(self, locator: str | None, rows: int | None) -> Iterator[ResultPage]:
        """The pages from a locator on; ``rows`` came before it.

        Raises:
            PlaceLostError: The locator is dead, and what came before it is not known.
            TransientError: Rows are missing at the end.
        """
        so_far = rows
        try:
            for page, following in self._stream(locator):
                so_far = None if so_far is None else so_far + page.num_rows
                yield self._told(page, following, so_far)
        except _LocatorLostError:
            if so_far is None:
                raise _lost() from None
            yield from self._again(so_far)

    def _again(self, known: int) -> Iterator[ResultPage]:
        """From the job's first page, without the rows that came before."""
        so_far = 0
        try:
            for whole, following in self._one_by_one(None):
                before, so_far = so_far, so_far + whole.num_rows
                if so_far > known or following is None:
                    page = whole.slice(max(known - before, 0))
                    yield self._told(page, following, so_far)
        except _LocatorLostError:
            raise _lost() from None

    def _told(
        self, rows: pa.Table, following: str | None, so_far: int | None
    ) -> ResultPage:
        is_known = following is None and so_far is not None and self.total is not None
        if is_known and so_far != self.total:
            raise unreadable(f"{_WHERE}: {so_far} rows came of {self.total}")
        return ResultPage(rows, following, so_far)

    def _stream(self, locator: str | None) -> Iterator[_Page]:
        # By the whole, not by what is left: a run taken up again cuts the same pages.
        is_small = (self.total or 0) <= _FEW_PAGES * self.page_rows
        if is_small or float(self.version) < _FIRST_WITH_LINKS:
            return self._one_by_one(locator)
        return self._side_by_side(locator)

    def _one_by_one(self, locator: str | None) -> Iterator[_Page]:
        seen, idle = {locator}, 0
        while True:
            rows, following = self._page(self._query(locator))
            idle = 0 if rows.num_rows else idle + 1
            if following is not None and (rows.num_rows or idle > _IDLE_PAGES):
                if following in seen:
                    raise unreadable(f"{_WHERE}: the pages go in a circle")
                seen.add(following)
            yield rows, following
            if following is None:
                return
            locator = following

    def _side_by_side(self, locator: str | None) -> Iterator[_Page]:
        """A few pages under way at once, and no more held than are under way."""
        links = self._links(locator)
        under_way: deque[tuple[str, Future[_Page]]] = deque()
        pool = ThreadPoolExecutor(_THREADS, "salesforce-bulk")
        said: str | None = None
        try:
            while self._filled(under_way, links, pool):
                rows, said = under_way.popleft()[1].result()
                listed = _locator(under_way[0][0]) if under_way else None
                yield rows, said or listed
                del rows  # a page less while the next is awaited
                if said is not None and said != listed:
                    break  # the page was shorter than listed, or the list than the result
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        if said is not None:
            yield from self._one_by_one(said)

    def _filled(
        self,
        under_way: deque[tuple[str, Future[_Page]]],
        links: Iterator[str],
        pool: ThreadPoolExecutor,
    ) -> bool:
        while len(under_way) < _THREADS and (link := next(links, None)) is not None:
            under_way.append((link, pool.submit(self._page, link)))
        return bool(under_way)

    def _links(self, locator: str | None) -> Iterator[str]:
        """The queries of the pages from a locator on; one call for each five."""
        is_reached, path = locator is None, f"jobs/query/{self.job_id}/resultPages"
        query, seen = "", {""}
        while True:
            links, query = self._listed(f"{path}?{query}" if query else path)
            for link in links:
                is_reached = is_reached or _locator(link) == locator
                if is_reached:
                    yield link
            if query in seen:
                break
            seen.add(query)
        if not is_reached:  # a locator of another list: it serves all the same
            yield self._query(locator)

    def _listed(self, path: str) -> tuple[list[str], str]:
        """Some links, and the query of the call that lists more."""

        def ask(client: Client) -> tuple[list[str], str]:
            told = asked(client, "GET", path, version=self.version).json()
            entries = told.get("resultPages") if isinstance(told, dict) else None
            if not isinstance(entries, list):
                raise unreadable(_WHERE)
            urls = [
                e.get("resultUrl") if isinstance(e, dict) else None for e in entries
            ]
            # Only what follows the question mark: which job of which host is known.
            links = [urlsplit(str(url or "")).query for url in urls]
            if not links or not all(links):
                raise unreadable(_WHERE)
            more = urlsplit(str(told.get("nextRecordsUrl") or "")).query
            return links, "" if told.get("done") else more

        return self.session.call(ask, where=_WHERE)

    def _query(self, locator: str | None) -> str:
        said = {"maxRecords": str(self.page_rows)}
        return urlencode(said if locator is None else {**said, "locator": locator})

    def _page(self, query: str) -> _Page:
        """One page; a download that breaks off begins again at its locator."""
        try:
            return self._asked_for(query)
        except OddValueError:
            self.reading = attrs.evolve(self.reading, with_care=True)
        return self._asked_for(query)

    def _asked_for(self, query: str) -> _Page:
        path = f"jobs/query/{self.job_id}/results?{query}"

        def ask(client: Client) -> _Page:
            how: dict[str, Any] = {"headers": {"Accept": "text/csv"}, "stream": True}
            try:
                reply = asked(client, "GET", path, version=self.version, **how)
            except SalesforceError as error:
                if error.status == 404:
                    raise _lost() from None
                raise
            with reply:
                return self._checked(reply)

        has_locator = _locator(query) is not None
        try:
            return self.session.call(ask, where=_WHERE)
        except ConnectorError as error:
            if error.code != _LOST_CURSOR or not has_locator:
                raise
        try:  # the same locator can be read any number of times, so it is asked again
            return self.session.call(ask, where=_WHERE)
        except ConnectorError as error:
            if error.code != _LOST_CURSOR:
                raise
            raise _LocatorLostError from None

    def _checked(self, reply: requests.Response) -> _Page:
        count = reply.headers.get("Sforce-NumberOfRecords", "")
        if not count.isdigit():  # cut inside the headers, the reply is an empty 200
            raise unreadable(_WHERE)
        rows = rows_of(reply, self.reading, where=_WHERE)
        if rows.num_rows != int(count):
            raise unreadable(f"{_WHERE}: {rows.num_rows} rows came of {count}")
        locator = reply.headers.get("Sforce-Locator", "null")
        return rows, None if locator in ("null", "") else locator


def _locator(query: str) -> str | None:
    return dict(parse_qsl(query)).get("locator")


def _lost() -> PlaceLostError:
    return PlaceLostError(
        "salesforce", f"{_WHERE}: the place in it is gone, ask for it anew", "JOB_GONE"
    )
