"""Sheet 7.1 and 7.2: rates, unit times, unused capacity and what is left after costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._costing import (
    Capacity,
    assigned,
    rate,
    shared_out,
    step,
    unit_seconds,
)


def test_kaplan_and_anderson_2004() -> None:
    """Kaplan & Anderson (2004), HBR 82(11) [P]: .80 a minute; 97,120 unused."""
    per_minute = rate(560_000, 700_000)
    assert per_minute == pytest.approx(0.80)
    minutes = np.array([8, 44, 50])
    assert (minutes * per_minute).tolist() == pytest.approx([6.40, 35.20, 40.00])
    counts = np.array([49_000, 1400, 2500])
    seconds = np.array(
        [int(unit_seconds(counts[[at]], float(minutes[at]))[0]) for at in range(3)]
    )
    assert seconds.sum() / 60 == 578_600
    cost, is_priced = assigned(seconds[None, :], np.full(3, 100 * 60 * per_minute))
    assert cost.tolist() == [46_288_000]
    assert is_priced.all()
    team = Capacity(700_000 / 60, 578_600 / 60, 60 * per_minute)
    assert team.unused == pytest.approx(121_400 / 60)
    assert team.unused_cost == pytest.approx(97_120)
    assert team.used_share == pytest.approx(0.827, abs=5e-4)
    assert not team.is_overloaded


def test_the_same_case_by_percentages_of_time() -> None:
    """Kaplan & Anderson (2004) [P]: all of the cost on the orders: 8.00, 40.00, 44.80."""
    spent = [0.7 * 560_000, 0.1 * 560_000, 0.2 * 560_000]
    found = [rate(cost, n) for cost, n in zip(spent, (49_000, 1400, 2500), strict=True)]
    assert found == pytest.approx([8.00, 40.00, 44.80])


def test_the_textbook_variant() -> None:
    """Sheet 7.1 [Pd]: 60 an hour; 360,000 + 84,000 + 81,000; 1,250 hours unused."""
    an_hour = rate(600_000, 10_000)
    assert an_hour == 60
    hours, counts = np.array([0.75, 3.5, 3]), np.array([8000, 400, 450])
    assert (hours * an_hour).tolist() == [45, 210, 180]
    seconds = np.array(
        [unit_seconds(counts[[at]], 60 * hours[at])[0] for at in range(3)]
    )
    costs = [int(assigned(s.reshape(1, 1), np.array([6000.0]))[0][0]) for s in seconds]
    assert [each / 100 for each in costs] == [360_000, 84_000, 81_000]
    team = Capacity(10_000, seconds.sum() / 3600, an_hour)
    assert (team.used, team.unused, team.unused_cost) == (8750, 1250, 75_000)


def test_more_than_there_is_is_an_overload_and_is_not_scaled_down() -> None:
    team = Capacity(100.0, 120.0, 50.0)
    assert team.is_overloaded
    assert (team.unused, team.unused_cost, team.used_share) == (0.0, 0.0, 1.2)


def test_a_role_nobody_measured_has_nothing_unused_to_tell() -> None:
    team = Capacity(None, 12.0, None)
    assert (team.unused, team.unused_cost, team.used_share) == (None, None, None)
    assert not team.is_overloaded
    assert rate(100, 0) is None


def test_an_equation_adds_minutes_where_they_apply() -> None:
    is_new = np.array([True, False])
    assert unit_seconds(np.array([2, 2]), 8, 15, is_new).tolist() == [2760, 960]


def test_a_role_without_a_rate_leaves_the_cost_unknown() -> None:
    seconds = np.array([[3600, 0], [3600, 60], [0, 0]])
    cost, is_priced = assigned(seconds, np.array([1000.0, np.nan]))
    assert is_priced.tolist() == [True, False, True]
    assert cost.tolist() == [1000, 1000, 0]


def test_the_death_spiral() -> None:
    """Sheet 7.2 [H]: full cost −10, but leaving loses 30."""
    every = np.array([True])
    revenue = np.array([100]), every
    avoidable = step(revenue, (np.array([70]), every))
    full = step(avoidable, (np.array([40]), every))
    assert (avoidable[0][0], full[0][0]) == (30, -10)


def test_what_is_left_is_known_where_all_is() -> None:
    left, is_known = step(
        (np.array([10, 10, 10]), np.array([True, True, False])),
        (np.array([3, 0, 1]), np.array([True, False, True])),
    )
    assert (left.tolist(), is_known.tolist()) == ([7, 0, 0], [True, False, False])


@given(
    st.integers(-(10**9), 10**9),
    st.lists(st.integers(-(10**6), 10**9), min_size=1, max_size=30),
)
def test_a_shared_cost_is_all_shared_out(total: int, weights: list[int]) -> None:
    found = shared_out(total, weights)
    if found is None:
        assert max(weights) <= 0
        return
    assert int(found.sum()) == total
    assert all(part == 0 for part, w in zip(found, weights, strict=True) if w <= 0)


@given(
    st.lists(st.integers(0, 10**6), min_size=1, max_size=20), st.floats(0.01, 1000.0)
)
def test_unused_and_assigned_are_the_total_cost(
    seconds: list[int], an_hour: float
) -> None:
    """Sheet 11.8: whatever was used, up to what there is."""
    practical = sum(seconds) / 3600 + 5
    team = Capacity(practical, sum(seconds) / 3600, an_hour)
    spent, _ = assigned(np.array(seconds)[:, None], np.array([100 * an_hour]))
    assert team.unused_cost is not None
    total = spent.sum() / 100 + team.unused_cost
    assert total == pytest.approx(practical * an_hour, abs=0.005 * len(seconds) + 1e-6)
