"""Is what holds of all above a row found, however they stand?"""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._upwards import least_above


@given(st.data(), st.integers(1, 12))
def test_the_least_value_is_that_one_finds_on_foot(data, size):
    """Also where rows stand above each other in a loop."""
    values = data.draw(st.lists(st.integers(0, 5), min_size=size, max_size=size))
    places = st.integers(-1, size - 1)
    above = data.draw(st.lists(places, min_size=size, max_size=size))
    found = least_above(np.array(values), np.array(above))
    for at in range(size):
        path, here = [at], above[at]
        while here >= 0 and here not in path:
            path.append(here)
            here = above[here]
        assert found[at] in path
        assert values[found[at]] == min(values[each] for each in path)


def test_the_nearest_of_equal_ones_is_told():
    found = least_above(np.array([5, 1, 1]), np.array([1, 2, -1]))
    assert found.tolist() == [1, 1, 2]


def test_no_rows_have_nothing_above():
    assert least_above(np.zeros(0, np.int64), np.zeros(0, np.int64)).size == 0
