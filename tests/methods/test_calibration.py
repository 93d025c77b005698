"""Are odds held against what came as the sheet and two other libraries do it?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._calibration import (
    auc,
    brier,
    calibration_line,
    in_the_large,
    is_as_many,
    is_beyond_chance,
    isotonic,
    lift_at_top,
    mean_and_error,
    murphy,
    platt,
    reliability,
)
from crm_portfolio._methods._logistic import log_loss
from crm_portfolio._methods._rates import wilson

ODDS = np.array([0.1, 0.4, 0.35, 0.8])
CAME = np.array([False, False, True, True])

many = st.lists(
    st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=60
).map(
    lambda rows: (np.array([r[0] / 20 for r in rows]), np.array([r[1] for r in rows]))
)


def drawn(n: int = 4_000, seed: int = 9, *, boldness: float = 1.0):
    """Odds and what came of them, the odds said more or less boldly than they are."""
    chance = np.random.default_rng(seed)
    logits = chance.normal(-1.5, 1.2, n)
    happened = chance.random(n) < 1 / (1 + np.exp(-logits))
    return 1 / (1 + np.exp(-boldness * logits)), happened


def test_four_odds_have_the_brier_score_log_loss_and_auc_of_the_sheet():
    """Sheet 9.3 [H]: p .1 .4 .35 .8, y 0 0 1 1: .158125, .472288, .75."""
    assert brier(ODDS, CAME) == pytest.approx(0.158125, abs=5e-13)
    assert round(log_loss(ODDS, CAME), 6) == 0.472288
    assert auc(ODDS, CAME) == 0.75


def test_the_parts_of_brier_are_those_of_the_sheet():
    """Sheet 9.3 [H]: p .2 x5 (one event), .8 x5 (four events): .16 = 0 - .09 + .25."""
    odds = np.repeat([0.2, 0.8], 5)
    came = np.array([1, 0, 0, 0, 0, 1, 1, 1, 1, 0]) == 1
    parts = murphy(odds, came)
    found = (parts.reliability, parts.resolution, parts.uncertainty)
    assert found == pytest.approx((0.0, 0.09, 0.25), abs=1e-15)
    assert brier(odds, came) == pytest.approx(0.16)


@given(many)
def test_the_parts_add_up_whatever_the_odds(case):
    odds, came = case
    assert murphy(odds, came).brier == pytest.approx(brier(odds, came), abs=1e-12)


def test_scores_agree_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    odds, came = drawn(boldness=1.7)
    odds = np.round(odds, 2)
    assert brier(odds, came) == pytest.approx(metrics.brier_score_loss(came, odds))
    assert auc(odds, came) == pytest.approx(metrics.roc_auc_score(came, odds))
    sure = np.clip(odds, 1e-6, 1 - 1e-6)
    assert log_loss(odds, came) == pytest.approx(metrics.log_loss(came, sure))


def test_where_all_did_the_same_there_is_no_auc_and_no_line():
    nobody = np.zeros(4, dtype=bool)
    assert auc(ODDS, nobody) is None
    assert calibration_line(ODDS, nobody) is None
    assert calibration_line(np.full(4, 0.3), CAME) is None
    assert brier(ODDS, nobody) == pytest.approx(0.23312500000000003)
    assert np.isnan(brier(np.zeros(0), np.zeros(0, dtype=bool)))


def test_odds_that_part_all_that_left_from_the_rest_have_no_line():
    assert calibration_line(np.array([0.1, 0.2, 0.7, 0.8]), CAME) is None


def test_the_line_agrees_with_statsmodels():
    api = pytest.importorskip("statsmodels.api")
    odds, came = drawn(boldness=2.0)
    logits = np.log(odds / (1 - odds))
    oracle = api.Logit(came.astype(float), api.add_constant(logits)).fit(disp=0)
    line = calibration_line(odds, came)
    assert [line.intercept, line.slope] == pytest.approx(oracle.params.tolist(), 1e-6)
    # Said twice as boldly as they are: every second step back.
    assert line.slope == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("said", "left", "is_so"),
    [
        (0.2, 160, True),  # at the bounds
        (0.2, 250, True),
        (0.2, 159, False),
        (0.2, 251, False),
    ],
)
def test_as_many_left_as_were_said_to_within_bounds(
    said: float, left: int, is_so: bool
) -> None:
    odds, came = np.full(1_000, said), np.arange(1_000) < left
    assert is_as_many(odds, came, (0.8, 1.25), 0.05) is is_so


def test_few_may_be_more_than_were_said_to_by_chance() -> None:
    # 5 are said to, give or take 1.96 times 2.12.
    odds = np.full(50, 0.1)
    assert is_as_many(odds, np.arange(50) < 9, (0.8, 1.25), 0.05)
    assert not is_as_many(odds, np.arange(50) < 10, (0.8, 1.25), 0.05)
    assert not is_as_many(odds, np.arange(50) < 9, (0.8, 1.25), 0.1)


def test_in_the_large_too_many_are_said_to_leave_where_it_is_above_nothing():
    assert in_the_large(ODDS, CAME) == pytest.approx(-0.0875)
    assert in_the_large(np.array([0.9, 0.9]), np.array([True, False])) > 0


def test_bins_agree_with_scikit_learn_where_no_odds_are_equal():
    calibration = pytest.importorskip("sklearn.calibration")
    odds, came = drawn(1_000)
    bins = reliability(odds, came, bins=10)
    assert bins.counts.tolist() == [100] * 10
    share, mean = calibration.calibration_curve(
        came, odds, n_bins=10, strategy="quantile"
    )
    assert bins.came == pytest.approx(share)
    assert bins.said == pytest.approx(mean)


def test_each_bin_has_twenty_its_equals_together_and_wilsons_interval():
    odds, came = drawn(97)
    odds = np.round(odds, 1)
    bins = reliability(odds, came)
    assert bins.counts.sum() == 97
    assert bins.counts.min() >= 20
    low, high = wilson(int(bins.events[0]), int(bins.counts[0]))
    assert (bins.low[0], bins.high[0]) == pytest.approx((low, high))
    ends = np.cumsum(bins.counts)[:-1]
    ordered = np.sort(odds)
    assert (ordered[ends - 1] < ordered[ends]).all()


@given(many)
def test_bins_hold_all_and_never_too_few_but_where_there_are_no_more(case):
    odds, came = case
    bins = reliability(odds, came, bins=4, least=7)
    assert bins.counts.sum() == odds.size
    assert bins.events.sum() == came.sum()
    assert bins.counts.min() >= min(7, odds.size)
    assert (np.diff(bins.said) > 0).all()


def test_of_the_top_tenth_the_lift_and_what_it_takes_with_it():
    odds = np.linspace(0.95, 0.05, 20)
    came = np.arange(20) < 4
    worth = np.array([50.0, 10.0, 30.0, 10.0, *[999.0] * 16])
    # Two of twenty: both left, against one in five; 60 of the 100 that left.
    assert lift_at_top(odds, came, worth) == (pytest.approx(5.0), pytest.approx(0.6))


def test_where_all_odds_are_equal_the_top_is_like_all():
    same, came = np.full(20, 0.3), np.arange(20) < 4
    assert lift_at_top(same, came, np.ones(20)) == (
        pytest.approx(1.0),
        pytest.approx(0.1),
    )
    assert lift_at_top(same, np.zeros(20, dtype=bool), np.ones(20)) == (None, None)


def test_platts_sigmoid_agrees_with_scikit_learn():
    inner = pytest.importorskip("sklearn.calibration")
    odds, came = drawn(600, boldness=2.5)
    logits = np.log(odds / (1 - odds))
    a, b = inner._sigmoid_calibration(logits, came.astype(float))
    mine = platt(odds, came).of(odds)
    assert mine == pytest.approx(1 / (1 + np.exp(a * logits + b)), abs=1e-4)


def test_platts_sigmoid_is_found_where_left_and_stayed_are_wholly_apart():
    found = platt(np.array([0.1, 0.2, 0.7, 0.8]), CAME).of(ODDS)
    assert ((found > 0) & (found < 1)).all()


def test_a_sigmoid_that_would_turn_the_order_round_is_none():
    odds, came = drawn(600)
    assert platt(odds, ~came) is None


def test_isotonic_odds_agree_with_scikit_learn_but_are_never_sure():
    isotonics = pytest.importorskip("sklearn.isotonic")
    odds, came = drawn(3_000, boldness=2.0)
    oracle = isotonics.IsotonicRegression(out_of_bounds="clip").fit(odds, came)
    asked = np.sort(odds)
    low, high = 1 / ((~came).sum() + 2), (came.sum() + 1) / (came.sum() + 2)
    wanted = np.clip(oracle.predict(asked), low, high)
    found = isotonic(odds, came).of(asked)
    assert found == pytest.approx(wanted, abs=1e-9)
    assert (np.diff(found) >= 0).all()
    assert found.min() > 0
    assert found.max() < 1


def test_calibration_mends_odds_that_are_too_bold():
    odds, came = drawn(5_000, boldness=3.0)
    later, then = drawn(5_000, seed=10, boldness=3.0)
    for mend in (platt, isotonic):
        mended = mend(odds, came).of(later)
        assert log_loss(mended, then) < log_loss(later, then)
        assert calibration_line(mended, then).slope == pytest.approx(1.0, abs=0.15)


def test_a_gain_counts_where_chance_alone_is_less_likely():
    chance = np.random.default_rng(1)

    def is_sure(gains):
        return is_beyond_chance(*mean_and_error(gains), 0.05)

    assert is_sure(chance.normal(0.1, 1.0, 2_000))
    assert not is_sure(chance.normal(0.0, 1.0, 2_000))
    assert not is_sure(np.zeros(5))
    assert not is_sure(np.full(5, -1.0))
    assert mean_and_error(np.array([1.0, 3.0])) == (2.0, pytest.approx(1.0))
    assert mean_and_error(np.array([1.0])) == (1.0, 0.0)
