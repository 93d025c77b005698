"""Which routes of the REST API do we use, and what comes back?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs

from crm_portfolio.connectors.salesforce._login import Login
from crm_portfolio.connectors.salesforce._refusals import unreadable
from crm_portfolio.connectors.salesforce._session import Client, Session
from crm_portfolio.connectors.salesforce._settings import SalesforceSettings
from crm_portfolio.errors import ConnectorError
from crm_portfolio.protocols import Quota

__all__ = ["Query", "Record", "Rest"]

Record: TypeAlias = dict[str, Any]
_LOST_CURSOR: Final = "INVALID_QUERY_LOCATOR"


@attrs.frozen
class Query:
    """A select in the order of ids, so that it can go on where a cursor was lost."""

    sobject: str
    fields: tuple[str, ...]
    where: str = ""

    def soql(self, *, after: str | None = None) -> str:
        conditions = [f"({self.where})"] if self.where else []
        if after is not None:
            if not re.fullmatch(r"[A-Za-z0-9]{15,18}", after):
                raise unreadable(f"reading {self.sobject}")
            conditions.append(f"Id > '{after}'")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        fields = ", ".join(self.fields)
        return f"SELECT {fields} FROM {self.sobject}{where} ORDER BY Id"  # noqa: S608


class Rest:
    """The calls, one method each; every one costs one API call or says so."""

    def __init__(self, login: Login, settings: SalesforceSettings) -> None:
        self._session = Session(login, settings)
        self._options = {"Sforce-Query-Options": f"batchSize={settings.page_size}"}

    @property
    def quota(self) -> Quota | None:
        return self._session.quota

    def describe(self, sobject: str) -> list[Record]:
        """The fields of an object that this login sees."""
        where = f"describing {sobject}"

        def ask(client: Client) -> list[Record]:
            answer = client.restful(f"sobjects/{sobject}/describe")
            return _listed(_part(answer, "fields", where), where)

        return self._session.call(ask, where=where, needs=f"Read on {sobject}")

    def pages(self, query: Query) -> Iterator[list[Record]]:
        """The records, page by page, one call each."""
        last: str | None = None
        while True:
            came_further = False
            try:
                for records in self._pages(query, after=last):
                    last = str(records[-1].get("Id")) if records else last
                    came_further = came_further or bool(records)
                    yield records
            except ConnectorError as error:
                # A cursor dies with the session that made it, and after two days.
                if error.code != _LOST_CURSOR or not came_further:
                    raise
            else:
                return

    def _pages(self, query: Query, *, after: str | None) -> Iterator[list[Record]]:
        where = f"reading {query.sobject}"

        def first(client: Client) -> Record:
            return _page(
                client.query(query.soql(after=after), headers=self._options), where
            )

        def following(client: Client) -> Record:
            more = client.query_more(
                cursor, identifier_is_url=True, headers=self._options
            )
            return _page(more, where)

        needs = f"Read on {query.sobject}"
        page = self._session.call(first, where=where, needs=needs)
        yield page["records"]
        while not page["done"]:
            cursor = page["nextRecordsUrl"]
            page = self._session.call(following, where=where, needs=needs)
            yield page["records"]

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

        return self._session.call(ask, where=where, needs=f"Read on {sobject}")

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

        return self._session.call(
            ask, where=where, needs="Access the identity URL service"
        )

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


def _page(answer: Any, where: str) -> Record:
    _listed(_part(answer, "records", where), where)
    if not _part(answer, "done", where):
        _part(answer, "nextRecordsUrl", where)
    page: Record = answer
    return page
