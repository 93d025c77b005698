"""Of those who were there, who is left, and with how much?

Rules: sheet 3.3; amounts are in minor units.
"""

from __future__ import annotations

import attrs
import numpy as np

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts
from crm_portfolio._methods._ranking import Flags

__all__ = ["Kept", "cohort_counts", "is_silent"]


@attrs.frozen
class Kept:
    """What is left of a fixed cohort: those with revenue at the start.

    Attributes:
        kept: How many of the ``count`` still bring revenue.
        end: What they bring, negative ones with their sign.
        least: The same, each at most what it brought at the start, at least nothing.
        negative_count: How many bring less than nothing at the end.
    """

    count: int
    kept: int
    start: int
    end: int
    least: int
    negative_count: int

    @classmethod
    def of(cls, start: Amounts, end: Amounts) -> Kept:
        is_in = start > 0
        was, now = start[is_in], end[is_in]
        return cls(
            count=int(was.size),
            kept=int((now > 0).sum()),
            start=int(was.sum()),
            end=int(now.sum()),
            least=int(np.clip(now, 0, was).sum()),
            negative_count=int((now < 0).sum()),
        )

    @property
    def logo(self) -> float | None:
        return self.kept / self.count if self.count else None

    @property
    def gross(self) -> float | None:
        """What stayed, growth left out, client by client: never above 1."""
        return self.least / self.start if self.start else None

    @property
    def net(self) -> float | None:
        """What they bring now, growth and all."""
        return self.end / self.start if self.start else None


def cohort_counts(
    first: Groups, amounts: Amounts, cohorts: int
) -> tuple[Groups, Amounts]:
    """By cohort (-1: none): how many bring revenue, and what all of it comes to."""
    is_in = first >= 0
    active = np.bincount(first[is_in & (amounts > 0)], minlength=cohorts)
    sums = np.zeros(cohorts, dtype=np.int64)
    np.add.at(sums, first[is_in], amounts[is_in])
    return active, sums


def is_silent(since: Groups, span: Groups, purchases: Groups, factor: float) -> Flags:
    """Whether the silence is longer than the rhythm explains; days, and purchase days.

    Who bought once has no rhythm: nothing excuses the silence.
    """
    gaps = np.maximum(purchases - 1, 0)
    silent: Flags = since * gaps >= factor * span
    return silent
