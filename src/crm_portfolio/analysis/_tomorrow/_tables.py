"""What does the frame say of each account?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._rules import LETTERS
from crm_portfolio._places import told_at
from crm_portfolio.analysis._facts import named
from crm_portfolio.analysis._tomorrow._history import (
    AGREED,
    HIDDEN,
    MOVED,
    NEW,
    History,
    State,
)
from crm_portfolio.analysis._tomorrow._list import Shortlist

__all__ = ["account_table"]


def account_table(history: History, now: Shortlist, then: Shortlist) -> pa.Table:
    """One row per account: the list first, then the others, the largest first."""
    facts, of, moves = history.facts, history.facts.by_account, now.moves
    is_known, was_known = (each.code != HIDDEN for each in (moves.now, moves.was))
    before = ~was_known | ~np.full(of.revenue.size, history.has_year_before)
    columns = {"account_id": of.ids} | facts.names(of.ids)
    columns |= now.columns(history)
    columns |= {
        "tier": _named(history, moves.now),
        "tier_year_ago": _named(history, moves.was),
        "revenue": pa.array(facts.money(of.revenue), mask=~is_known),
        "revenue_year_ago": pa.array(facts.money(moves.was.revenue), mask=before),
        **now.trend.columns(facts.digits),
        "up_rate": _by_tier(moves.now, moves.rising()),
        "leaving_rate": _by_tier(
            moves.now, None if moves.matrix is None else moves.matrix[:, -1]
        ),
        "years_to_loss": _by_tier(moves.now, moves.years()),
        "was_listed": _was_listed(then),
        "line_count": pa.array(of.lines),
        "known_line_count": pa.array(of.known_lines),
    }
    place = now.places()
    order = np.lexsort((-of.revenue, np.where(place > 0, place, place.size + 1)))
    return told_at(pa.table(columns), order)


def _named(history: History, state: State) -> pa.Array:
    """Tiers by their letters, or what else an account is; null if unknown."""
    code, is_here = state.code, history.first_month() < state.month
    others = {
        "lost": code == history.tiers,
        "merged": code == MOVED,
        "under_contract": code == AGREED,
        "new": (code == NEW) & is_here,
        "none": (code == NEW) & ~is_here,
    }
    place = np.clip(code, 0, len(LETTERS) - 1)
    for at, is_it in enumerate(others.values(), len(LETTERS)):
        place[is_it] = at
    place[code == HIDDEN] = -1
    return named(place, [*LETTERS.tolist(), *others])


def _by_tier(state: State, rates: Floats | None) -> pa.Array:
    """A rate of each tier, on the accounts in it."""
    if rates is None:
        return pa.nulls(state.code.size, pa.float64())
    is_in: Flags = (state.code >= 0) & (state.code < rates.size)
    values = rates[np.where(is_in, state.code, 0)]
    return pa.array(values, mask=~is_in | np.isnan(values))


def _was_listed(then: Shortlist) -> pa.Array:
    """Whether last year's list would have had it, and for which cause."""
    listed: npt.NDArray[np.object_] = np.full(then.score.size, "", dtype=object)
    listed[then.chosen], listed[then.drawn] = "signals", "exploration"
    return pa.array(listed, pa.string(), mask=listed == "")
