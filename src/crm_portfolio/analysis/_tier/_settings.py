"""By which rule are accounts put into tiers, and what else is looked at?"""

from __future__ import annotations

import attrs

from crm_portfolio._methods._rules import Method, Slices
from crm_portfolio._takes import is_count, is_part
from crm_portfolio.analysis._facts import Measure
from crm_portfolio.analysis._stable import Stability
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Period

__all__ = ["Potential", "PotentialWeights", "TiersSettings"]

_LAST_YEAR = Period.last_months(12)
_FOUR_SLICES = Slices(4)


@attrs.frozen
class PotentialWeights:
    """How much each part of the potential counts; 0 leaves it out.

    Attributes:
        size: Its own turnover and people, not what it brings.
        headroom: What is left of its wallet.
        growth: How its revenue moved.
        engagement: How often it came to us.
        fit: Whether it is of the segments that we serve best.
    """

    size: float = 0.4
    headroom: float = 0.1
    growth: float = 0.2
    engagement: float = 0.2
    fit: float = 0.1

    def __attrs_post_init__(self) -> None:
        if min(attrs.astuple(self)) < 0 or not sum(attrs.astuple(self)) > 0:
            raise SettingsError("weights are no less than 0, and one is above it")


_WEIGHTS = PotentialWeights()


@attrs.frozen
class Potential:
    """What could speak for an account beyond what it brings.

    Attributes:
        weights: How much each part counts.
        least_coverage: Where less of the weight is known, so is not the potential.
        medium_from, high_from: From where on, between 0 and 1.
        wallet_share: What part of its own turnover an account spends on what we sell; None:
            only people's judgements tell how much room is left.
        wallet_criterion: Of the ratings that judge our share of its wallet, in tenths.
        core_segments: Whom we serve best; without any, nobody's fit is known.
        recent_days: In how many days before the end of the period it came to us.
    """

    weights: PotentialWeights = _WEIGHTS
    least_coverage: float = attrs.field(default=0.5, validator=is_part)
    medium_from: float = attrs.field(default=1 / 3, validator=is_part)
    high_from: float = attrs.field(default=2 / 3, validator=is_part)
    wallet_share: float | None = attrs.field(default=None, validator=is_part)
    wallet_criterion: str = "share_of_wallet"
    core_segments: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    recent_days: int = attrs.field(default=90, validator=is_count)

    def __attrs_post_init__(self) -> None:
        if not self.medium_from < self.high_from:
            raise SettingsError("potential.high_from is above potential.medium_from")


@attrs.frozen
class TiersSettings:
    """By which rule, and what is worth a warning.

    Attributes:
        period: Whose revenue counts.
        measure: None: revenue lines where the portfolio has them, else won opportunities.
        method: By what accounts are cut into tiers.
        imbalance_share: A slice further from its equal part than this share of revenue.
        border_count: How many accounts are listed on each side of each edge.
        stability: None: each close stands for itself, and an account at an edge moves
            with every order. A nightly job should have it.
        potential: None: tiers go by value alone, and nobody asks what could become of an
            account. It changes no tier.
    """

    period: Period = _LAST_YEAR
    measure: Measure | None = None
    method: Method = _FOUR_SLICES
    imbalance_share: float = 0.1
    border_count: int = 3
    stability: Stability | None = None
    potential: Potential | None = None
