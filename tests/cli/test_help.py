"""Can every example that `--help` shows be typed as it stands?"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
from laid_down import laid_down
from typer.testing import CliRunner, Result

from crm_portfolio import samples
from crm_portfolio._folder import write_folder
from crm_portfolio.archive import Archive
from crm_portfolio.cli import app
from crm_portfolio.simulator import HubSpot, Salesforce

AS_OF = "2026-06-30"
# What the examples write goes far beyond what a night may change.
SETTINGS = """
[sync]
crm = "salesforce"
folder = "books/only"
archive = "nights"
[limits]
max_share = 1.0
"""
ORGS = """
[sync]
archive = "nights"
[orgs.europe]
crm = "salesforce"
folder = "books/europe"
[orgs.asia]
crm = "hubspot"
folder = "books/asia"
"""
ENDS_ON_CTRL_C = "simulate"
SHOWN_ELSEWHERE = {"settings schema"}  # a file for an editor: nothing comes after it


def commands(group: typer.Typer, before: str = "") -> Iterator[str]:
    for command in group.registered_commands:
        assert command.callback is not None
        yield f"{before}{command.callback.__name__}"
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        yield from commands(inner.typer_instance, f"{inner.typer_instance.info.name} ")


EVERY = tuple(commands(app))


def examples(command: str) -> list[str]:
    """The lines of the help that are meant to be typed."""
    wide = CliRunner(env={"COLUMNS": "300", "NO_COLOR": "1"})
    told = wide.invoke(app, [*command.split(), "--help"]).stdout
    return re.findall(r"^ *crm-portfolio (\S.*?) *$", told, re.MULTILINE)


def run(line: str) -> Result:
    """A line as typed; what goes to stdout may go into a file."""
    typed, _, file = line.partition(">")
    result = CliRunner(env={"COLUMNS": "100"}).invoke(app, shlex.split(typed))
    if file:
        Path(file.strip()).write_text(result.stdout, encoding="utf-8")
    return result


def done(line: str) -> Result:
    result = run(line)
    assert result.exit_code == 0, (line, result.stderr)
    return result


@pytest.fixture(scope="module")
def crms(book: samples.Book) -> Iterator[tuple[Salesforce, HubSpot]]:
    """A pretend org of each kind."""
    with (
        Salesforce(book.tables, currency="EUR") as one,
        HubSpot(book.tables, currency="EUR") as other,
    ):
        yield one, other


def logged_in(
    crms: tuple[Salesforce, HubSpot], monkeypatch: pytest.MonkeyPatch
) -> None:
    for crm in crms:
        for name, value in crm.environment.items():
            monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def prepared(
    crms: tuple[Salesforce, HubSpot],
    book: samples.Book,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A desk on which all lies that the examples name, after a night that half failed."""
    desk = tmp_path_factory.mktemp("desk")
    with pytest.MonkeyPatch.context() as here:
        here.chdir(desk)
        logged_in(crms, here)
        for crm in ("salesforce", "hubspot"):
            done(f"setup {crm} --apply")
        done(f"pull salesforce --to book --as-of {AS_OF}")
        done("plan book --crm salesforce -o first.jsonl")
        crms[0].delete("Account", crms[0].ids("account")["A0000030"])
        assert run("apply first.jsonl --archive runs").exit_code == 3
        night = Archive("runs").runs()[-1]
        done(f"undo {night} --archive runs -o plan.jsonl")
        done(f"history {night} --archive runs --failed failed.csv")
    shutil.copytree(desk / "book", desk / "book-of-may")
    write_folder(desk / "folder", book.tables)
    write_folder(desk / "exports", book.tables)
    laid_down("dlt-hubspot", desk / "replica")
    for name, text in {
        "portfolio.toml": SETTINGS,
        "orgs.toml": ORGS,
        "old.toml": "[tiers]\nmethod = 'slices'\n",
        "new.toml": "[tiers]\nmethod = 'quantiles'\n",
    }.items():
        (desk / name).write_text(text, encoding="utf-8")
    return desk


@pytest.fixture
def desk(
    prepared: Path, crms: tuple[Salesforce, HubSpot], tmp_path: Path, monkeypatch
) -> Callable[[str], str]:
    """A copy of the desk to sit at; what stands for an id becomes one."""
    here = shutil.copytree(prepared, tmp_path / "desk")
    monkeypatch.chdir(here)
    logged_in(crms, monkeypatch)
    archive = Archive("runs")
    night = archive.runs()[-1]
    account = archive.journal(night).entries[0].change.record_id

    def filled(line: str) -> str:
        if line.startswith("demo"):  # the same on a smaller book
            line += " --data folder"
        return line.replace("RUN", night).replace("001A", account)

    return filled


@pytest.mark.parametrize("command", EVERY)
def test_each_command_shows_what_to_type_and_it_works(
    command: str, desk: Callable[[str], str]
) -> None:
    lines = [line for line in examples(command) if line.startswith(command)]
    assert lines, f"no example in `crm-portfolio {command} --help`"
    if command == "settings init":
        Path("portfolio.toml").unlink()
    told = ""
    for line in examples(command):
        if command == ENDS_ON_CTRL_C:
            told = served(desk(line))
        elif "--crm both" not in line:  # that one is looked at below
            told = done(desk(line)).stderr or told
        if command == "settings init":
            Path("portfolio.toml").unlink(missing_ok=True)
    if command not in SHOWN_ELSEWHERE:
        assert "crm-portfolio " in told, "nothing says what comes next"


def served(line: str) -> str:
    """What a server says until Ctrl-C ends it."""
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from crm_portfolio.cli import main; main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, *shlex.split(line)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("export ")
        told = process.stderr.readline() + process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
    return told


def test_the_demonstration_in_both_crms_is_one_object(
    desk: Callable[[str], str],
) -> None:
    line = examples("demo")[-1]
    result = done(desk(line))
    said = json.loads(result.stdout)
    assert [said[name]["is_good"] for name in ("salesforce", "hubspot")] == [True, True]
    assert {path.name for path in Path("demo-files").iterdir()} == {*said}
    assert "Both CRMs" in result.stderr


@pytest.mark.parametrize("command", EVERY)
def test_each_command_can_be_quiet_or_tell_more(command: str) -> None:
    wide = CliRunner(env={"COLUMNS": "300", "NO_COLOR": "1"})
    told = wide.invoke(app, [*command.split(), "--help"]).stdout
    assert re.search(r"--quiet +-q .*goes wrong", told)
    assert re.search(r"--verbose +-v ", told)
