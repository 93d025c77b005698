"""A small portal, and ways to talk to it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pyarrow as pa
import pytest
import requests

from crm_portfolio.simulator.hubspot import HubSpot

_PREFIXES = {
    "v3": {"objects": "/crm/v3/objects", "associations": "/crm/v4/associations"},
    "dated": {
        "objects": "/crm/objects/2026-09",
        "associations": "/crm/associations/2026-09",
    },
}


class Raw:
    """The service over requests alone, in one path style."""

    def __init__(self, portal: HubSpot, style: str = "v3") -> None:
        self.portal, self.style = portal, style
        self.session = requests.Session()
        self.login()

    def login(self) -> None:
        token = self.portal.environment["HUBSPOT_ACCESS_TOKEN"]
        self.session.headers["Authorization"] = f"Bearer {token}"

    def __call__(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        if not path.startswith("/"):
            head, _, tail = path.partition("/")
            path = f"{_PREFIXES[self.style][head]}/{tail}"
        return self.session.request(
            method, self.portal.url + path, timeout=10, **kwargs
        )

    def list(self, kind: str, **query: Any) -> dict[str, Any]:
        answer = self("GET", f"objects/{kind}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def one(self, kind: str, record_id: str, **query: Any) -> dict[str, Any]:
        answer = self("GET", f"objects/{kind}/{record_id}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def batch(self, kind: str, act: str, inputs: Any, **body: Any) -> requests.Response:
        body = {"inputs": inputs, **body}
        return self("POST", f"objects/{kind}/batch/{act}", json=body)

    def update(self, kind: str, record_id: str, **values: Any) -> requests.Response:
        return self.batch(kind, "update", [{"id": record_id, "properties": values}])

    def search(self, kind: str, *filters: Any, **body: Any) -> requests.Response:
        groups = [{"filters": list(filters)}] if filters else []
        body = {"filterGroups": groups, **body}
        return self("POST", f"objects/{kind}/search", json=body)

    def found(self, kind: str, *filters: Any, **body: Any) -> list[str]:
        answer = self.search(kind, *filters, **body)
        assert answer.status_code == 200, answer.text
        return [record["id"] for record in answer.json()["results"]]


TABLES = {
    "account": pa.table(
        {
            "account_id": ["a1", "a2", "a3"],
            "name": ["Acme", 'Bœuf & "Fils"\nSA', "Χρυσός"],
            "domain": ["acme.example", "boeuf.example", None],
            "segment": ["RETAIL", "RETAIL", None],
            "employee_count": [12, 250, None],
            "created_on": [date(2020, 1, 1), date(2021, 2, 3), date(2022, 3, 4)],
            "risk_note": ["low", None, "high"],
        }
    ),
    "opportunity": pa.table(
        {
            "opportunity_id": ["o1", "o2", "o3", "o4"],
            "account_id": ["a1", "a1", "a2", None],
            "name": ["One", "Two", "Three", "Four"],
            "stage": ["Won", "Lost", "Offer", "Offer"],
            "pipeline": ["Sales", "Sales", "Sales", "Sales"],
            "status": ["won", "lost", "open", "open"],
            "amount": [1000.5, 20.0, 300.25, None],
            "closed_on": [date(2024, 5, 6), date(2024, 6, 7), None, None],
        }
    ),
}


@pytest.fixture(scope="session")
def portal_tables() -> dict[str, pa.Table]:
    return dict(TABLES)


@pytest.fixture
def tables() -> dict[str, pa.Table]:
    return dict(TABLES)


@pytest.fixture(scope="module")
def running() -> Iterator[HubSpot]:
    with HubSpot(TABLES, currency="EUR", limits_by="nothing") as portal:
        yield portal


@pytest.fixture
def portal(running: HubSpot) -> Iterator[HubSpot]:
    """As loaded, for each test."""
    yield running
    running.reset()


@pytest.fixture
def raw(portal: HubSpot) -> Raw:
    return Raw(portal)


@pytest.fixture(params=["v3", "dated"])
def either(request: pytest.FixtureRequest, portal: HubSpot) -> Raw:
    """The same portal in both path styles."""
    return Raw(portal, request.param)


@pytest.fixture
def dated(portal: HubSpot) -> Raw:
    return Raw(portal, "dated")


@pytest.fixture
def talk() -> type[Raw]:
    """Speaks to a portal that a test makes itself."""
    return Raw
