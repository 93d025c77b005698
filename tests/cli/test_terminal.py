"""Does a person at a terminal see what a log must not, and the other way round?"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

pty = pytest.importorskip("pty", reason="there are no pseudo-terminals here")
PROGRAM = Path(sys.executable).with_name("crm-portfolio")
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|4[0-7]|9[0-7]|38;5;\d+)(?:;\d+)*m")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
HELP_SECONDS = 0.4


def at_a_terminal(*words: object, **environment: str) -> str:
    """All that somebody sees; what the program would ask, nobody answers."""
    ours, theirs = pty.openpty()
    seen = {name: v for name, v in os.environ.items() if name != "NO_COLOR"}
    with subprocess.Popen(
        [PROGRAM, *map(str, words)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**seen, "COLUMNS": "100", "TERM": "xterm-256color", **environment},
    ) as process:
        os.close(theirs)
        told = b""
        while True:
            try:
                piece = os.read(ours, 65_536)
            except OSError:  # Linux says so when the other end is closed
                break
            if not piece:
                break
            told += piece
    os.close(ours)
    text = told.decode().replace("\r\n", "\n")
    assert process.returncode == 0, text
    return text


@pytest.fixture
def pulled(crm, tmp_path: Path):
    def pull(*more: object, **environment: str) -> str:
        where = ("--to", tmp_path / "book", "--as-of", "2026-06-30")
        return at_a_terminal("pull", "salesforce", *where, *more, **environment)

    return pull


def test_long_work_shows_its_rate_and_the_time_it_takes(pulled) -> None:
    told = pulled()
    assert COLOUR.search(told) is not None
    told = ESCAPES.sub("", told)
    row = re.search(r"pull opportunity .*400/400 .*", told)
    assert row is not None
    assert re.search(r"\d/s", row[0])
    assert re.search(r"\d:\d\d", row[0])
    assert re.search(r" calls .*/11", told)
    assert "60 accounts" in told


def test_no_color_takes_the_colours_away(pulled) -> None:
    assert COLOUR.search(pulled(NO_COLOR="1")) is None
    assert COLOUR.search(at_a_terminal("--help")) is not None
    assert COLOUR.search(at_a_terminal("--help", NO_COLOR="1")) is None


def test_quiet_says_nothing_when_all_is_well(pulled) -> None:
    assert pulled("--quiet") == ""


def test_a_log_gets_no_bars_and_no_colours(
    crm, shell, folder: Path, tmp_path: Path
) -> None:
    again = shell("pull", "salesforce", "--to", folder, "--as-of", "2026-06-30")
    assert "\x1b" not in again.stderr
    assert "%" not in again.stderr


def test_quiet_still_says_what_goes_wrong(shell, crm, tmp_path: Path) -> None:
    result = shell("plan", tmp_path / "none", "--crm", "salesforce", "-o", "p", "-q")
    assert result.exit_code == 2
    assert "crm-portfolio pull" in result.stderr


def test_verbose_says_each_step_and_how_it_ended(shell, crm, tmp_path: Path) -> None:
    day = ("--as-of", "2026-06-30")
    told = shell("pull", "salesforce", "--to", tmp_path / "book", *day, "-v").stderr
    assert "Settings: the defaults." in told
    assert re.search(r"^pull opportunity: 400 of 400, [\d,]+/s, \d:\d\d$", told, re.M)
    assert re.search(r"^Ended with 0 after \d+\.\d s\.$", told, re.M)


def test_writing_taking_back_and_analysing_tell_how_far_they_are(
    shell, folder: Path, plan_file: Path, tmp_path: Path
) -> None:
    archive = ("--archive", tmp_path / "runs")
    applied = shell("apply", plan_file, *archive, "-v").stderr
    assert re.search(r"^apply: 60 of 60, [\d,]+/(s|min), \d:\d\d$", applied, re.M)
    run = re.search(r"undo (\w+) --archive", applied)
    assert run is not None
    undone = shell("undo", run[1], *archive, "-o", tmp_path / "back", "-v").stderr
    assert re.search(
        r"^read accounts: 60 of 60, [\d,]+/(s|min), \d:\d\d$", undone, re.M
    )
    told = shell("analyse", folder, "tiers", "-v").stderr
    assert re.search(r"^tiers: done, \d:\d\d$", told, re.M)


def test_quiet_and_verbose_at_once_is_a_mistake(shell) -> None:
    result = shell("verify", "--archive", "runs", "-q", "-v")
    assert result.exit_code == 2
    assert "-q, -v" in result.stderr


def test_help_is_there_at_once() -> None:
    """Processor time: what else the machine does at that moment is not its fault."""

    def spent() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([PROGRAM, "--help"], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)

    assert min(spent() for _ in range(5)) <= HELP_SECONDS


def test_nothing_in_the_command_line_can_ask_a_question() -> None:
    import crm_portfolio.cli

    folder = Path(crm_portfolio.cli.__file__).parent
    asking = re.compile(r"\binput\(|getpass|\.(prompt|confirm|ask)\(|prompt=|stdin")
    asks = [
        f"{file.name}: {line.strip()}"
        for file in folder.glob("*.py")
        for line in file.read_text(encoding="utf-8").splitlines()
        if asking.search(line)
    ]
    assert not asks
