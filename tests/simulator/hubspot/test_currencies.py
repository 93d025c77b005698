"""In which currencies does the portal count, and at which rates?"""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from crm_portfolio import samples
from crm_portfolio.simulator.hubspot import Assumptions, HubSpot


@pytest.fixture(scope="module")
def running():
    with HubSpot(
        samples.odd_book(),
        currency="EUR",
        time_zone="Europe/Paris",
        limits_by="nothing",
    ) as portal:
        yield portal


@pytest.fixture(params=["/settings/v3/currencies", "/settings/currencies/2026-09"])
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_currency_of_the_deals_is_known(raw, path):
    codes = raw("GET", f"{path}/codes").json()["results"]
    assert {each["currencyCode"] for each in codes} == {"EUR", "USD", "JPY"}
    own = raw("GET", f"{path}/company-currency").json()
    assert own["currencyCode"] == "EUR"


def test_rates_are_told_with_the_moment_from_which_they_hold(raw, path):
    rates = raw("GET", f"{path}/exchange-rates").json()["results"]
    told = [
        (r["fromCurrencyCode"], r["effectiveAt"], r["conversionRate"]) for r in rates
    ]
    assert told == [
        ("JPY", "2022-12-31T23:00:00Z", 0.006),
        ("JPY", "2024-12-31T23:00:00Z", 0.0065),
        ("USD", "2022-12-31T23:00:00Z", 0.9),
        ("USD", "2024-05-31T22:00:00Z", 0.95),
    ]
    assert {rate["toCurrencyCode"] for rate in rates} == {"EUR"}


def test_the_current_rate_is_the_last_that_has_begun(raw, path):
    rates = raw("GET", f"{path}/exchange-rates/current").json()["results"]
    now = {rate["fromCurrencyCode"]: rate["conversionRate"] for rate in rates}
    assert now == {"JPY": 0.0065, "USD": 0.95}


def test_rates_from_the_portals_currency_are_turned_round(talk):
    rates = pa.table(
        {
            "currency": ["EUR"],
            "base": ["USD"],
            "from_on": [date(2020, 1, 1)],
            "rate": [1.25],
        }
    )
    with HubSpot({"exchange_rate": rates}, currency="EUR") as portal:
        path = "/settings/v3/currencies/exchange-rates"
        (rate,) = talk(portal)("GET", path).json()["results"]
    assert (rate["fromCurrencyCode"], rate["conversionRate"]) == ("USD", 0.8)


def test_the_direction_of_a_rate_is_not_known(talk):
    rates = pa.table(
        {
            "currency": ["USD"],
            "base": ["EUR"],
            "from_on": [date(2020, 1, 1)],
            "rate": [0.8],
        }
    )
    assumptions = Assumptions(rates_lead="from_company")
    with HubSpot(
        {"exchange_rate": rates}, currency="EUR", assumptions=assumptions
    ) as portal:
        path = "/settings/v3/currencies/exchange-rates"
        (rate,) = talk(portal)("GET", path).json()["results"]
    pair = (rate["fromCurrencyCode"], rate["toCurrencyCode"])
    assert (pair, rate["conversionRate"]) == (("EUR", "USD"), 1.25)


def test_currencies_need_their_scope(raw, portal, path):
    portal.revoke_scope("settings.currencies.read")
    assert raw("GET", f"{path}/codes").status_code == 403
