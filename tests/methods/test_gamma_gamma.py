"""The Gamma-Gamma model of Fader and Hardie (2013): sheet 7.8."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods import _gamma_gamma
from crm_portfolio._methods._gamma_gamma import (
    GammaGamma,
    correlation,
    expected_value,
    fitted_values,
)

PUBLISHED = GammaGamma(6.25, 3.74, 15.44)
X = np.array([2, 1, 0, 0, 0, 7, 1, 0, 2, 0], dtype=np.float64)
MEAN = np.array([22.35, 11.77, 0, 0, 0, 73.74, 11.77, 0, 25.55, 0])


def test_the_first_ten_customers_of_cdnow():
    """Sheet 7.8 [P], to ±0.1 since the parameters are rounded; the mean is 35.22."""
    told = [24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17]
    assert expected_value(PUBLISHED, X, MEAN) == pytest.approx(told, abs=0.1)
    assert PUBLISHED.mean == pytest.approx(35.22, abs=0.005)


def test_who_is_not_known_gets_the_mean_of_all():
    assert expected_value(PUBLISHED, X, MEAN)[2] == pytest.approx(PUBLISHED.mean)


models = st.builds(
    GammaGamma, st.floats(0.5, 20), st.floats(1.1, 9), st.floats(0.5, 99)
)


@given(models, st.integers(1, 40), st.floats(0.1, 1e4))
def test_it_lies_between_what_is_seen_and_the_mean_of_all(model, x, mean):
    assert model.mean is not None
    found = expected_value(model, np.array([float(x)]), np.array([mean]))[0]
    least, most = sorted((model.mean, mean))
    assert least * (1 - 1e-9) <= found <= most * (1 + 1e-9)


@given(models, st.integers(1, 40), st.floats(0.1, 1e4))
def test_the_more_is_seen_the_nearer_it_is_to_that(model, x, mean):
    few, many = (
        expected_value(model, np.array([float(n)]), np.array([mean]))[0]
        for n in (x, x + 5)
    )
    assert abs(many - mean) <= abs(few - mean) * (1 + 1e-9)


def test_a_law_without_a_mean_says_so():
    wild = GammaGamma(2.0, 0.9, 5.0)
    assert wild.mean is None
    assert np.isnan(expected_value(wild, np.array([0.0]), np.array([0.0]))).all()
    assert not np.isnan(expected_value(wild, np.array([1.0]), np.array([3.0]))).any()


def drawn(count: int, model: GammaGamma) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(11)
    x = draw.integers(1, 9, count).astype(np.float64)
    scale = draw.gamma(model.q, 1 / model.v, count)
    return x, draw.gamma(model.p * x, 1 / (scale * x))


def test_what_was_planted_is_found_again():
    planted = GammaGamma(5.0, 4.0, 20.0)
    found = fitted_values(*drawn(4000, planted))
    assert found is not None
    assert found.p == pytest.approx(planted.p, rel=0.1)
    assert found.mean == pytest.approx(planted.mean, rel=0.05)


def test_the_unit_of_the_values_and_the_order_change_nothing():
    x, mean = drawn(400, GammaGamma(5.0, 4.0, 20.0))
    found, cents = fitted_values(x, mean), fitted_values(x, 100 * mean)
    assert found is not None
    assert cents is not None
    assert cents.v == pytest.approx(100 * found.v, rel=1e-4)
    assert (cents.p, cents.q) == pytest.approx((found.p, found.q), rel=1e-4)
    assert fitted_values(x[::-1], mean[::-1]) == found


def test_the_slope_is_that_of_the_likelihood():
    lost = _gamma_gamma._Lost(*drawn(50, GammaGamma(5.0, 4.0, 20.0)))
    at = np.log([3.0, 2.0, 9.0])
    slope = lost(at)[1]
    for place in range(3):
        step = np.zeros(3)
        step[place] = 1e-6
        sides = lost(at + step)[0] - lost(at - step)[0]
        assert sides / 2e-6 == pytest.approx(slope[place], rel=1e-5)


@pytest.mark.parametrize(
    ("x", "mean"), [([], []), ([0.0], [5.0]), ([1.0, 2.0], [5.0, 0.0])]
)
def test_it_takes_who_came_back_and_what_is_above_nothing_alone(x, mean):
    """Sheet 7.8, edge: x >= 1, positive values."""
    assert fitted_values(np.array(x), np.array(mean)) is None


def test_all_alike_have_no_law():
    assert fitted_values(np.ones(200), np.full(200, 5.0)) is None


def test_the_correlation_is_that_of_often_and_much():
    often, much = np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0])
    assert correlation(often, much) == pytest.approx(1)
    assert correlation(often, -much) == pytest.approx(-1)
    assert correlation(often, np.ones(3)) is None
    assert correlation(often[:1], much[:1]) is None
