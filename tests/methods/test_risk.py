"""Do the formulas of silence and danger give the sheet's numbers, and scipy's?"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from crm_portfolio._methods._risk import (
    UNKNOWN,
    eroded,
    from_threshold,
    group_medians,
    silence,
    under_threshold,
    worst,
)

GAPS = st.integers(1, 400)
DAYS = st.integers(1, 20_000)


def whole(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def known(count: int = 1) -> np.ndarray:
    return np.ones(count, dtype=bool)


def test_the_silence_of_the_sheet():
    """Sheet 9.1 [H]: k 6, T 180, t 60: gamma .177979."""
    index = silence(whole(6), whole(180), whole(60))
    assert round(float(index[0]), 6) == 0.177979


@pytest.mark.parametrize(("silent", "printed"), [(60, 0.135335), (90, 0.049787)])
def test_a_rhythm_that_is_certain_gives_the_poisson_figures(silent, printed):
    """Sheet 9.1 [H]: rate 1/30 days: 60 days silent .135335, 90 days .049787."""
    index = silence(whole(10**8), whole(30 * 10**8), whole(silent))
    assert round(float(index[0]), 6) == printed


@given(gaps=GAPS, span=DAYS, silent=DAYS)
def test_silence_is_what_a_gamma_of_rates_leaves(gaps, span, silent):
    """A Poisson count under a gamma rate is negative binomial; of none it is the index."""
    index = float(silence(whole(gaps), whole(span), whole(silent))[0])
    none_at_all = stats.nbinom.pmf(0, gaps, span / (span + silent))
    assert index == pytest.approx(none_at_all, rel=1e-8, abs=1e-290)
    lomax = stats.lomax.sf(silent, gaps, scale=span)
    assert index == pytest.approx(lomax, rel=1e-8, abs=1e-290)


def test_silence_is_the_mean_of_poisson_over_the_gamma_of_rates():
    rates = stats.gamma(6, scale=1 / 180)
    mean = rates.expect(lambda rate: stats.poisson.pmf(0, rate * 60))
    assert float(silence(whole(6), whole(180), whole(60))[0]) == pytest.approx(mean)


@given(gaps=GAPS, span=DAYS, silent=DAYS)
def test_an_uncertain_rhythm_alarms_later_and_more_silence_never_less(
    gaps, span, silent
):
    one = float(silence(whole(gaps), whole(span), whole(silent))[0])
    certain = math.exp(-gaps * silent / span)
    longer = float(silence(whole(gaps), whole(span), whole(silent + 1))[0])
    assert 0 <= certain <= one * (1 + 1e-9)
    assert longer <= one <= 1
    assert silence(whole(gaps), whole(span), whole(0))[0] == 1.0


def test_a_value_at_a_threshold_is_under_it_only_where_it_counts():
    values = np.array([5.0, 3.0, 1.0, 5.1, np.nan])
    is_known = ~np.isnan(values)
    reached = under_threshold(values, (5.0, 3.0, 1.0), is_known, reached=True)
    assert reached.tolist() == [1, 2, 3, 0, UNKNOWN]
    below = under_threshold(values, (5.0, 3.0, 1.0), is_known, reached=False)
    assert below.tolist() == [0, 1, 2, 0, UNKNOWN]


@given(
    weight=st.integers(1, 10**14),
    share=st.sampled_from([0.2, 0.4, 0.7, 15, 30.5]),
    off=st.sampled_from([-1, 0, 1]),
)
def test_a_mean_reaches_a_threshold_exactly(weight, share, off):
    exact = Fraction(str(share)) * weight
    total = int(exact) + off
    level = from_threshold(whole(total), whole(weight), (share,), known())
    assert level[0] == (total >= exact)


def test_sums_too_large_for_a_machine_number_are_compared_all_the_same():
    weight = 3 * 10**17
    for off in (-1, 0):
        level = from_threshold(
            whole(weight // 10 * 7 + off), whole(weight), (0.7,), known()
        )
        assert level[0] == (off == 0)


def test_erosion_counts_the_shares_that_are_lost():
    before = whole(1000, 1000, 1000, 1000, 1000, 0, -5, 1000)
    now = whole(801, 800, 600, 300, -50, 10, -9, 900)
    is_known = np.array([*[True] * 7, False])
    level = eroded(now, before, (0.2, 0.4, 0.7), is_known)
    assert level.tolist() == [0, 1, 2, 3, 3, UNKNOWN, UNKNOWN, UNKNOWN]


@given(
    st.lists(
        st.lists(st.integers(UNKNOWN, 3), min_size=3, max_size=3),
        min_size=1,
        max_size=5,
    )
)
def test_the_worst_known_wins_and_one_more_component_never_lowers_it(levels):
    found = [np.array(each, dtype=np.int8) for each in levels]
    gravest = worst(found)
    assert gravest.tolist() == [max(each) for each in zip(*levels, strict=True)]
    assert (worst([*found, found[0]]) == gravest).all()
    assert ((gravest == UNKNOWN) == (np.max(found, axis=0) == UNKNOWN)).all()


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 10)), min_size=1
    )
)
def test_medians_by_group_are_those_of_numpy(rows):
    one, two, value = (np.array(each) for each in zip(*rows, strict=True))
    starts, middle, spread = group_medians((one, two), value.astype(float))
    groups = sorted(set(zip(one.tolist(), two.tolist(), strict=True)))
    assert starts.size == len(groups)
    for at, (first, second) in enumerate(groups):
        own = value[(one == first) & (two == second)]
        assert middle[at] == np.median(own)
        assert spread[at] == own.max() - own.min()
