"""Serves a pretend CRM until its standard input closes; switches come as JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

from benchmarks._book import book
from crm_portfolio import simulator
from crm_portfolio.simulator.salesforce import Assumptions


def main() -> None:
    crm, records = sys.argv[1], int(sys.argv[2])
    kinds = {"salesforce": simulator.Salesforce, "hubspot": simulator.HubSpot}
    switches: dict[str, Any] = {"daily_limit": 10_000_000, "currency": "EUR"}
    more = json.loads(sys.argv[3])
    if crm == "hubspot":
        switches["limits_by"] = "nothing"
    elif "assumptions" in more:
        more["assumptions"] = Assumptions(**more["assumptions"])
    with kinds[crm](book(records), **switches, **more) as pretend:
        print(json.dumps(dict(pretend.environment)), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
