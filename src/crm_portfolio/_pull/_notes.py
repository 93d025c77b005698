"""What is there to tell of a pull, beside its tables?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import attrs

from crm_portfolio.portfolio import Portfolio

__all__ = ["Pulled"]


@attrs.frozen
class Pulled:
    """A portfolio, and how it came about.

    Attributes:
        notes: Sentences for people: what was pulled again and why, who left.
        faults: How many of each fault and effect.
    """

    portfolio: Portfolio
    notes: tuple[str, ...]
    faults: Mapping[tuple[str, str], int]

    @staticmethod
    def by_fault(
        counts: Mapping[tuple[str, str, str], int],
    ) -> Mapping[tuple[str, str], int]:
        """The same over all tables."""
        found: Counter[tuple[str, str]] = Counter()
        for (_, fault, effect), count in counts.items():
            found[fault, effect] += count
        return found
