"""Is the potential a mean of what is known, and unknown where too little is?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods import _potential

NAN = float("nan")
parts = st.lists(
    st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=3, max_size=3),
    min_size=1,
    max_size=5,
)


def test_a_percentile_is_the_part_below_and_half_of_the_equals():
    """By hand: of 10, 20, 20 and 40, a quarter is below 20 and half are equal to it."""
    found = _potential.percentiles(np.array([20, NAN, 10, 40, 20]))
    assert found[[0, 2, 3, 4]].tolist() == [0.5, 0.125, 0.875, 0.5]
    assert np.isnan(found[1])
    assert _potential.percentiles(np.array([7.0])).tolist() == [0.5]
    assert np.isnan(_potential.percentiles(np.array([NAN]))).all()


def test_the_room_left_in_a_wallet_lies_between_nothing_and_all():
    """[H] sheet 2.4: 1 - revenue/wallet, clipped to [0, 1]."""
    revenue = np.array([30.0, 120.0, -5.0, 10.0, NAN])
    wallet = np.array([100.0, 100.0, 100.0, 0.0, 100.0])
    found = _potential.headroom(revenue, wallet)
    assert found[:3].tolist() == [0.7, 0.0, 1.0]
    assert np.isnan(found[3:]).all()


def test_the_weights_of_what_is_known_are_made_whole_again():
    """By hand: .4·.9 + .1·.5 over .5; all known is .36 + .05 + .5·.2."""
    values = [np.array([0.9, 0.9, NAN]), np.array([0.5, 0.5, NAN]), [NAN, 0.2, NAN]]
    score, coverage = _potential.weighted(values, [0.4, 0.1, 0.5])
    assert score[:2].tolist() == [0.82, 0.51]
    assert coverage.tolist() == [0.5, 1.0, 0.0]
    assert np.isnan(score[2])


@pytest.mark.parametrize(
    ("score", "coverage", "name"),
    [
        (0.3333, 1.0, "low"),
        (1 / 3, 1.0, "medium"),
        (0.6666, 1.0, "medium"),
        (2 / 3, 1.0, "high"),
        (1.0, 0.5, "high"),
        (1.0, 0.4999, "unknown"),
        (0.0, 0.4999, "unknown"),
        (NAN, 0.0, "unknown"),
    ],
)
def test_below_half_of_the_weight_it_is_unknown_and_not_low(score, coverage, name):
    """Sheet 2.4: coverage < 0.5 is "unknown"; exactly at a threshold is above it."""
    place, is_known = _potential.classes(
        np.array([score]),
        np.array([coverage]),
        least_coverage=0.5,
        edges=(1 / 3, 2 / 3),
    )
    assert _potential.CLASSES[int(place[0])] == name
    assert bool(is_known[0]) == (name != "unknown")


def test_weights_that_add_up_to_a_half_in_tenths_are_a_half():
    """.1 + .7 of .1 + .7 + .8 is a half; as floats it is a little less."""
    assert 0.1 + 0.7 < 0.8
    values = [np.array([1.0])] * 2 + [np.array([NAN])]
    _, coverage = _potential.weighted(values, [0.1, 0.7, 0.8])
    assert coverage[0] == 0.5


@given(parts)
def test_a_score_lies_between_its_parts_and_what_is_unknown_pulls_nowhere(values):
    arrays = [np.array([NAN if v is None else v for v in part]) for part in values]
    score, coverage = _potential.weighted(arrays, [1.0] * len(arrays))
    for at in range(3):
        known = [float(part[at]) for part in arrays if not np.isnan(part[at])]
        assert coverage[at] == pytest.approx(len(known) / len(arrays))
        if known:
            assert min(known) - 1e-9 <= score[at] <= max(known) + 1e-9
        else:
            assert np.isnan(score[at])
