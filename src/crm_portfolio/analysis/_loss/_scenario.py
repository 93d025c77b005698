"""What is supposed to be lost, and what must be known of the firm to weigh it?"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from math import floor
from typing import Any, Literal, TypedDict, Unpack

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._cuts import Groups, largest_first
from crm_portfolio._methods._indices import part
from crm_portfolio._methods._ranking import Flags, Revenue
from crm_portfolio._takes import is_count, is_no_less, is_part
from crm_portfolio.analysis._facts import Measure, RevenueFacts
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.portfolio import Period

__all__ = ["LossScenarioSettings", "Scenario"]

_CHOICES = ("accounts", "owner_id", "segment_code", "tail_share", "largest_count")


def _ids(accounts: Iterable[Any]) -> tuple[str, ...]:
    """Ids in the order given, each once; also those of a frame's column."""
    each = [accounts] if isinstance(accounts, str) else accounts
    plain = (one.as_py() if isinstance(one, pa.Scalar) else one for one in each)
    return tuple(dict.fromkeys(str(one) for one in plain))


class _How(TypedDict, total=False):
    """What every scenario may say beside its accounts."""

    starts_on: date | None
    lost_share: float
    ramp_months: int
    level: Literal["group", "account"] | None


@attrs.frozen
class Scenario:
    """A supposed loss: name the accounts, or say by what they are chosen.

    Attributes:
        accounts: Their ids.
        starts_on: The first day of the loss; None: the day after the period.
        lost_share: How much of their revenue goes, above 0 and up to 1.
        ramp_months: Over how many months it goes, evenly; 0: at once.
        level: ``group`` takes the whole group of an account, and ranks groups;
            None: groups, but for owners and segments the accounts alone.
        owner_id: All accounts this person looks after.
        segment_code: All accounts of this segment.
        tail_share: The smallest so many: 0.8 spares the largest fifth, rounded up.
        largest_count: The largest so many.

    Example:
        >>> Scenario.owner("U2", ramp_months=6).lost_share
        1.0
    """

    accounts: tuple[str, ...] = attrs.field(default=(), converter=_ids)
    starts_on: date | None = None
    lost_share: float = attrs.field(default=1.0, validator=is_part)
    ramp_months: int = attrs.field(default=0, validator=is_no_less)
    level: Literal["group", "account"] | None = attrs.field(default=None, kw_only=True)
    owner_id: str | None = attrs.field(default=None, kw_only=True)
    segment_code: str | None = attrs.field(default=None, kw_only=True)
    tail_share: float | None = attrs.field(
        default=None, kw_only=True, validator=is_part
    )
    largest_count: int | None = attrs.field(
        default=None, kw_only=True, validator=is_count
    )

    def __attrs_post_init__(self) -> None:
        given = [name for name in _CHOICES if getattr(self, name) not in (None, ())]
        if len(given) != 1:
            raise SettingsError(
                "a scenario takes accounts by exactly one of "
                f"{', '.join(_CHOICES)}; it has {' and '.join(given) or 'none'}"
            )

    @classmethod
    def group(cls, account_id: str, **how: Unpack[_How]) -> Scenario:
        """The whole group that this account belongs to."""
        return attrs.evolve(cls((account_id,), **how), level="group")

    @classmethod
    def owner(cls, owner_id: str, **how: Unpack[_How]) -> Scenario:
        """The accounts of one of us, who may leave and take them along."""
        return cls(owner_id=owner_id, **how)

    @classmethod
    def segment(cls, segment: str, **how: Unpack[_How]) -> Scenario:
        """The accounts of one segment."""
        return cls(segment_code=segment, **how)

    @classmethod
    def tail(cls, share: float, **how: Unpack[_How]) -> Scenario:
        """The smallest so many of those with revenue: what are the small 80 % worth?"""
        return cls(tail_share=share, **how)

    @classmethod
    def largest(cls, count: int = 1, **how: Unpack[_How]) -> Scenario:
        """The largest ones."""
        return cls(largest_count=count, **how)

    @property
    def is_by_group(self) -> bool:
        """Whether accounts of a group fall together."""
        if self.level is None:
            return self.owner_id is None and self.segment_code is None
        return self.level == "group"

    def taken(self, facts: RevenueFacts, groups: Revenue, group_of: Groups) -> Flags:
        """Which accounts of the facts it takes, in their order."""
        if self.tail_share is not None or self.largest_count is not None:
            if self.is_by_group:
                return self._by_rank(groups)[group_of]
            return self._by_rank(facts.by_account)
        named = self._named(facts)
        if not self.is_by_group:
            return named
        taken: Flags = np.isin(group_of, group_of[named])
        return taken

    def _by_rank(self, of: Revenue) -> Flags:
        """The largest or the smallest of those with revenue lines; ties by id."""
        is_ranked = of.has_lines & of.is_known
        order = largest_first(of.revenue, ~is_ranked)[: int(is_ranked.sum())]
        if self.tail_share is not None:
            order = order[order.size - floor(part(order.size, self.tail_share)) :]
        else:
            order = order[: self.largest_count]
        taken = np.zeros(of.revenue.size, dtype=bool)
        taken[order] = True
        return taken

    def _named(self, facts: RevenueFacts) -> Flags:
        if self.accounts:
            found: Flags = self._by_id(facts.by_account.ids)
            return found
        column, value = "owner_id", self.owner_id
        if self.segment_code is not None:
            column, value = "segment", self.segment_code
        known = pa.nulls(len(facts.account), pa.string())
        if column in facts.account.column_names:
            known = facts.account[column].cast(pa.string()).combine_chunks()
        named: Flags = (
            pc.fill_null(pc.equal(known, value), fill_value=False)
            .to_numpy(zero_copy_only=False)
            .astype(bool)
        )
        if not named.any():
            near = did_you_mean(str(value), set(known.drop_null().to_pylist()))
            raise SettingsError(f"no account has the {column} {value!r}{near}")
        return named

    def _by_id(self, ids: pa.Array) -> Flags:
        at = pc.index_in(pa.array(self.accounts, pa.string()), ids)
        if at.null_count:
            lost = self.accounts[at.is_null().to_pylist().index(True)]
            near = did_you_mean(lost, ids.to_pylist())
            raise SettingsError(f"the portfolio has no account {lost!r}{near}")
        named = np.zeros(len(ids), dtype=bool)
        named[at.to_numpy()] = True
        return named


_LAST_YEAR = Period.last_months(12)
_THE_LARGEST = Scenario.largest()


@attrs.frozen
class LossScenarioSettings:
    """What is lost, and what the books alone do not tell. What is None is unknown.

    Attributes:
        period: Brought to a year, where it is longer or shorter than one.
        measure: None: revenue lines where the portfolio has them, else won opportunities.
        scenario: Who is lost, when, and how much of it.
        fixed_costs: A year's, in the currency; they stay when an account goes.
        variable_cost_share: Of revenue, where the lines do not say their cost.
        cash: What there is to live on while there is a loss.
        target_revenue: A year's; None: what it was before the loss.
        growth_per_month: Of the accounts that stay; None: their own, from the period
            before to this one.
        won_per_month: New yearly revenue won in a month; None: what accounts that are new
            in the period brought, by month.
        win_ramp_months: Over how many months a sale that is won comes to its full worth.
        horizon_months: How far ahead open sales are looked at.
        tail_share: The "small 80 %" whose revenue is held against the margin of safety.
        major_share: From this share of revenue on (inclusive) a client is major.
        dependent_share: Above this share (exclusive) we depend on it.
        seed: Of the draws of open sales.
        draws: How many; over 5,000 different sales take fewer, never under 1,000.
    """

    period: Period = _LAST_YEAR
    measure: Measure | None = None
    scenario: Scenario = _THE_LARGEST
    fixed_costs: float | None = attrs.field(default=None, validator=is_no_less)
    variable_cost_share: float | None = attrs.field(default=None, validator=is_no_less)
    cash: float | None = attrs.field(default=None, validator=is_no_less)
    target_revenue: float | None = attrs.field(default=None, validator=is_no_less)
    growth_per_month: float | None = None
    won_per_month: float | None = attrs.field(default=None, validator=is_no_less)
    win_ramp_months: int = attrs.field(default=0, validator=is_no_less)
    horizon_months: int = attrs.field(default=36, validator=is_count)
    tail_share: float = attrs.field(default=0.8, validator=is_part)
    major_share: float = attrs.field(default=0.1, validator=is_part)
    dependent_share: float = attrs.field(default=0.2, validator=is_part)
    seed: int = 2026
    draws: int = attrs.field(default=10_000, validator=is_count)
