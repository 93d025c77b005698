"""Sheet 7.7: pocket price, medians of what was paid, and discounts nothing explains."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._leakage import (
    pocket_price,
    rates_of,
    unexplained,
)


def test_the_pocket_prices_of_the_sheet() -> None:
    """Sheet 7.7 [H]: 8 %, 3 %, 2 %: 874.552 (12.5448 %) and 870."""
    taken = (0.08, 0.03, 0.02)
    found = pocket_price(1000, taken, "multiplicative")
    assert found == pytest.approx(874.552)
    assert 1 - found / 1000 == pytest.approx(0.125448)
    assert pocket_price(1000, taken, "additive") == pytest.approx(870)


@given(
    st.integers(1, 10**9),
    st.lists(st.floats(0, 0.3), min_size=1, max_size=5),
    st.sampled_from(["multiplicative", "additive"]),
)
def test_amounts_turned_into_discounts_lead_to_the_same_price(
    listed, parts, how
) -> None:
    given_away = [int(listed * part / 6) for part in parts]
    rates = rates_of(listed, given_away, how)
    assert None not in rates
    left = pocket_price(float(listed), [each or 0.0 for each in rates], how)
    assert left == pytest.approx(listed - sum(given_away))


def test_a_discount_on_nothing_is_no_rate() -> None:
    assert rates_of(0, [5], "additive") == (None,)
    assert rates_of(10, [10, 1], "multiplicative") == (1.0, None)


def test_who_stands_far_above_accounts_of_the_same_size() -> None:
    shares = np.array([0.02, 0.03, 0.03, 0.04, 0.20, 0.10, 0.10, 0.11, 0.12, 0.12])
    volumes = np.array([1, 2, 3, 4, 5, 100, 200, 300, 400, 500])
    usual, is_far, band = unexplained(shares, volumes, 2)
    assert is_far.nonzero()[0].tolist() == [4]
    assert usual[4] == 0.03
    assert band.tolist() == [0] * 5 + [1] * 5


def test_few_accounts_or_equal_discounts_find_nobody() -> None:
    assert not unexplained(np.array([0.0, 0.0, 0.9]), np.array([1, 2, 3]), 1)[1].any()
    same = np.full(9, 0.1)
    assert not unexplained(same, np.arange(9), 1)[1].any()


def test_an_unknown_discount_is_in_no_band() -> None:
    usual, is_far, band = unexplained(
        np.array([np.nan, 0.1]), np.array([5, 6], dtype=np.int64), 4
    )
    assert np.isnan(usual[0])
    assert (band.tolist(), is_far.tolist()) == ([-1, 0], [False, False])


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_equal_volumes_are_in_one_band_and_larger_ones_in_no_lower(volumes) -> None:
    amounts = np.array(sorted(volumes), dtype=np.int64)
    band = unexplained(np.zeros(amounts.size), amounts, 3)[2]
    for (low, a), (high, b) in pairwise(zip(amounts, band, strict=True)):
        assert a == b if low == high else a <= b
