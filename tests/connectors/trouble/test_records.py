"""What comes of each record when others lock, delete, merge or redefine meanwhile?"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from troubled import WRITING, Org, Writing, states, tier

from crm_portfolio.connectors._retry import RetrySettings
from crm_portfolio.connectors.salesforce._ingest import Ingest
from crm_portfolio.connectors.salesforce._jobs import Patience
from crm_portfolio.connectors.salesforce._writing import written
from crm_portfolio.errors import (
    FieldNotFoundError,
    SettingsError,
    TransientError,
)
from crm_portfolio.protocols import Change, Outcome

OBJECT = {"salesforce": "Account", "hubspot": "companies"}
SHARE = {
    "salesforce": "Portfolio_Revenue_Share__c",
    "hubspot": "portfolio_revenue_share",
}
TIER = {"salesforce": "Portfolio_Tier__c", "hubspot": "portfolio_tier"}
FIRST_WRITE = {
    "collections": "PATCH composite/sobjects", "ingest": "POST jobs/ingest",
    "batch": "batch/update", "batch-dated": "batch/update",
}  # fmt: skip
SALESFORCE = [way for way in WRITING if way.crm == "salesforce"]
HUBSPOT = [way for way in WRITING if way.crm == "hubspot"]


@pytest.fixture(params=SALESFORCE, ids=str)
def salesforce_writing(request: pytest.FixtureRequest, salesforce: Org) -> Writing:
    return Writing(request.param, salesforce)


@pytest.fixture(params=HUBSPOT, ids=str)
def hubspot_writing(request: pytest.FixtureRequest, hubspot: Org) -> Writing:
    return Writing(request.param, hubspot)


@pytest.fixture
def ingest(salesforce: Org) -> Writing:
    return Writing(SALESFORCE[1], salesforce)


@pytest.fixture
def dated(hubspot: Org) -> Writing:
    return Writing(HUBSPOT[1], hubspot)


def meanwhile(writing: Writing, *act: Any) -> None:
    """Done by someone between our look at the CRM and our first write."""
    writing.fault("meanwhile", route=FIRST_WRITE[writing.way.name], act=act)


# Gone


def test_who_is_deleted_or_merged_between_pull_and_write_is_gone(
    writing: Writing,
) -> None:
    ids, name = writing.org.ids[:150], OBJECT[writing.org.crm]
    deleted, loser, winner = ids[3], ids[7], ids[11]
    meanwhile(writing, "delete", name, deleted)
    meanwhile(writing, "merge", name, winner, loser)
    outcomes, error = writing.sent(tier(one) for one in ids)
    assert error is None
    said = states(outcomes)
    assert {one for one, state in said.items() if state == "gone"} == {deleted, loser}
    assert Counter(said.values()) == {"written": 148, "gone": 2}
    here = set(ids) - {deleted, loser}
    found = writing.tiers()
    assert {one: found.get(one) for one in here} == dict.fromkeys(here, "A")
    assert deleted not in found
    assert set(found) <= set(ids)


# Locks


@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_a_record_locked_for_so_many_writes_is_written_by_the_next(
    salesforce_writing: Writing, rounds: int
) -> None:
    ids = salesforce_writing.org.ids[:250]
    salesforce_writing.org.there.lock(*ids[30:60], attempts=rounds)
    retry = RetrySettings(attempts=rounds + 1, first_wait_seconds=0.0)
    crm = salesforce_writing.connected(retry=retry)
    outcomes, error = salesforce_writing.sent((tier(one) for one in ids), crm)
    assert error is None
    assert states(outcomes) == dict.fromkeys(ids, "written")
    salesforce_writing.must_hold(dict.fromkeys(ids, "A"))


def test_a_record_locked_longer_than_our_patience_is_rejected_alone(
    salesforce_writing: Writing,
) -> None:
    ids = salesforce_writing.org.ids[:250]
    salesforce_writing.org.there.lock(ids[30], attempts=99)
    before = salesforce_writing.org.calls
    outcomes, error = salesforce_writing.sent(tier(one) for one in ids)
    assert error is None
    (locked,) = [one for one in outcomes if one.state != "written"]
    assert (locked.change.record_id, locked.state) == (ids[30], "rejected")
    assert locked.code == "UNABLE_TO_LOCK_ROW"
    salesforce_writing.must_hold(dict.fromkeys(set(ids) - {ids[30]}, "A"))
    assert salesforce_writing.org.calls - before < 40


def test_a_locked_portal_is_written_when_it_opens(hubspot_writing: Writing) -> None:
    """HubSpot locks the whole request, 423, and asks for two seconds."""
    ids = hubspot_writing.org.ids[:150]
    before = hubspot_writing.org.calls_of("batch/update")
    hubspot_writing.fault("locked")
    outcomes, error = hubspot_writing.sent(tier(one) for one in ids)
    assert error is None
    assert states(outcomes) == dict.fromkeys(ids, "written")
    hubspot_writing.must_hold(dict.fromkeys(ids, "A"))
    assert hubspot_writing.org.calls_of("batch/update") - before == 3


# Jobs


@pytest.mark.parametrize("done", [0, 100, 249])
def test_of_a_job_that_fails_every_record_is_accounted_for(
    ingest: Writing, done: int
) -> None:
    ids = ingest.org.ids[:250]
    ingest.fault("job_fails", route="POST jobs/ingest", size=done)
    outcomes, error = ingest.sent(tier(one) for one in ids)
    assert error is None
    said = Counter((one.state, one.code) for one in outcomes)
    wanted = Counter({("written", ""): done, ("rejected", "UNPROCESSED"): 250 - done})
    assert said == +wanted
    written_ones = {o.change.record_id for o in outcomes if o.state == "written"}
    ingest.must_hold(dict.fromkeys(written_ones, "A"))
    again, error = ingest.sent(o.change for o in outcomes if o.state == "rejected")
    assert error is None
    assert {one.state for one in again} == {"written"}
    ingest.must_hold(dict.fromkeys(ids, "A"))


def test_of_a_batch_that_is_done_in_part_every_record_is_accounted_for(
    hubspot_writing: Writing,
) -> None:
    """HubSpot has no jobs that write; what it has is a batch with errors among it."""
    ids = hubspot_writing.org.ids[:100]
    changes = [tier(one) for one in ids]
    nowhere = [str(10**12 + place) for place in range(20)]
    outcomes, error = hubspot_writing.sent([*changes, *map(tier, nowhere)])
    assert error is None
    wanted = {**dict.fromkeys(ids, "written"), **dict.fromkeys(nowhere, "gone")}
    assert states(outcomes) == wanted
    hubspot_writing.must_hold(dict.fromkeys(ids, "A"))


def test_a_job_of_writes_that_never_ends_is_stopped_and_accounted_for(
    ingest: Writing,
) -> None:
    now = iter(range(1_000))
    patience = Patience(
        first_seconds=0.0, total_seconds=20.0, clock=lambda: float(next(now))
    )
    ids = ingest.org.ids[:250]
    crm = ingest.connected()
    slow = Ingest(crm._tables.session, crm._settings, patience=patience)
    ingest.fault("job_never_completes", route="POST jobs/ingest")
    outcomes: list[Outcome] = []
    how = {"retry": crm._settings.retry, "ingest": slow}
    with pytest.raises(TransientError, match="not done after") as caught:
        outcomes.extend(written(crm._rest, "Account", map(tier, ids), **how))
    assert caught.value.code == "JOB_TIMEOUT"
    assert states(outcomes) == dict.fromkeys(ids, "rejected")
    assert {one.code for one in outcomes} == {"UNPROCESSED"}
    ingest.must_hold({})


# Redefined


def test_a_field_hidden_since_setup_is_named_before_anything_is_sent(
    writing: Writing,
) -> None:
    crm, name = writing.org.crm, TIER[writing.org.crm]
    writing.org.there.hide_field(OBJECT[crm], name)
    before = writing.org.calls_of(writing.way.page)
    with pytest.raises(FieldNotFoundError, match=name):
        writing.sent(tier(one) for one in writing.org.ids[:5])
    assert writing.org.calls_of(writing.way.page) == before
    writing.org.there.reset()
    Writing(writing.way, writing.org).must_hold({})


def test_a_field_hidden_while_we_write_is_named_in_each_rejection(
    writing: Writing,
) -> None:
    crm, name = writing.org.crm, TIER[writing.org.crm]
    ids = writing.org.ids[:30]
    meanwhile(writing, "hide_field", OBJECT[crm], name)
    outcomes, error = writing.sent(tier(one) for one in ids)
    assert error is None
    assert states(outcomes) == dict.fromkeys(ids, "rejected")
    assert all(name in one.message for one in outcomes)
    assert writing.tiers() == {}


def test_a_choice_that_was_taken_away_is_rejected_and_its_field_named(
    writing: Writing,
) -> None:
    ids, name = writing.org.ids[:150], TIER[writing.org.crm]
    without(writing.org, "B")
    values = {one: "B" if place % 50 == 7 else "A" for place, one in enumerate(ids)}
    outcomes, error = writing.sent(tier(one, value) for one, value in values.items())
    assert error is None
    refused = [one for one in outcomes if one.state == "rejected"]
    assert {one.change.record_id for one in refused} == {
        one for one, value in values.items() if value == "B"
    }
    assert all(name in one.message for one in refused)
    codes = {"INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "INVALID_OPTION"}
    assert {one.code for one in refused} <= codes
    good = {one: value for one, value in values.items() if value == "A"}
    assert states(outcomes) == {
        **dict.fromkeys(values, "rejected"), **dict.fromkeys(good, "written")
    }  # fmt: skip
    writing.must_hold(good)


def test_a_number_that_lost_its_decimals_is_named_before_anything_is_sent(
    salesforce_writing: Writing,
) -> None:
    """It would be rounded in silence, and look edited by a person ever after."""
    name = SHARE["salesforce"]
    salesforce_writing.org.there.change_field("Account", name, scale=2)
    change = Change(salesforce_writing.org.ids[0], "revenue_share", None, 0.123456)
    before = salesforce_writing.org.calls_of(salesforce_writing.way.page)
    with pytest.raises(SettingsError, match=f"{name} keeps 2 decimals"):
        salesforce_writing.sent([change])
    assert salesforce_writing.org.calls_of(salesforce_writing.way.page) == before
    findings = list(salesforce_writing.connected().inspect())
    (told,) = [one for one in findings if name in one.what]
    assert told.state == "missing"
    assert "decimal" in told.mend
    salesforce_writing.must_hold({})


def test_a_number_that_became_too_narrow_is_rejected_and_named(
    salesforce_writing: Writing,
) -> None:
    name = "Portfolio_Rank__c"
    ids = salesforce_writing.org.ids[:2]
    salesforce_writing.org.there.change_field("Account", name, precision=2)
    changes = [
        Change(one, "portfolio_rank", None, value)
        for one, value in zip(ids, (12, 1_234), strict=True)
    ]
    outcomes, error = salesforce_writing.sent(changes)
    assert error is None
    assert states(outcomes) == {ids[0]: "written", ids[1]: "rejected"}
    assert outcomes[-1].code == "NUMBER_OUTSIDE_VALID_RANGE"
    assert name in outcomes[-1].message


def test_a_property_that_became_another_type_is_rejected_and_named(
    hubspot_writing: Writing,
) -> None:
    """HubSpot's numbers keep all their decimals; what can change is their type."""
    name, org = SHARE["hubspot"], hubspot_writing.org
    org.there.change_field("companies", name, type="date")
    change = Change(org.ids[0], "revenue_share", None, 0.5)
    (outcome, _), error = hubspot_writing.sent([change, tier(org.ids[1])])
    assert error is None
    assert (outcome.state, outcome.code) == ("rejected", "INVALID_TYPE")
    assert name in outcome.message
    hubspot_writing.must_hold({org.ids[1]: "A"})


def test_a_property_that_2026_09_requires_is_named(dated: Writing) -> None:
    """One is demanded where the tier is A, which no look at the properties tells."""
    ids = dated.org.ids[:60]
    dated.org.there.require("companies", "industry", when="portfolio_tier", says="A")
    values = {one: "A" if place % 20 == 3 else "B" for place, one in enumerate(ids)}
    outcomes, error = dated.sent(tier(one, value) for one, value in values.items())
    assert error is None
    refused = {o.change.record_id: o for o in outcomes if o.state == "rejected"}
    assert set(refused) == {one for one, value in values.items() if value == "A"}
    assert {one.code for one in refused.values()} == {"REQUIRED_PROPERTY"}
    assert all("industry" in one.message for one in refused.values())
    dated.must_hold({one: value for one, value in values.items() if value == "B"})


def without(org: Org, value: str) -> None:
    if org.crm == "salesforce":
        org.there.change_field("Account", TIER["salesforce"], values=("A", "C", "D"))
        return
    known = org.there._portal.properties("companies")[TIER["hubspot"]]
    kept = tuple(one for one in known.options if one.value != value)
    org.there.change_field("companies", TIER["hubspot"], options=kept)
