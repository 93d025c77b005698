"""Every change comes back in exactly one state, and only our properties are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date

import attrs
import pyarrow as pa
import pytest

from crm_portfolio import schema
from crm_portfolio.connectors._retry import QuotaSpentError, RetrySettings
from crm_portfolio.connectors.hubspot import HubSpot as Connector
from crm_portfolio.connectors.hubspot._client import Client
from crm_portfolio.connectors.hubspot._login import login_from
from crm_portfolio.connectors.hubspot._settings import HubSpotSettings
from crm_portfolio.connectors.hubspot._setup import provisioned
from crm_portfolio.connectors.hubspot._validation import described
from crm_portfolio.connectors.hubspot._writing import written
from crm_portfolio.errors import (
    ConnectorError,
    FieldNotFoundError,
    LoginError,
    TransientError,
)
from crm_portfolio.protocols import Change, Outcome
from crm_portfolio.simulator import Fault
from crm_portfolio.simulator.hubspot import Assumptions, HubSpot

IMPATIENT = RetrySettings(attempts=3, first_wait_seconds=0.0)
SWIFT = HubSpotSettings(retry=IMPATIENT, burst_calls=10_000)
FIELDS = (*schema.MANAGED["account"], *schema.HUMAN["account"])
COUNT = 321
ACCOUNTS = pa.table(
    {
        "account_id": [f"A{place}" for place in range(COUNT)],
        "name": [f"Account {place}" for place in range(COUNT)],
    }
)


@pytest.fixture(scope="module")
def _running() -> Iterator[HubSpot]:
    with HubSpot({"account": ACCOUNTS}, limits_by="nothing") as running:
        yield running


@pytest.fixture
def org(_running: HubSpot) -> HubSpot:
    _running.reset()
    list(provisioned(connected(_running), FIELDS, dry_run=False))
    return _running


@pytest.fixture
def client(org: HubSpot) -> Client:
    return connected(org)


def connected(org: HubSpot, **chosen: object) -> Client:
    settings = HubSpotSettings(**{"retry": IMPATIENT, **chosen})
    return Client(login_from(org.environment), settings)


def writing(client: Client, changes) -> Iterator[Outcome]:
    known = described(client, "companies")
    return written(client, "companies", changes, known=known, retry=IMPATIENT)


def write(client: Client, changes) -> list[Outcome]:
    return list(writing(client, changes))


def collected(client: Client, changes) -> tuple[list[Outcome], Exception | None]:
    came: list[Outcome] = []
    try:
        for outcome in writing(client, changes):
            came.append(outcome)
    except ConnectorError as error:
        return came, error
    return came, None


def tier(record: str, after: str | None) -> Change:
    return Change(record, "tier", None, after)


def states(outcomes: list[Outcome]) -> Counter:
    return Counter(outcome.state for outcome in outcomes)


def updates(org: HubSpot) -> int:
    return sum(n for route, n in org.calls.items() if route.endswith("batch/update"))


def held(org: HubSpot, record: str) -> dict[str, object]:
    known = org.record("companies", record)
    return {name: said for name, said in known.items() if name.startswith("portfolio_")}


def test_values_of_every_type_arrive_as_hubspot_spells_them(org, client) -> None:
    record = org.ids("account")["A1"]
    values = {
        "tier": "B",
        "tier_since_on": date(2024, 2, 29),
        "portfolio_rank": 12,
        "revenue_share": 0.000001,
        "dependence": "major",
        "portfolio_stamp": 'v1:é\n"x":abc',
    }
    changes = [Change(record, column, None, value) for column, value in values.items()]
    assert states(write(client, changes)) == {"written": 6}
    assert updates(org) == 1
    found = {name: said for name, said in held(org, record).items() if said is not None}
    assert found == {
        "portfolio_tier": "B",
        "portfolio_tier_since": "2024-02-29",
        "portfolio_rank": "12",
        "portfolio_revenue_share": "0.000001",
        "portfolio_dependence": "major",
        "portfolio_stamp": 'v1:é\n"x":abc',
    }


@pytest.mark.parametrize("paths", ["v3", "2026-09"])
@pytest.mark.parametrize("null", ["ignored", "refused"])
def test_null_clears_and_what_is_not_sent_stays(paths: str, null: str) -> None:
    with HubSpot(
        {"account": ACCOUNTS},
        limits_by="nothing",
        assumptions=Assumptions(null_in_write=null),
    ) as org:
        client = connected(org, paths=paths)
        list(provisioned(client, FIELDS, dry_run=False))
        record = org.ids("account")["A1"]
        write(client, [tier(record, "A"), Change(record, "dependence", None, "none")])
        assert states(write(client, [tier(record, None)])) == {"written": 1}
        assert held(org, record)["portfolio_tier"] in (None, "")
        assert held(org, record)["portfolio_dependence"] == "none"


def test_nothing_else_in_the_portal_changes(org, client) -> None:
    before = org.snapshot()
    record = org.ids("account")["A1"]
    write(client, [tier(record, "A")])
    after = org.snapshot()
    assert after["companies"][record].pop("portfolio_tier") == "A"
    assert after == before


def test_a_hundred_records_go_in_one_call(org, client) -> None:
    ids = list(org.ids("account").values())[:301]
    changes = [tier(record, "A") for record in ids]
    outcomes = write(client, changes)
    assert states(outcomes) == {"written": 301}
    assert {outcome.change for outcome in outcomes} == set(changes)
    assert updates(org) == 4


def test_no_change_is_no_call(org, client) -> None:
    known, before = described(client, "companies"), org.api_calls
    nothing = written(client, "companies", [], known=known, retry=IMPATIENT)
    assert list(nothing) == []
    assert org.api_calls == before


def test_a_value_that_would_be_refused_is_never_sent(org, client) -> None:
    ids = org.ids("account")
    org.change_field("companies", "portfolio_rank", is_read_only=True)
    changes = [
        tier(ids["A0"], "A"),
        tier(ids["A1"], "PLANTED"),
        Change(ids["A1"], "dependence", None, "major"),
        Change(ids["A2"], "portfolio_rank", None, 1),
    ]
    outcomes = {outcome.change: outcome for outcome in write(client, changes)}
    said = [(outcomes[one].state, outcomes[one].code) for one in changes]
    assert said == [
        ("written", ""),
        ("rejected", "INVALID_OPTION"),
        ("rejected", "INVALID_OPTION"),  # of one record, all or nothing
        ("rejected", "READ_ONLY_VALUE"),
    ]
    assert updates(org) == 1
    assert "PLANTED" not in "".join(outcome.message for outcome in outcomes.values())
    assert held(org, ids["A1"])["portfolio_dependence"] is None


def test_the_culprit_of_a_refused_batch_is_found_and_the_others_are_written(
    org, client
) -> None:
    ids = list(org.ids("account").values())[:200]
    changes = [tier(one, "B" if one == ids[137] else "A") for one in ids]
    outcomes = _with_an_option_less(org, client, changes)
    culprit = outcomes.pop(ids[137])
    assert (culprit.state, culprit.code) == ("rejected", "INVALID_OPTION")
    assert "portfolio_tier" in culprit.message
    assert {outcome.state for outcome in outcomes.values()} == {"written"}
    assert held(org, ids[138])["portfolio_tier"] == "A"
    assert updates(org) <= 1 + 1 + 2 * 7


def test_a_batch_of_culprits_costs_a_bounded_number_of_calls(org, client) -> None:
    ids = list(org.ids("account").values())[:200]
    changes = [tier(one, "B" if place >= 100 else "A") for place, one in enumerate(ids)]
    outcomes = _with_an_option_less(org, client, changes)
    assert states([outcomes[one] for one in ids[100:]]) == {"rejected": 100}
    assert updates(org) <= 1 + 33


def _with_an_option_less(org: HubSpot, client: Client, changes) -> dict[str, Outcome]:
    """Tier B is taken away after our look at the properties, behind the first batch."""
    coming = writing(client, changes)
    first = next(coming)
    options = [o for o in _property(org, "portfolio_tier").options if o.value != "B"]
    org.change_field("companies", "portfolio_tier", options=tuple(options))
    return {outcome.change.record_id: outcome for outcome in (first, *coming)}


def _property(org: HubSpot, name: str):
    return org._portal.properties("companies")[name]


def test_a_record_that_is_gone_is_told_whatever_the_status() -> None:
    for paths, status in (("v3", 207), ("2026-09", 200), ("2026-09", 207)):
        with HubSpot(
            {"account": ACCOUNTS},
            limits_by="nothing",
            assumptions=Assumptions(dated_partial_status=status),
        ) as org:
            client = connected(org, paths=paths)
            list(provisioned(client, FIELDS, dry_run=False))
            ids = org.ids("account")
            org.delete("companies", ids["A3"])
            changes = [tier(ids["A0"], "A"), tier(ids["A3"], "A"), tier("999", "A")]
            found = {o.change.record_id: o.state for o in write(client, changes)}
            assert found == {ids["A0"]: "written", ids["A3"]: "gone", "999": "gone"}


def test_the_loser_of_a_merge_is_gone(org, client) -> None:
    ids = org.ids("account")
    org.merge("companies", ids["A0"], ids["A1"])
    found = {o.change.record_id: o.state for o in write(client, [tier(ids["A1"], "A")])}
    assert found == {ids["A1"]: "gone"}


@pytest.mark.parametrize("winner_is_first", [True, False])
def test_who_took_in_a_record_of_the_same_batch_holds_its_own_value(
    org, client, winner_is_first: bool
) -> None:
    ids = org.ids("account")
    winner, loser = ids["A0"], ids["A1"]
    org.merge("companies", winner, loser)
    changes = [tier(winner, "A"), tier(loser, "D"), tier(ids["A2"], "B")]
    asked = changes if winner_is_first else [changes[1], changes[0], changes[2]]
    found = {o.change.record_id: o.state for o in write(client, asked)}
    assert found == {winner: "written", loser: "gone", ids["A2"]: "written"}
    assert held(org, winner)["portfolio_tier"] == "A"
    assert held(org, ids["A2"])["portfolio_tier"] == "B"


def test_who_took_in_a_record_and_cannot_be_sent_again_is_unknown(org, client) -> None:
    ids = org.ids("account")
    org.merge("companies", ids["A0"], ids["A1"])
    changes = [tier(ids["A0"], "A"), tier(ids["A1"], "D")]
    org.fault(Fault(at_call=org.api_calls + 3, kind="gone"))
    outcomes, error = collected(client, changes)
    assert {o.change.record_id: o.state for o in outcomes} == {
        ids["A0"]: "unknown",
        ids["A1"]: "gone",
    }
    assert isinstance(error, TransientError)


@pytest.mark.parametrize(
    "kind", ["unavailable", "reset", "reset_after_write", "locked"]
)
def test_passing_trouble_is_outlasted(org, client, kind: str) -> None:
    record = org.ids("account")["A1"]
    org.fault(Fault(at_call=org.api_calls + 2, kind=kind))
    assert states(write(client, [tier(record, "A")])) == {"written": 1}
    assert held(org, record)["portfolio_tier"] == "A"


def test_no_answer_is_unknown_and_an_error_follows(org, client) -> None:
    record = org.ids("account")["A1"]
    org.fault(Fault(at_call=org.api_calls + 2, kind="gone"))
    outcomes, error = collected(client, [tier(record, "A")])
    assert states(outcomes) == {"unknown": 1}
    assert isinstance(error, TransientError)


def test_a_spent_day_is_a_clear_no(org, client) -> None:
    record = org.ids("account")["A1"]
    org.fault(Fault(at_call=org.api_calls + 2, kind="over_quota", calls=9))
    outcomes, error = collected(client, [tier(record, "A")])
    assert outcomes == []
    assert isinstance(error, QuotaSpentError)
    assert updates(org) == 1


def test_a_token_that_is_refused_stops_at_once(org) -> None:
    login = attrs.evolve(login_from(org.environment), token="pat-eu1-planted")
    client = Client(login, HubSpotSettings(retry=IMPATIENT))
    before = org.api_calls
    with pytest.raises(LoginError) as caught:
        write(client, [tier(org.ids("account")["A1"], "A")])
    assert "planted" not in str(caught.value)
    assert org.api_calls == before + 1


@pytest.mark.parametrize("answer", ["refused", "last"])
def test_changes_of_one_record_travel_in_one_input(answer: str) -> None:
    with HubSpot(
        {"account": ACCOUNTS},
        limits_by="nothing",
        assumptions=Assumptions(duplicates_in_batch=answer),
    ) as org:
        client = connected(org)
        list(provisioned(client, FIELDS, dry_run=False))
        ids = org.ids("account")
        changes = [
            tier(ids["A0"], "A"),
            tier(ids["A1"], "A"),
            Change(ids["A0"], "portfolio_rank", None, 1),
        ]
        assert states(write(client, changes)) == {"written": 3}
        assert updates(org) == 1


# What it costs


def test_reading_again_and_writing_costs_what_was_forecast(org) -> None:
    """Properties and identity are asked for once, however often one writes."""
    crm = Connector(login_from(org.environment), settings=SWIFT)
    ids = list(org.ids("account").values())
    before = org.api_calls
    said = crm.write_forecast(len(ids))
    assert org.api_calls == before
    each = {"re-read": 4, "write": 4, "history": 7}
    assert said.steps == {"identity": 1, "properties": 1, **each}
    size = crm.write_batch(len(ids))
    for start in range(0, len(ids), size):
        portion = ids[start : start + size]
        crm.read("account", portion, ["tier"])
        assert states(crm.write("account", [tier(one, "A") for one in portion])) == {
            "written": len(portion)
        }
        crm.edits("account", portion, ["tier"], since=org.clock.now)
    assert org.api_calls - before == said.calls == crm.calls
    again = {"re-read": 2, "write": 2, "history": 3}
    assert crm.write_forecast(101).steps == again


def test_a_first_write_by_oauth_logs_in(org) -> None:
    crm = Connector(login_from(org.environment_for("oauth")), settings=SWIFT)
    said = crm.write_forecast(1)
    one = org.ids("account")["A0"]
    crm.read("account", [one], ["tier"])
    list(crm.write("account", [tier(one, "A")]))
    crm.edits("account", [one], ["tier"], since=org.clock.now)
    assert said.calls == crm.calls == 6


def test_a_property_that_setup_makes_is_known_to_the_next_write(org) -> None:
    org.reset()
    crm = Connector(login_from(org.environment), settings=SWIFT)
    one = org.ids("account")["A0"]
    with pytest.raises(FieldNotFoundError):
        crm.write("account", [tier(one, "A")])
    list(crm.provision(FIELDS, dry_run=False))
    assert states(crm.write("account", [tier(one, "A")])) == {"written": 1}
