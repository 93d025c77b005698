"""Are days late weighed as the sheet weighs them?"""

from __future__ import annotations

import numpy as np

from crm_portfolio._methods._lateness import mean_days


def whole(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def test_the_days_late_of_the_sheet():
    """Sheet 7.5 [H]: (1000, 10) (500, 0) (2500, 30) (1000, -5): 16.0, 17.0, 8.75."""
    amounts, days = whole(1000, 500, 2500, 1000), whole(10, 0, 30, -5)
    total = whole(amounts.sum())
    assert mean_days(whole((amounts * days).sum()), total)[0] == 16.0
    floored = np.maximum(days, 0)
    assert mean_days(whole((amounts * floored).sum()), total)[0] == 17.0
    assert mean_days(whole(days.sum()), whole(days.size))[0] == 8.75


def test_without_any_amount_nobody_knows():
    assert np.isnan(mean_days(whole(0), whole(0))[0])
