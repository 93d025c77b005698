"""Are rows sorted by several whole numbers as one would sort them by hand?"""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._in_order import in_order

SMALL = st.integers(-3, 3)
LARGE = st.integers(-(2**62), 2**62 - 1)


@given(
    st.lists(st.tuples(SMALL, SMALL, st.booleans()), max_size=40)
    | st.lists(st.tuples(LARGE, SMALL, st.booleans()), max_size=40)
    | st.lists(st.tuples(SMALL, LARGE, st.booleans()), max_size=40)
)
def test_by_the_first_number_then_the_next_and_equals_as_they_stand(rows) -> None:
    keys = [
        np.array([row[at] for row in rows], dtype=kind)
        for at, kind in enumerate((np.int64, np.int64, bool))
    ]
    expected = sorted(range(len(rows)), key=lambda at: rows[at])
    assert in_order(*keys).tolist() == expected


def test_the_numbers_asked_about_stay_as_they_are() -> None:
    keys = np.array([3, 1, 2]), np.array([0, 0, 1])
    in_order(*keys)
    assert [each.tolist() for each in keys] == [[3, 1, 2], [0, 0, 1]]
