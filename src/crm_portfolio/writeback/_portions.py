"""In what portions is a plan written, and how many calls does that take?"""

from __future__ import annotations

from typing import Final

from crm_portfolio.protocols import Batching, Forecast
from crm_portfolio.writeback._held import Readable
from crm_portfolio.writeback._limits import Limits

__all__ = ["calls_to_apply", "canary_size", "portion", "write_forecast"]

# For a connector that does not say; it is what one Salesforce collection call takes.
_USUAL: Final = 200
# The step of a forecast that reading back costs once more.
_REREAD: Final = "re-read"


def portion(crm: Readable, count: int) -> int:
    """How many records to read again and write together, of so many in all."""
    return max(1, crm.write_batch(count)) if isinstance(crm, Batching) else _USUAL


def canary_size(limits: Limits, count: int) -> int:
    """How many records are written before the others, of so many in all."""
    return min(count, max(limits.canary_count, round(limits.canary_share * count)))


def write_forecast(crm: Readable, count: int) -> Forecast:
    """The calls that reading again and writing so many records should take."""
    if isinstance(crm, Batching):
        return crm.write_forecast(count)
    batches = -(-count // _USUAL)
    return Forecast({_REREAD: batches, "write": batches})


def calls_to_apply(crm: Readable, limits: Limits, count: int) -> int:
    """The calls that `apply` should take to change so many records.

    The first slice and the rest are each read again, written, and read back; logging in
    and the like happens once.
    """
    first = canary_size(limits, count)
    parts = [write_forecast(crm, part) for part in (first, count - first) if part]
    once = write_forecast(crm, 0).calls
    per_part = sum(part.calls + part.steps.get(_REREAD, 0) - once for part in parts)
    return once + per_part if parts else 0
