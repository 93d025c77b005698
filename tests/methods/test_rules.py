from __future__ import annotations

import numpy as np
import pytest

from crm_portfolio._methods import _rules
from crm_portfolio._methods._rules import (
    Abc,
    Bands,
    NaturalBreaks,
    Quantiles,
    Slices,
)
from crm_portfolio.errors import SettingsError

BASE = np.array([400, 250, 150, 80, 50, 30, 20, 10, 6, 4])


def cut(method: _rules.Method, amounts=BASE, digits: int = 0) -> _rules.Cut:
    return _rules.cut(method, np.array(amounts, dtype=np.int64), digits)


def test_a_tier_begins_at_its_lowest_revenue():
    found = cut(Slices(4))
    assert found.edge == (400, 250, 150, 4)
    assert found.sums().tolist() == [400, 250, 150, 200]
    assert found.sizes().tolist() == [1, 1, 1, 7]


def test_the_imbalance_is_the_furthest_slice_from_an_equal_part():
    """[H] sheet 2.1: max |S − T/k| / T; BASE 150/1000."""
    assert cut(Slices(4)).imbalance == pytest.approx(0.15)
    assert cut(Slices(4), []).imbalance is None


def test_slices_make_fewer_tiers_where_there_are_too_few_amounts():
    assert cut(Slices(4), [50, 50, 30]).made == 2
    assert cut(Slices(4), []).made == 0


def test_natural_breaks_say_how_well_they_fit():
    """[H] sheet 2.3, BASE on the raw scale, k = 4: edges 400, 250, 80 and 4."""
    found = cut(NaturalBreaks(4, scale="raw"))
    assert found.edge == (400, 250, 80, 4)
    within = 70**2 / 2 + sum((each - 20) ** 2 for each in (50, 30, 20, 10, 6, 4))
    assert found.fit == pytest.approx(1 - within / 155_352)
    assert cut(Slices(4)).fit is None


def test_natural_breaks_go_by_ratios_unless_told_otherwise():
    amounts = [1000, 600, 100, 90, 10, 9]
    assert cut(NaturalBreaks(3), amounts).group.tolist() == [0, 0, 1, 1, 2, 2]
    raw = cut(NaturalBreaks(3, scale="raw"), amounts)
    assert raw.group.tolist() == [0, 1, 2, 2, 2, 2]


def test_natural_breaks_make_fewer_tiers_where_there_are_too_few_amounts():
    assert cut(NaturalBreaks(4), [50, 50, 30]).made == 2
    assert cut(NaturalBreaks(4), [5, 5]).fit is None
    assert cut(NaturalBreaks(4), []).made == 0


def test_a_scale_nobody_knows_is_told_the_known_ones():
    with pytest.raises(SettingsError, match="'log' or 'raw', not 'linear'"):
        NaturalBreaks(scale="linear")  # type: ignore[arg-type]


def test_quantiles_may_leave_a_tier_empty():
    found = cut(Quantiles(4), [9, 5, 5, 5])
    assert found.edge == (9, 5, None, None)
    assert found.sizes().tolist() == [1, 3, 0, 0]


def test_the_next_tier_up_is_one_that_begins_somewhere():
    found = cut(Quantiles(4), [9, 9, 9, 1])
    assert found.edge == (9, None, None, 1)
    assert found.better().tolist() == [-1, 0, 0, 0]
    assert found.edge_above().tolist() == [0, 0, 0, 9]
    assert found.has_worse().tolist() == [True, True, True, False]


def test_bands_begin_at_their_edges_whoever_is_in_them():
    found = cut(Bands((1.5, 0.5)), [150, 149, 50, 49], digits=2)
    assert found.group.tolist() == [0, 1, 1, 2]
    assert found.edge == (150, 50, None)
    assert found.own_edge().tolist() == [150, 50, 50, 0]
    assert found.edge_above().tolist() == [0, 150, 150, 50]


def test_an_edge_finer_than_the_minor_unit_is_met_by_the_next_unit_up():
    assert Bands((1.005,)).minor(2) == [101]
    assert Bands((0.1,)).minor(2) == [10]


def test_what_larger_ones_hold_is_the_same_for_equals():
    assert cut(Abc(), [40, 30, 30, 10]).held_before().tolist() == [0, 40, 40, 100]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Slices(0),
        lambda: Slices(27),
        lambda: Quantiles(0),
        lambda: Bands(()),
        lambda: Bands((50, 100)),
        lambda: Bands((50, 50)),
        lambda: Bands((50, -1)),
        lambda: Abc(0.95, 0.8),
        lambda: Abc(0.8, 1.0),
    ],
)
def test_a_rule_that_cannot_be_is_refused(wrong):
    with pytest.raises(SettingsError):
        wrong()
