from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_portfolio import samples
from crm_portfolio._frames import from_arrow, to_arrow
from crm_portfolio.analysis import (
    Abc,
    Bands,
    NaturalBreaks,
    Potential,
    Quantiles,
    Slices,
    TiersSettings,
    tiers,
)
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Portfolio

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


METHODS = [Slices(4), Slices(2), Abc(), Quantiles(3), Bands((5, 2)), NaturalBreaks(3)]
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


@pytest.mark.parametrize(
    ("method", "letters"),
    [
        (NaturalBreaks(3, scale="raw"), "ABBCCCCCCC"),
        (NaturalBreaks(4, scale="raw"), "ABCCDDDDDD"),
        (NaturalBreaks(4), "AAABBCCDDD"),
    ],
)
def test_natural_breaks_cut_the_base_vector_as_printed(yearly, method, letters):
    """[H] sheet 2.3, raw: breaks 4|80|250|400 and 4|50|150|250|400; by ratios below."""
    result = tiers(yearly(BASE), by(method))
    assert word(result) == letters
    assert 0 < result.summary["goodness_of_fit"] < 1
    assert result.params["settings"]["method"] == {
        "kind": "NaturalBreaks",
        "count": method.count,
        "scale": method.scale,
    }
    code = {"raw": "tier_natural_raw", "log": "tier_natural_log"}[method.scale]
    assert codes(result.reasons("A"))[0] == code


def test_natural_breaks_are_told_with_how_many_there_can_be(yearly):
    result = tiers(yearly(dict.fromkeys("ABCD", 50.0)), by(NaturalBreaks(2)))
    assert word(result) == "AAAA"
    assert codes(result.warnings) == ["fewer_tiers"]
    assert result.summary["goodness_of_fit"] is None
    assert tiers(yearly(BASE)).summary["goodness_of_fit"] is None


WORKED = date(2026, 2, 2)


def with_effort(portfolio, minutes: dict[str, float]):
    effort = pa.table(
        {
            "account_id": [*minutes],
            "worked_on": pa.array([WORKED] * len(minutes), pa.date32()),
            "minutes": pa.array([*minutes.values()], pa.float64()),
        }
    )
    return portfolio.with_tables(effort=effort)


def test_each_tier_says_what_is_known_of_its_hours(yearly):
    book = with_effort(yearly(BASE | {"Z": -1}), {"A": 90, "D": 60, "E": 30, "Z": 6})
    result = tiers(book)
    rows = {row["tier"]: row for row in to_arrow(result.tiers).to_pylist()}
    told = {
        name: (row["hours"], row["hours_known_count"]) for name, row in rows.items()
    }
    assert told == {
        "A": (1.5, 1),
        "B": (None, 0),
        "C": (None, 0),
        "D": (1.5, 2),
        "new": (None, 0),
        "none": (0.1, 1),
    }
    assert column(result, "hours")["B"] is None
    assert column(result, "hours")["E"] == 0.5
    assert result.summary["hours"] == {
        "source": "effort",
        "known_count": 4,
        "total": 3.1,
    }


def test_without_notes_of_time_no_hours_are_known(yearly):
    result = tiers(yearly(BASE))
    assert set(column(result, "hours").values()) == {None}
    assert result.summary["hours"] == {"source": None, "known_count": 0, "total": None}


PROMISING = [  # revenue, turnover, employees, segment
    ("A", 1000, 900, 90, "food"),
    ("B", 400, 5_000, None, "steel"),
    ("C", 300, None, 10, "food"),
    ("D", 20, 100_000, 500, "food"),
    ("E", 10, None, None, None),
    ("F", 5, 10, 1, "steel"),
]


def promising(**more: pa.Table):
    """A big value and five smaller ones, of known and unknown size."""
    ids, amounts, turnover, employees, segment = zip(*PROMISING, strict=True)
    return Portfolio.from_frames(
        as_of=CLOSE,
        currency="EUR",
        account=pa.table(
            {
                "account_id": ids,
                "account_turnover": pa.array(turnover, pa.float64()),
                "employee_count": pa.array(employees, pa.int64()),
                "segment": pa.array(segment, pa.string()),
            }
        ),
        revenue_line=pa.table(
            {
                "line_id": ids,
                "account_id": ids,
                "booked_on": pa.array([date(2025, 8, 1)] * 6),
                "amount": pa.array(amounts, pa.float64()),
            }
        ),
        **more,
    )


def valued(method=Slices(2), *, growth=None, tables=None, **potential):
    settings = TiersSettings(method=method, potential=Potential(**potential))
    return tiers(promising(**(tables or {})), settings, growth=growth)


def test_the_size_is_a_percentile_of_turnover_and_of_headcount():
    """By hand: of 900, 5000, 100,000 and 10 the first is third; of 90, 10, 500, 1 second."""
    size = column(valued(), "potential_size")
    assert size["A"] == (0.375 + 0.625) / 2
    assert size["B"] == 0.625  # its headcount is unknown, which pulls nowhere
    assert size["D"] == 0.875
    assert size["E"] is None


def test_too_little_known_is_unknown_and_not_low():
    """Sheet 2.4: size weighs .4, and below .5 the class is unknown."""
    result = valued()
    assert set(column(result, "potential").values()) == {"unknown"}
    assert column(result, "potential_coverage")["A"] == 0.4
    assert column(result, "potential_coverage")["E"] == 0
    assert column(result, "potential_score")["E"] is None
    assert {each.code: each.values for each in result.warnings}[
        "potential_unknown"
    ] == {"n": 6, "of": 6}


def test_size_and_fit_make_a_potential():
    """By hand: D .4·.875 + .1·1 over .5 = .9, high; F .4·.125 + 0 over .5 = .1, low."""
    result = valued(core_segments=("food",))
    assert column(result, "potential") == {
        "A": "medium",
        "B": "medium",
        "C": "medium",
        "D": "high",
        "E": "unknown",
        "F": "low",
    }
    assert column(result, "potential_score")["D"] == 0.9
    assert column(result, "potential_score")["F"] == 0.1
    assert column(result, "potential_fit") == {
        **dict.fromkeys("ACD", 1.0),
        **dict.fromkeys("BF", 0.0),
        "E": None,
    }


def test_potential_moves_no_tier_and_is_not_there_unless_asked():
    plain = tiers(promising(), by(Slices(2)))
    assert "potential" not in to_arrow(plain.frame).column_names
    assert plain.summary["potential"] is None
    assert column(plain) == column(valued(core_segments=("food",)))


def test_high_or_unknown_potential_is_looked_at_before_it_gets_the_least():
    """Sheet 2.4: D and E of the last tier; F there is low, A is in the first."""
    result = valued(core_segments=("food",))
    assert word(result) == "ABBBBB"
    assert [k for k, needs in column(result, "needs_review").items() if needs] == [
        *"DE"
    ]
    assert "potential_review" in codes(result.reasons("D"))
    assert "potential_review" not in codes(result.reasons("F"))
    told = result.summary["potential"]
    assert told["grid"][:2] == [
        {"tier": "A", "low": 0, "medium": 1, "high": 0, "unknown": 0},
        {"tier": "B", "low": 1, "medium": 2, "high": 1, "unknown": 1},
    ]
    assert (told["unknown_count"], told["review_count"]) == (1, 2)
    assert told["known_counts"] == {
        "size": 5,
        "headroom": 0,
        "growth": 0,
        "engagement": 0,
        "fit": 5,
    }


def test_the_room_in_a_wallet_comes_from_its_turnover_or_from_a_judgement():
    """By hand: D spends 1 % of 100,000 here, 20 of 1000; of A we have 7 tenths."""
    rating = pa.table(
        {
            "account_id": ["A"],
            "criterion": ["share_of_wallet"],
            "value": [7.0],
            "rated_by": ["U1"],
            "rated_on": pa.array([date(2026, 3, 1)]),
        }
    )
    result = valued(wallet_share=0.01, tables={"rating": rating})
    headroom = column(result, "potential_headroom")
    assert headroom["D"] == 0.98
    assert headroom["A"] == 0.3
    assert headroom["B"] == 0  # it spends more here than the share says
    assert headroom["C"] is None
    wallet = next(r for r in result.reasons("A") if r.code == "potential_wallet")
    assert wallet.values == {"by": "U1", "rated_on": date(2026, 3, 1)}
    assert "potential_wallet" not in codes(result.reasons("D"))


def test_the_growth_of_another_analysis_counts_where_it_is_given():
    """By hand: F .4·.125 + .2·1 over .6 = .416667."""
    result = valued(growth={"F": 1.0})
    assert column(result, "potential_score")["F"] == pytest.approx(0.25 / 0.6)
    assert column(result, "potential")["F"] == "medium"
    assert column(result, "potential_growth")["A"] is None
    with pytest.raises(SettingsError, match="growth names 'X', which is no account"):
        valued(growth={"X": 0.5})
    with pytest.raises(SettingsError, match="probability"):
        valued(growth={"A": 1.5})


def test_calls_from_their_side_count_by_their_rank():
    day = datetime(2026, 6, 1, tzinfo=UTC)
    calls = pa.table(
        {
            "activity_id": ["1", "2", "3"],
            "account_id": ["E", "E", "F"],
            "occurred_at": pa.array([day] * 3, pa.timestamp("us", "UTC")),
            "direction": ["in", "in", "in"],
        }
    )
    engagement = column(valued(tables={"activity": calls}), "potential_engagement")
    assert engagement["E"] == pytest.approx(5.5 / 6, abs=1e-12)
    assert engagement["F"] == pytest.approx(4.5 / 6, abs=1e-12)
    assert engagement["A"] == pytest.approx(2 / 6, abs=1e-12)


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_the_potential_is_said_in_words(lang):
    result = valued(core_segments=("food",), wallet_share=0.01)
    said = {each: result.explain(each, lang=lang) for each in "DEF"}
    words = {
        "en": ("Potential: high, 0.91", "unknown, which is not low", "Potential: low"),
        "fr": ("Potentiel : élevé, 0,91", "inconnu, ce qui", "Potentiel : faible"),
    }
    for each, expected in zip("DEF", words[lang], strict=True):
        assert expected in said[each]


def test_potential_is_the_same_to_the_byte_whatever_the_frames_are():
    growth = {"F": 0.25, "A": 0.5}

    def told(backend: str) -> str:
        book = promising()
        tables = {name: from_arrow(book[name], backend) for name in book.tables}
        again = Portfolio.from_frames(as_of=CLOSE, currency="EUR", **tables)
        own = TiersSettings(potential=Potential(core_segments=("food",)))
        found = tiers(again, own, growth=growth).to_dict()
        return json.dumps({k: v for k, v in found.items() if k != "params"})

    assert told("pandas") == told("polars") == told("pyarrow")
