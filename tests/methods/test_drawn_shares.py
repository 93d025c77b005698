"""Is a share of an amount as unsure as drawing it again shows?"""

from __future__ import annotations

import numpy as np
import pytest

from crm_portfolio._methods._drawn_shares import share_intervals


def drawn_one_by_one(groups, amounts, *, draws, seed):
    """The plain bootstrap: rows drawn again, one book at a time."""
    draw = np.random.default_rng(seed)
    of = groups.max() + 1
    found = []
    for _ in range(draws):
        rows = draw.integers(0, groups.size, groups.size)
        held = np.bincount(groups[rows], amounts[rows], minlength=of)
        found.append(held / held.sum())
    return np.quantile(found, [0.025, 0.975], axis=0)


def test_cells_give_the_interval_of_rows_drawn_one_by_one():
    draw = np.random.default_rng(3)
    groups = draw.choice(4, 300, p=[0.5, 0.3, 0.15, 0.05])
    amounts = np.round(draw.lognormal(8, 1, 300) * 100).astype(np.int64)
    ones = np.ones(300, dtype=np.int64)
    low, high = share_intervals(groups, ones, amounts, seed=1, draws=4000)
    plain = drawn_one_by_one(groups, amounts, draws=4000, seed=2)
    assert low == pytest.approx(plain[0], abs=0.012)
    assert high == pytest.approx(plain[1], abs=0.012)
    raw = np.bincount(groups, amounts) / amounts.sum()
    assert ((low < raw) & (raw < high)).all()


def test_rows_of_one_amount_are_one_cell():
    """Half of them each, and equal: the share is that of a coin thrown 400 times."""
    low, high = share_intervals(
        np.array([0, 1]), np.array([200, 200]), np.array([200, 200]), seed=1, draws=4000
    )
    assert low == pytest.approx([0.451, 0.451], abs=0.006)
    assert high == pytest.approx([0.549, 0.549], abs=0.006)


def test_the_same_seed_gives_the_same_bytes_whoever_counted():
    draw = np.random.default_rng(5)
    groups, counts = draw.integers(0, 3, 60), draw.integers(1, 9, 60)
    sums, mixed = draw.integers(1, 10_000, 60), draw.permutation(60)
    one = share_intervals(groups, counts, sums, seed=1, draws=150)
    other = share_intervals(
        groups[mixed], counts[mixed], sums[mixed], seed=1, draws=150
    )
    assert [each.tobytes() for each in one] == [each.tobytes() for each in other]
    another = share_intervals(groups, counts, sums, seed=2, draws=150)
    assert one[0].tobytes() != another[0].tobytes()


@pytest.mark.parametrize(
    ("counts", "sums"), [([], []), ([9], [900]), ([20, 5], [0, 0])]
)
def test_of_few_or_of_nothing_there_is_no_interval(counts, sums):
    low, high = share_intervals(
        np.arange(len(counts)), np.array(counts), np.array(sums), seed=1, draws=10
    )
    assert np.isnan(low).all()
    assert np.isnan(high).all()
    assert low.size == len(counts)


def test_ten_million_in_many_cells_are_drawn_in_no_time():
    draw = np.random.default_rng(7)
    groups, counts = np.arange(2000) % 20, np.full(2000, 5000)
    sums = counts * draw.integers(1, 1_000_000, 2000)
    low, high = share_intervals(groups, counts, sums, seed=1, draws=200)
    raw = np.bincount(groups, sums) / sums.sum()
    assert ((low < raw) & (raw < high)).all()
    assert (high - low).max() < 0.001
