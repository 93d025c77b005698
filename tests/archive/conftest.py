"""An archive of a few short runs, written as an apply writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from crm_portfolio.archive import Archive, Segment

RUN = "0a1b2c3d4e5f"
BEGIN = {
    "org": {
        "vendor": "salesforce",
        "org_id": "00D1",
        "is_sandbox": True,
        "currency": "EUR",
        "time_zone": "UTC",
    },
    "as_of": "2026-06-30",
    "portfolio_id": "p1",
    "settings_digest": "s1",
    "library_version": "1",
    "population": 10,
    "undoes": "",
    "change_count": 4,
}
TIER_A = ["001A", "tier", None, "A"]
TIER_B = ["001B", "tier", "A", "B"]
SINCE = ["001B", "tier_since_on", None, "2026-06-30"]
WHOLE = (
    ("begin", BEGIN),
    ("intent", {"send": [TIER_A], "left": []}),
    ("outcome", {"intent": 2, "results": [["written", ""]]}),
    ("intent", {"send": [TIER_B, SINCE], "left": []}),
    ("outcome", {"intent": 4, "results": [["rejected", "LOCKED"], ["written", ""]]}),
    ("end", {"interrupted": ""}),
)


def write(
    archive: Archive, *told: tuple[str, Mapping[str, Any]], run: str = RUN
) -> Segment | None:
    """These segments as a run of the archive."""
    archive.keep_plan(run, f"the plan {run}".encode())
    after: Segment | None = None
    for kind, content in told:
        after = archive.append(run, kind, content, after=after)  # type: ignore[arg-type]
    return after


def a_run(archive: Archive, run: str = RUN) -> None:
    write(archive, *WHOLE, run=run)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


@pytest.fixture(scope="session")
def written() -> Callable[..., Segment | None]:
    return write


@pytest.fixture(scope="session")
def short_run() -> Callable[..., None]:
    return a_run
