"""Sheets 8.2 and 8.5: what a measure is worth, and what the worths come to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pymcdm.methods import WSM

from crm_portfolio._methods._value_functions import (
    contributions,
    coverage,
    score_interval,
    shares_of,
    utility,
    weighted,
)

Floats = npt.NDArray[np.float64]

U = np.array([[0.9, 0.2, 0.5], [0.4, 0.8, 0.9], [0.6, 0.6, 0.6], [0.1, 0.9, 0.2]])
W = np.array([0.5, 0.3, 0.2])

worths = arrays.arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.just(4)),
    elements=st.one_of(st.floats(0, 1), st.just(float("nan"))),
)
weights = arrays.arrays(np.float64, 4, elements=st.floats(0.01, 1)).map(
    lambda drawn: drawn / drawn.sum()
)


def test_days_late_between_their_anchors() -> None:
    """Sheet 8.2 [H]: anchors 0 → 1, 60 → 0: 0, 15, 60, 90 → 1, .75, 0, 0."""
    days = np.array([0.0, 15.0, 60.0, 90.0])
    assert utility(days, (60.0, 0.0)).tolist() == [1.0, 0.75, 0.0, 0.0]


def test_the_measure_in_the_middle_is_worth_a_half() -> None:
    days = np.array([60.0, 40.0, 10.0, 5.0, 0.0])
    found = utility(days, (60.0, 10.0, 0.0))
    assert found.tolist() == pytest.approx([0.0, 0.2, 0.5, 0.75, 1.0])


def test_what_is_unknown_is_worth_nothing_known() -> None:
    assert np.isnan(utility(np.array([np.nan]), (0.0, 1.0)))[0]


def test_the_scores_of_the_sheet() -> None:
    """Sheet 8.2 [H]: scores .61 .62 .60 .36."""
    assert weighted(U, W).tolist() == pytest.approx([0.61, 0.62, 0.60, 0.36])


def test_the_contributions_of_the_sheet() -> None:
    """Sheet 8.2 [H]: client 4 against the mean: −.20, +.0825, −.07, sum −.1875."""
    found = contributions(U, W, U.mean(axis=0))
    assert found[3].tolist() == pytest.approx([-0.20, 0.0825, -0.07])
    assert found[3].sum() == pytest.approx(-0.1875)
    assert weighted(U, W).mean() == pytest.approx(0.5475)


def test_a_missing_rating_makes_an_interval() -> None:
    """Sheet 8.5 [H]: .9, ?, .5 with .5 .3 .2: .55 to .85, renormalised .785714."""
    one = np.array([[0.9, np.nan, 0.5]])
    low, high = score_interval(one, W)
    assert (low[0], high[0]) == pytest.approx((0.55, 0.85))
    assert weighted(one, W)[0] == pytest.approx(0.785714, abs=5e-7)
    assert coverage(one, W)[0] == pytest.approx(0.7)


def test_where_nothing_is_known_there_is_no_score() -> None:
    nobody = np.full((1, 3), np.nan)
    assert np.isnan(weighted(nobody, W))[0]
    assert np.isnan(shares_of(nobody, W)).all()
    assert [each.tolist() for each in score_interval(nobody, W)] == [[0.0], [1.0]]


def test_sums_are_those_of_pymcdm() -> None:
    """The oracle: a weighted sum without normalisation, of worths that need none."""
    as_they_are = WSM(normalization_function=lambda worths, cost=False: worths)
    theirs = as_they_are(U, W, np.ones(3))
    assert weighted(U, W).tolist() == pytest.approx(theirs.tolist())


@given(worths, weights, arrays.arrays(np.float64, 4, elements=st.floats(0, 1)))
def test_contributions_add_up_and_the_score_is_in_its_interval(
    held: Floats, by: Floats, reference: Floats
) -> None:
    """Sheet 11.10."""
    score, parts = weighted(held, by), contributions(held, by, reference)
    known = ~np.isnan(held).all(axis=1)
    against = (shares_of(held, by) * reference).sum(axis=1)
    apart = parts.sum(axis=1)[known] - (score - against)[known]
    assert np.abs(apart).max(initial=0) < 1e-12
    low, high = score_interval(held, by)
    assert (low[known] - 1e-12 <= score[known]).all()
    assert (score[known] <= high[known] + 1e-12).all()


@given(worths, weights, st.data())
def test_one_account_less_changes_no_score(
    held: Floats, by: Floats, data: st.DataObject
) -> None:
    """Sheet 11.10: no rank reversal, to the bit."""
    gone = data.draw(st.integers(0, held.shape[0] - 1))
    left = np.delete(held, gone, axis=0)
    assert np.array_equal(
        np.delete(weighted(held, by), gone), weighted(left, by), equal_nan=True
    )
