"""Sheet 7.3: the curve of cumulative profit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._whale import Whale, standings

MARGINS = [60, 50, 30, 10, 5, 0, -5, -10, -15, -25]


def test_the_curve_of_the_sheet() -> None:
    """Sheet 7.3 [H]: peak 155 % at 50 % of clients; 55 eaten."""
    whale = Whale(np.array(MARGINS))
    assert whale.shares is not None
    assert whale.shares.tolist() == pytest.approx(
        [0.60, 1.10, 1.40, 1.50, 1.55, 1.55, 1.50, 1.40, 1.25, 1.00]
    )
    assert whale.peak_ratio == 1.55
    assert whale.peak_count / whale.size == 0.5
    assert (whale.eaten, whale.losing) == (55, (4, -55))


def test_of_equal_peaks_the_first_counts() -> None:
    """Amendment 22: the account that adds nothing does not move the peak."""
    assert Whale(np.array([5, 0, 0, -1])).peak_count == 1


@pytest.mark.parametrize("margins", [[3, -3], [1, -2], [-1], [0]])
def test_without_a_profit_there_is_no_ratio(margins: list[int]) -> None:
    whale = Whale(np.array(margins))
    assert whale.peak_ratio is None
    assert whale.shares is None
    assert whale.eaten == max(0, margins[0]) - sum(margins)


def test_nobody_makes_no_curve() -> None:
    whale = Whale(np.array([], dtype=np.int64))
    assert (whale.size, whale.total, whale.peak, whale.peak_count) == (0, 0, 0, 0)
    assert whale.losing == (0, 0)


def test_who_loses_first_reaches_nothing() -> None:
    whale = Whale(np.array([-1, -2]))
    assert (whale.peak, whale.peak_count, whale.eaten) == (0, 0, 3)


def test_break_even_is_two_per_cent_of_revenue_to_the_minor_unit() -> None:
    found = standings(
        np.array([200, 201, -200, -201, 0, 1, -1]),
        np.array([10_000, 10_000, 10_000, 10_000, 0, 0, 0]),
        0.02,
    )
    assert found.tolist() == [
        *("break_even", "profitable", "break_even", "loss_making"),
        *("break_even", "profitable", "loss_making"),
    ]


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=40), st.randoms())
def test_the_curve_ends_at_the_total_whatever_the_order(margins, draw) -> None:
    """Sheet 11.8."""
    whale = Whale(np.array(margins))
    assert whale.total == sum(margins)
    if whale.shares is not None:
        assert whale.shares[-1] == 1.0
    mixed = list(margins)
    draw.shuffle(mixed)
    other = Whale(np.array(mixed))
    assert other.cumulative.tolist() == whale.cumulative.tolist()
    assert (other.peak, other.peak_count) == (whale.peak, whale.peak_count)
