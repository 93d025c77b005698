"""How is a whole object exported, asked after and downloaded?"""

from __future__ import annotations

import csv
import io
import zipfile
from typing import Any

import pytest
import requests

from crm_portfolio import samples
from crm_portfolio.simulator import Fault
from crm_portfolio.simulator.hubspot import Assumptions, HubSpot

V3 = "/crm/v3/exports/export/async"
DATED = "/crm/exports/2026-09/export/async"
WISH = {
    "exportType": "VIEW",
    "format": "CSV",
    "exportName": "portfolio deals",
    "objectType": "DEAL",
    "language": "EN",
    "objectProperties": ["dealname", "amount", "dealstage", "closedate"],
    "associatedObjectType": ["COMPANY"],
    "exportInternalValuesOptions": ["NAMES", "VALUES"],
}


@pytest.fixture(scope="module")
def running():
    with HubSpot(
        samples.odd_book(),
        currency="EUR",
        time_zone="Europe/Paris",
        limits_by="nothing",
    ) as portal:
        yield portal


def begin(raw: Any, path: str = V3, **changes: Any) -> str:
    answer = raw("POST", path, json={**WISH, **changes})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def status(raw: Any, number: str, path: str = V3) -> dict[str, Any]:
    answer = raw("GET", f"{path}/tasks/{number}/status")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def finished(raw: Any, number: str, path: str = V3) -> dict[str, Any]:
    for _ in range(10):
        told = status(raw, number, path)
        if told["status"] not in ("PENDING", "PROCESSING"):
            return told
    raise AssertionError(told)


def download(raw: Any, told: dict[str, Any]) -> requests.Response:
    """Without a token."""
    return requests.get(told["result"], timeout=10)


def rows(raw: Any, **changes: Any) -> list[dict[str, str]]:
    told = finished(raw, begin(raw, **changes))
    text = download(raw, told).content.decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("path", [V3, DATED])
def test_an_export_goes_through_its_states_poll_by_poll(raw, path):
    number = begin(raw, path)
    states = [status(raw, number, path)["status"] for _ in range(4)]
    assert states == ["PENDING", "PROCESSING", "COMPLETE", "COMPLETE"]


def test_the_file_holds_every_deal_in_the_order_of_ids(raw, portal):
    found = rows(raw)
    ids = list(portal.ids("opportunity").values())
    assert [row["hs_object_id"] for row in found] == ids
    names = ["hs_object_id", "dealname", "amount", "dealstage", "closedate"]
    assert list(found[0]) == [*names, "Associated Company IDs"]
    assert found[0]["amount"] == "1000.25"
    assert found[0]["dealname"] == "Deal 0\n№0"
    assert found[0]["closedate"] == "2024-04-30T22:00:00Z"
    assert found[3]["amount"] == ""


def test_linked_companies_stand_side_by_side(raw, portal):
    ids = portal.ids("account")
    three = ";".join(ids[key] for key in ("a01", "a02", "a03"))
    found = rows(raw, includeLabeledAssociations=True)
    told = [
        (row["Associated Company IDs"], row["Associated Company IDs (Primary)"])
        for row in found[:4]
    ]
    assert told == [
        (ids["a01"], ids["a01"]),
        (three, ids["a01"]),
        (three, ""),
        ("", ""),
    ]


def test_without_internal_names_labels_are_shown(raw):
    found = rows(raw, exportInternalValuesOptions=[])
    assert list(found[0])[:5] == [
        "Record ID", "Deal Name", "Amount", "Deal Stage", "Close Date",
    ]  # fmt: skip
    assert (found[0]["Deal Stage"], found[2]["Deal Stage"]) == ("Won", "Offer")
    assert found[0]["Close Date"] == "2024-05-01 00:00"  # in the portal's zone


def test_names_and_values_are_asked_for_one_by_one(raw):
    assert rows(raw, exportInternalValuesOptions=["NAMES"])[0]["dealstage"] == "Won"
    found = rows(raw, exportInternalValuesOptions=["VALUES"])
    assert found[0]["Deal Stage"].isdecimal()


def test_only_what_a_filter_finds_is_exported(raw, portal):
    filters = [{"propertyName": "amount", "operator": "GT", "value": "1000"}]
    found = rows(raw, publicCrmSearchRequest={"filters": filters})
    ids = portal.ids("opportunity")
    assert [r["hs_object_id"] for r in found] == [ids[k] for k in ("o01", "o02", "o12")]
    four = {"publicCrmSearchRequest": {"filters": filters * 4}}
    assert raw("POST", V3, json={**WISH, **four}).status_code == 400


def test_archived_records_are_not_exported(raw, portal):
    portal.delete("deals", portal.ids("opportunity")["o01"])
    portal.delete("companies", portal.ids("account")["a02"])
    found = rows(raw)
    assert len(found) == 13
    assert portal.ids("account")["a02"] not in found[0]["Associated Company IDs"]


def test_text_survives_the_file_to_the_byte(raw, portal):
    found = rows(
        raw, objectType="COMPANY", objectProperties=["name", "description", "order"],
        associatedObjectType=[],
    )  # fmt: skip
    told = {row["hs_object_id"]: row for row in found}
    for number in portal.ids("account").values():
        record = portal.record("companies", number)
        for name in ("name", "description", "order"):
            assert told[number][name] == (record[name] or ""), name


def test_a_link_dies_after_five_minutes_and_the_status_tells_a_new_one(raw, portal):
    number = begin(raw)
    first = finished(raw, number)
    portal.clock.advance(299)
    assert status(raw, number)["result"] == first["result"]
    assert download(raw, first).status_code == 200
    portal.clock.advance(2)
    assert download(raw, first).status_code == 403
    again = status(raw, number)
    assert again["result"] != first["result"]
    assert download(raw, again).status_code == 200


def test_a_download_costs_no_call_and_needs_no_token(raw, portal):
    told = finished(raw, begin(raw))
    before = portal.api_calls
    assert download(raw, told).status_code == 200
    assert portal.api_calls == before
    assert portal.calls["GET exported/{key}/{name}"] == 1


def test_a_large_file_arrives_zipped(raw, portal):
    portal.exports.zip_above = 100
    told = finished(raw, begin(raw))
    assert told["result"].endswith(".zip")
    with zipfile.ZipFile(io.BytesIO(download(raw, told).content)) as packed:
        (name,) = packed.namelist()
        assert name == "portfolio-deals.csv"
        assert packed.read(name).startswith(b'"hs_object_id"')


def test_a_very_long_export_comes_in_several_files(raw, portal):
    portal.exports.split_rows = 5
    told = finished(raw, begin(raw))
    with zipfile.ZipFile(io.BytesIO(download(raw, told).content)) as packed:
        assert packed.namelist() == [f"portfolio-deals-{n}.csv" for n in (1, 2, 3)]
        counts = [
            len(
                list(
                    csv.DictReader(io.StringIO(packed.read(name).decode(), newline=""))
                )
            )
            for name in packed.namelist()
        ]
    assert counts == [5, 5, 4]


def test_a_second_export_waits_for_the_first(raw):
    first, second = (
        begin(raw),
        begin(raw, objectType="COMPANY", objectProperties=["name"]),
    )
    for _ in range(3):
        assert status(raw, second)["status"] == "PENDING"
    # Time passes for the first, whoever looks at the second.
    assert status(raw, first)["status"] == "COMPLETE"
    assert finished(raw, second)["status"] == "COMPLETE"


def test_or_is_refused_which_is_not_known(talk):
    assumptions = Assumptions(exports_at_once="refused")
    with HubSpot(samples.odd_book(), assumptions=assumptions) as portal:
        raw = talk(portal)
        begin(raw)
        assert raw("POST", V3, json=WISH).status_code == 429


def test_thirty_exports_are_all_a_day_has(raw, portal):
    for _ in range(30):
        begin(raw)
    assert raw("POST", V3, json=WISH).status_code == 429
    portal.clock.advance(86_400)
    begin(raw)


def test_exports_need_their_scope(raw, portal):
    portal.revoke_scope("crm.export")
    assert raw("POST", V3, json=WISH).status_code == 403


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"objectProperties": []}, 400),
        ({"objectType": "WHIZBANG"}, 400),
        ({"format": "XLSX"}, 501),
        ({"exportType": "LIST"}, 501),
    ],
)
def test_what_cannot_be_exported_is_refused(raw, change, code):
    assert raw("POST", V3, json={**WISH, **change}).status_code == code


def test_an_unknown_export_is_not_found(raw):
    assert raw("GET", f"{V3}/tasks/9/status").status_code == 404
    assert raw("GET", f"{V3}/tasks/x/status").status_code == 404


def test_an_export_may_never_end_or_fail(raw, portal):
    portal.fault(Fault(at_call=1, route="POST exports", kind="job_never_completes"))
    endless = begin(raw)
    assert {status(raw, endless)["status"] for _ in range(20)} == {
        "PENDING",
        "PROCESSING",
    }
    portal.reset()
    portal.fault(Fault(at_call=1, route="POST exports", kind="job_fails"))
    told = finished(raw, begin(raw))
    assert (told["status"], told["numErrors"]) == ("CANCELED", 1)


def test_a_download_may_break_off(raw, portal):
    told = finished(raw, begin(raw))
    whole = download(raw, told).content
    portal.fault(Fault(at_call=2, route="GET exported", kind="truncated", size=100))
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        download(raw, told)
    assert download(raw, told).content == whole
