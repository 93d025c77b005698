"""What kind of files are these, and which table is each?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, get_args

import attrs

from crm_portfolio._inert import inert
from crm_portfolio.connectors.files._csv import Head
from crm_portfolio.connectors.files._headers import (
    Layout,
    Lexicon,
    fold,
    lexicon,
    our_layout,
)
from crm_portfolio.connectors.files._proposal import Confidence
from crm_portfolio.connectors.files._settings import Dialect
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.schema import TABLES, TableName

__all__ = ["DIALECTS", "Guess", "guessed"]

DIALECTS: Final[tuple[Dialect, ...]] = get_args(Dialect)


@attrs.frozen
class Guess:
    """A dialect, and the table of each file in order; None: not recognised."""

    lexicon: Lexicon
    confidence: Confidence
    layouts: tuple[Layout | None, ...]

    @property
    def unknown_count(self) -> int:
        return self.layouts.count(None)


def guessed(
    heads: Sequence[Head], dialect: Dialect | None, assigned: Mapping[str, str]
) -> Guess:
    """The given dialect, or the only one in which every file is a table.

    ``assigned`` is file name → table, as a person said.

    Raises:
        SettingsError: No dialect fits, or more than one does.
    """
    tried = [
        _tried(name, heads, assigned, "given" if dialect else "certain")
        for name in ([dialect] if dialect else DIALECTS)
    ]
    fitting = [guess for guess in tried if not guess.unknown_count]
    if len(fitting) > 1:
        fitting = _by_headers(fitting, heads)
    if len(fitting) == 1:
        return _without_rivals(fitting[0], heads)
    if fitting:
        names = " or ".join(repr(guess.lexicon.dialect) for guess in fitting)
        raise SettingsError(f"these files could be read as {names}: say dialect=")
    best = min(tried, key=lambda guess: guess.unknown_count)
    raise SettingsError(_not_recognised(best, heads, is_given=dialect is not None))


def _tried(
    dialect: Dialect,
    heads: Sequence[Head],
    assigned: Mapping[str, str],
    how: Confidence,
) -> Guess:
    words = lexicon(dialect)
    layouts = tuple(
        _layout(head, words, assigned.get(head.path.name)) for head in heads
    )
    return Guess(words, how, layouts)


def _layout(head: Head, words: Lexicon, assigned: str | None) -> Layout | None:
    if assigned is not None:
        table: TableName = assigned  # type: ignore[assignment]
        return words.layout(table)
    if words.dialect != "tables":
        is_text = head.path.suffix.lower() != ".parquet"
        return words.recognised(head.headers) if is_text else None
    if head.path.stem not in TABLES:
        return None
    ours = our_layout(head.path.stem)  # type: ignore[arg-type]
    return ours if set(ours.marks) & set(head.headers) else None


def _by_headers(fitting: Sequence[Guess], heads: Sequence[Head]) -> list[Guess]:
    """Files whose table a person named fit anywhere: then the headers decide."""
    worth = [
        sum(
            len({fold(header) for header in head.headers} & _labels(layout))
            for head, layout in zip(heads, guess.layouts, strict=True)
        )
        for guess in fitting
    ]
    return [guess for guess, at in zip(fitting, worth, strict=True) if at == max(worth)]


def _labels(layout: Layout | None) -> frozenset[str]:
    wanted = layout.wanted if layout else ()
    return frozenset().union(*(group for each in wanted for group in each.labels))


def _without_rivals(guess: Guess, heads: Sequence[Head]) -> Guess:
    """Our own tables are one file each; exports may come in several."""
    if guess.lexicon.dialect != "tables":
        return guess
    seen: dict[str, Head] = {}
    for head, layout in zip(heads, guess.layouts, strict=True):
        table = layout.table if layout else ""
        if table in seen:
            raise SettingsError(
                f"{seen[table].path.name} and {head.path.name} are both the table "
                f'{table!r}: keep one, or say files={{"{head.path.name}": "ignore"}}'
            )
        seen[table] = head
    return guess


def _not_recognised(guess: Guess, heads: Sequence[Head], *, is_given: bool) -> str:
    dialect = guess.lexicon.dialect
    lines = [
        f"  {inert(head.path.name)} ({', '.join(map(inert, head.headers[:8]))}"
        f"{', …' if len(head.headers) > 8 else ''}){_advice(head, dialect)}"
        for head, layout in zip(heads, guess.layouts, strict=True)
        if layout is None
    ]
    name = lines[0].split(" (")[0].strip()
    tried = f"in the dialect {dialect!r}" if is_given else "in any dialect"
    first = (
        f"{len(lines)} of {len(heads)} file(s) not recognised {tried}; "
        f"{dialect!r} comes nearest:"
    )
    last = (
        f'say which table it is, or leave it out: files={{"{name}": "account"}} '
        'or {…: "ignore"}'
    )
    return "\n".join((first, *lines, last))


def _advice(head: Head, dialect: Dialect) -> str:
    if dialect != "tables":
        return ""
    if head.path.stem not in TABLES:
        return did_you_mean(head.path.stem, TABLES) or ": no table of that name"
    needed = ", ".join(our_layout(head.path.stem).marks)  # type: ignore[arg-type]
    return f": it has no column {needed}"
