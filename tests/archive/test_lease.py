"""One run at a time is at an org, however another one ended or stands still."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import attrs
import pytest
from shelves import Shelf

from crm_portfolio import _storage
from crm_portfolio.archive import Archive
from crm_portfolio.archive._lease import folder_name, take
from crm_portfolio.archive._place import Place
from crm_portfolio.errors import DamagedFileError, LockHeldError, SettingsError
from crm_portfolio.protocols import Org

ORG = Org("salesforce", "00D000000000001", True, "EUR", "UTC")
SHORT = 1.2  # seconds a lease lasts here
in_a_folder = pytest.mark.parametrize("archive", ["folder"], indirect=True)
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


def lease_files(archive: Archive) -> list[Shelf]:
    files = (Shelf(archive) / "locks").files()
    return [file for file in files if file.name.endswith(".json")]


def test_a_second_run_is_told_who_holds_the_org(archive: Archive) -> None:
    with archive.lock(ORG, "0a1b2c"), pytest.raises(LockHeldError) as caught:
        archive.lock(ORG, "ffff").__enter__()
    assert caught.value.exit_code == 6
    told = str(caught.value)
    assert told.startswith(f"{ORG} is in the hands of another run: run 0a1b2c (")
    assert f"process {os.getpid()} on " in told
    assert " UTC). Nothing was changed by this one" in told


def test_a_run_that_ended_leaves_the_org_free(archive: Archive) -> None:
    for _ in range(3):
        with archive.lock(ORG, "0a1b2c") as lease:
            lease.check()
            assert lease.run_id == "0a1b2c"
    assert len(lease_files(archive)) == 1


def test_a_run_that_failed_leaves_the_org_free(archive: Archive) -> None:
    with pytest.raises(ZeroDivisionError), archive.lock(ORG):
        raise ZeroDivisionError
    with archive.lock(ORG):
        pass


def test_two_orgs_are_held_at_once(archive: Archive) -> None:
    production = attrs.evolve(ORG, is_sandbox=False)
    with archive.lock(ORG), archive.lock(production):
        pass


@pytest.mark.parametrize("archive", ["folder", "s3"], indirect=True)
def test_a_living_holder_keeps_the_org_however_long_a_batch_takes(
    archive: Archive,
) -> None:
    with archive.lock(ORG, lease_seconds=SHORT) as lease:
        time.sleep(3 * SHORT)
        with pytest.raises(LockHeldError):
            archive.lock(ORG).__enter__()
        lease.check()


@pytest.mark.parametrize("hours", [-30, 30])
def test_a_holder_whose_clock_jumped_is_still_seen_to_live(
    archive: Archive, hours: int
) -> None:
    def jumped():
        return _storage.now() + timedelta(hours=hours)

    folder = archive.root / "org"
    with take(folder, ORG, "0a1b", seconds=SHORT, clock=jumped).kept() as lease:
        with pytest.raises(LockHeldError):
            take(folder, ORG, "ffff", seconds=SHORT)
        lease.check()


@pytest.mark.parametrize("hours", [-30, 30])
def test_a_holder_on_another_machine_is_watched_when_the_clocks_disagree(
    archive: Archive, hours: int
) -> None:
    """No lock of this machine tells; the lease alone does."""
    folder = archive.root / "locks" / folder_name(ORG)
    jumped = _storage.now() + timedelta(hours=hours)
    dead = elsewhere(folder, renewed_at=jumped)
    began = time.monotonic()
    with archive.lock(ORG):
        assert time.monotonic() - began >= SHORT / 2
        assert not folder.holds(dead)


def test_a_holder_on_another_machine_that_was_there_a_moment_ago_keeps_the_org(
    archive: Archive,
) -> None:
    folder = archive.root / "locks" / folder_name(ORG)
    elsewhere(folder, seconds=60)
    began = time.monotonic()
    with pytest.raises(LockHeldError, match="on otherhost"):
        archive.lock(ORG).__enter__()
    assert time.monotonic() - began < 5


def elsewhere(folder: Place, **told: object) -> str:
    """The lease of a run on another machine, as it stands on a share."""
    from crm_portfolio.archive import _lease

    lease = take(folder, ORG, "0a1b", seconds=SHORT)
    there = attrs.evolve(lease._holder, host="otherhost", kernel="another boot", **told)
    lease._release()
    file = f"{there.number:06d}.json"
    folder.replace(file, _lease._sealed(ORG, there))
    return file


def test_a_lease_that_is_altered_is_refused_with_a_way_to_mend_it(
    archive: Archive,
) -> None:
    with archive.lock(ORG):
        pass
    (file,) = lease_files(archive)
    file.write_bytes(file.read_bytes().replace(b'"released":true', b'"released":fals'))
    spoiled = {**json.loads(file.read_bytes()), "pid": 1}
    file.write_bytes(json.dumps(spoiled).encode())
    with pytest.raises(DamagedFileError, match="then delete this file"):
        archive.lock(ORG).__enter__()
    file.unlink()
    with archive.lock(ORG):
        pass


def test_a_lease_that_was_removed_ends_its_run(archive: Archive) -> None:
    with archive.lock(ORG) as lease:
        lease_files(archive)[0].unlink()
        with pytest.raises(LockHeldError, match="its lease was removed"):
            lease.check()


def test_an_org_id_cannot_lead_out_of_the_folder(archive: Archive) -> None:
    hostile = attrs.evolve(ORG, org_id="../../../etc/\x00passwd" + "x" * 300)
    with archive.lock(hostile):
        assert len(lease_files(archive)) == 1


@posix
@in_a_folder
def test_only_its_owner_can_read_a_lease(archive: Archive) -> None:
    with archive.lock(ORG):
        for path in archive.folder.glob("locks/*/*"):
            assert path.stat().st_mode & 0o777 == 0o600


def test_a_lease_that_cannot_be_stored_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="cannot be used"):
        Archive(tmp_path / "file").lock(ORG).__enter__()


@pytest.mark.parametrize("has_begun", [False, True])
def test_the_error_crosses_processes(has_begun: bool) -> None:
    error = LockHeldError("the org", "run 1", has_begun)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


Worker = Callable[..., subprocess.Popen[str]]

# Holds the org and "writes" a batch a moment, each a line of a file.
WORKER = """
    import sys, time
    from crm_portfolio.archive import Archive
    from crm_portfolio.errors import LockHeldError
    from crm_portfolio.protocols import Org
    folder, run_id, seconds, count, batches = sys.argv[1:]
    org = Org("salesforce", "00D000000000001", True, "EUR", "UTC")
    try:
        with Archive(folder).lock(org, run_id, lease_seconds=float(seconds)) as lease:
            for batch in range(int(count)):
                lease.check()
                with open(batches, "a") as file:
                    print(batch, file=file)
                if not batch:
                    print("here", flush=True)
                time.sleep(0.005)
    except LockHeldError as error:
        print(error, flush=True)
        sys.exit(error.exit_code)
"""


@pytest.fixture
def batches(tmp_path: Path) -> Path:
    return tmp_path / "batches"


@pytest.fixture
def worker(archive: Archive, batches: Path) -> Iterator[Worker]:
    """A process of its own that is at the org."""
    started: list[subprocess.Popen[str]] = []

    def start(*, seconds: float = 60, count: int = 10_000) -> subprocess.Popen[str]:
        code = textwrap.dedent(WORKER)
        told = map(str, (archive, "0a1b", seconds, count, batches))
        process = subprocess.Popen(
            [sys.executable, "-c", code, *told], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def here(process: subprocess.Popen[str]) -> subprocess.Popen[str]:
    """The process, once it holds the org."""
    assert process.stdout
    assert process.stdout.readline() == "here\n"
    return process


@posix
@in_a_folder
def test_a_process_that_was_killed_leaves_the_org_at_once(
    archive: Archive, worker: Worker
) -> None:
    process = here(worker())
    process.kill()
    process.wait()
    began = time.monotonic()
    with archive.lock(ORG, "ffff"):
        assert time.monotonic() - began < 10


@posix
@pytest.mark.parametrize("archive", ["s3"], indirect=True)
def test_in_a_store_a_process_that_was_killed_leaves_the_org_with_its_lease(
    archive: Archive, worker: Worker
) -> None:
    """No lock of this machine tells."""
    for seconds in (0.6, 60):
        process = here(worker(seconds=seconds))
        process.kill()
        process.wait()
        if seconds == 60:
            with pytest.raises(LockHeldError, match=f"process {process.pid} on"):
                archive.lock(ORG, "ffff").__enter__()
        else:
            time.sleep(seconds)


@posix
@pytest.mark.parametrize("archive", ["folder", "s3"], indirect=True)
class TestAnotherProcess:
    def test_that_works_keeps_the_org(self, archive: Archive, worker: Worker) -> None:
        process = here(worker())
        with pytest.raises(LockHeldError, match=f"run 0a1b .process {process.pid} on"):
            archive.lock(ORG, "ffff").__enter__()

    def test_that_is_stopped_for_a_moment_keeps_the_org(
        self, archive: Archive, worker: Worker
    ) -> None:
        here(worker()).send_signal(signal.SIGSTOP)
        with pytest.raises(LockHeldError):
            archive.lock(ORG, "ffff").__enter__()

    def test_that_stands_still_finishes_the_batch_in_flight_and_no_other(
        self, archive: Archive, worker: Worker, batches: Path
    ) -> None:
        process = here(worker(seconds=0.4))
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.5)
        with archive.lock(ORG, "ffff") as lease:
            before = len(batches.read_text().splitlines())
            process.send_signal(signal.SIGCONT)
            told, _ = process.communicate()
            assert process.returncode == 6
            assert len(batches.read_text().splitlines()) - before <= 1
            lease.check()
        assert "run ffff" in told
        assert "what it wrote is in its journal, and it writes nothing more" in told

    def test_of_several_that_start_at_once_one_gets_it(self, worker: Worker) -> None:
        several = [worker(count=300) for _ in range(3)]
        told = [process.communicate()[0] for process in several]
        codes = sorted(process.returncode for process in several)
        assert codes == [0, 6, 6], told
