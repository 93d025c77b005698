"""A disk without room stops a run before the CRM is touched, and the archive stays whole."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from crm_portfolio.archive import Archive

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit"),
    pytest.mark.parametrize("archive", ["folder"], indirect=True),
]

# The kernel refuses to let a file grow beyond so many bytes, as a full disk does.
RUN = """
    import resource, sys
    from crm_portfolio.archive import Archive
    from crm_portfolio.errors import SettingsError
    from crm_portfolio.protocols import Org
    folder, room = sys.argv[1], int(sys.argv[2])
    begin = {
        "org": {"vendor": "salesforce", "org_id": "00D1", "is_sandbox": True,
                "currency": "EUR", "time_zone": "UTC"},
        "as_of": "2026-06-30", "portfolio_id": "p1", "settings_digest": "s1",
        "library_version": "1", "population": 10, "undoes": "", "change_count": 400,
    }
    send = [[f"001{n}", "tier", None, "A"] for n in range(400)]
    archive = Archive(folder)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    try:
        with archive.lock(Org("salesforce", "00D1", True, "EUR", "UTC"), "0a1b") as lease:
            archive.keep_plan("0a1b", b"the plan")
            known = archive.segments("0a1b")
            last = archive.append(
                "0a1b", "begin", begin, after=known[-1] if known else None
            )
            lease.check()
            sent = archive.append("0a1b", "intent", {"send": send, "left": []}, after=last)
            print("sent", flush=True)
            results = [["written", ""]] * len(send)
            told = {"intent": sent.number, "results": results}
            last = archive.append("0a1b", "outcome", told, after=sent)
            archive.append("0a1b", "end", {"interrupted": ""}, after=last)
    except SettingsError as error:
        print(error, flush=True)
        sys.exit(error.exit_code)
"""


def run(archive: Archive, room: int) -> subprocess.CompletedProcess[str]:
    code = textwrap.dedent(RUN)
    command = [sys.executable, "-c", code, str(archive.folder), str(room)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.parametrize("room", [0, 4, 100, 450, 700, 2_000])
def test_nothing_is_sent_whose_intent_has_no_room(archive: Archive, room: int) -> None:
    done = run(archive, room)
    assert done.returncode == 2, done.stderr
    assert "with room on its disk; then do the same again" in done.stdout
    assert "sent" not in done.stdout.splitlines()


@pytest.mark.parametrize("room", [4, 100, 450, 700, 2_000])
def test_what_the_full_disk_left_is_no_damage_and_the_run_goes_on(
    archive: Archive, room: int
) -> None:
    run(archive, room)
    if archive.runs():
        assert archive.verify().exit_code == 0
    assert run(archive, 10**9).returncode == 0
    report = archive.verify()
    assert [each.state for each in report.runs] == ["whole"], report
    assert archive.journal("0a1b").counts == {"written": 400}


def test_no_half_written_file_is_left(archive: Archive, tmp_path: Path) -> None:
    run(archive, 700)
    assert not list(archive.folder.rglob("*.tmp"))
