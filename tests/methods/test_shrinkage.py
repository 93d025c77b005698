"""Is the rate of a few drawn to where sheet 6.4 says?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from crm_portfolio._methods._rates import jeffreys
from crm_portfolio._methods._shrinkage import Prior, beta_binomial, moments, prior_of

# Tarone 1982, "The use of historical control information in testing for a trend in
# proportions", as tabulated in Gelman et al., Bayesian Data Analysis, table 5.1 (its 70
# historical experiments): rats with a tumour, of rats in the experiment, times.
RATS = """
0/20*7 0/19*4 0/18*2 0/17 1/20*4 1/19*2 1/18*2 2/25 2/24 2/23 2/20*6 1/10 5/49 2/19 5/46
3/27 2/17 7/49 7/47 3/20*2 2/13 9/48 10/50 4/20*7 10/48 4/19*3 5/22 11/46 12/49 5/20*2
6/23 5/19 6/22 6/20*3 16/52 15/47 15/46 9/24
"""

few = st.integers(0, 60).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))


def _rats():
    parts = [each.partition("*") for each in RATS.split()]
    pairs = [
        pair.split("/") for pair, _, times in parts for _ in range(int(times or 1))
    ]
    return np.array(pairs, dtype=np.int64).T


def test_moments_of_the_rat_tumours():
    """Sheet 6.4 [P], Gelman et al. on Tarone's 70 groups: mean .136, sd .103 -> a = 1.4,
    b = 8.6 (1.3561, 8.6151); new group 4/14 -> mean .22344, sd .08336."""
    wins, tries = _rats()
    assert wins.size == 70
    assert (wins / tries).mean() == pytest.approx(0.136, abs=5e-4)
    assert (wins / tries).std(ddof=1) == pytest.approx(0.103, abs=5e-4)
    prior = moments(wins, tries)
    assert (prior.a, prior.b) == pytest.approx((1.3561, 8.6151), abs=5e-5)
    new = prior.shrunk([4], [14])
    assert new.rates[0] == pytest.approx(0.22344, abs=5e-6)
    assert new.deviations[0] == pytest.approx(0.08336, abs=5e-6)


def test_the_likeliest_prior_of_the_rat_tumours():
    """Sheet 6.4 [P], vignette of BayesGOF on the same groups: a = 2.3048, b = 14.0798."""
    prior = prior_of(*_rats())
    assert prior.kind == "likelihood"
    assert prior.groups == 70
    assert (prior.a, prior.b) == pytest.approx((2.3048, 14.0798), abs=5e-5)


def test_the_sheets_three_groups_under_a_known_prior():
    """Sheet 6.4 [H], prior Beta(2,18): 3/10 -> .166667; 0/4 -> .083333; 1/1 -> .142857."""
    found = Prior(0.1, 20.0, "fixed").shrunk([3, 0, 1], [10, 4, 1])
    assert found.rates == pytest.approx([0.166667, 0.083333, 0.142857], abs=5e-7)
    oracle = [stats.beta(2 + 3, 18 + 7), stats.beta(2, 22), stats.beta(3, 18)]
    assert found.low == pytest.approx([each.ppf(0.05) for each in oracle])
    assert found.high == pytest.approx([each.ppf(0.95) for each in oracle])
    assert found.deviations == pytest.approx([each.std() for each in oracle])


def test_no_other_beta_is_likelier():
    draw = np.random.default_rng(4)
    tries = draw.integers(5, 80, 40)
    wins = draw.binomial(tries, draw.beta(3, 9, 40))
    prior = prior_of(wins, tries)

    def unlikely(logs):
        return -stats.betabinom(tries, *np.exp(logs)).logpmf(wins).sum()

    best = optimize.minimize(unlikely, [0, 0], method="Nelder-Mead", tol=1e-9)
    assert (prior.a, prior.b) == pytest.approx(tuple(np.exp(best.x)), rel=1e-4)


def test_nine_groups_share_their_rate_worth_twenty_tries():
    few_groups = prior_of([5] * 9, [20] * 9)
    assert (few_groups.kind, few_groups.mean, few_groups.strength) == (
        "fixed",
        0.25,
        20,
    )
    assert prior_of([4, 6] * 5, [20] * 10).kind != "fixed"


def test_a_group_of_four_is_no_tenth_group_but_counts_in_the_rate():
    fixed = prior_of([5] * 9 + [4], [20] * 9 + [4])
    assert (fixed.kind, fixed.groups) == ("fixed", 9)
    assert fixed.mean == pytest.approx(49 / 184)
    assert prior_of([5] * 9 + [4], [20] * 9 + [5]).kind != "fixed"


def test_rates_that_differ_more_than_any_betas_get_the_weakest_prior():
    found = beta_binomial([0, 6] * 5, [6] * 10)
    assert (found.prior.kind, found.prior.a, found.prior.b) == ("jeffreys", 0.5, 0.5)
    assert found.rates[:2] == pytest.approx([0.5 / 7, 6.5 / 7])


def test_groups_that_differ_no_more_than_by_chance_share_one_rate():
    """Sheet 6.4, amendment 21: a + b above 10^5 → full pooling."""
    found = beta_binomial([3] * 12, [10] * 12)
    assert found.prior.kind == "pooled"
    assert found.rates.tolist() == [0.3] * 12
    assert (found.low[0], found.high[0]) == pytest.approx(jeffreys(36, 120, 0.90))


def test_what_never_happened_ends_at_three_over_n():
    """Sheet 6.4: no events at all -> rule of three upper bound 3/n."""
    found = beta_binomial([0, 0, 0], [30, 2, 0])
    assert found.prior.kind == "never"
    assert found.rates.tolist() == found.low.tolist() == [0, 0, 0]
    assert found.high.tolist() == [0.1, 1, 1]
    always = beta_binomial([30, 2], [30, 2])
    assert always.rates.tolist() == always.high.tolist() == [1, 1]
    assert always.low == pytest.approx([0.9, 0])


@pytest.mark.parametrize("groups", [[], [0], [0, 0]])
def test_what_was_never_tried_is_unknown(groups):
    found = beta_binomial(groups, groups)
    assert found.prior.kind == "unknown"
    for each in (found.rates, found.low, found.high, found.deviations):
        assert each.size == len(groups)
        assert np.isnan(each).all()


@given(st.lists(few, min_size=1, max_size=40))
def test_a_shrunken_rate_lies_between_the_raw_one_and_the_priors(groups):
    """Sheet 11.11: shrunken rate lies between raw rate and prior mean."""
    wins, tries = (np.array(each) for each in zip(*groups, strict=True))
    found = beta_binomial(wins, tries)
    is_tried = tries > 0
    raw = wins[is_tried] / tries[is_tried]
    rates = found.rates[is_tried]
    assert (rates >= np.minimum(raw, found.prior.mean) - 1e-12).all()
    assert (rates <= np.maximum(raw, found.prior.mean) + 1e-12).all()
    if is_tried.any():
        assert found.rates[~is_tried] == pytest.approx(found.prior.mean)
        assert (found.low >= 0).all()
        assert (found.low <= found.high).all()
        assert (found.high <= 1).all()


@given(st.lists(few, min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_the_order_of_groups_means_nothing(groups, chance):
    mixed = chance.sample(range(len(groups)), len(groups))
    wins, tries = (np.array(each) for each in zip(*groups, strict=True))
    one, other = beta_binomial(wins, tries), beta_binomial(wins[mixed], tries[mixed])
    assert one.prior == other.prior or one.prior.kind == "unknown"
    assert one.rates[mixed].tobytes() == other.rates.tobytes()


def test_a_hundred_thousand_groups_at_once():
    draw = np.random.default_rng(6)
    tries = draw.integers(0, 400, 100_000)
    wins = draw.binomial(tries, draw.beta(3, 7, tries.size))
    found = beta_binomial(wins, tries)
    assert (found.prior.a, found.prior.b) == pytest.approx((3, 7), rel=0.02)
    assert found.rates.size == tries.size
    assert ((found.low < found.rates) & (found.rates < found.high)).all()
