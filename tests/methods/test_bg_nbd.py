"""The BG/NBD of Fader, Hardie and Lee (2005): sheet 7.8, its printed and computed figures."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import hyp2f1

from crm_portfolio._methods import _bg_nbd
from crm_portfolio._methods._bg_nbd import (
    BgNbd,
    Streams,
    expected_purchases,
    fitted,
    is_alive,
    log_likelihood,
)

CDNOW = BgNbd(0.243, 4.414, 0.793, 2.426)
AGE = 38.86


def one(*values: float) -> list[np.ndarray]:
    return [np.array([each], dtype=np.float64) for each in values]


@pytest.mark.parametrize(
    ("x", "tx", "expected", "alive"),
    [
        (2, 30.43, 1.226, 0.7266),  # E[Y] [P]: Fader, Hardie & Lee 2005
        (1, 1.71, 0.2032, 0.2121),
        (0, 0.0, 0.1951, 1.0),
        (7, 29.43, 3.3371, 0.6418),
    ],
)
def test_the_next_39_weeks_of_four_customers(x, tx, expected, alive):
    """Sheet 7.8, at r .243, alpha 4.414, a .793, b 2.426."""
    digits = 3 if x == 2 else 4
    found = expected_purchases(CDNOW, *one(x, tx, AGE), 39.0)[0]
    assert round(float(found), digits) == expected
    assert round(float(is_alive(CDNOW, *one(x, tx, AGE))[0]), 4) == alive


def test_a_customer_of_whom_nothing_is_known():
    """Sheet 7.8 [computed]: E[X(39)] = 1.19672, E[X(52)] = 1.44605."""
    for weeks, expected in ((39.0, 1.19672), (52.0, 1.44605)):
        found = expected_purchases(CDNOW, *one(0, 0, 0), weeks)[0]
        assert round(float(found), 5) == expected


def printed(model: BgNbd, x: float, tx: float, age: float, ahead: float) -> float:
    """The formula as the sheet prints it."""
    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    power = ((alpha + age) / (alpha + age + ahead)) ** (r + x)
    z = ahead / (alpha + age + ahead)
    inner = 1 - power * hyp2f1(r + x, b + x, a + b + x - 1, z)
    odds = a / (b + x - 1) * ((alpha + age) / (alpha + tx)) ** (r + x) if x else 0.0
    return float((a + b + x - 1) / (a - 1) * inner / (1 + odds))


models = st.builds(
    BgNbd, st.floats(0.1, 5), st.floats(0.5, 30), st.floats(0.1, 5), st.floats(0.5, 9)
)
customers = st.tuples(st.integers(0, 25), st.floats(0.01, 1), st.floats(1, 200))


@given(models, customers, st.floats(0.5, 150))
def test_it_is_the_printed_formula_where_that_can_be_computed(model, customer, ahead):
    x, part, age = customer
    assume(min(abs(model.a - 1), abs(model.a + model.b + x - 1)) > 1e-3)
    tx = part * age if x else 0.0
    expected = printed(model, x, tx, age, ahead)
    found = expected_purchases(model, *one(x, tx, age), ahead)[0]
    # What the printed difference loses to cancellation grows with what stands before.
    before = abs((model.a + model.b + x - 1) / (model.a - 1))
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-9 + 1e-11 * before)


@given(models, customers, st.floats(0.5, 100))
def test_the_closed_form_is_the_sum_over_purchases(model, customer, ahead):
    x, _, age = customer
    kept = (model.alpha + age) / (model.alpha + age + ahead)
    expected = _bg_nbd._summed(model, *one(x, kept))[0]
    found = _bg_nbd._of_the_living(model, *one(x, age), ahead)[0]
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)


@given(customers, st.floats(0.5, 100), st.floats(0.5, 9))
def test_at_a_of_one_it_is_the_limit(customer, ahead, b):
    """Amendment 24."""
    x, part, age = customer
    tx = part * age if x else 0.0

    def at(a: float) -> float:
        model = BgNbd(0.6, 8.0, a, b)
        return float(expected_purchases(model, *one(x, tx, age), ahead)[0])

    beside = [at(1 - 2e-4), at(1 + 2e-4)]
    assert min(beside) <= at(1.0) * (1 + 1e-6) <= max(beside) * (1 + 2e-6)
    assert at(1.0) == pytest.approx(sum(beside) / 2, rel=1e-5)


@given(models, customers, st.floats(0.5, 50), st.floats(0.5, 50))
def test_longer_brings_no_less_and_odds_are_odds(model, customer, ahead, more):
    x, part, age = customer
    of = one(x, part * age if x else 0.0, age)
    near = expected_purchases(model, *of, ahead)[0]
    far = expected_purchases(model, *of, ahead + more)[0]
    assert 0 <= near <= far * (1 + 1e-9)
    assert 0 <= is_alive(model, *of)[0] <= 1


@given(models, customers, st.floats(0, 1))
def test_a_longer_silence_is_no_good_sign(model, customer, less):
    x, part, age = customer
    if x:
        late, early = part * age, part * age * less
        recent = is_alive(model, *one(x, late, age))
        assert is_alive(model, *one(x, early, age)) <= recent * (1 + 1e-12)


def test_who_never_came_back_is_alive_by_the_model():
    """Sheet 7.8, edge: a known weakness."""
    assert is_alive(CDNOW, *one(0, 0, 500)).tolist() == [1.0]


def test_a_busy_customer_overflows_nothing():
    found = expected_purchases(CDNOW, *one(3000, 20.0, 4000.0), 156.0)
    assert found.tolist() == [0.0]
    busy = expected_purchases(CDNOW, *one(3000, 3999.0, 4000.0), 156.0)[0]
    assert 100 < busy < 120


def drawn(count: int, model: BgNbd, seed: int = 7) -> tuple[np.ndarray, ...]:
    """Customers who buy at random and may leave after each purchase."""
    draw = np.random.default_rng(seed)
    rate = draw.gamma(model.r, 1 / model.alpha, count)
    odds = draw.beta(model.a, model.b, count)
    age = draw.integers(60, 180, count).astype(np.float64)
    x, tx = np.zeros(count), np.zeros(count)
    for at in range(count):
        now = 0.0
        while True:
            now += draw.exponential(1 / max(rate[at], 1e-12))
            if now > age[at]:
                break
            x[at], tx[at] = x[at] + 1, now
            if draw.random() < odds[at]:
                break
    return x, tx, age


def test_what_was_planted_is_found_again():
    planted = BgNbd(0.8, 9.0, 0.9, 3.0)
    found = fitted(Streams.of(*drawn(6000, planted)))
    assert found is not None
    assert found.r == pytest.approx(planted.r, rel=0.1)
    assert found.alpha == pytest.approx(planted.alpha, rel=0.15)
    leaves = found.a / (found.a + found.b)
    assert leaves == pytest.approx(planted.a / (planted.a + planted.b), rel=0.1)


def test_nothing_nearby_is_more_likely():
    streams = Streams.of(*drawn(800, BgNbd(0.8, 9.0, 0.9, 3.0)))
    found = fitted(streams)
    assert found is not None
    best = log_likelihood(found, streams)
    for name in ("r", "alpha", "a", "b"):
        for factor in (0.97, 1.03):
            values = {each: getattr(found, each) for each in ("r", "alpha", "a", "b")}
            values[name] *= factor
            assert log_likelihood(BgNbd(**values), streams) < best


def test_the_slope_is_that_of_the_likelihood():
    streams = Streams.of(*drawn(60, BgNbd(0.8, 9.0, 0.9, 3.0)))
    likelihood = _bg_nbd._Likelihood(streams)
    at = np.array([0.7, 8.0, 0.6, 2.0])
    slope = likelihood.at(BgNbd(*at))[1]
    for place in range(4):
        step = np.zeros(4)
        step[place] = 1e-6
        sides = [likelihood.at(BgNbd(*(at + way * step)))[0] for way in (1, -1)]
        assert (sides[0] - sides[1]) / 2e-6 == pytest.approx(slope[place], rel=1e-4)


def test_the_order_and_the_unit_of_time_change_nothing():
    x, tx, age = drawn(500, BgNbd(0.8, 9.0, 0.9, 3.0))
    order = np.random.default_rng(3).permutation(x.size)
    found = fitted(Streams.of(x, tx, age))
    assert fitted(Streams.of(x[order], tx[order], age[order])) == found
    daily = fitted(Streams.of(x, tx * 7, age * 7))
    assert found is not None
    assert daily is not None
    assert daily.alpha == pytest.approx(7 * found.alpha, rel=1e-5)
    assert (daily.r, daily.a, daily.b) == pytest.approx(
        (found.r, found.a, found.b), rel=1e-5
    )


def test_equal_customers_are_counted_once_and_found_again():
    streams = Streams.of([1, 0, 1, 1], [2.0, 0.0, 2.0, 3.0], [9.0, 9.0, 9.0, 9.0])
    assert streams.weight.tolist() == [1.0, 2.0, 1.0]
    assert streams.tx[streams.place].tolist() == [2.0, 0.0, 2.0, 3.0]


@pytest.mark.parametrize("x", [[], [0.0, 0.0]])
def test_where_nobody_came_back_nothing_is_fitted(x):
    ages = [9.0] * len(x)
    assert fitted(Streams.of(x, [0.0] * len(x), ages)) is None


def test_who_was_only_just_met_fits_nothing():
    assert fitted(Streams.of([1.0], [0.0], [0.0])) is None


def test_of_many_clients_the_best_for_all_is_found_and_not_that_of_a_few(monkeypatch):
    monkeypatch.setattr(_bg_nbd, "_MANY", 3_000)
    monkeypatch.setattr(_bg_nbd, "_FEW", 500)
    streams = Streams.of(*drawn(6_000, BgNbd(0.8, 9.0, 0.9, 3.0)))
    assert streams.x.size > 3_000
    of_few = fitted(streams.few(500))
    model = fitted(streams)
    assert model is not None
    assert of_few is not None
    assert abs(of_few.r - model.r) > 0.002 * model.r
    best = log_likelihood(model, streams)
    for name in ("r", "alpha", "a", "b"):
        for factor in (0.998, 1.002):
            aside = attrs.evolve(model, **{name: getattr(model, name) * factor})
            assert log_likelihood(aside, streams) < best, (name, factor)


@pytest.mark.parametrize("most", [10, 2**62])
def test_equal_clients_are_put_together_and_no_others(monkeypatch, most):
    """However few different values one whole number can hold."""
    monkeypatch.setattr(_bg_nbd, "_MOST_KEYS", most)
    rows = np.random.default_rng(3).integers(0, 4, (200, 3)).astype(np.float64)
    streams = Streams.of(*rows.T)
    found = np.column_stack([streams.x, streams.tx, streams.T])
    expected, counts = np.unique(rows, axis=0, return_counts=True)
    assert (found == expected).all()
    assert (streams.weight == counts).all()
    assert (found[streams.place] == rows).all()
