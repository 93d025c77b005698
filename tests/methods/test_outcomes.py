"""Do drawn values have the law they are drawn from?"""

from __future__ import annotations

import numpy as np
import pytest

from crm_portfolio._methods import _outcomes
from crm_portfolio._methods._outcomes import outcomes

SURE = np.nan


def drawn(full, odds, minutes=None, *, spread=0.3, seed=1, draws=10_000):
    return outcomes(
        np.array(full, dtype=np.int64),
        np.array(odds, dtype=np.float64),
        np.array(minutes or [60] * len(full), dtype=np.int64),
        spread=spread,
        seed=seed,
        draws=draws,
    )


def test_a_sure_value_is_spread_evenly_around_itself():
    """Uniform from 700 to 1300: P10 760, P50 1000, P90 1240."""
    found = drawn([1000], [SURE])
    assert found.values.min() >= 700
    assert found.values.max() <= 1300
    assert [float(found.of_each(x)[0]) for x in (0.1, 0.5, 0.9)] == pytest.approx(
        [760, 1000, 1240], rel=0.01
    )


def test_what_may_not_come_off_is_all_or_nothing():
    found = drawn([1000], [0.3], spread=0.0)
    assert set(found.values[:, 0].tolist()) == {0, 1000}
    assert found.values.mean() == pytest.approx(300, rel=0.05)


def test_candidates_come_off_independently_of_each_other():
    found = drawn([100, 100], [0.5, 0.5], spread=0.0)
    both = (found.values.sum(axis=1) == 200).mean()
    assert both == pytest.approx(0.25, abs=0.02)
    assert found.together(np.array([True, False]), 0.9) == 100
    assert found.together(np.array([False, False]), 0.9) == 0


def test_places_go_by_expected_value_for_time_whatever_comes_off():
    found = drawn([100, 300, 100], [SURE, 0.5, SURE], [10, 10, 0], spread=0.0)
    assert found.rank_low.tolist() == found.rank_high.tolist() == [3, 2, 1]


def test_places_waver_as_far_as_the_estimates():
    """100 and 110 an hour change places where they are 30 % off; 100 and 300 do not."""
    near, far = drawn([100, 110], [SURE] * 2), drawn([100, 300], [SURE] * 2)
    assert (near.rank_low.tolist(), near.rank_high.tolist()) == ([1, 1], [2, 2])
    assert (far.rank_low.tolist(), far.rank_high.tolist()) == ([2, 1], [2, 1])


def test_a_seed_draws_the_same_again():
    assert (drawn([9], [0.5]).values == drawn([9], [0.5]).values).all()
    assert (drawn([9], [0.5]).values != drawn([9], [0.5], seed=2).values).any()


def test_long_lists_take_fewer_draws_and_the_longest_have_no_places(monkeypatch):
    monkeypatch.setattr(_outcomes, "_FULL", 3_000)
    assert len(drawn([1] * 10, [SURE] * 10).values) == 300
    assert len(drawn([1] * 100, [SURE] * 100).values) == 200
    assert len(drawn([1] * 100, [SURE] * 100, draws=50).values) == 50
    monkeypatch.setattr(_outcomes, "_RANKED", 9)
    assert drawn([1] * 10, [SURE] * 10).rank_low is None


def test_the_longest_lists_are_told_by_the_law_that_others_are_drawn_from(monkeypatch):
    """Within what 20,000 draws differ from it by chance."""
    full, odds = [1000, 1000, -1000, 700, 0], [SURE, 0.3, 0.6, 0.85, 0.5]
    usual = drawn(full, odds, draws=20_000)
    monkeypatch.setattr(_outcomes, "_DRAWN", 4)
    told = drawn(full, odds, draws=20_000)
    assert isinstance(told, _outcomes.Laws)
    assert told.draws == usual.draws == 20_000
    for level in (0.05, 0.1, 0.5, 0.75, 0.9):
        assert told.of_each(level) == pytest.approx(usual.of_each(level), abs=25)
    chosen = np.array([True, True, False, True, True])
    for level in (0.1, 0.5, 0.9):
        known = usual.together(chosen, level)
        assert told.together(chosen, level) == pytest.approx(known, abs=30)
    assert told.together(np.zeros(5, dtype=bool), 0.5) == 0
    assert told.rank_low is None


def test_without_candidates_there_is_nothing_to_draw():
    found = drawn([], [])
    assert found.of_each(0.5).tolist() == []
    assert found.together(np.zeros(0, dtype=bool), 0.9) == 0
