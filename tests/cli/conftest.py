"""A terminal, a pretend CRM within its reach, and a book pulled from it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from crm_portfolio import samples
from crm_portfolio.cli import app
from crm_portfolio.simulator import Salesforce

AS_OF = "2026-06-30"
Shell = Callable[..., Result]
# One attempt, so that a test of a CRM that went away does not wait for it.
HASTY = "[salesforce.retry]\nattempts = 1\nfirst_wait_seconds = 0\n"


@pytest.fixture(scope="session")
def book() -> samples.Book:
    return samples.book(accounts=60, opportunities=400)


@pytest.fixture(scope="module")
def org(book: samples.Book) -> Iterator[Salesforce]:
    with Salesforce(book.tables, currency="EUR") as pretend:
        yield pretend


@pytest.fixture
def shell() -> Shell:
    """Run a command line, in this process, as a terminal would."""
    runner = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"})

    def run(*arguments: object) -> Result:
        return runner.invoke(app, [str(argument) for argument in arguments])

    return run


@pytest.fixture(autouse=True)
def _no_real_org(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in tuple(os.environ):
        if name.startswith(("SALESFORCE_", "CRM_PORTFOLIO_")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program is on the path, as for whoever installed it: so it names itself."""
    places = (str(Path(sys.executable).parent), os.environ["PATH"])
    monkeypatch.setenv("PATH", os.pathsep.join(places))


@pytest.fixture
def settings_file(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        file = tmp_path / "portfolio.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


@pytest.fixture
def hasty(settings_file: Callable[[str], Path]) -> Path:
    return settings_file(HASTY)


@pytest.fixture
def crm(org: Salesforce, monkeypatch: pytest.MonkeyPatch) -> Salesforce:
    """The pretend CRM as it was loaded, its login in the environment."""
    org.reset()
    for name, value in org.environment.items():
        monkeypatch.setenv(name, value)
    return org


@pytest.fixture
def ready(crm: Salesforce, shell: Shell) -> Salesforce:
    """The same with our fields in it."""
    assert shell("setup", "salesforce", "--apply").exit_code == 0
    return crm


@pytest.fixture
def folder(ready: Salesforce, shell: Shell, tmp_path: Path) -> Path:
    """A folder that `pull` wrote."""
    to = tmp_path / "book"
    result = shell("pull", "salesforce", "--to", to, "--as-of", AS_OF)
    assert result.exit_code == 0, result.stderr
    return to


@pytest.fixture
def plan_file(folder: Path, shell: Shell, tmp_path: Path) -> Path:
    """A plan that `plan` wrote."""
    file = tmp_path / "plan.jsonl"
    result = shell("plan", folder, "--crm", "salesforce", "-o", file)
    assert result.exit_code == 0, result.stderr
    return file
