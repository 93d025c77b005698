"""A hundred records by one call: what is applied, what is refused, what is missing."""

from __future__ import annotations

import json

import pytest
from hubspot import HubSpot as Client
from hubspot.crm.companies import BatchInputSimplePublicObjectBatchInput

from crm_portfolio.simulator.hubspot import Assumptions, HubSpot

LATER = "2026-07-01T02:00:01.000Z"


def test_a_batch_read_shows_what_was_asked_for(portal, either):
    ids = [portal.ids("account")[a] for a in ("a3", "a1")]
    inputs = [{"id": each} for each in ids]
    answer = either.batch("companies", "read", inputs, properties=["name", "risk_note"])
    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "COMPLETE"
    assert {"startedAt", "completedAt"} <= set(body)
    names = {r["id"]: r["properties"]["name"] for r in body["results"]}
    assert names == {ids[0]: "Χρυσός", ids[1]: "Acme"}
    assert "errors" not in body


def test_unknown_ids_are_named_beside_the_others(portal, raw, dated):
    inputs = [{"id": portal.ids("account")["a1"]}, {"id": "999"}, {"id": "abc"}]
    for talk, status in ((raw, 207), (dated, 200)):
        answer = talk.batch("companies", "read", inputs, properties=["name"])
        body = answer.json()
        assert answer.status_code == status
        assert len(body["results"]) == 1
        assert body["numErrors"] == 1
        assert body["errors"][0]["category"] == "OBJECT_NOT_FOUND"
        assert body["errors"][0]["context"]["ids"] == ["999", "abc"]


def test_the_dated_paths_may_say_207_too(tables, talk):
    other = Assumptions(dated_partial_status=207)
    with HubSpot(tables, limits_by="nothing", assumptions=other) as portal:
        answer = talk(portal, "dated").batch("companies", "read", [{"id": "999"}])
    assert answer.status_code == 207


@pytest.mark.parametrize("act", ["read", "update", "upsert", "create", "archive"])
def test_a_batch_has_at_most_a_hundred_inputs(portal, either, act):
    inputs = [{"id": str(n), "properties": {"name": "x"}} for n in range(101)]
    before = portal.snapshot()
    assert either.batch("companies", act, inputs).status_code == 400
    assert portal.snapshot() == before


def test_a_batch_read_with_history_has_at_most_fifty(either):
    inputs = [{"id": str(n)} for n in range(51)]
    more = {"propertiesWithHistory": ["name"]}
    assert either.batch("companies", "read", inputs, **more).status_code == 400
    assert either.batch("companies", "read", inputs[:50], **more).status_code != 400


def test_an_update_changes_records_and_their_stamp(portal, either):
    one, two = (portal.ids("account")[a] for a in ("a1", "a2"))
    inputs = [
        {"id": one, "properties": {"name": 'A\nB, "C"', "numberofemployees": "7"}},
        {"id": two, "properties": {"risk_note": ""}},
    ]
    answer = either.batch("companies", "update", inputs)
    assert answer.status_code == 200
    results = {r["id"]: r for r in answer.json()["results"]}
    assert results[one]["properties"]["name"] == 'A\nB, "C"'
    assert results[one]["updatedAt"] == LATER
    assert results[one]["properties"]["hs_lastmodifieddate"] == LATER
    assert portal.record("companies", one)["numberofemployees"] == "7"


def test_the_empty_text_clears_and_null_is_ignored_or_refused(tables, talk):
    for said, status, after in (("ignored", 200, "low"), ("refused", 400, "low")):
        other = Assumptions(null_in_write=said)
        with HubSpot(tables, limits_by="nothing", assumptions=other) as portal:
            raw, one = talk(portal), portal.ids("account")["a1"]
            assert raw.update("companies", one, risk_note=None).status_code == status
            assert portal.record("companies", one)["risk_note"] == after
            assert raw.update("companies", one, risk_note="").status_code == 200
            assert portal.record("companies", one)["risk_note"] is None


def test_the_same_value_again_moves_the_stamp_or_not(tables, talk):
    for bumps in (False, True):
        other = Assumptions(unchanged_write_bumps=bumps)
        with HubSpot(tables, limits_by="nothing", assumptions=other) as portal:
            one = portal.ids("account")["a1"]
            result = (
                talk(portal).update("companies", one, name="Acme").json()["results"]
            )
            assert (result[0]["updatedAt"] == LATER) is bumps


def test_gone_ids_leave_the_rest_applied(portal, raw, dated):
    one, gone = (portal.ids("account")[a] for a in ("a1", "a2"))
    portal.delete("companies", gone)
    for talk, status in ((raw, 207), (dated, 200)):
        inputs = [
            {"id": one, "properties": {"name": f"New {talk.style}"}},
            {"id": gone, "properties": {"name": "x"}, "objectWriteTraceId": "row-2"},
        ]
        answer = talk.batch("companies", "update", inputs)
        assert answer.status_code == status
        (error,) = answer.json()["errors"]
        assert error["context"] == {"ids": [gone], "objectWriteTraceId": ["row-2"]}
        assert portal.record("companies", one)["name"] == f"New {talk.style}"


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("no_such_property", "x", "PROPERTY_DOESNT_EXIST"),
        ("industry", "NO_SUCH_TRADE", "INVALID_OPTION"),
        ("numberofemployees", "1,000", "INVALID_DOUBLE"),
        ("num_associated_deals", "5", "READ_ONLY_VALUE"),
    ],
)
def test_one_bad_value_refuses_the_whole_batch(portal, either, name, value, error):
    before = portal.snapshot()
    inputs = [
        {"id": portal.ids("account")["a1"], "properties": {"name": "New"}},
        {"id": portal.ids("account")["a2"], "properties": {name: value}},
        {"id": "999", "properties": {"name": "nobody"}},
    ]
    answer = either.batch("companies", "update", inputs)
    assert answer.status_code == 400
    body = answer.json()
    assert body["category"] == "VALIDATION_ERROR"
    sentence, _, detail = body["message"].partition(": ")
    assert sentence == "Property values were not valid"
    (problem,) = json.loads(detail)
    assert (problem["name"], problem["error"]) == (name, error)
    assert portal.snapshot() == before


def test_a_record_named_twice_refuses_the_batch_or_the_last_counts(tables, talk):
    for said, status, name in (("refused", 400, "Acme"), ("last", 200, "second")):
        other = Assumptions(duplicates_in_batch=said)
        with HubSpot(tables, limits_by="nothing", assumptions=other) as portal:
            one = portal.ids("account")["a1"]
            inputs = [
                {"id": one, "properties": {"name": n}} for n in ("first", "second")
            ]
            answer = talk(portal).batch("companies", "update", inputs)
            assert answer.status_code == status
            assert portal.record("companies", one)["name"] == name


def test_the_loser_of_a_merge_answers_with_the_winners_id(portal, either):
    winner, loser = (portal.ids("account")[a] for a in ("a1", "a2"))
    portal.merge("companies", winner, loser)
    for act, inputs in (
        ("read", [{"id": loser}]),
        ("update", [{"id": loser, "properties": {"risk_note": "new"}}]),
    ):
        answer = either.batch("companies", act, inputs)
        assert answer.status_code == 200
        assert [r["id"] for r in answer.json()["results"]] == [winner]
    assert portal.record("companies", winner)["risk_note"] == "new"


def test_records_are_made_in_no_certain_order(portal, either):
    inputs = [{"properties": {"name": name}} for name in ("first", "second")]
    answer = either.batch("companies", "create", inputs)
    assert answer.status_code == 201
    results = answer.json()["results"]
    assert [r["properties"]["name"] for r in results] == ["second", "first"]
    assert len(either.list("companies")["results"]) == 5


def test_a_new_deal_may_be_linked_at_once(portal, either):
    company = portal.ids("account")["a3"]
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 5}]
    stage = portal.record("deals", portal.ids("opportunity")["o3"])
    values = {n: stage[n] for n in ("pipeline", "dealstage")} | {"dealname": "New"}
    body = {
        "properties": values,
        "associations": [{"to": {"id": company}, "types": types}],
    }
    made = either("POST", "objects/deals", json=body).json()["id"]
    linked = either.one("deals", made, associations="companies")["associations"]
    assert linked["companies"]["results"][0] == {
        "id": company,
        "type": "deal_to_company",
    }


def test_an_upsert_needs_a_unique_property(portal, either):
    inputs = [{"id": "a1", "idProperty": "name", "properties": {"risk_note": "x"}}]
    answer = either.batch("companies", "upsert", inputs)
    assert answer.status_code == 400
    assert "non-unique 0-2 property" in answer.json()["message"]
    inputs[0]["idProperty"] = "hs_object_id"
    assert either.batch("companies", "upsert", inputs).status_code == 400


def test_an_upsert_says_which_records_are_new(portal, either):
    portal.change_field("companies", "risk_note", has_unique_value=True)
    one = portal.ids("account")["a1"]
    inputs = [
        {"id": said, "idProperty": "risk_note", "properties": {"name": f"is {said}"}}
        for said in ("low", "brand-new")
    ]
    answer = either.batch("companies", "upsert", inputs)
    assert answer.status_code == 200
    results = {r["properties"]["name"]: r for r in answer.json()["results"]}
    assert results["is low"]["id"] == one
    assert results["is low"]["new"] is False
    assert results["is brand-new"]["new"] is True
    read = either.batch("companies", "read", [{"id": "low"}], idProperty="risk_note")
    assert read.json()["results"][0]["id"] == one


def test_a_unique_value_belongs_to_one_record(portal, either):
    portal.change_field("companies", "risk_note", has_unique_value=True)
    answer = either.update("companies", portal.ids("account")["a2"], risk_note="low")
    assert answer.status_code == 409
    assert answer.json()["category"] == "CONFLICT"


def test_an_update_by_a_key_without_its_name_fails_or_does_nothing(tables, talk):
    for said, errors in (("error", 1), ("silent", 0)):
        other = Assumptions(key_without_id_property=said)
        with HubSpot(tables, limits_by="nothing", assumptions=other) as portal:
            before = portal.snapshot()
            body = talk(portal).update("companies", "acme.example", name="x").json()
            assert (body.get("numErrors", 0), body["results"]) == (errors, [])
            assert portal.snapshot() == before


def test_archiving_a_batch_says_nothing(portal, either):
    ids = [portal.ids("account")["a1"], "999"]
    answer = either.batch("companies", "archive", [{"id": each} for each in ids])
    assert (answer.status_code, answer.content) == (204, b"")
    assert len(either.list("companies")["results"]) == 2


def test_what_admins_demand_binds_the_dated_paths_only(portal, raw, dated):
    one, two = (portal.ids("account")[a] for a in ("a1", "a2"))
    portal.require("companies", "risk_note", when="industry", says="RETAIL")
    values = {"industry": "RETAIL", "risk_note": ""}
    answer = dated.update("companies", one, **values)
    assert answer.status_code == 400
    assert answer.json()["category"] == "VALIDATION_ERROR"
    assert "risk_note" in answer.json()["message"]
    assert dated.update("companies", one, risk_note="still").status_code == 200
    assert dated.update("companies", two, industry="BANKING").status_code == 200
    assert raw.update("companies", one, **values).status_code == 200


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"inputs": 1}', b'{"inputs": [1]}']
)
def test_a_body_that_is_no_batch_is_refused(either, body):
    answer = either("POST", "objects/companies/batch/update", data=body)
    assert answer.status_code == 400
    assert answer.json()["status"] == "error"


def test_the_vendors_client_updates_and_sees_errors(portal):
    environment = portal.environment
    client = Client(
        access_token=environment["HUBSPOT_ACCESS_TOKEN"],
        host=environment["HUBSPOT_API_URL"],
    )
    inputs = [
        {"id": portal.ids("account")["a1"], "properties": {"name": "By client"}},
        {"id": "999", "properties": {"name": "nobody"}},
    ]
    batch = BatchInputSimplePublicObjectBatchInput(inputs=inputs)
    answer = client.crm.companies.batch_api.update(batch)
    assert answer.num_errors == 1
    assert answer.results[0].properties["name"] == "By client"
