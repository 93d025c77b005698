"""Runs the examples of the README, the docs and the docstrings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser
from sybil.parsers.rest import DocTestParser


@pytest.fixture(scope="module")
def in_a_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each page runs in a folder of its own, so that files it writes are its own.

    And in a DuckDB of its own: where one laid rows by already, it takes no other place.
    """
    folder, before = tmp_path_factory.mktemp("page"), duckdb.default_connection()
    with pytest.MonkeyPatch.context() as here, duckdb.connect() as own:
        here.chdir(folder)
        duckdb.set_default_connection(own)
        yield folder
        duckdb.set_default_connection(before)


pages = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["*.md"],
    fixtures=["in_a_folder"],
)
docstrings = Sybil(
    parsers=[DocTestParser()], path="src", patterns=["*.py"], fixtures=["in_a_folder"]
)
_collected = (pages + docstrings).pytest()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Any:
    """Every page, and of our sources those with an example: most have none."""
    if file_path.suffix == ".py" and b">>>" not in file_path.read_bytes():
        return None
    return _collected(file_path, parent)
