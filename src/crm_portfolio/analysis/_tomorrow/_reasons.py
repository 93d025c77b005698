"""Why is this account one of tomorrow's, or not, and what must be borne in mind?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from crm_portfolio._wording import Reason, ReasonValue
from crm_portfolio.analysis._facts import parent_loops, partly_unknown
from crm_portfolio.analysis._tomorrow._history import AGREED, MOVED, History
from crm_portfolio.analysis._tomorrow._list import Shortlist
from crm_portfolio.analysis._tomorrow._signals import SIGNALS
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Row

__all__ = ["of_account", "warnings"]

Summary = Mapping[str, Any]
Values = Mapping[str, ReasonValue]

_FEW: Final = 10
_OUTSIDE: Final = {
    "new": "succession_new",
    "lost": "succession_lost",
    "merged": "succession_merged",
    "under_contract": "succession_under_contract",
    "none": "succession_none",
}
_SIMPLE: Final = {
    "potential": "signal_potential",
    "breadth": "signal_breadth",
    "interest": "signal_interest",
}
_TRENDS: Final = {
    "rising": "trend_rising",
    "falling": "trend_falling",
    "flat": "trend_flat",
}


def of_account(
    row: Row, summary: Summary, settings: Mapping[str, Any], money: Values
) -> Iterator[Reason]:
    """Whether it is on the list, by which signals, where it stands and where it goes."""
    yield _verdict(row, summary, settings)
    if row["score"] is not None:
        yield from _signals(row, summary)
    yield from _standing(row, money)
    yield from partly_unknown(row)
    yield from _trend(row, money)
    if row["was_listed"] is not None:
        yield Reason("succession_was_listed", {"before": row["tier_year_ago"]})


def _verdict(row: Row, summary: Summary, settings: Mapping[str, Any]) -> Reason:
    found = {"n": row["signal_count"], "least": settings["min_signals"]}
    if row["is_exploration"]:
        return Reason("rising_drawn", {"place": row["place"]})
    if row["place"] is not None:
        return Reason("rising_yes", found | {"place": row["place"]})
    if row["rising"] == "unknown":
        return Reason("rising_unknown")
    if row["score"] is None:
        is_upper = row["tier"] not in _OUTSIDE
        return Reason("rising_upper" if is_upper else "rising_outside")
    if row["signal_count"] >= settings["min_signals"]:
        listed = summary["list"]["listed_count"]
        code = "rising_capped" if listed else "rising_crowded"
        return Reason(code, found | {"listed": listed})
    return Reason("rising_few", found)


def _signals(row: Row, summary: Summary) -> Iterator[Reason]:
    """Those that speak for it; how many more nobody knows."""
    if row["has_trend"]:
        yield Reason("signal_trend")
    if row["has_odds"]:
        rates = {"up": row["up_rate"], "threshold": summary["list"]["base_rate"]}
        yield Reason("signal_odds", {"tier": row["tier"], **rates})
    for name, code in _SIMPLE.items():
        if row[f"has_{name}"]:
            yield Reason(code)
    if unknown := sum(row[f"has_{name}"] is None for name in SIGNALS):
        yield Reason("signals_unknown", {"n": unknown, "of": len(SIGNALS)})


def _standing(row: Row, money: Values) -> Iterator[Reason]:
    """Its tier, the one of a year ago, and what becomes of who is in it."""
    tier, before = row["tier"], row["tier_year_ago"]
    if tier is None:
        yield Reason("revenue_unknown", {"lines": row["line_count"]})
        return
    if tier in _OUTSIDE:
        yield Reason(_OUTSIDE[tier])
        return
    own = {"tier": tier, "revenue": row["revenue"], **money}
    if before is None or before in _OUTSIDE:
        yield Reason("succession_tier", own)
    else:
        yield Reason("succession_from", own | {"before": before})
    if row["leaving_rate"] is None:
        return
    rates = {"tier": tier, "leaving": row["leaving_rate"]}
    if row["years_to_loss"] is None:
        yield Reason("succession_never", rates)
        return
    rates["months"] = round(12 * row["years_to_loss"])
    if row["up_rate"]:
        yield Reason("succession_odds", rates | {"up": row["up_rate"]})
    else:
        yield Reason("succession_leaving", rates)


def _trend(row: Row, money: Values) -> Iterator[Reason]:
    """What the quarters say."""
    quarters = {"quarters": row["trend_quarters"]}
    match row["trend"]:
        case "too_short":
            yield Reason("trend_too_short", quarters)
        case "unknown":
            yield Reason("trend_unknown")
        case "rising" | "falling" | "flat" as label:
            slopes = {
                name: round(row[f"slope_{name}"], 2)
                for name in ("per_year", "low", "high")
            }
            values = {**quarters, **slopes, "p": row["trend_p"], **money}
            yield Reason(_TRENDS[label], values)


def warnings(
    portfolio: Portfolio, history: History, now: Shortlist, summary: Summary
) -> Iterator[Reason]:
    """What limits the answer."""
    yield from history.facts.warnings()
    if loops := parent_loops(portfolio):
        yield Reason("cycle_in_parents", {"n": loops})
    yield from _of_history(history, summary)
    yield from _of_moves(now, summary["transitions"], history.settings.alpha)
    yield from _of_trends(now)
    spells = summary["top_tier"]
    if spells["truncated_count"]:
        yield Reason("left_truncated", {"n": spells["truncated_count"]})
    if spells["spell_count"] and spells["half_life_years"] is None:
        shown = {"years": spells["horizon_years"], "share": spells["share_at_horizon"]}
        yield Reason("half_life_not_reached", shown)
    if unknown := summary["retention"]["unknown_count"]:
        yield Reason("retention_unknown", {"n": unknown})
    if negative := summary["retention"]["negative_count"]:
        yield Reason("negative_end", {"n": negative})
    yield from _of_last_list(summary["back_test"])


def _of_last_list(found: Summary | None) -> Iterator[Reason]:
    """Whether last year's list found more than those it left out."""
    if found is None or found["list"]["known_count"] < _FEW:
        return
    rates = {name: found[name]["up_rate"] for name in ("list", "others")}
    if rates["others"] is not None and rates["list"] <= rates["others"]:
        yield Reason("list_no_better", {"n": found["list"]["known_count"]} | rates)


def _of_history(history: History, summary: Summary) -> Iterator[Reason]:
    months = history.end - history.begins
    if not history.has_year_before:
        yield Reason("no_year_before", {"months": months})
    elif months < 24:
        yield Reason("year_before_partial", {"months": months})
    if unknown := summary["unknown_count"]:
        yield Reason("unknown_history", {"n": unknown})


def _of_moves(now: Shortlist, told: Summary, alpha: float) -> Iterator[Reason]:
    counts = told["row_counts"]
    few = [tier for tier, n in zip(told["states"], counts, strict=False) if n < _FEW]
    if few and now.moves.matrix is not None:
        named = ", ".join(few)
        yield Reason("row_lt_10", {"tiers": named, "tier_count": len(few), "n": _FEW})
    if told["stability"] and told["stability"]["p"] < alpha:
        yield Reason("unstable_matrix", {"p": told["stability"]["p"]})
    if merged := int((now.moves.now.code == MOVED).sum()):
        yield Reason("merged_in_group", {"n": merged})
    if agreed := int((now.moves.now.code == AGREED).sum()):
        yield Reason("billed_elsewhen", {"n": agreed})


def _of_trends(now: Shortlist) -> Iterator[Reason]:
    is_in = (now.moves.now.code >= 0) & (now.moves.now.code < now.moves.tiers)
    if short := int((is_in & (now.trend.label == "too_short")).sum()):
        yield Reason("too_short", {"n": short})
    if ties := int(np.sum(now.trend.found.is_approximate)):
        yield Reason("ties", {"n": ties})
