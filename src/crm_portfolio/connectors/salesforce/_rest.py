"""Which routes of the REST API do we use, and what comes back?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeAlias

import attrs
import orjson

from crm_portfolio.connectors.salesforce._refusals import unreadable
from crm_portfolio.connectors.salesforce._rights import IDENTITY, SETUP_RIGHT, to_read
from crm_portfolio.connectors.salesforce._session import Client, Session
from crm_portfolio.connectors.salesforce._settings import SalesforceSettings
from crm_portfolio.connectors.salesforce._soql import literal
from crm_portfolio.errors import ConnectorError
from crm_portfolio.protocols import Quota

__all__ = ["LOST_CURSOR", "Page", "Query", "Record", "Rest"]

Record: TypeAlias = dict[str, Any]
LOST_CURSOR: Final = "INVALID_QUERY_LOCATOR"


@attrs.frozen
class Query:
    """A select in the order of its key, so that it can go on where a cursor was lost.

    Attributes:
        key: A field with an id, by which records are put in order.
        then: The fields that put records of one key in order.
    """

    sobject: str
    fields: tuple[str, ...]
    where: str = ""
    key: str = "Id"
    then: tuple[str, ...] = ()
    with_deleted: bool = False

    def soql(
        self,
        *,
        after: str | None = None,
        until: str | None = None,
        is_ordered: bool = True,
    ) -> str:
        conditions = [f"({self.where})"] if self.where else []
        for operator, edge in ((">", after), ("<=", until)):
            if edge is not None:
                if not re.fullmatch(r"[A-Za-z0-9]{15,18}", edge):
                    raise unreadable(f"reading {self.sobject}")
                conditions.append(f"{self.key} {operator} {literal(edge)}")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        fields = ", ".join(self.fields)
        said = f"SELECT {fields} FROM {self.sobject}{where}"  # noqa: S608
        order = ", ".join((self.key, *self.then))
        return f"{said} ORDER BY {order}" if is_ordered else said


@attrs.frozen(eq=False)
class Page:
    """One page of an answer.

    Attributes:
        total: Records in the whole answer.
        at: The server's clock; None: it did not tell.
    """

    records: list[Record]
    total: int
    at: datetime | None
    is_last: bool


class Rest:
    """The calls, one method each; every one costs one API call or says so."""

    def __init__(self, session: Session, settings: SalesforceSettings) -> None:
        self._session = session
        self._options = {"Sforce-Query-Options": f"batchSize={settings.page_size}"}

    @property
    def quota(self) -> Quota | None:
        return self._session.quota

    @property
    def server_time(self) -> datetime | None:
        """The latest moment by the server's clock; None before the first reply."""
        return self._session.server_time

    def describe(self, sobject: str) -> list[Record]:
        """The fields of an object that this login sees."""
        where = f"describing {sobject}"

        def ask(client: Client) -> list[Record]:
            answer = client.restful(f"sobjects/{sobject}/describe")
            return _listed(_part(answer, "fields", where), where)

        return self._session.call(ask, where=where, needs=to_read(sobject))

    def pages(self, query: Query) -> Iterator[list[Record]]:
        """The records, page by page, one call each; a lost cursor costs one more."""
        last: str | None = None
        while True:
            came_further = False
            try:
                for page in self.answer(query, query.soql(after=last)):
                    records = page.records
                    last = str(records[-1].get("Id")) if records else last
                    came_further = came_further or bool(records)
                    yield records
            except ConnectorError as error:
                # A cursor dies with the session that made it, and after two days.
                if error.code != LOST_CURSOR or not came_further:
                    raise
            else:
                return

    def answer(self, query: Query, soql: str) -> Iterator[Page]:
        """What a query finds, one call a page; a lost cursor is the caller's."""
        where, needs = f"reading {query.sobject}", to_read(query.sobject)
        route = "queryAll/" if query.with_deleted else "query/"

        def first(client: Client) -> tuple[Page, str]:
            return self._page(client, client.base_url + route, where, {"q": soql})

        def following(client: Client) -> tuple[Page, str]:
            return self._page(client, f"https://{client.sf_instance}{cursor}", where)

        page, cursor = self._session.call(first, where=where, needs=needs)
        yield page
        while not page.is_last:
            page, cursor = self._session.call(following, where=where, needs=needs)
            yield page

    def _page(
        self,
        client: Client,
        url: str,
        where: str,
        params: Mapping[str, str] | None = None,
    ) -> tuple[Page, str]:
        reply = client._call_salesforce(  # noqa: SLF001 - its public calls parse slowly
            "GET", url, name="query", headers=self._options, params=params
        )
        try:
            body = orjson.loads(reply.content)
        except orjson.JSONDecodeError:
            raise unreadable(where) from None
        records = _listed(_part(body, "records", where), where)
        is_last = bool(_part(body, "done", where))
        cursor = "" if is_last else str(_part(body, "nextRecordsUrl", where))
        total = int(body.get("totalSize") or 0)
        return Page(records, total, _server_time(reply.headers), is_last), cursor

    def count(self, query: Query) -> int:
        """How many records a query would find."""
        counting = attrs.evolve(query, fields=("COUNT()",))
        pages = self.answer(counting, counting.soql(is_ordered=False))
        return next(pages).total

    def recorded(self, sobjects: Sequence[str]) -> dict[str, int]:
        """Roughly how many records the org has, whether this login sees them or not."""
        where = "asking how many records there are"
        params = {"sObjects": ",".join(sobjects)}

        def ask(client: Client) -> dict[str, int]:
            answer = client.restful("limits/recordCount", params=params)
            told = _listed(_part(answer, "sObjects", where), where)
            return {
                str(_part(each, "name", where)): int(_part(each, "count", where))
                for each in told
            }

        return self._session.call(ask, where=where, needs=SETUP_RIGHT)

    def edge(self, query: Query, *, is_last: bool) -> str | None:
        """The first or the last key of an object; None: it is empty."""
        order = "DESC" if is_last else "ASC"
        soql = (
            f"SELECT {query.key} FROM {query.sobject} "  # noqa: S608
            f"ORDER BY {query.key} {order} LIMIT 1"
        )
        records = next(self.answer(query, soql)).records
        return str(records[0][query.key]) if records else None

    def deleted(
        self, sobject: str, start: datetime, end: datetime
    ) -> tuple[list[Record], str, str]:
        """The deletion log of a window: entries, earliest day kept, latest covered."""
        where = f"reading deleted {sobject}"
        params = {"start": start.isoformat(), "end": end.isoformat()}

        def ask(client: Client) -> tuple[list[Record], str, str]:
            path = f"sobjects/{sobject}/deleted/"
            answer = client.restful(path, params=params)
            entries = _listed(_part(answer, "deletedRecords", where), where)
            earliest = str(_part(answer, "earliestDateAvailable", where))
            return entries, earliest, str(_part(answer, "latestDateCovered", where))

        return self._session.call(ask, where=where, needs=to_read(sobject))

    def retrieve(
        self, sobject: str, ids: Sequence[str], fields: Sequence[str]
    ) -> list[Record | None]:
        """One record for each id, null for what is not there."""
        where = f"reading fields of {sobject}"
        body = {"ids": list(ids), "fields": list(fields)}

        def ask(client: Client) -> list[Record | None]:
            path = f"composite/sobjects/{sobject}"
            return _listed(
                client.restful(path, method="POST", json=body), where, len(ids)
            )

        return self._session.call(ask, where=where, needs=to_read(sobject))

    def update(self, sobject: str, records: Sequence[Record]) -> list[Record]:
        """One result for each record, in their order; a 200 proves nothing by itself.

        One attempt: the caller knows what it means when no answer comes.
        """
        where = f"writing {sobject}"
        typed = [{"attributes": {"type": sobject}, **record} for record in records]
        body = {"allOrNone": False, "records": typed}

        def ask(client: Client) -> list[Record]:
            answer = client.restful("composite/sobjects", method="PATCH", json=body)
            return _listed(answer, where, len(records))

        return self._session.call_once(ask, where=where, needs=f"Edit on {sobject}")

    def create(self, sobject: str, record: Mapping[str, Any], *, needs: str) -> str:
        """The id of a new record. One attempt: a second might make a second record."""
        return self._posted(f"sobjects/{sobject}", record, f"creating {sobject}", needs)

    def create_field(self, full_name: str, metadata: Mapping[str, Any]) -> str:
        record = {"FullName": full_name, "Metadata": metadata}
        where = f"creating the field {full_name}"
        return self._posted(
            "tooling/sobjects/CustomField", record, where, "Customize Application"
        )

    def change(
        self, sobject: str, record_id: str, record: Mapping[str, Any], *, needs: str
    ) -> None:
        where, path = f"changing {sobject}", f"sobjects/{sobject}/{record_id}"

        def ask(client: Client) -> None:
            client.restful(path, method="PATCH", json=dict(record))

        self._session.call(ask, where=where, needs=needs)

    def user_id(self) -> str:
        """The id of the user this login runs as."""
        where = "asking who we are"

        def ask(client: Client) -> str:
            return str(_part(client.oauth2("userinfo"), "user_id", where))

        return self._session.call(ask, where=where, needs=IDENTITY)

    def _posted(
        self, path: str, record: Mapping[str, Any], where: str, needs: str
    ) -> str:
        def ask(client: Client) -> str:
            answer = client.restful(path, method="POST", json=dict(record))
            return str(_part(answer, "id", where))

        return self._session.call_once(ask, where=where, needs=needs)


def _part(answer: Any, key: str, where: str) -> Any:
    if not isinstance(answer, dict) or key not in answer:
        raise unreadable(where)
    return answer[key]


def _listed(answer: Any, where: str, length: int | None = None) -> list[Any]:
    if not isinstance(answer, list) or (length is not None and len(answer) != length):
        raise unreadable(where)
    return answer


def _server_time(headers: Mapping[str, str]) -> datetime | None:
    """The server's clock; never ours, which may be wrong."""
    try:
        return parsedate_to_datetime(headers.get("Date", "")).astimezone(UTC)
    except ValueError:
        return None
