"""Do the recipes for other schedulers run, as far as they can here?

Dagster and Prefect are not installed for the tests: each brings a hundred packages and
pins of its own. What their recipes call of ours is checked against what there is; the
commands of cron and systemd run for real.
"""

from __future__ import annotations

import ast
import configparser
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from crm_portfolio import Archive
from crm_portfolio.cli import app
from crm_portfolio.simulator import HubSpot

PAGE = Path(__file__).parents[2] / "docs/how-to/schedule-elsewhere.md"
SETTINGS = """
[sync]
archive = "archive"
[limits]
settle_seconds = 0
[orgs.europe]
crm = "hubspot"
"""


def blocks(language: str) -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("recipe", blocks("python"), ids=["dagster", "prefect"])
def test_a_recipe_calls_only_what_there_is(recipe: str) -> None:
    tree = ast.parse(recipe)
    ours: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and "crm_portfolio" in str(node.module):
            module = import_module(str(node.module))
            ours |= {each.name: getattr(module, each.name) for each in node.names}
    assert {"Settings", "sync", "TransientError", "LockHeldError"} <= ours.keys()
    called = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            function = ours.get(node.func.id)
            if inspect.isfunction(function):
                named = {str(each.arg): None for each in node.keywords}
                inspect.signature(function).bind(*node.args, **named)
                called.append(node.func.id)
    assert called == ["sync"]


@pytest.fixture
def there(tmp_path: Path, hubspot: HubSpot) -> Path:
    """The machine of the recipes: a settings file, and the log-in in a file."""
    (tmp_path / "portfolio.toml").write_text(SETTINGS, encoding="utf-8")
    given = "".join(f"export {k}={v}\n" for k, v in hubspot.environment.items())
    (tmp_path / "crm-portfolio.env").write_text(given, encoding="utf-8")
    return tmp_path


def here(command: str, there: Path) -> str:
    """The command with the paths of this machine."""
    command = command.replace("/srv/portfolio/venv/bin/", "")
    return command.replace("/srv/portfolio", str(there)).replace("/etc", str(there))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no cron")
def test_the_line_of_cron_spends_a_night_and_mails_nothing(there: Path) -> None:
    (tab,) = blocks("text")
    line = tab.splitlines()[-1]
    minute, hour, *_, user = line.split()[:6]
    assert (minute, hour, user) == ("10", "3", "portfolio")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-c", here(line.partition("portfolio  ")[2], there)],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": path, "HOME": str(there)},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(Archive(there / "archive").runs()) == 1
    assert "%" not in line  # cron would take it for a line break


def test_the_unit_of_systemd_spends_the_night_of_its_instance(
    there: Path, hubspot: HubSpot
) -> None:
    service, timer = map(unit, blocks("ini"))
    command = here(service["Service"]["ExecStart"].replace("%i", "europe"), there)
    program, *arguments = shlex.split(command)
    assert program == "crm-portfolio"
    done = CliRunner(env=hubspot.environment).invoke(app, arguments)
    assert done.exit_code == 0, done.stderr
    assert len(Archive(there / "archive").runs()) == 1
    # What passes comes back; what a person must see to does not.
    stays = set(service["Service"]["RestartPreventExitStatus"].split())
    assert stays == {"1", "2", "3", "4", "7"}
    if told := shutil.which("systemd-analyze"):
        when = timer["Timer"]["OnCalendar"]
        subprocess.run([told, "calendar", when], check=True, capture_output=True)


def unit(text: str) -> configparser.ConfigParser:
    found = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    found.optionxform = str  # type: ignore[assignment, method-assign]
    found.read_string(text)
    return found
