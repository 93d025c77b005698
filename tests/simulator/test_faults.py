"""What goes wrong on purpose, at the call asked for."""

from __future__ import annotations

import csv
import io
import threading
import time
from pathlib import Path

import pytest
import requests

from crm_portfolio.errors import SettingsError
from crm_portfolio.simulator import Fault
from crm_portfolio.simulator._faults import KINDS


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("unavailable", 503, "SERVER_UNAVAILABLE"),
        ("server_error", 500, "UNKNOWN_EXCEPTION"),
        ("expired", 401, "INVALID_SESSION_ID"),
        ("over_quota", 403, "REQUEST_LIMIT_EXCEEDED"),
        ("throttled", 429, "REQUEST_LIMIT_EXCEEDED"),
        ("locked", 423, "UNABLE_TO_LOCK_ROW"),
        ("dead_locator", 400, "INVALID_QUERY_LOCATOR"),
    ],
)
def test_one_call_fails_and_the_next_is_well(org, raw, kind, status, code):
    org.fault(Fault(at_call=2, kind=kind))
    answers = [raw("GET", "limits") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, status, 200]
    assert answers[1].json()[0]["errorCode"] == code


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("bad_gateway", 502),
        ("gateway_timeout", 504),
        ("timed_out", 524),
        ("migrating", 477),
    ],
)
def test_a_gateway_answers_with_a_page(org, raw, kind, status):
    org.fault(Fault(at_call=1, kind=kind))
    answer = raw("GET", "limits")
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "text/html"


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


def test_a_fault_may_last_for_ever(org, raw):
    org.fault(Fault(at_call=2, kind="expired", calls=None))
    statuses = [raw("GET", "limits").status_code for _ in range(30)]
    assert statuses == [200] + 29 * [401]


def test_a_fault_may_keep_to_a_route_and_counts_its_calls_only(org, raw):
    org.fault(Fault(at_call=2, kind="unavailable", route="describe"))
    described = "sobjects/Account/describe"
    paths = [described, "limits", "limits", described, described]
    statuses = [raw("GET", path).status_code for path in paths]
    assert statuses == [200, 200, 200, 503, 200]


def test_logins_are_struck_only_by_their_route(org, raw):
    org.fault(
        Fault(at_call=1, kind="unavailable", calls=None),
        Fault(at_call=2, kind="server_error", route="oauth2/token"),
    )
    assert raw("GET", "limits").status_code == 503
    token = f"{org.url}/services/oauth2/token"
    statuses = [requests.post(token, timeout=10).status_code for _ in range(2)]
    assert statuses == [400, 500]


def test_how_long_to_wait_is_told_or_not(org, raw):
    org.fault(
        Fault(at_call=1, kind="throttled", seconds=3),
        Fault(at_call=2, kind="throttled"),
        Fault(at_call=3, kind="unavailable", seconds=7),
    )
    told = [raw("GET", "limits").headers.get("Retry-After") for _ in range(3)]
    assert told == ["3", None, "7"]


def test_the_limit_that_was_met_is_named(org, raw):
    org.fault(
        Fault(at_call=1, kind="throttled", about="ConcurrentPerOrgLongTxn"),
        Fault(at_call=2, kind="throttled", about="ConcurrentRequests"),
    )
    first, second = raw("GET", "limits"), raw("GET", "limits")
    assert first.status_code == 403
    assert first.json()[0]["errorCode"] == "REQUEST_LIMIT_EXCEEDED"
    assert "ConcurrentPerOrgLongTxn" in first.json()[0]["message"]
    assert second.status_code == 429
    assert "ConcurrentRequests" in second.json()[0]["message"]


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


@pytest.mark.parametrize("size", [None, 0, 200])
def test_a_body_ends_early(org, raw, size):
    org.fault(Fault(at_call=1, kind="truncated", size=size))
    with pytest.raises(
        requests.exceptions.ChunkedEncodingError, match="IncompleteRead"
    ):
        raw("GET", "sobjects")
    assert raw("GET", "sobjects").json()["sobjects"]


def test_a_file_of_csv_ends_early(org, raw, finished):
    job = finished("SELECT Id, Name FROM Account")
    org.fault(Fault(at_call=1, route="results", kind="truncated"))
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        raw("GET", f"jobs/query/{job}/results")
    assert raw("GET", f"jobs/query/{job}/results").text.count("001S") == 4


@pytest.mark.parametrize("kind", ["empty", "undecodable"])
def test_a_200_may_say_nothing_of_use_and_the_work_is_done(org, raw, kind):
    acme = org.ids("account")["a1"]
    org.fault(Fault(at_call=1, kind=kind))
    record = {"attributes": {"type": "Account"}, "id": acme, "Rating": "Hot"}
    answer = raw("PATCH", "composite/sobjects", json={"records": [record]})
    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"Expecting value|decode"):
        answer.json()
    assert org.record("Account", acme)["Rating"] == "Hot"


def test_a_slow_answer_holds_nobody_else_up(org, raw, raw_for):
    org.fault(Fault(at_call=1, kind="slow", seconds=1.5))
    slow = threading.Thread(target=lambda: raw("GET", "limits"))
    begun = time.monotonic()
    slow.start()
    while not org.api_calls:
        time.sleep(0.01)
    other = raw_for(org)
    assert other("GET", "limits").status_code == 200
    assert time.monotonic() - begun < 1.4
    slow.join()
    assert time.monotonic() - begun >= 1.5


def test_a_slow_answer_outlasts_the_clients_patience(org, raw):
    org.fault(Fault(at_call=1, kind="slow", seconds=5))
    with pytest.raises(requests.exceptions.ReadTimeout):
        raw.session.get(f"{org.url}/services/data/v66.0/limits", timeout=0.1)


def test_a_page_may_hold_fewer_rows_than_asked_for(org, raw):
    org.fault(Fault(at_call=1, kind="fewer_rows", size=1))
    first = raw.query("SELECT Name FROM Account").json()
    assert (len(first["records"]), first["done"]) == (1, False)
    second = raw("GET", first["nextRecordsUrl"]).json()
    assert (len(second["records"]), second["done"]) == (3, True)


def test_a_page_may_be_empty_and_not_the_last(org, raw):
    org.fault(Fault(at_call=1, kind="empty_page"))
    first = raw.query("SELECT Name FROM Account").json()
    assert (first["records"], first["done"]) == ([], False)
    second = raw("GET", first["nextRecordsUrl"]).json()
    assert (len(second["records"]), second["done"]) == (4, True)


@pytest.mark.parametrize(
    ("kind", "is_so"),
    [
        ("csv_without_charset", lambda r: r.headers["Content-Type"] == "text/csv"),
        ("csv_with_bom", lambda r: r.content.startswith(b'\xef\xbb\xbf"Id"')),
        ("csv_with_null_bytes", lambda r: r.content.count(b"\x00") == 2),
        (
            "csv_with_crlf",
            lambda r: r.content.count(b"\r\n") == 5 and b"Line\nBreak" in r.content,
        ),
    ],
)
def test_csv_may_come_in_other_ways(org, raw, finished, kind, is_so):
    job = finished("SELECT Id, Name FROM Account")
    org.fault(Fault(at_call=1, route="results", kind=kind))
    struck, plain = (raw("GET", f"jobs/query/{job}/results") for _ in range(2))
    assert is_so(struck)
    assert not is_so(plain)
    assert "charset=UTF-8" in plain.headers["Content-Type"]


def test_a_fault_of_csv_leaves_json_alone(org, raw):
    org.fault(Fault(at_call=1, kind="csv_with_bom"))
    assert raw("GET", "limits").json()


def test_someone_edits_just_before_the_call(org, raw):
    acme = org.ids("account")["a1"]
    org.fault(
        Fault(
            at_call=2,
            kind="meanwhile",
            act=("edit", "Account", acme, {"Rating": "Hot"}),
        )
    )
    soql = f"SELECT Rating FROM Account WHERE Id = '{acme}'"
    assert [raw.rows(soql)[0]["Rating"] for _ in range(2)] == [None, "Hot"]


def test_a_record_is_deleted_between_reading_and_writing(org, raw):
    acme = org.ids("account")["a1"]
    act = ("delete", "Account", acme)
    org.fault(Fault(at_call=1, kind="meanwhile", act=act))
    assert raw.why({"id": acme, "Rating": "Hot"})[0] == "ENTITY_IS_DELETED"


def test_a_record_is_merged_into_another(org, raw):
    ids = org.ids("account")
    act = ("merge", "Account", ids["a2"], ids["a1"])
    org.fault(Fault(at_call=1, kind="meanwhile", act=act))
    assert raw.why({"id": ids["a1"], "Rating": "Hot"})[0] == "ENTITY_IS_DELETED"
    lost = org.record("Account", ids["a1"])
    assert (lost["IsDeleted"], lost["MasterRecordId"]) == (True, ids["a2"])
    assert org.record("Account", ids["a2"])["IsDeleted"] is False
    moved = org.record("Opportunity", org.ids("opportunity")["o1"])
    assert moved["AccountId"] == ids["a2"]


def test_a_session_ends_between_two_pages(org, raw):
    org.fault(
        Fault(at_call=1, kind="fewer_rows", size=1),
        Fault(at_call=2, kind="meanwhile", act=("expire_tokens",)),
    )
    first = raw.query("SELECT Name FROM Account").json()
    assert raw("GET", first["nextRecordsUrl"]).status_code == 401
    raw.login()
    (error,) = raw("GET", first["nextRecordsUrl"]).json()
    assert error["errorCode"] == "INVALID_QUERY_LOCATOR"


def test_two_days_pass_between_two_pages(org, raw):
    org.fault(
        Fault(at_call=1, kind="fewer_rows", size=1),
        Fault(at_call=2, kind="meanwhile", act=("advance", 2 * 86_400)),
    )
    first = raw.query("SELECT Name FROM Account").json()
    (error,) = raw("GET", first["nextRecordsUrl"]).json()
    assert error["errorCode"] == "INVALID_QUERY_LOCATOR"


def test_a_field_is_hidden_meanwhile(org, raw):
    act = ("hide_field", "Account", "Rating")
    org.fault(Fault(at_call=2, kind="meanwhile", act=act))
    assert raw.query("SELECT Rating FROM Account").status_code == 200
    assert raw.refused("SELECT Rating FROM Account")[1] == "INVALID_FIELD"


def test_an_administrator_takes_a_value_out_of_a_picklist(org, raw):
    acme = org.ids("account")["a1"]
    assert raw.update({"id": acme, "Rating": "Hot"})[0]["success"]
    org.change_field("Account", "Rating", values=("Cold",), is_restricted=True)
    code, fields = raw.why({"id": acme, "Rating": "Hot"})
    assert (code, fields) == ("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", ["Rating"])


def test_an_administrator_narrows_a_number(org, raw):
    acme = org.ids("account")["a1"]
    org.change_field("Account", "AnnualRevenue", precision=6, scale=4)
    assert (
        raw.why({"id": acme, "AnnualRevenue": 100})[0] == "NUMBER_OUTSIDE_VALID_RANGE"
    )


def test_a_held_record_refuses_so_many_writes(org, raw):
    acme = org.ids("account")["a1"]
    org.lock(acme, attempts=2)
    for _ in range(2):
        assert raw.why({"id": acme, "Rating": "Hot"})[0] == "UNABLE_TO_LOCK_ROW"
    assert raw.update({"id": acme, "Rating": "Hot"})[0]["success"]


def test_an_answer_may_lead_to_another_address(org, raw):
    there = "http://127.0.0.1:9/other"
    org.fault(Fault(at_call=1, kind="elsewhere", about=there))
    answer = raw("GET", "limits", allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (307, there)


def test_a_link_may_lead_to_another_address(org, raw, client):
    there = "https://elsewhere.example"
    org.reset()
    org.fault(
        Fault(at_call=1, kind="fewer_rows", size=1),
        Fault(at_call=1, kind="links_elsewhere", about=there),
        Fault(at_call=1, kind="links_elsewhere", about=there, route="oauth2/token"),
    )
    link = raw.query("SELECT Name FROM Account").json()["nextRecordsUrl"]
    assert link.startswith(f"{there}/services/data/v66.0/query/")
    told = org.environment
    answer = requests.post(
        f"{org.url}/services/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=(told["SALESFORCE_CLIENT_ID"], told["SALESFORCE_CLIENT_SECRET"]),
        timeout=10,
    )
    assert answer.json()["instance_url"] == there


def test_two_faults_can_strike_one_call(org, raw):
    acme = org.ids("account")["a1"]
    act = ("edit", "Account", acme, {"Rating": "Hot"})
    org.fault(
        Fault(at_call=1, kind="meanwhile", act=act),
        Fault(at_call=1, kind="unavailable"),
    )
    assert raw("GET", "limits").status_code == 503
    assert org.record("Account", acme)["Rating"] == "Hot"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"at_call": 0, "kind": "gone"}, "at_call"),
        ({"at_call": 1, "kind": "flood"}, "kind"),
        ({"at_call": 1, "kind": "unavailble"}, "did you mean 'unavailable'"),
        ({"at_call": 1, "kind": "gone", "calls": 0}, "calls"),
        ({"at_call": 1, "kind": "reset", "seconds": 2}, "seconds"),
        ({"at_call": 1, "kind": "slow", "size": 2}, "size"),
        ({"at_call": 1, "kind": "meanwhile"}, "act"),
    ],
)
def test_a_fault_that_cannot_happen_is_refused(wrong, named):
    with pytest.raises(ValueError, match=named):
        Fault(**wrong)


def test_nobody_does_what_the_simulator_does_not_know(org):
    fault = Fault(at_call=1, kind="meanwhile", act=("_begin",))
    with pytest.raises(SettingsError, match="act"):
        org.fault(fault)


def test_every_kind_of_fault_says_what_it_is_here():
    """A new fault is one class and one test: this file names each."""
    told = Path(__file__).read_text(encoding="utf-8")
    bulk = {"job_never_completes", "job_fails"}  # in the tests of Bulk
    assert [
        kind for kind in KINDS if f'"{kind}"' not in told and kind not in bulk
    ] == []


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


@pytest.fixture
def finished(raw):
    """Run a query as a job and give its id."""

    def run(soql: str) -> str:
        body = {"operation": "query", "query": soql}
        job: str = raw("POST", "jobs/query", json=body).json()["id"]
        while raw("GET", f"jobs/query/{job}").json()["state"] != "JobComplete":
            pass
        return job

    return run


def test_rows_of_csv_survive_a_csv_reader(raw, finished):
    text = raw("GET", f"jobs/query/{finished('SELECT Name FROM Account')}/results").text
    names = sorted(row["Name"] for row in csv.DictReader(io.StringIO(text, newline="")))
    assert names == ["Acme", "Beta Söhne", "Line\nBreak \x1b[31m", "NA"]
