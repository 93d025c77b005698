"""Do the pages on the command line and the settings say what is so?"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from crm_portfolio.cli import app
from crm_portfolio.settings import Settings
from crm_portfolio.simulator import Salesforce

DOCS = Path(__file__).resolve().parents[2] / "docs"


def _page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def _blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


def test_the_example_settings_load(tmp_path: Path) -> None:
    (example,) = _blocks(_page("reference/settings.md"), "toml")
    file = tmp_path / "portfolio.toml"
    file.write_text(example, encoding="utf-8")
    settings = Settings.load(file)
    assert settings.currency == "EUR"
    assert settings.tiers == Settings().tiers
    assert settings.concentration == Settings().concentration


def _commands(commands: typer.Typer, before: str = "") -> list[str]:
    """Every command as it is typed, those of a group too."""
    found = [f"{before}{c.callback.__name__}" for c in commands.registered_commands]
    for group in commands.registered_groups:
        name = group.typer_instance.info.name
        found += _commands(group.typer_instance, f"{before}{name} ")
    return found


@pytest.mark.parametrize("command", _commands(app))
def test_every_option_is_on_the_page(shell, command: str) -> None:
    page = _page("reference/command-line.md")
    assert f"`{command}" in page
    options = set(re.findall(r"--[a-z-]+", shell(*command.split(), "--help").stdout))
    assert {option for option in options - {"--help"} if option not in page} == set()


def test_every_way_to_log_in_is_a_row_of_the_page(shell, tmp_path: Path) -> None:
    rows = _page("reference/command-line.md").splitlines()
    told = shell("pull", "salesforce", "--to", tmp_path / "book").stderr
    ways = re.findall(r"^  (SALESFORCE_[A-Z_ ]+?)  ", told, re.MULTILINE)
    assert len(ways) == 5
    for way in ways:
        assert any(all(f"`{name}`" in row for name in way.split()) for row in rows), way


def test_the_first_night_goes_as_the_tutorial_says(
    shell, tmp_path: Path, monkeypatch
) -> None:
    from crm_portfolio import samples

    book = samples.book()
    monkeypatch.chdir(tmp_path)
    page = _page("tutorial/first-night.md")
    lines = [line for block in _blocks(page, "sh") for line in block.splitlines()]
    said = []
    with Salesforce(book.tables, currency="EUR") as pretend:
        for name, value in pretend.environment.items():
            monkeypatch.setenv(name, value)
        before = pretend.snapshot("Account")
        for line in lines:
            program, *arguments = shlex.split(line)
            assert program == "crm-portfolio"
            if arguments[0] == "simulate":
                continue
            run = re.search(r"undo (\w+) --archive", "".join(said))
            result = shell(*(run[1] if a == "RUN" else a for a in arguments))
            assert result.exit_code == 0, (line, result.stderr)
            said += [result.stdout, result.stderr]
        assert pretend.snapshot("Account") == before
    told = "".join(said).replace("\xa0", " ")
    shown = "\n".join(_blocks(page, "text")).splitlines()
    changing = re.compile(r"export |Run |To take it back|tonight\.plan: |…$|^$")
    assert [
        line for line in shown if not changing.match(line) and line not in told
    ] == []
