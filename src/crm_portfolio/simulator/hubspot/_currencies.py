"""In which currencies does the portal count, and at which rates?

The paths are vendor docs; the bodies are unverified.
"""

from __future__ import annotations

from typing import Any, Final

from crm_portfolio.simulator._server import Reply
from crm_portfolio.simulator.hubspot._call import Call, Route
from crm_portfolio.simulator.hubspot._owned import Rate
from crm_portfolio.simulator.hubspot._portal import Portal
from crm_portfolio.simulator.hubspot._refusal import json_reply
from crm_portfolio.simulator.hubspot._values import moment_text

__all__ = ["ROUTES"]

_V3: Final = "/settings/v3/currencies"
_DATED: Final = "/settings/currencies/2026-09"
_SCOPES: Final = ("settings.currencies.read",)


def _codes(portal: Portal, call: Call) -> Reply:
    del call
    known = portal.currencies.get("known", [portal.currency])
    return json_reply(
        {"results": [{"currencyCode": code, "currencyName": code} for code in known]}
    )


def _company(portal: Portal, call: Call) -> Reply:
    del call
    return json_reply({"currencyCode": portal.currency})


def _all(portal: Portal, call: Call) -> Reply:
    """Every rate that ever was; one page."""
    del call
    rates = portal.currencies.get("rates", [])
    shown = [_shown(portal, at, rate) for at, rate in enumerate(rates, start=1)]
    return json_reply({"results": shown}, rows=len(shown))


def _current(portal: Portal, call: Call) -> Reply:
    """Of each currency the rate that holds now."""
    del call
    now = moment_text(portal.clock.now)
    latest: dict[str, dict[str, Any]] = {}
    for at, rate in enumerate(portal.currencies.get("rates", []), start=1):
        if rate.at <= now or rate.code not in latest:
            latest[rate.code] = _shown(portal, at, rate)
    return json_reply({"results": list(latest.values())}, rows=len(latest))


def _shown(portal: Portal, number: int, rate: Rate) -> dict[str, Any]:
    pair, value = (rate.code, portal.currency), rate.rate
    if portal.assumptions.rates_lead == "from_company":
        pair, value = (portal.currency, rate.code), 1 / rate.rate
    return {
        "id": str(number),
        "fromCurrencyCode": pair[0],
        "toCurrencyCode": pair[1],
        "conversionRate": value,
        "effectiveAt": rate.at,
        "visibleInUI": True,
        "createdAt": rate.at,
        "updatedAt": rate.at,
    }


ROUTES: Final = (
    Route("GET", f"{_V3}/codes", f"{_DATED}/codes", _codes, _SCOPES),
    Route(
        "GET",
        f"{_V3}/company-currency",
        f"{_DATED}/company-currency",
        _company,
        _SCOPES,
    ),
    Route(
        "GET",
        f"{_V3}/exchange-rates/current",
        f"{_DATED}/exchange-rates/current",
        _current,
        _SCOPES,
    ),
    Route("GET", f"{_V3}/exchange-rates", f"{_DATED}/exchange-rates", _all, _SCOPES),
)
