"""At which rate did accounts leave, and on how many does that stand?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

import attrs
import pyarrow as pa

from crm_portfolio._methods._rates import wilson
from crm_portfolio._wording import Reason
from crm_portfolio.analysis._facts import made_by, of_accounts
from crm_portfolio.analysis._succession import SuccessionResult
from crm_portfolio.results import Json, significant

__all__ = ["Past"]

_OF_THE_YEARS: Final = {"no_year_before", "year_before_partial"}
_OF_THE_RATES: Final = {"row_lt_10", "unstable_matrix"}


@attrs.frozen(eq=False)
class Past:
    """What the year up to the last close tells of the next.

    Attributes:
        tier: By place in the facts; null for those in none.
        rates: By tier: the smoothed chance to be lost within a year.
        counts: By tier: on how many accounts of a year before it stands.
        warnings: What limits these rates.
        made: What they were made with; None where none was asked for.
    """

    tier: pa.Array
    rates: Mapping[str, float] = attrs.field(factory=dict)
    counts: Mapping[str, int] = attrs.field(factory=dict)
    warnings: tuple[Reason, ...] = ()
    made: Mapping[str, Json] | None = None

    @classmethod
    def of(cls, found: SuccessionResult, ids: pa.Array) -> Past:
        tiers = cast("list[dict[str, Any]]", found.summary["tiers"])
        return cls(
            tier=of_accounts(found, ids, "tier")["tier"],
            rates=found.leaving_rates,
            counts={each["tier"]: each["row_count"] for each in tiers},
            warnings=_borne_in_mind(found),
            made=made_by(found),
        )

    @property
    def count(self) -> int:
        """How many accounts of a year before all rates stand on."""
        return sum(self.counts.values())

    @property
    def none_left(self) -> dict[str, Json] | None:
        """Where none of them left: how many, and what the rate may be all the same."""
        interval = wilson(0, self.count)
        if interval is None or any(rate > 0 for rate in self.rates.values()):
            return None
        return {"n": self.count, "high": significant(interval[1])}

    def told(self) -> dict[str, Json]:
        """The rates, null where a loss never seen tells none, and what they stand on."""
        return {
            "base_rates": {
                name: significant(rate) if rate > 0 else None
                for name, rate in self.rates.items()
            },
            "base_rate_counts": {name: self.counts[name] for name in self.rates},
            "none_left": self.none_left,
        }


def _borne_in_mind(found: SuccessionResult) -> tuple[Reason, ...]:
    """What limits the rates; of few accounts only where there are any to lean on."""
    has_rates = any(rate > 0 for rate in found.leaving_rates.values())
    codes = _OF_THE_YEARS | (_OF_THE_RATES if has_rates else set())
    return tuple(each for each in found.warnings if each.code in codes)
