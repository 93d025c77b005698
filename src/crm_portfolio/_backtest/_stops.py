"""What would the stop rules have dropped that was won later, and at what price was it won?"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import Any, Final

import attrs
import numpy as np
import pyarrow as pa

from crm_portfolio._backtest._levels import summed
from crm_portfolio._backtest._rates import Count, told
from crm_portfolio._backtest._replay import Replayed
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.results import Json, significant

__all__ = ["STOPS", "stop_table", "stops_together"]

STOPS: Final = ("attempts_spent", "worthless", "not_worth_it", "next_does_not_pay")
"""The rules of ``win_back`` that stop an attempt for what it costs.

Those to be left in peace are not among them: nothing is weighed against a refusal.
"""


@attrs.frozen(eq=False)
class _Price:
    """What one rule dropped on one day: what of it was won, and what was spent on it.

    Attributes:
        won_amount: Of what was won; ``contribution`` what that leaves, by the margin that
            ``win_back`` reckoned with.
        attempts: On those that were not won; −1 where no activities are held.
        hours: On those that were not won, and ``won_hours`` on those that were.
        cost: Of all these hours, with what they would have brought elsewhere, and outlay.
    """

    count: Count
    reopened: int
    won_amount: Floats
    contribution: float
    attempts: int
    hours: float
    won_hours: float
    cost: float

    @classmethod
    def of(cls, each: Replayed, rule: str) -> _Price:
        assert each.came is not None
        sold, spent = each.came.win_back, each.came.spent
        assert sold is not None
        assert spent is not None
        who = _dropped(each, rule)
        won = who & sold.won
        rest = who & ~sold.won
        hours = float(spent.hours[rest].sum())
        won_hours = float(spent.hours[won].sum())
        attempts, outlay = -1, nan if spent.outlay else 0.0
        if spent.attempts is not None:
            attempts = int(spent.attempts[rest].sum())
            outlay = float(spent.attempts[who].sum()) * spent.outlay
        return cls(
            count=Count.of(who, sold.is_known, sold.won, sold.won),
            reopened=int((who & sold.reopened).sum()),
            won_amount=sold.amount[won],
            contribution=float((sold.amount[won] * _margins(each)[won]).sum()),
            attempts=attempts,
            hours=hours,
            won_hours=won_hours,
            cost=(hours + won_hours) * _hour(each) + outlay,
        )


def _dropped(each: Replayed, rule: str) -> Flags:
    told = each.said.texts("win_back", "rule").to_numpy(zero_copy_only=False)
    flags: Flags = told == rule
    return flags


def _margins(each: Replayed) -> Floats:
    """Of each loss as ``win_back`` valued it, else of all it valued that day; NaN unknown.

    Whose attempts are spent is not valued.
    """
    table = each.said.tables["win_back"]
    value, amount = (
        table[name].cast(pa.float64()).to_numpy() for name in ("value", "amount")
    )
    is_valued = ~np.isnan(value) & (amount > 0)
    if not is_valued.any():
        return np.full(amount.size, nan)
    mean = float(value[is_valued].sum() / amount[is_valued].sum())
    own: Floats = np.full(amount.size, mean)
    own[is_valued] = value[is_valued] / amount[is_valued]
    return own


def _hour(each: Replayed) -> float:
    """What an hour costs and would have brought elsewhere; NaN where that is unknown."""
    hour = each.said.hour
    cost, value = hour.get("cost"), hour.get("value")
    return nan if cost is None or value is None else cost + value


def stop_table(replayed: Sequence[Replayed]) -> pa.Table:
    """A row for each day and rule that dropped anything."""
    rows = [
        {"day_on": each.day, "rule": rule, **_row([_Price.of(each, rule)])}
        for each in _over(replayed)
        for rule in STOPS
        if _dropped(each, rule).any()
    ]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def stops_together(replayed: Sequence[Replayed]) -> dict[str, Json]:
    """By rule, and ``all`` of them: these days together."""
    over = _over(replayed)
    prices = {rule: [_Price.of(each, rule) for each in over] for rule in STOPS}
    own = {rule: found for rule, found in prices.items() if _any(found)}
    every = [price for found in own.values() for price in found]
    told: dict[str, Json] = {"all": _row(every)} if every else {}
    return told | {rule: _row(found) for rule, found in own.items()}


def _any(found: Sequence[_Price]) -> bool:
    return any(each.count.said for each in found)


def _over(replayed: Sequence[Replayed]) -> list[Replayed]:
    return [each for each in replayed if each.came and each.came.win_back]


def _row(found: Sequence[_Price]) -> dict[str, Any]:
    own = [each for each in found if each.count.said]
    won = np.concatenate([np.zeros(0), *(each.won_amount for each in own)])
    hours = sum(each.hours for each in own)
    every = hours + sum(each.won_hours for each in own)
    contribution = sum(each.contribution for each in own)
    attempts = sum(each.attempts for each in own)
    is_counted = all(each.attempts >= 0 for each in own)
    cost = sum(each.cost for each in own)
    return {
        **told(Count.all(each.count for each in own), hits="won", rate="won"),
        "reopened_count": sum(each.reopened for each in own),
        "won_amount": summed(won),
        "won_contribution": significant(contribution),
        "unwon_attempt_count": attempts if is_counted else None,
        "unwon_hours": significant(hours),
        "hours": significant(every),
        "cost": significant(cost),
        "contribution_per_hour": significant(contribution / every if every else nan),
        "forgone": significant(contribution - cost),
    }


_SCHEMA: Final = pa.schema(
    [
        ("day_on", pa.date32()),
        ("rule", pa.string()),
        *((name, pa.int64()) for name in ("count", "known_count", "won_count")),
        *((f"won_rate{end}", pa.float64()) for end in ("", "_low", "_high")),
        ("reopened_count", pa.int64()),
        *((name, pa.float64()) for name in ("won_amount", "won_contribution")),
        ("unwon_attempt_count", pa.int64()),
        *((name, pa.float64()) for name in ("unwon_hours", "hours", "cost")),
        *((name, pa.float64()) for name in ("contribution_per_hour", "forgone")),
    ]
)
