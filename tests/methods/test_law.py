from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import optimize, stats

from crm_portfolio._methods import _law as laws
from crm_portfolio._methods._law import Law, convolved, enumerated, grid_of

AMOUNTS = np.array([300, 250, 200, 150, 100])
ODDS = np.array([0.1, 0.2, 0.1, 0.3, 0.2])
LEVELS = (0.5, 0.9, 0.95, 0.99)

clients = st.lists(
    st.tuples(st.integers(1, 5_000), st.sampled_from([0.0, 0.05, 0.3, 0.5, 1.0])),
    min_size=0,
    max_size=7,
).map(
    lambda each: (np.array([a for a, _ in each], int), np.array([p for _, p in each]))
)


def by_hand(amounts, odds) -> dict[int, float]:
    """Every outcome, one by one."""
    found: dict[int, float] = {}
    for lost in product((0, 1), repeat=len(amounts)):
        chance = np.prod(np.where(lost, odds, 1 - odds)) if len(odds) else 1.0
        loss = int(np.dot(lost, amounts)) if len(odds) else 0
        found[loss] = found.get(loss, 0.0) + float(chance)
    return found


@pytest.mark.parametrize("made", [enumerated, convolved])
def test_five_clients_have_the_printed_law(made):
    """[H, exact enumeration] sheet 4.5: T = 1000."""
    law = made(AMOUNTS, ODDS)
    assert law.mean == pytest.approx(165, abs=1e-9)
    assert round(law.sd, 4) == 167.4067
    assert round(law.at_most(0), 5) == 0.36288
    assert round(law.more_than(199), 5) == 0.39088
    assert round(law.more_than(200), 5) == 0.35056
    at_risk = {
        level: (law.value_at_risk(level), round(law.expected_shortfall(level), 2))
        for level in (0.9, 0.95, 0.99)
    }
    assert at_risk == {0.9: (400, 507.90), 0.95: (450, 584.16), 0.99: (650, 731.00)}


def test_the_naive_mean_of_the_tail_is_not_the_expected_shortfall():
    """[H] sheet 4.5: 482.62, 532.17 and 710.45 are wrong."""
    law = enumerated(AMOUNTS, ODDS)
    naive = []
    for level in (0.9, 0.95, 0.99):
        tail = law.losses >= law.value_at_risk(level)
        mean = law.losses[tail] @ law.chance[tail] / law.chance[tail].sum()
        naive.append(round(float(mean), 2))
    assert naive == [482.62, 532.17, 710.45]
    right = [round(law.expected_shortfall(level), 2) for level in (0.9, 0.95, 0.99)]
    assert all(worse > mean for worse, mean in zip(right, naive, strict=True))


def test_comparisons_carry_half_a_minor_unit():
    """Amendment 17: a threshold that is a product of floats falls on its minor unit."""
    law = enumerated(np.array([100, 200]), np.array([0.5, 0.5]))
    assert law.more_than(199.999999) == law.more_than(200.000001) == 0.25
    assert law.at_most(99.7) == law.at_most(100.3) == 0.5
    assert law.at_most(99.3) == 0.25


@given(clients)
def test_both_ways_give_the_law_made_by_hand(client):
    amounts, odds = client
    hand = {loss: chance for loss, chance in by_hand(amounts, odds).items() if chance}
    law = enumerated(amounts, odds)
    assert dict(zip(law.losses.tolist(), law.chance, strict=True)) == pytest.approx(
        hand
    )
    if laws.grid_of(amounts) == 1:
        other = convolved(amounts, odds)
        assert other.losses.tolist() == law.losses.tolist()
        assert other.chance == pytest.approx(law.chance, abs=1e-12)


@given(clients, st.sampled_from(LEVELS))
def test_expected_shortfall_is_the_least_of_rockafellar_and_uryasev(client, level):
    """ES = min over x of x + E[(L − x)⁺]/(1 − a), an oracle that orders nothing."""
    amounts, odds = client
    law = enumerated(amounts, odds)

    def above(x: float) -> float:
        beyond = np.maximum(law.losses - x, 0) @ law.chance
        return float(x + beyond / (1 - level))

    at_losses = min(above(float(each)) for each in law.losses)
    assert law.expected_shortfall(level) == pytest.approx(at_losses, abs=1e-6)
    top = float(law.losses[-1])
    found = optimize.minimize_scalar(above, bounds=(-1.0, top + 1), method="bounded")
    assert found.fun >= at_losses - 1e-6


@given(clients)
@example(
    (
        np.array([1, 2_043, 2_957, 5_000, 5_000, 5_000]),
        np.array([0.05, 0.05, 0.05, 0.3, 0.3, 0.5]),
    )
)
def test_value_at_risk_rises_with_the_level_and_shortfall_lies_beyond(client):
    """Sheet 11.6."""
    amounts, odds = client
    for law in (enumerated(amounts, odds), convolved(amounts, odds)):
        at_risk = [law.value_at_risk(level) for level in LEVELS]
        beyond = [law.expected_shortfall(level) for level in LEVELS]
        assert at_risk == sorted(at_risk)
        for edge, mean in zip(at_risk, beyond, strict=True):
            assert edge - 1e-6 <= mean <= amounts.sum() + 1e-6
        # A grid's largest losses are cut to what there is: by less than a step for each
        # client, if all of them go.
        cut = amounts.size * (grid_of(amounts) - 1) * float(law.chance[-1])
        assert law.mean == pytest.approx(
            float(amounts @ odds), rel=1e-9, abs=1e-6 + cut
        )


def test_the_level_is_reached_where_the_probabilities_add_up_to_it_exactly():
    """inf{x : P(L ≤ x) ≥ a}: 0.1 + 0.2 + … must not miss 0.9 by a rounding."""
    ten = enumerated(np.array([1]), np.array([0.1]))
    assert ten.value_at_risk(0.9) == 0
    assert ten.expected_shortfall(0.9) == pytest.approx(1)
    three = Law(np.array([0, 1, 2]), np.array([0.1 + 0.2, 0.6, 0.1]))
    assert three.value_at_risk(0.9) == 1


def test_many_equal_clients_are_binomial():
    """Against scipy: 400 clients of 25 minor units, which the grid holds exactly."""
    law = convolved(np.full(400, 25), np.full(400, 0.07))
    binomial = stats.binom(400, 0.07)
    for level in (0.9, 0.95, 0.99, 0.999):
        assert law.value_at_risk(level) == 25 * binomial.ppf(level)
    assert law.sd == pytest.approx(25 * binomial.std())


@pytest.mark.parametrize("count", [900, 200_000])
def test_small_clients_are_counted_like_large_ones(count):
    """Below a step each, few or very many: mean and spread as the sheet has them."""
    chance = np.random.default_rng(4)
    amounts = np.concatenate([[4_000_000, 1_500_000], chance.integers(1, 150, count)])
    odds = chance.uniform(0, 0.3, amounts.size)
    step = laws.grid_of(amounts)
    assert (amounts < step).sum() == count
    law = convolved(amounts, odds)
    spread = float((odds * (1 - odds)) @ amounts.astype(float) ** 2) ** 0.5
    assert law.mean == pytest.approx(float(amounts @ odds), rel=1e-9)
    assert law.sd == pytest.approx(spread, rel=1e-4)
    assert law.losses[-1] <= amounts.sum()


def test_very_many_small_clients_spread_as_draws_of_them_do():
    """Oracle: binomial counts of three kinds of clients, far below a step of the grid."""
    sizes, odds = np.array([1, 5, 40]), np.array([0.3, 0.1, 0.5])
    counts = np.array([300_000, 100_000, 20_000])
    law = convolved(np.repeat(sizes, counts), np.repeat(odds, counts))
    step = laws.grid_of(np.repeat(sizes, counts))
    assert step == 80
    chance = np.random.default_rng(7)
    drawn = chance.binomial(counts, odds, (200_000, 3)) @ sizes
    assert law.mean == pytest.approx(float(counts * odds @ sizes), rel=1e-9)
    spread = float((counts * odds * (1 - odds)) @ sizes**2) ** 0.5
    assert law.sd == pytest.approx(spread, rel=0.002)
    for level in (0.05, 0.5, 0.95, 0.99):
        edge = float(np.quantile(drawn, level))
        assert law.value_at_risk(level) == pytest.approx(edge, abs=1.1 * step)


def test_the_grid_is_the_minor_unit_or_a_twenty_thousandth_of_the_total():
    """Amendment 17."""
    assert laws.grid_of(np.array([15_000, 5_000])) == 1
    assert laws.grid_of(np.array([15_000, 5_001])) == 2
    assert laws.grid_of(np.array([60_000_000, 40_000_000])) == 5_000
    assert laws.grid_of(np.zeros(0, dtype=np.int64)) == 1


def test_nobody_to_lose_costs_nothing():
    nobody = np.zeros(0, dtype=np.int64), np.zeros(0)
    for law in (enumerated(*nobody), convolved(*nobody)):
        assert law.losses.tolist() == [0]
        assert (law.value_at_risk(0.99), law.expected_shortfall(0.99)) == (0, 0)


def test_who_is_sure_to_leave_or_to_stay_leaves_or_stays():
    """Sheet 4.5, edge: p of 0 and of 1 are allowed; VaR of one client is in {0, r}."""
    sure = enumerated(np.array([70, 30]), np.array([1.0, 0.0]))
    assert sure.losses.tolist() == [70]
    for p, edge in ((0.0, 0), (0.04, 0), (0.06, 70), (1.0, 70)):
        assert enumerated(np.array([70]), np.array([p])).value_at_risk(0.95) == edge
