"""What do the tests of the contract share? The connector of the how-to page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import crm_portfolio

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/write-a-connector.md"
BLOCK = re.compile(r"```(?:python|toml)\n# (\S+)\n(.*?)```\n", re.DOTALL)

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def page() -> Mapping[str, str]:
    """The files that a reader makes from the page; blocks of one file in their order."""
    files: dict[str, str] = {}
    for path, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        files[path] = "\n\n".join(filter(None, (files.get(path), text)))
    return files


@pytest.fixture(scope="session")
def written(page: Mapping[str, str]) -> Callable[[Path], Path]:
    """Write the files of the page into a folder, as if the package were installed."""

    def write(folder: Path) -> Path:
        for name, text in page.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        project = tomllib.loads(page["pyproject.toml"])["project"]
        about = folder / "crm_pebble-0.1.dist-info"
        about.mkdir()
        lines = []
        for group, entries in project["entry-points"].items():
            lines += [f"[{group}]", *(f"{name} = {at}" for name, at in entries.items())]
        (about / "entry_points.txt").write_text("\n".join(lines))
        (about / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0.1\n"
        )
        return folder

    return write


@pytest.fixture(scope="session")
def run_pytest() -> Run:
    """pytest in a process and a folder of its own, warnings as errors."""

    def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        package = Path(crm_portfolio.__file__).parents[1]
        paths = map(str, (folder, folder / "tests", package))
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-pno:cacheprovider",
                "-Werror",
                *arguments,
            ],
            capture_output=True,
            check=False,
            cwd=folder,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1"},
            timeout=300,
        )

    return run
