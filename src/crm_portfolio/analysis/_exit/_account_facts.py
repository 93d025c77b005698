"""What does the ladder ask of each account, beside what is weighed?"""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._digits import twelve_digits
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._places import rows_of
from crm_portfolio.analysis._exit._given import Given
from crm_portfolio.analysis._exit._measured import net_revenue
from crm_portfolio.analysis._facts import RevenueFacts
from crm_portfolio.analysis._facts._requests import bound_until
from crm_portfolio.portfolio import Portfolio

__all__ = ["AccountFacts"]

Days = npt.NDArray[np.datetime64]
_NO_DAY: Final = np.datetime64("NaT", "D")


@attrs.frozen(eq=False)
class AccountFacts:
    """What the ladder asks of each account; NaN, NaT and None where it is unknown.

    Attributes:
        hours: Of the period.
        share: Of the revenue, its own; ``group_share`` with all that its ultimate parent
            owns, ``hhi_effect`` how much lower the HHI would be without that group.
        contract_end_on: The last day of its contracts that run; NaT too where one goes on
            until it is ended, as ``is_open_ended`` says.
        notice_days: The longest that a contract that runs asks for.
        since_on: First revenue, or when the account was made where nothing was sold.
        tier: By its letter, ``new`` or ``none``.
        group_of: The place of its ultimate parent among those of all.
    """

    net_revenue: Floats
    gross_margin: Floats
    avoidable_contribution: Floats
    cost_to_serve: Floats
    hours: Floats
    contribution_per_hour: Floats
    days_late: Floats
    lateness_cost: Floats
    open_amount: Floats
    overdue_amount: Floats
    share: Floats
    group_share: Floats
    hhi_effect: Floats
    contract_count: Groups
    contract_end_on: Days
    is_open_ended: Flags
    notice_days: Floats
    since_on: Days
    tier: npt.NDArray[np.object_]
    segment: npt.NDArray[np.object_]
    owner_id: npt.NDArray[np.object_]
    group_of: Groups

    @classmethod
    def of(
        cls, portfolio: Portfolio, facts: RevenueFacts, given: Given
    ) -> AccountFacts:
        """Of the accounts, in the order of the facts."""
        groups, group_of = facts.groups()
        bound = _Bound.of(portfolio, facts)
        kept = given.numbers("profitability", "avoidable_contribution")
        hours = given.numbers("profitability", "hours")
        per_hour = np.full(hours.size, np.nan)
        np.divide(kept, hours, out=per_hour, where=np.nan_to_num(hours) > 0)
        is_open_ended = bound.open_ended > 0
        return cls(
            net_revenue=net_revenue(facts),
            gross_margin=given.numbers("profitability", "gross_margin"),
            avoidable_contribution=kept,
            cost_to_serve=given.numbers("profitability", "cost_to_serve"),
            hours=hours,
            contribution_per_hour=twelve_digits(per_hour),
            days_late=given.numbers("receivables", "days_late"),
            lateness_cost=given.numbers("receivables", "cost_of_lateness"),
            open_amount=given.numbers("receivables", "open_amount"),
            overdue_amount=given.numbers("receivables", "overdue_amount"),
            share=given.numbers("concentration", "share"),
            group_share=given.numbers("concentration", "group_share"),
            hhi_effect=_hhi_effects(facts.money(groups.revenue))[group_of],
            contract_count=bound.running.astype(np.int64),
            contract_end_on=np.where(is_open_ended, _NO_DAY, bound.ends_on),
            is_open_ended=is_open_ended,
            notice_days=bound.notice_days,
            since_on=_since(facts),
            tier=given.texts("tiers", "tier"),
            segment=_texts(facts.account, "segment"),
            owner_id=_texts(facts.account, "owner_id"),
            group_of=group_of,
        )


def _hhi_effects(revenue: Floats) -> Floats:
    """How much lower the HHI of these would be without each; NaN without any revenue."""
    positive = np.maximum(revenue, 0.0)
    total = positive.sum()
    if not total > 0:
        return np.full(revenue.size, np.nan)
    share = positive / total
    whole = (share**2).sum()
    left = np.full(share.size, np.nan)
    np.divide(whole - share**2, (1 - share) ** 2, out=left, where=share < 1)
    return twelve_digits(np.where(share < 1, whole - left, np.nan))


@attrs.frozen(eq=False)
class _Bound:
    """By account, what its contracts that run say."""

    running: Floats
    open_ended: Floats
    ends_on: Days
    notice_days: Floats

    @classmethod
    def of(cls, portfolio: Portfolio, facts: RevenueFacts) -> _Bound:
        ids = facts.by_account.ids
        zeros, nobody = np.zeros(len(ids)), np.full(len(ids), np.nan)
        if "contract" not in portfolio:
            return cls(zeros, zeros, np.full(len(ids), _NO_DAY), nobody)
        found = bound_until(portfolio["contract"], portfolio.as_of)
        at = rows_of(ids, found["account_id"])

        def taken(name: str, other: float) -> Floats:
            column = found[name].combine_chunks().cast(pa.float64()).take(at)
            values: Floats = pc.fill_null(column, other).to_numpy(zero_copy_only=False)
            return values

        ends = found["ends_on"].combine_chunks().take(at)
        days = ends.to_numpy(zero_copy_only=False).astype("datetime64[D]")
        return cls(
            taken("running", 0.0),
            taken("open_ended", 0.0),
            days,
            taken("notice_days", np.nan),
        )


def _since(facts: RevenueFacts) -> Days:
    first = facts.by_account.first_on
    if "created_on" not in facts.account.column_names:
        return first
    made = facts.account["created_on"].combine_chunks().to_numpy(zero_copy_only=False)
    since: Days = np.where(np.isnat(first), made.astype("datetime64[D]"), first)
    return since


def _texts(account: pa.Table, name: str) -> npt.NDArray[np.object_]:
    if name not in account.column_names:
        return np.full(account.num_rows, None, dtype=object)
    # The same text is one object, however many accounts it stands at.
    found: npt.NDArray[np.object_] = (
        account[name].combine_chunks().to_numpy(zero_copy_only=False)
    )
    return found
