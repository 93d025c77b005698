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

from crm_portfolio import samples
from crm_portfolio._folder import write_folder

# Python itself ignores Ctrl-C where a shell started it in the background.
COMMAND = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from crm_portfolio.cli import main; main()"
)


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, "simulate", "salesforce", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            told = dict(
                line.removeprefix("export ").rstrip("\n").split("=", 1)
                for line in (process.stdout.readline() for _ in range(3))
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
