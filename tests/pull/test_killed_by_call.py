"""Killed at any call and run again, does a pull end in the same bytes, for a page more?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from crm_portfolio import samples
from crm_portfolio.simulator import HubSpot, Salesforce
from crm_portfolio.simulator.salesforce import Bulk

SCRIPT = Path(__file__).with_name("killed_by_call.py")
BOOK = samples.book(accounts=310, opportunities=930)
# Routes that give pages of records, and are not asked once a run for the org itself.
PAGES = {
    "salesforce": ("GET query", "GET jobs/query/{id}/results"),
    "hubspot": ("GET objects/{t}", "POST objects/{t}/search"),
}
# What a run asks before its first page: who we are, in SOQL.
BEFORE = {"salesforce": 1, "hubspot": 0}
WAYS: Mapping[str, tuple[str, Callable[[], Any], Mapping[str, object]]] = {
    "rest": (
        "salesforce",
        lambda: Salesforce(BOOK.tables, currency="EUR"),
        {"bulk": "never", "page_size": 200},
    ),
    "bulk": (
        "salesforce",
        lambda: Salesforce(BOOK.tables, currency="EUR", bulk=Bulk(page_rows=200)),
        {"bulk": "always", "bulk_page_rows": 200},
    ),
    "list": (
        "hubspot",
        lambda: HubSpot(BOOK.tables, currency="EUR", limits_by="nothing"),
        {"exports": "never", "burst_calls": 10_000},
    ),
}
pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no fork")


@pytest.mark.parametrize("way", WAYS)
def test_killed_at_any_call_it_ends_in_the_same_bytes_for_one_page_more(
    way: str, tmp_path: Path
) -> None:
    crm, begin, settings = WAYS[way]
    with begin() as pretend:
        done = subprocess.run(
            [sys.executable, SCRIPT, crm, tmp_path, json.dumps(settings)],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, **pretend.environment},
            timeout=300,
        )
    assert done.returncode == 0, done.stderr
    unbroken, *deaths = [json.loads(line) for line in done.stdout.splitlines()]
    assert unbroken["codes"] == [0], done.stderr
    assert len(deaths) == sum(_api(unbroken["calls"]).values())
    allowed = _pages(crm, unbroken["calls"]) + BEFORE[crm] + 1
    for death in deaths:
        assert death["codes"] == [-9, 0], (death, done.stderr)
        assert death["sum"] == unbroken["sum"], death
        assert _pages(crm, death["calls"]) <= allowed, death


def _api(calls: Mapping[str, int]) -> dict[str, int]:
    return {route: count for route, count in calls.items() if "oauth" not in route}


def _pages(crm: str, calls: Mapping[str, int]) -> int:
    return sum(
        count
        for route, count in calls.items()
        if any(route.startswith(page) for page in PAGES[crm])
    )
