"""Are growth and workload told apart as sheet 2.7 says?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from crm_portfolio._methods import _workload as workload


def test_the_elasticities_of_the_sheet():
    """Sheet 2.7 [H]: n 50→100, R 1000→1300, H 2000→3800: .925999, .378512."""
    clients = workload.log_change(50, 100)
    of_hours = workload.elasticity(workload.log_change(2000, 3800), clients)
    of_revenue = workload.elasticity(workload.log_change(1000, 1300), clients)
    assert round(of_hours, 6) == 0.925999
    assert round(of_revenue, 6) == 0.378512
    assert workload.per(1000, 2000) == 0.5
    assert round(workload.per(1300, 3800), 6) == 0.342105


def test_without_more_clients_there_is_no_elasticity():
    """Sheet 2.7: n1 = n0 → None."""
    assert workload.elasticity(0.3, workload.log_change(50, 50)) is None
    assert workload.elasticity(None, 0.1) is None
    assert workload.elasticity(0.1, None) is None


@pytest.mark.parametrize(
    ("before", "now"), [(0, 5), (5, 0), (-1, 5), (None, 5), (5, None)]
)
def test_growth_from_or_to_nothing_is_no_rate(before, now):
    assert workload.log_change(before, now) is None


def test_nothing_is_shared_among_nobody():
    assert workload.per(5, 0) is None
    assert workload.per(None, 5) is None
    assert workload.per(5, None) is None


def test_the_fit_is_that_of_scipy():
    draw = np.random.default_rng(7)
    clients = draw.integers(20, 400, 12)
    hours = clients**0.8 * np.exp(draw.normal(0, 0.2, 12))
    found = workload.fit(clients.tolist(), hours.tolist())
    oracle = stats.linregress(np.log(clients), np.log(hours))
    wide = stats.t.ppf(0.975, 10) * oracle.stderr
    assert found.slope == pytest.approx(oracle.slope, rel=1e-12)
    assert found.low == pytest.approx(oracle.slope - wide, rel=1e-10)
    assert found.high == pytest.approx(oracle.slope + wide, rel=1e-10)
    assert found.n == 12


def test_a_fit_needs_eight_periods_in_which_something_changes():
    eight = [10, 12, 14, 16, 18, 20, 22, 24]
    assert workload.fit(eight, eight).slope == pytest.approx(1)
    assert workload.fit(eight[:7], eight[:7]) is None
    assert workload.fit(eight, [0, *eight[1:]]) is None
    assert workload.fit([10] * 8, eight) is None


@given(st.floats(0.01, 0.999), st.integers(1, 200))
def test_student_s_t_is_that_of_scipy(level, free):
    oracle = stats.t.ppf((1 + level) / 2, free)
    assert workload.student_t(level, free) == pytest.approx(oracle, rel=1e-8)
