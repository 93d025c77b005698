"""An archive of a few short runs, written as an apply writes them, wherever it lies."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from shelves import BEGIN, Between, S3Server, Shelf, environment

from crm_portfolio.archive import Archive, Segment

RUN = "0a1b2c3d4e5f"
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
def between(
    s3: str, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Between]:
    """What the archive of this test says to the server goes through here."""
    with Between(s3_server).standing() as standing:
        for name, value in environment(standing.port).items():
            monkeypatch.setenv(name, value)
        yield standing


@pytest.fixture(params=["folder", "memory", "s3"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Archive:
    """An empty archive: what holds of one place holds of all."""
    match request.param:
        case "folder":
            return Archive(tmp_path / "archive")
        case "memory":
            return Archive(f"memory://{secrets.token_hex(6)}/archive")
        case _:
            return Archive(request.getfixturevalue("s3"))


@pytest.fixture
def shelf(archive: Archive) -> Shelf:
    """Its files, for one who reaches into the place."""
    return Shelf(archive)


@pytest.fixture(scope="session")
def written() -> Callable[..., Segment | None]:
    return write


@pytest.fixture(scope="session")
def short_run() -> Callable[..., None]:
    return a_run
