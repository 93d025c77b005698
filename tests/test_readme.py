"""Is the output on the first page what the command prints, and the picture of it too?"""

from __future__ import annotations

import subprocess
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"


@pytest.fixture(scope="module")
def record() -> Any:
    """The script that draws the picture."""
    spec = spec_from_file_location("record", ROOT / "docs/pictures/record.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def printed(record: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    run = subprocess.run(
        record.COMMAND,
        capture_output=True,
        check=True,
        cwd=tmp_path_factory.mktemp("demo"),
        encoding="utf-8",
        env=record.environment(),
        timeout=120,
    )
    return run.stdout


def test_the_output_on_the_first_page_is_real(printed: str) -> None:
    shown = README.read_text("utf-8").split("```text\n")[1].split("```")[0].splitlines()
    lines = iter([line.rstrip() for line in printed.splitlines()])
    # Each line in its turn; … stands for lines that were left out.
    missing = [line for line in shown if line.strip() != "…" and line not in lines]
    assert not missing


def test_the_picture_shows_what_is_printed_today(record: Any, printed: str) -> None:
    drawn = record.PICTURE.read_text(encoding="utf-8")
    assert record.text_of(drawn) == record.steady(printed), (
        "docs/pictures/demo.svg is old: run python docs/pictures/record.py"
    )
    assert "://" not in drawn.replace("http://www.w3.org/2000/svg", "").replace(
        "http://127.0.0.1", ""
    )
