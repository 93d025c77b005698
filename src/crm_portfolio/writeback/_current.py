"""What does the CRM hold now of the records that the results name?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import nw, to_arrow
from crm_portfolio.errors import MissingTableError
from crm_portfolio.protocols import Value
from crm_portfolio.writeback._assigned import Wanted
from crm_portfolio.writeback._held import (
    COLUMNS,
    Readable,
    Row,
    read_rows,
    require,
    rows_of,
)

if TYPE_CHECKING:
    from crm_portfolio.portfolio import Portfolio

__all__ = ["Current", "current"]


@attrs.frozen
class Current:
    """What the CRM holds of the records of one table, and what is wanted of them.

    Attributes:
        rows: What it holds, by record.
        values: What is wanted of these.
        population: Records that were compared.
        by_column: The same, for each column that is wanted.
        filled: Of these, how many hold a value in it; of accounts it is not counted.
        missing: Records that it lacks.
    """

    rows: dict[str, Row]
    values: Mapping[str, Mapping[str, Value]]
    population: int
    by_column: Mapping[str, int]
    filled: Mapping[str, int]
    missing: Sequence[str]


def current(wanted: Wanted, crm: Readable, held: Portfolio | None) -> Current:
    """What the CRM holds now of the records that the results name.

    Of opportunities in a portfolio only those become rows that differ: there may be
    millions. Of accounts all do, because pins and edits are told of all.
    """
    table = wanted.table
    if held is None or table == "account":
        values = wanted.values()
        rows = (
            read_rows(crm, table, sorted(values), wanted=wanted.columns)
            if held is None
            else rows_of(table, _held(wanted, held, crm.name))
        )
        missing = sorted(values.keys() - rows.keys())
        compared = wanted.compared(pa.array(rows, pa.string()))
        count = len(values) - len(missing)
        filled = {} if table == "account" else _filled(rows, values)
        return Current(rows, values, count, compared, filled, missing)
    told = _held(wanted, held, crm.name)
    keys = told[wanted.key].combine_chunks()
    missing = wanted.ids.filter(pc.invert(pc.is_in(wanted.ids, value_set=keys)))
    ids = wanted.differing(told)
    rows = rows_of(table, told.filter(pc.is_in(told[wanted.key], value_set=ids)))
    return Current(
        rows,
        values=wanted.values(ids),
        population=len(wanted.ids) - len(missing),
        by_column=wanted.compared(keys),
        filled=wanted.filled(told),
        missing=sorted(missing.to_pylist()),
    )


def _filled(
    rows: Mapping[str, Row], values: Mapping[str, Mapping[str, Value]]
) -> Mapping[str, int]:
    """By column: how many of the records of which something is wanted in it hold a value."""
    found = Counter[str]()
    for record_id in values.keys() & rows.keys():
        row = rows[record_id]
        found.update({c: row[c] is not None for c in values[record_id]})
    return dict(sorted(found.items()))


def _held(wanted: Wanted, held: Portfolio, source: str) -> pa.Table:
    """The columns of ours that a portfolio holds, and their key."""
    table = wanted.table
    if table not in held:
        raise MissingTableError(table, "a plan")
    frame = nw.from_native(held[table])
    names = frame.collect_schema().names()
    require(table, names, source, wanted=wanted.columns)
    columns = [name for name in (wanted.key, *COLUMNS[table]) if name in names]
    return to_arrow(frame.select(columns).to_native())
