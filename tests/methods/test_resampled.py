from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from crm_portfolio._methods import _indices as indices
from crm_portfolio._methods import _resampled as resampled
from crm_portfolio._methods._resampled import gini_interval


def one_by_one(amounts, form: str, *, seed: int, draws: int) -> np.ndarray:
    """The index of whole books, drawn account by account."""
    generator = np.random.default_rng(seed)
    index = {"plain": indices.gini, "rsv": indices.gini_rsv}[form]
    books = (generator.choice(amounts, amounts.size) for _ in range(draws))
    return np.array([index(book) for book in books], dtype=float)


def test_the_interval_needs_thirty_accounts_and_contains_the_index():
    thirty = np.arange(1, 31) ** 2
    interval = gini_interval(thirty, form="plain", seed=1, draws=400)
    gini = indices.gini(thirty)
    assert interval is not None
    assert gini is not None
    assert interval[0] < gini < interval[1]
    assert gini_interval(thirty[1:], form="plain", seed=1, draws=400) is None
    assert gini_interval(thirty, form="ctr", seed=1, draws=400) is None


def test_the_interval_is_the_same_for_the_same_seed_whatever_the_order():
    values = np.arange(1, 60) ** 2
    again = np.random.default_rng(3).permutation(values)
    drawn = [
        gini_interval(each, form="plain", seed=seed, draws=150)
        for each, seed in ((values, 1), (again, 1), (values, 2))
    ]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("form", ["plain", "rsv"])
def test_where_each_account_is_a_cell_a_draw_is_the_index_of_the_book_it_draws(form):
    """The index from counts equals that of the accounts written out as often."""
    ordered = np.sort(np.arange(1, 41) ** 2 - 300)
    cells = resampled._Cells.of(ordered)
    drawn = cells.drawn(np.random.default_rng(5), 20, form)
    counts = np.random.default_rng(5).multinomial(40, np.full(40, 1 / 40), size=20)
    index = {"plain": indices.gini, "rsv": indices.gini_rsv}[form]
    written_out = [index(np.repeat(ordered, each)) for each in counts]
    assert drawn == pytest.approx(np.array(written_out, dtype=float), nan_ok=True)


@pytest.mark.parametrize("form", ["plain", "rsv"])
def test_cells_of_many_spread_the_index_as_single_draws_do(form):
    """Oracle: a Kolmogorov–Smirnov test of both ways of drawing.

    With half a dozen cells for a thousand accounts, what is drawn within them matters.
    """
    chance = np.random.default_rng(6)
    amounts = chance.integers(1, 100_000, 1_000)
    if form == "rsv":
        amounts[::7] -= 100_000
    cells = resampled._Cells.of(np.sort(amounts), 6)
    assert cells.size.size <= 7
    theirs = one_by_one(amounts, form, seed=1, draws=1_500)
    ours = cells.drawn(np.random.default_rng(2), 3_000, form)
    assert stats.ks_2samp(theirs, ours).pvalue > 0.01
    assert ours.std() == pytest.approx(theirs.std(), rel=0.05)


def test_a_large_book_on_a_heavy_tail_is_as_unsure_as_single_draws_are():
    chance = np.random.default_rng(6)
    amounts = (1e5 * chance.pareto(1.4, 12_000)).astype(np.int64)
    theirs = one_by_one(amounts, "plain", seed=1, draws=120)
    cells = resampled._Cells.of(np.sort(amounts))
    assert 4_000 < cells.size.size < 4_200
    ours = cells.drawn(np.random.default_rng(2), 1_000, "plain")
    assert stats.ks_2samp(theirs, ours).pvalue > 0.01


def test_a_cell_holds_accounts_of_one_sign():
    ordered = np.sort(np.random.default_rng(2).integers(-50_000, 50_000, 9_000))
    cells = resampled._Cells.of(ordered)
    starts = resampled._starts(ordered, 4_096)
    assert cells.size.sum() == 9_000
    for start, size in zip(starts, cells.size, strict=True):
        assert np.unique(np.sign(ordered[start : start + size])).size == 1


def test_without_anything_positive_there_is_no_interval():
    assert gini_interval(-np.arange(1, 40), form="plain", seed=1, draws=50) is None
    assert gini_interval(np.zeros(40, int), form="rsv", seed=1, draws=50) is None
