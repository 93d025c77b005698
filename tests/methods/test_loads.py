"""Are people grouped by what is on their desk, and nobody alone?"""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._loads import FEWEST, load_groups


def grouped(*loads):
    return load_groups(np.array(loads, dtype=np.int64)).tolist()


def test_a_dozen_make_four_groups_of_three():
    assert grouped(*range(12)) == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert grouped(9, 1, 8, 2, 7, 3) == [1, 0, 1, 0, 1, 0]


def test_two_people_are_no_group():
    assert grouped(5, 90) == [-1, -1]
    assert grouped() == []


def test_equal_loads_stay_together():
    assert grouped(4, 4, 4, 4, 4, 4) == [0] * 6
    assert grouped(1, 4, 4, 4, 4, 9) == [0] * 6


@given(st.lists(st.integers(0, 12), min_size=FEWEST, max_size=60))
def test_nobody_is_in_a_group_of_two(loads):
    groups = np.array(grouped(*loads))
    assert np.bincount(groups).min() >= FEWEST
    assert groups.max() <= 3
    order = np.argsort(loads, kind="stable")
    assert (np.diff(groups[order]) >= 0).all()
