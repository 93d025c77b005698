"""Where may rows that come in the order of their keys be cut into pieces?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["cut"]


def cut(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Pieces of so many rows, whatever the engine sent; the key is the first column.

    Rows of one key stay together, and make their piece longer: who goes on behind a key
    would miss those on the other side.
    """
    held: pa.Table | None = None
    for piece in _even(batches, rows):
        rest = piece
        if held is not None:
            tied = _tied(held, piece)
            if tied:
                held = pa.concat_tables([held, piece.slice(0, tied)])
                rest = piece.slice(tied)
            if not len(rest):
                continue
            yield held
        held = rest
    if held is not None:
        yield held


def _even(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """The same rows, so many in each piece but the last."""
    held: list[pa.RecordBatch] = []
    free = rows
    for batch in batches:
        at = 0
        while at < len(batch):
            part = batch.slice(at, free)
            held.append(part)
            at, free = at + len(part), free - len(part)
            if not free:
                yield pa.Table.from_batches(held)
                held, free = [], rows
    if held:
        yield pa.Table.from_batches(held)


def _tied(held: pa.Table, piece: pa.Table) -> int:
    """How many rows at the head of a piece have the key on which the one before ends."""
    is_other = pc.not_equal(piece.column(0), held.column(0)[-1])
    first = pc.index(pc.fill_null(is_other, True), True).as_py()  # noqa: FBT003
    return len(piece) if first < 0 else int(first)
