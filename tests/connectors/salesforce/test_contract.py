"""Salesforce keeps the contract of a connector, by REST and by Bulk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import ClassVar

import pyarrow as pa
import pytest
from stranger import Stranger, listening

from crm_portfolio import schema
from crm_portfolio.connectors._pace import Ceilings, Window
from crm_portfolio.connectors._retry import RetrySettings
from crm_portfolio.connectors.salesforce import (
    Salesforce,
    SalesforceSettings,
    _session,
)
from crm_portfolio.connectors.salesforce._jobs import Patience
from crm_portfolio.connectors.salesforce._login import login_from
from crm_portfolio.protocols import Source
from crm_portfolio.schema import TableName
from crm_portfolio.simulator import Fault
from crm_portfolio.simulator import Salesforce as Simulator
from crm_portfolio.simulator.salesforce import Assumptions, Bulk
from crm_portfolio.testing import ConnectorContract

PATIENT = RetrySettings(attempts=4, first_wait_seconds=0.0)
FIELDS = tuple(
    field
    for table in schema.MANAGED
    for field in (*schema.MANAGED[table], *schema.HUMAN[table])
)
KINDS = {"cut_body": "truncated", "busy": "throttled"}
ACCOUNTS, DEALS = 700, 2_300


def tables() -> dict[TableName, pa.Table]:
    places = range(DEALS)
    return {
        "account": pa.table(
            {
                "account_id": [_id("001", place) for place in range(ACCOUNTS)],
                "name": [f'Ångström "&" Söhne, {place}' for place in range(ACCOUNTS)],
            }
        ),
        "opportunity": pa.table(
            {
                "opportunity_id": [_id("006", place) for place in places],
                "account_id": [_id("001", place % ACCOUNTS) for place in places],
                "status": [("open", "won", "lost")[place % 3] for place in places],
                "stage": [("open", "won", "lost")[place % 3] for place in places],
                "amount": [None if place % 5 == 0 else place / 100 for place in places],
            }
        ),
    }


def _id(prefix: str, place: int) -> str:
    from crm_portfolio.simulator.salesforce._ids import LOADED, new_ids

    made: str = new_ids(prefix, LOADED, first=place + 1, count=1)[0].as_py()
    return made


class Poked:
    """The simulator as the contract pokes it."""

    def __init__(self, org: Simulator, stranger: Stranger) -> None:
        self.org, self.stranger = org, stranger

    @property
    def api_calls(self) -> int:
        return self.org.api_calls

    @property
    def calls_elsewhere(self) -> int:
        return len(self.stranger.requests)

    def trouble(self, kind: str, *, at_call: int, calls: int = 1) -> None:
        about = {"about": self.stranger.url} if kind == "elsewhere" else {}
        if kind == "busy":
            about = {"about": "ConcurrentPerOrgLongTxn"}
        place = self.org.api_calls + at_call
        self.org.fault(Fault(place, KINDS.get(kind, kind), calls=calls, **about))

    def rename(self, account_id: str, name: str) -> None:
        self.org.edit("Account", account_id, {"Name": name})

    def delete(self, account_id: str) -> None:
        self.org.delete("Account", account_id)

    def merge(self, loser: str, winner: str) -> None:
        self.org.merge("Account", winner, loser)

    def advance(self, seconds: float) -> None:
        self.org.clock.advance(seconds)

    def change_quietly(self, account_id: str) -> tuple[str, object]:
        self.org.recalculate(
            "Account", account_id, {"LastActivityDate": date(2026, 2, 3)}
        )
        return "last_activity_on", "2026-02-03"

    @property
    def arrivals(self) -> Sequence[float]:
        return self.org.arrivals

    def state(self) -> object:
        return self.org.snapshot("Account")


@pytest.fixture(scope="module")
def stranger() -> Iterator[Stranger]:
    with listening() as heard:
        yield heard


@pytest.fixture(scope="class")
def running(request: pytest.FixtureRequest) -> Iterator[Simulator]:
    assumptions = request.cls.assumptions
    pages = Bulk(page_rows=500)
    with Simulator(
        tables(), currency="EUR", assumptions=assumptions, bulk=pages
    ) as org:
        yield org


class SalesforceContract(ConnectorContract):
    assumptions = Assumptions()
    settings: ClassVar[Mapping[str, object]] = {}
    login = "client_credentials"

    @pytest.fixture
    def org(self, running: Simulator) -> Simulator:
        running.reset()
        list(self.connected(running).provision(FIELDS, dry_run=False))
        return running

    @pytest.fixture
    def pretend(self, org: Simulator, stranger: Stranger) -> Poked:
        return Poked(org, stranger)

    @pytest.fixture
    def opened(self, org: Simulator) -> Callable[[], Source]:
        return lambda: self.connected(org)

    @pytest.fixture
    def bare(self, running: Simulator) -> Callable[[], Source]:
        running.reset()
        return lambda: self.connected(running)

    @pytest.fixture
    def thrifty(self, org: Simulator) -> Callable[[int], Source]:
        return lambda most: self.connected(org, ceilings=Ceilings(max_calls=most))

    @pytest.fixture
    def narrow(
        self, org: Simulator, monkeypatch: pytest.MonkeyPatch
    ) -> tuple[Callable[[], Source], Window]:
        """As if Salesforce had a short window; what it has is a number of calls at once."""
        window = Window("org", calls=12, seconds=0.5)
        monkeypatch.setattr(_session, "_ORG", window)
        return lambda: self.connected(org), window

    @pytest.fixture
    def holds(self) -> Mapping[TableName, pa.Table]:
        return tables()

    def connected(self, org: Simulator, **more: object) -> Salesforce:
        environment = org.environment_for(self.login)
        self.secrets = tuple(
            said
            for name, said in environment.items()
            if name.endswith(("SECRET", "TOKEN", "KEY"))
        )
        chosen = {"retry": PATIENT, **self.settings, **more}
        return Salesforce(
            login_from(environment), settings=SalesforceSettings(**chosen)
        )


class TestByRest(SalesforceContract):
    settings: ClassVar = {"bulk": "never", "page_size": 300}


class TestByBulk(SalesforceContract):
    # The simulator is done at the second look, an org is thought to need more: that
    # many for each of the six jobs of an increment; and a neighbour may have logged in.
    forecast_slack = 6 * (Patience().looks(DEALS) - 2) + 1
    settings: ClassVar = {"bulk": "always", "bulk_page_rows": 500}


class TestByJwt(SalesforceContract):
    settings: ClassVar = {"bulk": "never", "page_size": 300}
    login = "jwt"
