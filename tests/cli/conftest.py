"""A terminal, a pretend CRM within its reach, and a book pulled from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from crm_portfolio import samples
from crm_portfolio.cli import app
from crm_portfolio.simulator import Salesforce

AS_OF = "2026-06-30"
Shell = Callable[..., Result]


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
