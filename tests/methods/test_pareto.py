from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import interpolate, optimize, stats

from crm_portfolio._methods._pareto import (
    gini_of_pareto,
    implied_alpha,
    in_words,
    joint_share,
)

BASE = np.array([400, 250, 150, 80, 50, 30, 20, 10, 6, 4])

positive = st.lists(st.integers(1, 10**9), min_size=1, max_size=40).map(
    lambda each: np.array(sorted(each, reverse=True))
)


def test_the_base_vector_is_74_to_26():
    """[H] sheet 1.5: x = .26."""
    joint = joint_share(BASE)
    assert joint == pytest.approx(0.26, abs=1e-12)
    assert in_words(joint) == "74/26"


@pytest.mark.parametrize(
    ("top", "held", "alpha"),
    [
        (0.3, 0.7, 1.420956),
        (0.25, 0.75, 1.261860),
        (0.1, 0.9, 1.047952),
        (0.2, 0.65, 1.365487),
    ],
)
def test_one_point_of_the_curve_implies_the_printed_alpha(top, held, alpha):
    """[H] sheet 1.5 (c)."""
    assert round(implied_alpha(top, held), 6) == alpha


def test_exactly_80_to_20_is_the_published_exponent():
    """[P] sheet 1.5: ln 5/ln 4 = 1.160964."""
    assert implied_alpha(0.2, 0.8) == pytest.approx(log(5) / log(4), abs=1e-12)
    assert round(implied_alpha(0.2, 0.8), 6) == 1.160964


def test_the_gini_of_a_pareto_law_is_the_printed_one():
    """[H] sheet 1.5: alpha 1.160964 gives .756471; oracle: the quantiles of scipy."""
    assert round(gini_of_pareto(1.160964), 6) == 0.756471
    quantiles = stats.pareto(3).ppf((np.arange(200_000) + 0.5) / 200_000)
    ranks = np.arange(1, quantiles.size + 1)
    n, total = quantiles.size, quantiles.sum()
    measured = 2 * (ranks @ quantiles) / (n * total) - (n + 1) / n
    assert gini_of_pareto(3) == pytest.approx(measured, abs=1e-4)


@pytest.mark.parametrize("amounts", [[7], [5, 5], [5, 5, 5]])
def test_equals_are_50_to_50(amounts):
    assert in_words(joint_share(np.array(amounts))) == "50/50"


def test_what_no_law_does_has_no_alpha():
    """All alike, all accounts, or nothing: no exponent."""
    for top, held in ((0.2, 0.2), (0.2, 0.1), (1.0, 1.0), (0.0, 0.0)):
        assert implied_alpha(top, held) is None
    assert implied_alpha(0.2, 1.0) == 1  # the limit, with an infinite mean
    assert gini_of_pareto(1.0) is gini_of_pareto(None) is None
    assert joint_share(np.zeros(0, dtype=np.int64)) is None


@given(positive)
def test_the_joint_share_lies_on_the_curve(amounts):
    """Oracle: scipy's root of c(x) + x = 1 on the interpolated curve."""
    joint = joint_share(amounts)
    assert joint is not None
    assert 0 < joint <= 0.5 + 1e-12
    places = np.linspace(0, 1, amounts.size + 1)
    held = np.concatenate([[0], np.cumsum(amounts)]) / amounts.sum()
    curve = interpolate.interp1d(places, held)
    root = optimize.brentq(lambda x: float(curve(x)) + x - 1, 0, 1)
    assert joint == pytest.approx(root, abs=1e-9)
    assert in_words(joint).split("/") == [
        str(100 - round(100 * joint)),
        str(round(100 * joint)),
    ]
