"""How often was it so, how sure is that of so few, and is it more than by chance?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._rates import difference_bounds, wilson
from crm_portfolio.results import significant

__all__ = ["LEVEL", "Count", "lift", "told"]

LEVEL: Final = 0.95


@attrs.frozen
class Count:
    """How many were said to be so, of how many we know what came, and how many it was.

    Attributes:
        worst: In its gravest form.
    """

    said: int = 0
    known: int = 0
    hits: int = 0
    worst: int = 0

    @classmethod
    def of(cls, who: Flags, is_known: Flags, happened: Flags, worst: Flags) -> Count:
        known = who & is_known
        flags = (who, known, known & happened, known & worst)
        return cls(*(int(each.sum()) for each in flags))

    @classmethod
    def all(cls, counts: Iterable[Count]) -> Count:
        """Of several days together."""
        sums = (sum(each) for each in zip(*map(attrs.astuple, counts), strict=True))
        return cls(*sums)

    @property
    def rate(self) -> float | None:
        return self.hits / self.known if self.known else None


def told(count: Count, *, hits: str, rate: str, begin: str = "") -> dict[str, Any]:
    """A rate with its counts and its interval, as columns of these names."""
    found = wilson(count.hits, count.known, LEVEL)
    low, high = found or (None, None)
    return {
        f"{begin}count": count.said,
        f"{begin}known_count": count.known,
        f"{begin}{hits}_count": count.hits,
        f"{rate}_rate": significant(count.rate),
        f"{rate}_rate_low": significant(low),
        f"{rate}_rate_high": significant(high),
    }


def lift(named: Count, others: Count) -> Mapping[str, float | None]:
    """How much likelier it was of those named: times as likely, and how much more.

    The bounds are of the difference: above 0 at both ends is more than chance.
    """
    nothing = dict.fromkeys(("lift", "gain", "gain_low", "gain_high"))
    if named.rate is None or others.rate is None:
        return nothing
    low, high = difference_bounds(
        ([named.hits], [others.hits]), ([named.known], [others.known]), LEVEL
    )
    times = named.rate / others.rate if others.rate else None
    return {
        "lift": significant(times),
        "gain": significant(named.rate - others.rate),
        "gain_low": significant(float(low[0])),
        "gain_high": significant(float(high[0])),
    }
