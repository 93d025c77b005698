from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._stability import Close, Replay, Rule
from crm_portfolio.errors import SettingsError

WAVERING = [95, 101, 99, 102, 98, 111, 95, 92, 89, 95]


def replayed(paths, edges, rule, *, every: int = 1):
    """The tiers of these accounts close by close, 0 for the best."""
    amounts = np.array(paths, dtype=np.int64)
    replay, tiers = Replay.of(rule, len(amounts)), []
    for month in range(amounts.shape[1]):
        now = amounts[:, month]
        group = sum((now < edge).astype(np.int64) for edge in edges)
        known = np.ones(len(amounts), dtype=bool)
        replay.at(Close(every * month, now, group, known, (*edges, None)))
        tiers.append(replay.tier.copy())
    return np.array(tiers).T, replay


def test_the_printed_path_crosses_twice_instead_of_six_times():
    """[H] sheet 2.5, for h = 10 %, d = 1, m = 0."""
    tiers, replay = replayed([WAVERING], [100], Rule(0.10, 1, 0))
    assert [1 - tier for tier in tiers[0]] == [0, 0, 0, 0, 0, 1, 1, 1, 0, 0]
    assert (replay.moves, replay.raw_moves) == (2, 6)


def test_without_band_and_waiting_the_tiers_are_those_of_the_cut():
    tiers, replay = replayed([WAVERING], [100], Rule(0.0, 1, 0))
    assert [1 - tier for tier in tiers[0]] == [0, 1, 0, 1, 0, 1, 0, 0, 0, 0]
    assert replay.moves == replay.raw_moves == 6


def test_a_move_takes_as_many_closes_in_a_row_as_asked():
    path = [50, 120, 50, 120, 120, 120]
    tiers, _ = replayed([path], [100], Rule(0.10, 3, 0))
    assert [*tiers[0]] == [1, 1, 1, 1, 1, 0]


def test_a_second_move_waits_for_the_months_to_pass():
    path = [50, 120, 50, 50, 50, 50]
    tiers, _ = replayed([path], [100], Rule(0.10, 1, 3))
    assert [*tiers[0]] == [1, 0, 0, 0, 1, 1]


def test_the_months_count_not_the_closes():
    path = [50, 120, 50]
    tiers, _ = replayed([path], [100], Rule(0.10, 1, 3), every=3)
    assert [*tiers[0]] == [1, 0, 1]


@pytest.mark.parametrize(
    ("start", "amount", "tier"),
    [(99, 109, 1), (99, 110, 0), (100, 90, 0), (100, 89, 1)],
)
def test_the_band_belongs_to_the_tier_one_is_in(start, amount, tier):
    """At edge · 1.1 one moves up; below edge · 0.9, not at it, one moves down."""
    tiers, _ = replayed([[start, amount]], [100], Rule(0.10, 1, 0))
    assert tiers[0][1] == tier


def test_the_way_goes_only_as_far_as_all_closes_agree():
    """Two closes above: one as far as the top, one only as far as the second tier."""
    path = [10, 500, 120]
    tiers, _ = replayed([path], [400, 100], Rule(0.10, 2, 0))
    assert [*tiers[0]] == [2, 2, 1]


def test_a_change_of_direction_starts_the_count_anew():
    path = [100, 300, 10, 300, 300]
    tiers, _ = replayed([path], [200, 50], Rule(0.10, 2, 0))
    assert [*tiers[0]] == [1, 1, 1, 1, 0]


def test_who_leaves_the_rule_comes_back_by_the_cut():
    replay, known = Replay.of(Rule(), 1), np.array([True])
    for month, (amount, group) in enumerate([(50, 1), (0, -1), (101, 0)]):
        amounts = np.array([amount])
        replay.at(Close(month, amounts, np.array([group]), known, (100, None)))
    assert (replay.tier[0], replay.since[0], replay.moves) == (0, 2, 0)


def test_unknown_revenue_neither_moves_nor_forgets():
    replay = Replay.of(Rule(0.10, 1, 0), 1)
    steps = [(150, 0, True), (0, -1, False), (95, 1, True)]
    for month, (amount, group, known) in enumerate(steps):
        replay.at(
            Close(
                month,
                np.array([amount]),
                np.array([group]),
                np.array([known]),
                (100, None),
            )
        )
    assert (replay.tier[0], replay.since[0]) == (0, 0)


def test_an_empty_tier_has_the_edge_of_the_better_one():
    replay, known = Replay.of(Rule(0.0, 1, 0), 2), np.array([True, True])
    replay.at(Close(0, np.array([100, 10]), np.array([0, 2]), known, (100, None, 10)))
    replay.at(Close(1, np.array([100, 99]), np.array([0, 2]), known, (100, None, 99)))
    assert [*replay.tier] == [0, 2]
    replay.at(
        Close(2, np.array([100, 100]), np.array([0, 0]), known, (100, None, None))
    )
    assert [*replay.tier] == [0, 0]


@given(
    st.lists(
        st.lists(st.integers(0, 200), min_size=12, max_size=12), min_size=1, max_size=8
    ),
    st.sampled_from([0.0, 0.05, 0.1, 0.3]),
    st.integers(1, 3),
    st.integers(0, 4),
)
def test_stability_never_adds_moves_across_one_edge(paths, band, closes, dwell):
    _, replay = replayed(paths, [100], Rule(band, closes, dwell))
    assert replay.moves <= replay.raw_moves


@pytest.mark.parametrize(
    "wrong",
    [{"band_share": 1.0}, {"band_share": -0.1}, {"closes": 0}, {"dwell_months": -1}],
)
def test_a_rule_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        Rule(**wrong)
