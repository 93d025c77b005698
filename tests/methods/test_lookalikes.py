"""How likely does one like these buy, and what does it bring?"""

from __future__ import annotations

from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._lookalikes import medians, rates


def test_a_rate_is_drawn_to_that_of_its_line():
    """Sheet 6.4: with few groups a + b = 20 at the rate of all.

    Of 20 alike 12 buy, of 5 others 1: in all 13/25 = .52, so the prior is Beta(10.4, 9.6)
    and the rates are 22.4/40 = .56 and 11.4/25 = .456.
    """
    found, low, high = rates(np.array([[12], [1]]), np.array([[20], [5]]), 0.9)
    assert found[:, 0] == pytest.approx([0.56, 0.456])
    assert (low < found).all()
    assert (found < high).all()


def test_what_fits_nobody_has_no_rate():
    found, low, high = rates(np.array([[3], [0]]), np.array([[9], [0]]), 0.9)
    assert not np.isnan(found[0, 0])
    assert np.isnan([found[1, 0], low[1, 0], high[1, 0]]).all()


def test_few_buyers_bring_what_all_of_the_line_do():
    """Three of the one cell bring 1, 5 and 9, one of the other 100: of all (5 + 9)/2 = 7."""
    row, column = np.array([0, 0, 0, 1]), np.zeros(4, dtype=np.int64)
    amounts = np.array([9.0, 1.0, 5.0, 100.0])
    found, counts, is_own = medians(row, column, amounts, (2, 1), least=3)
    assert found.tolist() == [[5.0], [7.0]]
    assert (counts.tolist(), is_own.tolist()) == ([[3], [1]], [[True], [False]])


def test_an_unknown_amount_is_none():
    row = column = np.zeros(2, dtype=np.int64)
    found, counts, _ = medians(row, column, np.array([np.nan, 4.0]), (1, 1), least=1)
    assert (found[0, 0], counts[0, 0]) == (4.0, 1)


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1e6)), max_size=40))
def test_medians_are_those_of_the_buyers_of_each_cell(pairs):
    row = np.array([at for at, _ in pairs], dtype=np.int64)
    amounts = np.array([each for _, each in pairs])
    found, counts, _ = medians(row, row * 0, amounts, (4, 1), least=1)
    for at in range(4):
        own = [each for key, each in pairs if key == at]
        assert counts[at, 0] == len(own)
        if own:
            assert found[at, 0] == pytest.approx(median(own))
