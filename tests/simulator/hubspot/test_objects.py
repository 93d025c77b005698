"""Lists and single records, as HubSpot pages, shows and changes them."""

from __future__ import annotations

import pytest
from hubspot import HubSpot as Client

from crm_portfolio.simulator.hubspot import Assumptions, HubSpot


def test_a_list_is_walked_by_next_cursors_until_paging_is_absent(portal, either):
    seen, after, pages = [], None, 0
    while True:
        query = {"limit": 3} | ({"after": after} if after else {})
        page = either.list("deals", **query)
        seen += [record["id"] for record in page["results"]]
        pages += 1
        if "paging" not in page:
            break
        after = page["paging"]["next"]["after"]
    assert pages == 2
    assert seen == sorted(portal.ids("opportunity").values(), key=int)


def test_the_cursor_may_be_opaque(tables, talk):
    other = Assumptions(list_cursor="opaque")
    with HubSpot(tables, limits_by="nothing", assumptions=other) as portal:
        raw = talk(portal)
        first = raw.list("deals", limit=3)
        after = first["paging"]["next"]["after"]
        assert not after.isdecimal()
        assert len(raw.list("deals", limit=3, after=after)["results"]) == 1
        for wrong in ("513", "x", "aWQ6eA=="):
            answer = raw("GET", "objects/deals", params={"after": wrong})
            assert answer.status_code == 400


def test_the_next_link_repeats_the_question_at_the_same_address(portal, either):
    page = either.list("deals", limit=2, properties=["dealname", "amount"])
    link = page["paging"]["next"]["link"]
    assert link.startswith(portal.url)
    records = either.session.get(link, timeout=10).json()["results"]
    assert [r["properties"]["dealname"] for r in records] == ["Three", "Four"]


def test_the_vendors_client_reads_every_record(portal):
    environment = portal.environment
    client = Client(
        access_token=environment["HUBSPOT_ACCESS_TOKEN"],
        host=environment["HUBSPOT_API_URL"],
    )
    everything = client.crm.deals.get_all(properties=["dealname"])
    assert [deal.properties["dealname"] for deal in everything] == [
        "One",
        "Two",
        "Three",
        "Four",
    ]
    assert everything[0].created_at.tzinfo is not None


def test_a_page_has_ten_records_unless_asked(talk):
    accounts = {"account": _accounts(25)}
    with HubSpot(accounts, limits_by="nothing") as portal:
        assert len(talk(portal).list("companies")["results"]) == 10


@pytest.mark.parametrize("query", [{"limit": 101}, {"limit": "x"}, {"after": "x"}])
def test_an_impossible_page_is_refused(either, query):
    answer = either("GET", "objects/deals", params=query)
    assert answer.status_code == 400
    assert answer.json()["category"] == "VALIDATION_ERROR"


def test_with_history_a_page_has_at_most_fifty_records(either):
    query = {"limit": 51, "propertiesWithHistory": "amount"}
    assert either("GET", "objects/deals", params=query).status_code == 400


def test_too_large_a_page_may_also_be_cut(tables, talk):
    lenient = Assumptions(over_limit_status=None)
    with HubSpot(tables, limits_by="nothing", assumptions=lenient) as portal:
        assert len(talk(portal).list("deals", limit=500)["results"]) == 4


def test_properties_may_be_repeated_or_joined_by_commas(either):
    repeated = either.list("deals", properties=["dealname", "amount"])
    joined = either.list("deals", properties="dealname,amount")
    assert repeated["results"] == joined["results"]


def test_some_properties_come_unasked_and_null_is_shown(either):
    record = either.list("deals", properties="amount")["results"][3]
    assert set(record["properties"]) == {
        "amount",
        "createdate",
        "hs_lastmodifieddate",
        "hs_object_id",
    }
    assert record["properties"]["amount"] is None
    assert record["properties"]["hs_object_id"] == record["id"]


def test_without_properties_only_the_default_ones_come(either):
    record = either.list("companies")["results"][0]
    assert set(record["properties"]) == {
        "name",
        "domain",
        "createdate",
        "hs_lastmodifieddate",
        "hs_object_id",
    }


def test_every_value_is_text_whatever_it_contains(portal, either):
    record_id = portal.ids("account")["a2"]
    record = either.one("companies", record_id, properties="name,numberofemployees")
    assert record["properties"]["name"] == 'Bœuf & "Fils"\nSA'
    assert record["properties"]["numberofemployees"] == "250"
    assert record["createdAt"].startswith("2021-02-03T")
    assert record["archived"] is False


def test_an_unknown_property_is_passed_over_or_refused(tables, talk, raw):
    assert (
        "nope" not in raw.list("deals", properties="nope")["results"][0]["properties"]
    )
    strict = Assumptions(unknown_properties="refused")
    with HubSpot(tables, limits_by="nothing", assumptions=strict) as portal:
        answer = talk(portal)("GET", "objects/deals", params={"properties": "nope"})
    assert answer.status_code == 400


def test_a_hidden_property_is_as_one_that_is_not_there(portal, either):
    portal.hide_field("deals", "amount")
    assert (
        "amount"
        not in either.list("deals", properties="amount")["results"][0]["properties"]
    )
    answer = either.update("deals", portal.ids("opportunity")["o1"], amount="1")
    assert answer.status_code == 400


@pytest.mark.parametrize("name", ["companies", "company", "COMPANY", "0-2"])
def test_an_object_type_has_several_names(either, name):
    assert len(either.list(name)["results"]) == 3


def test_an_object_type_that_the_portal_lacks_is_not_found(either):
    answer = either("GET", "objects/p_unknown")
    assert answer.status_code == 404
    assert answer.json()["category"] == "OBJECT_NOT_FOUND"


def test_linked_records_stand_inline_once_for_each_label(portal, either):
    one, four = (portal.ids("opportunity")[o] for o in ("o1", "o4"))
    company = portal.ids("account")["a1"]
    records = {
        record["id"]: record
        for record in either.list("deals", associations="companies")["results"]
    }
    assert records[one]["associations"]["companies"]["results"] == [
        {"id": company, "type": "deal_to_company"},
        {"id": company, "type": "deal_to_company_unlabeled"},
    ]
    assert "associations" not in records[four]


def test_a_second_company_has_no_primary_label(portal, either):
    deal = portal.ids("opportunity")["o1"]
    other = portal.ids("account")["a3"]
    portal.link("deals", deal, "companies", other)
    linked = either.one("deals", deal, associations="companies")["associations"]
    kinds = [e["type"] for e in linked["companies"]["results"] if e["id"] == other]
    assert kinds == ["deal_to_company_unlabeled"]


def test_many_linked_records_have_a_paging_of_their_own(tables, talk):
    few = Assumptions(inner_page=2)
    with HubSpot(tables, limits_by="nothing", assumptions=few) as portal:
        raw, deal = talk(portal), portal.ids("opportunity")["o1"]
        others = [portal.ids("account")[a] for a in ("a2", "a3")]
        for other in others:
            portal.link("deals", deal, "companies", other)
        inner = raw.one("deals", deal, associations="companies")["associations"]
        assert len({e["id"] for e in inner["companies"]["results"]}) == 1
        following = inner["companies"]["paging"]["next"]
        rest = raw.session.get(following["link"], timeout=10).json()["results"]
        assert [str(each["toObjectId"]) for each in rest] == sorted(others, key=int)


def test_archived_records_are_listed_apart_and_tell_when(portal, either):
    gone = portal.ids("opportunity")["o2"]
    portal.delete("deals", gone)
    assert gone not in [r["id"] for r in either.list("deals")["results"]]
    (record,) = either.list("deals", archived="true")["results"]
    assert (record["id"], record["archived"]) == (gone, True)
    assert record["archivedAt"] == "2026-07-01T02:00:01.000Z"
    assert either("GET", f"objects/deals/{gone}").status_code == 404
    assert either.one("deals", gone, archived="true")["id"] == gone


def test_a_purged_record_is_nowhere(portal, either):
    gone = portal.ids("opportunity")["o2"]
    portal.purge("deals", gone)
    assert either.list("deals", archived="true")["results"] == []


def test_the_loser_of_a_merge_means_the_winner(portal, either):
    winner, loser = (portal.ids("account")[a] for a in ("a1", "a3"))
    body = {"primaryObjectId": winner, "objectIdToMerge": loser}
    answer = either("POST", "objects/companies/merge", json=body)
    assert answer.json()["id"] == winner
    found = either.one("companies", loser, properties="name,hs_merged_object_ids")
    assert found["id"] == winner
    assert found["properties"]["name"] == "Acme"
    assert found["properties"]["hs_merged_object_ids"] == loser
    assert loser not in [r["id"] for r in either.list("companies")["results"]]
    assert either.list("companies", archived="true")["results"] == []
    assert either.update("companies", loser, name="New").json()["results"][0]["id"] == (
        winner
    )


def test_the_loser_of_a_merge_may_mean_nothing(tables, talk):
    other = Assumptions(merged_read=False)
    with HubSpot(tables, limits_by="nothing", assumptions=other) as portal:
        raw = talk(portal)
        winner, loser = (portal.ids("account")[a] for a in ("a1", "a3"))
        portal.merge("companies", winner, loser)
        assert raw("GET", f"objects/companies/{loser}").status_code == 404
        assert raw.update("companies", loser, name="New").json()["results"] == []


def test_a_merge_takes_the_links_along(portal, either):
    winner, loser = (portal.ids("account")[a] for a in ("a3", "a1"))
    portal.merge("companies", winner, loser)
    deal = portal.ids("opportunity")["o1"]
    linked = either.one("deals", deal, associations="companies")["associations"]
    assert {e["id"] for e in linked["companies"]["results"]} == {winner}


def test_a_record_is_made_changed_and_put_into_the_bin(either):
    made = either("POST", "objects/companies", json={"properties": {"name": "New"}})
    assert made.status_code == 201
    record_id = made.json()["id"]
    changed = either(
        "PATCH",
        f"objects/companies/{record_id}",
        json={"properties": {"name": "Newer"}},
    )
    assert changed.json()["properties"]["name"] == "Newer"
    assert changed.json()["updatedAt"] > made.json()["updatedAt"]
    assert either("DELETE", f"objects/companies/{record_id}").status_code == 204
    assert either("GET", f"objects/companies/{record_id}").status_code == 404


def test_a_long_url_is_refused_and_a_post_is_not(portal, either):
    names = ",".join(f"custom_property_{n:04d}" for n in range(400))
    assert (
        either("GET", "objects/deals", params={"properties": names}).status_code == 414
    )
    some = [{"id": portal.ids("opportunity")["o1"]}]
    answer = either.batch("deals", "read", some, properties=names.split(","))
    assert answer.status_code == 200


def test_the_status_for_a_long_url_is_not_certain(tables, talk):
    other = Assumptions(long_url_bytes=100, long_url_status=502)
    with HubSpot(tables, limits_by="nothing", assumptions=other) as portal:
        query = {"properties": "x" * 100}
        assert talk(portal)("GET", "objects/deals", params=query).status_code == 502


def test_history_comes_with_a_list_newest_first(portal, either):
    deal = portal.ids("opportunity")["o1"]
    portal.edit("deals", deal, {"amount": "2000"})
    page = either.list("deals", propertiesWithHistory="amount", limit=50)
    past = page["results"][0]["propertiesWithHistory"]["amount"]
    assert past[0]["value"] == "2000"
    assert past[0]["sourceType"] == "CRM_UI"


def _accounts(count):
    import pyarrow as pa

    return pa.table(
        {
            "account_id": [f"a{n}" for n in range(count)],
            "name": [f"Name {n}" for n in range(count)],
        }
    )


@pytest.mark.parametrize("count", [1_999, 2_000, 2_001, 2_002, 4_150])
def test_a_long_list_is_whole_whatever_its_length(talk, count):
    accounts = {"account": _accounts(count)}
    with HubSpot(accounts, limits_by="nothing") as portal:
        raw, seen, after = talk(portal), [], None
        while True:
            query = {"limit": 100} | ({"after": after} if after else {})
            page = raw.list("companies", **query)
            seen += [record["id"] for record in page["results"]]
            if "paging" not in page:
                break
            after = page["paging"]["next"]["after"]
        assert seen == sorted(portal.ids("account").values(), key=int)


def test_what_changes_behind_a_page_is_seen_on_the_next(talk):
    with HubSpot({"account": _accounts(300)}, limits_by="nothing") as portal:
        raw = talk(portal)
        ids = sorted(portal.ids("account").values(), key=int)
        after = raw.list("companies", limit=100)["paging"]["next"]["after"]
        portal.delete("companies", ids[100])
        portal.edit("companies", ids[101], {"name": "Changed"})
        page = raw.list("companies", limit=100, after=after)["results"]
        assert page[0]["id"] == ids[101]
        assert page[0]["properties"]["name"] == "Changed"
        assert len(page) == 100
