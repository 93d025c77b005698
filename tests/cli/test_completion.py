"""Does each shell get the words that may stand where somebody presses Tab?"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from crm_portfolio.cli._views import VIEWS
from crm_portfolio.schema import MANAGED, TABLES

PROGRAM = Path(sys.executable).with_name("crm-portfolio")
ORGS = '[orgs.europe]\ncrm = "salesforce"\n[orgs.asia]\ncrm = "hubspot"\n'
pytestmark = pytest.mark.skipif(os.name == "nt", reason="these are Unix shells")


def typed(line: str, shell: str, folder: Path) -> str:
    """What a shell is answered; the variables are those its own script sets."""
    words = shlex.split(line)
    last = "" if line.endswith(" ") else words[-1]
    asked = {
        "bash": {
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - bool(last)),
        },
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {
            "_TYPER_COMPLETE_ARGS": line,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        },
    }[shell]
    return subprocess.run(
        [PROGRAM],
        capture_output=True,
        check=True,
        cwd=folder,
        encoding="utf-8",
        env={**os.environ, "_CRM_PORTFOLIO_COMPLETE": f"complete_{shell}", **asked},
        timeout=60,
    ).stdout


def offered(line: str, folder: Path) -> list[str]:
    return typed(line, "bash", folder).split()


def test_commands_and_options(tmp_path: Path) -> None:
    assert offered("crm-portfolio ver", tmp_path) == ["verify"]
    assert offered("crm-portfolio pull salesforce --si", tmp_path) == ["--since-last"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_are_told_what_a_command_does(
    shell: str, tmp_path: Path
) -> None:
    told = typed("crm-portfolio ver", shell, tmp_path)
    assert "verify" in told
    assert "Check that no file of the archive was" in told


def test_crms_and_sources(tmp_path: Path) -> None:
    assert offered("crm-portfolio pull ", tmp_path) == [
        "files",
        "hubspot",
        "salesforce",
        "warehouse",
    ]
    assert offered("crm-portfolio doctor ", tmp_path) == ["hubspot", "salesforce"]
    assert offered("crm-portfolio plan book --crm h", tmp_path) == ["hubspot"]


def test_analyses(tmp_path: Path) -> None:
    assert offered("crm-portfolio analyse book tiers ri", tmp_path) == ["risk"]
    assert offered("crm-portfolio analyse book ", tmp_path) == [*VIEWS]


def test_tables_after_a_comma_too(tmp_path: Path) -> None:
    begun = "crm-portfolio pull salesforce --to book --tables account,opp"
    found = offered(begun, tmp_path)
    assert found == [f"account,{t}" for t in TABLES if t.startswith("opp")] != []


def test_fields_that_we_write(tmp_path: Path) -> None:
    found = offered("crm-portfolio undo RUN --column tier", tmp_path)
    ours = MANAGED["account"]
    assert found == [f.column for f in ours if f.column.startswith("tier")] != []


def test_keys_of_the_settings(tmp_path: Path) -> None:
    found = offered("crm-portfolio settings where limits.max_", tmp_path)
    assert "limits.max_share" in found
    assert all(key.startswith("limits.max_") for key in found)


def test_the_orgs_of_the_settings_file_named_before(tmp_path: Path) -> None:
    (tmp_path / "all.toml").write_text(ORGS, encoding="utf-8")
    line = "crm-portfolio sync --settings all.toml "
    assert offered(line, tmp_path) == ["europe", "asia"]


SHELLS = {
    # Each line is what the shell itself runs when Tab is pressed.
    "bash": """
        source shown
        COMP_WORDS=(crm-portfolio doc); COMP_CWORD=1
        $(complete -p crm-portfolio | sed 's/.*-F \\([^ ]*\\).*/\\1/') crm-portfolio
        echo "${COMPREPLY[@]}"
    """,
    "zsh": """
        autoload -Uz compinit; compinit -u -d dump; source shown
        _arguments() { print -r -- "$@" }
        words=(crm-portfolio doc); CURRENT=2
        ${_comps[crm-portfolio]}
    """,
    "fish": """
        source shown
        complete --do-complete 'crm-portfolio doc'
    """,
}


@pytest.mark.parametrize("shell", SHELLS)
def test_what_is_shown_makes_the_shell_itself_complete(
    shell: str, tmp_path: Path
) -> None:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not on this machine")
    here = {**os.environ, "HOME": str(tmp_path)}

    def told(script: str) -> str:
        return subprocess.run(
            [found, "-c", script],
            capture_output=True,
            check=True,
            cwd=tmp_path,
            encoding="utf-8",
            env=here,
            timeout=60,
        ).stdout

    told("crm-portfolio --show-completion > shown; true")  # it asks who its parent is
    assert "doctor" in told(SHELLS[shell])


def test_it_is_installed_where_the_shell_looks(tmp_path: Path) -> None:
    here = {**os.environ, "HOME": str(tmp_path)}
    for script in (
        "crm-portfolio --install-completion; true",
        "source ~/.bashrc; complete -p crm-portfolio",
    ):
        told = subprocess.run(
            ["/bin/bash", "--norc", "-c", script],
            capture_output=True,
            check=True,
            encoding="utf-8",
            env=here,
            timeout=60,
        ).stdout
    assert "complete -o default -F _crm_portfolio_completion crm-portfolio" in told
