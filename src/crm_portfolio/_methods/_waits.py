"""How soon is there an answer, when some have none yet?

Waits come as whole minutes, rounded up, with how many waited so long; who has no answer
is known to have waited so far, and says nothing of the time after. Rules: sheet 6.8.
"""

from __future__ import annotations

import attrs
import numpy as np

from crm_portfolio._methods._cuts import Groups

__all__ = ["Waits", "quantile"]


@attrs.frozen(eq=False)
class Waits:
    """How many got their answer after so many minutes, and how many wait for so long.

    Attributes:
        answered, answered_count: Minutes, and how many had to wait for so long.
        open, open_count: Minutes, and how many have waited for so long in vain.
    """

    answered: Groups
    answered_count: Groups
    open: Groups
    open_count: Groups

    @property
    def answers(self) -> int:
        return int(self.answered_count.sum())

    def quantile(self, share: float) -> float | None:
        """Of the waits that ended, between the two nearest; None without any."""
        return quantile(self.answered, self.answered_count, share)

    def within(self, minutes: int) -> tuple[int, int]:
        """How many had an answer by then, of those of whom that can be known."""
        by_then = int(self.answered_count[self.answered <= minutes].sum())
        return by_then, self.answers + self.beyond(minutes)

    def beyond(self, minutes: int) -> int:
        """How many have waited for longer, in vain."""
        return int(self.open_count[self.open > minutes].sum())


def quantile(values: Groups, counts: Groups, share: float) -> float | None:
    """That of values that occur so often, between two of them as numpy puts it."""
    total = int(counts.sum())
    if not total:
        return None
    order = np.argsort(values, kind="stable")
    running = np.cumsum(counts[order])
    place = share * (total - 1)
    low = int(place)
    ends = np.minimum([low, low + 1], total - 1)
    at = np.searchsorted(running, ends, side="right")
    below, above = (float(each) for each in values[order][at])
    return below + (above - below) * (place - low)
