"""Does the command line teach, and does it start fast?"""

from __future__ import annotations

import sys
from subprocess import run

from crm_portfolio import __version__
from crm_portfolio.cli import app


def test_help_names_every_command_and_exit_code(shell) -> None:
    result = shell("--help")
    assert result.exit_code == 0
    for command in app.registered_commands:
        assert command.callback is not None
        assert f" {command.callback.__name__} " in result.stdout
    for code in ("0 done", "3 partly done", "4 refused", "5 transient", "7 data"):
        assert code in " ".join(result.stdout.split())


def test_the_version_is_said(shell) -> None:
    assert shell("--version").stdout == f"crm-portfolio {__version__}\n"


def test_an_unknown_command_is_a_usage_error(shell) -> None:
    result = shell("plann")
    assert result.exit_code == 2
    assert "plan" in result.stderr
    assert result.stdout == ""


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from crm_portfolio.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: print(*sys.modules, file=sys.stderr)\n"
    )
    said = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"pandas", "pyarrow", "numpy", "scipy", "simple_salesforce", "duckdb"}
    assert not heavy & set(said.stderr.split())
