"""Do drawn and expected wins fill the gap when they should?"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from crm_portfolio._methods._recovery import Openings, wins_by_month


def openings(*rows: tuple[int, float, int, int]) -> Openings:
    """Rows of month, odds, minor units and count."""
    month, odds, minor, count = zip(*rows, strict=True) if rows else ([], [], [], [])
    return Openings(
        np.array(month, dtype=np.int64),
        np.array(odds, dtype=np.float64),
        np.array(minor, dtype=np.int64),
        np.array(count, dtype=np.int64),
    )


def wins(sales, *, months=12, ramp=0, seed=1, draws=10_000):
    return wins_by_month(sales, months=months, ramp_months=ramp, seed=seed, draws=draws)


SURE = openings((2, 1.0, 100, 1), (4, 1.0, 150, 1))


def test_sure_sales_fill_the_gap_in_the_month_of_the_last_one_needed():
    """Sheet 4.3: the first month where remaining and cumulated wins reach the target."""
    found = wins(SURE)
    assert found.expected.tolist() == [0, 0, 100, 100] + [250] * 9
    assert found.month_expected(250, not_before=0) == 4
    assert found.month_reached(250, 0.8, not_before=0) == 4
    assert found.month_expected(251, not_before=0) is None
    assert found.month_expected(100, not_before=3) == 3


def test_the_expected_win_is_odds_times_amount():
    found = wins(openings((1, 0.25, 400, 2)))
    assert found.expected[1] == 200
    assert found.drawn[:, 1].mean() == pytest.approx(200, abs=10)


def test_a_ramp_brings_a_win_in_parts():
    """As a loss comes with a ramp: min(1, n/ramp) in its n-th month (amendment 16)."""
    found = wins(openings((2, 1.0, 90, 1)), months=5, ramp=3)
    assert found.expected.tolist() == [0, 0, 30, 60, 90, 90]
    assert found.drawn[0].tolist() == [0, 0, 30, 60, 90, 90]


def test_half_and_four_in_five_of_the_draws_agree_with_every_outcome():
    """Against all 2^5 outcomes: the share of them that has the gap filled by month 12."""
    sales = [(3, 0.7, 40, 1), (5, 0.5, 60, 1), (6, 0.4, 80, 1), (9, 0.9, 30, 1)]
    found = wins(openings(*sales), draws=200_000)
    for month, missing in product((5, 6, 9), (30, 60, 100, 150)):
        exact = sum(
            np.prod([p if won else 1 - p for won, (_, p, _, _) in zip(each, sales)])
            for each in product((True, False), repeat=4)
            if sum(
                amount
                for won, (m, _, amount, _) in zip(each, sales)
                if won and m <= month
            )
            >= missing
        )
        drawn = (found.drawn[:, month] >= missing).mean()
        assert drawn == pytest.approx(exact, abs=0.005)


def test_many_equal_sales_are_drawn_as_a_binomial_is():
    found = wins(openings((1, 0.3, 1, 20)), draws=200_000)
    for level in (0.5, 0.8):
        exact = 20 - stats.binom(20, 0.7).ppf(level)
        assert found.surpassed(level)[1] == exact


def test_what_four_in_five_draws_surpass_says_when_they_are_back():
    found = wins(openings((1, 0.5, 50, 4), (4, 0.5, 50, 4), (8, 0.9, 50, 4)))
    for level, missing in product((0.5, 0.8), (50, 100, 200, 300, 500)):
        month = found.month_reached(missing, level, not_before=0)
        by_curve = np.flatnonzero(found.surpassed(level) >= missing)
        assert month == (by_curve[0] if by_curve.size else None)


def test_the_same_seed_draws_the_same():
    sales = openings((1, 0.5, 50, 4), (4, 0.5, 70, 1))
    assert (wins(sales, seed=3).drawn == wins(sales, seed=3).drawn).all()
    assert (wins(sales, seed=3).drawn != wins(sales, seed=4).drawn).any()


def test_a_longer_horizon_changes_nothing_before_it():
    sales = openings((1, 0.5, 50, 4), (9, 0.5, 70, 1), (2, 0.5, 70, 1))
    short, long = wins(sales, months=4), wins(sales, months=10)
    assert (long.drawn[:, :5] == short.drawn).all()


def test_what_is_drawn_does_not_depend_on_the_order_of_the_sales():
    rows = [(at % 5, at % 7 / 7, 10 + at % 3, 1 + at % 2) for at in range(300)]
    some, same = wins(openings(*rows)), wins(openings(*rows[::-1]))
    assert (some.drawn == same.drawn).all()
    assert (some.expected == same.expected).all()


def test_without_sales_nothing_is_won():
    found = wins(openings())
    assert found.drawn.sum() == 0
    assert found.month_reached(1, 0.5, not_before=0) is None
    assert found.month_reached(0, 0.8, not_before=0) == 0


def test_a_long_list_takes_fewer_draws_and_no_fewer_than_a_thousand():
    many = openings(*[(1, 0.0, 1, 1)] * 20_000)
    assert len(wins(many, months=1, draws=4_000).drawn) == 2_500
    longer = openings(*[(1, 0.0, 1, 1)] * 60_000)
    assert len(wins(longer, months=1, draws=4_000).drawn) == 1_000
    assert len(wins(openings(), draws=50).drawn) == 50


@given(
    st.lists(
        st.tuples(
            st.integers(0, 12),
            st.floats(0, 1),
            st.integers(0, 10**9),
            st.integers(1, 5),
        ),
        max_size=6,
    ),
    st.integers(0, 6),
)
def test_wins_only_grow_and_four_in_five_are_never_sooner_than_half(rows, ramp):
    found = wins(openings(*rows), ramp=ramp, draws=200)
    assert (np.diff(found.drawn, axis=1) >= 0).all()
    assert (found.surpassed(0.8) <= found.surpassed(0.5)).all()
    half, safe = (found.month_reached(10**8, p, not_before=0) for p in (0.5, 0.8))
    assert safe is None or half <= safe


def test_of_very_long_lists_the_small_ones_are_drawn_together_by_the_same_law():
    """Mean and spread against the exact sums of all; what is on no list changes nothing."""
    chance, count = np.random.default_rng(5), 80_000
    odds = chance.choice([0.1, 0.3, 0.6], count)
    minor = np.exp(chance.normal(8, 1.5, count)).astype(np.int64)
    month = chance.integers(0, 20, count)
    sales = Openings(month, odds, minor, np.ones(count, dtype=np.int64))
    found = wins(sales, months=12)
    again = wins(sales, months=6)
    assert found.drawn.shape == (1_000, 13)
    np.testing.assert_array_equal(found.drawn[:, :7], again.drawn)
    by_then = month <= 12
    mean = (odds * minor)[by_then].sum()
    spread = (odds * (1 - odds) * minor.astype(float) ** 2)[by_then].sum() ** 0.5
    last = found.drawn[:, -1]
    assert found.expected[-1] == pytest.approx(mean, rel=1e-12)
    assert last.mean() == pytest.approx(mean, abs=4 * spread / 1_000**0.5)
    assert last.std() == pytest.approx(spread, rel=0.1)
    assert stats.kstest((last - mean) / spread, "norm").pvalue > 0.01
