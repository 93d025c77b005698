"""How are properties listed, made, changed and put away, and what may stand in them?"""

from __future__ import annotations

import json
from typing import Any

import pytest

from crm_portfolio.simulator.hubspot import Assumptions, HubSpot

RISK = {
    "groupName": "crm_portfolio",
    "name": "risk_tier",
    "label": "Risk tier",
    "type": "enumeration",
    "fieldType": "select",
    "options": [
        {"label": "High", "value": "high", "displayOrder": 0, "hidden": False},
        {"label": "Low", "value": "low", "displayOrder": 1, "hidden": False},
    ],
    "description": "How bad it is",
    "formField": False,
    "hasUniqueValue": False,
}
GROUP = {"name": "crm_portfolio", "label": "Portfolio", "displayOrder": -1}


@pytest.fixture(params=["/crm/v3/properties", "/crm/properties/2026-09"])
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def grouped(raw, path) -> Any:
    assert raw("POST", f"{path}/companies/groups", json=GROUP).status_code == 201
    return raw


def create(raw: Any, path: str, **changes: Any) -> Any:
    return raw("POST", f"{path}/companies", json={**RISK, **changes})


def why(answer: Any) -> list[dict[str, Any]]:
    """The problems that stand as JSON inside the sentence of a refusal."""
    assert answer.status_code == 400, answer.text
    body = answer.json()
    assert body["category"] == "VALIDATION_ERROR"
    head, _, told = body["message"].partition(": ")
    assert head == "Property values were not valid"
    return list(json.loads(told))


def error(raw: Any, **values: Any) -> str:
    (problem,) = why(raw.update("companies", company(raw), **values))
    assert set(problem) == {
        "isValid", "message", "error", "name", "localizedErrorMessage",
    }  # fmt: skip
    return str(problem["error"])


def company(raw: Any) -> str:
    return str(raw.portal.ids("account")["a1"])


def stored(raw: Any, kind: str = "companies", **values: Any) -> Any:
    """What a value comes back as."""
    (name,) = values
    record = (
        company(raw) if kind == "companies" else raw.portal.ids("opportunity")["o3"]
    )
    answer = raw.update(kind, record, **values)
    assert answer.status_code == 200, answer.text
    return raw.one(kind, record, properties=name)["properties"][name]


# Definitions


def test_a_property_can_be_made_and_is_there_at_once(grouped, path):
    answer = create(grouped, path)
    assert answer.status_code == 201
    made = answer.json()
    assert [option["value"] for option in made["options"]] == ["high", "low"]
    assert made["modificationMetadata"]["readOnlyValue"] is False
    assert grouped("GET", f"{path}/companies/risk_tier").json() == made
    assert stored(grouped, risk_tier="low") == "low"


def test_a_name_that_is_taken_is_a_conflict(grouped, path):
    create(grouped, path)
    assert create(grouped, path).status_code == 409
    again = grouped("POST", f"{path}/companies/groups", json=GROUP)
    assert again.status_code == 409


def test_the_status_of_that_conflict_is_not_known(talk):
    assumptions = Assumptions(
        existing_property_status=400, existing_property_category="CONFLICT"
    )
    with HubSpot(assumptions=assumptions) as portal:
        raw = talk(portal)
        path = "/crm/v3/properties"
        raw("POST", f"{path}/companies/groups", json=GROUP)
        create(raw, path)
        answer = create(raw, path)
    assert (answer.status_code, answer.json()["category"]) == (400, "CONFLICT")


@pytest.mark.parametrize(
    ("kind", "field_type", "status"),
    [
        ("number", "number", 201),
        ("number", "text", 400),
        ("enumeration", "checkbox", 201),
        ("enumeration", "text", 400),
        ("string", "textarea", 201),
        ("string", "select", 400),
        ("datetime", "date", 201),
        ("date", "date", 201),
        ("bool", "booleancheckbox", 201),
        ("phone_number", "phonenumber", 201),
        ("money", "number", 400),
    ],
)
def test_type_and_field_type_must_go_together(grouped, path, kind, field_type, status):
    answer = create(grouped, path, type=kind, fieldType=field_type)
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    "change",
    [
        {"groupName": "nowhere"},
        {"name": "Not A Name"},
        {"name": ""},
        {"label": ""},
        {"options": []},
        {"options": [RISK["options"][0], RISK["options"][0]]},
    ],
)
def test_a_bad_definition_is_refused(grouped, path, change):
    assert create(grouped, path, **change).status_code == 400


def test_labels_and_options_can_be_changed_and_types_cannot(grouped, path):
    create(grouped, path)
    there = f"{path}/companies/risk_tier"
    options = [*RISK["options"], {"label": "None", "value": "none", "displayOrder": 2}]
    changed = grouped("PATCH", there, json={"label": "Risk", "options": options}).json()
    assert (changed["label"], len(changed["options"])) == ("Risk", 3)
    assert stored(grouped, risk_tier="none") == "none"
    assert grouped("PATCH", there, json={"type": "number"}).status_code == 400
    own = grouped("PATCH", f"{path}/companies/name", json={"label": "Firm"})
    assert own.status_code == 400


def test_an_archived_property_is_in_the_bin_and_nowhere_else(grouped, path):
    create(grouped, path)
    there = f"{path}/companies/risk_tier"
    assert grouped("DELETE", there).status_code == 204
    assert grouped("GET", there).status_code == 404
    assert grouped("GET", there, params={"archived": "true"}).json()["archived"] is True
    binned = grouped("GET", f"{path}/companies", params={"archived": "true"}).json()
    assert [each["name"] for each in binned["results"]] == ["risk_tier"]
    assert error(grouped, risk_tier="high") == "PROPERTY_DOESNT_EXIST"
    assert grouped("DELETE", f"{path}/companies/name").status_code == 400


def test_definitions_can_be_made_read_and_archived_in_batches(grouped, path):
    inputs = [
        RISK,
        {**RISK, "name": "other"},
        {**RISK, "name": "bad", "groupName": "x"},
    ]
    made = grouped("POST", f"{path}/companies/batch/create", json={"inputs": inputs})
    assert len(made.json()["results"]) == 2
    assert made.json()["numErrors"] == 1
    names = {"inputs": [{"name": "other"}, {"name": "nowhere"}]}
    read = grouped("POST", f"{path}/companies/batch/read", json=names).json()
    assert [each["name"] for each in read["results"]] == ["other"]
    assert read["errors"][0]["category"] == "OBJECT_NOT_FOUND"
    gone = grouped("POST", f"{path}/companies/batch/archive", json=names)
    assert gone.status_code == 204
    assert grouped("GET", f"{path}/companies/other").status_code == 404


def test_groups_are_listed_and_read_by_name(grouped, path):
    groups = grouped("GET", f"{path}/companies/groups").json()["results"]
    assert {"archived": False, **GROUP} in groups
    one = grouped("GET", f"{path}/companies/groups/crm_portfolio")
    assert one.json()["label"] == "Portfolio"
    assert grouped("GET", f"{path}/companies/groups/nothing").status_code == 404


def test_choices_of_stages_and_pipelines_are_those_of_the_pipelines(raw):
    told = raw("GET", "/crm/v3/properties/deals/dealstage").json()
    assert [option["label"] for option in told["options"]] == ["Offer", "Won", "Lost"]
    assert told["externalOptions"] is True
    owners = raw("GET", "/crm/v3/properties/companies/hubspot_owner_id").json()
    assert (owners["options"], owners["referencedObjectType"]) == ([], "OWNER")


def test_schemas_have_scopes_of_their_own(raw, portal):
    portal.revoke_scope("crm.schemas.companies.write")
    answer = raw("POST", "/crm/v3/properties/companies/groups", json=GROUP)
    assert answer.status_code == 403
    assert raw("GET", "/crm/v3/properties/companies").status_code == 200
    portal.revoke_scope("crm.schemas.companies.read")
    assert raw("GET", "/crm/v3/properties/companies").status_code == 403
    assert raw("GET", "/crm/v3/properties/deals").status_code == 200


# Values


@pytest.fixture
def fields(raw) -> Any:
    """One property of each type."""
    raw("POST", "/crm/v3/properties/companies/groups", json=GROUP)
    for kind, field_type in (
        ("bool", "booleancheckbox"), ("date", "date"), ("datetime", "date"),
        ("number", "number"), ("string", "text"), ("enumeration", "checkbox"),
    ):  # fmt: skip
        made = create(raw, "/crm/v3/properties", name=f"a_{kind}", type=kind,
                      fieldType=field_type,
                      options=RISK["options"] if kind == "enumeration" else [])  # fmt: skip
        assert made.status_code == 201, made.text
    return raw


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (10000, "10000"), ("5000.00", "5000.00"), (0.5, "0.5"), ("-3", "-3"), (0, "0"),
        ("1e3", "1e3"),
    ],
)  # fmt: skip
def test_numbers_come_back_as_they_were_said(fields, given, text):
    assert stored(fields, a_number=given) == text


@pytest.mark.parametrize("given", ["1,000", "12 %", "abc", True, "NaN", "1_000", [1]])
def test_what_is_no_number_is_refused(fields, given):
    assert error(fields, a_number=given) in ("INVALID_DOUBLE", "INVALID_VALUE")


@pytest.mark.parametrize(
    ("given", "text"),
    [("2026-11-20", "2026-11-20"), (1795132800000, "2026-11-20"),
     ("2026-11-20T00:00:00Z", "2026-11-20")],
)  # fmt: skip
def test_a_date_is_a_midnight_in_utc(fields, given, text):
    assert stored(fields, a_date=given) == text


@pytest.mark.parametrize(
    "given", ["2026-11-20T10:00:00Z", 1795132800001, "20.11.2026", "2026-13-01", "soon"]
)
def test_another_moment_is_no_date(fields, given):
    assert error(fields, a_date=given) == "INVALID_DATE"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("2026-12-31", "2026-12-31T00:00:00Z"),
        ("2026-12-31T10:20:30.5+02:00", "2026-12-31T08:20:30.500Z"),
        (1795132800123, "2026-11-20T00:00:00.123Z"),
        ("1795132800000", "2026-11-20T00:00:00Z"),
    ],
)
def test_a_moment_is_told_in_utc(fields, given, text):
    assert stored(fields, a_datetime=given) == text


@pytest.mark.parametrize("given", ["asd000", "2026-12-31T10:20", "31/12/2026"])
def test_what_is_no_moment_is_refused(fields, given):
    assert error(fields, a_datetime=given) == "INVALID_LONG"


@pytest.mark.parametrize(("given", "text"), [(True, "true"), ("false", "false")])
def test_booleans_are_text(fields, given, text):
    assert stored(fields, a_bool=given) == text


@pytest.mark.parametrize("given", ["yes", 1, "True"])
def test_other_words_are_no_booleans(fields, given):
    assert error(fields, a_bool=given) == "INVALID_OPTION"


def test_several_choices_stand_side_by_side(fields):
    assert stored(fields, a_enumeration="low;high;low") == "low;high"
    assert error(fields, a_enumeration="low;purple") == "INVALID_OPTION"


def test_a_choice_that_is_not_offered_is_refused_with_those_that_are(fields):
    create(fields, "/crm/v3/properties")
    (problem,) = why(fields.update("companies", company(fields), risk_tier="Purple"))
    told = "Purple was not one of the allowed options: [high, low]"
    assert (problem["message"], problem["name"]) == (told, "risk_tier")


def test_every_problem_of_a_record_is_told(fields):
    answer = fields.update(
        "companies", company(fields), a_number="x", nothing="1", hs_object_id="2"
    )
    assert [(each["name"], each["error"]) for each in why(answer)] == [
        ("a_number", "INVALID_DOUBLE"),
        ("nothing", "PROPERTY_DOESNT_EXIST"),
        ("hs_object_id", "READ_ONLY_VALUE"),
    ]


def test_nothing_is_written_where_one_value_is_wrong(fields, portal):
    before = portal.snapshot(audit=True)
    fields.update("companies", company(fields), name="New", a_number="x")
    assert portal.snapshot(audit=True) == before


def test_the_empty_text_clears(fields):
    stored(fields, a_number=5)
    assert stored(fields, a_number="") is None


def test_owners_and_stages_must_be_there(raw, portal):
    deal = portal.ids("opportunity")["o3"]
    for name in ("hubspot_owner_id", "dealstage", "pipeline", "deal_currency_code"):
        (problem,) = why(raw.update("deals", deal, **{name: "nobody"}))
        assert (problem["name"], problem["error"]) == (name, "INVALID_OPTION")


def test_a_stage_belongs_to_its_pipeline(talk):
    import pyarrow as pa

    stages = pa.table(
        {
            "pipeline": ["A", "A", "B"], "stage": ["Open", "Won", "Open"],
            "position": [1, 2, 1], "status": ["open", "won", "open"],
        }
    )  # fmt: skip
    deals = pa.table({"opportunity_id": ["o3"], "pipeline": ["A"], "status": ["open"]})
    with HubSpot({"stage": stages, "opportunity": deals}) as portal:
        raw = talk(portal)
        lines = raw("GET", "/crm/v3/pipelines/deals").json()["results"]
        other = lines[1]["stages"][0]["id"]
        deal = portal.ids("opportunity")["o3"]
        (problem,) = why(raw.update("deals", deal, dealstage=other))
        assert problem["name"] == "dealstage"
        moved = raw.update("deals", deal, dealstage=other, pipeline=lines[1]["id"])
        assert moved.status_code == 200


# What admins demand


def test_a_required_property_binds_the_dated_paths_only(raw, dated, portal):
    portal.require("companies", "domain")
    values = {"properties": {"name": "New"}}
    assert raw("POST", "objects/companies", json=values).status_code == 201
    (problem,) = why(dated("POST", "objects/companies", json=values))
    assert (problem["name"], problem["error"]) == ("domain", "REQUIRED_PROPERTY")
    values["properties"]["domain"] = "new.example"
    assert dated("POST", "objects/companies", json=values).status_code == 201
    a1 = portal.ids("account")["a1"]
    assert dated.update("companies", a1, name="Else").status_code == 200
    assert why(dated.update("companies", a1, domain=""))


def test_a_conditional_property_binds_where_its_condition_holds(dated, portal):
    lost = portal.record("deals", portal.ids("opportunity")["o2"])["dealstage"]
    portal.require("deals", "closed_lost_reason", when="dealstage", says=lost)
    deal = portal.ids("opportunity")["o3"]
    (problem,) = why(dated.update("deals", deal, dealstage=lost))
    assert problem["name"] == "closed_lost_reason"
    together = dated.update("deals", deal, dealstage=lost, closed_lost_reason="price")
    assert together.status_code == 200
    assert dated.update("deals", deal, dealname="Else").status_code == 200
