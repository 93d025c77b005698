"""Where a store takes no conditions, what is promised is less, and it is said."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import fsspec
import pytest
from shelves import BEGIN

from crm_portfolio.archive import Archive, Segment
from crm_portfolio.errors import LockHeldError, SettingsError
from crm_portfolio.protocols import Org

ORG = Org("salesforce", "00D1", True, "EUR", "UTC")
RUN = "0a1b2c3d4e5f"


@pytest.fixture
def memory() -> str:
    return f"memory://{secrets.token_hex(6)}/archive"


@pytest.fixture(params=["folder", "s3"])
def unlocked(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An address of which nobody promises anything."""
    if request.param == "folder":
        return f"unlocked+{(tmp_path / 'archive').as_uri()}"
    return f"unlocked+{request.getfixturevalue('s3')}"


def test_a_run_without_any_promise_is_whole_all_the_same(
    unlocked: str, short_run: Callable[..., None]
) -> None:
    archive = Archive(unlocked)
    with archive.lock(ORG, RUN) as lease:
        short_run(archive, RUN)
        lease.check()
        with pytest.raises(LockHeldError, match=f"run {RUN}"):
            archive.lock(ORG, "ffff").__enter__()
    archive.note_quiet("20260701-0a1b", ORG, as_of=date(2026, 7, 1), population=3)
    report = archive.verify()
    assert [(run.state, run.segments) for run in report.runs] == [("whole", 6)]
    assert report.quiet_nights == 1
    assert archive.holds(RUN)
    assert not archive.holds("ffff")
    with pytest.raises(LockHeldError):
        archive.append(RUN, "begin", {}, after=archive.segments(RUN)[0])


def test_a_file_of_it_is_there_whole_or_not_at_all(
    tmp_path: Path, short_run: Callable[..., None]
) -> None:
    archive = Archive(f"unlocked+{tmp_path.as_uri()}")
    short_run(archive, RUN)
    written = Archive(tmp_path)
    assert written.verify().exit_code == 0
    assert not list(tmp_path.rglob("*.tmp"))
    assert written.journal(RUN) == archive.journal(RUN)


def test_what_it_refuses_is_told_with_the_address(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    archive = Archive(f"unlocked+{(tmp_path / 'file').as_uri()}")
    with pytest.raises(SettingsError, match=r"unlocked\+file://.* cannot be used"):
        archive.keep_plan(RUN, b"the plan")


def test_in_memory_one_thread_gets_a_number(
    memory: str, written: Callable[..., Segment | None]
) -> None:
    archive = Archive(memory)
    begun = written(archive, ("begin", BEGIN), run=RUN)

    def append(at: int) -> bool:
        content = {"send": [], "left": [], "who": at}
        try:
            Archive(memory).append(RUN, "intent", content, after=begun)
        except LockHeldError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        got = list(threads.map(append, range(8)))
    assert got.count(True) == 1
    assert archive.segments(RUN)[1].content["who"] == got.index(True)


def test_what_is_in_memory_is_seen_by_fsspec(
    memory: str, short_run: Callable[..., None]
) -> None:
    """So that the test of a job can look at what the job kept."""
    short_run(Archive(memory), RUN)
    files = fsspec.filesystem("memory")
    place = memory.removeprefix("memory:/")
    assert files.exists(f"{place}/runs/{RUN}/000006.json")
