"""Which opportunities hold in the CRM what we once wrote there, and what?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pyarrow as pa

from crm_portfolio._frames import nw
from crm_portfolio._wording import Reason, placeholders
from crm_portfolio.analysis._facts._lines import collected
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.schema import TABLES, arrow_type

__all__ = ["holding", "told_in_plans"]

_KEY: Final = "opportunity_id"
# What people typed in the CRM may name anybody: it stays out of plans and archives.
_TYPED: Final = frozenset({"loss_reason", "decision", "reason", "competitor"})
# Not shown themselves, but in how another value is.
_UNITS: Final = frozenset({"currency", "threshold", "cut"})


def holding(portfolio: Portfolio, *columns: str, but_lost: bool = False) -> pa.Table:
    """The opportunities in which one of these fields of ours is filled, and these fields.

    Args:
        but_lost: Only those that are lost no longer.
    """
    kinds = {name: arrow_type(TABLES["opportunity"][name]) for name in (_KEY, *columns)}
    none = pa.table({name: pa.nulls(0, kind) for name, kind in kinds.items()})
    rows = nw.from_native(portfolio["opportunity"]).lazy()
    held = [name for name in columns if name in rows.collect_schema().names()]
    if not held:
        return none
    is_filled = nw.any_horizontal(
        *(~nw.col(name).is_null() for name in held), ignore_nulls=True
    )
    if but_lost:
        is_filled &= nw.col("status") != "lost"
    found = collected(rows.filter(is_filled).select(_KEY, *held)).sort_by(_KEY)
    return pa.concat_tables([none, found], promote_options="permissive").cast(
        none.schema
    )


def told_in_plans(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Those that show nothing people typed, each with no more values than it shows."""
    told = []
    for reason in reasons:
        shown = {each.partition(":")[0] for each in placeholders(reason.code, "en")}
        if not shown & _TYPED:
            kept = {k: v for k, v in reason.values.items() if k in shown | _UNITS}
            told.append(Reason(reason.code, kept))
    return tuple(told)
