"""Many records go as one job, and each comes back in exactly one state."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio import schema
from crm_portfolio.connectors._retry import RetrySettings
from crm_portfolio.connectors.salesforce import (
    Salesforce,
    SalesforceSettings,
    SessionToken,
)
from crm_portfolio.connectors.salesforce._ingest import Ingest, csv_of, fits
from crm_portfolio.connectors.salesforce._jobs import Patience
from crm_portfolio.connectors.salesforce._login import login_from
from crm_portfolio.connectors.salesforce._session import Session
from crm_portfolio.connectors.salesforce._writing import written
from crm_portfolio.errors import ConnectorError, LoginError, TransientError
from crm_portfolio.protocols import Change, Outcome
from crm_portfolio.simulator import Fault
from crm_portfolio.simulator import Salesforce as Simulator
from crm_portfolio.simulator.salesforce._jobs import Bulk as Jobs

FIELDS = (*schema.MANAGED["account"], *schema.HUMAN["account"])
IMPATIENT = RetrySettings(attempts=3, first_wait_seconds=0.0)
EAGER = Patience(first_seconds=0.0)
COUNT = 2_700


def accounts(count: int) -> dict[str, pa.Table]:
    ids = [f"A{place}" for place in range(count)]
    return {"account": pa.table({"account_id": ids, "name": ids})}


@pytest.fixture(scope="module")
def _running():
    with Simulator(accounts(COUNT), currency="EUR") as running:
        yield running


@pytest.fixture
def org(_running):
    _running.reset()
    crm = Salesforce(login_from(_running.environment))
    list(crm.provision(FIELDS, dry_run=False))
    return _running


def sent(
    org, changes: Sequence[Change], *, bulk="always", patience=EAGER, **settings
) -> tuple[list[Outcome], Exception | None]:
    """The outcomes, and the error after them."""
    from crm_portfolio.connectors.salesforce._rest import Rest

    upload_bytes = settings.pop("upload_bytes", 95_000_000)
    chosen = SalesforceSettings(**{"retry": IMPATIENT, "bulk": bulk, **settings})
    login = (
        login_from(org.environment)
        if isinstance(org, Simulator)
        else SessionToken(org.url, org.secret)
    )
    session = Session(login, chosen)
    ingest = Ingest(session, chosen, patience=patience, upload_bytes=upload_bytes)
    rest = Rest(session, chosen)
    came = []
    try:
        for outcome in written(
            rest, "Account", iter(changes), retry=chosen.retry, ingest=ingest
        ):
            came.append(outcome)
    except ConnectorError as error:
        return came, error
    return came, None


def tier(record_id: str, after: str | None = "A") -> Change:
    return Change(record_id, "tier", None, after)


def states(outcomes: list[Outcome]) -> Counter:
    return Counter(outcome.state for outcome in outcomes)


def jobs(org) -> dict[str, int]:
    return {name: count for name, count in org.calls.items() if "jobs/ingest" in name}


def tiers(org) -> int:
    records = org.snapshot()["Account"].values()
    return sum(record.get("Portfolio_Tier__c") is not None for record in records)


# What it costs


def test_many_records_go_as_one_job_where_that_costs_less(org) -> None:
    ids = list(org.ids("account").values())
    few, many = 2_600, 2_601  # 13 calls by collections, 14; a job takes up to 13
    came, error = sent(org, [tier(record) for record in ids[:few]], bulk="auto")
    assert (states(came), error, jobs(org)) == ({"written": few}, None, {})
    came, error = sent(org, [tier(record, "B") for record in ids[:many]], bulk="auto")
    assert (states(came), error) == ({"written": many}, None)
    assert jobs(org) == {
        "POST jobs/ingest": 1,
        "PUT jobs/ingest/{job}/batches": 1,
        "PATCH jobs/ingest/{job}": 1,
        "GET jobs/ingest/{job}": 2,
        "GET jobs/ingest/{job}/successfulResults": 1,
        "DELETE jobs/ingest/{job}": 1,
    }


def test_never_means_never(org) -> None:
    ids = list(org.ids("account").values())
    came, _ = sent(org, [tier(record) for record in ids], bulk="never")
    assert (states(came), jobs(org)) == ({"written": COUNT}, {})


def test_the_connector_itself_writes_many_as_a_job(org) -> None:
    ids = list(org.ids("account").values())
    crm = Salesforce(login_from(org.environment))
    came = list(crm.write("account", [tier(record) for record in ids]))
    assert (states(came), tiers(org)) == ({"written": COUNT}, COUNT)
    assert org.calls["POST jobs/ingest"] == 1


def test_an_upload_too_large_is_cut_into_several_jobs(org) -> None:
    ids = list(org.ids("account").values())[:300]
    changes = [
        Change(record, "portfolio_stamp", None, f"v1:{'x' * 200}") for record in ids
    ]
    came, _ = sent(org, changes, upload_bytes=20_000)
    assert [outcome.change for outcome in came] == changes
    assert org.calls["PUT jobs/ingest/{job}/batches"] > 5


def test_the_vendors_limit_of_an_upload_is_never_crossed() -> None:
    with Simulator(accounts(500), bulk=Jobs(upload_bytes=20_000)) as org:
        list(Salesforce(login_from(org.environment)).provision(FIELDS, dry_run=False))
        ids = list(org.ids("account").values())
        changes = [Change(record, "portfolio_stamp", None, '"' * 99) for record in ids]
        came, error = sent(org, changes, upload_bytes=20_000)
    assert (states(came), error) == ({"written": 500}, None)


# What comes back


def test_each_record_has_its_own_answer_whatever_their_order(org) -> None:
    ids = list(org.ids("account").values())[:50]
    org.delete("Account", ids[3])
    changes = [
        tier(record, "PLANTED" if place == 7 else "A")
        for place, record in enumerate(ids)
    ]
    changes += [tier("nonsense"), tier("001000000000000AAA")]
    changes += [Change(ids[7], "portfolio_rank", None, 1)]
    came, error = sent(org, changes)
    assert error is None
    assert {outcome.change for outcome in came} == set(changes)
    said = {
        (outcome.change.record_id, outcome.change.column): (outcome.state, outcome.code)
        for outcome in came
        if outcome.state != "written"
    }
    picklist = ("rejected", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST")
    assert said == {
        (ids[3], "tier"): ("gone", "ENTITY_IS_DELETED"),
        (ids[7], "tier"): picklist,
        (ids[7], "portfolio_rank"): picklist,
        ("nonsense", "tier"): ("gone", "MALFORMED_ID"),
        ("001000000000000AAA", "tier"): ("gone", "INVALID_CROSS_REFERENCE_KEY"),
    }
    assert "PLANTED" not in repr([outcome.message for outcome in came])


def test_a_job_that_fails_halfway_tells_what_it_did(org) -> None:
    ids = list(org.ids("account").values())[:100]
    org.fault(Fault(route="POST jobs/ingest", at_call=1, kind="job_fails", size=40))
    came, error = sent(org, [tier(record) for record in ids])
    assert (states(came), error) == ({"written": 40, "rejected": 60}, None)
    assert {o.code for o in came if o.state == "rejected"} == {"UNPROCESSED"}
    assert tiers(org) == 40


def test_a_job_that_never_ends_is_stopped_and_tells_what_it_did(org) -> None:
    now = iter(range(1_000))
    patience = Patience(
        first_seconds=0.0, total_seconds=5.0, clock=lambda: float(next(now))
    )
    org.fault(Fault(route="POST jobs/ingest", at_call=1, kind="job_never_completes"))
    ids = list(org.ids("account").values())[:10]
    came, error = sent(org, [tier(record) for record in ids], patience=patience)
    assert isinstance(error, TransientError)
    assert error.code == "JOB_TIMEOUT"
    assert {(o.state, o.code) for o in came} == {("rejected", "UNPROCESSED")}
    assert tiers(org) == 0


# Locks


@pytest.mark.parametrize("bulk", ["always", "never"])
def test_only_locked_records_are_sent_again_in_ever_smaller_parts(org, bulk) -> None:
    ids = list(org.ids("account").values())[:200]
    org.lock(*ids[:40], attempts=2)
    came, error = sent(
        org,
        [tier(record) for record in ids],
        bulk=bulk,
        retry=RetrySettings(attempts=5, first_wait_seconds=0.0),
    )
    assert (states(came), error) == ({"written": 200}, None)
    assert tiers(org) == 200


@pytest.mark.parametrize("bulk", ["always", "never"])
def test_a_lock_that_stays_is_a_rejected_record(org, bulk) -> None:
    ids = list(org.ids("account").values())[:20]
    org.lock(ids[0], attempts=99)
    came, error = sent(org, [tier(record) for record in ids], bulk=bulk)
    assert (states(came), error) == ({"written": 19, "rejected": 1}, None)
    (locked,) = [outcome for outcome in came if outcome.state == "rejected"]
    assert (locked.change.record_id, locked.code) == (ids[0], "UNABLE_TO_LOCK_ROW")


def test_parts_are_halved_with_every_round(strange) -> None:
    sizes = []

    def answer(_path: str):
        records = json.loads(strange.bodies[-1])["records"]
        sizes.append(len(records))
        locked = {"success": False, "errors": [{"statusCode": "UNABLE_TO_LOCK_ROW"}]}
        return 200, json.dumps([locked] * len(records)).encode()

    strange.answer = answer
    changes = [tier(f"001{place:012}AAA") for place in range(8)]
    retry = RetrySettings(attempts=10, first_wait_seconds=0.0)
    came, error = sent(strange, changes, bulk="never", retry=retry)
    assert (states(came), error) == ({"rejected": 8}, None)
    assert sizes == [8, *[4] * 2, *[2] * 4, *[1] * 8 * 3]


# Answers that are lost


STEPS = (
    "POST jobs/ingest",
    "PUT jobs/ingest/{job}/batches",
    "PATCH jobs/ingest/{job}",
    "GET jobs/ingest/{job}",
    "GET jobs/ingest/{job}/successfulResults",
    "GET jobs/ingest/{job}/failedResults",
    "DELETE jobs/ingest/{job}",
)


@pytest.mark.parametrize(
    "kind",
    ["reset", "reset_after_write", "unavailable", "empty", "truncated", "expired"],
)
@pytest.mark.parametrize("route", STEPS)
def test_one_lost_answer_at_any_step_costs_nothing(org, route, kind) -> None:
    ids = list(org.ids("account").values())[:30]
    org.fault(Fault(route=route, at_call=1, kind=kind))
    changes = [tier(record) for record in ids[:-1]] + [tier(ids[-1], "PLANTED")]
    came, error = sent(org, changes)
    assert (states(came), error) == ({"written": 29, "rejected": 1}, None)
    assert tiers(org) == 29


@pytest.mark.parametrize(
    ("route", "kind", "said", "done"),
    [
        ("POST jobs/ingest", "unavailable", {}, 0),
        ("PUT jobs/ingest/{job}/batches", "reset_after_write", {}, 0),
        ("PATCH jobs/ingest/{job}", "reset", {"unknown": 30}, 0),
        ("GET jobs/ingest/{job}", "unavailable", {"unknown": 30}, 0),
        ("GET jobs/ingest/{job}/successfulResults", "empty", {"unknown": 30}, 30),
        ("GET jobs/ingest/{job}", "over_quota", {"unknown": 30}, 0),
        ("PATCH jobs/ingest/{job}", "over_quota", {}, 0),
    ],
)
def test_a_step_whose_answers_stay_lost_leaves_unknown_only_what_may_be_done(
    org, route, kind, said, done
) -> None:
    ids = list(org.ids("account").values())[:30]
    org.fault(Fault(route=route, at_call=1, kind=kind, calls=99))
    came, error = sent(org, [tier(record) for record in ids])
    assert isinstance(error, TransientError)
    assert (states(came), tiers(org)) == (said, done)


def test_a_login_that_ends_while_the_job_runs_leaves_it_unknown(org) -> None:
    org.fault(Fault(route="GET jobs/ingest/{job}", at_call=1, kind="expired", calls=99))
    came, error = sent(org, [tier(org.ids("account")["A1"])])
    assert isinstance(error, LoginError)
    assert states(came) == {"unknown": 1}


def test_an_org_without_jobs_is_written_by_collections_or_says_so() -> None:
    with Simulator(accounts(COUNT), bulk=Jobs(batches=0)) as org:
        list(Salesforce(login_from(org.environment)).provision(FIELDS, dry_run=False))
        changes = [tier(record) for record in org.ids("account").values()]
        came, error = sent(org, changes, bulk="auto")
        assert (states(came), error) == ({"written": COUNT}, None)
        assert org.calls["PATCH composite/sobjects"] == 14
        came, error = sent(org, changes, bulk="always")
        assert came == []
        assert "allowance" in str(error)


# What only a strange host says


JOB = {"id": "750000000000001AAA", "state": "JobComplete"}


def told(strange, lists: dict[str, str]) -> None:
    def answer(path: str):
        which = path.rsplit("/", 1)[-1]
        if which == "batches":
            return 201, b""
        if which in lists:
            return 200, lists[which].encode(), {"content-type": "text/csv"}
        if which == "ingest":
            return 200, json.dumps({**JOB, "state": "Open"}).encode()
        return 200, json.dumps(JOB).encode()

    strange.answer = answer


ONE, TWO, THREE, FOUR = (f"00100000000000{n}AAA" for n in range(1, 5))
HEAD = '"sf__Id","sf__Created","Id","Portfolio_Tier__c"\n'
FAILED = '"sf__Id","sf__Error","Id","Portfolio_Tier__c"\n'


def test_what_no_list_names_is_unknown_and_another_id_is_gone(strange) -> None:
    told(
        strange,
        {
            "successfulResults": f'{HEAD}"{ONE}","false","{ONE}","A"\n'
            f'"{FOUR}","false","{TWO}","A"\n"{FOUR}","false","{FOUR}","A"\n',
            "failedResults": FAILED,
            "unprocessedrecords": '"Id","Portfolio_Tier__c"\n',
        },
    )
    came, error = sent(strange, [tier(ONE), tier(TWO), tier(THREE)])
    assert error is None
    assert [outcome.state for outcome in came] == ["written", "gone", "unknown"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("UNABLE_TO_LOCK_ROW:unable:--", ("rejected", "UNABLE_TO_LOCK_ROW")),
        (
            "STRING_TOO_LONG:a: b:c:Portfolio_Tier__c --",
            ("rejected", "STRING_TOO_LONG"),
        ),
        ("STRING_TOO_LONG:x:Portfolio_Tier__c", ("rejected", "STRING_TOO_LONG")),
        ("ENTITY_IS_DELETED:entity is deleted:--", ("gone", "ENTITY_IS_DELETED")),
        ("INVALID_CROSS_REFERENCE_KEY", ("gone", "INVALID_CROSS_REFERENCE_KEY")),
        ("something else", ("rejected", "")),
        ("", ("rejected", "")),
    ],
)
def test_the_text_of_a_refusal_is_read_whatever_its_end(strange, error, said) -> None:
    told(
        strange,
        {
            "successfulResults": HEAD,
            "failedResults": f'{FAILED}"","{error}","{ONE}","A"\n',
        },
    )
    (outcome,), _ = sent(strange, [tier(ONE)])
    assert (outcome.state, outcome.code) == said
    named = outcome.message.endswith("(Portfolio_Tier__c)")
    assert named is ("Portfolio_Tier__c" in error)


def test_a_trigger_that_met_a_lock_is_a_lock(strange) -> None:
    text = "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY:trigger: UNABLE_TO_LOCK_ROW, x:--"
    told(
        strange,
        {
            "successfulResults": HEAD,
            "failedResults": f'{FAILED}"","{text}","{ONE}","A"\n',
        },
    )
    others = strange.answer
    strange.answer = lambda path: (
        (200, json.dumps([{"id": ONE, "success": True}]).encode())
        if path.endswith("composite/sobjects")
        else others(path)
    )
    retry = RetrySettings(attempts=2, first_wait_seconds=0.0)
    (outcome,), _ = sent(strange, [tier(ONE)], retry=retry)
    assert outcome.state == "rejected"  # always by a job: it says the same again
    assert sum(path.endswith("/batches") for path in strange.paths) == 2


# The upload itself


def test_the_same_changes_are_the_same_bytes_in_any_order() -> None:
    records = [
        {"id": "b", "Portfolio_Tier__c": None, "Portfolio_Rank__c": 3},
        {"id": "a", "Portfolio_Revenue_Share__c": 1e-06},
        {"id": "c", "Portfolio_Stamp__c": 'x\n"y", é'},
    ]
    assert csv_of(records) == csv_of(records[::-1])
    assert csv_of(records).decode() == (
        "Id,Portfolio_Rank__c,Portfolio_Revenue_Share__c,Portfolio_Stamp__c,"
        "Portfolio_Tier__c\n"
        "a,,0.000001,,\n"
        "b,3,,,#N/A\n"
        'c,,,"x\n""y"", é",\n'
    )


@given(
    st.dictionaries(
        st.sampled_from(["A__c", "B__c"]),
        st.one_of(
            st.none(),
            st.text(max_size=20),
            st.integers(-(10**15), 10**15),
            st.floats(allow_nan=False, allow_infinity=False),
            st.booleans(),
        ),
        min_size=1,
    )
)
def test_a_csv_reader_finds_what_was_written_or_it_does_not_fit(values) -> None:
    record = {"id": "001", **values}
    if not fits(record):
        return
    text = csv_of([record]).decode()
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    for name, value in values.items():
        cell = row[name]
        if value is None or value == "":
            assert cell == "#N/A"
        elif isinstance(value, bool):
            assert cell == str(value).lower()
        elif isinstance(value, int | float):
            assert float(cell) == value
            assert "e" not in cell.lower()
        else:
            assert cell == value


@pytest.mark.parametrize(
    "text", ["#N/A", " #n/a ", "x" * 32_001, "a\0b", "\ud800", *(["y" * 31_000] * 1)]
)
def test_what_a_csv_cannot_say_goes_by_collections(text) -> None:
    assert fits({"id": "001", "A__c": text}) is (text[0] == "y")


def test_dates_are_days() -> None:
    from crm_portfolio.connectors.salesforce._writing import _record

    record = _record([Change("001", "tier_since_on", None, date(2026, 2, 3))])
    assert b"2026-02-03" in csv_of([record])
