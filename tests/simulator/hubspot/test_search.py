"""Searches: what they find, how deep they go, and how late they know."""

from __future__ import annotations

import pyarrow as pa
import pytest

from crm_portfolio.simulator import Fault
from crm_portfolio.simulator.hubspot import Assumptions, HubSpot


def _is(name, operator, value=None, **more):
    given = {"propertyName": name, "operator": operator, **more}
    return given if value is None else {**given, "value": value}


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ([_is("amount", "EQ", "20")], ["Two"]),
        ([_is("amount", "NEQ", "20")], ["One", "Three"]),
        ([_is("amount", "LT", "300.25")], ["Two"]),
        ([_is("amount", "LTE", "300.25")], ["Two", "Three"]),
        ([_is("amount", "GT", "300.25")], ["One"]),
        ([_is("amount", "GTE", "300.25")], ["One", "Three"]),
        ([_is("amount", "BETWEEN", "20", highValue="301")], ["Two", "Three"]),
        ([_is("dealname", "IN", values=["One", "Two"])], ["One", "Two"]),
        ([_is("dealname", "NOT_IN", values=["One", "Two"])], ["Three", "Four"]),
        ([_is("amount", "HAS_PROPERTY")], ["One", "Two", "Three"]),
        ([_is("amount", "NOT_HAS_PROPERTY")], ["Four"]),
        ([_is("dealname", "CONTAINS_TOKEN", "thr*")], ["Three"]),
        ([_is("dealname", "NOT_CONTAINS_TOKEN", "one")], ["Two", "Three", "Four"]),
        ([_is("amount", "GT", "20"), _is("dealname", "EQ", "One")], ["One"]),
    ],
)
def test_each_operator_finds_what_it_says(portal, either, filters, found):
    names = {v: n for n, v in portal.ids("opportunity").items()}
    titles = {"o1": "One", "o2": "Two", "o3": "Three", "o4": "Four"}
    ids = either.found("deals", *filters)
    assert [titles[names[record_id]] for record_id in ids] == found


def test_groups_are_alternatives(either):
    groups = [
        {"filters": [_is("dealname", "EQ", "One")]},
        {"filters": [_is("dealname", "EQ", "Two")]},
    ]
    answer = either("POST", "objects/deals/search", json={"filterGroups": groups})
    assert answer.json()["total"] == 2


def test_words_are_sought_in_the_default_properties(portal, either):
    answer = either("POST", "objects/companies/search", json={"query": "acm"})
    (record,) = answer.json()["results"]
    assert record["id"] == portal.ids("account")["a1"]


def test_a_record_is_found_by_what_changed_since(portal, either):
    since = str(int(portal.clock.now.timestamp() * 1000))
    changed = portal.ids("opportunity")["o2"]
    portal.edit("deals", changed, {"amount": "21"})
    assert either.found("deals", _is("hs_lastmodifieddate", "GTE", since)) == [changed]


def test_what_hubspot_calculates_moves_the_stamp_too(portal, either):
    since = str(int(portal.clock.now.timestamp() * 1000) + 1)
    company = portal.ids("account")["a3"]
    portal.calculate("companies", company, {"num_notes": "3"})
    later = _is("hs_lastmodifieddate", "GTE", since)
    assert either.found("companies", later) == [company]
    deal = portal.ids("opportunity")["o4"]
    portal.link("deals", deal, "companies", portal.ids("account")["a2"], "Primary")
    assert portal.ids("account")["a2"] in either.found("companies", later)


def test_moments_are_milliseconds_or_iso(tables, talk, either):
    assert either.found("deals", _is("closedate", "GTE", "2024-06-01T00:00:00Z"))
    assert either.found("deals", _is("closedate", "GTE", "1717200000000"))
    strict = Assumptions(iso_in_search=False)
    with HubSpot(tables, limits_by="nothing", assumptions=strict) as portal:
        iso = _is("closedate", "GTE", "2024-06-01T00:00:00Z")
        assert talk(portal).search("deals", iso).status_code == 400


def test_a_search_shows_what_was_asked_for_and_no_links(either):
    body = {"properties": ["dealname"], "associations": ["companies"], "limit": 1}
    (record,) = either.search("deals", **body).json()["results"]
    assert "associations" not in record
    assert set(record["properties"]) == {
        "dealname",
        "createdate",
        "hs_lastmodifieddate",
        "hs_object_id",
    }


def test_archived_and_merged_records_are_never_found(portal, either):
    portal.delete("companies", portal.ids("account")["a1"])
    portal.merge("companies", *[portal.ids("account")[a] for a in ("a2", "a3")])
    assert either.found("companies") == [portal.ids("account")["a2"]]


def test_a_sort_is_by_one_property(portal, either):
    ids = portal.ids("opportunity")
    down = [{"propertyName": "amount", "direction": "DESCENDING"}]
    assert either.found("deals", sorts=down) == [
        ids[o] for o in ("o1", "o3", "o2", "o4")
    ]
    answer = either.search("deals", sorts=[*down, *down])
    assert answer.status_code == 400


def test_pages_go_on_behind_the_last_record(either):
    first = either.search("deals", limit=3).json()
    assert (first["total"], len(first["results"])) == (4, 3)
    assert first["paging"]["next"]["after"] == "3"
    last = either.search("deals", limit=3, after="3").json()
    assert len(last["results"]) == 1
    assert "paging" not in last


@pytest.fixture(scope="module")
def many():
    count = 10_150
    rows = pa.table(
        {
            "account_id": [f"a{n}" for n in range(count)],
            "name": [f"Name {n}" for n in range(count)],
        }
    )
    with HubSpot({"account": rows}, limits_by="nothing") as portal:
        yield portal


def test_no_search_goes_beyond_ten_thousand(many, talk):
    raw = talk(many)
    deepest = raw.search("companies", limit=200, after="9800")
    assert deepest.json()["total"] == 10_150
    assert deepest.json()["paging"]["next"]["after"] == "10000"
    answer = raw.search("companies", limit=200, after="9801")
    assert answer.status_code == 400
    assert answer.json()["category"] == "VALIDATION_ERROR"
    assert "10,000" in answer.json()["message"]


def test_a_window_of_ids_finds_all_of_them(many, talk):
    raw, seen, start = talk(many), [], "0"
    sorts = [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]
    while True:
        window = _is("hs_object_id", "GTE", start)
        found = raw.found("companies", window, sorts=sorts, limit=200)
        if not found:
            break
        seen += found
        start = str(int(found[-1]) + 1)
    assert len(set(seen)) == len(seen) == 10_150


def test_a_page_has_at_most_two_hundred_records(tables, either, talk):
    assert either.search("deals", limit=200).status_code == 200
    assert either.search("deals", limit=201).status_code == 400
    lenient = Assumptions(over_limit_status=None)
    with HubSpot(tables, limits_by="nothing", assumptions=lenient) as portal:
        assert talk(portal).search("deals", limit=500).status_code == 200


@pytest.mark.parametrize("sizes", [[7], [6, 6, 6, 1], [1] * 6])
def test_too_many_filters_are_refused(either, sizes):
    one = _is("amount", "HAS_PROPERTY")
    groups = [{"filters": [one] * size} for size in sizes]
    answer = either("POST", "objects/deals/search", json={"filterGroups": groups})
    assert answer.status_code == 400


def test_eighteen_filters_in_three_groups_are_accepted(either):
    groups = [{"filters": [_is("amount", "HAS_PROPERTY")] * 6}] * 3
    answer = either("POST", "objects/deals/search", json={"filterGroups": groups})
    assert answer.json()["total"] == 3


@pytest.mark.parametrize(
    "wrong",
    [
        _is("no_such_property", "EQ", "x"),
        _is("amount", "LIKES", "x"),
        _is("amount", "GT", "much"),
        _is("amount", "GT"),
        _is("amount", "IN", values=[]),
        {"operator": "EQ"},
    ],
)
def test_a_filter_that_means_nothing_is_refused(either, wrong):
    answer = either.search("deals", wrong)
    assert answer.status_code == 400
    assert answer.json()["category"] == "VALIDATION_ERROR"


def test_a_query_has_at_most_three_thousand_characters(either):
    assert either.search("deals", query="x" * 3_001).status_code == 400


def test_the_index_knows_new_and_changed_records_late(tables, talk):
    with HubSpot(tables, limits_by="nothing", index_lag=60) as portal:
        raw, deal = talk(portal), portal.ids("opportunity")["o1"]
        made = raw("POST", "objects/companies", json={"properties": {"name": "New"}})
        portal.edit("deals", deal, {"amount": "1"})
        old = raw.search("deals", _is("amount", "EQ", "1000.5"), properties=["amount"])
        assert [r["properties"]["amount"] for r in old.json()["results"]] == ["1000.5"]
        assert (
            raw.one("deals", deal, properties="amount")["properties"]["amount"] == "1"
        )
        assert raw.found("deals", _is("amount", "EQ", "1")) == []
        assert made.json()["id"] not in raw.found("companies")
        portal.clock.advance(61)
        assert raw.found("deals", _is("amount", "EQ", "1")) == [deal]
        assert raw.found("deals", _is("amount", "EQ", "1000.5")) == []
        assert made.json()["id"] in raw.found("companies")


def test_an_archived_record_is_found_until_the_index_knows(tables, talk):
    with HubSpot(tables, limits_by="nothing", index_lag=60) as portal:
        raw, deal = talk(portal), portal.ids("opportunity")["o1"]
        portal.delete("deals", deal)
        assert deal in raw.found("deals")
        portal.clock.advance(61)
        assert deal not in raw.found("deals")


def test_a_page_may_be_short_or_empty_and_still_go_on(portal, raw):
    portal.fault(
        Fault(at_call=1, kind="fewer_rows", size=1), Fault(at_call=2, kind="empty_page")
    )
    short = raw.search("deals", limit=3).json()
    assert (len(short["results"]), short["paging"]["next"]["after"]) == (1, "1")
    empty = raw.search("deals", limit=3, after="1").json()
    assert (len(empty["results"]), empty["paging"]["next"]["after"]) == (0, "1")
    assert len(raw.search("deals", limit=3, after="1").json()["results"]) == 3
