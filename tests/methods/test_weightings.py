"""Sheet 8.4: would the same be said if other things mattered more?"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from crm_portfolio._methods import _weightings
from crm_portfolio._methods._value_functions import weighted
from crm_portfolio._methods._weightings import (
    below_shares,
    crossings,
    drawn_weightings,
    stable_between,
)

Floats = npt.NDArray[np.float64]

U = np.array([[0.9, 0.2, 0.5], [0.4, 0.8, 0.9], [0.6, 0.6, 0.6], [0.1, 0.9, 0.2]])
W = np.array([0.5, 0.3, 0.2])
ALL = np.ones(3, dtype=bool)

worths = arrays.arrays(
    np.float64,
    st.tuples(st.integers(1, 5), st.just(4)),
    elements=st.one_of(st.floats(0, 1), st.just(float("nan"))),
)
weights = arrays.arrays(np.float64, 4, elements=st.floats(0.01, 1)).map(
    lambda drawn: drawn / drawn.sum()
)


@pytest.fixture(scope="module")
def many() -> Floats:
    return drawn_weightings(ALL, draws=200_000, seed=2026)


def test_where_two_accounts_meet() -> None:
    """Sheet 8.4 [H]: clients 1 and 2 at w_1 = .509804; 1 and 3 at .482759."""
    pairs = np.stack([U[0] - U[1], U[0] - U[2]])
    meets, _, _ = crossings(pairs, W)
    assert meets[:, 0].tolist() == pytest.approx([0.509804, 0.482759], abs=5e-7)


def test_who_is_first_and_last_under_all_weightings(many: Floats) -> None:
    """Sheet 8.4 [H]: first about .250 .711 .008 .031, last .326 0 0 .674 (± .005)."""
    scores = U @ many.T
    first, last = (
        np.bincount(end, minlength=len(U)) / len(many)
        for end in (scores.argmax(axis=0), scores.argmin(axis=0))
    )
    assert first.tolist() == pytest.approx([0.250, 0.711, 0.008, 0.031], abs=0.005)
    assert last.tolist() == pytest.approx([0.326, 0.0, 0.0, 0.674], abs=0.005)


def test_parallel_lines_meet_nowhere() -> None:
    meets, _, _ = crossings(np.full((1, 3), 0.2), W)
    assert np.isnan(meets).all()


def test_where_one_weight_is_all_the_others_are_taken_evenly() -> None:
    meets, without, alone = crossings(
        np.array([[0.5, -0.1, -0.3]]), np.array([1.0, 0.0, 0.0])
    )
    assert without[0, 0] == pytest.approx(-0.2)
    assert alone[0, 0] == 0.5
    assert meets[0, 0] == pytest.approx(0.2 / 0.7)


def test_half_of_all_weightings_of_two_opposites_are_below_the_middle() -> None:
    drawn = drawn_weightings(np.ones(2, dtype=bool), draws=20_000, seed=1)
    shares = below_shares(np.array([[0.0, 1.0], [0.2, 0.3]]), drawn, 0.5)
    assert shares[0] == pytest.approx(0.5, abs=0.02)
    assert shares[1] == 1.0


def test_a_criterion_that_weighs_nothing_is_never_drawn() -> None:
    drawn = drawn_weightings(np.array([True, False, True]), draws=100, seed=1)
    assert not drawn[:, 1].any()
    assert drawn.sum(axis=1) == pytest.approx(np.ones(100), abs=1e-5)


def test_around_a_weighting_the_others_stay_near_it() -> None:
    drawn = drawn_weightings(ALL, draws=5_000, seed=1, around=W * 1_000)
    assert drawn.mean(axis=0).tolist() == pytest.approx(W.tolist(), abs=0.005)
    assert drawn.std(axis=0).max() < 0.02


def test_where_nothing_is_known_nothing_is_said_of_weightings() -> None:
    drawn = drawn_weightings(ALL, draws=10, seed=1)
    assert np.isnan(below_shares(np.full((1, 3), np.nan), drawn, 0.5))[0]


def test_blocks_of_accounts_and_who_else_is_there_change_no_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chance = np.random.default_rng(5)
    held = chance.random((500, 13))
    held[chance.random(held.shape) < 0.3] = np.nan
    drawn = drawn_weightings(np.ones(13, dtype=bool), draws=700, seed=2)
    whole = below_shares(held, drawn, 0.5)
    monkeypatch.setattr(_weightings, "_CELLS_AT_ONCE", 700 * 7)
    assert np.array_equal(below_shares(held, drawn, 0.5), whole)
    alone: list[Any] = [below_shares(each[None, :], drawn, 0.5)[0] for each in held]
    assert alone == whole.tolist()


@given(worths, weights, st.floats(0.05, 0.95))
def test_within_its_interval_a_weight_changes_no_side(
    held: Floats, by: Floats, level: float
) -> None:
    """The closed form against the score itself, recomputed at both sides of each end."""
    low, high = stable_between(held, by, level)
    below = weighted(held, by) < level
    for at in range(by.size):
        others = by.copy()
        others[at] = 0
        for row in range(held.shape[0]):
            if np.isnan(held[row]).all():
                continue
            inside = (low[row, at] + high[row, at]) / 2
            moved = others * (1 - inside) / others.sum()
            moved[at] = inside
            score = weighted(held[row : row + 1], moved)[0]
            if abs(score - level) > 1e-9 and high[row, at] - low[row, at] > 1e-9:
                assert (score < level) == below[row]


@given(worths, weights, st.floats(0.05, 0.95))
def test_beyond_its_interval_a_weight_changes_the_side(
    held: Floats, by: Floats, level: float
) -> None:
    _, high = stable_between(held, by, level)
    below = weighted(held, by) < level
    for row, at in np.argwhere(~np.isnan(held) & (high < 0.999)):
        beyond = (high[row, at] + 1) / 2
        others = by.copy()
        others[at] = 0
        moved = others * (1 - beyond) / others.sum()
        moved[at] = beyond
        score = weighted(held[row : row + 1], moved)[0]
        if abs(score - level) > 1e-9:
            assert (score < level) != below[row]


@given(worths, st.floats(0.05, 0.95))
def test_a_share_of_weightings_is_a_share(held: Floats, level: float) -> None:
    drawn = drawn_weightings(np.ones(4, dtype=bool), draws=64, seed=3)
    shares = below_shares(held, drawn, level)
    known = ~np.isnan(held).all(axis=1)
    assert ((shares[known] >= 0) & (shares[known] <= 1)).all()
    sure = np.nan_to_num(held, nan=-1).max(axis=1) < level - 1e-5
    assert (shares[known & sure] == 1).all()
