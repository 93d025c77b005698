from __future__ import annotations

from datetime import date

import pytest

from crm_portfolio._frames import to_arrow
from crm_portfolio._managed import stamp
from crm_portfolio.analysis import (
    Bands,
    NaturalBreaks,
    Slices,
    Stability,
    TiersSettings,
    tiers,
)
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Period

# One line in each month from January 2024 on; the period is that month alone.
MONTH = Period.last_months(1)
HUNDRED = Bands((100,))
WAVERING = [95, 101, 99, 102, 98, 111, 95, 92, 89, 95]


def day(month: int) -> date:
    return date(2024 + month // 12, month % 12 + 1, 15)


def close(month: int) -> date:
    return date.fromordinal(day(month + 1).replace(day=1).toordinal() - 1)


def lines(**paths):
    """A first line long before, so that nobody is new, then one each month."""
    return [
        (who, day(at), float(amount))
        for who, path in paths.items()
        for at, amount in [(-6, 1.0), *enumerate(path)]
    ]


def ruled(method=HUNDRED, **stability) -> TiersSettings:
    own = {"band_share": 0.1, "closes": 1, "dwell_months": 0}
    own |= {"replay_from": day(0)} | stability
    return TiersSettings(period=MONTH, method=method, stability=Stability(**own))


def row(result, account: str = "X"):
    found = {each["account_id"]: each for each in to_arrow(result.frame).to_pylist()}
    return found[account]


def codes(result, account: str = "X") -> list[str]:
    return [reason.code for reason in result.reasons(account)]


def test_the_printed_path_comes_out_night_by_night(invoiced):
    """[H] sheet 2.5: h = 10 %, d = 1, m = 0; as the job would have run at each close."""
    found = []
    for month in range(len(WAVERING)):
        book = invoiced(["X"], lines(X=WAVERING), as_of=close(month))
        found.append(row(tiers(book, ruled()))["tier"])
    assert "".join(found) == "BBBBBAAABB"
    assert "".join("A" if each >= 100 else "B" for each in WAVERING) == "BABABABBBB"


def test_the_result_says_how_many_moves_it_spared(invoiced):
    book = invoiced(["X"], lines(X=WAVERING), as_of=close(9))
    told = tiers(book, ruled()).summary["stability"]
    assert (told["moves"], told["moves_without"], told["close_count"]) == (2, 6, 10)


def test_tiers_stand_between_two_closes(invoiced):
    path = [50, 150, 150]
    for as_of, tier in [
        (close(1), "A"),
        (day(2), "A"),
        (close(0), "B"),
        (day(1), "B"),
    ]:
        book = invoiced(["X"], lines(X=path), as_of=as_of)
        assert row(tiers(book, ruled()))["tier"] == tier


def test_a_tier_has_its_day_from_the_close_it_came_at(invoiced):
    book = invoiced(["X"], lines(X=[50, 150, 150, 150]), as_of=close(3))
    assert row(tiers(book, ruled()))["tier_since_on"] == close(1)


def test_an_account_that_waits_says_for_what(invoiced):
    book = invoiced(["X"], lines(X=[50, 50, 150]), as_of=close(2))
    result = tiers(book, ruled(closes=2))
    found = row(result)
    assert (found["tier"], found["tier_raw"]) == ("B", "A")
    assert (found["tier_pending"], found["pending_closes"]) == ("A", 1)
    assert {"tier_stays", "tier_pending"} <= set(codes(result))
    assert "1 of 2 closes" in result.explain("X")


def test_by_quarters_only_their_ends_count(invoiced):
    path = [50, 50, 50, 150, 150, 150, 150]
    for month, tier in [(3, "B"), (4, "B"), (5, "A"), (6, "A")]:
        book = invoiced(["X"], lines(X=path), as_of=close(month))
        found = row(tiers(book, ruled(every="quarter")))
        assert found["tier"] == tier


def held(tier: str, since: date, *, is_stamped: bool = True) -> dict[str, object]:
    values = {"tier": tier, "tier_since_on": since}
    mark = stamp("run", values) if is_stamped else "v1:run:0000000000000000"
    return {"account_id": "X", **values, "portfolio_stamp": mark}


@pytest.mark.parametrize(
    ("tier", "is_stamped", "is_restated"),
    [("A", True, False), ("B", True, True), ("B", False, False)],
)
def test_a_tier_of_ours_that_no_close_leads_to_is_left_and_told(
    invoiced, tier, is_stamped, is_restated
):
    """The closes lead to A for months; only a tier under our own stamp is our state."""
    account = held(tier, close(0), is_stamped=is_stamped)
    book = invoiced([account], lines(X=[150] * 6), as_of=close(5))
    result = tiers(book, ruled())
    found = row(result)
    assert found["is_restated"] is is_restated
    assert found["tier"] == ("B" if is_restated else "A")
    told = {warning.code for warning in result.warnings}
    assert ("close_restated" in told) is is_restated
    assert ("tier_restated" in codes(result)) is is_restated


def test_a_restated_tier_keeps_its_day_so_that_nothing_is_written(invoiced):
    book = invoiced([held("B", close(0))], lines(X=[150] * 6), as_of=close(5))
    wanted = to_arrow(tiers(book, ruled()).assignments()).to_pylist()[0]
    assert (wanted["tier"], wanted["tier_since_on"]) == ("B", close(0))


def test_what_was_left_is_replaced_when_a_person_says_so(invoiced):
    book = invoiced([held("B", close(0))], lines(X=[150] * 6), as_of=close(5))
    assert row(tiers(book, ruled(restated="write")))["tier"] == "A"


def test_the_move_of_the_last_close_is_no_restatement(invoiced):
    path = [50] * 5 + [150]
    book = invoiced([held("B", close(0))], lines(X=path), as_of=close(5))
    found = row(tiers(book, ruled()))
    assert (found["tier"], found["is_restated"]) == ("A", False)


def test_who_stands_outside_the_rule_is_never_held_in_it(invoiced):
    path = [150] * 5 + [0]
    book = invoiced([held("A", close(0))], lines(X=path), as_of=close(5))
    assert row(tiers(book, ruled()))["tier"] == "none"


def test_unknown_revenue_has_no_tier_under_stability_either(booked):
    known = lines(X=[150] * 5)
    book = booked(["X"], [*known, ("X", day(5), None)], as_of=close(5))
    assert row(tiers(book, ruled()))["tier"] is None


def test_a_pin_stands_above_all(invoiced):
    account = {"account_id": "X", "tier_pinned": "B"}
    book = invoiced([account], lines(X=[150] * 6), as_of=close(5))
    found = row(tiers(book, ruled()))
    assert (found["tier"], found["is_pinned"]) == ("B", True)


@pytest.mark.parametrize("method", [HUNDRED, Slices(2), NaturalBreaks(2)])
def test_a_fresh_machine_finds_the_same_as_one_that_ran_each_night(invoiced, method):
    """What each night left in the CRM changes nothing against a start from nothing."""
    paths = {"X": WAVERING, "Y": [120, 60, 60, 130, 130, 80, 80, 120, 40, 40]}
    paths |= {"Z": [400, 40, 400, 400, 90, 110, 90, 110, 400, 400]}
    state: list[object] = [*paths]
    rule = ruled(method, closes=2)
    for month in range(10):
        given = lines(**{who: path[: month + 1] for who, path in paths.items()})
        nightly = tiers(invoiced(state, given, as_of=close(month)), rule)
        fresh = tiers(invoiced([*paths], given, as_of=close(month)), rule)
        for who in paths:
            assert row(nightly, who)["tier"] == row(fresh, who)["tier"]
        state = [
            held(row(nightly, who)["tier"], row(nightly, who)["tier_since_on"])
            | {"account_id": who}
            for who in paths
        ]


@pytest.mark.parametrize(
    ("period", "stability", "named"),
    [
        (Period.all(), {}, "roll"),
        (MONTH, {"replay_from": date(2030, 1, 1)}, "earlier day"),
    ],
)
def test_settings_that_cannot_be_replayed_are_refused(
    invoiced, period, stability, named
):
    book = invoiced(["X"], lines(X=[50]), as_of=close(0))
    own = {"replay_from": day(0)} | stability
    chosen = TiersSettings(period=period, stability=Stability(**own))
    with pytest.raises(SettingsError, match=named):
        tiers(book, chosen)


@pytest.mark.parametrize("wrong", [{"every": "week"}, {"restated": "maybe"}])
def test_words_that_are_no_choice_are_refused(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong.values()))):
        Stability(replay_from=day(0), **wrong)
