"""Who is on the list of tomorrow's clients, and what became of last year's?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._rates import wilson
from crm_portfolio.analysis._tomorrow._history import HIDDEN, History, State
from crm_portfolio.analysis._tomorrow._moves import Moves
from crm_portfolio.analysis._tomorrow._signals import SIGNALS, Signals
from crm_portfolio.analysis._tomorrow._trends import Trend
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Json, significant

__all__ = ["Shortlist", "back_test"]


@attrs.frozen(eq=False)
class Shortlist:
    """The list of one close: the best candidates, and some accounts drawn by chance.

    Attributes:
        score: Sum of the known parts; ``is_candidate`` where enough signals speak for one.
        chosen: Places of the candidates on the list, the best first.
        drawn: Places of those drawn, so that nobody's potential is written off.
    """

    moves: Moves
    trend: Trend
    signals: Signals
    parts: Mapping[str, Floats]
    score: Floats
    is_candidate: Flags
    chosen: Groups
    drawn: Groups

    @classmethod
    def at(cls, portfolio: Portfolio, history: History, end: int) -> Shortlist:
        """The list as it would have been made at a close."""
        moves, trend = Moves.to(history, end), Trend.at(history, end)
        signals = Signals.at(portfolio, history, moves, trend)
        settings, parts = history.settings, signals.parts()
        score = np.nansum([parts[name] for name in SIGNALS], axis=0)
        # Engines may differ in the last bit of a mean; nobody's place hangs on it.
        score = np.round(score, 9) + 0.0
        is_candidate = signals.is_lower & (signals.count >= settings.min_signals)
        explored = max(1, round(settings.list_count * settings.exploration_share))
        explored = min(explored, settings.list_count)
        places = np.flatnonzero(is_candidate)
        best = places[np.argsort(-score[places], kind="stable")]
        pool = (signals.is_lower | signals.is_young) & ~is_candidate
        return cls(
            moves,
            trend,
            signals,
            parts,
            score,
            is_candidate,
            best[: settings.list_count - explored],
            _drawn(history, np.flatnonzero(pool), end, explored),
        )

    def rising(self, history: History) -> npt.NDArray[np.object_]:
        """``yes`` on the list by its signals; ``unknown`` where the past is too short."""
        code, label = self.moves.now.code, self.trend.label
        is_open = (label == "too_short") | (label == "unknown")
        is_new = (code < 0) & (history.first_month() < self.moves.now.month)
        rising = np.full(code.size, "no", dtype=object)
        rising[is_open & (self.signals.is_lower | is_new)] = "unknown"
        rising[code == HIDDEN] = "unknown"
        rising[self.is_candidate] = "no"
        rising[self.chosen] = "yes"
        return rising

    def places(self) -> Groups:
        """Place on the list, 0 for those who are not on it."""
        place = np.zeros(self.score.size, dtype=np.int64)
        listed = np.concatenate([self.chosen, self.drawn])
        place[listed] = np.arange(1, listed.size + 1)
        return place

    def columns(self, history: History) -> dict[str, pa.Array]:
        """What the frame shows of it."""
        is_scored, place = self.signals.is_lower, self.places()
        is_drawn = np.zeros(place.size, dtype=bool)
        is_drawn[self.drawn] = True
        columns = {
            "rising": pa.array(self.rising(history), pa.string()),
            "place": pa.array(place, mask=place == 0),
            "is_exploration": pa.array(is_drawn),
            "score": pa.array(self.score, mask=~is_scored),
            **self.signals.columns(),
        }
        for name in SIGNALS:
            part = np.round(self.parts[name], 9) + 0.0
            columns[f"score_{name}"] = pa.array(part, mask=~is_scored | np.isnan(part))
        return columns

    def told(self) -> dict[str, Json]:
        """How long the list is, and how many were fit for it."""
        is_lower = self.signals.is_lower
        return {
            "candidate_count": int(self.is_candidate.sum()),
            "listed_count": int(self.chosen.size),
            "exploration_count": int(self.drawn.size),
            "eligible_count": int(is_lower.sum()),
            "base_rate": significant(self.moves.base_rate()),
            "signals": {
                name: {
                    "known_count": int(
                        (~np.isnan(self.signals.values[name]) & is_lower).sum()
                    ),
                    "count": int((self.signals.holds[name] & is_lower).sum()),
                }
                for name in SIGNALS
            },
        }


def _drawn(history: History, pool: Groups, end: int, count: int) -> Groups:
    """Some of the pool, by chance: the same all year, whoever else comes and goes."""
    from pandas.util import hash_array

    if not pool.size:
        return pool
    ids = history.facts.by_account.ids.take(pa.array(pool))
    year = (end - 1) // 12
    key = f"{history.settings.seed % 10**12:012d}{year:04d}"
    each = ids.to_numpy(zero_copy_only=False)
    # No id stands twice: to look for those that do takes longer than to hash them.
    chance = hash_array(each, hash_key=key, categorize=False)
    return pool[np.argsort(chance, kind="stable")[:count]]


def back_test(then: Shortlist, now: State) -> dict[str, Json] | None:
    """What became of the list of a year ago, against those drawn and all the others.

    None where there was nobody to choose from.
    """
    if not then.signals.is_lower.any():
        return None
    listed = np.zeros(now.code.size, dtype=bool)
    listed[then.chosen] = listed[then.drawn] = True
    others = np.flatnonzero(then.signals.is_lower & ~listed)
    chosen, drawn, rest = (
        _became(then, now, who) for who in (then.chosen, then.drawn, others)
    )
    return {"list": chosen, "exploration": drawn, "others": rest}


def _became(then: Shortlist, now: State, who: Groups) -> dict[str, Any]:
    """How many of these moved up, stayed, moved down or were lost; the rest is unknown."""
    tiers, was, is_ = then.moves.tiers, then.moves.now.code[who], now.code[who]
    # Who was new then had no tier to rise from: the upper half is up.
    was = np.where(was < 0, then.moves.lower, was)
    is_in = (is_ >= 0) & (is_ < tiers)
    up, lost = int((is_in & (is_ < was)).sum()), int((is_ == tiers).sum())
    known = int(is_in.sum()) + lost
    interval = wilson(up, known)
    return {
        "count": int(who.size),
        "known_count": known,
        "up_count": up,
        "same_count": int((is_in & (is_ == was)).sum()),
        "down_count": int((is_in & (is_ > was)).sum()),
        "lost_count": lost,
        "up_rate": significant(up / known) if known else None,
        "up_rate_low": significant(interval[0]) if interval else None,
        "up_rate_high": significant(interval[1]) if interval else None,
    }
