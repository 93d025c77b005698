"""Why is this account in its tier?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from crm_portfolio._methods._rules import Abc, Bands, Method, Quantiles, Slices
from crm_portfolio._wording import Reason, ReasonValue
from crm_portfolio.results import Row

if TYPE_CHECKING:
    from crm_portfolio.analysis._stable import Stability

__all__ = ["by_rule", "pinned", "since", "stands"]


def by_rule(method: Method, row: Row, own: dict[str, ReasonValue], n: int) -> Reason:
    match method:
        case Slices():
            return Reason("tier_slice", own | {"slices": method.count})
        case Quantiles():
            values = {"rank": row["rank"], "n": n, "groups": method.count}
            return Reason("tier_quantile", own | values)
        case Abc():
            own = own | {"before": row["share_before"]}
            if row["tier_raw"] == "C":
                return Reason("tier_abc_last", own | {"cut": method.b_share})
            cut = method.a_share if row["tier_raw"] == "A" else method.b_share
            return Reason("tier_abc", own | {"cut": cut})
        case Bands():
            own = own | {"edge": row["lower_edge"], "edge_above": row["edge_above"]}
            if row["edge_above"] is None:
                return Reason("tier_band_top", own)
            return Reason("tier_band" if row["lower_edge"] else "tier_band_last", own)


def pinned(row: Row) -> Iterator[Reason]:
    if not row["is_pinned"]:
        return
    values = {"tier": row["tier"], "tier_raw": row["tier_raw"], "by": row["pinned_by"]}
    if row["pinned_until_on"] is None:
        yield Reason("tier_pinned", values)
    else:
        yield Reason("tier_pinned_until", values | {"until_on": row["pinned_until_on"]})


def stands(row: Row, stability: Stability | None) -> Iterator[Reason]:
    """What keeps it from the tier that the rule alone would give."""
    if stability is None or row["is_pinned"]:
        return
    tier, raw = row["tier"], row["tier_raw"]
    rule: dict[str, ReasonValue] = {
        "band": stability.band_share,
        "closes": stability.closes,
        "months": stability.dwell_months,
    }
    if row["is_restated"]:
        yield Reason("tier_restated", {"tier": tier})
    elif tier != raw:
        yield Reason("tier_stays", {"tier": tier, "tier_raw": raw} | rule)
    if row["tier_pending"] is not None and not row["is_restated"]:
        values = {"pending": row["tier_pending"], "so_far": row["pending_closes"]}
        yield Reason("tier_pending", values | rule)


def since(row: Row) -> Iterator[Reason]:
    before, tier = row["tier_before"], row["tier"]
    if tier is not None and before == tier:
        yield Reason("tier_since", {"tier": tier, "since_on": row["tier_since_on"]})
    elif before is not None:
        yield Reason("tier_move", {"before": before})
