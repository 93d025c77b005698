"""Is it really 80/20?

Amounts come largest first, all positive, in minor units; None where the measure is not
defined. Formulas: sheet 1.5 (a) to (c) with amendment 11.
"""

from __future__ import annotations

from math import log

import numpy as np

from crm_portfolio._methods._indices import Amounts

__all__ = ["gini_of_pareto", "implied_alpha", "in_words", "joint_share"]


def joint_share(ordered: Amounts) -> float | None:
    """The x where that share of the accounts holds all but that share of the revenue.

    On the curve of cumulative shares, linear between accounts: c(x) + x = 1.
    """
    total, n = int(ordered.sum()), ordered.size
    if total <= 0:
        return None
    held = np.concatenate([[0], np.cumsum(ordered)]) / total
    reached = held + np.arange(n + 1) / n
    at = int(np.argmax(reached >= 1))
    over = (reached[at] - 1) / (reached[at] - reached[at - 1])
    return float((at - over) / n)


def in_words(joint: float) -> str:
    """As people say it: 74/26."""
    small = round(100 * joint)
    return f"{100 - small}/{small}"


def implied_alpha(top: float, held: float) -> float | None:
    """The Pareto law whose top share q holds p: α = 1/(1 − ln p/ln q).

    None where the top holds no more than its share, or is everyone: no law does that.
    """
    if not 0 < top < 1 or not top < held <= 1:
        return None
    return 1 / (1 - log(held) / log(top))


def gini_of_pareto(alpha: float | None) -> float | None:
    """1/(2α − 1), to hold against the measured index; none where the mean is infinite."""
    return None if alpha is None or alpha <= 1 else 1 / (2 * alpha - 1)
