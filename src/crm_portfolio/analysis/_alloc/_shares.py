"""Which accounts are served alike, and how many minutes does each of them get?"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import cast

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import to_arrow
from crm_portfolio._methods import _allocation as formulas
from crm_portfolio._methods._cuts import Groups, largest_first
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._rules import Bands
from crm_portfolio.analysis._alloc._settings import AllocationSettings
from crm_portfolio.analysis._alloc._total import Total
from crm_portfolio.analysis._facts import RevenueFacts, of_accounts
from crm_portfolio.analysis._tiers import TiersResult

__all__ = ["NO_TIER", "UNKNOWN", "Shares"]

NO_TIER, _NEW = "none", "new"
UNKNOWN = -1
"""The minutes of an account that nobody can say."""


@attrs.frozen(eq=False)
class Shares:
    """What each group and each account gets, by the place of the account in the facts.

    Attributes:
        floor: In minutes.
        tier: The one that stands; null where it is unknown.
        served_as: The tier whose hours it gets.
        labels: The groups, best first; ``none`` is no group.
        group: Of each account; -1 where it is in none.
        order: Of the accounts: by group, the largest first.
        parts: Exact minutes of each group; None where nobody says how many there are, or
            where that does not pay for the floor. ``is_floored`` tells who stands on it.
        minutes: Whole minutes of each account.
    """

    total: Total
    floor: int
    tier: pa.Array
    served_as: pa.Array
    labels: list[str]
    group: Groups
    order: Groups
    parts: list[Fraction] | None
    is_floored: list[bool]
    minutes: Groups

    @classmethod
    def of(
        cls,
        facts: RevenueFacts,
        tiered: TiersResult,
        total: Total,
        settings: AllocationSettings,
    ) -> Shares:
        tier = of_accounts(tiered, facts.by_account.ids, "tier")["tier"]
        served = tier
        if settings.new_accounts == "by_revenue":
            served = _by_revenue(facts, tier, tiered)
        labels = sorted({*pc.unique(served).to_pylist()} - {None, NO_TIER})
        found = pc.index_in(served, pa.array(labels, pa.string()))
        group = pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        order = _order(facts, group, served)
        sizes = np.bincount(group[group >= 0], minlength=len(labels)).tolist()
        floor = ceil(Fraction(str(settings.floor_hours)) * 60)
        made = (
            None
            if total.minutes is None
            else formulas.by_group(total.minutes, sizes, floor)
        )
        parts, is_floored = made or (None, [False] * len(labels))
        minutes = np.where(_is_none(served), 0, UNKNOWN).astype(np.int64)
        if parts is not None:
            each = zip(formulas.whole(parts), sizes, strict=True)
            shared = [formulas.within(whole, size) for whole, size in each]
            is_in = order[group[order] >= 0]
            minutes[is_in] = np.concatenate([*shared, np.zeros(0, dtype=np.int64)])
        return cls(
            total=total,
            floor=floor,
            tier=tier,
            served_as=served,
            labels=labels,
            group=group,
            order=order,
            parts=parts,
            is_floored=is_floored,
            minutes=minutes,
        )

    @property
    def sizes(self) -> Groups:
        """Accounts of each group."""
        in_group = self.group[self.group >= 0]
        return np.bincount(in_group, minlength=len(self.labels)).astype(np.int64)

    @property
    def count(self) -> int:
        """Accounts that get hours."""
        return int((self.group >= 0).sum())

    @property
    def is_affordable(self) -> bool | None:
        """Whether the hours pay for the floor of all; None without hours."""
        return None if self.total.minutes is None else self.parts is not None

    def share_of_each(self) -> Floats:
        """The exact part of all hours that each account of a group should get.

        Known without the hours themselves, but where a floor must be paid for by them.
        """
        sizes = self.sizes
        if self.parts is not None and self.total.minutes:
            each = [float(part / self.total.minutes) for part in self.parts]
        elif self.floor == 0:
            each = [1 / len(self.labels) for _ in self.labels]
        else:
            each = [np.nan] * len(self.labels)
        shares: Floats = np.array(each, dtype=np.float64) / np.maximum(sizes, 1)
        return shares


def _order(facts: RevenueFacts, group: Groups, served: pa.Array) -> Groups:
    """Groups, then ``none``, then the unknown; in each the largest first, ties by id."""
    of = facts.by_account
    last = np.where(
        _is_none(served), group.max(initial=0) + 1, group.max(initial=0) + 2
    )
    kind = 2 * np.where(group >= 0, group, last) + ~of.is_known
    return largest_first(of.revenue, kind)


def _is_none(served: pa.Array) -> Flags:
    is_none = pc.fill_null(pc.equal(served, NO_TIER), fill_value=False)
    flags: Flags = is_none.to_numpy(zero_copy_only=False).astype(bool)
    return flags


def _by_revenue(facts: RevenueFacts, tier: pa.Array, tiered: TiersResult) -> pa.Array:
    """New accounts in the tier where their revenue would be; the last takes the rest."""
    of = facts.by_account
    labels, edges = _edges(facts, tiered)
    if not labels:
        return tier
    at = np.searchsorted(edges[::-1], of.revenue, side="right")
    would_be = pa.array(labels, pa.string()).take(pa.array(len(labels) - 1 - at))
    would_be = pc.if_else(pa.array(of.is_known), would_be, None)
    is_new = pc.fill_null(pc.equal(tier, _NEW), fill_value=False)
    return pc.if_else(is_new, would_be, tier)


def _edges(facts: RevenueFacts, tiered: TiersResult) -> tuple[list[str], Groups]:
    """The tiers of the rule that have a place, and where all but the last begin."""
    by_tier = to_arrow(tiered.tiers)
    edges = {
        tier: edge
        for tier, edge in zip(
            by_tier["tier"].to_pylist(), by_tier["lower_edge"].to_pylist(), strict=True
        )
        if tier not in (NO_TIER, _NEW)
    }
    begun = [tier for tier, edge in edges.items() if edge is not None]
    # The last of fixed bands has no beginning, all others begin at their smallest account.
    open_below = [*edges][-1:] if _is_fixed(tiered) else []
    labels = [*begun, *open_below]
    minor = [round(edges[tier] * 10**facts.digits) for tier in labels[:-1]]
    return labels, np.array(minor, dtype=np.int64)


def _is_fixed(tiered: TiersResult) -> bool:
    settings = cast("dict[str, dict[str, str]]", tiered.params["settings"])
    return settings["method"]["kind"] == Bands.__name__
