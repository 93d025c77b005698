"""Does the nightly job end in each exit code of the table, and only when it should?"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crm_portfolio import Archive, connect, samples
from crm_portfolio.simulator import Fault, Salesforce
from crm_portfolio.writeback import setup

AS_OF = "2026-06-30"
NIGHT = """
[sync]
crm = "salesforce"
folder = "books/only"

[tiers]
method = "quantiles"

[salesforce.retry]
attempts = 1
first_wait_seconds = 0
"""
TIGHT = NIGHT + "[limits]\nmax_share = 0.0\nmin_changes = 0\n"
COMMAND = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from crm_portfolio.cli import main; main()"
)
Night = Callable[..., Any]


@pytest.fixture
def night(ready: Salesforce, shell, settings_file) -> Night:
    def spend(text: str = NIGHT, *more: object):
        file = settings_file(text)
        return shell("sync", "--settings", file, "--as-of", AS_OF, *more)

    return spend


def _is_done(ready: Salesforce, night: Night, archive: Path) -> str:
    return NIGHT


def _is_answered_in_nonsense(ready: Salesforce, night: Night, archive: Path) -> str:
    there = "http://127.0.0.1:9/"
    at = ready.api_calls + 2
    ready.fault(Fault(at, "elsewhere", about=there, calls=None))
    return NIGHT


def _has_a_wrong_setting(ready: Salesforce, night: Night, archive: Path) -> str:
    return NIGHT.replace("quantiles", "quantile")


def _meets_a_field_that_refuses(ready: Salesforce, night: Night, archive: Path) -> str:
    ready.change_field("Account", "Portfolio_Tier__c", values=("A", "B", "new", "none"))
    return NIGHT


def _is_beyond_its_limits(ready: Salesforce, night: Night, archive: Path) -> str:
    assert night().exit_code == 0
    for place, record_id in enumerate([*ready.ids("opportunity").values()][:40]):
        won = {"StageName": "Closed Won", "CloseDate": "2026-05-15"}
        ready.edit("Opportunity", record_id, {**won, "Amount": 900_000 + place})
    return TIGHT


def _has_spent_its_calls(ready: Salesforce, night: Night, archive: Path) -> str:
    ready.fault(Fault(at_call=ready.api_calls + 6, kind="over_quota"))
    return NIGHT


def _finds_its_archive_altered(ready: Salesforce, night: Night, archive: Path) -> str:
    assert night().exit_code == 0
    index = archive / "index.jsonl"
    index.write_bytes(index.read_bytes().replace(b'"population":', b'"populatiom":', 1))
    return NIGHT


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        (_is_done, 0, ""),
        (_is_answered_in_nonsense, 1, "salesforce"),
        (_has_a_wrong_setting, 2, "bands, natural_breaks, quantiles"),
        (_meets_a_field_that_refuses, 3, ""),
        (_is_beyond_its_limits, 4, "--accept-changes"),
        (_has_spent_its_calls, 5, "again"),
        (_finds_its_archive_altered, 7, "index.jsonl"),
    ],
)
def test_a_night_that(
    ready: Salesforce,
    night: Night,
    tmp_path: Path,
    how: Callable[[Salesforce, Night, Path], str],
    code: int,
    said: str,
) -> None:
    text = how(ready, night, tmp_path / "archive")
    before = ready.snapshot()
    result = night(text)
    assert result.exit_code == code, result.output
    assert said in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    # What is refused or broken has written nothing.
    assert (ready.snapshot() == before) == (code not in (0, 3))


def test_a_summary_that_cannot_be_written_is_told_and_stops_no_other_org(
    ready: Salesforce,
    shell,
    settings_file,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "status").write_text("in the way", encoding="utf-8")
    orgs = (
        '[orgs.west]\nsummary = "status"\n'
        '[orgs.east]\nfolder = "books/east"\nenvironment = "EAST_"\n'
    )
    file = settings_file(NIGHT.replace('folder = "books/only"\n', "") + orgs)
    more = ("--all", "--settings", file, "--as-of", AS_OF, "--log", "json")
    with Salesforce(samples.book().tables, currency="EUR", is_sandbox=False) as east:
        setup(connect("salesforce", environment=east.environment), dry_run=False)
        for name, value in east.environment.items():
            monkeypatch.setenv(f"EAST_{name}", value)
        result = shell("sync", *more)
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr
    told = [json.loads(line) for line in result.stderr.splitlines()]
    ended = {
        each["name"]: each["exit_code"] for each in told if each["event"] == "ended"
    }
    assert ended == {"west": 0, "east": 0}
    failed = [each for each in told if each["event"] == "failed"]
    assert [(each["name"], each["error"]) for each in failed] == [
        ("west", "SettingsError")
    ]


class Held:
    """A pretend CRM whose first write waits for its answer until it is let go."""

    def __init__(self, ready: Salesforce, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.let_go = threading.Event(), threading.Event()
        self._answer = ready._server._answer  # type: ignore[union-attr]
        monkeypatch.setattr(ready._server, "_answer", self._answered)

    def _answered(self, request: Any) -> Any:
        reply = self._answer(request)
        if request.method == "PATCH" and not self.begun.is_set():
            self.begun.set()
            self.let_go.wait(120)
        return reply


@pytest.fixture
def held(
    ready: Salesforce, monkeypatch: pytest.MonkeyPatch, started: Callable[[], Any]
) -> Iterator[Held]:
    waiting = Held(ready, monkeypatch)
    yield waiting
    waiting.let_go.set()


@pytest.fixture
def started(
    ready: Salesforce, settings_file
) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Begin a night in a process of its own."""
    processes: list[subprocess.Popen[str]] = []
    file = settings_file(NIGHT)

    def start() -> subprocess.Popen[str]:
        told = ("sync", "--settings", str(file), "--as-of", AS_OF)
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *told],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize(
    ("number", "code", "states"),
    [
        # The batch in flight is finished; or its answer is not waited for.
        (signal.SIGTERM, 143, {"written"}),
        (signal.SIGINT, 130, {"unknown", "not_sent"}),
    ],
)
def test_a_night_that_is_stopped_amid_a_write_keeps_its_journal_and_the_next_one_goes_on(
    ready: Salesforce,
    held: Held,
    started: Callable[[], subprocess.Popen[str]],
    night: Night,
    tmp_path: Path,
    number: signal.Signals,
    code: int,
    states: set[str],
) -> None:
    process = started()
    assert held.begun.wait(120)
    process.send_signal(number)
    held.let_go.set()
    told = process.communicate(timeout=120)
    assert process.returncode == code, told
    assert "Traceback" not in told[1]
    archive = Archive(tmp_path / "archive")
    (run,) = archive.runs()
    journal = archive.journal(run)
    assert journal.interrupted
    assert {entry.state for entry in journal.entries} <= states
    assert len({entry.change.record_id for entry in journal.entries}) == 10
    assert archive.verify().exit_code == 0
    assert night().exit_code == 0
    done = ready.snapshot()
    assert night().exit_code == 0
    assert ready.snapshot() == done
    assert archive.verify().exit_code == 0
    assert len(archive.runs()) == 2


def test_of_two_nights_at_one_org_the_second_leaves_with_code_6_and_says_who_is_there(
    ready: Salesforce,
    held: Held,
    started: Callable[[], subprocess.Popen[str]],
    tmp_path: Path,
) -> None:
    first = started()
    assert held.begun.wait(120)
    before = ready.snapshot()
    second = started()
    told = second.communicate(timeout=120)[1]
    assert second.returncode == 6, told
    assert f"process {first.pid} " in " ".join(told.split())
    assert ready.snapshot() == before
    held.let_go.set()
    told = first.communicate(timeout=120)[1]
    assert first.returncode == 0, told
    archive = Archive(tmp_path / "archive")
    assert len(archive.runs()) == 1
    assert archive.verify().exit_code == 0
