"""Are the breaks the best there are, at any size?"""

from __future__ import annotations

from itertools import combinations

import jenkspy
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._breaks import goodness_of_fit, natural_breaks

BASE = [400, 250, 150, 80, 50, 30, 20, 10, 6, 4]
# Employees a square kilometre, the 58 counties of California (mapclassify's example).
CALIFORNIA = [
    *(329.92, 0.42, 5.9, 14.03, 2.78, 1.34, 181.27, 1.65, 10.03, 16.7),
    *(1.32, 3.99, 3.16, 0.22, 8.7, 6.56, 3.27, 0.33, 370.5, 4.51),
    *(75.29, 0.99, 2.74, 8.68, 0.14, 0.92, 12.63, 28.7, 12.02, 722.85),
    *(36.68, 0.74, 29.82, 192.05, 3.38, 11.15, 110.74, 4111.45, 49.47, 10.33),
    *(317.11, 20.47, 264.93, 66.26, 5.39, 0.13, 0.61, 50.65, 40.48, 36.67),
    *(13.09, 1.81, 0.2, 7.6, 2.51, 57.26, 24.32, 6.97),
]


def down(values) -> np.ndarray:
    return np.array(sorted(values, reverse=True), dtype=np.float64)


def scatter(values: np.ndarray, group: np.ndarray) -> float:
    parts = [values[group == each] for each in np.unique(group)]
    return sum(float(((part - part.mean()) ** 2).sum()) for part in parts)


def largest_of(values, k: int) -> list[float]:
    """The upper edge of each group, smallest first, as the sheet prints them."""
    amounts = down(values)
    group = natural_breaks(amounts, k)
    return [float(amounts[group == each].max()) for each in range(k)][::-1]


def test_three_heaps_are_told_apart():
    """[H] sheet 2.3: upper edges 3, 12, 52."""
    assert largest_of([1, 2, 3, 10, 11, 12, 50, 51, 52], 3) == [3, 12, 52]


@pytest.mark.parametrize(
    ("k", "breaks"), [(3, [4, 80, 250, 400]), (4, [4, 50, 150, 250, 400])]
)
def test_the_base_vector_breaks_as_printed(k, breaks):
    """[H] sheet 2.3, jenkspy's form: the minimum, then the upper edges."""
    assert [min(BASE), *largest_of(BASE, k)] == breaks
    assert jenkspy.jenks_breaks([float(each) for each in BASE], n_classes=k) == breaks


def test_the_counties_of_california_break_as_published():
    """[P] sheet 2.3, mapclassify's documentation: employment density, n = 58, k = 5."""
    edges = [75.29, 192.05, 370.50, 722.85, 4111.45]
    assert largest_of(CALIFORNIA, 5) == edges
    group = natural_breaks(down(CALIFORNIA), 5)
    assert np.bincount(group)[::-1].tolist() == [49, 3, 4, 1, 1]


@given(st.lists(st.integers(1, 60), min_size=3, max_size=40), st.integers(2, 6))
def test_no_scatter_is_left_that_jenkspy_would_not_leave(values, k):
    amounts = down(values)
    if not k <= np.unique(amounts).size < amounts.size:
        return
    inner = jenkspy.jenks_breaks(amounts.tolist(), n_classes=k)[1:-1]
    theirs = np.searchsorted(inner, amounts)
    ours = scatter(amounts, natural_breaks(amounts, k))
    assert ours == pytest.approx(scatter(amounts, theirs), abs=1e-8)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=9), st.integers(1, 4))
def test_of_all_partitions_it_is_the_best_one(values, k):
    """By trying each; of equally good ones the better groups are the larger."""
    amounts = down(values)
    heights = np.unique(amounts)[::-1]
    k = min(k, heights.size)
    tried = [
        np.searchsorted(cuts, np.searchsorted(-heights, -amounts), side="right")
        for cuts in combinations(range(1, heights.size), k - 1)
    ]
    found = natural_breaks(amounts, k)
    least = min(scatter(amounts, group) for group in tried)
    assert scatter(amounts, found) == pytest.approx(least, abs=1e-9)
    as_good = [g.tolist() for g in tried if scatter(amounts, g) <= least + 1e-9]
    assert found.tolist() == min(as_good, key=lambda group: group[::-1])


@given(st.lists(st.integers(1, 9), max_size=30), st.integers(1, 5))
def test_equals_stay_together_and_there_are_as_many_groups_as_can_be(values, k):
    amounts = down(values)
    group = natural_breaks(amounts, k)
    assert np.unique(group).tolist() == [*range(min(k, np.unique(amounts).size))]
    assert (np.diff(group) >= 0).all()
    assert not np.diff(group)[np.diff(amounts) == 0].any()


def test_of_two_that_are_as_good_the_better_group_is_the_larger():
    assert natural_breaks(down([10, 20, 30]), 2).tolist() == [0, 0, 1]
    assert natural_breaks(np.log(down([1, 10, 100])), 2).tolist() == [0, 0, 1]


def test_the_fit_is_the_part_of_the_scatter_between_groups():
    """[H] sheet 2.3: 1 − SDCM/SDAM; 2 within each of two groups that lie 21 apart."""
    amounts = down([1, 2, 3, 22, 23, 24])
    assert goodness_of_fit(amounts, natural_breaks(amounts, 2)) == pytest.approx(
        1 - 4 / (4 + 6 * 10.5**2)
    )
    assert goodness_of_fit(amounts, np.zeros(6, np.int64)) == pytest.approx(0)
    assert goodness_of_fit(down([5, 5]), np.zeros(2, np.int64)) is None
    assert goodness_of_fit(down([]), np.zeros(0, np.int64)) is None


def test_values_that_differ_in_the_last_bit_only_are_cut_somewhere():
    one = 1e15
    group = natural_breaks(np.log(np.array([one + 2**10, one + 2**9, one])), 2)
    assert set(group.tolist()) <= {0, 1}


def test_a_hundred_thousand_amounts_take_no_square_of_steps():
    """A table of 10^10 cells would fill the memory and take the night."""
    amounts = np.log(down(np.random.default_rng(3).lognormal(8, 2, 100_000)))
    group = natural_breaks(amounts, 4)
    ends = np.cumsum(np.bincount(group))[:-1]
    # No edge can be moved by one account without more scatter.
    least = scatter(amounts, group)
    for end in ends:
        for place, other in ((end, group[end - 1]), (end - 1, group[end])):
            moved = group.copy()
            moved[place] = other
            assert scatter(amounts, moved) >= least
