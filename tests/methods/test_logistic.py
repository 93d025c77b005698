"""Are the odds those of the likeliest logistic curve?"""

from __future__ import annotations

import sys

import numpy as np
import pytest

from crm_portfolio._methods._logistic import log_loss, logistic, most_coefficients
from crm_portfolio.errors import MissingExtraError

TEMPERATURES = [
    *(66, 70, 69, 68, 67, 72, 73, 70, 57, 63, 70, 78),
    *(67, 53, 67, 75, 70, 81, 76, 79, 75, 76, 58),
]
INCIDENTS = [0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1]


def o_rings():
    return np.array(TEMPERATURES, dtype=float)[:, None], np.array(INCIDENTS) == 1


def test_the_odds_of_an_incident_are_the_published_ones():
    """Sheet 6.5 [P, Dalal et al. 1989]: 15.0429, −.2322; P(31 F) = .9996."""
    model = logistic(*o_rings())
    assert model.intercept == pytest.approx(15.0429, abs=5e-5)
    assert model.slopes == pytest.approx([-0.2322], abs=5e-5)
    assert model.odds(np.array([[31.0]])) == pytest.approx([0.9996], abs=5e-5)


def test_it_agrees_with_another_fit_on_several_features():
    api = pytest.importorskip("statsmodels.api")
    draw = np.random.default_rng(5)
    features = draw.normal(size=(400, 3)) * [1.0, 20.0, 0.01] + [0.0, 5.0, 3.0]
    happened = draw.random(400) < 1 / (1 + np.exp(-(features[:, 0] - 0.4)))
    mine = logistic(features, happened)
    oracle = api.Logit(happened.astype(float), api.add_constant(features)).fit(disp=0)
    found = [mine.intercept, *mine.slopes]
    assert found == pytest.approx(oracle.params.tolist(), rel=1e-4, abs=1e-5)


def test_a_penalty_draws_the_slopes_towards_nothing():
    free, held = logistic(*o_rings()), logistic(*o_rings(), strength=0.1)
    assert abs(held.slopes[0]) < abs(free.slopes[0])


def test_a_feature_that_never_differs_says_nothing():
    temperature, happened = o_rings()
    same = np.hstack([temperature, np.full_like(temperature, 7.0)])
    assert logistic(same, happened).slopes[1] == pytest.approx(0.0, abs=1e-9)


def test_log_loss_is_the_mean_of_the_surprises():
    odds, happened = np.array([0.9, 0.2]), np.array([True, False])
    assert log_loss(odds, happened) == pytest.approx(-(np.log(0.9) + np.log(0.8)) / 2)
    assert np.isfinite(log_loss(np.array([0.0]), np.array([True])))
    assert np.isnan(log_loss(np.array([]), np.array([], dtype=bool)))


def test_ten_events_carry_one_coefficient():
    assert most_coefficients(np.arange(100) < 59) == 4
    assert most_coefficients(np.arange(100) < 9) == 0
    assert most_coefficients(np.arange(60) < 30) == 3


def test_without_scikit_learn_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(MissingExtraError, match=r"crm-portfolio\[ml\]"):
        logistic(*o_rings())
