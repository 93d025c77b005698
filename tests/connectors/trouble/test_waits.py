"""Who says wait is waited for, and is a slow CRM asked side by side?"""

from __future__ import annotations

import itertools
import threading
import time
from datetime import date

import pytest
from troubled import READING, Org, Reading, Watch, connected, timed

from crm_portfolio import pull
from crm_portfolio.connectors._retry import QuotaSpentError, RetrySettings
from crm_portfolio.errors import TransientError
from crm_portfolio.simulator._server import Reply, Request

TWICE = RetrySettings(attempts=3, first_wait_seconds=0.0)
HUBSPOT = [way for way in READING if way.crm == "hubspot"]
BURST, SECOND = "TEN_SECONDLY_ROLLING", "SECONDLY"


@pytest.fixture(params=HUBSPOT, ids=str)
def hubspot_reading(request: pytest.FixtureRequest, hubspot: Org) -> Reading:
    return Reading.of(request.param, hubspot)


@pytest.fixture(params=[w for w in READING if w.crm == "salesforce"], ids=str)
def salesforce_reading(request: pytest.FixtureRequest, salesforce: Org) -> Reading:
    return Reading.of(request.param, salesforce)


# 429


def test_hubspot_s_window_is_waited_for_and_no_longer(
    hubspot_reading: Reading,
) -> None:
    cases = ((BURST, None, 10), (BURST, 3, 3), (SECOND, None, 1), (SECOND, 4, 4))
    for policy, told, wait in cases:
        watch = Watch()
        hubspot_reading.fault("throttled", about=policy, seconds=told)
        before = hubspot_reading.org.calls
        crm = timed(hubspot_reading, watch)
        hubspot_reading.must_be_whole(hubspot_reading.pulled(crm))
        assert watch.now == pytest.approx(wait), policy
        assert hubspot_reading.org.calls - before == hubspot_reading.least + 1


def test_hubspot_s_day_is_not_waited_for(hubspot_reading: Reading) -> None:
    watch = Watch()
    hubspot_reading.fault("throttled", about="DAILY", seconds=3_000)
    before = hubspot_reading.org.calls
    _, error = hubspot_reading.until_it_stops(timed(hubspot_reading, watch))
    assert isinstance(error, QuotaSpentError)
    assert watch.slept == []
    assert hubspot_reading.org.calls - before < hubspot_reading.least


def test_hubspot_s_other_waits_are_kept(hubspot_reading: Reading) -> None:
    cases = (
        ("locked", None, 2), ("migrating", 40, 40), ("timed_out", None, 5),
        ("unavailable", 7, 7),
    )  # fmt: skip
    for kind, told, wait in cases:
        watch = Watch()
        hubspot_reading.fault(kind, seconds=told)
        crm = timed(hubspot_reading, watch)
        hubspot_reading.must_be_whole(hubspot_reading.pulled(crm))
        assert watch.now == pytest.approx(wait), kind


def test_a_move_that_takes_a_day_is_not_sat_out(hubspot_reading: Reading) -> None:
    watch = Watch()
    hubspot_reading.fault("migrating", seconds=80_000)
    _, error = hubspot_reading.until_it_stops(timed(hubspot_reading, watch))
    assert isinstance(error, TransientError)
    assert watch.slept == []
    assert "80000 s" in str(error)


def test_salesforce_s_crowd_is_outwaited(salesforce_reading: Reading) -> None:
    """Whatever its code says: 429, and the 403 of too many long calls at once."""
    for about in ("", "ConcurrentPerOrgLongTxn", "ConcurrentRequests"):
        salesforce_reading.must_survive("throttled", about=about)


def test_salesforce_s_crowd_makes_every_thread_wait(
    salesforce_reading: Reading,
) -> None:
    retry = RetrySettings(attempts=3, first_wait_seconds=0.05)
    salesforce_reading.fault("throttled", about="ConcurrentPerOrgLongTxn")
    began = time.monotonic()
    crm = salesforce_reading.connected(retry=retry)
    salesforce_reading.must_be_whole(salesforce_reading.pulled(crm))
    assert time.monotonic() - began >= 5 * 0.05


@pytest.mark.parametrize("kind", ["throttled", "unavailable"])
def test_salesforce_s_retry_after_is_waited_for(salesforce: Org, kind: str) -> None:
    reading = Reading.of(READING[0], salesforce)
    reading.fault(kind, seconds=0.7)
    began = time.monotonic()
    reading.must_be_whole(reading.pulled())
    assert time.monotonic() - began >= 0.7


def test_a_crowd_that_stays_is_a_transient_error(org: Org) -> None:
    org.fault("throttled", at=2, calls=99, seconds=0.01)
    before = org.calls
    with pytest.raises(TransientError) as caught:
        list(connected(org, retry=TWICE).pull("account"))
    assert not isinstance(caught.value, QuotaSpentError)
    assert org.calls - before == 1 + 3


# A slow CRM


def test_four_tables_of_a_slow_crm_take_about_the_time_of_the_longest(
    org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Latency must not add up: no table waits for the answer that another waits for."""
    more = {"salesforce": ("stage", "owner"), "hubspot": ("ticket", "enquiry")}
    tables = ("account", "opportunity", *more[org.crm])
    crm = org.connected(tables=tables)
    crm.tables(), crm.org()  # not what is held up
    page = {"salesforce": "/query", "hubspot": "/objects/"}[org.crm]
    together, places = threading.Barrier(len(tables)), itertools.count()
    alone: list[str] = []
    answer = org.there._server._answer

    def held(request: Request) -> Reply | None:
        if page in request.path and next(places) < len(tables):
            try:
                together.wait(timeout=20)
            except threading.BrokenBarrierError:
                alone.append(request.path)
        return answer(request)

    monkeypatch.setattr(org.there._server, "_answer", held)
    book = pull(crm, as_of=date(2026, 6, 30))
    assert len(book["account"]) == len(org.ids)
    assert alone == []


def test_a_slow_call_is_given_up_and_made_again(reading: Reading) -> None:
    """The server is not done when the client has already left."""
    reading.fault("slow", seconds=1.0)
    crm = reading.connected(timeout=(1.0, 0.3))
    began = time.monotonic()
    reading.must_be_whole(reading.pulled(crm))
    assert time.monotonic() - began < 5


def test_patience_longer_than_the_crm_is_slow_costs_no_call(reading: Reading) -> None:
    reading.must_survive("slow", seconds=0.3, more=0)
