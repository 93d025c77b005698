"""Does a column say anything at all?"""

from __future__ import annotations

import pyarrow.compute as pc

from crm_portfolio._frames import LAZY, nw
from crm_portfolio.analysis._facts._lines import collected
from crm_portfolio.analysis._facts._once import once_per_portfolio
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.schema import TableName

__all__ = ["says"]


@once_per_portfolio
def says(
    portfolio: Portfolio, table: TableName, column: str, word: str | None = None
) -> bool:
    """Whether any row of a table says something there, or just this word."""
    if portfolio.backend not in LAZY:
        held = portfolio.arrow(table)
        if column not in held.column_names:
            return False
        if word is not None:
            return bool(pc.any(pc.equal(held[column], word)).as_py())
        return bool(held[column].null_count < held.num_rows)
    # One in a folder is not taken up whole for this.
    rows = nw.from_native(portfolio[table]).lazy()
    if column not in rows.collect_schema().names():
        return False
    its = nw.col(column)
    known = rows.filter(~its.is_null() if word is None else its == word)
    known = known.select(column).head(1)
    return bool(collected(known).num_rows)
