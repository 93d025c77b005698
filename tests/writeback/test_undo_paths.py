"""A run is taken back the same way through every path by which it can be written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import attrs
import pyarrow as pa
import pytest

from crm_portfolio import simulator
from crm_portfolio.archive import Archive
from crm_portfolio.connectors._retry import RetrySettings
from crm_portfolio.connectors.hubspot import AccessToken, HubSpot, HubSpotSettings
from crm_portfolio.connectors.salesforce import (
    ClientCredentials,
    Salesforce,
    SalesforceSettings,
)
from crm_portfolio.writeback import Limits, apply, plan, setup, undo

Wanted = Callable[..., Any]

ACCOUNTS = 5
HASTY = RetrySettings(attempts=1, first_wait_seconds=0)
AT_ONCE = Limits(max_share=1, max_emptied=ACCOUNTS, settle_seconds=0)
FULL = {
    "tier": "A",
    "tier_since_on": date(2026, 6, 30),
    "portfolio_rank": 3,
    "revenue_share": 0.25,
    "dependence": "major",
}
SOME_EMPTIED = {
    "tier": "B",
    "tier_since_on": None,
    "portfolio_rank": 4,
    "revenue_share": None,
    "dependence": "none",
}


@attrs.frozen
class Path:
    """A pretend CRM, and the connector that reaches it by one of its ways to write."""

    pretend: Any
    crm: Any
    kind: str
    route: str

    def snapshot(self) -> Any:
        return self.pretend.snapshot(self.kind)

    def is_taken(self) -> bool:
        return any(self.route in call for call in self.pretend.calls)


def salesforce(tables: Any, bulk: Any) -> Path:
    pretend = simulator.Salesforce(tables, currency="EUR")
    pretend.__enter__()
    there = pretend.environment
    names = ("INSTANCE_URL", "CLIENT_ID", "CLIENT_SECRET")
    login = ClientCredentials(*(there[f"SALESFORCE_{name}"] for name in names))
    settings = SalesforceSettings(retry=HASTY, bulk=bulk)
    route = "jobs/ingest" if bulk == "always" else "PATCH composite/sobjects"
    return Path(pretend, Salesforce(login, settings=settings), "Account", route)


def hubspot(tables: Any) -> Path:
    pretend = simulator.HubSpot(tables, currency="EUR", limits_by="nothing")
    pretend.__enter__()
    there = pretend.environment
    login = AccessToken(there["HUBSPOT_ACCESS_TOKEN"], there["HUBSPOT_API_URL"])
    settings = HubSpotSettings(retry=HASTY, burst_calls=10_000)
    return Path(pretend, HubSpot(login, settings=settings), "companies", "batch/update")


WAYS = {
    "salesforce-collections": lambda tables: salesforce(tables, "never"),
    "salesforce-bulk": lambda tables: salesforce(tables, "always"),
    "hubspot": hubspot,
}


@pytest.fixture(params=WAYS)
def path(request: pytest.FixtureRequest) -> Iterator[Path]:
    ids = [f"a{number}" for number in range(ACCOUNTS)]
    tables: Any = {"account": pa.table({"account_id": ids, "name": ids})}
    found = WAYS[request.param](tables)
    setup(found.crm, dry_run=False)
    yield found
    found.pretend.__exit__(None, None, None)


def test_values_and_emptiness_come_back_and_go_again(
    path: Path, archive: Archive, wanted: Wanted
) -> None:
    ids = sorted(path.pretend.ids("account").values())

    def night(values: dict[str, Any]) -> str:
        proposal = plan([wanted(dict.fromkeys(ids, values))], path.crm, limits=AT_ONCE)
        return apply(proposal, path.crm, archive=archive).run_id

    def back(run: str) -> str:
        way_back = undo(archive.journal(run), path.crm, limits=AT_ONCE)
        assert way_back.refusals == ()
        done = apply(way_back, path.crm, archive=archive)
        assert done.exit_code == 0
        return done.run_id

    empty = path.snapshot()
    first = night(FULL)
    full = path.snapshot()
    second = night(SOME_EMPTIED)
    emptied = path.snapshot()
    assert len({str(each) for each in (empty, full, emptied)}) == 3
    undone = back(second)
    assert path.snapshot() == full
    redone = back(undone)
    assert path.snapshot() == emptied
    back(redone)
    back(first)
    assert path.snapshot() == empty
    assert path.is_taken()
