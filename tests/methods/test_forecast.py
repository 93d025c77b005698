"""Is the model that is kept the one that does better on cases it has not seen?"""

from __future__ import annotations

import sys

import numpy as np
import pytest

from crm_portfolio._methods._calibration import calibration_line
from crm_portfolio._methods._forecast import boosted, forecast, out_of_fold
from crm_portfolio._methods._logistic import log_loss, logistic
from crm_portfolio.errors import MissingExtraError

USUAL = {"boosting_events": 200, "isotonic_cases": 1_000}


def drawn(n, shape, seed=3):
    chance = np.random.default_rng(seed)
    features = chance.normal(size=(n, 3))
    happened = chance.random(n) < 1 / (1 + np.exp(-shape(features)))
    return features, happened, np.arange(n) % 5


def straight(features):
    return 1.5 * features[:, 0] - 1


def crossed(features):
    """What no straight line tells: the one only matters where the other is large."""
    return np.where(features[:, 0] * features[:, 1] > 0, 2.0, -2.0)


def test_where_the_world_is_straight_the_straight_line_is_kept():
    found = forecast(*drawn(2_000, straight), **USUAL)
    assert found.kind == "logistic"
    features, happened, _ = drawn(2_000, straight, seed=8)
    line = calibration_line(found.odds(features), happened)
    assert line.slope == pytest.approx(1.0, abs=0.2)


def test_where_it_is_not_trees_are_kept_if_there_are_events_enough():
    cases = drawn(2_000, crossed)
    assert forecast(*cases, **USUAL).kind == "boosting"
    few = forecast(*cases, boosting_events=5_000, isotonic_cases=1_000)
    assert few.kind == "logistic"


def test_ten_events_carry_one_feature():
    features, happened, fold = drawn(70, straight)
    events = int(min(happened.sum(), (~happened).sum()))
    found = forecast(features, happened, fold, **USUAL)
    assert found.columns == max(1, events // 10) < 3


def test_few_cases_are_mended_by_a_sigmoid_and_many_by_steps():
    few, many = (forecast(*drawn(n, straight), **USUAL) for n in (900, 1_100))
    assert few.correction.line is not None
    assert many.correction.line is None


def test_no_odds_are_of_a_model_that_saw_the_case():
    features, happened, fold = drawn(300, straight)
    odds = out_of_fold("logistic", features, happened, fold)
    for own in range(5):
        held = fold == own
        model = logistic(features[~held], happened[~held], strength=1.0)
        assert odds[held] == pytest.approx(model.odds(features[held]))


def test_trees_on_pure_chance_are_mended_to_its_rate():
    """They learn by heart; on what they have not seen they are no better than the rate."""
    features, happened, fold = drawn(3_000, lambda each: np.full(len(each), -1.0))
    model = boosted(features, happened)
    assert log_loss(model.odds(features), happened) < 0.55
    unseen = out_of_fold("boosting", features, happened, fold)
    rate = np.full(happened.size, happened.mean())
    assert log_loss(unseen, happened) > log_loss(rate, happened)
    assert forecast(features, happened, fold, **USUAL).kind == "logistic"


def test_the_same_cases_give_the_same_odds():
    cases = drawn(1_500, crossed)
    first, again = (forecast(*cases, **USUAL).odds(cases[0]) for _ in range(2))
    assert np.array_equal(first, again)
    assert np.array_equal(first, np.round(first, 6))


def test_nobody_has_no_odds():
    found = forecast(*drawn(300, straight), **USUAL)
    assert found.odds(np.zeros((0, 3))).size == 0


def test_without_scikit_learn_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    features, happened, _ = drawn(50, straight)
    with pytest.raises(MissingExtraError, match=r"crm-portfolio\[ml\]"):
        boosted(features, happened)
