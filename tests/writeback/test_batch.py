"""What a batch costs, by whichever way it goes, and that it is looked at twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pyarrow as pa
import pytest

from crm_portfolio import simulator
from crm_portfolio.archive import Archive
from crm_portfolio.connectors._retry import RetrySettings
from crm_portfolio.connectors.hubspot import AccessToken, HubSpot, HubSpotSettings
from crm_portfolio.connectors.salesforce import Salesforce, SalesforceSettings
from crm_portfolio.writeback import Limits, Plan, apply, plan, setup

Wanted = Callable[..., Any]
Reach = Callable[..., Salesforce]

AT_ONCE = Limits(canary_count=0, canary_share=0.0, settle_seconds=0)
# Who we are, and for each batch whether anybody else wrote meanwhile.
WHO_ELSE = {"GET oauth2/userinfo": 1, "GET query": 1}
FIRST_TEN = Limits(canary_count=10, canary_share=0.0, settle_seconds=0)


def applied(proposal: Plan, crm: Any, archive: Archive) -> None:
    journal = apply(proposal, crm, archive=archive, sleep=lambda _: None)
    assert journal.counts == {"written": 2 * len(proposal.records)}


def calls(pretend: Any, work: Callable[[], None]) -> Counter[str]:
    before = Counter(pretend.calls)
    work()
    return Counter(pretend.calls) - before


def in_tier_a(pretend: Any, count: int | None = None) -> dict[str, dict[str, str]]:
    ids = sorted(pretend.ids("account").values())
    return {one: {"tier": "A"} for one in ids[:count]}


@pytest.fixture(scope="module")
def account_count() -> int:
    return 2_700


class TestSalesforce:
    """450 accounts: three calls write them, one reads them, one asks who else did."""

    def test_collections_take_a_call_for_each_two_hundred_and_one_to_look_twice(
        self,
        crm: Salesforce,
        sim: simulator.Salesforce,
        archive: Archive,
        wanted: Wanted,
    ) -> None:
        proposal = plan([wanted(in_tier_a(sim, 450))], crm, limits=AT_ONCE)
        made = calls(sim, lambda: applied(proposal, crm, archive))
        assert made == {
            "PATCH composite/sobjects": 3,
            "POST composite/sobjects/{object}": 2,
            **WHO_ELSE,
        }
        assert made.total() == proposal.call_estimate

    def test_the_first_slice_costs_one_call_of_each_kind_and_one_to_look(
        self,
        crm: Salesforce,
        sim: simulator.Salesforce,
        archive: Archive,
        wanted: Wanted,
    ) -> None:
        proposal = plan([wanted(in_tier_a(sim, 450))], crm, limits=FIRST_TEN)
        made = calls(sim, lambda: applied(proposal, crm, archive))
        assert made == {
            "PATCH composite/sobjects": 1 + 3,
            "POST composite/sobjects/{object}": 2 + 2,
            **WHO_ELSE,
            "GET query": 1 + 1,
        }

    @pytest.mark.parametrize(("bulk", "count"), [("auto", 2_700), ("always", 450)])
    def test_a_job_takes_the_place_of_the_collections(
        self,
        sim: simulator.Salesforce,
        archive: Archive,
        wanted: Wanted,
        connected: Reach,
        bulk: Any,
        count: int,
    ) -> None:
        crm = connected(sim)
        retry = RetrySettings(attempts=1, first_wait_seconds=0)
        crm._settings = SalesforceSettings(bulk=bulk, retry=retry)
        proposal = plan([wanted(in_tier_a(sim, count))], crm, limits=AT_ONCE)
        made = calls(sim, lambda: applied(proposal, crm, archive))
        assert made["POST jobs/ingest"] == 1
        assert "PATCH composite/sobjects" not in made
        assert made.total() <= proposal.call_estimate

    def test_the_second_night_writes_nothing(
        self,
        crm: Salesforce,
        sim: simulator.Salesforce,
        archive: Archive,
        wanted: Wanted,
    ) -> None:
        applied(plan([wanted(in_tier_a(sim, 450))], crm, limits=AT_ONCE), crm, archive)
        again = plan([wanted(in_tier_a(sim, 450))], crm, limits=AT_ONCE)
        before = sim.snapshot(audit=True)
        made = calls(sim, lambda: apply(again, crm, archive=archive).counts and None)
        assert (len(again.changes), made.total()) == (0, 0)
        assert sim.snapshot(audit=True) == before


class TestHubSpot:
    """250 companies: three calls write them, three read them, three read them back.

    Their history comes at fifty a call.
    """

    @pytest.fixture(scope="class")
    @classmethod
    def started(cls) -> Iterator[simulator.HubSpot]:
        names = {"account_id": [f"a{n:04}" for n in range(250)]}
        names["name"] = names["account_id"]
        tables: Any = {"account": pa.table(names)}
        with simulator.HubSpot(tables, limits_by="nothing") as org:
            yield org

    def test_a_call_for_each_hundred_and_as_many_to_look_twice(
        self, started: simulator.HubSpot, archive: Archive, wanted: Wanted
    ) -> None:
        there = started.environment
        login = AccessToken(there["HUBSPOT_ACCESS_TOKEN"], there["HUBSPOT_API_URL"])
        crm = HubSpot(login, settings=HubSpotSettings(burst_calls=10_000))
        setup(crm, dry_run=False)
        proposal = plan([wanted(in_tier_a(started))], crm, limits=AT_ONCE)
        made = calls(started, lambda: applied(proposal, crm, archive))
        assert made == {
            "POST objects/{kind}/batch/update": 3,
            "POST objects/{kind}/batch/read": 6 + 5,
        }
        assert made.total() == proposal.call_estimate
        more = attrs.evolve(AT_ONCE, canary_count=10)
        third = plan(
            [wanted({one: {"tier": "B"} for one in in_tier_a(started)})],
            crm,
            limits=attrs.evolve(more, max_share=1.0),
        )
        made = calls(started, lambda: applied(third, crm, archive))
        assert made.total() == 3 + 9 + 6 == third.call_estimate
