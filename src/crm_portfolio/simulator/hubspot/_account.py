"""Which portal is this, and how much of its day is left?"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from crm_portfolio.simulator._server import Reply
from crm_portfolio.simulator.hubspot._call import Call, Route
from crm_portfolio.simulator.hubspot._portal import Portal
from crm_portfolio.simulator.hubspot._refusal import json_reply
from crm_portfolio.simulator.hubspot._time import iso

__all__ = ["ROUTES"]

_V3: Final = "/account-info/v3"
_DATED: Final = "/account-info/2026-09"


def _details(portal: Portal, call: Call) -> Reply:
    """Recorded."""
    del call
    now = portal.clock.now.astimezone(ZoneInfo(portal.time_zone))
    offset = now.utcoffset() or timedelta()
    minutes = int(offset.total_seconds()) // 60
    sign, hours = "-" if minutes < 0 else "+", abs(minutes)
    known = portal.currencies.get("known", [portal.currency])
    return json_reply(
        {
            "portalId": portal.portal_id,
            "accountType": "STANDARD",
            "timeZone": portal.time_zone,
            "companyCurrency": portal.currency,
            "additionalCurrencies": [c for c in known if c != portal.currency],
            "utcOffset": f"{sign}{hours // 60:02}:{hours % 60:02}",
            "utcOffsetMilliseconds": minutes * 60_000,
            "uiDomain": "app.hubspot.com",
            "dataHostingLocation": "eu1",
        }
    )


def _usage(portal: Portal, call: Call) -> Reply:
    """Vendor docs: the count of all private apps together."""
    now = iso(portal.clock.now)
    usage: dict[str, Any] = {
        "name": "private-apps-api-calls-daily",
        "usageLimit": call.daily_limit,
        "currentUsage": call.used_today,
        "collectedAt": now,
        "fetchStatus": "SUCCESS",
        "resetsAt": iso(_midnight(portal)),
    }
    return json_reply({"results": [usage]})


def _midnight(portal: Portal) -> datetime:
    """Vendor docs: the day ends at midnight in the portal's zone."""
    zone = ZoneInfo(portal.time_zone)
    tomorrow = portal.clock.now.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), zone).astimezone(ZoneInfo("UTC"))


ROUTES: Final = (
    Route("GET", f"{_V3}/details", f"{_DATED}/details", _details),
    Route(
        "GET",
        f"{_V3}/api-usage/daily/private-apps",
        f"{_DATED}/api-usage/daily/private-apps",
        _usage,
    ),
)
