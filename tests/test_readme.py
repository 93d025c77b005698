"""Is the output on the first page what the command prints?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"


def test_the_output_on_the_first_page_is_real(tmp_path: Path) -> None:
    shown = README.read_text("utf-8").split("```text\n")[1].split("```")[0].splitlines()
    program = Path(sys.executable).with_name("crm-portfolio")
    run = subprocess.run(
        [program, "demo", "--keep", tmp_path / "kept"],
        capture_output=True,
        check=True,
        cwd=tmp_path,
        encoding="utf-8",
        env={**os.environ, "COLUMNS": "80", "PYTHONUTF8": "1"},
        timeout=120,
    )
    printed = iter([line.rstrip() for line in run.stdout.splitlines()])
    # Each line in its turn; … stands for lines that were left out.
    missing = [line for line in shown if line.strip() != "…" and line not in printed]
    assert not missing
