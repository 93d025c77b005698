"""Fifths by average rank: sheet 7.9."""

from __future__ import annotations

from math import ceil

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from crm_portfolio._methods._rfm import codes, fifths

values = st.lists(st.integers(-5, 30), min_size=5, max_size=60)


@given(values)
def test_ties_share_the_fifth_of_their_average_rank(found):
    """ceil(5 · rank / n), ranks counted by scipy."""
    ranks, n = rankdata(found), len(found)
    expected = [ceil(round(5 * rank / n, 9)) for rank in ranks]
    assert fifths(np.array(found)).tolist() == expected


@given(values)
def test_more_is_never_a_lower_fifth(found):
    order = np.argsort(found)
    scores = fifths(np.array(found))
    assert (np.diff(scores[order]) >= 0).all()
    assert set(scores.tolist()) <= {1, 2, 3, 4, 5}


def test_five_different_ones_are_the_five_fifths():
    assert fifths(np.array([3, 1, 5, 2, 4])).tolist() == [3, 1, 5, 2, 4]


def test_fewer_than_five_have_no_fifths():
    """Sheet 7.9, edge: n < 5."""
    assert fifths(np.array([1, 2, 3, 4])).tolist() == [0, 0, 0, 0]


def test_a_code_is_told_as_three_fifths():
    assert codes(*(np.array([each]) for each in (5, 4, 3))) == ["5-4-3"]
