"""What is to be said of the tiers as a whole, and what is to be borne in mind?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._rules import LETTERS, Cut, Slices
from crm_portfolio._wording import Reason
from crm_portfolio.analysis._facts import RevenueFacts, Worked
from crm_portfolio.analysis._stable import Stable
from crm_portfolio.analysis._tier._potential import grid
from crm_portfolio.analysis._tier._settings import TiersSettings
from crm_portfolio.analysis._tier._tables import count_of
from crm_portfolio.results import Json, json_rows, significant

__all__ = ["summary_of", "warnings"]


def summary_of(
    facts: RevenueFacts,
    found: Cut,
    table: pa.Table,
    by_tier: pa.Table,
    *,
    worked: Worked,
    stable: Stable | None,
    settings: TiersSettings,
) -> dict[str, Json]:
    total = found.total
    moved = pc.not_equal(table["tier_before"], table["tier"])
    is_asked = settings.potential is not None
    return {
        "account_count": table.num_rows,
        "tiered_count": int(found.amounts.size),
        "tiered_revenue": facts.amount(total),
        "total": None if facts.total is None else facts.amount(facts.total),
        "unknown_count": table["tier_raw"].null_count,
        "pinned_count": count_of(table["is_pinned"]),
        "moved_count": count_of(moved),
        "imbalance": significant(found.imbalance),
        "goodness_of_fit": significant(found.fit),
        "tiers": json_rows(by_tier),
        "borders": _borders(facts, found, table, settings.border_count),
        "hours": _hours(worked),
        "stability": stable.told() if stable else None,
        "potential": grid(table, by_tier["tier"].to_pylist()) if is_asked else None,
    }


def _hours(worked: Worked) -> dict[str, Json]:
    known = int(worked.is_known.sum())
    total = int(worked.seconds[worked.is_known].sum()) / 3600
    return {
        "source": worked.source,
        "known_count": known,
        "total": significant(total) if known else None,
    }


def _borders(
    facts: RevenueFacts, found: Cut, table: pa.Table, count: int
) -> list[Json]:
    """The accounts nearest to each edge, on both sides."""
    ids = table["account_id"]

    def listed(places: range) -> list[Json]:
        return [
            {
                "account_id": ids[at].as_py(),
                "revenue": facts.amount(int(found.amounts[at])),
            }
            for at in places
        ]

    borders: list[Json] = []
    for group, edge in enumerate(found.edge):
        if edge is None or not found.has_worse()[group]:
            continue
        last = int(np.searchsorted(found.group, group, side="right"))
        borders.append(
            {
                "tier": LETTERS[group],
                "edge": facts.amount(edge),
                "above": listed(range(last - 1, max(last - count, 0) - 1, -1)),
                "below": listed(range(last, min(last + count, found.amounts.size))),
            }
        )
    return borders


def warnings(
    facts: RevenueFacts, found: Cut, table: pa.Table, settings: TiersSettings
) -> Iterator[Reason]:
    yield from facts.warnings()
    asked = settings.method.tier_count
    if found.made < asked:
        yield Reason("fewer_tiers", {"made": found.made, "asked": asked})
    empty = [LETTERS[g] for g, size in enumerate(found.sizes()) if size == 0]
    if empty:
        yield Reason(
            "empty_tier", {"tiers": ", ".join(empty), "tier_count": len(empty)}
        )
    imbalance = found.imbalance
    is_even_meant = isinstance(settings.method, Slices)
    if is_even_meant and imbalance is not None and imbalance > settings.imbalance_share:
        yield Reason("imbalance", {"imbalance": significant(imbalance)})
    if pinned := count_of(table["is_pinned"]):
        yield Reason("pinned", {"n": pinned})
    if restated := count_of(table["is_restated"]):
        yield Reason("close_restated", {"n": restated})
    if settings.potential is not None:
        unknown = count_of(pc.equal(table["potential"], "unknown"))
        if unknown:
            yield Reason("potential_unknown", {"n": unknown, "of": table.num_rows})
