"""Can a job be tried against the pretend CRM that `simulate` serves?"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from crm_portfolio import samples
from crm_portfolio._folder import write_folder

# Python itself ignores Ctrl-C where a shell started it in the background.
COMMAND = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from crm_portfolio.cli import main; main()"
)


@contextmanager
def serving(
    *arguments: str, crm: str = "salesforce", lines: int = 3
) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, "simulate", crm, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            told = dict(
                line.removeprefix("export ").rstrip("\n").split("=", 1)
                for line in (process.stdout.readline() for _ in range(lines))
            )
            yield process, told
        finally:
            process.kill()


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent as a signal")
def test_it_serves_a_folder_until_ctrl_c(shell, tmp_path: Path, monkeypatch) -> None:
    write_folder(tmp_path / "data", samples.book(accounts=40, opportunities=250).tables)
    with serving("--data", str(tmp_path / "data")) as (process, told):
        for name, value in told.items():
            monkeypatch.setenv(name, value.strip("'"))
        result = shell(
            "pull", "salesforce", "--to", tmp_path / "book", "--as-of", "2026-06-30"
        )
        assert result.exit_code == 0, result.stderr
        assert "40 accounts" in result.stderr
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGTERM")
def test_sigterm_ends_it_with_143() -> None:
    with serving() as (process, told):
        assert re.fullmatch(
            r"http://127\.0\.0\.1:\d+", told["SALESFORCE_INSTANCE_URL"].strip("'")
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 143


def test_a_folder_of_nothing_is_refused(shell, tmp_path: Path) -> None:
    result = shell("simulate", "salesforce", "--data", tmp_path)
    assert result.exit_code == 2
    assert "account.csv" in result.stderr


def test_only_known_crms_are_simulated(shell) -> None:
    assert shell("simulate", "oracle").exit_code == 2


def test_it_pretends_to_be_hubspot_too() -> None:
    with serving("--accounts", "50", crm="hubspot", lines=2) as (_, told):
        url = told["HUBSPOT_API_URL"].strip("'")
        state = requests.get(f"{url}/__sim__/state", timeout=10).json()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
    assert state


def test_its_size_and_its_limit_can_be_said() -> None:
    drawn = ("--accounts", "41", "--opportunities", "260", "--seed", "7")
    with serving(*drawn, "--daily-limit", "9") as (_, told):
        url = told["SALESFORCE_INSTANCE_URL"].strip("'")
        state = requests.get(f"{url}/__sim__/state", timeout=10).json()
    assert (state["records"]["Account"], state["records"]["Opportunity"]) == (41, 260)
    assert state["daily_limit"] == 9


def test_a_folder_has_its_own_size(shell, tmp_path: Path) -> None:
    result = shell("simulate", "salesforce", "--data", tmp_path, "--accounts", "50")
    assert result.exit_code == 2
    assert "--accounts" in result.stderr
