"""A small org, and two ways to talk to it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
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


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def untidy() -> dict[str, pa.Table]:
    """Loops of parents, renamed stages, old loss reasons, archived tasks, three currencies."""
    return {
        "account": pa.table(
            {
                "account_id": ["top", "mid", "low", "leaf", "loop1", "loop2", "self",
                               "person", "empty", "twin1", "twin2"],
                "name": ["頂点株式会社", "Мир & Ко", "Ärger \"GmbH\", 'Süd'", "a,b\r\nc",
                         "Hen", "Egg", "Ouroboros", "Ada Lovelace", "NA", "Acme", "Acme"],
                "parent_id": [None, "top", "mid", "low", "loop2", "loop1", "self",
                              None, None, None, None],
                "owner_id": ["u1", "gone", "u1", "u2", None, "u1", "u1", "u1", "u1",
                             "u1", "u2"],
                "domain": [None, "мир.example", None, None, None, None, None, None, None,
                           "acme.example", "acme.test"],
                "is_person": [False] * 7 + [True] + [False] * 3,
                "contact_count": [2, 0, None, 1, 0, 0, 0, 0, 0, 3, 0],
                "order": ["x"] * 11,  # custom fields named like words of SOQL
                "group": list(range(11)),
                "description_long": ["é" * 32_000] + [None] * 10,
            }
        ),
        "opportunity": pa.table(
            {
                "opportunity_id": ["won", "lost", "legacy", "open", "orphan", "zero", "minus"],
                "account_id": ["top", "top", "leaf", "mid", None, "loop1", "self"],
                "name": ["One", "Two", "Three", "Four", "Five", "Six", "Seven"],
                "owner_id": ["u1", "gone", "u1", "u2", "u1", "u1", "u1"],
                "stage": ["Won", "Lost", "Lost", "Talks", "Talks", "Won", "Won"],
                "status": ["won", "lost", "lost", "open", "open", "won", "won"],
                "original_amount": [1000.5, 200.0, None, 30.25, 5.0, 0.0, -40.0],
                "currency": ["EUR", "USD", "JPY", "USD", None, "EUR", "JPY"],
                "created_at": [at(2026, 1, 5, 9), at(2026, 2, 1), at(2019, 3, 3),
                               at(2026, 3, 4), at(2026, 4, 1), at(2026, 4, 2), at(2026, 4, 3)],
                "closed_on": [date(2026, 5, 2), date(2026, 6, 30), date(2019, 9, 9), None, None,
                              date(2027, 1, 1), date(2026, 6, 1)],  # one lies ahead
                "expected_close_on": [None, None, None, date(2026, 9, 30), None, None, None],
                "loss_reason": [None, "Price", "price (old)", None, None, None, None],
                "contact_count": [2, 0, 0, 1, 0, 0, 0],
            }
        ),
        "stage": pa.table(
            {
                "pipeline": ["default"] * 3,
                "stage": ["Talks", "Won", "Lost"],
                "position": [1, 2, 3],
                "status": ["open", "won", "lost"],
                "default_probability": [0.25, 1.0, 0.0],
            }
        ),
        "opportunity_change": pa.table(
            {
                "opportunity_id": ["won", "won", "won", "won", "won", "lost", "lost",
                                   "legacy", "open"],
                "changed_at": [at(2026, 1, 20), at(2026, 2, 3), at(2026, 4, 1), at(2026, 5, 2, 10),
                               at(2026, 5, 2, 10), at(2026, 6, 30), at(2026, 6, 30),
                               at(2019, 9, 9), at(2026, 5, 5)],
                "field": ["original_amount", "stage", "expected_close_on", "stage", "owner_id",
                          "stage", "loss_reason", "stage", "original_amount"],
                "old": ["900", "First call", "2026-04-30", "Talks", "u2", "Talks", None,
                        "First call", "30.25"],
                "new": ["1000.5", "Talks", "2026-05-02", "Won", "u1", "Lost", "Price",
                        "Lost", "30.25"],
            }
        ),
        "owner": pa.table(
            {
                "owner_id": ["u1", "u2", "gone"],
                "name": ["Ann Able", "Ben Bold", "Cy Gone"],
                "is_active": [True, True, False],
            }
        ),
        "activity": pa.table(
            {
                "activity_id": ["call", "mail", "meeting", "old", "cancelled", "todo"],
                "occurred_at": [at(2026, 6, 1, 9, 30), at(2026, 6, 2, 23, 30), at(2026, 5, 4, 8),
                                at(2024, 1, 1, 12), at(2026, 3, 1), at(2026, 8, 1)],
                "account_id": ["top", None, "top", "top", "mid", "mid"],
                "opportunity_id": [None, "open", "won", None, None, None],
                "kind": ["call", "mail", "meeting", "call", "call", "task"],
                "direction": ["out", "in", None, "in", "out", None],
                "status": ["held", "held", "held", "held", "cancelled", "open"],
                "minutes": [12.5, None, 90.0, 1.0, None, None],
                "owner_id": ["u1", "u2", "u1", "gone", "u1", "u1"],
            }
        ),
        "ticket": pa.table(
            {
                "ticket_id": ["t1", "t2"],
                "opened_at": [at(2026, 1, 1), at(2026, 6, 1)],
                "account_id": ["top", "mid"],
                "closed_at": [at(2026, 1, 9), None],
                "priority": ["High", "Low"],
                "is_escalated": [True, False],
                "satisfaction": [4.5, None],
            }
        ),
        "enquiry": pa.table(
            {
                "enquiry_id": ["e1", "e2"],
                "created_at": [at(2026, 1, 2), at(2026, 6, 2)],
                "account_id": ["top", None],
                "opportunity_id": ["won", None],
                "owner_id": ["u1", "u2"],
                "segment": ["Banking", None],
                "source": ["Web", "Trade Show"],
                "status": [None, "Open - Not Contacted"],
            }
        ),
        "contract": pa.table(
            {
                "contract_id": ["c1", "c2"],
                "account_id": ["top", "mid"],
                "starts_on": [date(2025, 7, 1), date(2026, 1, 1)],
                "ends_on": [date(2026, 6, 30), None],
                "amount_per_year": [1200.0, None],
                "notice_days": [90, None],
                "auto_renews": [True, False],
            }
        ),
        "exchange_rate": pa.table(
            {
                "currency": ["USD", "USD", "JPY"],
                "base": ["EUR", "EUR", "EUR"],
                "from_on": [date(2025, 1, 1), date(2026, 6, 1), date(2025, 1, 1)],
                "rate": [0.8, 0.5, 0.0078125],
            }
        ),
    }  # fmt: skip


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


@pytest.fixture(scope="module")
def _untidy_running() -> Iterator[Salesforce]:
    with Salesforce(untidy(), currency="EUR", time_zone="Europe/Paris") as org:
        yield org


@pytest.fixture
def untidy_org(_untidy_running: Salesforce) -> Salesforce:
    """An org with all that makes a real one hard."""
    _untidy_running.reset()
    return _untidy_running
