"""How does `apply` end when it is stopped, by a person, by the CRM, or by itself?"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from crm_portfolio import samples
from crm_portfolio.archive import Archive
from crm_portfolio.simulator import Fault, Salesforce

READ = "POST composite/sobjects/{object}"
WRITE = "PATCH composite/sobjects"


@pytest.fixture
def plan_file(shell, ready: Salesforce, tmp_path: Path) -> Path:
    book, file = tmp_path / "book", tmp_path / "plan.jsonl"
    shell("pull", "salesforce", "--to", book, "--as-of", "2026-06-30")
    assert shell("plan", book, "--crm", "salesforce", "-o", file).exit_code == 0
    return file


def _applied(shell, plan: Path, archive: Path, *more: object):
    return shell("apply", plan, "--archive", archive, *more)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM")
def test_sigterm_finishes_the_batch_in_flight_and_the_same_plan_goes_on(
    shell, ready: Salesforce, plan_file: Path, tmp_path: Path
) -> None:
    writes = ready.calls.get(WRITE, 0)
    ready.fault(Fault(writes + 1, "slow", route=WRITE, seconds=1))

    def terminate() -> None:
        while ready.calls.get(WRITE, 0) == writes:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    while_it_writes = threading.Thread(target=terminate)
    while_it_writes.start()
    stopped = _applied(shell, plan_file, tmp_path / "runs")
    while_it_writes.join()
    assert stopped.exit_code == 143
    assert "it goes on from here" in stopped.stderr
    archive = Archive(tmp_path / "runs")
    (run,) = archive.runs()
    journal = archive.journal(run)
    assert journal.interrupted == "stopped"
    assert {entry.state for entry in journal.entries} == {"written"}
    assert len({entry.change.record_id for entry in journal.entries}) == 10
    again = _applied(shell, plan_file, tmp_path / "runs")
    assert again.exit_code == 0, again.stderr
    assert set(archive.journal(run).counts) == {"written"}


def test_what_the_first_accounts_set_off_stops_the_rest_with_code_4(
    shell, ready: Salesforce, book: samples.Book, plan_file: Path, tmp_path: Path
) -> None:
    giant = ready.ids("account")[book.truths["giant"]]
    reads = ready.calls.get(READ, 0)
    automation = ("edit", "Account", giant, {"AnnualRevenue": 1.0})
    ready.fault(Fault(reads + 2, "meanwhile", route=READ, act=automation))
    result = _applied(shell, plan_file, tmp_path / "runs")
    assert result.exit_code == 4
    assert "account_turnover on 1" in " ".join(result.stderr.split())
    archive = Archive(tmp_path / "runs")
    journal = archive.journal(archive.runs()[0])
    assert journal.unexpected == (("account", giant, "account_turnover"),)
    writes = ready.calls[WRITE]
    again = _applied(shell, plan_file, tmp_path / "runs")
    assert (again.exit_code, ready.calls[WRITE]) == (4, writes)


def test_what_the_crm_refuses_is_told_with_its_field(
    shell, ready: Salesforce, plan_file: Path, tmp_path: Path
) -> None:
    ready.change_field("Account", "Portfolio_Tier__c", values=("A", "B", "new", "none"))
    result = _applied(shell, plan_file, tmp_path / "runs", "--output", "json")
    failed = json.loads(result.stdout)["failed"]
    assert result.exit_code == 3
    assert {each["field"] for each in failed} == {"Portfolio_Tier__c"}
    assert {each["state"] for each in failed} == {"rejected"}
