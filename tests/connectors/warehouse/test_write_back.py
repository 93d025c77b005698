"""Does what is found in a replica lead to the same plan, and reach the CRM itself?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from laid_down import KINDS, replicated

from crm_portfolio import Archive, analysis, apply, connect, plan, pull, samples, setup
from crm_portfolio._frames import to_arrow
from crm_portfolio.analysis import Quantiles, Stability, TiersSettings
from crm_portfolio.connectors.warehouse import WarehouseSettings
from crm_portfolio.portfolio import Calendar, Portfolio
from crm_portfolio.simulator import HubSpot, Salesforce

AS_OF = date(2026, 6, 30)
CRMS = {"salesforce": Salesforce, "hubspot": HubSpot}
TIERS = TiersSettings(
    method=Quantiles(4), stability=Stability(replay_from=date(2025, 6, 30))
)
OURS = ("account_id", "name", "owner_id", "segment", "country", "domain", "created_on")
THEIRS = ("opportunity_id", "account_id", "name", "owner_id", "status", "amount")
THEIRS += ("created_at", "closed_on", "expected_close_on", "probability")


@pytest.fixture(scope="module", params=CRMS)
def org(request: pytest.FixtureRequest) -> Iterator[tuple[str, Any]]:
    book = samples.book(accounts=40, opportunities=250)
    with CRMS[request.param](book.tables, currency="EUR") as pretend:
        yield request.param, pretend


@pytest.fixture
def crm(org: tuple[str, Any], monkeypatch: pytest.MonkeyPatch) -> tuple[str, Any, Any]:
    name, pretend = org
    pretend.reset()
    for variable, value in pretend.environment.items():
        monkeypatch.setenv(variable, value)
    setup(connect(name), dry_run=False)
    return name, pretend, connect(name)


def wanted(proposal: Any) -> list[tuple[Any, ...]]:
    """The changes of a plan; a stamp names its plan, and what it seals."""
    told = [planned.change for planned in proposal.changes]
    return [
        (one.record_id, one.column, one.before, str(one.after).rpartition(":")[2])
        for one in told
    ]


def opened(pretend: Any, layout: str, folder: Path) -> Portfolio:
    vendor = layout.partition("-")[2]
    named = {"salesforce": "org_id", "hubspot": "portal_id"}[vendor]
    said = WarehouseSettings(layout=layout, org=str(getattr(pretend, named)))
    replica = connect(
        "warehouse", replicated(pretend, vendor, layout, folder), settings=said
    )
    assert replica.vendor == vendor
    return pull(replica, as_of=AS_OF, currency="EUR")


@pytest.mark.parametrize("loader", ["fivetran", "dlt"])
def test_a_replica_tells_what_the_crm_tells(
    loader: str, crm: tuple[str, Any, Any], tmp_path: Path
) -> None:
    vendor, pretend, connector = crm
    book = opened(pretend, f"{loader}-{vendor}", tmp_path)
    there = pull(connector, as_of=AS_OF, calendar=Calendar("UTC"))
    for table, columns in (("account", OURS), ("opportunity", THEIRS)):
        ours, theirs = (
            to_arrow(one[table]).select(columns).sort_by(f"{table}_id")
            for one in (book, there)
        )
        assert ours.equals(theirs), table


def test_what_is_found_in_a_replica_is_written_to_the_same_records_of_the_crm(
    crm: tuple[str, Any, Any], tmp_path: Path
) -> None:
    vendor, pretend, connector = crm
    layout = f"fivetran-{vendor}"
    book = opened(pretend, layout, tmp_path / "before")
    there = pull(connector, as_of=AS_OF, calendar=Calendar("UTC"))
    tiers = analysis.tiers(book, TIERS)
    proposal = plan([tiers], connector)
    assert wanted(proposal) == wanted(plan([analysis.tiers(there, TIERS)], connector))
    journal = apply(proposal, connector, archive=Archive(tmp_path / "runs"))
    assert journal.counts["written"] == len(proposal.changes) > 40

    field = {"salesforce": "Portfolio_Tier__c", "hubspot": "portfolio_tier"}[vendor]
    held = pretend.snapshot()[KINDS[vendor][0]]
    found = tiers_of(to_arrow(tiers.frame))
    assert {record: fields[field] for record, fields in held.items()} == found
    # Once the loader has been there again, the replica tells what was written.
    again = opened(pretend, layout, tmp_path / "after")
    assert tiers_of(to_arrow(again["account"])) == found
    assert not plan([analysis.tiers(again, TIERS)], connector).changes


def tiers_of(frame: pa.Table) -> dict[str, str]:
    return dict(
        zip(frame["account_id"].to_pylist(), frame["tier"].to_pylist(), strict=True)
    )
