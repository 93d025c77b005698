"""Writing to the pretend org: each row judged by itself."""

from __future__ import annotations

import pytest

from crm_portfolio.errors import SettingsError
from crm_portfolio.simulator import Salesforce
from crm_portfolio.simulator.salesforce import Assumptions


@pytest.fixture
def acme(org: Salesforce) -> str:
    return org.ids("account")["a1"]


def test_a_row_is_written_and_stamped(org, raw, acme):
    before = org.record("Account", acme)
    (answer,) = raw.update({"id": acme, "Rating": "Hot", "NumberOfEmployees": 3})
    assert answer == {"id": acme, "success": True, "errors": []}
    after = org.record("Account", acme)
    assert (after["Rating"], after["NumberOfEmployees"]) == ("Hot", 3)
    assert after["SystemModstamp"] > before["SystemModstamp"]
    assert after["LastModifiedById"] == org.user_id
    assert after["CreatedDate"] == before["CreatedDate"]


def test_null_and_empty_text_clear_a_field(org, raw, acme):
    raw.update({"id": acme, "Industry": None, "BillingCountry": "", "Site": "  x "})
    after = org.record("Account", acme)
    assert (after["Industry"], after["BillingCountry"], after["Site"]) == (
        None,
        None,
        "x",
    )


def test_numbers_may_come_as_text(org, raw, acme):
    assert raw.update({"Id": acme, "NumberOfEmployees": "10000"})[0]["success"]
    assert org.record("Account", acme)["NumberOfEmployees"] == 10_000


@pytest.mark.parametrize(
    ("change", "code", "fields"),
    [
        ({"Nope__c": 1}, "INVALID_FIELD", ["Nope__c"]),
        ({"CreatedDate": "2020-01-01T00:00:00Z"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["CreatedDate"]),
        ({"LastActivityDate": "2020-01-01"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["LastActivityDate"]),
        ({"Is_Customer__c": "perhaps"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", ["Is_Customer__c"]),
        ({"Name": "x" * 256}, "STRING_TOO_LONG", ["Name"]),
        ({"Name": None}, "REQUIRED_FIELD_MISSING", ["Name"]),
        ({"Name": " \n"}, "REQUIRED_FIELD_MISSING", ["Name"]),
        ({"Name": 5}, "INVALID_TYPE_ON_FIELD_IN_RECORD", ["Name"]),
        ({"NumberOfEmployees": "many"}, "INVALID_TYPE_ON_FIELD_IN_RECORD", ["NumberOfEmployees"]),
        ({"NumberOfEmployees": "1_000"}, "INVALID_TYPE_ON_FIELD_IN_RECORD", ["NumberOfEmployees"]),
        ({"NumberOfEmployees": " 12 "}, "INVALID_TYPE_ON_FIELD_IN_RECORD", ["NumberOfEmployees"]),
        ({"NumberOfEmployees": 1.5}, "INVALID_TYPE_ON_FIELD_IN_RECORD", ["NumberOfEmployees"]),
        ({"NumberOfEmployees": True}, "INVALID_TYPE_ON_FIELD_IN_RECORD", ["NumberOfEmployees"]),
        ({"NumberOfEmployees": 10**8}, "NUMBER_OUTSIDE_VALID_RANGE", ["NumberOfEmployees"]),
        ({"AnnualRevenue": -(10**18)}, "NUMBER_OUTSIDE_VALID_RANGE", ["AnnualRevenue"]),
        ({"ParentId": "abc"}, "MALFORMED_ID", ["ParentId"]),
        ({"ParentId": "006Sm0000000001IAA"}, "MALFORMED_ID", ["ParentId"]),
        ({"ParentId": "001Sm0000000ZZZIAA"}, "MALFORMED_ID", ["ParentId"]),
        ({"ParentId": "001000000000000AAA"}, "INVALID_CROSS_REFERENCE_KEY", ["ParentId"]),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_and_nothing_changes(
    org, raw, acme, change, code, fields
):
    before = org.snapshot(audit=True)
    assert raw.why({"id": acme, "Rating": "Hot", **change}) == (code, fields)
    assert org.snapshot(audit=True) == before


@pytest.mark.parametrize(
    ("record_id", "code"),
    [
        (None, "MISSING_ARGUMENT"),
        ("abc", "MALFORMED_ID"),
        ("001Sm0000000001XXX", "MALFORMED_ID"),
        ("006Sm0000000001IAA", "MALFORMED_ID"),
        ("001xx000003DHP0AAO", "INVALID_CROSS_REFERENCE_KEY"),
    ],
)
def test_a_bad_id_is_refused(raw, record_id, code):
    named = {} if record_id is None else {"id": record_id}
    assert raw.why({**named, "Rating": "Hot"})[0] == code


def test_a_deleted_record_is_refused_and_out_of_sight(org, raw, acme):
    org.delete("Account", acme)
    assert raw.why({"id": acme, "Rating": "Hot"})[0] == "ENTITY_IS_DELETED"
    assert not raw.rows("SELECT Id FROM Account WHERE Name = 'Acme'")
    # The describe of Account says so: its opportunities go with it.
    assert not raw.rows("SELECT Id FROM Opportunity WHERE Name IN ('One', 'Two')")
    soql = "SELECT Name, IsDeleted FROM Account WHERE Name = 'Acme'"
    (row,) = raw("GET", "queryAll", params={"q": soql}).json()["records"]
    assert row["IsDeleted"] is True


def test_good_rows_pass_beside_bad_ones_in_the_order_asked(org, raw):
    ids = org.ids("account")
    rows = raw.update(
        {"id": ids["a1"], "Rating": "Hot"},
        {"id": ids["a2"], "Nope": 1},
        {"id": ids["a3"], "Rating": "Cold"},
    )
    assert [row["success"] for row in rows] == [True, False, True]
    assert org.record("Account", ids["a1"])["Rating"] == "Hot"
    assert org.record("Account", ids["a3"])["Rating"] == "Cold"


def test_all_or_none_writes_nothing_beside_a_bad_row(org, raw):
    ids = org.ids("account")
    before = org.snapshot(audit=True)
    rows = raw.update(
        {"id": ids["a1"], "Rating": "Hot"}, {"id": ids["a2"], "Nope": 1}, allOrNone=True
    )
    codes = [row["errors"][0]["statusCode"] for row in rows]
    assert codes == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "INVALID_FIELD"]
    assert org.snapshot(audit=True) == before


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"records": [{"attributes": {"type": "Account"}, "id": "x"}] * 201}, "EXCEEDED_ID_LIMIT"),
        ({"records": []}, "MISSING_ARGUMENT"),
        ({"records": [{"id": "x"}]}, "INVALID_TYPE"),
        ({"records": [{"attributes": {"type": "Nope"}, "id": "x"}]}, "INVALID_TYPE"),
        ({"records": [{"attributes": "Account", "id": "x"}]}, "INVALID_TYPE"),
        ({"records": ["x"]}, "INVALID_TYPE"),
        ({"rows": []}, "JSON_PARSER_ERROR"),
        ({"records": [{"attributes": {"type": kind}} for kind in ["Account", "Opportunity"] * 6]}, "INVALID_INPUT"),
    ],
)  # fmt: skip
def test_a_malformed_collection_is_refused_as_a_whole(raw, body, code):
    answer = raw("PATCH", "composite/sobjects", json=body)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)


def test_all_or_none_may_come_as_text(raw, acme):
    rows = raw.update({"id": acme, "Rating": "Hot"}, {"Nope": 1}, allOrNone="false")
    assert [row["success"] for row in rows] == [True, False]


def test_a_body_that_is_no_json_is_refused(raw):
    answer = raw("PATCH", "composite/sobjects", data="{")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (
        400,
        "JSON_PARSER_ERROR",
    )


def test_two_hundred_rows_pass(org, raw, acme):
    rows = raw.update(*[{"id": acme, "NumberOfEmployees": n} for n in range(200)])
    assert all(row["success"] for row in rows)
    assert org.record("Account", acme)["NumberOfEmployees"] == 199


def test_a_hidden_field_cannot_be_written(org, raw, acme):
    org.hide_field("Account", "Rating")
    assert raw.why({"id": acme, "Rating": "Hot"}) == ("INVALID_FIELD", ["Rating"])


def test_without_the_right_to_edit_nothing_is_written(org, raw, acme):
    org.revoke_right("Edit Account")
    assert (
        raw.why({"id": acme, "Rating": "Hot"})[0] == "INSUFFICIENT_ACCESS_OR_READONLY"
    )
    described = raw("GET", "sobjects/Account/describe").json()
    assert described["updateable"] is False
    assert not any(field["updateable"] for field in described["fields"])


def test_what_follows_from_the_stage_follows_it(org, raw):
    record_id = org.ids("opportunity")["o3"]
    answer = raw(
        "PATCH", f"sobjects/Opportunity/{record_id}", json={"StageName": "Won"}
    )
    assert (answer.status_code, answer.content) == (204, b"")
    after = org.record("Opportunity", record_id)
    assert (after["IsClosed"], after["IsWon"], after["Probability"]) == (
        True,
        True,
        100.0,
    )
    answer = raw("PATCH", f"sobjects/Opportunity/{record_id}", json={"IsWon": False})
    assert answer.json()[0]["errorCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE"
    answer = raw("PATCH", f"sobjects/Opportunity/{record_id}", json={"StageName": None})
    assert answer.json()[0]["errorCode"] == "REQUIRED_FIELD_MISSING"


@pytest.mark.parametrize(
    "day", ["20260101", "2026-W01-1", "2026-02-29", "01/02/2026", 20260101]
)
def test_a_day_is_written_as_the_documentation_writes_it(raw, day):
    record = {"Name": "New", "StageName": "Open", "CloseDate": day}
    answer = raw("POST", "sobjects/Opportunity", json=record)
    assert answer.json()[0]["errorCode"] == "INVALID_TYPE_ON_FIELD_IN_RECORD"


def test_a_new_opportunity_needs_a_stage_and_a_day(org, raw):
    answer = raw("POST", "sobjects/Opportunity", json={"Name": "New"})
    assert answer.status_code == 400
    assert answer.json()[0]["fields"] == ["StageName", "CloseDate"]
    whole = {"Name": "New", "StageName": "Lost", "CloseDate": "2026-02-01"}
    answer = raw("POST", "sobjects/Opportunity/", json=whole)
    made = answer.json()["id"]
    assert answer.status_code == 201
    assert (
        answer.headers["location"]
        == f"/services/data/v66.0/sobjects/Opportunity/{made}"
    )
    found = org.record("Opportunity", made)
    assert (found["IsClosed"], found["IsWon"], found["OwnerId"]) == (
        True,
        False,
        org.user_id,
    )
    rows = [
        {"attributes": {"type": "Account"}, "Name": "A"},
        {"attributes": {"type": "Account"}},
    ]
    answers = raw("POST", "composite/sobjects", json={"records": rows}).json()
    assert [row["success"] for row in answers] == [True, False]
    answer = raw("POST", "sobjects/Organization", json={"Name": "Second"})
    assert answer.status_code == 400


def test_a_person_edits_as_someone_else(org, acme):
    org.hide_field("Account", "Rating")
    org.edit("Account", acme, {"Rating": "Warm"})
    after = org.record("Account", acme)
    assert after["Rating"] == "Warm"
    assert after["LastModifiedById"] == org.ids("owner")["u1"] != org.user_id
    with pytest.raises(SettingsError, match="STRING_TOO_LONG"):
        org.edit("Account", acme, {"Name": "x" * 300})


def test_knobs_that_name_nothing_say_what_there_is(org):
    with pytest.raises(SettingsError, match="did you mean 'Rating'"):
        org.hide_field("Account", "Ratin")
    with pytest.raises(SettingsError, match="did you mean 'Account'"):
        org.record("Acount", "001")
    with pytest.raises(SettingsError, match="did you mean 'Edit Account'"):
        org.revoke_right("Edit Acount")


def test_reset_brings_the_loaded_org_back(org, raw, acme):
    before = org.snapshot(audit=True)
    raw.update({"id": acme, "Rating": "Hot"})
    org.hide_field("Account", "Industry")
    org.revoke_right("Edit Account")
    org.delete("Account", acme)
    org.reset()
    assert org.snapshot(audit=True) == before
    assert org.calls == {}
    assert org.api_calls == 0
    assert raw.update({"id": acme, "Rating": "Hot"})[0]["success"]


def test_a_snapshot_tells_two_states_apart(org, raw, acme):
    before = org.snapshot("Account")
    raw.update({"id": acme, "Rating": "Hot"})
    assert org.snapshot("Account") != before
    raw.update({"id": acme, "Rating": None})
    assert org.snapshot("Account") == before
    assert org.snapshot("Account", audit=True) != before


def test_unverified_rules_can_be_turned(acme, raw_for):
    with Salesforce(assumptions=Assumptions(bad_value_refuses="request")) as org:
        record = {"attributes": {"type": "Account"}, "Name": "New", "Nope": 1}
        answer = raw_for(org)("POST", "composite/sobjects", json={"records": [record]})
        assert answer.status_code == 400
        assert answer.json()[0]["errorCode"] == "INVALID_FIELD"
    with Salesforce(assumptions=Assumptions(collection_read_max=1)) as org:
        body = {"ids": [acme, acme], "fields": ["Id"]}
        answer = raw_for(org)("POST", "composite/sobjects/Account", json=body)
        assert answer.json()[0]["errorCode"] == "EXCEEDED_ID_LIMIT"
    with Salesforce(assumptions=Assumptions(oversize_status=414)) as org:
        assert raw_for(org).query("x" * 17_000).status_code == 414
