"""Is the middle one of each group the one of the standard library?"""

from __future__ import annotations

from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._medians import medians

ROWS = st.tuples(st.integers(0, 3), st.integers(0, 99), st.integers(1, 4))


@pytest.mark.parametrize("kind", [np.int64, np.float64])
@given(rows=st.lists(ROWS, max_size=30))
def test_each_value_counts_as_often_as_it_was_paid(rows, kind) -> None:
    keys, values, counts = (
        np.array([row[at] for row in rows], dtype=np.int64) for at in range(3)
    )
    found = medians(keys, values.astype(kind), counts, 5)
    for key in range(5):
        paid = [v for k, v, n in rows if k == key for _ in range(n)]
        if paid:
            assert found[key] == median(paid)
        else:
            assert np.isnan(found[key])
