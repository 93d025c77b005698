"""How recent, how frequent and how large is each account in the period?"""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._rfm import LEAST, codes, fifths
from crm_portfolio.analysis._life._history import History

__all__ = ["FEW", "NO_PURCHASE", "UNKNOWN_AMOUNTS", "Scores"]

NO_PURCHASE, UNKNOWN_AMOUNTS, FEW = "no_purchase", "unknown_amounts", "few_accounts"


@attrs.frozen(eq=False)
class Scores:
    """By account.

    Attributes:
        code: Such as 5-4-3, recency, frequency and money in fifths; null without one.
        why_not: Why there is none; empty where there is.
        recency_days: From the last purchase to the last day of the period.
        is_new: Its first purchase is too young for its recency to say anything.
    """

    code: pa.Array
    why_not: npt.NDArray[np.str_]
    recency_days: Groups
    is_new: Flags

    @classmethod
    def of(cls, history: History) -> Scores:
        """Returns lessen the money and not the frequency: those count days of purchase."""
        of = history.facts.by_account
        recency = history.age - history.age_at_last
        why_not = np.full(recency.size, "", dtype="<U15")
        why_not[~of.is_whole] = UNKNOWN_AMOUNTS
        why_not[history.span_days == 0] = NO_PURCHASE
        is_in = why_not == ""
        if is_in.sum() < LEAST:
            why_not[is_in] = FEW
            is_in = np.zeros_like(is_in)
        code = np.full(recency.size, None, dtype=object)
        code[is_in] = codes(
            fifths(-recency[is_in]),
            fifths(history.span_days[is_in]),
            fifths(of.revenue[is_in]),
        )
        return cls(
            pa.array(code, pa.string()), why_not, recency, history.facts.is_young
        )

    @property
    def scored(self) -> Flags:
        scored: Flags = self.why_not == ""
        return scored
