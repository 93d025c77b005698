"""New fields in the pretend org, and who sees them."""

from __future__ import annotations

from typing import Any

import pytest

from crm_portfolio.simulator import Salesforce
from crm_portfolio.simulator.salesforce import Assumptions

PICKLIST = {
    "label": "Tier",
    "type": "Picklist",
    "required": False,
    "valueSet": {
        "restricted": True,
        "valueSetDefinition": {
            "sorted": False,
            "value": [
                {"valueName": "A", "label": "A", "default": False},
                {"valueName": "B", "label": "B", "default": False},
            ],
        },
    },
}
NUMBER = {"label": "Share", "type": "Number", "precision": 18, "scale": 6}


def make(raw: Any, name: str, metadata: dict[str, Any]) -> Any:
    body = {"FullName": f"Account.{name}", "Metadata": metadata}
    return raw("POST", "tooling/sobjects/CustomField", json=body)


def post(raw: Any, name: str, body: dict[str, Any]) -> str:
    answer = raw("POST", f"sobjects/{name}", json=body)
    assert answer.status_code == 201, answer.text
    made: str = answer.json()["id"]
    return made


def permission_set(raw: Any, org: Salesforce) -> str:
    parent = post(raw, "PermissionSet", {"Name": "Nightly", "Label": "Nightly job"})
    post(
        raw, "PermissionSetAssignment",
        {"AssigneeId": org.user_id, "PermissionSetId": parent},
    )  # fmt: skip
    return parent


def grant(raw: Any, parent: str, field: str, *, edit: bool = True) -> str:
    return post(
        raw,
        "FieldPermissions",
        {
            "ParentId": parent,
            "SobjectType": "Account",
            "Field": f"Account.{field}",
            "PermissionsRead": True,
            "PermissionsEdit": edit,
        },
    )


def seen(raw: Any) -> dict[str, Any]:
    body = raw("GET", "sobjects/Account/describe").json()
    return {field["name"]: field for field in body["fields"]}


def test_a_new_field_is_invisible_until_it_is_granted(org, raw):
    acme = org.ids("account")["a1"]
    answer = make(raw, "Tier__c", PICKLIST)
    assert answer.status_code == 201
    assert answer.json()["id"].startswith("00N")
    assert "Tier__c" not in seen(raw)
    assert raw.refused("SELECT Tier__c FROM Account")[:2] == (400, "INVALID_FIELD")
    assert raw.why({"id": acme, "Tier__c": "A"}) == ("INVALID_FIELD", ["Tier__c"])

    parent = post(raw, "PermissionSet", {"Name": "Nightly", "Label": "Nightly job"})
    grant(raw, parent, "Tier__c")
    assert "Tier__c" not in seen(raw)  # granted to a set that nobody has

    post(
        raw, "PermissionSetAssignment",
        {"AssigneeId": org.user_id, "PermissionSetId": parent},
    )  # fmt: skip
    field = seen(raw)["Tier__c"]
    assert (field["type"], field["updateable"], field["restrictedPicklist"]) == (
        "picklist", True, True,
    )  # fmt: skip
    assert [value["value"] for value in field["picklistValues"]] == ["A", "B"]
    assert raw.update({"id": acme, "Tier__c": "A"})[0]["success"]
    assert raw.rows("SELECT Tier__c FROM Account WHERE Tier__c = 'A'") == [
        {"Tier__c": "A"}
    ]
    assert raw.why({"id": acme, "Tier__c": "Purple"}) == (
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", ["Tier__c"],
    )  # fmt: skip


def test_a_field_granted_for_reading_cannot_be_written(org, raw):
    make(raw, "Tier__c", PICKLIST)
    granted = grant(raw, permission_set(raw, org), "Tier__c", edit=False)
    assert seen(raw)["Tier__c"]["updateable"] is False
    row = {"id": org.ids("account")["a1"], "Tier__c": "A"}
    assert raw.why(row) == ("INVALID_FIELD_FOR_INSERT_UPDATE", ["Tier__c"])
    change = {"PermissionsEdit": True}
    assert (
        raw("PATCH", f"sobjects/FieldPermissions/{granted}", json=change).status_code
        == 204
    )
    assert raw.update(row)[0]["success"]


def test_a_field_of_the_org_can_be_hidden_and_granted_back(org, raw):
    org.hide_field("Account", "Industry")
    assert "Industry" not in seen(raw)
    grant(raw, permission_set(raw, org), "Industry")
    assert seen(raw)["Industry"]["updateable"] is True
    org.hide_field("Account", "Industry")
    assert "Industry" not in seen(raw)


def test_a_number_keeps_its_decimals_within_its_range(org, raw):
    make(raw, "Share__c", NUMBER)
    grant(raw, permission_set(raw, org), "Share__c")
    acme = org.ids("account")["a1"]
    raw.update({"id": acme, "Share__c": 0.123456})
    assert org.record("Account", acme)["Share__c"] == 0.123456
    assert raw.why({"id": acme, "Share__c": 1e12})[0] == "NUMBER_OUTSIDE_VALID_RANGE"


@pytest.mark.parametrize(
    ("metadata", "kind", "value", "stored"),
    [
        ({"type": "Text", "length": 40}, "string", "x", "x"),
        ({"type": "Date"}, "date", "2026-06-30", "2026-06-30"),
        ({"type": "DateTime"}, "datetime", "2026-06-30T01:02:03.9+02:00", "2026-06-29T23:02:03.000+0000"),
        ({"type": "Checkbox", "defaultValue": "false"}, "boolean", True, True),
        ({"type": "Percent", "precision": 5, "scale": 2}, "percent", 12.5, 12.5),
    ],
)  # fmt: skip
def test_each_type_holds_its_values(org, raw, metadata, kind, value, stored):
    assert make(raw, "Extra__c", {"label": "Extra", **metadata}).status_code == 201
    grant(raw, permission_set(raw, org), "Extra__c")
    assert seen(raw)["Extra__c"]["type"] == kind
    acme = org.ids("account")["a1"]
    assert raw.update({"id": acme, "Extra__c": value})[0]["success"]
    assert raw.rows("SELECT Extra__c FROM Account WHERE Name = 'Acme'") == [
        {"Extra__c": stored}
    ]


def test_a_lookup_can_be_followed(org, raw):
    lookup = {
        "label": "Pinned by", "type": "Lookup", "referenceTo": "User",
        "relationshipName": "PinnedAccounts",
    }  # fmt: skip
    make(raw, "Pinned_By__c", lookup)
    grant(raw, permission_set(raw, org), "Pinned_By__c")
    row = {"id": org.ids("account")["a1"], "Pinned_By__c": org.ids("owner")["u2"]}
    assert raw.update(row)[0]["success"]
    found = raw.rows("SELECT Pinned_By__r.Name FROM Account WHERE Pinned_By__c != null")
    assert found[0]["Pinned_By__r"]["Name"] == "Ben Bold"


@pytest.mark.parametrize(
    ("name", "metadata", "status", "code"),
    [
        ("Industry__c", {"label": "", "type": "Date"}, 400, "FIELD_INTEGRITY_EXCEPTION"),
        ("Tier", PICKLIST, 400, "INVALID_FIELD_NAME"),
        ("_Tier__c", PICKLIST, 400, "INVALID_FIELD_NAME"),
        ("x" * 44 + "__c", PICKLIST, 400, "INVALID_FIELD_NAME"),
        ("Tier__c", {"label": "T", "type": "Picklist"}, 400, "FIELD_INTEGRITY_EXCEPTION"),
        ("Tier__c", {"label": "T", "type": "Text"}, 400, "FIELD_INTEGRITY_EXCEPTION"),
        ("Tier__c", {"label": "T", "type": "Text", "length": 256}, 400, "FIELD_INTEGRITY_EXCEPTION"),
        ("Tier__c", {**NUMBER, "precision": 19}, 400, "FIELD_INTEGRITY_EXCEPTION"),
        ("Tier__c", {"label": "T", "type": "Number"}, 400, "FIELD_INTEGRITY_EXCEPTION"),
        ("Tier__c", {"label": "T", "type": "Checkbox"}, 400, "FIELD_INTEGRITY_EXCEPTION"),
        ("Tier__c", {"label": "T", "type": "Lookup"}, 400, "FIELD_INTEGRITY_EXCEPTION"),
        ("Tier__c", {"label": "T", "type": "Formula"}, 501, "NOT_IMITATED"),
    ],
)  # fmt: skip
def test_a_wrong_definition_is_refused(raw, name, metadata, status, code):
    answer = make(raw, name, metadata)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (status, code)


def test_a_name_that_is_taken_is_refused(raw, raw_for):
    assert make(raw, "Tier__c", PICKLIST).status_code == 201
    answer = make(raw, "tier__c", PICKLIST)
    assert answer.status_code == 400
    assert answer.json()[0]["errorCode"] == "DUPLICATE_DEVELOPER_NAME"
    with Salesforce(
        assumptions=Assumptions(duplicate_field_code="DUPLICATE_VALUE")
    ) as org:
        there = raw_for(org)
        make(there, "Tier__c", PICKLIST)
        answer = make(there, "Tier__c", PICKLIST)
        assert answer.json()[0]["errorCode"] == "DUPLICATE_VALUE"


@pytest.mark.parametrize(
    ("right", "act"),
    [
        ("Customize Application", lambda raw, org: make(raw, "Tier__c", PICKLIST)),
        (
            "Manage Profiles and Permission Sets",
            lambda raw, org: raw(
                "POST", "sobjects/PermissionSet", json={"Name": "N", "Label": "N"}
            ),
        ),
        (
            "Assign Permission Sets",
            lambda raw, org: raw(
                "POST",
                "sobjects/PermissionSetAssignment",
                json={
                    "AssigneeId": org.user_id,
                    "PermissionSetId": "0PS000000000001AAA",
                },
            ),
        ),
    ],
)
def test_each_step_needs_its_right(org, raw, right, act):
    org.revoke_right(right)
    answer = act(raw, org)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (
        403,
        "INSUFFICIENT_ACCESS",
    )


def test_grants_that_make_no_sense_are_refused(org, raw):
    make(raw, "Tier__c", PICKLIST)
    parent = permission_set(raw, org)
    whole = {
        "ParentId": parent, "SobjectType": "Account", "Field": "Account.Tier__c",
        "PermissionsRead": True, "PermissionsEdit": True,
    }  # fmt: skip
    for change, code in [
        ({"Field": "Account.Nope__c"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({"Field": "Tier__c"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({"PermissionsRead": False}, "FIELD_INTEGRITY_EXCEPTION"),
        ({"ParentId": "0PS000000000001GAA"}, "INVALID_CROSS_REFERENCE_KEY"),
    ]:
        answer = raw("POST", "sobjects/FieldPermissions", json={**whole, **change})
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)
    assert raw("POST", "sobjects/FieldPermissions", json=whole).status_code == 201
    for name, body in [
        ("FieldPermissions", whole),
        (
            "PermissionSetAssignment",
            {"AssigneeId": org.user_id, "PermissionSetId": parent},
        ),
    ]:
        answer = raw("POST", f"sobjects/{name}", json=body)
        assert answer.json()[0]["errorCode"] == "DUPLICATE_VALUE"


def test_what_was_set_up_can_be_found_again(org, raw):
    make(raw, "Tier__c", PICKLIST)
    grant(raw, permission_set(raw, org), "Tier__c")
    assert raw.rows("SELECT Name FROM PermissionSet WHERE Name = 'Nightly'")
    assert raw.rows(
        "SELECT Field, PermissionsEdit FROM FieldPermissions "
        "WHERE Parent.Name = 'Nightly' AND SobjectType = 'Account'"
    ) == [{"Field": "Account.Tier__c", "PermissionsEdit": True}]
    assert (
        raw.rows(
            "SELECT Assignee.Name FROM PermissionSetAssignment WHERE PermissionSet.Name = 'Nightly'"
        )[0]["Assignee"]["Name"]
        == "Integration User"
    )


def test_a_customers_own_fields_can_be_given(raw_for):
    with Salesforce(
        fields={"Account.Region__c": {"label": "Region", "type": "Text", "length": 9}}
    ) as org:
        assert "Region__c" in seen(raw_for(org))
        org.reset()
        assert "Region__c" in seen(raw_for(org))
