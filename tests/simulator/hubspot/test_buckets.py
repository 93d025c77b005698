"""How many calls there are: in ten seconds, in a second of searching, in a day."""

from __future__ import annotations

import time

import pytest
import requests

from crm_portfolio.simulator.hubspot import Assumptions, HubSpot


def _list(raw):
    return raw("GET", "objects/tickets")


@pytest.fixture
def by_clock(tables):
    with HubSpot(tables, limits_by="clock") as portal:
        yield portal


@pytest.mark.parametrize(
    ("tier", "add_ons", "burst", "daily"),
    [
        ("free", 0, 100, 250_000),
        ("starter", 0, 100, 250_000),
        ("pro", 0, 190, 625_000),
        ("enterprise", 0, 190, 1_000_000),
        ("pro", 1, 250, 1_625_000),
        ("enterprise", 2, 250, 3_000_000),
    ],
)
def test_the_tier_sets_the_limits_and_headers_tell_them(
    talk, tier, add_ons, burst, daily
):
    with HubSpot(tier=tier, add_ons=add_ons, limits_by="clock") as portal:
        headers = _list(talk(portal)).headers
    assert headers["X-HubSpot-RateLimit-Max"] == str(burst)
    assert headers["X-HubSpot-RateLimit-Remaining"] == str(burst - 1)
    assert headers["X-HubSpot-RateLimit-Interval-Milliseconds"] == "10000"
    assert headers["X-HubSpot-RateLimit-Daily"] == str(daily)
    assert headers["X-HubSpot-RateLimit-Daily-Remaining"] == str(daily - 1)


def test_the_call_too_many_in_ten_seconds_is_refused(by_clock, talk):
    raw = talk(by_clock)
    assert {_list(raw).status_code for _ in range(190)} == {200}
    answer = _list(raw)
    assert answer.status_code == 429
    assert answer.json()["policyName"] == "TEN_SECONDLY_ROLLING"
    assert answer.json()["errorType"] == "RATE_LIMIT"
    assert answer.headers["Retry-After"] == "10"
    assert answer.headers["X-HubSpot-RateLimit-Remaining"] == "0"
    by_clock.clock.advance(9)
    assert _list(raw).status_code == 429
    by_clock.clock.advance(1)
    assert _list(raw).status_code == 200


def test_the_window_rolls(by_clock, talk):
    raw = talk(by_clock)
    for _ in range(100):
        _list(raw)
    by_clock.clock.advance(6)
    for _ in range(90):
        _list(raw)
    by_clock.clock.advance(4)
    assert [_list(raw).status_code for _ in range(101)] == [200] * 100 + [429]


def test_by_default_the_window_runs_on_real_time(talk):
    with HubSpot(tier="starter") as portal:
        raw = talk(portal)
        assert {_list(raw).status_code for _ in range(100)} == {200}
        portal.clock.advance(60)
        assert _list(raw).status_code == 429


def test_five_searches_a_second_and_no_word_of_it_in_headers(by_clock, talk):
    raw = talk(by_clock)
    answers = [raw.search("tickets") for _ in range(6)]
    assert [a.status_code for a in answers] == [200] * 5 + [429]
    assert not any("ratelimit" in name.lower() for a in answers for name in a.headers)
    assert answers[5].json()["policyName"] == "SECONDLY"
    assert _list(raw).status_code == 200
    by_clock.clock.advance(1)
    assert raw.search("tickets").status_code == 200


def test_a_real_second_later_searches_go_on(talk):
    with HubSpot() as portal:
        raw = talk(portal)
        while raw.search("tickets").status_code == 200:
            pass
        time.sleep(1.05)
        assert raw.search("tickets").status_code == 200


def test_searches_may_tell_the_day_as_was_recorded(talk):
    told = Assumptions(search_tells_day=True)
    with HubSpot(assumptions=told) as portal:
        headers = talk(portal).search("tickets").headers
    assert "X-HubSpot-RateLimit-Daily-Remaining" in headers
    assert "X-HubSpot-RateLimit-Remaining" not in headers


def test_a_429_may_tell_less(talk):
    terse = Assumptions(retry_after=False, rate_error="category")
    with HubSpot(limits_by="clock", assumptions=terse) as portal:
        raw = talk(portal)
        answer = [raw.search("tickets") for _ in range(6)][5]
    assert answer.status_code == 429
    assert "Retry-After" not in answer.headers
    assert answer.json()["category"] == "RATE_LIMITS"
    assert "policyName" not in answer.json()


def test_a_portal_without_short_limits_tells_of_the_day_only(talk):
    with HubSpot(limits_by="nothing") as portal:
        raw = talk(portal)
        answers = [_list(raw) for _ in range(200)]
    assert {answer.status_code for answer in answers} == {200}
    told = {name.lower() for answer in answers for name in answer.headers}
    assert {name for name in told if "ratelimit" in name} == {
        "x-hubspot-ratelimit-daily",
        "x-hubspot-ratelimit-daily-remaining",
    }


def test_the_day_ends_at_midnight_where_the_portal_is(talk):
    zone = "America/New_York"  # the clock begins at 22:00 there
    with HubSpot(time_zone=zone, daily_limit=3, limits_by="nothing") as portal:
        raw = talk(portal)
        assert [_list(raw).status_code for _ in range(4)] == [200, 200, 200, 429]
        answer = raw.search("tickets")
        assert answer.status_code == 429
        assert answer.json()["policyName"] == "DAILY"
        assert answer.headers["Retry-After"] == "7200"
        portal.clock.advance(7_199)
        assert _list(raw).status_code == 429
        portal.clock.advance(1)
        assert _list(raw).status_code == 200


def test_oauth_has_a_limit_of_its_own_outside_the_day(talk):
    with HubSpot(daily_limit=1, limits_by="clock") as portal:
        told = portal.environment_for("oauth")
        form = {
            "grant_type": "refresh_token",
            "client_id": told["HUBSPOT_CLIENT_ID"],
            "client_secret": told["HUBSPOT_CLIENT_SECRET"],
            "refresh_token": told["HUBSPOT_REFRESH_TOKEN"],
        }
        url = f"{portal.url}/oauth/v1/token"
        token = requests.post(url, data=form, timeout=10).json()["access_token"]
        raw = talk(portal)
        raw.session.headers["Authorization"] = f"Bearer {token}"
        answers = [_list(raw) for _ in range(111)]
    assert [a.status_code for a in answers] == [200] * 110 + [429]
    assert answers[0].headers["X-HubSpot-RateLimit-Max"] == "110"
    assert "X-HubSpot-RateLimit-Daily" not in answers[0].headers


def test_without_limits_nothing_is_refused(portal, raw):
    assert {_list(raw).status_code for _ in range(200)} == {200}
    assert {raw.search("tickets").status_code for _ in range(10)} == {200}
