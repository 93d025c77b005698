"""Is one of few words, or a list of them, said as it would be row by row?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio.analysis._facts import in_words, listed, named


@pytest.mark.parametrize("count", [1, 2, 127, 128, 129, 40_000])
def test_each_place_says_its_name_and_none_below_nought(count: int) -> None:
    names = [f"name {at}" for at in range(count)]
    places = np.array([count - 1, -1, 0])
    assert named(places, names).to_pylist() == [names[-1], None, names[0]]


@given(st.lists(st.sampled_from(["", "gone", "model", "tier_rate"]), max_size=20))
def test_words_come_back_and_what_is_empty_is_null(texts: list[str]) -> None:
    found = in_words(np.array(texts, dtype="<U9"))
    assert found.to_pylist() == [each or None for each in texts]


@given(st.data(), st.integers(0, 14), st.integers(0, 40))
def test_what_holds_is_listed_in_the_order_of_the_names(data, count, size) -> None:
    rows = st.lists(st.booleans(), min_size=size, max_size=size)
    flags = {f"c{at}": np.array(data.draw(rows), dtype=bool) for at in range(count)}
    wanted = [
        ", ".join(name for name, each in flags.items() if each[row])
        for row in range(size)
    ]
    assert listed(flags, size).to_pylist() == wanted
