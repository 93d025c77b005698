"""In which shape do raw tables come that are too long to be held?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import attrs
import pyarrow as pa

__all__ = ["Stream"]


@attrs.frozen(eq=False)
class Stream:
    """One raw table that can be walked more than once, in pieces.

    Attributes:
        names: Its columns; each piece has all of them.
        walk: The pieces in a fixed order, at least one, with these columns only.
        is_ordered: Its rows come in the order of the table's key.
    """

    names: tuple[str, ...]
    walk: Callable[[Sequence[str] | None], Iterator[pa.Table]]
    is_ordered: bool = False

    @classmethod
    def of(cls, table: pa.Table) -> Stream:
        """A table that is in memory, as one piece."""

        def walk(names: Sequence[str] | None) -> Iterator[pa.Table]:
            yield table if names is None else table.select(list(names))

        return cls(tuple(table.column_names), walk)
