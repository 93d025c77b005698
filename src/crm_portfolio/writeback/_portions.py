"""In what portions is a plan written, and how many calls does that take?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from crm_portfolio.protocols import Batching, Forecast, WritableTable
from crm_portfolio.writeback._held import Readable
from crm_portfolio.writeback._limits import Limits

__all__ = ["calls_to_apply", "canary_size", "portion", "write_forecast"]

# For a connector that does not say; it is what one Salesforce collection call takes.
_USUAL: Final = 200
# The step of a forecast that reading back costs once more.
_REREAD: Final = "re-read"
# The steps that each table takes once, whatever a connector calls them.
_LOOKED_AT: Final = frozenset({"describe", "properties", "stages"})


def portion(crm: Readable, count: int) -> int:
    """How many records to read again and write together, of so many in all."""
    return max(1, crm.write_batch(count)) if isinstance(crm, Batching) else _USUAL


def canary_size(limits: Limits, count: int) -> int:
    """How many records are written before the others, of so many in all."""
    return min(count, max(limits.canary_count, round(limits.canary_share * count)))


def write_forecast(
    crm: Readable, count: int, table: WritableTable = "account"
) -> Forecast:
    """The calls that reading again and writing so many records should take."""
    if isinstance(crm, Batching):
        # A connector that writes accounts only need not know of tables.
        others = () if table == "account" else (table,)
        return crm.write_forecast(count, *others)
    batches = -(-count // _USUAL)
    return Forecast({_REREAD: batches, "write": batches})


def calls_to_apply(
    crm: Readable, limits: Limits, counts: Mapping[WritableTable, int]
) -> int:
    """The calls that `apply` should take to change so many records of each table.

    The first slice and the rest are each read again, written, and read back; logging in
    and the like happens once, looking at the fields once for each table.
    """
    told, steps = 0, dict[str, int]()
    for table, count in counts.items():
        first = canary_size(limits, count)
        parts = [p for p in (first, count - first) if p]
        forecasts = [write_forecast(crm, part, table) for part in parts]
        once = write_forecast(crm, 0, table).steps
        if forecasts:
            told += sum(n for step, n in once.items() if step in _LOOKED_AT)
            steps |= {step: n for step, n in once.items() if step not in _LOOKED_AT}
        for part in forecasts:
            told += part.calls + part.steps.get(_REREAD, 0) - sum(once.values())
    return told + sum(steps.values())
