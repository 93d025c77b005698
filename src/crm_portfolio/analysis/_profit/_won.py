"""What did it cost to win each account, through which channel, and how soon is it earned?"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._acquisition import amortised, cost_of_one, payback_months
from crm_portfolio._methods._indices import Amounts
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._places import places_of
from crm_portfolio.analysis._facts import RevenueFacts, first_sources, first_wins, spent
from crm_portfolio.analysis._profit._rows import placed
from crm_portfolio.analysis._profit._settings import ProfitabilitySettings
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.results import Json, significant

__all__ = ["Won"]

_DAYS_A_MONTH = 365.2425 / 12


@attrs.frozen(eq=False)
class Won:
    """How each account was won, in the order of the facts.

    Attributes:
        costs: `spent` of the portfolio; None without the table.
        channel: Where its first sale came from; empty where nobody says.
        is_new: Whether its first revenue lies in the period.
        has_past: Whether the book reaches back before it: without, all would be new.
        lag_days: From entering to winning a first sale, in the median; 0 where unknown.
        yearly: What winning it cost, as far as it falls on the period; in minor units.
        source: Of that: ``own`` costs, its ``channel``, the ``mean``, ``over`` where its
            life is, or nothing.
    """

    facts: RevenueFacts
    costs: pa.Table | None
    channel: np.ndarray[Any, np.dtype[Any]]
    is_new: Flags
    has_past: bool
    lag_days: int
    window: Period
    minor: Amounts
    source: np.ndarray[Any, np.dtype[Any]]
    channels: tuple[dict[str, Any], ...]

    @classmethod
    def of(
        cls, portfolio: Portfolio, facts: RevenueFacts, settings: ProfitabilitySettings
    ) -> Won:
        channel, lag = _wins(portfolio, facts)
        window = _lagged(facts.period, lag)
        costs = None
        if "cost" in portfolio:
            costs = spent(portfolio["cost"], facts.period, window, facts.digits)
        is_new = is_won_in(facts)
        channels = _channels(facts, costs, channel, is_new, settings)
        minor, source = _amortised(facts, costs, channel, channels, settings)
        return cls(
            facts,
            costs,
            channel,
            is_new,
            facts.has_previous,
            lag,
            window,
            minor,
            source,
            channels,
        )

    @property
    def cost(self) -> tuple[Amounts, Flags]:
        return self.minor, self.source != ""

    def told(self, margin: tuple[Amounts, Flags]) -> list[dict[str, Json]]:
        """By channel: what was spent, who was won, and how soon it is earned again."""
        return [self._told(each, margin) for each in self.channels]

    def _told(
        self, each: dict[str, Any], margin: tuple[Amounts, Flags]
    ) -> dict[str, Json]:
        name, facts = each["channel"], self.facts
        mine = self.is_new & margin[1]
        mine &= np.ones_like(mine) if name == "*" else self.channel == name
        first = facts.by_account.first_on[mine]
        assert facts.period.end is not None
        days = (np.datetime64(facts.period.end, "D") - first).astype(np.int64)
        months = float(days.sum()) / _DAYS_A_MONTH
        earned = facts.amount(int(margin[0][mine].sum()))
        per_month = earned / months if months > 0 else None
        cost = each["cost"] if self.has_past else None
        one = None if cost is None else cost / 10**facts.digits
        return {
            "channel": None if name == "*" else name,
            "spent": facts.amount(each["spent"]),
            "new_count": each["count"] if self.has_past else None,
            "cost_of_one": significant(one),
            "contribution_per_month": significant(per_month),
            "payback_months": significant(payback_months(one, per_month)),
        }


def is_won_in(facts: RevenueFacts) -> Flags:
    """Whose first revenue lies in the period."""
    assert facts.period.start is not None
    first = facts.by_account.first_on
    won: Flags = ~np.isnat(first) & (first >= np.datetime64(facts.period.start, "D"))
    return won


def _wins(
    portfolio: Portfolio, facts: RevenueFacts
) -> tuple[np.ndarray[Any, np.dtype[Any]], int]:
    """The channel of each account, and the median cycle of the first sales won."""
    channel = np.full(len(facts.by_account.ids), "", dtype=object)
    if "opportunity" not in portfolio:
        return channel, 0
    sales = portfolio["opportunity"]
    wins = first_wins(sales)
    rows = placed(first_sources(sales, wins), facts)
    channel[rows["place"].to_numpy()] = rows["source"].to_pylist()
    rows = placed(wins, facts)
    won, entered = (
        rows[name].cast(pa.date32()).to_numpy().astype("datetime64[D]")
        for name in ("won_on", "entered_at")
    )
    days = (won - entered).astype(np.float64)
    start = np.datetime64(facts.period.start, "D")
    recent = days[~np.isnat(entered) & (won >= start) & (days >= 0)]
    recent = recent[
        won[~np.isnat(entered) & (won >= start) & (days >= 0)] < _end(facts)
    ]
    return channel, int(np.median(recent)) if recent.size else 0


def _end(facts: RevenueFacts) -> np.datetime64:
    return np.datetime64(facts.period.end, "D")


def _lagged(span: Period, days: int) -> Period:
    """The same days, a sales cycle earlier."""
    assert span.start is not None
    assert span.end is not None
    earlier = timedelta(days=days)
    if span.start - date.min < earlier:
        return Period.between(
            date.min, max(span.end - earlier, date.min + timedelta(1))
        )
    return Period.between(span.start - earlier, span.end - earlier)


def _channels(
    facts: RevenueFacts,
    costs: pa.Table | None,
    channel: np.ndarray[Any, np.dtype[Any]],
    is_new: Flags,
    settings: ProfitabilitySettings,
) -> tuple[dict[str, Any], ...]:
    """All together (``*``) and by channel: spent, how many were won, and of one."""
    if costs is None:
        return ()
    mine = costs.filter(pc.equal(costs["kind"], "acquisition"))
    if not mine.num_rows:
        return ()
    at = places_of(mine["account_id"], facts.by_account.ids).to_pylist()
    by: dict[str, int] = {}
    for label, place, lagged in zip(
        mine["label"].to_pylist(), at, mine["lagged"].to_pylist(), strict=True
    ):
        # Who it was spent on says more of the channel than what the books call it.
        own = channel[place] if place is not None else settings.channels.get(label, "")
        by[own] = by.get(own, 0) + lagged
    names = sorted({*by, *settings.channels.values()} - {""})
    every = int(pc.sum(mine["lagged"]).as_py() or 0)
    rows = [_row("*", every, int(is_new.sum()))]
    rows += [
        _row(name, by.get(name, 0), int((is_new & (channel == name)).sum()))
        for name in names
    ]
    return tuple(rows)


def _row(name: str, minor: int, count: int) -> dict[str, Any]:
    cost = cost_of_one(minor, count)
    return {"channel": name, "spent": minor, "count": count, "cost": cost}


def _amortised(
    facts: RevenueFacts,
    costs: pa.Table | None,
    channel: np.ndarray[Any, np.dtype[Any]],
    channels: tuple[dict[str, Any], ...],
    settings: ProfitabilitySettings,
) -> tuple[Amounts, np.ndarray[Any, np.dtype[Any]]]:
    """What of the cost of winning each account falls on the period, and what says so."""
    ids, first = facts.by_account.ids, facts.by_account.first_on
    cost = np.zeros(len(ids))
    source = np.full(len(ids), "", dtype=object)
    # An average of all would say of each account what is true of none.
    rows = [each for each in channels if each["cost"] is not None]
    if not facts.has_previous:
        rows = []
    if settings.untraced == "mean" and rows and rows[0]["channel"] == "*":
        cost[:], source[:] = rows[0]["cost"], "mean"
    for each in rows:
        if each["channel"] != "*":
            mine = channel == each["channel"]
            cost[mine], source[mine] = each["cost"], "channel"
    if costs is not None:
        own = costs.filter(pc.equal(costs["kind"], "acquisition"))
        sums = own.group_by("account_id").aggregate([("ever", "sum")])
        at = places_of(sums["account_id"], ids)
        inside = pc.is_valid(at)
        place = at.filter(inside).to_numpy()
        cost[place] = sums["ever_sum"].filter(inside).to_numpy()
        source[place] = "own"
    start, end = facts.period.start, facts.period.end
    assert start is not None
    assert end is not None
    minor = amortised(cost, first, settings.life_months, start, end)
    whole = np.full(len(ids), 1e9)
    is_over = amortised(whole, first, settings.life_months, start, end) == 0
    source[(source == "") & is_over & ~np.isnat(first)] = "over"
    # Who has never bought anything has not been won, and bears nothing yet.
    source[np.isnat(first)] = np.where(source[np.isnat(first)] == "own", "", "never")
    return minor, source
