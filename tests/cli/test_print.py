"""Is progress shown where somebody is watching, and nowhere else?"""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = "from crm_portfolio.cli import main; main()"


@pytest.fixture
def pull(tmp_path: Path) -> list[str]:
    (tmp_path / "exports").mkdir()
    file = tmp_path / "exports" / "account.csv"
    file.write_text("account_id,name\nA1,Alder\n", encoding="utf-8")
    options = ["--to", str(tmp_path / "book"), "--as-of", "2026-06-30"]
    source = ["pull", "files", str(file.parent), "--currency", "EUR"]
    return [sys.executable, "-c", COMMAND, *source, *options]


def test_bars_are_drawn_on_a_terminal(pull: list[str]) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        ended = subprocess.run(pull, stdout=subprocess.PIPE, stderr=theirs, check=True)
        os.close(theirs)
        shown = terminal.read(65_536).decode(errors="replace")
    assert "pull account" in shown
    assert ended.stdout == b""


def test_a_log_holds_no_bars(pull: list[str]) -> None:
    ended = subprocess.run(pull, capture_output=True, text=True, check=True)
    assert "pull account" not in ended.stderr
    assert "\x1b" not in ended.stderr
    assert "1 account" in ended.stderr
    assert ended.stdout == ""


def test_what_is_piped_is_eighty_columns_wide(pull: list[str], tmp_path: Path) -> None:
    name = "A very long name " * 9
    file = tmp_path / "exports" / "account.csv"
    file.write_text(f"account_id,name\nA1,{name}\n", encoding="utf-8")
    sale = "opportunity_id,account_id,status,amount,closed_on\n1,A1,won,5,2026-01-05\n"
    (file.parent / "opportunity.csv").write_text(sale, encoding="utf-8")
    subprocess.run(pull, capture_output=True, check=True)
    ended = subprocess.run(
        [sys.executable, "-c", COMMAND, "analyse", str(tmp_path / "book")],
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "A very long" in ended.stdout
    assert max(map(len, ended.stdout.splitlines())) == 80
