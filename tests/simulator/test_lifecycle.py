"""Records that leave, come back, and become one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm_portfolio.simulator import Salesforce
from crm_portfolio.simulator.salesforce import Assumptions

ALL = {"Account": 11, "Opportunity": 7, "Task": 5, "Event": 1, "Contact": 6, "Case": 2}


@pytest.fixture
def raw(untidy_org, raw_for):
    return raw_for(untidy_org)


def names(raw, soql, path="query"):
    return [
        record["Name"]
        for record in raw("GET", path, params={"q": soql}).json()["records"]
    ]


def deleted(raw, name, start, end, **more):
    path = f"sobjects/{name}/deleted/"
    return raw("GET", path, params={"start": stamp(start), "end": stamp(end)}, **more)


def stamp(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S+00:00")


def test_a_delete_takes_along_what_cannot_be_without_it_under_one_stamp(
    untidy_org, raw
):
    top = untidy_org.ids("account")["top"]
    untidy_org.delete("Account", top)
    gone = {
        (name, row["Id"], row["SystemModstamp"])
        for name in (
            "Account",
            "Opportunity",
            "Contact",
            "Contract",
            "Task",
            "Event",
            "Case",
        )
        for row in untidy_org.snapshot(name, audit=True)[name].values()
        if row["IsDeleted"]
    }
    assert {name for name, _, _ in gone} == {
        "Account", "Opportunity", "Contact", "Contract", "Task", "Event",
    }  # fmt: skip
    assert {moment for _, _, moment in gone} == {untidy_org.clock.stored}
    assert len(names(raw, "SELECT Name FROM Account")) == 10
    assert len(names(raw, "SELECT Name FROM Account", "queryAll")) == 11


def test_what_was_deleted_comes_back_with_what_went_with_it(untidy_org):
    before = untidy_org.snapshot()
    top, two = untidy_org.ids("account")["top"], untidy_org.ids("opportunity")["lost"]
    untidy_org.delete("Opportunity", two)
    between = untidy_org.snapshot()
    untidy_org.delete("Account", top)
    untidy_org.undelete("Account", top)
    assert untidy_org.snapshot() == between  # deleted by itself, it stays deleted
    untidy_org.undelete("Opportunity", two)
    assert untidy_org.snapshot() == before


def test_a_hard_delete_leaves_nothing(untidy_org, raw):
    key = untidy_org.ids("account")["twin2"]
    untidy_org.hard_delete("Account", key)
    assert key not in untidy_org.snapshot("Account")["Account"]
    assert len(names(raw, "SELECT Name FROM Account", "queryAll")) == 10


def test_a_merge_deletes_the_losers_and_moves_what_hung_on_them(untidy_org, raw):
    ids = untidy_org.ids("account")
    contact = next(
        key for key, row in untidy_org.snapshot("Contact")["Contact"].items()
        if row["AccountId"] == ids["twin1"]
    )  # fmt: skip
    before = untidy_org.record("Contact", contact)["SystemModstamp"]
    untidy_org.merge("Account", ids["twin2"], ids["twin1"])
    loser = untidy_org.record("Account", ids["twin1"])
    assert (loser["IsDeleted"], loser["MasterRecordId"]) == (True, ids["twin2"])
    moved = untidy_org.record("Contact", contact)
    assert (moved["AccountId"], moved["IsDeleted"]) == (ids["twin2"], False)
    assert moved["SystemModstamp"] > before
    soql = f"SELECT Name, MasterRecordId FROM Account WHERE Id = '{ids['twin1']}'"
    (row,) = raw("GET", "queryAll", params={"q": soql}).json()["records"]
    assert row["MasterRecordId"] == ids["twin2"]
    assert raw.why({"id": ids["twin1"], "Site": "x"})[0] == "ENTITY_IS_DELETED"


def test_an_automation_stamps_more_records_than_a_page_in_one_second(untidy_org, raw):
    before = untidy_org.clock.stored
    assert untidy_org.stamp("Account") == 11
    stamps = {
        row["SystemModstamp"]
        for row in untidy_org.snapshot("Account", audit=True)["Account"].values()
    }
    assert stamps == {before + timedelta(seconds=1)}
    one = untidy_org.ids("account")["top"]
    assert untidy_org.stamp("Account", one) == 1


def test_deleted_records_are_listed_for_a_span(untidy_org, raw):
    ids, start = untidy_org.ids("account"), untidy_org.clock.now
    untidy_org.delete("Account", ids["twin1"])
    untidy_org.clock.advance(3600)
    middle = untidy_org.clock.now
    untidy_org.delete("Account", ids["twin2"])
    untidy_org.merge(
        "Account", ids["hen"] if "hen" in ids else ids["loop1"], ids["loop2"]
    )
    untidy_org.clock.advance(60)
    end = untidy_org.clock.now
    body = deleted(raw, "Account", start, end).json()
    assert list(body) == [
        "deletedRecords",
        "earliestDateAvailable",
        "latestDateCovered",
    ]
    assert {row["id"] for row in body["deletedRecords"]} == {
        ids["twin1"],
        ids["twin2"],
        ids["loop2"],
    }
    assert body["deletedRecords"][0] == {
        "id": ids["twin1"], "deletedDate": (start + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
    }  # fmt: skip
    later = deleted(raw, "Account", middle, end + timedelta(days=3)).json()
    assert {row["id"] for row in later["deletedRecords"]} == {
        ids["twin2"],
        ids["loop2"],
    }
    # What lies ahead is not covered: the next window starts here.
    assert later["latestDateCovered"] == end.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    untidy_org.undelete("Account", ids["twin1"])
    left = deleted(raw, "Account", start, end).json()["deletedRecords"]
    assert ids["twin1"] not in {row["id"] for row in left}


@pytest.mark.parametrize("listed", [True, False])
def test_a_hard_delete_may_or_may_not_be_listed(raw_for, listed):
    with Salesforce(assumptions=Assumptions(deleted_lists_hard=listed)) as org:
        raw, start = raw_for(org), org.clock.now
        key = raw("POST", "sobjects/Account", json={"Name": "x"}).json()["id"]
        org.hard_delete("Account", key)
        org.clock.advance(90)
        found = deleted(raw, "Account", start, org.clock.now).json()["deletedRecords"]
        assert bool(found) is listed


def test_the_list_has_its_bounds(untidy_org, raw):
    now = untidy_org.clock.now

    def code(start, end):
        answer = deleted(raw, "Account", start, end)
        assert answer.status_code == 400
        return answer.json()[0]["errorCode"]

    assert code(now - timedelta(days=16), now) == "INVALID_REPLICATION_DATE"
    assert code(now, now - timedelta(hours=1)) == "INVALID_REPLICATION_DATE"
    assert deleted(raw, "Nope", now - timedelta(days=1), now).status_code == 404
    untidy_org.rules.ids_max = 2
    for name in ("twin1", "twin2", "self"):
        untidy_org.delete("Account", untidy_org.ids("account")[name])
    untidy_org.clock.advance(1)
    assert code(now, untidy_org.clock.now + timedelta(hours=1)) == "EXCEEDED_ID_LIMIT"


def test_a_delete_log_that_was_purged_says_since_when_it_knows(untidy_org, raw):
    start = untidy_org.clock.now
    untidy_org.delete("Account", untidy_org.ids("account")["twin1"])
    untidy_org.clock.advance(3600)
    untidy_org.rules.delete_log_since = untidy_org.clock.stored
    body = deleted(raw, "Account", start, untidy_org.clock.now).json()
    assert body["deletedRecords"] == []
    assert body["earliestDateAvailable"] == body["latestDateCovered"]


def test_changed_records_are_listed_for_a_span(untidy_org, raw):
    start, key = untidy_org.clock.now, untidy_org.ids("account")["top"]
    untidy_org.edit("Account", key, {"Site": "x"})
    untidy_org.clock.advance(60)
    params = {"start": stamp(start), "end": stamp(untidy_org.clock.now)}
    body = raw("GET", "sobjects/Account/updated", params=params).json()
    assert body["ids"] == [key]


def test_one_record_is_deleted_through_the_api(untidy_org, raw):
    key = untidy_org.ids("account")["twin1"]
    assert raw("DELETE", f"sobjects/Account/{key}").status_code == 204
    assert (
        raw("DELETE", f"sobjects/Account/{key}").json()[0]["errorCode"]
        == "ENTITY_IS_DELETED"
    )
    untidy_org.revoke_right("Delete Account")
    answer = raw("DELETE", f"sobjects/Account/{untidy_org.ids('account')['twin2']}")
    assert answer.json()[0]["errorCode"] == "INSUFFICIENT_ACCESS_OR_READONLY"
    stage = next(iter(untidy_org.snapshot("OpportunityStage")["OpportunityStage"]))
    assert raw("DELETE", f"sobjects/OpportunityStage/{stage}").status_code == 400


def test_many_records_are_deleted_row_by_row(untidy_org, raw):
    ids = untidy_org.ids("account")
    asked = f"{ids['twin1']},nonsense,{ids['self']}"
    rows = raw("DELETE", "composite/sobjects", params={"ids": asked}).json()
    assert [row["success"] for row in rows] == [True, False, True]
    before = untidy_org.snapshot(audit=True)
    params = {"ids": f"{ids['twin2']},{ids['twin1']}", "allOrNone": "true"}
    rows = raw("DELETE", "composite/sobjects", params=params).json()
    assert [row["errors"][0]["statusCode"] for row in rows] == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK", "ENTITY_IS_DELETED",
    ]  # fmt: skip
    assert untidy_org.snapshot(audit=True) == before
    many = ",".join([ids["top"]] * 201)
    assert raw("DELETE", "composite/sobjects", params={"ids": many}).status_code == 400
