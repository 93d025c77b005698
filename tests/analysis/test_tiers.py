from __future__ import annotations

import json
from datetime import date

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_portfolio import samples
from crm_portfolio._frames import to_arrow
from crm_portfolio.analysis import Abc, Bands, Quantiles, Slices, TiersSettings, tiers

BASE = dict(zip("ABCDEFGHIJ", [400, 250, 150, 80, 50, 30, 20, 10, 6, 4], strict=True))
CLOSE = date(2026, 6, 30)


def column(result, name: str = "tier") -> dict[str, object]:
    table = to_arrow(result.frame)
    return dict(
        zip(table["account_id"].to_pylist(), table[name].to_pylist(), strict=True)
    )


def word(result) -> str:
    found = column(result)
    return "".join(str(found[each]) for each in sorted(found))


def codes(reasons) -> list[str]:
    return [reason.code for reason in reasons]


def by(method) -> TiersSettings:
    return TiersSettings(method=method)


@pytest.mark.parametrize(
    ("method", "letters"),
    [
        (Slices(4), "ABCDDDDDDD"),
        (Slices(3), "ABCCCCCCCC"),
        (Abc(0.80, 0.95), "AAABBBCCCC"),
        (Quantiles(4), "AAABBCCCDD"),
        (Bands((250, 50)), "AABBBCCCCC"),
    ],
)
def test_the_base_vector_is_cut_as_printed(yearly, method, letters):
    """[H] sheet 2.1 and 2.2, BASE; quantiles floor((rank − 1)·4/10), bands by hand."""
    assert word(tiers(yearly(BASE), by(method))) == letters


def test_each_tier_says_what_it_holds(yearly):
    """[H] sheet 2.1: sums 400/250/150/200, counts 1/1/1/7, imbalance .15."""
    result = tiers(yearly(BASE))
    rows = to_arrow(result.tiers).to_pylist()[:4]
    assert [row["revenue"] for row in rows] == [400, 250, 150, 200]
    assert [row["account_count"] for row in rows] == [1, 1, 1, 7]
    assert [row["lower_edge"] for row in rows] == [400, 250, 150, 4]
    assert [row["share"] for row in rows] == [0.4, 0.25, 0.15, 0.2]
    assert [row["off_even_share"] for row in rows] == [0.15, 0, -0.1, -0.05]
    assert result.summary["imbalance"] == 0.15
    assert {each.code: each.values for each in result.warnings} == {
        "imbalance": {"imbalance": 0.15}
    }


def test_slices_that_are_even_enough_warn_of_nothing(yearly):
    assert tiers(yearly(dict.fromkeys("ABCD", 10.0) | {"E": 9.0, "F": 11})).warnings[
        0
    ].code == ("fewer_tiers")
    assert tiers(yearly({"A": 13, "B": 12, "C": 11, "D": 10})).warnings == ()


def test_an_account_is_told_its_rule_its_edge_and_the_next(yearly):
    result = tiers(yearly(BASE))
    rule, above = result.reasons("E")
    assert (rule.code, above.code) == ("tier_slice", "tier_next")
    assert rule.values == {
        "tier": "D",
        "revenue": 50.0,
        "share": 0.05,
        "slices": 4,
        "currency": "EUR",
    }
    assert above.values == {
        "tier": "D",
        "better": "C",
        "edge_above": 150.0,
        "gap": 100.0,
        "currency": "EUR",
    }
    assert codes(result.reasons("A")) == ["tier_slice", "tier_alone", "tier_top"]


def test_the_smallest_of_several_is_told_that_it_moves_first(yearly):
    result = tiers(yearly({"A": 60, "B": 55, "C": 50, "D": 49}), by(Slices(2)))
    assert codes(result.reasons("B")) == ["tier_slice", "tier_smallest", "tier_top"]


def test_a_deal_won_on_no_known_day_leaves_the_tier_unknown(booked):
    """It may lie in the period: no tier is better than a wrong one."""
    day = date(2026, 1, 5)
    portfolio = booked(
        ["A", "B"], [("A", day, 100.0), ("A", None, 5.0), ("B", None, 500.0)]
    )
    result = tiers(portfolio)
    assert column(result, "tier")["B"] is None
    assert codes(result.reasons("B"))[:1] == ["tier_unknown"]
    assert "revenue_partly_unknown" in codes(result.reasons("A"))


def test_an_account_is_told_how_far_above_its_edge_it_stands(yearly):
    result = tiers(yearly({"A": 60, "B": 55, "C": 50, "D": 49}), by(Slices(2)))
    margin = result.reasons("A")[1]
    assert margin.code == "tier_margin"
    assert (margin.values["edge"], margin.values["margin"]) == (55.0, 5.0)


@pytest.mark.parametrize(
    ("method", "account", "code", "values"),
    [
        (Bands((250, 50)), "B", "tier_band_top", {"edge": 250.0}),
        (Bands((250, 50)), "E", "tier_band", {"edge": 50.0, "edge_above": 250.0}),
        (Bands((250, 50)), "J", "tier_band_last", {"edge_above": 50.0}),
        (Abc(), "C", "tier_abc", {"before": 0.65, "cut": 0.80}),
        (Abc(), "D", "tier_abc", {"before": 0.80, "cut": 0.95}),
        (Abc(), "J", "tier_abc_last", {"before": 0.996, "cut": 0.95}),
        (Quantiles(4), "D", "tier_quantile", {"rank": 4, "n": 10, "groups": 4}),
    ],
)
def test_every_rule_says_what_it_went_by(yearly, method, account, code, values):
    reason = tiers(yearly(BASE), by(method)).reasons(account)[0]
    assert reason.code == code
    assert {key: reason.values[key] for key in values} == values


def test_an_account_on_the_edge_of_a_band_is_just_inside(yearly):
    result = tiers(yearly({"A": 250, "B": 249.99}), by(Bands((250,))))
    assert column(result) == {"A": "A", "B": "B"}
    assert column(result, "margin")["A"] == 0
    assert column(result, "gap")["B"] == 0.01
    assert "tier_margin" in codes(result.reasons("A"))


def test_equal_revenues_are_never_split(yearly):
    """[H] sheet 2.1: 50 50 50 50, k=2 is one tier of 4; 100 and four of 50, k=3 two."""
    result = tiers(yearly(dict.fromkeys("ABCD", 50.0)), by(Slices(2)))
    assert word(result) == "AAAA"
    assert {each.code: each.values for each in result.warnings}["fewer_tiers"] == {
        "made": 1,
        "asked": 2,
    }
    assert (
        word(tiers(yearly({"A": 100} | dict.fromkeys("BCDE", 50)), by(Slices(3))))
        == "ABBBB"
    )


def test_equal_revenues_stand_in_the_order_of_their_ids(yearly):
    ids = [f"A{at:02}" for at in range(60)]
    result = tiers(yearly({each: int(each[1:]) % 2 + 5 for each in reversed(ids)}))
    found = to_arrow(result.frame)["account_id"].to_pylist()
    assert found == [*ids[1::2], *ids[0::2]]


def test_an_empty_tier_is_named(yearly):
    result = tiers(yearly({"A": 9, "B": 5, "C": 5, "D": 5}), by(Quantiles(4)))
    assert [each.values for each in result.warnings] == [
        {"tiers": "C, D", "tier_count": 2}
    ]
    assert result.reasons("B")[-1].values["better"] == "A"


def test_accounts_without_net_revenue_are_none_and_outside_the_slices(yearly, invoiced):
    result = tiers(yearly({"A": 10, "B": 0, "C": -5, "D": 10.5}), by(Slices(2)))
    assert word(result) == "BnonenoneA"
    assert result.summary["tiered_revenue"] == 20.5
    assert codes(result.reasons("C")) == ["tier_none"]
    rows = {row["tier"]: row for row in to_arrow(result.tiers).to_pylist()}
    assert (rows["none"]["account_count"], rows["none"]["revenue"]) == (2, -5)
    dormant = tiers(invoiced(["A"], [("A", date(2020, 1, 1), 5.0)]))
    assert codes(dormant.reasons("A")) == ["tier_none_dormant"]


def test_accounts_under_three_months_are_new_whatever_they_bring(invoiced):
    lines = [
        ("A", date(2026, 4, 2), 1e6),
        ("B", date(2026, 4, 1), 5.0),
        ("C", date(2026, 5, 1), -5.0),
    ]
    result = tiers(invoiced(["A", "B", "C"], lines))
    assert column(result) == {"B": "A", "A": "new", "C": "new"}
    assert result.reasons("A")[0].values == {"first_on": date(2026, 4, 2)}
    assert result.summary["tiered_count"] == 1


def test_unknown_revenue_has_no_tier(booked):
    day = date(2026, 1, 5)
    result = tiers(booked(["A", "B"], [("A", day, None), ("B", day, 3.0)]))
    assert column(result) == {"B": "A", "A": None}
    assert codes(result.reasons("A")) == ["tier_unknown"]
    assert result.summary["unknown_count"] == 1
    assert result.assignments().to_pylist()[1] == {
        "account_id": "A",
        "tier": None,
        "tier_since_on": None,
    }


def held(**columns: object) -> dict[str, object]:
    return {"account_id": "A", **columns}


def tiered(invoiced, account: dict[str, object]):
    lines = [("A", date(2025, 8, 1), 5.0), ("B", date(2025, 8, 1), 9.0)]
    return tiers(invoiced([account, "B"], lines), by(Slices(2)))


def test_an_account_stays_in_its_tier_since_the_day_the_crm_holds(invoiced):
    result = tiered(invoiced, held(tier="B", tier_since_on=date(2025, 3, 31)))
    assert column(result, "tier_since_on")["A"] == date(2025, 3, 31)
    assert codes(result.reasons("A"))[-1] == "tier_since"
    assert result.summary["moved_count"] == 0


@pytest.mark.parametrize(
    "account",
    [
        held(),
        held(tier=None, tier_since_on=date(2025, 3, 31)),
        held(tier="C", tier_since_on=date(2025, 3, 31)),
        held(tier="B", tier_since_on=None),
    ],
)
def test_otherwise_it_is_in_its_tier_since_the_last_close(invoiced, account):
    assert column(tiered(invoiced, account), "tier_since_on")["A"] == CLOSE


def test_the_last_close_is_the_last_day_of_the_period(invoiced):
    lines = [("A", date(2025, 8, 1), 5.0)]
    result = tiers(invoiced(["A"], lines, as_of=date(2026, 6, 15)))
    assert column(result, "tier_since_on")["A"] == date(2026, 5, 31)


def test_a_move_is_said(invoiced):
    result = tiered(invoiced, held(tier="A", tier_since_on=date(2025, 3, 31)))
    assert result.reasons("A")[-1].code == "tier_move"
    assert result.reasons("A")[-1].values == {"before": "A"}
    assert result.summary["moved_count"] == 1


@pytest.mark.parametrize("until", [None, date(2026, 6, 30), date(2027, 1, 1)])
def test_a_pinned_tier_stands(invoiced, until):
    pin = held(tier_pinned="A", tier_pinned_until_on=until, tier_pinned_by="005U")
    result = tiered(invoiced, pin)
    assert column(result)["A"] == "A"
    assert column(result, "tier_raw")["A"] == "B"
    reason = result.reasons("A")[0]
    assert reason.code == ("tier_pinned" if until is None else "tier_pinned_until")
    assert (reason.values["tier_raw"], reason.values["by"]) == ("B", "005U")
    assert {each.code: each.values for each in result.warnings}["pinned"] == {"n": 1}
    rows = {row["tier"]: row for row in to_arrow(result.tiers).to_pylist()}
    assert (rows["A"]["account_count"], rows["A"]["count_after_pins"]) == (1, 2)


def test_a_pin_that_has_ended_is_no_pin(invoiced):
    pin = held(tier_pinned="A", tier_pinned_until_on=date(2026, 6, 29))
    result = tiered(invoiced, pin)
    assert column(result)["A"] == "B"
    assert "tier_pinned_until" not in codes(result.reasons("A"))
    assert "pinned" not in codes(result.warnings)


def test_a_pin_gives_a_tier_also_to_the_new_and_the_dormant(invoiced):
    lines = [("A", date(2026, 5, 1), 5.0)]
    accounts = [held(tier_pinned="B"), {"account_id": "Z", "tier_pinned": "C"}]
    result = tiers(invoiced(accounts, lines))
    assert column(result) == {"A": "B", "Z": "C"}
    assert column(result, "tier_raw") == {"A": "new", "Z": "none"}
    assert codes(result.reasons("Z")) == ["tier_pinned", "tier_none_dormant"]


def test_the_accounts_nearest_to_each_edge_are_listed(yearly):
    result = tiers(yearly(BASE), TiersSettings(border_count=2))
    border = result.summary["borders"][2]
    assert (border["tier"], border["edge"]) == ("C", 150)
    assert [each["account_id"] for each in border["above"]] == ["C", "B"]
    assert [each["account_id"] for each in border["below"]] == ["D", "E"]
    assert len(result.summary["borders"]) == 3


def test_what_is_assigned_is_the_tier_and_since_when(yearly):
    table = tiers(yearly({"A": 2, "B": 1}), by(Slices(2))).assignments()
    assert table.to_pydict() == {
        "account_id": ["A", "B"],
        "tier": ["A", "B"],
        "tier_since_on": [CLOSE, CLOSE],
    }
    assert table.schema.field("tier_since_on").type == pa.date32()


def test_the_rule_is_echoed_with_its_settings(yearly):
    result = tiers(yearly(BASE), by(Bands((250, 50))))
    assert result.params["settings"]["method"] == {"kind": "Bands", "edges": [250, 50]}


def test_the_firm_has_four_tiers_one_new_and_two_without_revenue():
    """samples.firm: A11 is new, A12 negative, A13 dormant; 948,000 is cut into four."""
    found = column(tiers(samples.firm()))
    assert {
        key: "".join(sorted(k for k in found if found[k] == key)) for key in "ABC"
    } == {
        "A": "A01",
        "B": "A05A06",
        "C": "A07A08A09",
    }
    assert (found["A11"], found["A12"], found["A13"]) == ("new", "none", "none")


METHODS = [Slices(4), Slices(2), Abc(), Quantiles(3), Bands((5, 2))]
lines_of_five = st.lists(
    st.tuples(st.sampled_from("ABCDE"), st.integers(-500, 900), st.integers(0, 700)),
    max_size=25,
)


@settings(
    deadline=None,
    max_examples=10,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(lines_of_five, st.sampled_from(METHODS), st.randoms(use_true_random=False))
def test_row_order_and_backend_change_no_byte(invoiced, lines, method, random):
    """Sheet 11.3: same input twice, same output."""
    start = date(2024, 7, 1).toordinal()
    rows = [
        (who, date.fromordinal(start + day), cents / 100) for who, cents, day in lines
    ]

    def all_of_it(these, accounts, backend):
        result = tiers(invoiced(accounts, these, backend=backend), by(method))
        found = {
            key: value for key, value in result.to_dict().items() if key != "params"
        }
        return json.dumps(found, allow_nan=False)

    first = all_of_it(rows, "ABCDE", "pyarrow")
    mixed = random.sample(rows, len(rows))
    assert all_of_it(mixed, "ECADB", random.choice(["pandas", "polars"])) == first


@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.integers(-3, 30), min_size=1, max_size=12), st.sampled_from(METHODS))
def test_tiers_follow_revenue_and_keep_equals_together(yearly, amounts, method):
    """Sheet 11.3."""
    portfolio = yearly({f"A{at:02}": amount for at, amount in enumerate(amounts)})
    result = tiers(portfolio, by(method))
    tier, revenue = column(result), column(result, "revenue")
    assert sorted(tier) == [f"A{at:02}" for at in range(len(amounts))]
    for one in tier:
        assert (tier[one] == "none") == (revenue[one] <= 0)
        for other in tier:
            if revenue[one] == revenue[other]:
                assert tier[one] == tier[other]
            if revenue[one] > revenue[other] > 0:
                assert tier[one] <= tier[other]
    held_by_tiers = sum(row["revenue"] for row in to_arrow(result.tiers).to_pylist())
    assert held_by_tiers == pytest.approx(sum(amounts))
