"""Is the demonstration fit to be looked at, and to be read by a program?"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

from crm_portfolio import samples
from crm_portfolio._folder import write_folder

# Python itself ignores Ctrl-C where a shell started it in the background.
COMMAND = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from crm_portfolio.cli import main; main()"
)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A book in which every account has a hostile name."""
    book = samples.book(accounts=40, opportunities=250)
    account = book.tables["account"]
    names = list(book.truths["hostile"]) * 4
    at = account.column_names.index("name")
    tables = {**book.tables, "account": account.set_column(at, "name", [names])}
    folder = tmp_path_factory.mktemp("demo") / "data"
    write_folder(folder, tables)
    return folder


def test_it_fits_eighty_columns_and_no_name_breaks_it(
    shell, data: Path, tmp_path: Path
) -> None:
    result = shell("demo", "--data", data, "--keep", tmp_path / "kept")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    # Paths are there to be pasted, so they are not broken.
    assert max(cell_len(line) for line in lines if str(tmp_path) not in line) <= 80
    assert any(line.startswith("   10  ") for line in lines)
    assert "\x1b" not in result.stdout
    assert "\u202e" not in result.stdout
    assert "=SUM(A1)" in result.stdout
    assert "Line␊Break" in result.stdout
    assert "the CRM is as before" in result.stdout
    assert str(tmp_path / "kept") in result.stdout.replace("\n   ", "")


def test_json_has_the_same_facts(shell, data: Path, tmp_path: Path) -> None:
    result = shell(
        "demo", "--data", data, "--keep", tmp_path / "kept", "--output", "json"
    )
    assert result.exit_code == 0, result.stderr
    facts = json.loads(result.stdout)
    assert facts["is_good"] is True
    assert facts["pulled"]["rows"]["account"] == 40
    assert facts["again"] == {
        "api_calls": facts["again"]["api_calls"],
        "changes": 0,
        "write_calls": 0,
    }
    assert facts["undone"]["values_different"] == 0
    assert Path(facts["kept"]["portfolio"]).is_dir()


def test_a_folder_of_nothing_is_refused(shell, tmp_path: Path) -> None:
    result = shell("demo", "--data", tmp_path)
    assert result.exit_code == 2


@pytest.mark.skipif(os.name == "nt", reason="signals are not sent like this")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_it_can_be_interrupted(data: Path, tmp_path: Path, number, code) -> None:
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            COMMAND,
            "demo",
            "--data",
            data,
            "--keep",
            tmp_path / "kept",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)
        _, told = process.communicate(timeout=30)
    assert process.returncode == code
    assert "Traceback" not in told
