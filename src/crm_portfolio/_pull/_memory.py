"""How does a source become a portfolio that is held in memory?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import attrs
import pyarrow as pa

from crm_portfolio._normalise import Stream, in_order
from crm_portfolio._pull._fetching import empty_rows
from crm_portfolio._pull._following import (
    MERGING,
    Merges,
    followed,
    settled_merges,
    without_living,
)
from crm_portfolio._pull._layout import common_schema, fitted, plain_rows
from crm_portfolio._pull._mirror import IS_SET, distinct, sort_keys
from crm_portfolio._pull._side_by_side import Stop, side_by_side
from crm_portfolio.schema import TABLES, TableName

if TYPE_CHECKING:
    from crm_portfolio.protocols import Source

__all__ = ["gathered"]


@attrs.frozen(eq=False)
class _Gathered:
    rows: pa.Table
    gone: list[pa.Table]


def gathered(
    source: Source,
    *,
    is_plain: bool,
    at_once: int,
    tell: Callable[[str, int, int | None], None],
) -> dict[TableName, pa.Table]:
    """Every table of the source, as it would stand in a folder.

    Args:
        is_plain: Keep the order in which the rows come, and read one table at a time.
    """

    def job(name: TableName, columns: tuple[str, ...]) -> Callable[[Stop], _Gathered]:
        def work(stop: Stop) -> _Gathered:
            return _gather(source, name, columns, tell, stop)

        return work

    jobs = {name: job(name, columns) for name, columns in source.tables().items()}
    found = side_by_side(jobs, at_once=1 if is_plain else at_once)
    tables: dict[TableName, pa.Table] = {
        name: it.rows if is_plain else _sorted(name, it.rows)
        for name, it in found.items()
    }
    merges = {
        name: settled_merges({}, found[name].gone) for name in MERGING if name in found
    }
    return _followed(tables, merges) if any(merges.values()) else tables


def _gather(
    source: Source,
    name: TableName,
    columns: tuple[str, ...],
    tell: Callable[[str, int, int | None], None],
    stop: Stop,
) -> _Gathered:
    spec, count = TABLES[name], 0
    pieces: list[pa.Table] = []
    gone: list[pa.Table] = []
    for batch in source.pull(name):
        pieces.append(plain_rows(batch.rows, spec))
        gone += [] if batch.gone is None else [batch.gone]
        count += len(batch.rows)
        tell(f"pull {name}", count, count if batch.is_last else None)
        stop()
    pieces = pieces or [empty_rows(name, columns)]
    schema = common_schema(piece.schema for piece in pieces)
    rows = pa.concat_tables([fitted(piece, schema) for piece in pieces])
    return _Gathered(rows, gone)


def _sorted(name: TableName, rows: pa.Table) -> pa.Table:
    keys = sort_keys(TABLES[name], rows.column_names)
    rows = in_order(rows, keys) if keys else rows
    return pa.concat_tables(distinct(iter([rows]))) if name in IS_SET else rows


def _followed(
    tables: Mapping[TableName, pa.Table], merges: Merges
) -> dict[TableName, pa.Table]:
    streams = {name: Stream.of(table) for name, table in tables.items()}
    merges = {
        name: without_living(name, merges[name], streams[name]) for name in merges
    }
    return {
        name: pa.concat_tables(followed(stream, TABLES[name], merges).walk(None))
        for name, stream in streams.items()
    }
