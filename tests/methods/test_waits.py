"""Are waits counted that have not ended yet?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._waits import Waits

minutes = st.lists(st.integers(0, 50), min_size=1, max_size=60)


def waits(answered, still=()):
    pairs = [
        np.unique(np.array(each, np.int64), return_counts=True)
        for each in (answered, still)
    ]
    return Waits(*pairs[0], *pairs[1])


@given(minutes, st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0]))
def test_quantiles_are_those_of_every_single_wait(answered, share):
    found = waits(answered).quantile(share)
    assert found == pytest.approx(np.quantile(answered, share), abs=1e-9)


def test_who_waits_for_an_hour_says_nothing_of_a_day():
    found = waits([30, 60, 61, 2000], [59, 60, 61, 1500])
    assert found.within(60) == (2, 6)
    assert found.within(1440) == (3, 5)
    assert found.beyond(60) == 2


def test_without_an_answer_there_is_no_median():
    found = waits([], [10, 20])
    assert found.quantile(0.5) is None
    assert found.within(15) == (0, 1)


@given(minutes, minutes)
def test_who_is_known_to_answer_in_time_grows_with_the_time(answered, still):
    found = waits(answered, still)
    in_time = [found.within(at) for at in range(0, 60, 5)]
    assert [by for by, _ in in_time] == sorted(by for by, _ in in_time)
    assert [of for _, of in in_time] == sorted((of for _, of in in_time), reverse=True)
    assert all(by <= of for by, of in in_time)
