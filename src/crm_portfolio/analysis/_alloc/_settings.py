"""How many hours are there to share out, and what service goes with each tier?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import attrs

from crm_portfolio._takes import is_count, is_no_less, is_share
from crm_portfolio.analysis._facts import Measure
from crm_portfolio.portfolio import Period

__all__ = ["AllocationSettings", "ServiceLevel", "service_of"]

OwnerRole: TypeAlias = Literal["management", "account_manager", "team"]
Channel: TypeAlias = Literal["visit", "call", "online"]


@attrs.frozen
class ServiceLevel:
    """What every account of a tier receives; None: what we propose for that tier.

    Attributes:
        owner_role: Who looks after it.
        channel: How we mostly meet.
        contact_days: We get in touch at least this often.
        response_hours: Working hours until it has an answer.
        automation_share: How much of the procedures runs by itself.
        discount_share: Up to which discount who looks after it decides alone.
        review_months: We look at the relationship itself this often.
    """

    owner_role: OwnerRole | None = None
    channel: Channel | None = None
    contact_days: int | None = attrs.field(default=None, validator=is_count)
    response_hours: int | None = attrs.field(default=None, validator=is_count)
    automation_share: float | None = attrs.field(default=None, validator=is_share)
    discount_share: float | None = attrs.field(default=None, validator=is_share)
    review_months: int | None = attrs.field(default=None, validator=is_count)


# Article 3: the largest are often looked after by the head of the firm in person, and
# procedures of the small ones run partly by themselves. The numbers are a proposal.
_PROPOSED: Final[Mapping[str, ServiceLevel]] = {
    "A": ServiceLevel("management", "visit", 30, 4, 0.0, 0.10, 3),
    "B": ServiceLevel("account_manager", "visit", 60, 8, 0.1, 0.05, 6),
    "C": ServiceLevel("account_manager", "call", 90, 16, 0.4, 0.03, 12),
    "D": ServiceLevel("team", "online", 180, 24, 0.7, 0.0, 12),
    "new": ServiceLevel("account_manager", "call", 30, 8, 0.1, 0.03, 3),
    "none": ServiceLevel("team", "online", 365, 24, 0.8, 0.0, 12),
}


def service_of(tier: str, own: Mapping[str, ServiceLevel]) -> ServiceLevel:
    """The policy of a tier: what was set, and what we propose where nothing was."""
    proposed = _PROPOSED.get(tier, _PROPOSED["D"])
    if tier not in own:
        return proposed
    chosen = attrs.asdict(own[tier], filter=lambda _, value: value is not None)
    return attrs.evolve(proposed, **chosen)


_LAST_YEAR = Period.last_months(12)


@attrs.frozen
class AllocationSettings:
    """What there is to share out, and by which rules.

    Attributes:
        period: Whose revenue and hours count.
        measure: None: revenue lines where the portfolio has them, else won opportunities.
        hours: In the period, for all accounts; None: those of the table ``capacity``, and
            without it as many as are known to have been spent.
        floor_hours: In the period; below it the service of an account is bad.
        new_accounts: Accounts too new for a tier are served as the tier in which their
            revenue so far would be (``by_revenue``), or are a group of their own.
        tail_share: The "small 80 %", who shall not eat the effort.
        tail_limit_share: Of the hours spent; above it they do.
        growth_quarters: How far back growth is held against workload; 8 make a fit.
        service: By tier; what is left out is as we propose.
    """

    period: Period = _LAST_YEAR
    measure: Measure | None = None
    hours: float | None = attrs.field(default=None, validator=is_no_less)
    floor_hours: float = attrs.field(default=0.0, validator=is_no_less)
    new_accounts: Literal["by_revenue", "own_group"] = "by_revenue"
    tail_share: float = attrs.field(default=0.8, validator=is_share)
    tail_limit_share: float = attrs.field(default=0.25, validator=is_share)
    growth_quarters: int = attrs.field(default=12, validator=is_count)
    service: Mapping[str, ServiceLevel] = attrs.field(factory=dict)
