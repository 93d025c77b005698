"""Do tiers move, and does that lead, where sheet 3.2 says?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from crm_portfolio._methods import _transitions as moves

COUNTS = np.array([[16, 3, 0, 1], [2, 30, 6, 2], [0, 5, 80, 15]])
NOW = np.array([20.0, 40.0, 100.0])
MATRIX = moves.shares(COUNTS)

counts = st.integers(1, 5).flatmap(
    lambda tiers: arrays.arrays(
        np.int64, (tiers, tiers + 1), elements=st.integers(0, 50)
    )
)


def test_the_shares_of_the_sheet():
    """Sheet 3.2 [H]: P = [.80 .15 0 .05; .05 .75 .15 .05; 0 .05 .80 .15]."""
    printed = [[0.80, 0.15, 0, 0.05], [0.05, 0.75, 0.15, 0.05], [0, 0.05, 0.80, 0.15]]
    assert pytest.approx(np.array(printed), abs=1e-12) == MATRIX


def test_where_the_tiers_are_after_one_and_two_years():
    """Sheet 3.2 [H]: 18, 38, 86, lost 18; after 2 years 16.3, 35.5, 74.5, 33.7."""
    found = moves.projected(MATRIX, NOW, 2)
    assert found[0].tolist() == [20, 40, 100, 0]
    assert found[1] == pytest.approx([18, 38, 86, 18], abs=1e-9)
    assert found[2] == pytest.approx([16.3, 35.5, 74.5, 33.7], abs=1e-9)


def test_expected_years_until_an_account_is_lost():
    """Sheet 3.2 [H]: 13.5714, 11.4286, 7.8571."""
    found = moves.years_to_loss(MATRIX)
    assert found == pytest.approx([13.5714, 11.4286, 7.8571], abs=5e-5)


def test_how_much_moves_between_the_tiers():
    """Sheet 3.2 [H]: Shorrocks on 3x3 = .325."""
    assert moves.mobility(MATRIX) == pytest.approx(0.325, abs=1e-12)
    assert moves.mobility(np.array([[0.9, 0.1]])) is None


def test_a_row_smoothed_by_one_move_of_each_kind():
    """Sheet 3.2 [H]: row B with Dirichlet(1,1,1,1): .068182 .704545 .159091 .068182."""
    # With another row that makes all columns equal, the pooled row is even.
    even = np.array([[38, 10, 34, 38], COUNTS[1]])
    assert (even.sum(axis=0) == 40).all()
    row = moves.smoothed(even, 4)[1]
    printed = [0.068182, 0.704545, 0.159091, 0.068182]
    assert row == pytest.approx(printed, abs=5e-7)


def test_an_empty_row_is_as_all_together():
    """Amendment 15: the pooled row is column totals / N; an empty row takes it."""
    some = np.array([[3, 1, 0], [0, 0, 0]])
    assert moves.smoothed(some, 4)[1].tolist() == [0.75, 0.25, 0]
    assert moves.smoothed(some, 0)[1].tolist() == [0.75, 0.25, 0]
    assert moves.smoothed(some, 0)[0].tolist() == [0.75, 0.25, 0]
    assert moves.smoothed(np.zeros((2, 3), dtype=np.int64), 4) is None


def test_what_an_account_of_each_recency_is_worth():
    """Sheet 3.2 [Pd], set-up of Pfeifer & Carraway (2000): p = .30 .20 .15 .05, NC 40,
    M 4, d = .2: V = 52.3196, 5.5538, 1.2508, -1.8200, 0."""
    stays = np.zeros((5, 5))
    for recency, p in enumerate((0.30, 0.20, 0.15, 0.05)):
        stays[recency, 0] += p
        stays[recency, recency + 1] += 1 - p
    stays[4, 4] = 1
    value = moves.present_value(stays, np.array([36.0, -4, -4, -4, 0]), 0.2)
    assert value == pytest.approx([52.3196, 5.5538, 1.2508, -1.8200, 0], abs=5e-5)


def test_what_an_account_that_stays_four_years_in_five_is_worth():
    """Sheet 3.2 [H]: two states r = .8, d = .1, margin 1000: 3666.67."""
    value = moves.present_value(np.array([[0.8]]), np.array([1000.0]), 0.1)
    assert value[0] == pytest.approx(3666.67, abs=5e-3)


def test_half_of_what_leaves_the_top_comes_in():
    """Sheet 3.4 [H]: A gains .05*40 = 2 and loses 4: replacement .5 by count."""
    comes, goes = moves.replaced(MATRIX, NOW)
    assert (comes, goes) == (pytest.approx(2), pytest.approx(4))


def test_new_ones_lost_ones_and_unknown_ones_are_in_no_row():
    """Sheet 3.2: accounts absent at the start are New, excluded from rows."""
    was = np.array([0, 0, 1, -1, 2, -2, 1, 0])
    now = np.array([1, 2, 1, 0, 0, 1, -2, -3])
    assert moves.counted(was, now, 2).tolist() == [[0, 1, 1], [0, 1, 0]]


def test_an_account_that_is_never_lost_has_no_expected_years():
    assert np.isnan(moves.years_to_loss(np.array([[0.5, 0.5, 0], [0, 1, 0]]))).all()


def test_two_like_years_are_not_told_apart_and_two_unlike_are():
    assert moves.unlike(COUNTS, COUNTS)[2] == 1
    other = COUNTS[:, ::-1].copy()
    assert moves.unlike(COUNTS, other)[2] < 1e-6
    assert moves.unlike(COUNTS, np.zeros_like(COUNTS)) is None


@given(counts, counts)
def test_two_years_are_compared_as_scipy_does_row_by_row(one, other):
    if one.shape != other.shape:
        return
    statistic, freedom = 0.0, 0
    for pair in np.stack([one, other], axis=1):
        seen = pair[:, pair.sum(axis=0) > 0]
        if pair.sum(axis=1).all() and seen.shape[1] > 1:
            oracle = stats.chi2_contingency(seen, correction=False)
            statistic, freedom = statistic + oracle.statistic, freedom + oracle.dof
    found = moves.unlike(one, other)
    if not freedom:
        assert found is None
        return
    assert found[:2] == (pytest.approx(statistic, abs=1e-9), freedom)
    assert found[2] == pytest.approx(stats.chi2.sf(statistic, freedom), abs=1e-9)


@pytest.mark.parametrize("freedom", [1, 2, 3, 10, 401, 650])
@pytest.mark.parametrize("statistic", [0.01, 1.0, 40.0, 700.0])
def test_the_tail_is_that_of_chi_square(statistic, freedom):
    oracle = stats.chi2.sf(statistic, freedom)
    assert moves._beyond(statistic, freedom) == pytest.approx(oracle, abs=1e-12)


@given(counts, st.floats(0, 20))
def test_every_row_adds_up_to_one_and_nobody_gets_lost_on_the_way(found, weight):
    """Sheet 11.5: rows of P sum to 1."""
    matrix = moves.smoothed(found, weight)
    if matrix is None:
        assert found.sum() == 0
        return
    assert matrix.sum(axis=1) == pytest.approx(np.ones(len(matrix)))
    sizes = np.arange(len(matrix), dtype=np.float64)
    ahead = moves.projected(matrix, sizes, 4)
    assert ahead.sum(axis=1) == pytest.approx(np.full(5, sizes.sum()))
    years = moves.years_to_loss(matrix)
    assert np.isnan(years).all() or (years >= 1 - 1e-9).all()
