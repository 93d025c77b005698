from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from crm_portfolio._methods._common_factor import drawn_losses, odds_given, one_leaves
from crm_portfolio._methods._law import Law, enumerated

AMOUNTS = np.array([300, 250, 200, 150, 100])
ODDS = np.array([0.1, 0.2, 0.1, 0.3, 0.2])


def law(rho: float, seed: int = 1, draws: int = 200_000) -> Law:
    return Law.of_draws(drawn_losses(AMOUNTS, ODDS, rho=rho, seed=seed, draws=draws))


def test_draws_without_a_common_factor_agree_with_the_exact_law():
    """[H] sheet 4.5: 200,000 draws, mean within 1.5 of 165, VaR95 = 450.

    P(L ≤ 450) is .95004: other seeds may read 500.
    """
    drawn, exact = law(0.0), enumerated(AMOUNTS, ODDS)
    assert drawn.mean == pytest.approx(165, abs=1.5)
    assert drawn.value_at_risk(0.95) == 450
    assert drawn.losses.tolist() == exact.losses.tolist()
    errors = np.sqrt(exact.chance * (1 - exact.chance) / 200_000)
    assert (np.abs(drawn.chance - exact.chance) < 4.5 * errors).all()


def test_a_common_factor_widens_the_law_and_leaves_its_mean():
    """[H] sheet 4.5, rho = .2: mean about 165, sd about 193.5, VaR95 550."""
    drawn = law(0.2)
    assert drawn.mean == pytest.approx(165, abs=1.5)
    assert drawn.sd == pytest.approx(193.5, abs=1.5)
    assert drawn.value_at_risk(0.95) == 550


def test_one_of_the_first_three_leaves_at_the_printed_odds():
    """[H] sheet 4.5: .352."""
    assert one_leaves(ODDS[:3], 0.0) == pytest.approx(0.352, abs=1e-12)
    assert one_leaves(np.zeros(0), 0.0) == 0
    assert one_leaves(np.array([1.0, 0.1]), 0.2) == pytest.approx(1)


def test_the_odds_of_one_leaving_agree_with_the_normal_law_of_three():
    """Oracle: the trivariate normal distribution of scipy."""
    covariance = np.full((3, 3), 0.2) + 0.8 * np.eye(3)
    nobody = stats.multivariate_normal(cov=covariance).cdf(-stats.norm.ppf(ODDS[:3]))
    assert one_leaves(ODDS[:3], 0.2) == pytest.approx(1 - nobody, abs=1e-5)
    drawn = drawn_losses(2 ** np.arange(3), ODDS[:3], rho=0.2, seed=3, draws=200_000)
    assert (drawn > 0).mean() == pytest.approx(1 - nobody, abs=0.004)


def test_two_clients_leave_together_as_often_as_the_copula_says():
    """Oracle: the bivariate normal distribution of scipy."""
    odds = np.array([0.1, 0.3])
    for rho in (0.2, 0.6):
        both = stats.multivariate_normal(cov=[[1, rho], [rho, 1]]).cdf(
            stats.norm.ppf(odds)
        )
        drawn = drawn_losses(np.array([1, 2]), odds, rho=rho, seed=2, draws=200_000)
        assert (drawn == 3).mean() == pytest.approx(both, abs=0.003)


@pytest.mark.parametrize("rho", [0.0, 0.2, 0.7])
def test_the_odds_given_the_factor_are_right_on_average(rho):
    """Sheet 11.6: the expected loss is Σpr whatever the correlation."""
    for p in (0.001, 0.1, 0.5):
        mean, _ = integrate.quad(
            lambda z, p=p: float(
                odds_given(np.array([p]), np.array([z]), rho)[0, 0] * stats.norm.pdf(z)
            ),
            -9,
            9,
        )
        assert mean == pytest.approx(p, abs=1e-8)


def test_sure_odds_stay_sure_in_every_year():
    drawn = drawn_losses(
        np.array([5, 7]), np.array([1.0, 0.0]), rho=0.2, seed=1, draws=1_001
    )
    assert drawn.size == 1_001
    assert set(drawn.tolist()) == {5}


def test_the_same_seed_draws_the_same_years():
    assert law(0.2, draws=999).losses.tolist() == law(0.2, draws=999).losses.tolist()
    one, other = (
        drawn_losses(AMOUNTS, ODDS, rho=0.2, seed=seed, draws=999) for seed in (1, 2)
    )
    assert one.tolist() != other.tolist()


def test_nobody_to_lose_costs_nothing_in_any_draw():
    nobody = np.zeros(0, dtype=np.int64)
    drawn = drawn_losses(nobody, np.zeros(0), rho=0.2, seed=1, draws=10)
    assert drawn.tolist() == [0] * 10


def test_very_many_small_clients_are_drawn_together_and_change_no_figure():
    """Beyond what is drawn singly: a normal sum given the factor."""
    chance = np.random.default_rng(8)
    amounts = (1_000 * chance.pareto(1.5, 6_000)).astype(np.int64) + 1
    odds = chance.uniform(0.01, 0.3, amounts.size)

    # With a tenth of the work only the thousand largest are drawn singly.
    one_by_one, together = (
        Law.of_draws(
            drawn_losses(amounts, odds, rho=0.2, seed=5, draws=20_000, most=most)
        )
        for most in (200_000_000, 20_000_000)
    )
    assert together.losses[-1] <= amounts.sum()
    assert together.mean == pytest.approx(float(amounts @ odds), rel=0.01)
    assert together.sd == pytest.approx(one_by_one.sd, rel=0.02)
    for level in (0.9, 0.99):
        edges = [each.value_at_risk(level) for each in (one_by_one, together)]
        assert edges[1] == pytest.approx(edges[0], rel=0.03)


def test_clients_drawn_together_spread_as_the_sheet_says():
    """Sheet 4.5: the variance is Σp(1 − p)r² where they have nothing in common."""
    chance = np.random.default_rng(8)
    amounts = chance.integers(1, 1_000, 3_000)
    odds = chance.uniform(0.2, 0.8, amounts.size)
    drawn = Law.of_draws(
        drawn_losses(amounts, odds, rho=0.0, seed=5, draws=20_000, most=0)
    )
    spread = float((odds * (1 - odds)) @ amounts.astype(float) ** 2) ** 0.5
    assert drawn.sd == pytest.approx(spread, rel=0.02)
    assert drawn.mean == pytest.approx(float(amounts @ odds), rel=1e-3)
