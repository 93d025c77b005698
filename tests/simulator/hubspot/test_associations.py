"""Links between records, many at once."""

from __future__ import annotations

from crm_portfolio.simulator.hubspot import Assumptions, HubSpot

PRIMARY = {"category": "HUBSPOT_DEFINED", "typeId": 5, "label": "Primary"}
PLAIN = {"category": "HUBSPOT_DEFINED", "typeId": 341, "label": None}


def _read(raw, ids, one="deals", other="companies"):
    inputs = [each if isinstance(each, dict) else {"id": each} for each in ids]
    path = f"associations/{one}/{other}/batch/read"
    return raw("POST", path, json={"inputs": inputs})


def test_linked_ids_are_numbers_and_both_types_stand_side_by_side(portal, either):
    deal, company = portal.ids("opportunity")["o1"], portal.ids("account")["a1"]
    answer = _read(either, [deal])
    assert answer.status_code == 200
    assert answer.json()["results"] == [
        {
            "from": {"id": deal},
            "to": [{"toObjectId": int(company), "associationTypes": [PRIMARY, PLAIN]}],
        }
    ]


def test_a_deal_may_have_three_companies_of_which_one_is_primary(portal, either):
    deal = portal.ids("opportunity")["o1"]
    a1, a2, a3 = (int(portal.ids("account")[a]) for a in ("a1", "a2", "a3"))
    portal.link("deals", deal, "companies", str(a2))
    portal.link("deals", deal, "companies", str(a3), "Primary")
    (result,) = _read(either, [deal]).json()["results"]
    types = {each["toObjectId"]: each["associationTypes"] for each in result["to"]}
    assert types == {a1: [PLAIN], a2: [PLAIN], a3: [PRIMARY, PLAIN]}
    shown = either.one("deals", deal, properties="hs_primary_associated_company")
    assert shown["properties"]["hs_primary_associated_company"] == str(a3)


def test_a_link_is_made_from_either_end(portal, either):
    deal, company = portal.ids("opportunity")["o1"], portal.ids("account")["a2"]
    portal.link("companies", company, "deals", deal, "Primary")
    (result,) = _read(either, [deal]).json()["results"]
    primaries = [
        e["toObjectId"] for e in result["to"] if PRIMARY in e["associationTypes"]
    ]
    assert primaries == [int(company)]
    (back,) = _read(either, [company], "companies", "deals").json()["results"]
    numbers = [
        t["typeId"]
        for e in back["to"]
        if e["toObjectId"] == int(deal)
        for t in e["associationTypes"]
    ]
    assert numbers == [6, 342]


def test_an_input_without_links_is_an_error_entry(portal, raw, dated):
    lonely = portal.ids("opportunity")["o4"]
    inputs = [portal.ids("opportunity")["o1"], lonely, "999"]
    for talk, status in ((raw, 207), (dated, 200)):
        answer = _read(talk, inputs)
        body = answer.json()
        assert answer.status_code == status
        assert (len(body["results"]), body["numErrors"]) == (1, 2)
        assert body["errors"][0]["subCategory"] == (
            "crm.associations.NO_ASSOCIATIONS_FOUND"
        )
        named = [each["context"]["fromObjectId"] for each in body["errors"]]
        assert named == [[lonely], ["999"]]


def test_the_status_for_no_link_is_not_certain(tables, talk):
    other = Assumptions(no_association_status=200, no_association_says=None)
    with HubSpot(tables, limits_by="nothing", assumptions=other) as portal:
        answer = _read(talk(portal), [portal.ids("opportunity")["o4"]])
    assert (answer.status_code, answer.json()["numErrors"]) == (200, 1)
    assert "subCategory" not in answer.json()["errors"][0]


def test_a_thousand_inputs_are_read_and_no_more(either, tables, talk):
    assert _read(either, [str(n) for n in range(1_000)]).status_code in (200, 207)
    assert _read(either, [str(n) for n in range(1_001)]).status_code == 400
    less = Assumptions(association_batch=100)
    with HubSpot(tables, limits_by="nothing", assumptions=less) as portal:
        ids = [str(n) for n in range(101)]
        assert _read(talk(portal, "dated"), ids).status_code == 400
        assert _read(talk(portal), ids).status_code != 400


def test_many_links_of_one_record_come_in_pages(tables, talk):
    with HubSpot(
        tables, limits_by="nothing", assumptions=Assumptions(association_page=2)
    ) as portal:
        raw, deal = talk(portal), portal.ids("opportunity")["o1"]
        for name in ("a2", "a3"):
            portal.link("deals", deal, "companies", portal.ids("account")[name])
        (first,) = _read(raw, [deal]).json()["results"]
        assert len(first["to"]) == 2
        after = first["paging"]["next"]["after"]
        (rest,) = _read(raw, [{"id": deal, "after": after}]).json()["results"]
        assert len(rest["to"]) == 1
        assert "paging" not in rest


def test_the_links_of_one_record_are_read_alone(portal, raw, dated):
    deal = portal.ids("opportunity")["o1"]
    portal.link("deals", deal, "companies", portal.ids("account")["a3"])
    path = f"/crm/v4/objects/deals/{deal}/associations/companies"
    first = raw("GET", path, params={"limit": 1}).json()
    assert len(first["results"]) == 1
    rest = raw.session.get(first["paging"]["next"]["link"], timeout=10).json()
    assert len(rest["results"]) == 1
    assert "paging" not in rest
    assert dated("GET", path.replace("/v4/", "/2026-09/")).status_code == 404


def test_the_labels_of_a_pair_are_told(either):
    answer = either("GET", "associations/deals/companies/labels")
    assert answer.json()["results"] == [PRIMARY, PLAIN]


def test_an_archived_company_is_no_longer_linked(portal, either):
    portal.delete("companies", portal.ids("account")["a1"])
    deal = portal.ids("opportunity")["o1"]
    assert _read(either, [deal]).json()["results"] == []
    shown = either.one("deals", deal, properties="hs_primary_associated_company")
    assert shown["properties"]["hs_primary_associated_company"] is None


def test_taking_a_link_away_is_seen_from_both_ends(portal, either):
    deal, company = portal.ids("opportunity")["o3"], portal.ids("account")["a2"]
    portal.unlink("companies", company, "deals", deal)
    assert _read(either, [deal]).json()["results"] == []
    assert _read(either, [company], "companies", "deals").json()["results"] == []
