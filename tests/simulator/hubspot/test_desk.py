"""What goes wrong on purpose, and what another process or thread sees."""

from __future__ import annotations

import threading
import time

import pytest
import requests

from crm_portfolio.errors import SettingsError
from crm_portfolio.simulator import Fault
from crm_portfolio.simulator.hubspot import Assumptions, HubSpot


@pytest.mark.parametrize(
    ("kind", "status", "key", "said"),
    [
        ("expired", 401, "category", "EXPIRED_AUTHENTICATION"),
        ("over_quota", 429, "policyName", "DAILY"),
        ("throttled", 429, "policyName", "TEN_SECONDLY_ROLLING"),
        ("dead_locator", 400, "category", "VALIDATION_ERROR"),
        ("locked", 423, "status", "error"),
        ("migrating", 477, "status", "error"),
        ("server_error", 500, "status", "error"),
        ("unavailable", 503, "status", "error"),
    ],
)
def test_one_call_fails_in_hubspots_words(portal, raw, kind, status, key, said):
    portal.fault(Fault(at_call=2, kind=kind))
    answers = [raw("GET", "objects/deals") for _ in range(3)]
    assert [a.status_code for a in answers] == [200, status, 200]
    assert answers[1].json()[key] == said
    assert answers[1].json()["correlationId"]
    assert "Retry-After" not in answers[1].headers


@pytest.mark.parametrize(
    ("kind", "status"),
    [("bad_gateway", 502), ("gateway_timeout", 504), ("timed_out", 524)],
)
def test_gateways_answer_in_html(portal, raw, kind, status):
    portal.fault(Fault(at_call=1, kind=kind))
    answer = raw("GET", "objects/deals")
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "text/html"


@pytest.mark.parametrize("policy", ["TEN_SECONDLY_ROLLING", "SECONDLY", "DAILY"])
@pytest.mark.parametrize("seconds", [None, 3])
def test_a_429_names_its_limit_with_or_without_a_wait(portal, raw, policy, seconds):
    portal.fault(Fault(at_call=1, kind="throttled", about=policy, seconds=seconds))
    answer = raw("GET", "objects/deals")
    assert answer.json()["policyName"] == policy
    assert answer.headers.get("Retry-After") == (None if seconds is None else "3")


def test_401_may_last_for_ever(portal, raw):
    portal.fault(Fault(at_call=1, kind="expired", calls=None))
    assert {raw("GET", "objects/deals").status_code for _ in range(5)} == {401}


@pytest.mark.parametrize(
    ("kind", "name"), [("reset", "Acme"), ("reset_after_write", "New")]
)
def test_a_cut_write_is_done_or_not(portal, either, kind, name):
    one = portal.ids("account")["a1"]
    portal.fault(Fault(at_call=1, kind=kind))
    with pytest.raises(requests.ConnectionError):
        either.update("companies", one, name="New")
    assert portal.record("companies", one)["name"] == name


def test_a_page_ends_in_its_middle(portal, raw):
    portal.fault(Fault(at_call=1, kind="truncated"))
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        raw("GET", "objects/deals")


@pytest.mark.parametrize("kind", ["empty", "undecodable"])
def test_a_200_may_be_no_json(portal, raw, kind):
    portal.fault(Fault(at_call=1, kind=kind))
    answer = raw("GET", "objects/deals")
    assert answer.status_code == 200
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


def test_a_list_page_may_be_short_or_empty_and_still_go_on(portal, either):
    portal.fault(
        Fault(at_call=1, kind="fewer_rows", size=1), Fault(at_call=2, kind="empty_page")
    )
    ids = sorted(portal.ids("opportunity").values(), key=int)
    short = either.list("deals", limit=2)
    assert [r["id"] for r in short["results"]] == ids[:1]
    after = short["paging"]["next"]["after"]
    empty = either.list("deals", limit=2, after=after)
    assert empty["results"] == []
    assert empty["paging"]["next"]["after"] == after
    rest = either.list("deals", limit=10, after=after)
    assert [r["id"] for r in rest["results"]] == ids[1:]


def test_an_empty_first_page_goes_on_too(portal, raw):
    portal.fault(Fault(at_call=1, kind="empty_page"))
    after = raw.list("deals")["paging"]["next"]["after"]
    assert len(raw.list("deals", after=after)["results"]) == 4


def test_a_record_may_change_between_two_pages(portal, raw):
    deal = portal.ids("opportunity")["o4"]
    act = ("edit", "deals", deal, {"amount": "77"})
    portal.fault(Fault(at_call=2, kind="meanwhile", act=act))
    raw.list("deals", limit=2, properties="amount")
    after = raw.list("deals", limit=2, properties="amount")["paging"]["next"]["after"]
    page = raw.list("deals", limit=2, after=after, properties="amount")
    assert page["results"][1]["properties"]["amount"] == "77"


def test_a_record_may_be_merged_just_before_the_write(portal, raw):
    winner, loser = (portal.ids("account")[a] for a in ("a1", "a2"))
    act = ("merge", "companies", winner, loser)
    portal.fault(Fault(at_call=1, kind="meanwhile", act=act))
    answer = raw.update("companies", loser, name="New")
    assert [r["id"] for r in answer.json()["results"]] == [winner]


def test_an_option_may_vanish_before_the_write(portal, raw):
    act = ("change_field", "companies", "industry", {"options": ()})
    portal.fault(Fault(at_call=1, kind="meanwhile", act=act))
    answer = raw.update("companies", portal.ids("account")["a1"], industry="BANKING")
    assert answer.status_code == 400


def test_faults_may_be_meant_for_one_route(portal, raw):
    portal.fault(Fault(at_call=2, kind="server_error", route="batch/read"))
    raw("GET", "objects/deals")
    reads = [raw.batch("deals", "read", [{"id": "1"}]).status_code for _ in range(3)]
    assert reads == [207, 500, 207]


def test_a_log_in_may_fail_when_asked_for(portal):
    portal.fault(Fault(at_call=1, kind="unavailable", route="POST oauth"))
    url = f"{portal.url}/oauth/v1/token"
    assert requests.post(url, timeout=10).status_code == 503
    assert requests.post(url, timeout=10).status_code == 400


def test_a_slow_call_holds_nobody_up(portal, talk):
    portal.fault(Fault(at_call=1, kind="slow", seconds=1.5))
    slow = threading.Thread(target=talk(portal), args=("GET", "objects/deals"))
    slow.start()
    while not portal.api_calls:
        time.sleep(0.01)
    start = time.monotonic()
    assert talk(portal)("GET", "objects/deals").status_code == 200
    assert time.monotonic() - start < 1.0
    slow.join()


def test_calls_that_come_side_by_side_are_all_answered(portal, talk):
    ids = list(portal.ids("account").values())
    done = []

    def work(number):
        raw = talk(portal)
        for at in range(10):
            raw.update("companies", ids[at % 3], name=f"{number}-{at}")
            done.append(len(raw.list("companies")["results"]))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [3] * 60
    assert portal.api_calls == 120


def test_the_log_tells_route_status_and_rows_but_no_values(portal, raw):
    raw.list("deals", limit=3)
    raw.batch("deals", "read", [{"id": "999"}])
    first, second = portal.log
    assert (first.method, first.route, first.status, first.rows) == (
        "GET",
        "objects/{kind}",
        200,
        3,
    )
    assert (second.number, second.status, second.rows) == (2, 207, 0)
    assert "999" not in str(portal.log)


def test_both_path_styles_count_as_one_route(portal, raw, dated):
    raw.list("deals")
    dated.list("deals")
    assert portal.calls == {"GET objects/{kind}": 2}


def test_another_process_steers_and_looks(portal, raw):
    fault = {"at_call": 1, "kind": "server_error"}
    requests.post(f"{portal.url}/__sim__/fault", json=fault, timeout=10)
    assert raw("GET", "objects/deals").status_code == 500
    seen = requests.get(f"{portal.url}/__sim__/calls", timeout=10).json()
    assert seen["api_calls"] == 1
    state = requests.get(f"{portal.url}/__sim__/state", timeout=10).json()
    assert state["records"] == {"companies": 3, "deals": 4}
    assert requests.post(f"{portal.url}/__sim__/reset", timeout=10).ok
    assert portal.api_calls == 0


def test_a_reset_brings_everything_back(portal, raw):
    before = portal.snapshot(audit=True)
    raw.update("companies", portal.ids("account")["a1"], name="New")
    portal.delete("deals", portal.ids("opportunity")["o1"])
    portal.hide_field("deals", "amount")
    portal.fault(Fault(at_call=99, kind="reset"))
    assert portal.snapshot() != before
    portal.reset()
    assert portal.snapshot(audit=True) == before
    assert portal.api_calls == 0
    assert (
        "amount" in raw.list("deals", properties="amount")["results"][0]["properties"]
    )


def test_two_portals_of_the_same_data_are_the_same(tables):
    with HubSpot(tables) as one, HubSpot(tables) as other:
        assert one.snapshot(audit=True) == other.snapshot(audit=True)


def test_next_links_may_lead_elsewhere(tables, talk):
    with HubSpot(tables, links_at="http://127.0.0.2:9") as portal:
        link = talk(portal).list("deals", limit=1)["paging"]["next"]["link"]
    assert link.startswith("http://127.0.0.2:9/crm/v3/objects/deals?")


def test_replies_are_packed_when_asked(portal, raw):
    answer = raw("GET", "objects/deals", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    plain = raw("GET", "objects/deals", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert plain.json() == answer.json()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/crm/v3/nonsense", 404),
        ("GET", "/crm/v1/objects/deals", 404),
        ("PUT", "/crm/v3/objects/deals", 405),
    ],
)
def test_what_is_not_there_is_told_so(raw, method, path, status):
    answer = raw(method, path)
    assert answer.status_code == status
    assert answer.json()["status"] == "error"


@pytest.mark.parametrize(
    "act",
    [
        lambda portal: portal.edit("deals", "999", {}),
        lambda portal: portal.edit("compani", "999", {}),
        lambda portal: portal.hide_field("deals", "amounts"),
        lambda portal: portal.edit(
            "deals", portal.ids("opportunity")["o1"], {"amount": "much"}
        ),
        lambda portal: portal.link("deals", "1", "companies", "2", "Best"),
    ],
)
def test_a_wrong_knob_is_told_at_once(portal, act):
    with pytest.raises(SettingsError):
        act(portal)


def test_a_portal_that_has_stopped_says_so(tables):
    portal = HubSpot(tables, assumptions=Assumptions())
    with pytest.raises(SettingsError, match="with statement"):
        _ = portal.url
    assert repr(portal) == "<pretend HubSpot not started>"
    with portal:
        assert portal.url in repr(portal)
