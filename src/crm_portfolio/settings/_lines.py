"""On which line of a TOML file does each key stand?"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["Path", "line_of", "lines_of", "paths_in"]

Path = tuple[str, ...]


def lines_of(text: str) -> dict[Path, int]:
    """The line of each table and of each key, by the keys that lead there.

    What stands in an inline table, or in a list, is on the line where that begins. The
    text must be TOML; what cannot be followed is left out.
    """
    found: dict[Path, int] = {}
    table: Path = ()
    for number, statement in _statements(text):
        if statement.lstrip().startswith("["):
            table = _only_path(tomllib.loads(statement))
            for end in range(1, len(table) + 1):
                found.setdefault(table[:end], number)
            continue
        for path in paths_in(tomllib.loads(statement), inner=True):
            found.setdefault((*table, *path), number)
    return found


def line_of(path: Path, lines: Mapping[Path, int]) -> int | None:
    """Where it stands, or the nearest table that it is in."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return None


def paths_in(
    written: Mapping[str, Any], at: Path = (), *, inner: bool = False
) -> Iterator[Path]:
    """The way to each value; with ``inner``, to each table on that way too."""
    for key, value in written.items():
        here = (*at, key)
        is_table = isinstance(value, Mapping) and len(value) > 0
        if inner or not is_table:
            yield here
        if is_table:
            yield from paths_in(value, here, inner=inner)


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Each header and each assignment, however many lines it takes."""
    waiting, began = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        if not waiting and (not line.strip() or line.lstrip().startswith("#")):
            continue
        began = began if waiting else number
        waiting = f"{waiting}{line}\n"
        try:
            tomllib.loads(waiting)
        except tomllib.TOMLDecodeError:
            continue
        yield began, waiting
        waiting = ""


def _only_path(header: Mapping[str, Any]) -> Path:
    path: list[str] = []
    inside: Any = header
    while inside:
        inside = inside[0] if isinstance(inside, list) else inside
        if not inside:
            break
        (key,) = inside
        path.append(key)
        inside = inside[key]
    return tuple(path)
