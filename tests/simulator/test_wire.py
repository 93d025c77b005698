"""Does the way to a simulator break where it is told to, and what do clients see then?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests
import simple_salesforce

from crm_portfolio.errors import SettingsError
from crm_portfolio.simulator import Break, Wire

Through = Callable[..., tuple[Wire, requests.Session]]
LIMITS = "/services/data/v66.0/limits"
OBJECTS = "/services/data/v66.0/sobjects"


@pytest.fixture
def through(org, raw) -> Iterator[Through]:
    """A wire with these breaks and a session that goes over it."""
    with ExitStack() as stack:

        def up(*breaks: Break) -> tuple[Wire, requests.Session]:
            wire = stack.enter_context(Wire(org.url, *breaks))
            session = stack.enter_context(requests.Session())
            session.headers["Authorization"] = raw.session.headers["Authorization"]
            return wire, session

        yield up


def test_it_lets_everything_through(through, raw):
    wire, session = through()
    for path in (LIMITS, OBJECTS):
        assert session.get(wire.url + path, timeout=10).status_code == 200
    there = session.get(wire.url + OBJECTS, timeout=10)
    assert there.json() == raw("GET", "sobjects").json()
    assert wire.calls == 3


def test_bodies_of_requests_pass_too(org, through):
    wire, session = through()
    acme = org.ids("account")["a1"]
    note = "long " * 5000
    record = {"attributes": {"type": "Account"}, "id": acme, "Description": note}
    path = "/services/data/v66.0/composite/sobjects"
    answer = session.patch(wire.url + path, json={"records": [record]}, timeout=10)
    assert answer.json()[0]["success"]
    assert org.record("Account", acme)["Description"] == note.strip()


def test_a_reply_without_a_body_passes(org, through):
    wire, session = through()
    acme = org.ids("account")["a1"]
    path = f"/services/data/v66.0/sobjects/Account/{acme}"
    answer = session.patch(wire.url + path, json={"Rating": "Hot"}, timeout=10)
    assert answer.status_code == 204
    assert session.get(wire.url + LIMITS, timeout=10).status_code == 200


def test_a_reset_comes_after_the_request_arrived(org, through):
    wire, session = through(Break(at_call=2, kind="reset"))
    assert session.get(wire.url + LIMITS, timeout=10).status_code == 200
    with pytest.raises(requests.ConnectionError):
        session.get(wire.url + LIMITS, timeout=10)
    assert org.api_calls == 2
    assert session.get(wire.url + LIMITS, timeout=10).status_code == 200


def test_silence_is_a_time_out(through):
    wire, session = through(Break(at_call=1, kind="hang"))
    with pytest.raises(requests.exceptions.ReadTimeout):
        session.get(wire.url + LIMITS, timeout=0.2)
    assert session.get(wire.url + LIMITS, timeout=10).status_code == 200


def test_silence_ends(through):
    wire, session = through(Break(at_call=1, kind="hang", seconds=0.1))
    with pytest.raises(requests.ConnectionError):
        session.get(wire.url + LIMITS, timeout=10)


def test_a_cut_inside_the_headers_looks_like_an_empty_200(through):
    wire, session = through(Break(at_call=1, kind="cut_in_headers"))
    answer = session.get(wire.url + OBJECTS, timeout=10)
    assert (answer.status_code, answer.content) == (200, b"")
    assert session.get(wire.url + OBJECTS, timeout=10).json()


@pytest.mark.parametrize("size", [None, 100])
def test_a_cut_inside_the_body_is_seen(through, size):
    wire, session = through(Break(at_call=1, kind="cut_in_body", size=size))
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        session.get(wire.url + OBJECTS, timeout=10)
    assert session.get(wire.url + OBJECTS, timeout=10).json()


def test_a_delay_is_only_that(through):
    wire, session = through(Break(at_call=1, kind="delay", seconds=0.3))
    begun = time.monotonic()
    assert session.get(wire.url + LIMITS, timeout=10).status_code == 200
    assert time.monotonic() - begun >= 0.3


def test_a_break_may_last(through):
    wire, session = through(Break(at_call=1, kind="cut_in_headers", calls=2))
    bodies = [session.get(wire.url + LIMITS, timeout=10).content for _ in range(3)]
    assert [bool(body) for body in bodies] == [False, False, True]


def test_the_vendors_client_takes_a_cut_for_an_answer(org, through, plain_http_for):
    """Why an empty 200 must be repeated: simple-salesforce raises no error of its own."""
    wire, session = through(Break(at_call=1, kind="cut_in_headers"))
    token = org.environment_for("session")["SALESFORCE_ACCESS_TOKEN"]
    session.mount("https://", plain_http_for(wire.url.removeprefix("http://")))
    client: Any = simple_salesforce.Salesforce(
        session=session, session_id=token, instance_url=wire.url, version="66.0"
    )
    with pytest.raises(ValueError, match="Expecting value"):
        client.query("SELECT Id FROM Account")
    assert client.query("SELECT Id FROM Account")["totalSize"] == 4


def test_it_goes_down_with_a_hanging_call(org, through):
    with Wire(org.url, Break(at_call=1, kind="hang", seconds=600)) as wire:
        with pytest.raises(requests.exceptions.ReadTimeout):
            requests.get(wire.url + LIMITS, timeout=0.1)
        begun = time.monotonic()
    assert time.monotonic() - begun < 5
    with pytest.raises(requests.ConnectionError):
        requests.get(wire.url + LIMITS, timeout=1)


def test_it_leads_to_this_machine_only():
    with pytest.raises(SettingsError, match="127"):
        Wire("https://acme.my.salesforce.com")


def test_it_has_no_address_before_it_is_up(org):
    with pytest.raises(SettingsError, match="with statement"):
        Wire(org.url).url


@pytest.mark.parametrize("wrong", [{"at_call": 0}, {"kind": "burn"}, {"calls": 0}])
def test_a_break_that_cannot_happen_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Break(**{"at_call": 1, "kind": "reset", **wrong})
