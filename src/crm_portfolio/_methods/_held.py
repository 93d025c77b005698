"""Which tier stands: the rule's or the pinned one, and since when?"""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["tier_that_stands"]

_HELD = {
    "tier": pa.string(),
    "tier_since_on": pa.date32(),
    "tier_pinned": pa.string(),
    "tier_pinned_until_on": pa.date32(),
    "tier_pinned_by": pa.string(),
}


def tier_that_stands(
    account: pa.Table,
    by_rule: pa.Array,
    *,
    as_of: date,
    close: date,
    came_on: pa.Array | None = None,
) -> dict[str, pa.Array]:
    """Tier, what the CRM holds, since when, and the pin; as columns.

    A pin holds to the end of its last day. An account is in its tier since the day the
    CRM holds, while the CRM holds the same tier; else since it came there by the rule,
    where that is known, or since the close.
    """
    held = {name: _column(account, name) for name in _HELD}
    until = held["tier_pinned_until_on"]
    has_ended = pc.fill_null(pc.less(until, pa.scalar(as_of)), fill_value=False)
    is_pinned = pc.and_not(pc.is_valid(held["tier_pinned"]), has_ended)
    tier = pc.if_else(is_pinned, held["tier_pinned"], by_rule)
    is_same = pc.equal(held["tier"], tier)
    since = pc.coalesce(
        pc.if_else(is_same, held["tier_since_on"], None),
        pa.nulls(len(tier), pa.date32())
        if came_on is None
        else pc.if_else(pc.equal(tier, by_rule), came_on, None),
        pa.scalar(close, pa.date32()),
    )
    return {
        "tier": tier,
        "tier_before": held["tier"],
        "tier_since_on": pc.if_else(pc.is_valid(tier), since, None),
        "is_pinned": is_pinned,
        "pinned_until_on": pc.if_else(is_pinned, until, None),
        "pinned_by": pc.if_else(is_pinned, held["tier_pinned_by"], None),
    }


def _column(account: pa.Table, name: str) -> pa.Array:
    """A managed or human column; null where the CRM does not have it yet."""
    if name not in account.column_names:
        return pa.nulls(account.num_rows, _HELD[name])
    return account[name].combine_chunks().cast(_HELD[name])
