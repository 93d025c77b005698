"""How does a whole source become a portfolio?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pyarrow as pa

from crm_portfolio._frames import Backend
from crm_portfolio.portfolio import Calendar, Portfolio
from crm_portfolio.protocols import Connector, Progress, Source
from crm_portfolio.schema import TABLES, TableName, arrow_type

__all__ = ["pull"]


def pull(
    source: Source,
    *,
    as_of: date,
    currency: str | None = None,
    calendar: Calendar | None = None,
    backend: Backend = "pandas",
    progress: Progress | None = None,
) -> Portfolio:
    """Read every table the source can give, and close the books at a date.

    Args:
        source: A connector, or a folder.
        as_of: The last day known, inclusive.
        currency: None: the org's; for a plain source the only one in its tables.
        calendar: None: the org's time zone; UTC for a plain source.
        backend: The kind of frames the portfolio hands out.
        progress: Told of every batch.
    """
    org = source.org() if isinstance(source, Connector) else None
    if org is not None:
        currency = currency or org.currency
        calendar = calendar or Calendar(org.time_zone)
    calendar = calendar or Calendar()
    raw = {
        name: _whole(source, name, columns, progress)
        for name, columns in source.tables().items()
    }
    return Portfolio.from_frames(
        as_of=as_of,
        currency=currency,
        calendar=calendar,
        backend=backend,
        org=None if org is None else str(org),
        **raw,
    )


def _whole(
    source: Source,
    name: TableName,
    columns: tuple[str, ...],
    progress: Progress | None,
) -> pa.Table:
    step, rows = f"pull {name}", 0
    batches = []
    for batch in source.pull(name):
        batches.append(batch.rows)
        rows += len(batch.rows)
        if progress is not None:
            progress(step, rows, rows if batch.is_last else None)
    # Batches may type an all-null column differently; permissive finds the common type.
    filled = [table for table in batches if len(table)] or batches[:1]
    if filled:
        return pa.concat_tables(filled, promote_options="permissive")
    return _empty(name, columns)


def _empty(name: TableName, columns: tuple[str, ...]) -> pa.Table:
    spec = TABLES[name]
    types: Mapping[str, pa.DataType] = {
        column: arrow_type(spec[column]) for column in columns if column in spec
    }
    return pa.schema(list(types.items())).empty_table()
