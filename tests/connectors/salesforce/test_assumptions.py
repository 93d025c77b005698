"""Whichever answer the service gives where nobody has verified it, the connector is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, Final

import attrs
import pyarrow as pa
import pytest

from crm_portfolio import schema
from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors._retry import RetrySettings
from crm_portfolio.connectors.salesforce import Salesforce, SalesforceSettings
from crm_portfolio.connectors.salesforce._ingest import Ingest
from crm_portfolio.connectors.salesforce._login import login_from
from crm_portfolio.connectors.salesforce._writing import written
from crm_portfolio.errors import ConnectorError, RightMissingError
from crm_portfolio.protocols import Batch, Change
from crm_portfolio.simulator import Fault
from crm_portfolio.simulator import Salesforce as Simulator
from crm_portfolio.simulator.salesforce import Assumptions
from crm_portfolio.simulator.salesforce._jobs import Bulk as Jobs

IMPATIENT = RetrySettings(attempts=3, first_wait_seconds=0.0)
FIELDS = (*schema.MANAGED["account"], *schema.HUMAN["account"])
COUNT, HOUR = 260, 3_600
# The answers besides the one that is believed.
OTHERS: Final[dict[str, tuple[Any, ...]]] = {
    "bulk_quotes_all": (False,),
    "bulk_rows_in_id_order": (True,),
    "bulk_error_tail": ("--",),
    "bulk_oversize_status": (400,),
    "bulk_second_upload_status": (409,),
    "collection_read_max": (200, 300),
    "duplicate_field_code": ("DUPLICATE_VALUE",),
    "bad_value_refuses": ("request",),
    "shows_org_currency": (False,),
    "oversize_status": (414,),
    "refused_right_code": ("INSUFFICIENT_ACCESS_OR_READONLY",),
    "all_rows": (True,),
    "decimals": ("rounded",),
    "derived_moves_stamp": (True,),
    "deleted_lists_hard": (False,),
    "composite_collections_max": (2,),
    "conversion_rate": ("corporate_per_foreign",),
    "tracked_fields_max": (0,),
    "untrackable_code": ("LIMIT_EXCEEDED",),
    "record_count": ("seen",),
}
# Constants that have to be turned as well: a number does not tell its direction, nor
# what was not counted.
PATCHED = {
    "conversion_rate": ("RATE_IS_FOREIGN_PER_CORPORATE", False),
    "record_count": ("RECORD_COUNT_IS_OF_ALL", False),
}
ANSWERS = [
    pytest.param({}, id="as believed"),
    *(
        pytest.param({name: answer}, id=f"{name}={answer}")
        for name, answers in OTHERS.items()
        for answer in answers
    ),
]


def test_each_assumption_is_answered_otherwise() -> None:
    fields = attrs.fields_dict(Assumptions)
    assert set(OTHERS) == set(fields)
    for name, answers in OTHERS.items():
        assert fields[name].default not in answers


def test_of_two_answers_no_third_is_left_out() -> None:
    for name, field in attrs.fields_dict(attrs.resolve_types(Assumptions)).items():
        possible = {False, True} if field.type is bool else set(_literals(field.type))
        assert possible <= {field.default, *OTHERS[name]}, name


def _literals(said: Any) -> tuple[Any, ...]:
    return () if said in (int, str) else tuple(getattr(said, "__args__", ()))


def data() -> dict[str, pa.Table]:
    ids = [f"A{place:03}" for place in range(COUNT)]
    deals = [f"O{place:03}" for place in range(COUNT)]
    names = [None if p % 9 == 4 else f'"NA", {p}\nnull' for p in range(COUNT)]
    rates = {
        "currency": ["USD", "USD", "JPY"],
        "base": ["EUR"] * 3,
        "from_on": [date(2026, 1, 1), date(2026, 3, 1), date(2026, 1, 1)],
        "rate": [0.8, 0.5, 0.01],
    }
    return {
        "owner": pa.table({"owner_id": ["P1"], "name": ["Ada"], "is_active": [True]}),
        "account": pa.table(
            {
                "account_id": ids,
                "name": ids,
                "domain": names,
                "owner_id": ["P1" if p % 2 else None for p in range(COUNT)],
            }
        ),
        "opportunity": pa.table(
            {
                "opportunity_id": deals,
                "account_id": ids,
                "status": [("open", "won", "lost")[p % 3] for p in range(COUNT)],
                "amount": [None if p % 5 == 0 else p / 4 for p in range(COUNT)],
                "currency": [("EUR", "USD", "JPY")[p % 3] for p in range(COUNT)],
            }
        ),
        "exchange_rate": pa.table(rates),
    }


@pytest.fixture(scope="module")
def running() -> Iterator[Callable[..., Simulator]]:
    """An org for each answer, as if just started."""
    started: dict[str, Simulator] = {}

    def org(**answer: Any) -> Simulator:
        key = str(answer)
        if key not in started:
            beliefs = Assumptions(**answer)
            jobs = Jobs(polls=1, page_rows=100)
            started[key] = Simulator(
                data(), currency="EUR", bulk=jobs, assumptions=beliefs
            ).__enter__()
        started[key].reset()
        return started[key]

    yield org
    for one in started.values():
        one.__exit__(None, None, None)


@pytest.fixture(params=ANSWERS)
def org(
    request: pytest.FixtureRequest,
    running: Callable[..., Simulator],
    monkeypatch: pytest.MonkeyPatch,
) -> Simulator:
    for name, answer in request.param.items():
        if name in PATCHED and answer in OTHERS[name]:
            monkeypatch.setattr(_assumptions, *PATCHED[name])
    return running(**request.param)


def answered(name: str):
    """Both answers of one assumption, and what is believed of it."""
    believed = getattr(Assumptions(), name)
    answers = [{name: answer} for answer in (believed, *OTHERS[name])]
    return pytest.mark.parametrize("org", answers, indirect=True, ids=str)


def connected(org: Simulator, **settings: Any) -> Salesforce:
    chosen = {"retry": IMPATIENT, "page_size": 200, "bulk_page_rows": 100, **settings}
    return Salesforce(
        login_from(org.environment), settings=SalesforceSettings(**chosen)
    )


def rows(batches: list[Batch]) -> dict[str, dict[str, Any]]:
    known: dict[str, dict[str, Any]] = {}
    for batch in batches:
        for row in batch.rows.to_pylist():
            known.setdefault(next(iter(row.values())), {}).update(row)
    return known


def tier(record_id: str, after: str | None) -> Change:
    return Change(record_id, "tier", None, after)


# Under every answer


def test_tables_are_whole_by_rest_and_by_bulk(org: Simulator) -> None:
    ids, deals = org.ids("account"), org.ids("opportunity")
    for table in ("account", "opportunity"):
        rest = rows(list(connected(org, bulk="never").pull(table)))
        bulk = rows(list(connected(org, bulk="always").pull(table)))
        assert rest == bulk
        assert set(rest) == set((ids if table == "account" else deals).values())
    for place in range(COUNT):
        found = rest[deals[f"O{place:03}"]]
        assert found["account_id"] == ids[f"A{place:03}"]
        assert found["amount"] == (None if place % 5 == 0 else place / 4)
        assert found["currency"] == ("EUR", "USD", "JPY")[place % 3]


def test_an_increment_tells_what_changed_and_who_left(org: Simulator) -> None:
    ids = org.ids("account")
    whole = list(connected(org).pull("account"))
    org.clock.advance(HOUR)
    org.edit("Account", ids["A001"], {"Name": "Anew"})
    org.delete("Account", ids["A002"])
    org.merge("Account", ids["A003"], ids["A004"])
    org.clock.advance(120)
    crm = connected(org)
    came = list(crm.pull("account", since=whole[-1].cursor))
    known = rows([*whole, *came])
    gone = {
        row["id"]: row["reason"]
        for batch in came
        if batch.gone is not None
        for row in batch.gone.to_pylist()
    }
    assert gone == {ids["A002"]: "deleted", ids["A004"]: "merged"}
    assert known[ids["A001"]]["name"] == "Anew"
    fresh = rows(list(connected(org).pull("account")))
    assert {one: row for one, row in known.items() if one not in gone} == fresh


@pytest.mark.parametrize("bulk", ["never", "always"])
def test_writes_end_in_the_same_org_and_the_same_outcomes(
    org: Simulator, bulk: str
) -> None:
    crm = connected(org, bulk=bulk)
    list(crm.provision(FIELDS, dry_run=False))
    ids = list(org.ids("account").values())
    list(crm.write("account", [tier(one, "C") for one in ids[:5]]))
    org.delete("Account", ids[3])
    changes = [tier(one, "A" if place else None) for place, one in enumerate(ids[:230])]
    changes[7] = tier(ids[7], "PLANTED")
    changes += [Change(ids[9], "revenue_share", None, 0.123456)]
    changes += [Change(ids[9], "portfolio_stamp", None, 'x\n"y", é')]
    said = {
        (o.change.record_id, o.change.column): (o.state, o.code)
        for o in crm.write("account", changes)
        if o.state != "written"
    }
    assert said == {
        (ids[3], "tier"): ("gone", "ENTITY_IS_DELETED"),
        (ids[7], "tier"): ("rejected", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
    }
    wanted = ["tier", "revenue_share", "portfolio_stamp"]
    found = {r["account_id"]: r for r in crm.read("account", ids, wanted).to_pylist()}
    assert set(found) == {*ids} - {ids[3]}
    tiers = {one: row["tier"] for one, row in found.items() if row["tier"]}
    kept = set(ids[1:230]) - {ids[3], ids[7]}
    assert tiers == dict.fromkeys(kept, "A")
    assert found[ids[9]]["revenue_share"] == 0.123456
    assert found[ids[9]]["portfolio_stamp"] == 'x\n"y", é'


def test_rates_lead_to_the_org_s_currency(org: Simulator) -> None:
    crm = connected(org)
    assert "exchange_rate" in crm.tables()
    said = {
        (row["currency"], row["from_on"]): (row["base"], pytest.approx(row["rate"]))
        for batch in crm.pull("exchange_rate")
        for row in batch.rows.to_pylist()
    }
    assert said["USD", date(2026, 3, 1)] == ("EUR", 0.5)
    assert said["USD", date(2026, 1, 1)] == ("EUR", 0.8)
    assert said["JPY", date(2026, 1, 1)] == ("EUR", 0.01)


def test_setup_is_done_once_and_found_again(org: Simulator) -> None:
    list(connected(org).provision(FIELDS, dry_run=False))
    before = org.snapshot()
    again = list(connected(org).provision(FIELDS, dry_run=False))
    assert {step.state for step in again} == {"present"}
    assert org.snapshot() == before


# What only one of them touches


@answered("bulk_oversize_status")
def test_an_upload_that_is_too_large_is_an_error_and_nothing_is_written(
    org: Simulator,
) -> None:
    """Ours is cut below the limit as it is known; here the org has a smaller one."""
    org._front.jobs.bulk = Jobs(polls=1, upload_bytes=2_000)
    crm = connected(org, bulk="always")
    list(crm.provision(FIELDS, dry_run=False))
    before = org.snapshot("Account")
    with pytest.raises(ConnectorError):
        list(crm.write("account", [tier(i, "A") for i in org.ids("account").values()]))
    assert org.snapshot("Account") == before
    assert org.calls["PUT jobs/ingest/{job}/batches"] <= 3
    ingest = Ingest(crm._tables.session, crm._settings, upload_bytes=2_000)
    changes = [tier(one, "A") for one in list(org.ids("account").values())[:100]]
    how = {"retry": IMPATIENT, "ingest": ingest}
    outcomes = list(written(crm._rest, "Account", changes, **how))
    assert {one.state for one in outcomes} == {"written"}


@answered("bulk_second_upload_status")
def test_an_upload_whose_answer_is_lost_is_not_sent_twice_to_one_job(
    org: Simulator,
) -> None:
    crm = connected(org, bulk="always")
    list(crm.provision(FIELDS, dry_run=False))
    org.fault(Fault(1, "reset_after_write", route="PUT jobs/ingest"))
    ids = list(org.ids("account").values())
    outcomes = list(crm.write("account", [tier(one, "A") for one in ids]))
    assert {one.state for one in outcomes} == {"written"}
    assert org.calls["POST jobs/ingest"] == 2
    statuses = {call.status for call in org.log if call.method == "PUT"}
    assert statuses == {None, 201}


@answered("collection_read_max")
def test_as_many_ids_as_there_are_are_read(org: Simulator) -> None:
    ids = list(org.ids("account").values())
    crm = connected(org)
    assert crm.read("account", ids, ["name"])["account_id"].to_pylist() == ids
    assert org.calls["POST composite/sobjects/{object}"] <= 4


@answered("duplicate_field_code")
def test_a_field_that_is_there_and_hidden_is_found_to_be_there(org: Simulator) -> None:
    begun = connected(org).provision(FIELDS, dry_run=False)
    next(begun)
    begun.close()
    steps = list(connected(org).provision(FIELDS, dry_run=False))
    assert steps[0].state == "present"


@answered("bad_value_refuses")
def test_a_field_that_vanishes_amid_a_write_leaves_nothing_in_doubt(
    org: Simulator,
) -> None:
    crm = connected(org, bulk="never")
    list(crm.provision(FIELDS, dry_run=False))
    ids = list(org.ids("account").values())[:20]
    route = "PATCH composite/sobjects"
    hidden = ("hide_field", "Account", "Portfolio_Tier__c")
    org.fault(Fault(1, "meanwhile", route=route, act=hidden))
    before, outcomes, code = org.snapshot("Account"), [], ""
    try:
        outcomes.extend(crm.write("account", [tier(one, "A") for one in ids]))
    except ConnectorError as error:
        code = error.code
    assert org.snapshot("Account") == before
    assert code == "INVALID_FIELD" or [o.state for o in outcomes] == ["rejected"] * 20
    assert not any(outcome.state == "unknown" for outcome in outcomes)


@answered("shows_org_currency")
def test_the_currency_is_the_org_s_or_the_settings(org: Simulator) -> None:
    shown = org._assumptions.shows_org_currency
    assert connected(org).org().currency == ("EUR" if shown else None) or not shown
    assert connected(org, currency="EUR").org().currency == "EUR"


@answered("oversize_status")
def test_a_query_of_very_many_fields_is_never_too_long(org: Simulator) -> None:
    from crm_portfolio.connectors.salesforce._reading import Select
    from crm_portfolio.connectors.salesforce._rest import Query

    crm = connected(org)
    many = tuple(f"Field_That_Is_Not_There_{place}__c" for place in range(900))
    with pytest.raises(ConnectorError) as caught:
        list(crm._tables.reader.chunks(Select(Query("Account", ("Id", *many)), {})))
    assert caught.value.code == "INVALID_FIELD"  # the org has read it
    assert {call.status for call in org.log} <= {200, 400}


@answered("refused_right_code")
def test_a_right_that_lacks_is_named(org: Simulator) -> None:
    org.revoke_right("Customize Application")
    with pytest.raises(RightMissingError, match="'Customize Application'"):
        list(connected(org).provision(FIELDS, dry_run=False))


@answered("record_count")
def test_that_all_is_in_sight_is_said_only_where_the_count_can_tell(
    org: Simulator,
) -> None:
    def told() -> str:
        findings = connected(org).inspect()
        (state,) = [f.state for f in findings if f.what == "right: View All on Account"]
        return state

    is_told = org._assumptions.record_count == "all"
    assert told() == ("good" if is_told else "warning")
    org.revoke_right("View All Account")
    org.revoke_right("View All Data")
    assert told() == "warning"


@answered("derived_moves_stamp")
def test_what_is_derived_is_right_whether_it_moves_the_stamp(org: Simulator) -> None:
    account = org.ids("account")["A007"]
    whole = list(connected(org).pull("account"))
    org.clock.advance(HOUR)
    org.recalculate("Account", account, {"LastActivityDate": date(2026, 6, 1)})
    org.clock.advance(60)
    came = list(connected(org).pull("account", since=whole[-1].cursor))
    assert rows([*whole, *came]) == rows(list(connected(org).pull("account")))
    assert rows(came)[account]["last_activity_on"] == date(2026, 6, 1)


@answered("deleted_lists_hard")
def test_who_is_deleted_for_good_is_told_by_the_log_or_by_absence(
    org: Simulator,
) -> None:
    account = org.ids("account")["A007"]
    whole = list(connected(org).pull("account"))
    org.clock.advance(HOUR)
    org.hard_delete("Account", account)
    org.clock.advance(120)
    crm = connected(org)
    came = list(crm.pull("account", since=whole[-1].cursor))
    told = [b.gone["id"].to_pylist() for b in came if b.gone is not None]
    is_listed = org._assumptions.deleted_lists_hard
    assert (account in [one for each in told for one in each]) is is_listed
    there = {i for t in crm.present("account") for i in t["account_id"].to_pylist()}
    assert there == set(org.ids("account").values()) - {account}
