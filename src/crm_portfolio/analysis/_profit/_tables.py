"""What stands in the frames: by account, by role, by channel, along the curve?"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._digits import twelve_digits
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._whale import STANDINGS
from crm_portfolio._places import told_at
from crm_portfolio.analysis._facts import named
from crm_portfolio.analysis._profit._discounts import Leak
from crm_portfolio.analysis._profit._statement import MARGINS, Statement
from crm_portfolio.results import Json, significant

__all__ = ["account_table", "channel_table", "curve_table", "rate_table", "summary_of"]

_TEXT, _NUMBER, _WHOLE = pa.string(), pa.float64(), pa.int64()


def account_table(found: Statement, leak: Leak) -> pa.Table:
    """One row an account: those on the curve in its order, then the others by id."""
    facts, of = found.facts, found.facts.by_account
    hours = found.served.hours()
    if found.served.source is None:
        hours = np.full(len(of.ids), np.nan)
    per_hour = np.full(hours.size, np.nan)
    is_rated = found.avoidable[1] & (np.nan_to_num(hours) > 0)
    per_hour[is_rated] = facts.money(found.avoidable[0])[is_rated] / hours[is_rated]
    table = pa.table(
        {
            "account_id": of.ids,
            **facts.names(of.ids),
            "standing": pa.array(found.standing(), _TEXT),
            "net_revenue": pa.array(facts.money(of.revenue), mask=~of.is_known),
            "delivery_cost": found.money(found.delivery),
            "gross_margin": found.money(found.gross),
            "cost_to_serve": found.money(found.service),
            "margin_after_service": found.money(found.after_service),
            "late_cost": found.money(found.late),
            "acquisition_cost": found.money(found.acquisition),
            "acquisition_source": _said(found.won.source),
            "account_margin": found.money(found.account),
            "margin_low": found.money(found.low),
            "margin_high": found.money(found.high),
            "overhead": found.money(found.overhead),
            "full_margin": found.money(found.full),
            "avoidable_contribution": found.money(found.avoidable),
            "furthest_margin": named(found.furthest, MARGINS),
            "hours": _numbers(hours),
            "contribution_per_hour": _numbers(per_hour),
            "channel": _said(found.won.channel),
            "is_new": pa.array(
                found.won.is_new, mask=np.full(hours.size, not found.won.has_past)
            ),
            **_leaks(leak),
            "line_count": pa.array(of.lines),
            "known_line_count": pa.array(of.known_lines),
        }
    )
    return told_at(table, _order(found))


def _leaks(leak: Leak) -> dict[str, Any]:
    is_open = np.isnan(leak.shares)
    money = leak.facts.money
    has_offers = leak.offers is not None and leak.offers > 0
    offered = leak.offers if leak.offers is not None else np.zeros_like(leak.listed)
    share = np.full(is_open.size, np.nan)
    which = np.broadcast_to(has_offers, is_open.shape)
    share[which] = leak.discounted[which] / offered[which]
    return {
        "list_value": pa.array(money(leak.listed), mask=is_open),
        "discount_share": _numbers(leak.shares),
        "usual_discount_share": _numbers(leak.usual),
        "is_leaking": pa.array(leak.is_far, mask=is_open),
        "unexplained_leakage": pa.array(money(leak.unexplained), mask=is_open),
        "offer_count": pa.array(
            offered, mask=np.full(is_open.size, leak.offers is None)
        ),
        "discounted_offer_share": _numbers(share),
    }


def _said(texts: npt.NDArray[Any]) -> pa.Array:
    """Null where it is empty: nobody says it."""
    told = pa.array(texts, _TEXT)
    return pc.if_else(pc.equal(told, ""), None, told)


def _numbers(values: Floats) -> pa.Array:
    return pa.array(twelve_digits(values), mask=np.isnan(values))


def _order(found: Statement) -> Groups:
    is_on = found.on_curve
    margin = np.where(is_on, found.margin(found.curve)[0], 0)
    return np.lexsort((-margin, ~found.is_in, ~is_on))


def curve_table(found: Statement) -> pa.Table:
    """The whale curve: a row an account, from the most profitable one."""
    whale, facts = found.whale(), found.facts
    ids = facts.by_account.ids.filter(pa.array(found.on_curve))
    order = pa.array(whale.order)
    places = np.arange(1, whale.size + 1)
    shares = whale.shares
    unknown = np.full(whale.size, shares is None)
    profit = np.zeros(whale.size) if shares is None else shares
    return pa.table(
        {
            "place": pa.array(places, _WHOLE),
            "account_id": ids.take(order),
            "margin": pa.array(facts.money(whale.margins[whale.order])),
            "cum_margin": pa.array(facts.money(whale.cumulative)),
            "account_share": pa.array(twelve_digits(places / max(whale.size, 1))),
            "profit_share": pa.array(twelve_digits(profit), mask=unknown),
        }
    )


def rate_table(found: Statement) -> pa.Table:
    """By role: what an hour costs, what it can give, what it gave, and what is left."""
    every = found.served.capacity
    rows = [*every.items()]
    told = found.served.rates

    def numbers(values: list[float | None]) -> pa.Array:
        return pa.array([significant(each) for each in values], _NUMBER)

    return pa.table(
        {
            "role": pa.array([role or None for role, _ in rows], _TEXT),
            "cost_per_hour": numbers([each.cost_per_hour for _, each in rows]),
            "rate_source": pa.array(
                [
                    told[role] if each.cost_per_hour is not None else None
                    for role, each in rows
                ],
                _TEXT,
            ),
            "hours_practical": numbers([each.practical for _, each in rows]),
            "hours_used": numbers([each.used for _, each in rows]),
            "used_share": numbers([each.used_share for _, each in rows]),
            "hours_unused": numbers([each.unused for _, each in rows]),
            "unused_cost": numbers([each.unused_cost for _, each in rows]),
            "is_overloaded": pa.array([each.is_overloaded for _, each in rows]),
        }
    )


def channel_table(found: Statement) -> pa.Table:
    """What winning accounts cost: all together (no channel), and by channel."""
    rows = found.won.told(found.gross)
    kinds = {"channel": _TEXT, "new_count": _WHOLE}
    return pa.table(
        {
            name: pa.array([row[name] for row in rows], kinds.get(name, _NUMBER))
            for name in (
                *("channel", "spent", "new_count", "cost_of_one"),
                *("contribution_per_month", "payback_months"),
            )
        }
    )


def summary_of(found: Statement, leak: Leak) -> dict[str, Json]:
    """The statement of all, the curve, the hours, what winning costs, and discounts."""
    facts, served = found.facts, found.served
    amount = facts.amount
    steps = {
        "net_revenue": found.revenue,
        "delivery_cost": found.delivery,
        "gross_margin": found.gross,
        "cost_to_serve": found.service,
        "margin_after_service": found.after_service,
        "late_cost": found.late,
        "acquisition_cost": found.acquisition,
        "account_margin": found.account,
        "overhead": found.overhead,
        "full_margin": found.full,
        "avoidable_contribution": found.avoidable,
        "margin_low": found.low,
        "margin_high": found.high,
    }
    size = int(found.is_in.sum())
    costs = [each.unused_cost for role, each in served.capacity.items() if role]
    unused = None if not costs or None in costs else sum(each or 0.0 for each in costs)
    won = found.won.told(found.gross)
    return {
        "account_count": size,
        "statement": {name: found.sum(each) for name, each in steps.items()},
        "known_counts": {
            name: int((each[1] & found.is_in).sum()) for name, each in steps.items()
        },
        "whale": _whale(found),
        "hours": {
            "source": served.source,
            "hours": significant(float(served.seconds.sum()) / 3600)
            if served.source
            else None,
            "coverage": significant(served.coverage),
            "is_enough": served.is_enough,
            "unused_cost": significant(unused),
            "unexplained_cost": None
            if served.is_enough or served.unexplained is None
            else amount(served.unexplained),
        },
        "acquisition": {
            "lag_days": found.won.lag_days,
            **(won[0] if won else dict.fromkeys(_OF_ALL)),
        },
        "overhead": None
        if found.overhead_total is None
        else amount(found.overhead_total + found.unsplit),
        "discounts": leak.told(),
    }


_OF_ALL = (
    *("channel", "spent", "new_count", "cost_of_one"),
    *("contribution_per_month", "payback_months"),
)


def _whale(found: Statement) -> dict[str, Json]:
    whale, amount = found.whale(), found.facts.amount
    standing = found.standing()[found.on_curve]
    losing, lost = whale.losing
    size = whale.size
    counts = {each: int((standing == each).sum()) for each in STANDINGS}
    return {
        "curve": found.curve,
        "account_count": size,
        "unknown_count": int((found.is_in & ~found.on_curve).sum()),
        "profit": amount(whale.total) if size else None,
        "peak": amount(whale.peak) if size else None,
        "peak_count": whale.peak_count if size else None,
        "peak_share": significant(whale.peak_count / size) if size else None,
        "peak_ratio": significant(whale.peak_ratio),
        "eaten": amount(whale.eaten) if size else None,
        **{f"{name}_count": counts[name] for name in STANDINGS},
        **{
            f"{name}_share": significant(counts[name] / size) if size else None
            for name in STANDINGS
        },
        "losing_count": losing if size else None,
        "lost": amount(lost) if size else None,
    }
