"""Which calls came, and how is a simulator looked into and steered from outside?"""

from __future__ import annotations

import threading

import pytest
import requests

from crm_portfolio.simulator import Fault, LoggedCall


def test_each_call_is_logged_with_what_came_of_it(org, raw):
    raw.query("SELECT Id FROM Account")
    raw.query("SELECT Nothing FROM Account")
    assert [(c.number, c.method, c.route, c.status) for c in org.log] == [
        (1, "GET", "query", 200),
        (2, "GET", "query", 400),
    ]
    assert org.log[0].size == len(raw.query("SELECT Id FROM Account").content)


def test_rows_of_a_page_are_logged(org, raw):
    raw.query("SELECT Id FROM Account")
    raw("GET", "limits")
    assert [call.rows for call in org.log] == [4, None]


def test_a_cut_call_has_no_status(org, raw):
    org.fault(Fault(at_call=1, kind="reset"))
    with pytest.raises(requests.ConnectionError):
        raw("GET", "limits")
    assert org.log == (
        LoggedCall(
            number=1, method="GET", route="limits", status=None, size=0, rows=None
        ),
    )


def test_the_log_holds_nothing_secret(org, client):
    client.query("SELECT Id FROM Account WHERE Name = 'Acme'")
    text = repr(org.log)
    assert [call.route for call in org.log] == ["oauth2/token", "query"]
    for secret in ("Acme", client.session_id, *org.environment.values()):
        assert secret not in text


def test_many_connections_are_counted_exactly(org, raw_for):
    def work() -> None:
        mine = raw_for(org)
        for _ in range(20):
            assert mine.query("SELECT Id FROM Account").status_code == 200

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert org.api_calls == 120
    assert [call.number for call in org.log] == list(range(1, 121))


def control(org, method: str, path: str, **kwargs) -> requests.Response:
    return requests.request(method, f"{org.url}/__sim__/{path}", timeout=10, **kwargs)


def test_the_calls_can_be_asked_for_and_asking_is_no_call(org, raw):
    raw.query("SELECT Id FROM Account")
    for _ in range(2):
        told = control(org, "GET", "calls").json()
    assert told["api_calls"] == 1
    assert told["calls"] == {"GET query": 1}
    (logged,) = told["log"]
    assert (logged["route"], logged["status"], logged["rows"]) == ("query", 200, 4)


def test_the_state_can_be_asked_for(org, raw):
    org.fault(Fault(at_call=9, kind="gone"))
    job = {"operation": "query", "query": "SELECT Id FROM Account"}
    raw("POST", "jobs/query", json=job)
    told = control(org, "GET", "state").json()
    assert told["clock"] == "2026-07-01T02:00:00+00:00"
    assert told["records"]["Account"] == 4
    assert told["faults"][0]["kind"] == "gone"
    assert told["jobs"][0]["state"] == "UploadComplete"


def test_faults_can_be_asked_for(org, raw):
    fault = {"at_call": 1, "kind": "unavailable", "calls": 2, "route": "limits"}
    assert control(org, "POST", "fault", json=fault).json() == {"added": 1}
    more = [{"at_call": 3, "kind": "expired"}, {"at_call": 4, "kind": "expired"}]
    assert control(org, "POST", "fault", json=more).json() == {"added": 2}
    statuses = [raw("GET", "limits").status_code for _ in range(5)]
    assert statuses == [503, 503, 401, 401, 200]


def test_what_someone_does_meanwhile_can_be_asked_for(org, raw):
    acme = org.ids("account")["a1"]
    fault = {"at_call": 1, "kind": "meanwhile", "act": ["delete", "Account", acme]}
    assert control(org, "POST", "fault", json=fault).status_code == 200
    assert raw.why({"id": acme, "Rating": "Hot"})[0] == "ENTITY_IS_DELETED"


def test_it_can_be_reset(org, raw):
    org.fault(Fault(at_call=1, kind="gone"))
    with pytest.raises(requests.ConnectionError):
        raw("GET", "limits")
    assert control(org, "POST", "reset").json() == {"api_calls": 0}
    assert raw("GET", "limits").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "reset", None, 404),
        ("POST", "nothing", None, 404),
        ("POST", "fault", "no json", 400),
        ("POST", "fault", '{"at_call": 1, "kind": "flood"}', 400),
        ("POST", "fault", '{"kind": "gone"}', 400),
        ("POST", "fault", '{"at_call": "x", "kind": "gone"}', 400),
        (
            "POST",
            "fault",
            '{"at_call": 1, "kind": "meanwhile", "act": ["__init__"]}',
            400,
        ),
    ],
)
def test_what_cannot_be_done_is_refused(org, method, path, body, status):
    answer = control(org, method, path, data=body)
    assert answer.status_code == status
    assert answer.json()["error"]
