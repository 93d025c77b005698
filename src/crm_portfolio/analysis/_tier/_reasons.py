"""Why is this account in its tier?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import attrs

from crm_portfolio._methods._rules import (
    Abc,
    Bands,
    Method,
    NaturalBreaks,
    Quantiles,
    Slices,
)
from crm_portfolio._wording import Reason, ReasonValue
from crm_portfolio.analysis._tier._potential import PARTS
from crm_portfolio.results import Row

if TYPE_CHECKING:
    from crm_portfolio.analysis._stable import Stability
    from crm_portfolio.analysis._tier._settings import TiersSettings

__all__ = ["Why", "since"]

_BREAKS = {"log": "tier_natural_log", "raw": "tier_natural_raw"}
_CLASSES = {
    "low": "potential_is_low",
    "medium": "potential_is_medium",
    "high": "potential_is_high",
    "unknown": "potential_is_unknown",
}


@attrs.frozen(eq=False)
class Why:
    """What the reasons of all accounts go by.

    Attributes:
        sizes: How many accounts the rule gives each tier.
        money: What a reason carries beside an amount.
    """

    settings: TiersSettings
    sizes: Mapping[str, int]
    tiered_count: int
    money: Mapping[str, str]

    def of(self, row: Row) -> Iterator[Reason]:
        """Pin, stability, rule, distances and potential, in this order."""
        yield from _pinned(row)
        yield from _stands(row, self.settings.stability)
        yield from self._by_rule(row)
        if self.settings.potential is not None:
            yield from _potential(row, self.settings.potential.least_coverage)

    def _by_rule(self, row: Row) -> Iterator[Reason]:
        match row["tier_raw"]:
            case None:
                yield Reason("tier_unknown", {"lines": row["line_count"]})
            case "new":
                yield Reason("tier_new", {"first_on": row["first_revenue_on"]})
            case "none" if row["is_dormant"]:
                yield Reason("tier_none_dormant")
            case "none":
                yield Reason("tier_none", {"revenue": row["revenue"], **self.money})
            case tier:
                own = {"tier": tier, "revenue": row["revenue"], "share": row["share"]}
                method, n = self.settings.method, self.tiered_count
                yield _rule(method, row, own | dict(self.money), n)
                yield from self._distances(row, {"tier": tier, **self.money})

    def _distances(self, row: Row, own: dict[str, ReasonValue]) -> Iterator[Reason]:
        """How far above its own edge, how far below the next one."""
        if row["margin"] is not None and row["has_worse"]:
            values = own | {"edge": row["lower_edge"], "margin": row["margin"]}
            yield Reason(self._margin(row), values)
        if row["gap"] is None:
            yield Reason("tier_top", own)
        else:
            better = {key: row[key] for key in ("better", "edge_above", "gap")}
            yield Reason("tier_next", own | better)

    def _margin(self, row: Row) -> str:
        """An edge that is no account's own leaves room even to the smallest account."""
        if row["margin"] or isinstance(self.settings.method, Bands):
            return "tier_margin"
        return "tier_alone" if self.sizes[row["tier_raw"]] == 1 else "tier_smallest"


def since(row: Row) -> Iterator[Reason]:
    before, tier = row["tier_before"], row["tier"]
    if tier is not None and before == tier:
        yield Reason("tier_since", {"tier": tier, "since_on": row["tier_since_on"]})
    elif before is not None:
        yield Reason("tier_move", {"before": before})


def _rule(method: Method, row: Row, own: dict[str, ReasonValue], n: int) -> Reason:
    match method:
        case Slices():
            return Reason("tier_slice", own | {"slices": method.count})
        case NaturalBreaks():
            return Reason(_BREAKS[method.scale], own | {"groups": method.count})
        case Quantiles():
            values = {"rank": row["rank"], "n": n, "groups": method.count}
            return Reason("tier_quantile", own | values)
        case Abc():
            cut = method.a_share if row["tier_raw"] == "A" else method.b_share
            values = {"before": row["share_before"], "cut": cut}
            is_last = row["tier_raw"] == "C"
            return Reason("tier_abc_last" if is_last else "tier_abc", own | values)
        case Bands():
            values = {"edge": row["lower_edge"], "edge_above": row["edge_above"]}
            return Reason(_band(row), own | values)


def _band(row: Row) -> str:
    if row["edge_above"] is None:
        return "tier_band_top"
    return "tier_band" if row["lower_edge"] else "tier_band_last"


def _pinned(row: Row) -> Iterator[Reason]:
    if not row["is_pinned"]:
        return
    values = {"tier": row["tier"], "tier_raw": row["tier_raw"], "by": row["pinned_by"]}
    if row["pinned_until_on"] is None:
        yield Reason("tier_pinned", values)
    else:
        yield Reason("tier_pinned_until", values | {"until_on": row["pinned_until_on"]})


def _stands(row: Row, stability: Stability | None) -> Iterator[Reason]:
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


def _potential(row: Row, least: float) -> Iterator[Reason]:
    """Its class, the parts of it, whose opinion is in it, and who must look."""
    own: dict[str, ReasonValue] = {
        "score": row["potential_score"],
        "coverage": row["potential_coverage"],
        "cut": least,
    }
    yield Reason(_CLASSES[row["potential"]], own)
    yield Reason("potential_parts", {name: row[f"potential_{name}"] for name in PARTS})
    if row["wallet_rated_on"] is not None or row["wallet_rated_by"] is not None:
        said = {"by": row["wallet_rated_by"], "rated_on": row["wallet_rated_on"]}
        yield Reason("potential_wallet", said)
    if row["needs_review"]:
        yield Reason("potential_review", {"tier": row["tier"]})
