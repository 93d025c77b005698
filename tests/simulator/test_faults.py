"""What goes wrong on purpose, at the call asked for."""

from __future__ import annotations

import pytest
import requests

from crm_portfolio.simulator import Fault


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("unavailable", 503, "SERVER_UNAVAILABLE"),
        ("server_error", 500, "UNKNOWN_EXCEPTION"),
        ("expired", 401, "INVALID_SESSION_ID"),
        ("over_quota", 403, "REQUEST_LIMIT_EXCEEDED"),
    ],
)
def test_one_call_fails_and_the_next_is_well(org, raw, kind, status, code):
    org.fault(Fault(at_call=2, kind=kind))
    answers = [raw("GET", "limits") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, status, 200]
    assert answers[1].json()[0]["errorCode"] == code


def test_a_fault_may_last(org, raw):
    org.fault(
        Fault(at_call=1, kind="unavailable", calls=2), Fault(at_call=4, kind="expired")
    )
    assert [raw("GET", "limits").status_code for _ in range(5)] == [
        503,
        503,
        200,
        401,
        200,
    ]


def test_a_reset_comes_before_anything_is_done(org, raw):
    acme = org.ids("account")["a1"]
    org.fault(Fault(at_call=1, kind="reset"))
    with pytest.raises(requests.ConnectionError):
        raw.update({"id": acme, "Rating": "Hot"})
    assert org.record("Account", acme)["Rating"] is None
    assert raw.update({"id": acme, "Rating": "Hot"})[0]["success"]


def test_a_lost_reply_leaves_the_work_done(org, raw):
    acme = org.ids("account")["a1"]
    org.fault(Fault(at_call=1, kind="reset_after_write"))
    with pytest.raises(requests.ConnectionError):
        raw.update({"id": acme, "Rating": "Hot"})
    assert org.record("Account", acme)["Rating"] == "Hot"


def test_an_org_that_is_gone_stays_gone_until_reset(org, raw):
    org.fault(Fault(at_call=2, kind="gone"))
    assert raw("GET", "limits").status_code == 200
    for _ in range(3):
        with pytest.raises(requests.ConnectionError):
            raw("GET", "limits")
    with pytest.raises(requests.ConnectionError):
        requests.post(f"{org.url}/services/oauth2/token", timeout=10)
    org.reset()
    assert raw("GET", "limits").status_code == 200


@pytest.mark.parametrize(
    "wrong", [{"at_call": 0, "kind": "gone"}, {"at_call": 1, "kind": "flood"}]
)
def test_a_fault_that_cannot_happen_is_refused(wrong):
    with pytest.raises(ValueError, match=r"at_call|kind"):
        Fault(**wrong)


def test_calls_are_counted_by_route_and_tokens_apart(org, client):
    client.query("SELECT Id FROM Account")
    client.Account.describe()
    client.restful("limits")
    assert org.calls == {
        "POST oauth2/token": 1,
        "GET query": 1,
        "GET sobjects/{object}/describe": 1,
        "GET limits": 1,
    }
    assert org.api_calls == 3


def test_time_moves_with_writes_only(org, raw):
    before = raw("GET", "limits").headers["Date"]
    assert before == "Wed, 01 Jul 2026 02:00:00 GMT"
    assert raw("GET", "limits").headers["Date"] == before
    raw.update({"id": org.ids("account")["a1"], "Rating": "Hot"})
    assert raw("GET", "limits").headers["Date"] == "Wed, 01 Jul 2026 02:00:01 GMT"
    org.clock.advance(3600)
    assert raw("GET", "limits").headers["Date"] == "Wed, 01 Jul 2026 03:00:01 GMT"
