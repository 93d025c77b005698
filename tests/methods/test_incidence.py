"""Does the share that comes to a good end allow for those that have come to none?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.duration.survfunc import CumIncidenceRight

from crm_portfolio._methods._incidence import incidence

SPELLS = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from(["open", "won", "lost"])),
    min_size=1,
    max_size=40,
)


def made(spells):
    lengths = np.array([each for each, _ in spells], dtype=float)
    status = np.array([each for _, each in spells])
    return lengths, incidence(lengths, status != "open", status == "won")


def test_without_open_ones_it_is_the_plain_share():
    _, found = made([(1, "won"), (2, "lost"), (3, "won"), (4, "lost")])
    assert found.last()[0] == pytest.approx(0.5)
    assert found.still[-1] == 0


def test_who_was_lost_is_not_merely_unseen():
    """By hand: 4 entered; one won in month 1, one lost in 2, one open since 2, one won in 3.

    Month 1: 1/4 won. Month 2: of 3 at risk one is lost, 1/2 are still open. Month 3: the
    last one at risk wins: 1/4 + 1/2 · 1/1. Kaplan and Meier with the lost as unseen: 1.
    """
    _, found = made([(1, "won"), (2, "lost"), (2, "open"), (3, "won")])
    assert found.shares == pytest.approx([0.25, 0.25, 0.75])


def test_of_none_that_came_to_an_end_nothing_is_said():
    assert made([(3, "open"), (5, "open")])[1].last() is None


@given(SPELLS)
def test_shares_rise_within_their_bounds_and_leave_room_for_the_open(spells):
    _, found = made(spells)
    assert (np.diff(found.shares) >= -1e-12).all()
    assert ((found.shares >= 0) & (found.shares + found.still <= 1 + 1e-12)).all()
    if said := found.last():
        share, low, high = said
        assert 0 <= low <= share <= high <= 1


@given(SPELLS)
def test_shares_and_errors_are_those_of_another_package(spells):
    lengths, found = made(spells)
    codes = {"open": 0, "won": 1, "lost": 2}
    status = np.array([codes[each] for _, each in spells])
    if not (status == 1).any() or not (status == 2).any():
        return
    with np.errstate(divide="ignore", invalid="ignore"):
        theirs = CumIncidenceRight(lengths + 1, status)
    at = np.searchsorted(theirs.times, found.times + 1)
    assert found.shares == pytest.approx(theirs.cinc[0][at])
    still = found.still > 0  # at the end theirs divides by nobody
    assert found.deviations[still] == pytest.approx(
        np.asarray(theirs.cinc_se[0])[at][still], nan_ok=True
    )
