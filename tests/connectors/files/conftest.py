"""What do the tests of files share?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

Exported = Callable[[Mapping[str, str | bytes]], Path]


@pytest.fixture
def exported(tmp_path: Path) -> Exported:
    """Writes files into a folder, text as UTF-8 without changing its line ends."""

    def write(files: Mapping[str, str | bytes]) -> Path:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            (tmp_path / name).write_bytes(data)
        return tmp_path

    return write


@pytest.fixture
def pulled() -> Callable[[Any, str], list[dict[str, Any]]]:
    """All rows of one table of a source."""

    def rows(source: Any, table: str) -> list[dict[str, Any]]:
        return [row for batch in source.pull(table) for row in batch.rows.to_pylist()]

    return rows
