"""A small org, and two ways to talk to it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pyarrow as pa
import pytest
import requests
import simple_salesforce
from requests.adapters import HTTPAdapter

from crm_portfolio.simulator import Salesforce

VERSION = "v66.0"


class PlainHttp(HTTPAdapter):
    """simple-salesforce writes https everywhere: send it to the simulator instead."""

    def __init__(self, netloc: str) -> None:
        self._netloc = netloc
        super().__init__()

    def send(self, request: Any, **kwargs: Any) -> Any:
        parts = urlsplit(request.url)
        request.url = urlunsplit(("http", self._netloc, parts.path, parts.query, ""))
        return super().send(request, **kwargs)


class Raw:
    """The service over requests alone, with a session of its own."""

    def __init__(self, org: Salesforce) -> None:
        self.org = org
        self.session = requests.Session()
        self.login()

    def login(self) -> None:
        token = self.org.environment_for("session")["SALESFORCE_ACCESS_TOKEN"]
        self.session.headers["Authorization"] = f"Bearer {token}"

    def __call__(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        if not path.startswith("/"):
            path = f"/services/data/{VERSION}/{path}"
        return self.session.request(method, self.org.url + path, timeout=10, **kwargs)

    def query(self, soql: str, **kwargs: Any) -> requests.Response:
        return self("GET", "query", params={"q": soql}, **kwargs)

    def rows(self, soql: str) -> list[dict[str, Any]]:
        answer = self.query(soql)
        assert answer.status_code == 200, answer.text
        return [
            {k: v for k, v in record.items() if k != "attributes"}
            for record in answer.json()["records"]
        ]

    def refused(self, soql: str) -> tuple[int, str, str]:
        answer = self.query(soql)
        (error,) = answer.json()
        return answer.status_code, error["errorCode"], error["message"]

    def update(self, *records: dict[str, Any], **body: Any) -> list[dict[str, Any]]:
        full = [{"attributes": {"type": "Account"}, **record} for record in records]
        answer = self("PATCH", "composite/sobjects", json={"records": full, **body})
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()
        return rows

    def why(self, record: dict[str, Any]) -> tuple[str, list[str]]:
        """Why the one row was refused."""
        (row,) = self.update(record)
        assert row["success"] is False
        assert "id" not in row
        (error,) = row["errors"]
        return error["statusCode"], error["fields"]


TABLES = {
    "account": pa.table(
        {
            "account_id": ["a1", "a2", "a3", "a4"],
            "name": ["Acme", "Beta Söhne", "NA", "Line\nBreak \x1b[31m"],
            "parent_id": [None, "a1", None, "nobody"],
            "owner_id": ["u1", "u2", "u1", None],
            "segment": ["technolgy", "Banking", None, "Banking"],
            "country": ["France", None, "Japan", "France"],
            "domain": ["acme.example", None, None, None],
            "account_turnover": [1_100_040_000.0, None, 0.0, 12.5],
            "employee_count": [2822, None, 1, 0],
            "created_on": [date(2016, 2, 29), None, date(2017, 7, 1), date(2017, 1, 1)],
            "is_customer": [True, False, None, True],
        }
    ),
    "opportunity": pa.table(
        {
            "opportunity_id": ["o1", "o2", "o3", "o4", "o5"],
            "account_id": ["a1", "a1", "a2", None, "nobody"],
            "name": ["One", "Two", "Three", None, "Five"],
            "owner_id": ["u1", "u2", "u3", "u1", "u1"],
            "stage": ["Won", "Lost", "Open", "Open", "Won"],
            "status": ["won", "lost", "open", "open", "won"],
            "amount": [100.25, 0.0, None, 40.0, -10.0],
            "closed_on": [
                date(2017, 3, 1),
                date(2017, 4, 1),
                None,
                None,
                date(2017, 5, 1),
            ],
            "expected_close_on": [None, None, date(2018, 1, 31), None, None],
            "probability": [1.0, 0.0, 0.07, None, 1.0],
            "kind": ["new", "renewal", "expansion", None, None],
            "product_id": ["GTXPro", "GTX Basic", "GTXPro", None, "MG"],
        }
    ),
    "stage": pa.table(
        {
            "pipeline": ["default"] * 3,
            "stage": ["Open", "Won", "Lost"],
            "position": [1, 2, 3],
            "status": ["open", "won", "lost"],
            "default_probability": [0.25, 1.0, 0.0],
        }
    ),
    "owner": pa.table(
        {
            "owner_id": ["u1", "u2"],
            "name": ["Ann Able", "Ben Bold"],
            "is_active": [True, False],
        }
    ),
}


@pytest.fixture(scope="module")
def _running() -> Iterator[Salesforce]:
    with Salesforce(TABLES, time_zone="Europe/Paris") as org:
        yield org


@pytest.fixture
def org(_running: Salesforce) -> Salesforce:
    """The small org as loaded."""
    _running.reset()
    return _running


@pytest.fixture
def raw(org: Salesforce) -> Raw:
    return Raw(org)


@pytest.fixture
def raw_for() -> type[Raw]:
    """To talk to an org that the test made itself."""
    return Raw


@pytest.fixture
def plain_http_for() -> type[PlainHttp]:
    return PlainHttp


@pytest.fixture
def client(org: Salesforce) -> simple_salesforce.Salesforce:
    """The vendor's usual client, logged in with client credentials."""
    told = org.environment
    session = requests.Session()
    session.mount("https://", PlainHttp(urlsplit(org.url).netloc))
    return simple_salesforce.Salesforce(
        session=session,
        consumer_key=told["SALESFORCE_CLIENT_ID"],
        consumer_secret=told["SALESFORCE_CLIENT_SECRET"],
        domain="acme.my",
        version=VERSION[1:],
    )


@pytest.fixture
def plain_http(org: Salesforce) -> PlainHttp:
    return PlainHttp(urlsplit(org.url).netloc)
