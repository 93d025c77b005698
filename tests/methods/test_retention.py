"""Is what is left of a cohort counted as sheet 3.3 says?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods import _retention as retention
from crm_portfolio._methods._retention import Kept

START, END = np.array([100, 80, 60, 40, 20]), np.array([120, 80, 45, 0, 25])
pairs = st.lists(
    st.tuples(st.integers(-100, 1000), st.integers(-100, 1000)), max_size=20
)


def test_net_gross_and_logo_retention_of_the_sheet():
    """Sheet 3.3 [H]: NRR 270/300 = .90, GRR 245/300 = .816667, logo .80."""
    kept = Kept.of(START, END)
    assert kept.net == 0.90
    assert kept.gross == pytest.approx(0.816667, abs=5e-7)
    assert kept.logo == 0.80


def test_who_was_not_there_takes_no_part():
    """Sheet 3.3: new clients never enter NRR/GRR."""
    more = Kept.of(np.append(START, [0, -5]), np.append(END, [900, 900]))
    assert more == Kept.of(START, END)


def test_who_brings_less_than_nothing_counts_as_nothing_in_gross_alone():
    """Sheet 3.3: end_i < 0 counts as 0 in GRR, signed in NRR."""
    kept = Kept.of(np.array([100, 100]), np.array([-50, 100]))
    assert (kept.gross, kept.net, kept.logo) == (0.5, 0.25, 0.5)
    assert kept.negative_count == 1


def test_of_nobody_nothing_is_said():
    kept = Kept.of(np.array([0]), np.array([5]))
    assert (kept.gross, kept.net, kept.logo) == (None, None, None)


@given(pairs)
def test_gross_is_never_above_one_nor_above_net_without_negatives(found):
    """Sheet 11.5: GRR <= 1, and GRR <= NRR when no end value is negative."""
    start, end = (
        np.array([pair[at] for pair in found], dtype=np.int64) for at in (0, 1)
    )
    kept = Kept.of(start, end)
    if kept.gross is None:
        return
    assert kept.gross <= 1
    if not kept.negative_count:
        assert kept.gross <= kept.net


def test_cohorts_count_those_who_still_bring_something():
    active, sums = retention.cohort_counts(
        np.array([0, 0, 1, -1]), np.array([5, -2, 7, 100]), 3
    )
    assert active.tolist() == [1, 1, 0]
    assert sums.tolist() == [3, 7, 0]


def test_silence_is_held_against_the_own_rhythm():
    """Sheet 3.3: no revenue for 2 x the client's median interval; amendment 5: the
    interval is (last - first) / (n - 1)."""
    since, span = np.array([799, 800, 800, 500]), np.array([800, 800, 1200, 0])
    bought = np.array([3, 3, 4, 1])
    silent = retention.is_silent(since, span, bought, 2.0)
    assert silent.tolist() == [False, True, True, True]
