"""Upserts, and the rules of a customer's own org."""

from __future__ import annotations

import pyarrow as pa
import pytest

from crm_portfolio.simulator import Salesforce
from crm_portfolio.simulator.salesforce import (
    Assumptions,
    DuplicateRule,
    ValidationRule,
)

CODE = {
    "Account.Code__c": {
        "label": "Code", "type": "Text", "length": 20, "externalId": True, "unique": True,
    },
    "Account.Kind__c": {"label": "Kind", "type": "Text", "length": 20, "externalId": True},
}  # fmt: skip


@pytest.fixture
def coded(raw_for):
    tables = {"account": pa.table({"account_id": ["a", "b", "c"]})}
    with Salesforce(tables, fields=CODE) as org:
        for name in ("a", "b"):
            org.edit("Account", org.ids("account")[name], {"Kind__c": "twin"})
        yield org


@pytest.fixture
def raw(coded, raw_for):
    return raw_for(coded)


def test_one_record_is_created_then_changed_by_its_external_id(coded, raw):
    path = "sobjects/Account/Code__c/a%20b"
    made = raw("PATCH", path, json={"Name": "New"})
    assert (made.status_code, made.json()["created"]) == (201, True)
    again = raw("PATCH", path, json={"Name": "Newer"})
    assert (again.status_code, again.json()["created"]) == (200, False)
    assert again.json()["id"] == made.json()["id"]
    old = raw("PATCH", f"/services/data/v45.0/{path}", json={"Name": "Newest"})
    assert (old.status_code, old.text) == (204, "")
    record = coded.record("Account", made.json()["id"])
    assert (record["Name"], record["Code__c"]) == ("Newest", "a b")
    assert raw("GET", path).json()["Name"] == "Newest"


def test_several_matches_are_told_and_nothing_is_written(coded, raw):
    before = coded.snapshot()
    answer = raw("PATCH", "sobjects/Account/Kind__c/TWIN", json={"Name": "x"})
    assert answer.status_code == 300
    assert len(answer.json()) == 2
    assert coded.snapshot() == before


def test_a_field_that_is_no_external_id_finds_nothing(raw):
    for path in ("sobjects/Account/Site/x", "sobjects/Account/Nope/x"):
        answer = raw("PATCH", path, json={"Name": "x"})
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (404, "NOT_FOUND")


def test_many_records_are_upserted_row_by_row(coded, raw):
    def account(**values):
        return {"attributes": {"type": "Account"}, **values}

    body = {
        "records": [
            account(Code__c="k1", Name="One"),
            account(Code__c="k1", Name="Again"),
            account(Name="No key"),
            {"Code__c": "k2", "Name": "No attributes"},
            account(Code__c="k3", Name="x" * 300),
        ]
    }
    rows = raw("PATCH", "composite/sobjects/Account/Code__c", json=body).json()
    assert [row["created"] for row in rows] == [True, False, False, False, False]
    assert [row["errors"][0]["statusCode"] for row in rows if not row["success"]] == [
        "DUPLICATE_VALUE", "MISSING_ARGUMENT", "JSON_PARSER_ERROR", "STRING_TOO_LONG",
    ]  # fmt: skip
    assert coded.record("Account", rows[0]["id"])["Name"] == "One"


def test_a_unique_value_stands_once(coded, raw):
    ids = coded.ids("account")
    raw.update({"id": ids["a"], "Code__c": "k"})
    assert raw.why({"id": ids["b"], "Code__c": "k"}) == ("DUPLICATE_VALUE", ["Code__c"])
    assert raw.update({"id": ids["a"], "Code__c": "k"})[0]["success"]


def test_a_validation_rule_refuses_its_rows(coded, raw):
    def refuses(record):
        return record["Rating"] == "Hot" and not record["Industry"]

    rule = ValidationRule(refuses, "A hot account has an industry", field="Industry")
    coded.rules.validation["Account"] = [rule]
    key = coded.ids("account")["a"]
    assert raw.why({"id": key, "Rating": "Hot"}) == (
        "FIELD_CUSTOM_VALIDATION_EXCEPTION", ["Industry"],
    )  # fmt: skip
    assert raw.update({"id": key, "Rating": "Hot", "Industry": "Banking"})[0]["success"]
    assert raw.update({"id": key, "Rating": "Hot"})[0]["success"]  # as it would be


def test_a_duplicate_rule_that_alerts_can_be_passed(coded, raw):
    ids = coded.ids("account")
    coded.rules.duplicates["Account"] = [DuplicateRule(("Name",))]
    assert raw.why({"id": ids["a"], "Name": "b"})[0] == "DUPLICATES_DETECTED"
    raw.session.headers["Sforce-Duplicate-Rule-Header"] = "allowSave=true"
    assert raw.update({"id": ids["a"], "Name": "b"})[0]["success"]
    coded.rules.duplicates["Account"] = [DuplicateRule(("Name",), only_alerts=False)]
    assert raw.why({"id": ids["c"], "Name": "b"})[0] == "DUPLICATES_DETECTED"


def test_a_held_record_is_free_after_so_many_attempts(coded, raw):
    key = coded.ids("account")["a"]
    coded.lock(key, attempts=2)
    for _ in range(2):
        assert raw.why({"id": key, "Site": "x"})[0] == "UNABLE_TO_LOCK_ROW"
    assert raw.update({"id": key, "Site": "x"})[0]["success"]
    coded.rules.troubled[key] = 1
    (row,) = raw.update({"id": key, "Site": "y"})
    (error,) = row["errors"]
    assert error["statusCode"] == "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
    assert "UNABLE_TO_LOCK_ROW" in error["message"]
    assert raw.update({"id": key, "Site": "y"})[0]["success"]


def test_a_slow_object_answers_narrow_queries_only(coded, raw):
    coded.rules.slow["Account"] = 2
    assert raw.refused("SELECT Id FROM Account")[:2] == (400, "QUERY_TIMEOUT")
    assert raw.refused("SELECT COUNT(Id) FROM Account")[:2] == (400, "QUERY_TIMEOUT")
    assert raw.query("SELECT COUNT() FROM Account").json()["totalSize"] == 3
    middle = sorted(coded.ids("account").values())[1]
    halves = [
        raw.rows(f"SELECT Id FROM Account WHERE Id {sign} '{middle}'")
        for sign in ("<=", ">")
    ]
    assert [len(half) for half in halves] == [2, 1]


def test_a_large_object_needs_the_right_to_see_all(coded, raw):
    coded.rules.large["Account"] = 2
    assert len(raw.rows("SELECT Id FROM Account")) == 3
    coded.revoke_right("View All Data")
    assert raw.refused("SELECT Id FROM Account")[:2] == (400, "OPERATION_TOO_LARGE")


@pytest.mark.parametrize(("decimals", "kept"), [("kept", 1.2345), ("rounded", 1.23)])
def test_decimals_beyond_the_scale_are_kept_or_rounded(raw_for, decimals, kept):
    deal = {"opportunity": pa.table({"opportunity_id": ["o"], "status": ["open"]})}
    with Salesforce(deal, assumptions=Assumptions(decimals=decimals)) as org:
        key = org.ids("opportunity")["o"]
        raw_for(org)("PATCH", f"sobjects/Opportunity/{key}", json={"Amount": 1.2345})
        assert org.record("Opportunity", key)["Amount"] == kept


def test_a_value_taken_off_a_restricted_picklist_is_refused(org, raw_for):
    with Salesforce({"account": pa.table({"account_id": ["a"]})}) as crm:
        crm.change_field(
            "Account", "Rating", is_restricted=True, inactive=frozenset({"Hot"})
        )
        raw, key = raw_for(crm), crm.ids("account")["a"]
        assert (
            raw.why({"id": key, "Rating": "Hot"})[0]
            == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
        )
        assert raw.update({"id": key, "Rating": "Cold"})[0]["success"]
