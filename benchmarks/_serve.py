"""Serves a pretend CRM until its standard input closes."""

from __future__ import annotations

import json
import sys
from typing import Any

from benchmarks._book import book
from crm_portfolio import simulator


def main() -> None:
    crm, records = sys.argv[1], int(sys.argv[2])
    kinds = {"salesforce": simulator.Salesforce, "hubspot": simulator.HubSpot}
    switches: dict[str, Any] = (
        {"daily_limit": 10_000_000}
        if crm == "salesforce"
        else {"limits_by": "nothing", "daily_limit": 10_000_000}
    )
    with kinds[crm](book(records), currency="EUR", **switches) as pretend:
        print(json.dumps(dict(pretend.environment)), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
