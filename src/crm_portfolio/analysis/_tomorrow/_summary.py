"""What do the moves of all accounts come to?"""

from __future__ import annotations

from collections import Counter

from crm_portfolio.analysis._facts import Purchases
from crm_portfolio.analysis._tomorrow._history import History
from crm_portfolio.analysis._tomorrow._kept import retention
from crm_portfolio.analysis._tomorrow._list import Shortlist, back_test
from crm_portfolio.analysis._tomorrow._moves import Moves
from crm_portfolio.analysis._tomorrow._top import Spells, replacement, top_tier
from crm_portfolio.results import Json

__all__ = ["summary_of"]

_YEAR = 12


def summary_of(
    history: History, now: Shortlist, then: Shortlist, bought: Purchases
) -> dict[str, Json]:
    """All figures of the whole."""
    moves, settings = now.moves, history.settings
    has_two = history.begins < history.end - 2 * _YEAR
    before = Moves.to(history, history.end - _YEAR) if has_two else None
    rising = Counter(now.rising(history).tolist())
    trends = Counter(now.trend.label.tolist())
    return {
        "account_count": history.monthly.count,
        "rising_count": rising["yes"],
        "unknown_count": rising["unknown"],
        "tiers": moves.by_tier(history),
        "trends": {
            f"{label}_count": trends[label]
            for label in ("rising", "falling", "flat", "too_short", "unknown")
        },
        "transitions": moves.told(before),
        "projection": moves.ahead(settings.horizon_years),
        "retention": retention(history, bought),
        "top_tier": top_tier(Spells.of(history), moves),
        "replacement": replacement(history, moves),
        "list": now.told(),
        "back_test": back_test(then, moves.now),
    }
