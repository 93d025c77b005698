from __future__ import annotations

import json
from datetime import date

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_portfolio import samples
from crm_portfolio._frames import to_arrow
from crm_portfolio.analysis import ConcentrationSettings, concentration
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Period

BASE = [400, 250, 150, 80, 50, 30, 20, 10, 6, 4]
LETTERS = "ABCDEFGHIJ"


def codes(result) -> list[str]:
    return [warning.code for warning in result.warnings]


def column(result, name: str) -> dict[str, object]:
    table = to_arrow(result.frame)
    return dict(
        zip(table["account_id"].to_pylist(), table[name].to_pylist(), strict=True)
    )


@pytest.fixture
def base(yearly):
    return concentration(yearly(dict(zip(LETTERS, BASE, strict=True))))


def test_the_base_vector_goes_through_whole(base):
    """[H] sheet 1.1 to 1.4, BASE."""
    figures = base.summary["by_account"]
    assert (figures["n"], figures["top_k"], figures["n_for_80"]) == (10, 2, 3)
    assert figures["share_of_top_20pct"] == 0.65
    assert figures["hhi"] == 0.255352
    assert figures["gini"] == 0.6172
    assert (figures["major_count"], figures["dependent_count"]) == (3, 2)
    assert figures["major_share"] == 0.8
    assert figures["customer_concentration"] == 0.245
    assert column(base, "cum_share")["E"] == 0.93


def test_the_base_vector_is_not_80_to_20_but_74_to_26(base):
    """[H] sheet 1.5 (a) to (c): top 20 % hold .65, x = .26, alpha 1.365487."""
    found = base.summary["by_account"]["pareto"]
    assert (found["n"], found["top_k"], found["top_share"]) == (10, 2, 0.2)
    assert found["held_share"] == 0.65
    assert found["share_for_target"] == 0.3
    assert (found["joint_share"], found["joint_ratio"]) == (0.26, "74/26")
    assert round(found["implied_alpha"], 6) == 1.365487
    assert found["implied_gini"] == pytest.approx(1 / (2 * 1.365487 - 1), abs=1e-6)


def test_what_is_said_of_80_to_20_is_said_of_positive_accounts_only(yearly):
    """Amendment 11: q is k/n of the positive ones, and shares are of theirs."""
    amounts = {"A": 6, "B": 2, "C": 1, "D": 1, "E": 0, "F": -5}
    found = concentration(yearly(amounts)).summary["by_account"]
    assert (found["n"], found["top_k"]) == (6, 2)
    assert found["share_of_top_20pct"] == 8 / 5
    own = found["pareto"]
    assert (own["n"], own["top_k"], own["top_share"]) == (4, 1, 0.25)
    assert (own["held_share"], own["share_for_target"]) == (0.6, 0.5)
    nobody = concentration(yearly({"A": -6})).summary["by_account"]["pareto"]
    assert nobody == {
        **dict.fromkeys(nobody),
        "n": 0,
        "top_k": 0,
    }


def test_groups_change_who_is_major(yearly):
    """[H] sheet 1.4, GROUP: 15, 10 and 8 under one parent, and 67 accounts of 1."""
    amounts = {"A": 15, "B": 10, "C": 8} | {f"Z{at:02}": 1 for at in range(67)}
    result = concentration(yearly(amounts, B="A", C="A"))
    by_account, by_group = result.summary["by_account"], result.summary["by_group"]
    assert (by_account["hhi"], by_group["hhi"]) == (0.0456, 0.1156)
    assert round(by_account["effective_number"], 2) == 21.93
    assert round(by_group["effective_number"], 2) == 8.65
    assert (by_account["major_count"], by_account["dependent_count"]) == (2, 0)
    assert (by_group["major_count"], by_group["dependent_count"]) == (1, 1)
    (major,) = result.summary["majors"]
    assert (major["share"], major["members"]) == (0.33, ["A", "B", "C"])
    assert "level_differs" in codes(result)
    kinds = column(result, "dependence")
    assert {kinds[each] for each in "ABC"} == {"dependent"}
    assert kinds["Z00"] == "none"


def test_negative_revenue_keeps_its_sign_and_says_how_much_it_weighs(yearly):
    """[H] sheet 1.1 to 1.3, NEG."""
    amounts = dict(zip("ABCDE", [100, 50, 30, 10, -20], strict=True))
    result = concentration(yearly(amounts))
    figures = result.summary["by_account"]
    assert figures["total"] == 170
    assert round(figures["hhi"], 6) == 0.373961
    assert round(figures["negative_mass"], 6) == 0.105263
    assert figures["gini_reading"] == "rsv"
    assert round(column(result, "cum_share")["C"], 6) == 1.058824
    found = {warning.code: warning.values for warning in result.warnings}
    assert found["negative_accounts"] == {"n": 1}
    assert found["negatives_used"] == {"reading": "rsv"}
    assert round(found["negative_mass"]["negative_mass"], 6) == 0.105263
    assert "revenue_negative" in [each.code for each in result.reasons("E")]


def test_the_form_of_the_gini_index_can_be_chosen_for_negatives(yearly):
    portfolio = yearly({"A": 100, "B": -20})
    result = concentration(portfolio, ConcentrationSettings(negatives="ctr"))
    assert result.summary["by_account"]["gini_reading"] == "ctr"


def test_the_top_share_and_the_target_name_their_figures(yearly):
    own = ConcentrationSettings(top_share=0.3, target=0.5)
    figures = concentration(yearly(dict(zip(LETTERS, BASE, strict=True))), own).summary
    assert figures["by_account"]["top_k"] == 3
    assert figures["by_account"]["share_of_top_30pct"] == 0.8
    assert figures["by_account"]["n_for_50"] == 2


def test_a_share_out_of_bounds_is_refused():
    with pytest.raises(SettingsError, match="top_share"):
        ConcentrationSettings(top_share=20)


def test_dormant_accounts_are_last_and_outside_n_and_k(invoiced):
    now, long_ago = date(2026, 1, 5), date(2023, 1, 5)
    lines = [("B", now, 5.0), ("C", now, -1.0), ("A", long_ago, 9.0)]
    portfolio = invoiced(["A", "B", "C", "D"], lines)
    result = concentration(portfolio)
    assert result.summary["by_account"]["n"] == 2
    assert column(result, "rank") == {"B": 1, "C": 2, "A": 3, "D": 3}
    assert [*column(result, "rank")] == ["B", "C", "A", "D"]
    assert column(result, "is_dormant")["A"] is True
    assert column(result, "share")["A"] == 0
    assert result.reasons("A")[0].code == "rank_dormant"
    counted = concentration(portfolio, ConcentrationSettings(population="all"))
    assert counted.summary["by_account"]["n"] == 4
    assert column(counted, "rank") == {"B": 1, "A": 2, "D": 2, "C": 4}
    assert counted.params["population"] == "all"


def test_an_account_is_told_where_it_came_from(invoiced):
    before, now = date(2025, 1, 5), date(2026, 1, 5)
    lines = [("A", before, 50.0), ("B", before, 90.0), ("D", before, 7.5)]
    lines += [("A", now, 90.0), ("B", now, 50.0), ("C", now, 10.0)]
    result = concentration(invoiced([*"ABCD"], lines))
    own = {each: [reason.code for reason in result.reasons(each)] for each in "ABCD"}
    assert own["A"][:2] == ["rank", "rank_up"]
    assert own["B"][:2] == ["rank", "rank_down"]
    assert own["C"][:2] == ["rank", "rank_is_new"]
    assert own["D"][:2] == ["rank_dormant", "rank_has_left"]
    assert column(result, "rank_change") == {"A": 1, "B": -1, "C": None, "D": None}


def test_who_has_no_former_amount_climbs_from_nowhere(booked):
    before, now = date(2025, 1, 5), date(2026, 1, 5)
    lines = [("A", before, 50.0), ("B", before, None), ("C", before, None)]
    lines += [("A", now, 10.0), ("B", now, 50.0)]
    result = concentration(booked([*"ABC"], lines))
    assert column(result, "revenue_previous") == {"A": 50.0, "B": None, "C": None}
    assert column(result, "rank_change") == {"A": -1, "B": None, "C": None}
    assert column(result, "is_new")["B"] is False
    codes_of_c = [reason.code for reason in result.reasons("C")]
    assert "rank_has_left_unknown" in codes_of_c
    assert "amounts_unknown_before" in codes(result)


def test_a_young_account_shows_its_months(invoiced):
    lines = [("A", date(2024, 1, 5), 1.0), ("B", date(2026, 5, 5), 9.0)]
    lines += [("B", date(2026, 6, 5), 9.0), ("A", date(2026, 1, 5), 9.0)]
    result = concentration(invoiced(["A", "B"], lines))
    assert column(result, "months_active") == {"B": 2, "A": 1}
    assert column(result, "is_young") == {"B": True, "A": False}
    assert {each.code: each.values for each in result.reasons("B")}["young"] == {
        "first_on": date(2026, 5, 5),
        "months": 2,
    }


def test_a_major_is_shown_with_its_age_and_its_trend(invoiced):
    lines = [("A", date(2024, 7, 1), 10.0), ("A", date(2026, 6, 30), 30.0)]
    lines += [("B", date(2024, 9, 30), 30.0), ("B", date(2026, 4, 1), 10.0)]
    result = concentration(invoiced(["A", "B"], lines))
    major = result.summary["majors"][0]
    assert major["ultimate_parent_id"] == "A"
    assert major["share_by_quarter"] == [0.25, *[None] * 6, 0.75]
    assert major["first_revenue_on"] == "2024-07-01"
    assert major["years_of_relationship"] == 2.0
    quarters = result.summary["quarters"]
    assert len(quarters) == 8
    assert quarters[0] == {"from_on": "2024-07-01", "to_on": "2024-09-30"}
    assert quarters[-1] == {"from_on": "2026-04-01", "to_on": "2026-06-30"}


def test_a_major_says_whether_more_and_more_hangs_on_it(invoiced):
    lines = [("A", date(2024, 7, 1), 10.0), ("A", date(2025, 7, 1), 30.0)]
    lines += [("B", date(2025, 6, 30), 30.0), ("B", date(2026, 6, 30), 10.0)]
    lines += [("C", date(2026, 6, 30), 0.5)]
    result = concentration(invoiced([*"ABC"], lines))
    major = result.summary["majors"][0]
    assert (major["share_year_before"], major["share_last_year"]) == (
        0.25,
        pytest.approx(30 / 40.5),
    )
    assert major["share_change"] == pytest.approx(30 / 40.5 - 0.25)
    trend = result.reasons("A")[-1]
    assert trend.code == "dependence_trend"
    assert trend.values["first_on"] == "2024-07-01"
    assert (trend.values["before"], trend.values["group_id"]) == (0.25, "A")
    assert result.reasons("C")[-1].code == "dependence_none"
    said = result.explain("A", lang="fr")
    assert "depuis le 1er juillet 2024" in said


def test_without_a_year_before_there_is_no_trend(yearly, invoiced):
    book = invoiced(["A"], [("A", date(2025, 7, 1), 10.0)])
    (major,) = concentration(book).summary["majors"]
    assert major["share_year_before"] is major["share_change"] is None
    assert major["share_last_year"] == 1
    assert "dependence_trend" not in [
        reason.code for reason in concentration(book).reasons("A")
    ]


def test_an_unknown_amount_leaves_the_share_of_its_quarter_unknown(booked):
    """Sheet 0.2.5: unknown is never 0. A's share of a year with an amount of B that
    nobody knows is no 100 %, and there is no trend from it."""
    lines = [("A", date(2024, 7, 1), 10.0), ("A", date(2024, 11, 1), 10.0)]
    lines += [("B", date(2024, 11, 2), None)]
    lines += [("A", date(2025, 7, 1), 30.0), ("B", date(2026, 6, 30), 10.0)]
    result = concentration(booked([*"AB"], lines))
    major = result.summary["majors"][0]
    assert major["ultimate_parent_id"] == "A"
    assert major["share_by_quarter"] == [1, *[None] * 3, 1, None, None, 0]
    assert major["share_year_before"] is major["share_change"] is None
    assert major["share_last_year"] == 0.75
    codes = [reason.code for reason in result.reasons("A")]
    assert "dependence_trend" not in codes


def test_dependence_names_the_group_and_its_share(yearly):
    result = concentration(yearly({"A": 70, "B": 12, "C": 9, "D": 9}, C="B"))
    reason = result.reasons("C")[-1]
    assert reason.code == "dependence_dependent_group"
    assert reason.values == {
        "group_id": "B",
        "share": 0.21,
        "threshold": 0.2,
        "members": 2,
    }
    assert result.reasons("D")[-1].code == "dependence_none"
    assert result.reasons("A")[-1].code == "dependence_dependent"


def test_a_loop_of_parents_is_one_group_and_one_warning(invoiced):
    accounts = [
        {"account_id": "A", "parent_id": "B"},
        {"account_id": "B", "parent_id": "A"},
    ]
    lines = [(each, date(2026, 1, 5), 10.0) for each in "AB"]
    result = concentration(invoiced(accounts, lines))
    assert {warning.code: warning.values for warning in result.warnings}[
        "cycle_in_parents"
    ] == {"n": 1}
    assert result.summary["by_group"]["n"] == 1
    assert result.summary["majors"][0]["ultimate_parent_id"] == "A"


def test_without_a_positive_total_dependence_is_unknown(yearly):
    result = concentration(yearly({"A": 5, "B": -9}))
    assert codes(result)[0] == "non_positive_total"
    assert set(column(result, "share").values()) == {None}
    assert set(column(result, "dependence").values()) == {"unknown"}
    assert result.reasons("A")[-1].code == "dependence_unknown"
    assert result.reasons("A")[0].code == "rank_without_share"
    assert column(result, "rank") == {"A": 1, "B": 2}


def test_an_account_whose_amounts_are_all_unknown_stays_unknown(booked):
    day, old = date(2026, 1, 5), date(2024, 1, 5)
    lines = [("A", day, 5.0), ("A", day, None), ("B", day, None), ("A", old, 1.0)]
    result = concentration(booked(["A", "B"], lines))
    assert column(result, "revenue") == {"A": 5.0, "B": None}
    assert column(result, "rank") == {"A": 1, "B": None}
    assert column(result, "dependence") == {"A": "dependent", "B": "unknown"}
    assert result.reasons("B")[0].code == "revenue_unknown"
    assert result.reasons("B")[-1].code == "dependence_unmeasured"
    assert "revenue_partly_unknown" in [each.code for each in result.reasons("A")]
    assert result.coverage == pytest.approx(1 / 3, abs=1e-12)
    assert result.params["measure"] == "booked"


def test_a_part_of_the_revenue_proves_much_and_never_little(booked):
    day = date(2026, 1, 15)
    accounts = [
        {"account_id": "A", "parent_id": None},
        {"account_id": "B", "parent_id": "A"},
        {"account_id": "C", "parent_id": None},
        {"account_id": "D", "parent_id": None},
    ]
    lines = [("A", day, 5.0), ("B", day, None), ("C", day, 80.0), ("D", day, 15.0)]
    result = concentration(booked(accounts, [*lines, ("D", day, None)]))
    assert column(result, "dependence") == {
        "A": "unknown",
        "B": "unknown",
        "C": "dependent",
        "D": "major",
    }
    assert result.reasons("A")[-1].code == "dependence_open"


def test_what_is_assigned_is_rank_share_and_dependence(yearly):
    result = concentration(yearly({"A": 200, "B": 100, "C": 0}))
    assert result.assignments().to_pydict() == {
        "account_id": ["A", "B", "C"],
        "portfolio_rank": [1, 2, 3],
        "revenue_share": [0.666667, 0.333333, 0.0],
        "dependence": ["dependent", "dependent", "none"],
    }
    kinds = dict(
        zip(result.assignments().column_names, result.assignments().schema.types)
    )
    assert kinds["portfolio_rank"] == pa.int64()
    assert kinds["revenue_share"] == pa.float64()


def test_the_lorenz_curve_comes_in_the_portfolios_kind_of_frame(base):
    curve = to_arrow(base.lorenz)
    assert curve.column_names == ["account_share", "revenue_share"]
    assert curve.num_rows == 11
    assert curve["revenue_share"][9].as_py() == pytest.approx(0.6)


def test_every_setting_is_echoed(base):
    assert base.params["period"] == {
        "name": "last_12_months",
        "start": "2025-07-01",
        "end": "2026-07-01",
        "last_day": "2026-06-30",
    }
    own = base.params["settings"]
    assert (own["seed"], own["draws"], own["major_share"]) == (2026, 500, 0.1)
    assert base.params["measure"] == "net_revenue"
    assert base.params["as_of"] == "2026-06-30"
    assert len(base.params["portfolio"]) == 64


def test_thirty_accounts_get_an_interval_for_their_gini(yearly):
    amounts = {f"A{at:02}": at * at for at in range(1, 31)}
    result = concentration(yearly(amounts))
    low, high = result.summary["by_account"]["gini_interval"]
    assert low < result.summary["by_account"]["gini"] < high
    assert "n_lt_30" not in codes(result)


@pytest.mark.parametrize("backend", ["pandas", "polars", "pyarrow"])
def test_the_firm_is_the_same_in_every_kind_of_frame(backend):
    def all_of_it(kind):
        result = concentration(samples.firm(backend=kind))
        return json.dumps(result.to_dict(), allow_nan=False)

    assert all_of_it(backend) == all_of_it("pyarrow")


def test_the_firm_depends_on_one_client_and_has_one_major_group():
    result = concentration(samples.firm())
    kinds = column(result, "dependence")
    assert kinds["A01"] == "dependent"
    assert {kinds[each] for each in ("A02", "A03", "A04")} == {"major"}
    assert result.summary["by_account"]["n"] == 12
    assert result.summary["by_account"]["total"] == 1_000_000
    assert [*column(result, "rank")][-1] == "A13"


def test_the_planted_truths_of_the_book_come_out():
    """The giant holds 24 %, the group 13 % (samples.book)."""
    from crm_portfolio.portfolio import Portfolio

    book = samples.book(accounts=60, opportunities=600)
    portfolio = Portfolio.from_frames(
        as_of=book.truths["as_of"], currency=book.truths["currency"], **book.tables
    )
    result = concentration(portfolio)
    majors = {each["ultimate_parent_id"]: each for each in result.summary["majors"]}
    assert majors[book.truths["giant"]]["dependence"] == "dependent"
    group = majors[book.truths["group_root"]]
    assert group["dependence"] == "major"
    assert group["members"] == sorted(book.truths["group"])


@settings(
    deadline=None,
    max_examples=10,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("ABCDE"), st.integers(-500, 900), st.integers(0, 700)
        ),
        min_size=1,
        max_size=25,
    ),
    st.randoms(use_true_random=False),
)
def test_row_order_and_backend_change_no_byte(invoiced, lines, random):
    """Sheet 11.1: and twice the same input, twice the same output."""
    start = date(2024, 7, 1).toordinal()
    rows = [
        (who, date.fromordinal(start + day), cents / 100) for who, cents, day in lines
    ]
    mixed = random.sample(rows, len(rows))
    accounts = [
        {"account_id": each, "parent_id": "A" if each == "C" else None}
        for each in "ABCDE"
    ]
    own = ConcentrationSettings(period=Period.last_months(12))

    def all_of_it(these, those, backend):
        result = concentration(invoiced(those, these, backend=backend), own)
        return json.dumps(
            {key: value for key, value in result.to_dict().items() if key != "params"},
            allow_nan=False,
        )

    first = all_of_it(rows, accounts, "pyarrow")
    assert all_of_it(mixed, accounts[::-1], "pyarrow") == first
    assert (
        all_of_it(mixed, accounts[::-1], random.choice(["pandas", "polars"])) == first
    )


@settings(
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(st.tuples(st.integers(1, 900), st.integers(0, 4)), min_size=2, max_size=12)
)
def test_groups_are_never_less_concentrated_than_their_accounts(yearly, accounts):
    """Sheet 11.2, through the whole: HHI and effective numbers, and CC below the HHI."""
    amounts = {f"A{at:02}": amount for at, (amount, _) in enumerate(accounts)}
    parents = {
        f"A{at:02}": f"A{up:02}" for at, (_, up) in enumerate(accounts) if up < at
    }
    summary = concentration(yearly(amounts, **parents)).summary
    alone, together = summary["by_account"], summary["by_group"]
    assert together["hhi"] >= alone["hhi"] - 1e-9
    assert together["total"] == alone["total"]
    for side in (alone, together):
        assert side["effective_number"] <= side["n"] + 1e-9
        assert side["effective_number_entropy"] >= side["effective_number"] - 1e-9
        assert side["customer_concentration"] <= side["hhi"] + 1e-9
        assert 0 < side["pareto"]["joint_share"] <= 0.5
