from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods import _indices as indices
from crm_portfolio._methods._indices import Amounts

BASE = np.array([400, 250, 150, 80, 50, 30, 20, 10, 6, 4])
NEGATIVE = np.array([100, 50, 30, 10, -20])
INEQ = np.array([541, 1463, 2445, 3438, 4437, 5401, 6392, 8304, 11904, 22261])
GINI_WEG_NEG = np.array([-7, -15, 11, -10, 2, 4, 40])

amounts = st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=40).map(np.array)
positive = st.lists(st.integers(1, 10**9), min_size=1, max_size=40).map(np.array)


def six(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def test_the_base_vector_has_the_printed_lorenz_curve_and_gini():
    """[H] sheet 1.2, BASE."""
    curve = indices.lorenz(BASE)
    assert curve is not None
    printed = [0, 0.004, 0.010, 0.020, 0.040, 0.070, 0.120, 0.200, 0.350, 0.600, 1]
    assert curve[1].tolist() == pytest.approx(printed, abs=1e-12)
    assert curve[0].tolist() == pytest.approx([k / 10 for k in range(11)])
    assert six(indices.gini(BASE)) == 0.6172
    assert six(indices.gini_normalised(BASE)) == 0.685778


@pytest.mark.parametrize(
    ("vector", "plain", "normalised"),
    [([1, 2, 3, 4], 0.25, 1 / 3), ([0, 0, 0, 1], 0.75, 1.0)],
)
def test_small_vectors_have_the_printed_gini(vector, plain, normalised):
    """[H] sheet 1.2."""
    assert indices.gini(np.array(vector)) == pytest.approx(plain, abs=1e-12)
    assert indices.gini_normalised(np.array(vector)) == pytest.approx(
        normalised, abs=1e-12
    )


def test_the_ten_values_of_the_package_ineq_have_their_published_gini():
    """[P] documentation example of the R package ineq, sheet 1.2."""
    gini, normalised = indices.gini(INEQ), indices.gini_normalised(INEQ)
    assert gini is not None
    assert normalised is not None
    assert round(gini, 7) == 0.4620911
    assert round(normalised, 7) == 0.5134346


def test_negative_amounts_have_the_printed_gini_in_three_forms():
    """[H] sheet 1.2, NEG; the area below the axis is .031373."""
    assert six(indices.gini(NEGATIVE)) == 0.658824
    assert six(indices.gini_rsv(NEGATIVE)) == 0.666667
    assert six(indices.gini_ctr(NEGATIVE)) == 0.619926
    curve = indices.lorenz(NEGATIVE)
    assert curve is not None
    assert six(indices.area_below(curve[1])) == 0.031373


def test_the_example_of_gini_weg_neg_shows_why_a_correction_is_needed():
    """[Pd] example vector of the R package GiniWegNeg, unit weights, sheet 1.2."""
    assert six(indices.gini(GINI_WEG_NEG)) == 2.491429
    assert six(indices.gini_rsv(GINI_WEG_NEG)) == 0.816479
    assert six(indices.gini_ctr(GINI_WEG_NEG)) == 0.965403


def test_the_base_vector_has_the_printed_indices():
    """[H] sheet 1.3, BASE."""
    printed = {
        "hhi": 0.255352,
        "effective_number": 3.916163,
        "hhi_normalised": 0.172613,
        "entropy": 1.631774,
        "effective_number_entropy": 5.112934,
        "evenness": 0.708670,
        "theil": 0.670812,
        "cr1": 0.40,
        "cr3": 0.80,
        "cr5": 0.93,
        "cr10": 1.0,
        "negative_mass": 0.0,
    }
    found = indices.all_indices(BASE)
    assert {key: six(found[key]) for key in printed} == printed


def test_the_merger_guidelines_example_has_an_hhi_of_2600():
    """[P] US merger guidelines: shares of 30, 30, 20 and 20 per cent, sheet 1.3."""
    assert indices.hhi(np.array([30, 30, 20, 20])) == pytest.approx(0.26, abs=1e-15)


def test_indices_of_negative_amounts_are_those_of_the_positive_part():
    """[H] sheet 1.3, NEG: signed shares would give .480969."""
    assert six(indices.hhi(NEGATIVE)) == 0.373961
    signed = NEGATIVE / NEGATIVE.sum()
    assert six(float((signed**2).sum())) == 0.480969
    assert six(indices.negative_mass(NEGATIVE)) == 0.105263
    positive_part = NEGATIVE[NEGATIVE > 0]
    for index in (indices.hhi_normalised, indices.evenness, indices.theil):
        assert index(NEGATIVE) == index(positive_part)


def test_hhi_gives_the_spread_of_what_is_lost_when_each_may_leave():
    """[H] sheet 1.3, risk identity: shares .30 .25 .20 .15 .10 and p = .1."""
    hhi = indices.hhi(np.array([30, 25, 20, 15, 10]))
    assert hhi is not None
    assert six((0.1 * 0.9 * hhi) ** 0.5) == 0.142302


def test_customer_concentration_squares_the_shares_of_majors_only():
    """[H] sheet 1.4, BASE: three majors hold .80, CC is .245."""
    assert indices.majors(BASE, 0.1).tolist() == [400, 250, 150]
    assert indices.customer_concentration(BASE, 0.1) == pytest.approx(0.245, abs=1e-12)


def test_one_in_ten_is_major_at_exactly_ten_per_cent():
    """[H] sheet 1.4, GROUP by account: 15, 10, 8 and 67 of 1; the 10 % one counts."""
    by_account = np.array([15, 10, 8] + [1] * 67)
    by_group = np.array([33] + [1] * 67)
    assert indices.hhi(by_account) == pytest.approx(0.0456, abs=1e-12)
    assert indices.hhi(by_group) == pytest.approx(0.1156, abs=1e-12)
    rounded = [
        round(indices.effective_number(each) or 0, 2) for each in (by_account, by_group)
    ]
    assert rounded == [21.93, 8.65]
    assert indices.majors(by_account, 0.1).tolist() == [15, 10]
    assert indices.majors(by_group, 0.1).tolist() == [33]


def test_accounts_at_zero_count_among_equals_while_nothing_is_negative():
    """Amendment 11: only with negatives is n the number of positive accounts."""
    zeros = np.array([10, 10, 0, 0])
    assert indices.hhi_normalised(zeros) == pytest.approx((0.5 - 0.25) / 0.75)
    assert indices.evenness(zeros) == pytest.approx(0.5)
    assert indices.theil(zeros) == pytest.approx(np.log(2))


def test_one_account_is_all_there_is():
    found = indices.all_indices(np.array([7]))
    assert (found["gini"], found["hhi"], found["effective_number"]) == (0, 1, 1)
    assert (
        found["gini_normalised"] is found["hhi_normalised"] is found["evenness"] is None
    )
    assert found["theil"] == 0
    assert found["cr3"] == 1


@pytest.mark.parametrize("vector", [[], [0, 0], [-5], [-5, 5], [-9, 3]])
def test_without_a_positive_total_no_index_of_shares_is_defined(vector: list[int]):
    found = indices.all_indices(np.array(vector, dtype=np.int64))
    assert {
        key: value
        for key, value in found.items()
        if value is not None and key not in {"gini_rsv", "negative_mass"}
    } == {}


def test_rsv_is_defined_where_the_total_is_zero():
    """Sheet 1.2, edge: T = 0 leaves G undefined, not G_RSV."""
    assert indices.gini_rsv(np.array([-5, 5])) == 1
    assert indices.gini_rsv(np.array([0, 0])) is None


@given(positive, st.integers(1, 1000))
def test_indices_do_not_depend_on_the_unit(values: Amounts, factor: int):
    """Sheet 11.1."""
    one, other = indices.all_indices(values), indices.all_indices(values * factor)
    for key, value in one.items():
        assert other[key] == pytest.approx(value, abs=1e-9), key


@given(amounts, st.randoms())
def test_indices_do_not_depend_on_the_order_to_the_last_bit(values: Amounts, random):
    """Sheet 11.1."""
    shuffled = values.tolist()
    random.shuffle(shuffled)
    assert indices.all_indices(np.array(shuffled)) == indices.all_indices(values)


@given(positive)
def test_gini_and_hhi_stay_in_their_bounds(values: Amounts):
    """Sheet 11.1 and 11.2, nothing negative."""
    n, found = values.size, indices.all_indices(values)
    assert -1e-12 <= (found["gini"] or 0) <= (n - 1) / n + 1e-12
    assert 1 / n - 1e-12 <= (found["hhi"] or 0) <= 1 + 1e-12
    assert (found["effective_number"] or 0) <= n + 1e-9
    assert (found["effective_number_entropy"] or 0) >= (
        found["effective_number"] or 0
    ) - 1e-9
    concentration = indices.customer_concentration(values, 0.1)
    assert (concentration or 0) <= (found["hhi"] or 0) + 1e-12
    assert found["gini_ctr"] == pytest.approx(found["gini"], abs=1e-9)
    if n > 1:
        assert found["gini_rsv"] == pytest.approx(found["gini_normalised"], abs=1e-9)


@given(amounts)
def test_rsv_stays_between_0_and_1_whatever_the_signs(values: Amounts):
    """Sheet 11.1."""
    found = indices.gini_rsv(values)
    assert found is None or -1e-12 <= found <= 1 + 1e-12


@given(st.lists(st.integers(1, 10**9), min_size=2, max_size=40))
def test_merging_two_accounts_never_lowers_the_hhi(values: list[int]):
    """Sheet 11.2."""
    merged = indices.hhi(np.array([values[0] + values[1], *values[2:]]))
    assert (merged or 0) >= (indices.hhi(np.array(values)) or 0) - 1e-12
