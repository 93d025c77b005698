"""How long does an account stay in the top tier, and who takes its place?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import numpy as np

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._survival import Curve, half_life_of, survival
from crm_portfolio._methods._transitions import replaced
from crm_portfolio.analysis._tomorrow._history import (
    AGREED,
    HIDDEN,
    MOVED,
    History,
    first_day,
)
from crm_portfolio.analysis._tomorrow._moves import Moves
from crm_portfolio.results import Json, significant

__all__ = ["Spells", "replacement", "top_tier"]

_CLOSES_A_YEAR = 4
_TOP = 0
_MOST_YEARS_SHOWN = 5


@attrs.frozen(eq=False)
class Spells:
    """Stays in the top tier, from the close they began at.

    Attributes:
        durations: In closes; ``has_left`` is not so where the account is still there, or
            its revenue or its own name is lost sight of.
        truncated_count: Stays that had begun before the first close: left out, since
            nobody knows how long they have lasted.
    """

    durations: Groups
    has_left: Flags
    truncated_count: int

    @classmethod
    def of(cls, history: History) -> Spells:
        """Go through the closes; each account has one open stay at the most."""
        began = np.full(history.monthly.count, -1, dtype=np.int64)
        truncated = 0
        durations, ended = [], []
        was_in = np.zeros(began.size, dtype=bool)
        for at, month in enumerate(history.closes):
            code = history.passing(month).code
            is_in = code == _TOP
            if at == 0:
                truncated = int(is_in.sum())
            else:
                began[is_in & ~was_in] = at
            gone = ~is_in & (began >= 0)
            durations.append(at - began[gone])
            ended.append(~np.isin(code[gone], (AGREED, HIDDEN, MOVED)))
            began[gone] = -1
            was_in = is_in
        still = began >= 0
        durations.append(len(history.closes) - 1 - began[still])
        ended.append(np.zeros(int(still.sum()), dtype=bool))
        lengths, has_left = np.concatenate(durations), np.concatenate(ended)
        watched = lengths > 0
        return cls(lengths[watched], has_left[watched], truncated)

    def curve(self) -> Curve:
        return survival(self.durations / _CLOSES_A_YEAR, self.has_left)


def top_tier(spells: Spells, moves: Moves) -> dict[str, Json]:
    """Half-life as watched, else as a year's retention has it."""
    curve = spells.curve()
    stays = None if moves.matrix is None else float(moves.matrix[_TOP, _TOP])
    longest = (
        float(spells.durations.max()) / _CLOSES_A_YEAR
        if spells.durations.size
        else None
    )
    return {
        "spell_count": int(spells.durations.size),
        "left_count": int(spells.has_left.sum()),
        "truncated_count": spells.truncated_count,
        "half_life_years": significant(curve.half_life),
        "horizon_years": longest,
        "share_at_horizon": significant(curve.last) if spells.durations.size else None,
        "kept_share": significant(stays),
        "half_life_from_retention": significant(half_life_of(stays)),
        "curve": [
            {
                "years": time,
                "share": significant(share),
                "at_risk": at_risk,
                "left": left,
            }
            for time, share, at_risk, left in zip(
                curve.times.tolist(),
                curve.shares.tolist(),
                curve.at_risk.tolist(),
                curve.left.tolist(),
                strict=True,
            )
        ],
    }


def replacement(history: History, moves: Moves) -> dict[str, Any]:
    """Revenue that came into the top tier over what left it, year by year."""
    years: list[dict[str, Any]] = []
    for back in range(_MOST_YEARS_SHOWN):
        end = history.end - 12 * back
        if history.begins >= end - 12:
            break
        years.append(_year(history, end))
    expected: tuple[float, float] | None = None
    if moves.matrix is not None:
        expected = replaced(moves.matrix, moves.sizes.astype(np.float64))
    return {
        "expected_entering_count": significant(expected[0]) if expected else None,
        "expected_leaving_count": significant(expected[1]) if expected else None,
        "expected_rate": significant(expected[0] / expected[1])
        if expected and expected[1]
        else None,
        "years": years[::-1],
    }


def _year(history: History, end: int) -> dict[str, Any]:
    """Who came in is worth what it brings now, who left what it brought then."""
    was, now = history.at(end - 12), history.at(end)
    is_seen = ~np.isin([was.code, now.code], (AGREED, HIDDEN)).any(axis=0)
    comes = is_seen & (now.code == _TOP) & (was.code != _TOP)
    leaves = is_seen & (was.code == _TOP) & (now.code != _TOP) & (now.code != MOVED)
    came, left = int(now.revenue[comes].sum()), int(was.revenue[leaves].sum())
    return {
        "close_on": (first_day(end) - timedelta(days=1)).isoformat(),
        "entering_count": int(comes.sum()),
        "leaving_count": int(leaves.sum()),
        "entering_revenue": history.facts.amount(came),
        "leaving_revenue": history.facts.amount(left),
        "rate": significant(came / left) if left > 0 else None,
    }
