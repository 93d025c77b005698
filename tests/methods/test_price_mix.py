"""Sheet 5.3: price, volume and mix by hand, and that they close whatever was sold."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._price_mix import (
    price_and_quantity,
    price_quantity_joint,
    price_volume_mix,
)

EFFECTS = (price_volume_mix, price_and_quantity, price_quantity_joint)


def cents(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


# Sheet 5.3: A 10 × 1000, B 15 × 800, C 20 × 500; then A 11 × 1000, B 15 × 700, C 23 × 800
# (price × quantity): 32,000 → 39,900.
Q0, Q1 = cents(1000, 800, 500), cents(1000, 700, 800)
R0, R1 = cents(10, 15, 20) * Q0 * 100, cents(11, 15, 23) * Q1 * 100


def totals(effects) -> dict[str, float]:
    return {name: int(each.sum()) / 100 for name, each in effects.items()}


def test_price_volume_and_mix_of_the_sheet():
    """Sheet 5.3 [H]: price 3400, volume 2782.61, mix 1717.39, total 7900."""
    assert (R0.sum() / 100, R1.sum() / 100) == (32_000, 39_900)
    found = totals(price_volume_mix(R0, Q0, R1, Q1))
    assert found == {"price": 3400.0, "volume": 2782.61, "mix": 1717.39}


def test_the_other_convention_of_the_sheet_and_its_joint_term():
    """Sheet 5.3 [P, practitioner example]: 2500 at old volume, 4500 at old price, joint 900."""
    found = totals(price_quantity_joint(R0, Q0, R1, Q1))
    assert found == {"price": 2500.0, "quantity": 4500.0, "joint": 900.0}


def test_where_units_do_not_compare_there_is_price_and_quantity():
    found = totals(price_and_quantity(R0, Q0, R1, Q1))
    assert found == {"price": 3400.0, "quantity": 4500.0}


def test_items_add_up_to_their_effect_though_each_is_rounded():
    """A third of a cent each: three of them are a cent, not nothing and not three."""
    one = cents(1, 1, 1)
    found = price_volume_mix(one, cents(3, 3, 3), cents(0, 0, 1), cents(1, 1, 1))
    assert found["volume"].tolist() == [-1, 0, -1]
    assert sum(each.sum() for each in found.values()) == -2


def test_sixths_that_add_up_to_a_half_are_a_half():
    """Of three a sixth each, rounded down they would lack the half cent, and mix be one."""
    one, six = cents(1, 1, 1), cents(6, 6, 6)
    assert totals(price_volume_mix(one, six, one, one))["mix"] == 0


def test_nothing_sold_in_both_is_no_effect():
    for effect in EFFECTS:
        assert all(not each.size for each in effect(*[cents()] * 4).values())


quantity = st.integers(1, 10**9)
items = st.lists(
    st.tuples(
        st.integers(-(10**12), 10**12),
        quantity,
        st.integers(-(10**12), 10**12),
        quantity,
    ),
    min_size=1,
    max_size=15,
)


def columns(rows) -> list[np.ndarray]:
    return [np.array(each, dtype=np.int64) for each in zip(*rows, strict=True)]


@given(items)
@pytest.mark.parametrize("effect", EFFECTS)
def test_the_effects_of_each_item_add_up_to_its_change(effect, rows):
    r0, q0, r1, q1 = columns(rows)
    found = effect(r0, q0, r1, q1)
    assert (sum(found.values()) == r1 - r0).all()


@given(items)
def test_each_effect_is_within_a_cent_of_what_fractions_say(rows):
    r0, q0, r1, q1 = columns(rows)
    found = price_volume_mix(r0, q0, r1, q1)
    at_old = sum(Fraction(int(a) * int(d), int(b)) for a, b, _, d in rows)
    evenly = Fraction(int(r0.sum()) * int(q1.sum()), int(q0.sum()))
    assert abs(int(found["price"].sum()) - (int(r1.sum()) - at_old)) <= Fraction(1, 2)
    assert abs(int(found["volume"].sum()) - (evenly - int(r0.sum()))) <= Fraction(1, 2)
    assert abs(int(found["mix"].sum()) - (at_old - evenly)) <= 1


prices = st.lists(
    st.tuples(st.integers(1, 10**6), st.integers(1, 10**4), st.integers(1, 10**4)),
    min_size=1,
    max_size=15,
)


@given(prices)
def test_equal_prices_are_no_price_effect(rows):
    """Sheet 11.5."""
    price, q0, q1 = columns(rows)
    for effect in EFFECTS:
        found = effect(price * q0, q0, price * q1, q1)
        assert not found["price"].any()


@given(items, st.integers(1, 999), st.integers(1, 999))
def test_equal_proportions_are_no_mix_effect(rows, above, below):
    """Sheet 11.5: exactly, also where the quotients end in half a cent."""
    r0, q0, r1, _ = columns(rows)
    found = price_volume_mix(r0, q0 * below, r1, q0 * above)
    assert not found["mix"].any()
