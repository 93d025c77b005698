"""Sheet 5.2: the bars by hand, and that they close whatever the books hold."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio._methods._bridge import BARS, MOVEMENTS, Bridge, movements, of_groups


def amounts(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def flags(text: str) -> np.ndarray:
    return np.array([each == "x" for each in text], dtype=bool)


def named(found: np.ndarray) -> list[str]:
    return [MOVEMENTS[at] for at in found]


def five() -> Bridge:
    """Sheet 5.2 [H]: A 100 → 130, B 80 → 50, C 60 → 60, D 40 → nothing, E new with 25."""
    before, now = amounts(100, 80, 60, 40, 0), amounts(130, 50, 60, 0, 25)
    moved = movements(
        before,
        now,
        was_here=flags("xxxx."),
        is_here=flags("xxx.x"),
        is_older=flags("....."),
        is_unknown=flags("....."),
    )
    return Bridge(before, now, now, moved)


def test_the_bars_of_the_sheet():
    """Sheet 5.2 [H]: 280 + 25 - 40 + 30 - 30 = 265."""
    bars = five().bars
    told = [bars[name] for name in ("new", "lost", "expansion", "contraction")]
    assert told == [25, -40, 30, -30]
    assert five().change == 265 - 280 == sum(bars.values())


def test_like_for_like_and_retention_of_the_sheet():
    """Sheet 5.2 [H]: like-for-like 0 %; NRR 240/280 = .857143; GRR 210/280 = .75."""
    bridge = five()
    assert bridge.like_for_like == 0
    assert round(bridge.kept.net, 6) == 0.857143
    assert bridge.kept.gross == 0.75
    # The one that grew by 60 instead of 30: 270 of 240 that were there before and stay.
    grown = attrs.evolve(bridge, constant=bridge.constant + amounts(30, 0, 0, 0, 0))
    assert grown.like_for_like == 30 / 240


def test_who_was_gone_for_the_whole_period_before_has_returned_and_is_not_new():
    found = movements(
        amounts(0, 0),
        amounts(5, 5),
        was_here=flags(".."),
        is_here=flags("xx"),
        is_older=flags("x."),
        is_unknown=flags(".."),
    )
    assert named(found) == ["returned", "new"]


def test_present_is_who_has_a_line_and_a_negative_sum_keeps_its_sign():
    """Amendment 19: lines that add up to nothing are lines; who is lost may have owed us."""
    before, now = amounts(-30, 0, 10), amounts(0, 7, -4)
    moved = movements(
        before,
        now,
        was_here=flags("xxx"),
        is_here=flags(".xx"),
        is_older=flags("..."),
        is_unknown=flags("..."),
    )
    assert named(moved) == ["lost", "expanded", "contracted"]
    bars = Bridge(before, now, now, moved).bars
    assert [bars[name] for name in ("lost", "expansion", "contraction")] == [30, 7, -14]


def test_a_group_that_was_joined_by_a_bought_account_has_not_grown_by_it():
    before, now = amounts(100, 0, 50), amounts(90, 40, 50)
    moved = of_groups(
        np.array([0, 0, 1]),
        flags(".x."),
        before,
        now,
        was_here=flags("x.x"),
        is_here=flags("xxx"),
        is_older=flags("..."),
        is_unknown=flags("..."),
    )
    assert named(moved) == ["contracted", "perimeter", "unchanged"]
    bars = Bridge(before, now, now, moved).bars
    assert (bars["contraction"], bars["perimeter"]) == (-10, 40)


def test_members_of_one_group_are_one_movement():
    before, now = amounts(100, 20), amounts(60, 90)
    here = flags("xx")
    moved = of_groups(
        np.array([0, 0]),
        flags(".."),
        before,
        now,
        was_here=here,
        is_here=here,
        is_older=flags(".."),
        is_unknown=flags(".."),
    )
    assert named(moved) == ["expanded", "expanded"]
    bars = Bridge(before, now, now, moved).bars
    assert (bars["expansion"], bars["contraction"]) == (30, 0)


def test_what_rates_did_is_a_bar_of_its_own():
    """Sheet 0.2.3 [H]: 1000 USD at 0.90, then 1100 at 0.95: activity +90, FX +55."""
    before, now, constant = amounts(90_000), amounts(104_500), amounts(99_000)
    here = flags("x")
    moved = movements(
        before,
        constant,
        was_here=here,
        is_here=here,
        is_older=flags("."),
        is_unknown=flags("."),
    )
    bars = Bridge(before, now, constant, moved).bars
    assert (bars["expansion"], bars["fx"]) == (9_000, 5_500)


def test_what_a_group_keeps_is_kept_as_one():
    """A member that fell is made up for by one that rose, and a group counts once."""
    before, now = amounts(100, 20, 50, 7, 9), amounts(60, 90, 40, 1, 1)
    moved = of_groups(
        np.array([0, 0, 1, 2, 0]),
        flags("....x"),
        before,
        now,
        was_here=flags("xxxxx"),
        is_here=flags("xxxxx"),
        is_older=flags("....."),
        is_unknown=flags("...x."),
    )
    apart = Bridge(before, now, now, moved)
    grouped = attrs.evolve(apart, group_of=np.array([0, 0, 1, 2, 0]))
    assert apart.kept.gross == (60 + 20 + 40) / 170
    assert grouped.kept.gross == (120 + 40) / 170
    assert apart.kept.net == grouped.kept.net == (150 + 40) / 170
    assert (apart.count(flags("xxx..")), grouped.count(flags("xxx.."))) == (3, 2)
    assert (apart.count(flags(".....")), grouped.count(flags("....."))) == (0, 0)


def test_growth_of_the_least_revenue_is_told():
    bridge = attrs.evolve(
        five(), before=amounts(1, 0, 0, 0, 0), constant=amounts(2, 0, 0, 0, 0)
    )
    assert bridge.like_for_like == 1
    here, nobody = flags("xxx"), flags("...")
    moved = movements(
        amounts(1, 1, 1),
        amounts(2, 0, 1),
        was_here=here,
        is_here=here,
        is_older=nobody,
        is_unknown=nobody,
    )
    assert named(moved) == ["expanded", "contracted", "unchanged"]


def test_a_book_without_accounts_has_no_groups():
    nothing, nobody = amounts(), flags("")
    moved = of_groups(
        nothing,
        nobody,
        nothing,
        nothing,
        was_here=nobody,
        is_here=nobody,
        is_older=nobody,
        is_unknown=nobody,
    )
    bridge = Bridge(nothing, nothing, nothing, moved, group_of=nothing)
    assert moved.size == 0
    assert (bridge.kept.net, bridge.kept.gross) == (None, None)


def test_without_revenue_before_there_is_no_growth_of_it():
    nothing = Bridge(amounts(), amounts(), amounts(), np.array([], dtype=np.int8))
    assert nothing.like_for_like is None
    assert nothing.kept.net is None
    assert sum(nothing.bars.values()) == nothing.change == 0


money = st.integers(-(10**12), 10**12)
accounts = st.lists(
    st.tuples(money, money, money, *[st.booleans()] * 5, st.integers(0, 3)), max_size=12
)


@given(accounts)
def test_the_bars_always_add_up_to_the_change(rows):
    """Sheet 11.5, for any books: negative, returned, in other currencies, in groups."""
    columns = [np.array(each) for each in zip(*rows, strict=True)] or [amounts()] * 9
    before, now, constant = (each.astype(np.int64) for each in columns[:3])
    was, here, older, unknown, perimeter = (each.astype(bool) for each in columns[3:8])
    before, now = np.where(was, before, 0), np.where(here, now, 0)
    constant = np.where(here, constant, 0)
    _, group = np.unique(columns[8], return_inverse=True)
    moved = of_groups(
        group,
        perimeter,
        before,
        constant,
        was_here=was,
        is_here=here,
        is_older=older,
        is_unknown=unknown,
    )
    bridge = Bridge(before, now, constant, moved)
    assert sum(bridge.bars.values()) == bridge.change
    assert set(bridge.bars) == {*BARS, "fx"}
    gross, net = bridge.kept.gross, bridge.kept.net
    assert gross is None or gross <= 1
    is_in = ~bridge.is_("perimeter", "unknown") & (before > 0)
    if gross is not None and (constant[is_in] >= 0).all():
        assert gross <= net


@pytest.mark.parametrize("movement", ["absent", "unchanged"])
def test_who_did_not_move_is_in_no_bar(movement):
    assert movement not in BARS.values()
