"""HubSpot keeps the contract of a connector, by pages, by search and by export."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar

import pyarrow as pa
import pytest
from stranger import Stranger, listening

from crm_portfolio import schema
from crm_portfolio.connectors._pace import Ceilings, Window
from crm_portfolio.connectors._retry import RetrySettings
from crm_portfolio.connectors.hubspot import HubSpot, HubSpotSettings, _export_files
from crm_portfolio.connectors.hubspot._login import login_from
from crm_portfolio.connectors.hubspot._settings import BURST
from crm_portfolio.protocols import Source
from crm_portfolio.schema import TableName
from crm_portfolio.simulator import Fault
from crm_portfolio.simulator.hubspot import Assumptions
from crm_portfolio.simulator.hubspot import HubSpot as Simulator
from crm_portfolio.simulator.hubspot._buckets import Buckets
from crm_portfolio.testing import ConnectorContract

PATIENT = RetrySettings(attempts=4, first_wait_seconds=0.0)
FIELDS = tuple(
    field
    for table in schema.MANAGED
    for field in (*schema.MANAGED[table], *schema.HUMAN[table])
)
KINDS = {"cut_body": "truncated", "busy": "throttled"}
ACCOUNTS, DEALS = 105, 320


def tables(deals: int = DEALS) -> dict[TableName, pa.Table]:
    places = range(deals)
    return {
        "account": pa.table(
            {
                "account_id": [str(7_000 + place) for place in range(ACCOUNTS)],
                "name": [f"Ångström & Söhne {place}" for place in range(ACCOUNTS)],
            }
        ),
        "opportunity": pa.table(
            {
                "opportunity_id": [str(90_000 + place) for place in places],
                "account_id": [str(7_000 + place % ACCOUNTS) for place in places],
                "status": [("open", "won", "lost")[place % 3] for place in places],
                "stage": [("open", "won", "lost")[place % 3] for place in places],
                "amount": [None if place % 5 == 0 else place / 100 for place in places],
            }
        ),
    }


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
            about = {"about": "SECONDLY", "seconds": 0}
        place = self.org.api_calls + at_call
        self.org.fault(Fault(place, KINDS.get(kind, kind), calls=calls, **about))

    def rename(self, account_id: str, name: str) -> None:
        self.org.edit("companies", account_id, {"name": name})

    def delete(self, account_id: str) -> None:
        self.org.delete("companies", account_id)

    def merge(self, loser: str, winner: str) -> None:
        self.org.merge("companies", winner, loser)

    def advance(self, seconds: float) -> None:
        self.org.clock.advance(seconds)

    def change_quietly(self, account_id: str) -> tuple[str, object]:
        self.org.calculate("companies", account_id, {"num_notes": "17"})
        return "activity_count", 17

    @property
    def arrivals(self) -> Sequence[float]:
        return self.org.arrivals

    def state(self) -> object:
        return self.org.snapshot("companies")


@pytest.fixture(scope="module")
def stranger() -> Iterator[Stranger]:
    with listening() as heard:
        yield heard


@pytest.fixture(scope="class")
def running(request: pytest.FixtureRequest) -> Iterator[Simulator]:
    assumptions = request.cls.assumptions
    with Simulator(
        tables(), currency="EUR", limits_by="nothing", assumptions=assumptions
    ) as org:
        yield org


class HubSpotContract(ConnectorContract):
    renews = False
    forecast_slack = 1
    assumptions = Assumptions()
    settings: ClassVar[Mapping[str, object]] = {"exports": "never"}
    login = "token"

    @pytest.fixture
    def org(self, running: Simulator) -> Simulator:
        running.reset()
        crm = self.connected(running)
        list(crm.provision(FIELDS, dry_run=False))
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
        """HubSpot tells its window in each answer; this portal's is a short one."""
        window = Window(BURST, calls=12, seconds=0.5)
        told = {"interval-milliseconds": 500, "max": window.calls, "remaining": 11}
        said = {f"x-hubspot-ratelimit-{name}": str(it) for name, it in told.items()}
        monkeypatch.setattr(Buckets, "headers", lambda _, **__: said)
        return lambda: self.connected(org, burst_calls=window.calls), window

    @pytest.fixture
    def holds(self) -> Mapping[TableName, pa.Table]:
        return tables()

    def connected(self, org: Simulator, **more: object) -> HubSpot:
        pace = {"burst_calls": 100_000, "search_calls": 100_000}
        chosen = {"retry": PATIENT, **pace, **self.settings, **more}
        environment = org.environment_for(self.login)
        self.secrets = tuple(
            said for name, said in environment.items() if not name.endswith("URL")
        )
        return HubSpot(login_from(environment), settings=HubSpotSettings(**chosen))


class TestByPages(HubSpotContract): ...


class TestByDatedPaths(HubSpotContract):
    settings: ClassVar = {"exports": "never", "paths": "2026-09"}


class TestByOAuth(HubSpotContract):
    renews = True
    login = "oauth"


class TestByExport(HubSpotContract):
    settings: ClassVar = {"exports": "always"}
    forecast_slack = 20  # how often one asks after an export is HubSpot's to say

    @pytest.fixture(autouse=True)
    def _several_blocks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_export_files, "BLOCK_BYTES", 8_000)
