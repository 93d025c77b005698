"""When did each account buy, for how much, and what has it signed?"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

import attrs
import numpy as np
import pyarrow as pa

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts, Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._facts import (
    Purchases,
    RevenueFacts,
    account_days,
    contract_terms,
    found_at,
    placed,
    purchases,
    repeat_purchases,
)
from crm_portfolio.portfolio import Portfolio

__all__ = ["DAYS_A_YEAR", "History"]

DAYS_A_YEAR: Final = 365.25
_YEAR: Final = timedelta(days=365)
_TERMS: Final = ("begun", "running", "ran", "signed", "unsaid")
_REPEATS: Final = ("known_days", "known_minor", "span_days")


@attrs.frozen(eq=False)
class History:
    """By account, in the order of the facts; days are whole, money in minor units.

    Attributes:
        age: Days from the first purchase to the last day of the period, 0 without one.
        age_at_last: Days from the first purchase to the last one.
        known_days: Days of purchase after the first whose amounts are known, which came
            to ``known_minor`` together.
        span_days: Days of purchase in the period.
        begun, running, ran: Contracts: all that began, those that run on the last day
            of the period, and those that ran a year before.
        signed: What those running bring in a year; ``unsaid`` of them do not say it.
        has_contracts: Whether the portfolio has the table.
    """

    facts: RevenueFacts
    bought: Purchases
    age: Groups
    age_at_last: Groups
    known_days: Groups
    known_minor: Amounts
    span_days: Groups
    begun: Groups
    running: Groups
    ran: Groups
    signed: Amounts
    unsaid: Groups
    has_contracts: bool

    @classmethod
    def of(cls, portfolio: Portfolio, facts: RevenueFacts) -> History:
        bought = purchases(portfolio, facts)
        last_day = np.datetime64(facts.period.last_day, "D")
        return cls(
            facts,
            bought,
            age=_days(last_day - bought.first_on),
            age_at_last=_days(bought.last_on - bought.first_on),
            has_contracts="contract" in portfolio,
            **_repeats(portfolio, facts, bought),
            **_terms(portfolio, facts),
        )

    @property
    def repeats(self) -> Groups:
        """Days of purchase after the first."""
        return np.maximum(self.bought.days - 1, 0)

    @property
    def is_modelled(self) -> Flags:
        """Who has bought and never had a contract: nobody says when it leaves."""
        modelled: Flags = (self.bought.days > 0) & (self.begun == 0)
        return modelled

    @property
    def years(self) -> float:
        """Of the period, as far as the book reaches back."""
        start, end = self.facts.period.start, self.facts.period.end
        assert start is not None
        assert end is not None
        firsts = self.facts.by_account.first_on
        known = firsts[~np.isnat(firsts)]
        begins: date = known.min().item() if known.size else start
        days = (end - max(start, begins)).days
        months = self.facts.period.months
        if months and start >= begins:
            return months / 12
        return max(days, 1) / DAYS_A_YEAR

    def yearly(self) -> Floats:
        """Revenue of a year by the period; NaN where an amount of it is unknown."""
        of = self.facts.by_account
        years = max(self.years, 1.0)
        return np.where(of.is_whole, self.facts.money(of.revenue) / years, np.nan)


def _days(span: Any) -> Groups:
    span = span.astype("timedelta64[D]")
    days: Groups = np.where(np.isnat(span), 0, span.astype(np.int64))
    return days


def _repeats(
    portfolio: Portfolio, facts: RevenueFacts, bought: Purchases
) -> dict[str, Any]:
    has_bought = ~np.isnat(bought.first_on)
    since = pa.table(
        {
            "account_id": pa.array(np.flatnonzero(has_bought), pa.int32()),
            "first_on": pa.array(bought.first_on[has_bought], pa.date32()),
        }
    )
    start, end = facts.period.start, facts.period.end
    assert start is not None
    assert end is not None
    days = account_days(portfolio, facts.measure)
    found = repeat_purchases(days, since, start=start, end=end)
    return _by_place(facts, found, _REPEATS)


def _terms(portfolio: Portfolio, facts: RevenueFacts) -> dict[str, Any]:
    if "contract" not in portfolio:
        nothing = np.zeros(len(facts.by_account.ids), dtype=np.int64)
        return dict.fromkeys(_TERMS, nothing)
    last_day = facts.period.last_day
    found = contract_terms(
        portfolio["contract"], on=last_day, before=last_day - _YEAR, digits=facts.digits
    )
    return _by_place(facts, found, _TERMS)


def _by_place(
    facts: RevenueFacts, found: pa.Table, names: tuple[str, ...]
) -> dict[str, Any]:
    at = found_at(found["account_id"], facts.by_account.ids)
    return {name: placed(found[name], at) for name in names}
