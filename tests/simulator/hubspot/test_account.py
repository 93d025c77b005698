"""Which portal is this, and how much of its day is left?"""

from __future__ import annotations

import pytest

from crm_portfolio import samples
from crm_portfolio.simulator.hubspot import HubSpot


@pytest.fixture(scope="module")
def running():
    with HubSpot(
        samples.odd_book(), currency="EUR", time_zone="Europe/Paris",
        limits_by="nothing", daily_limit=10,
    ) as portal:  # fmt: skip
        yield portal


@pytest.fixture(params=["/account-info/v3", "/account-info/2026-09"])
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_details_tell_zone_and_currencies(raw, portal, path):
    told = raw("GET", f"{path}/details").json()
    assert told["portalId"] == portal.portal_id
    assert (told["timeZone"], told["companyCurrency"]) == ("Europe/Paris", "EUR")
    assert sorted(told["additionalCurrencies"]) == ["JPY", "USD"]
    assert (told["utcOffset"], told["utcOffsetMilliseconds"]) == ("+02:00", 7_200_000)
    portal.clock.advance(180 * 86_400)
    assert raw("GET", f"{path}/details").json()["utcOffset"] == "+01:00"


def test_the_usage_of_the_day_is_counted_until_midnight_there(raw, portal, path):
    def usage():
        answer = raw("GET", f"{path}/api-usage/daily/private-apps")
        return answer.json()["results"][0]

    first, second = usage(), usage()
    assert (first["currentUsage"], second["currentUsage"]) == (1, 2)
    assert first["usageLimit"] == 10
    assert first["resetsAt"] == "2026-07-01T22:00:00.000Z"
    portal.clock.advance(20 * 3_600)
    assert usage()["currentUsage"] == 1
