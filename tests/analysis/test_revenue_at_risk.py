"""How much could we lose within a year, and at which odds?"""

from __future__ import annotations

import json
from datetime import date

import attrs
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from crm_portfolio import samples
from crm_portfolio._analyse import analyse
from crm_portfolio._frames import to_arrow
from crm_portfolio._methods._rates import wilson
from crm_portfolio.analysis import (
    Abc,
    LossScenarioSettings,
    RevenueAtRiskSettings,
    RiskSettings,
    Slices,
    loss_scenario,
    revenue_at_risk,
    risk,
)
from crm_portfolio.analysis._succession import SuccessionSettings, succession
from crm_portfolio.errors import MissingTableError, SettingsError
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.settings import Settings

FIVE = dict(zip("ABCDE", [300, 250, 200, 150, 100], strict=True))
ODDS = dict(zip("ABCDE", [0.1, 0.2, 0.1, 0.3, 0.2], strict=True))
FEW = RevenueAtRiskSettings(draws=2_000)


def column(result, name, frame="frame") -> dict[str, object]:
    table = to_arrow(getattr(result, frame))
    return dict(zip(table.column(0).to_pylist(), table[name].to_pylist(), strict=True))


def codes(result) -> list[str]:
    return [warning.code for warning in result.warnings]


LIMITS = {"row_lt_10", "year_before_partial"}


class TestTheSheet:
    def test_five_clients_have_the_printed_figures(self, yearly):
        """Sheet 4.5 [H, exact enumeration]: T = 1000."""
        figures = revenue_at_risk(yearly(FIVE), odds=ODDS).summary["independent"]
        assert (figures["method"], figures["grid"]) == ("enumeration", None)
        assert figures["mean"] == 165
        assert round(figures["sd"], 4) == 167.4067
        assert figures["no_loss_probability"] == 0.36288
        assert [figures[f"var_{level}"] for level in (90, 95, 99)] == [400, 450, 650]
        shortfalls = [round(figures[f"es_{level}"], 2) for level in (90, 95, 99)]
        assert shortfalls == [507.90, 584.16, 731.00]
        assert figures["one_of_top_probability"] == 0.352

    def test_with_a_common_factor_the_bad_years_are_worse(self, yearly):
        """Sheet 4.5 [H], rho = .2: mean about 165, sd about 193.5, VaR95 550."""
        chosen = RevenueAtRiskSettings(draws=200_000)
        result = revenue_at_risk(yearly(FIVE), chosen, odds=ODDS)
        figures = result.summary["common_factor"]
        assert figures["mean"] == pytest.approx(165, abs=1.5)
        assert figures["sd"] == pytest.approx(193.5, abs=1.5)
        assert figures["var_95"] == 550
        assert (figures["method"], figures["draws"]) == ("draws", 200_000)
        assert (figures["seed"], figures["common_factor"]) == (2026, 0.2)
        assert figures["standard_error"] == pytest.approx(
            193.5 / 200_000**0.5, rel=0.01
        )

    @pytest.mark.parametrize(("fixed", "odds"), [(320, 0.35056), (319.99, 0.35056)])
    def test_a_loss_beyond_the_margin_of_safety_is_a_loss_year(
        self, yearly, fixed, odds
    ):
        """Sheet 4.5, P(L > MoS·R) with R the firm's total (amendment 17), and 4.2 [H]:
        R 1000, m .4, F 320: MoS .20, and P(L > 200) is .35056."""
        chosen = RevenueAtRiskSettings(fixed_costs=fixed, variable_cost_share=0.6)
        result = revenue_at_risk(yearly(FIVE), chosen, odds=ODDS)
        assert result.summary["independent"]["loss_year_probability"] == odds
        assert result.summary["safety"] == pytest.approx(200, abs=0.03)

    def test_a_cent_less_of_safety_makes_a_loss_of_two_hundred_a_loss_year(
        self, yearly
    ):
        """The margin is reached at exactly 200: P(L ≥ 200) is .39088."""
        chosen = RevenueAtRiskSettings(fixed_costs=320.01, variable_cost_share=0.6)
        result = revenue_at_risk(yearly(FIVE), chosen, odds=ODDS)
        assert result.summary["independent"]["loss_year_probability"] == 0.39088


class TestOdds:
    def test_without_any_the_rate_of_the_tier_stands_in_and_is_flagged(self):
        firm = samples.firm()
        rates = succession(firm).leaving_rates
        assert rates
        result = revenue_at_risk(firm, FEW, odds={"A01": 0.5})
        odds, source = column(result, "odds"), column(result, "odds_source")
        tier = column(result, "tier")
        assert (odds["A01"], source["A01"]) == (0.5, "given")
        assert (odds["A05"], source["A05"]) == (rates[tier["A05"]], "base_rate")
        assert source["A11"] == "pooled_rate"  # too new for a tier
        assert min(rates.values()) < odds["A11"] < max(rates.values())
        assert "base_rate_used" in codes(result)
        flagged = result.summary["odds_from"]
        assert [flagged[name]["n"] for name in flagged] == [1, 0, 7, 1, 0]
        told = {each.code: each.values for each in result.warnings}["base_rate_used"]
        assert told["n"] == 8
        assert told["share"] == pytest.approx(750 / 1010)
        assert sum(each["revenue_share"] for each in flagged.values()) == pytest.approx(
            1
        )

    def test_a_result_of_succession_is_taken_as_it_is(self):
        firm = samples.firm()
        other = succession(firm, SuccessionSettings(smoothing=40.0))
        result = revenue_at_risk(firm, FEW, succession=other)
        assert result.summary["base_rates"] == dict(other.leaving_rates)
        assert result.summary["base_rates"] != dict(succession(firm).leaving_rates)

    def test_a_loss_never_seen_is_unknown_and_not_impossible(self, loyal):
        """Sheet 0.2.9: of six accounts none left; that tells little of the next year."""
        result = revenue_at_risk(loyal, FEW)
        assert [*succession(loyal).leaving_rates.values()] == [0] * 4
        assert result.summary["base_rates"] == dict.fromkeys("ABCD")
        assert sum(result.summary["base_rate_counts"].values()) == 6
        assert result.summary["independent"] is None
        high = wilson(0, 6)[1]
        assert result.summary["none_left"] == {"n": 6, "high": pytest.approx(high)}
        assert {"var_none_left", "var_without_odds"} <= set(codes(result))
        assert "row_lt_10" not in codes(result)
        said = result.explain("A5").replace("\N{NO-BREAK SPACE}", " ")
        assert "None of the 6 accounts of a year before has left" in said
        assert "a rate of up to 39.0 %" in said
        told = result.outlook().splitlines()
        assert told[0].startswith("What a year may cost is unknown")
        assert "odds 0.0" not in said + result.outlook()

    def test_given_odds_are_told_where_the_past_tells_none(self, loyal):
        result = revenue_at_risk(loyal, FEW, odds={"A5": 0.25})
        assert result.summary["independent"]["mean"] == 0.25 * 2400
        assert result.summary["odds_from"]["unknown"]["n"] == 5

    def test_a_tier_that_lost_nobody_has_the_rate_of_all(self):
        """Unsmoothed, some tiers of the firm have a rate of 0: not a promise."""
        plain = succession(samples.firm(), SuccessionSettings(smoothing=0.0))
        assert 0 in plain.leaving_rates.values()
        result = revenue_at_risk(samples.firm(), FEW, succession=plain)
        assert min(v for v in column(result, "odds").values() if v is not None) > 0
        assert None in result.summary["base_rates"].values()

    def test_on_how_few_accounts_a_rate_stands_is_said_with_it(self):
        firm = samples.firm()
        result = revenue_at_risk(firm, FEW)
        told = succession(firm)
        counts = {each["tier"]: each["row_count"] for each in told.summary["tiers"]}
        assert result.summary["base_rate_counts"] == counts
        limits = [each for each in told.warnings if each.code in LIMITS]
        assert [each for each in result.warnings if each.code in LIMITS] == limits
        assert {each.code for each in limits} == LIMITS
        assert result.reasons("A01")[0].values["n"] == counts["A"] == 1
        assert "seen on 1 account." in result.explain("A01")
        assert "vu sur 12 comptes." in result.explain("A11", lang="fr")

    def test_odds_that_are_all_given_carry_no_warning_of_rates(self, yearly):
        assert not LIMITS & set(codes(revenue_at_risk(yearly(FIVE), FEW, odds=ODDS)))

    def test_rates_of_another_portfolio_are_refused(self, yearly):
        other = succession(samples.firm())
        with pytest.raises(SettingsError, match="succession is of another portfolio"):
            revenue_at_risk(yearly(FIVE), FEW, succession=other)

    def test_where_all_are_given_no_rate_is_asked_for(self, yearly):
        result = revenue_at_risk(yearly(FIVE), FEW, odds=ODDS)
        assert result.summary["base_rates"] == {}
        assert "base_rate_used" not in codes(result)
        assert result.summary["odds_from"]["given"] == {"n": 5, "revenue_share": 1}

    def test_odds_that_nobody_knows_are_unknown_and_not_zero(self, invoiced):
        """A book too young for rates of its own: what has no odds is told apart."""
        lines = [(each, date(2026, 1, 5), 100.0) for each in "AB"]
        book = invoiced(["A", "B"], lines)
        nobody = revenue_at_risk(book, FEW)
        assert nobody.summary["independent"] is None
        assert nobody.summary["common_factor"] is None
        assert column(nobody, "expected_loss") == {"A": None, "B": None}
        assert "var_without_odds" in codes(nobody)
        assert nobody.reasons("A")[0].code == "var_odds_unknown"
        one = revenue_at_risk(book, FEW, odds={"A": 0.25, "B": None})
        assert one.summary["independent"]["mean"] == 25
        told = {each.code: each.values for each in one.warnings}["var_without_odds"]
        assert told == {"n": 1, "share": 0.5}
        assert one.summary["independent"]["one_of_top_probability"] is None

    def test_odds_come_as_any_mapping_and_nan_is_unknown(self, yearly):
        ids = pa.array([*FIVE])
        odds = dict(zip(ids, [0.1, 0.2, 0.1, 0.3, 0.2], strict=True))
        assert (
            revenue_at_risk(yearly(FIVE), FEW, odds=odds).summary["independent"]["mean"]
            == 165
        )
        lacking = revenue_at_risk(yearly(FIVE), FEW, odds={**ODDS, "A": float("nan")})
        assert column(lacking, "odds_source")["A"] != "given"

    @pytest.mark.parametrize("odds", [-0.1, 1.1])
    def test_odds_out_of_bounds_are_refused(self, yearly, odds):
        with pytest.raises(SettingsError, match="odds are from 0 to 1"):
            revenue_at_risk(yearly(FIVE), FEW, odds={"A": odds})

    def test_odds_of_nobody_we_know_are_refused_with_the_nearest(self):
        with pytest.raises(SettingsError, match="'A0100'; did you mean 'A10'"):
            revenue_at_risk(samples.firm(), FEW, odds={"A0100": 0.1})


@pytest.fixture
def loyal(invoiced):
    """Six accounts that buy each quarter of four years; none is ever lost."""
    lines = [
        (f"A{at}", date(year, month, 10), 100.0 * (at + 1))
        for at in range(6)
        for year in range(2022, 2027)
        for month in (2, 5, 8, 11)
        if (year, month) <= (2026, 6)
    ]
    return invoiced([f"A{at}" for at in range(6)], lines)


class TestGroups:
    def test_a_group_stays_or_leaves_as_one(self, yearly):
        """Sheet 0.2.4 and 0.4: by ultimate parent; then it is one client of 450."""
        book = yearly(FIVE, C="B")
        odds = ODDS | {"B": 0.2, "C": 0.2}
        result = revenue_at_risk(book, FEW, odds=odds)
        assert column(result, "client_id")["C"] == "B"
        assert column(result, "loss", "clients") == {
            "B": 450,
            "A": 300,
            "D": 150,
            "E": 100,
        }
        alone = revenue_at_risk(
            book, RevenueAtRiskSettings(draws=2_000, level="account"), odds=odds
        )
        means = [each.summary["independent"]["mean"] for each in (result, alone)]
        assert means == [185, 185]
        spreads = [each.summary["independent"]["sd"] for each in (result, alone)]
        assert spreads[0] > spreads[1]

    def test_odds_of_one_account_speak_for_its_group(self, yearly):
        result = revenue_at_risk(yearly(FIVE, C="B"), FEW, odds={"B": 0.4, "A": 0.1})
        assert column(result, "client_odds")["C"] == 0.4
        assert column(result, "client_odds_source")["C"] == "given"

    def test_several_speak_by_their_revenue(self, yearly):
        """So that the loss to expect is that of the accounts."""
        result = revenue_at_risk(yearly(FIVE, C="B"), FEW, odds=ODDS)
        assert column(result, "client_odds")["C"] == pytest.approx(70 / 450)
        assert result.summary["independent"]["mean"] == 165
        assert sum(column(result, "expected_loss").values()) == pytest.approx(165)
        said = [reason.code for reason in result.reasons("C")]
        assert said == ["var_odds_given", "var_group", "var_expected", "var_firm"]


RATES = RiskSettings(odds="rates")


def left(**days: date) -> pa.Table:
    return pa.table({"account_id": [*days], "left_on": [*days.values()]})


class TestWhoIsGone:
    def test_who_has_left_has_no_odds_and_is_lost_no_second_time(self, yearly):
        book = yearly(FIVE)
        known = risk(book, RATES, departures=left(B=date(2026, 3, 1)))
        result = revenue_at_risk(book, FEW, odds=ODDS, risk=known)
        assert known.departed == {"B": date(2026, 3, 1)}
        assert column(result, "odds_source")["B"] == "gone"
        assert column(result, "left_on")["B"] == date(2026, 3, 1)
        assert column(result, "odds")["B"] is None
        assert column(result, "loss")["B"] == column(result, "expected_loss")["B"] == 0
        # 165 less .2 · 250, of 750 that can be lost: sheet 4.5 without the second.
        assert result.summary["independent"]["mean"] == 115
        assert result.summary["can_be_lost"] == 750
        assert result.summary["gone"] == {"account_count": 1, "revenue": 250}
        assert "B" not in result.summary["largest"]
        assert "var_gone_left_out" in codes(result)

    def test_no_rate_of_a_tier_stands_in_for_who_is_gone(self):
        firm = samples.firm()
        known = risk(firm, RATES, departures=left(A05=date(2026, 6, 30)))
        before = column(revenue_at_risk(firm, FEW), "odds_source")
        result = revenue_at_risk(firm, FEW, risk=known)
        assert before["A05"] == "base_rate"
        after = column(result, "odds_source")
        assert after == before | {"A05": "gone"}
        said = {lang: result.explain("A05", lang=lang) for lang in ("en", "fr")}
        assert said["en"].startswith("It left on 30 June 2026, as is said: the ")
        assert said["fr"].startswith("Il est parti le 30 juin 2026")
        told = {lang: known.explain("A05", lang=lang) for lang in ("en", "fr")}
        assert "It left on 30 June 2026, as is said" in told["en"]
        assert "Il est parti le 30 juin 2026" in told["fr"]

    def test_who_bought_again_is_not_gone(self, yearly):
        book = yearly(FIVE)  # all buy on 15 January 2026
        known = risk(book, RATES, departures=left(B=date(2026, 1, 14)))
        result = revenue_at_risk(book, FEW, odds=ODDS, risk=known)
        assert known.departed == {}
        assert result.summary["independent"]["mean"] == 165

    def test_a_group_goes_on_without_the_account_that_is_gone(self, yearly):
        book = yearly(FIVE, C="B")
        known = risk(book, RATES, departures=left(B=date(2026, 3, 1)))
        result = revenue_at_risk(book, FEW, odds=ODDS, risk=known)
        told = {
            name: column(result, f"client_{name}")["C"]
            for name in ("revenue", "odds", "member_count")
        }
        assert told == {"revenue": 200, "odds": 0.1, "member_count": 1}
        assert result.summary["independent"]["mean"] == 115

    def test_what_they_brought_is_off_the_margin_of_safety(self, yearly):
        """R 1000, m .4, F 320: an edge of 800; without B's 250 no year is above it."""
        chosen = attrs.evolve(FEW, fixed_costs=320, variable_cost_share=0.6)
        book = yearly(FIVE)
        known = risk(book, RATES, departures=left(B=date(2026, 3, 1)))
        result = revenue_at_risk(book, chosen, odds=ODDS, risk=known)
        assert result.summary["safety"] == -50
        assert result.summary["independent"]["loss_year_probability"] == 1

    def test_a_client_all_of_whose_accounts_are_gone_is_said_to_be(self, yearly):
        book = yearly(FIVE)
        days = dict.fromkeys("ABCDE", date(2026, 3, 1))
        result = revenue_at_risk(
            book, FEW, risk=risk(book, RATES, departures=left(**days))
        )
        assert set(column(result, "odds_source", "clients").values()) == {"gone"}
        assert result.summary["can_be_lost"] == 0
        assert result.summary["independent"]["mean"] == 0
        assert "base_rate_used" not in codes(result)


class TestWhatGoes:
    def test_who_brings_nothing_is_left_out_and_listed(self, yearly):
        """Sheet 4.5, edge: r ≤ 0 is excluded; R stays the firm's total."""
        result = revenue_at_risk(yearly({**FIVE, "F": -50, "G": 0}), FEW, odds=ODDS)
        assert result.summary["revenue"] == 950
        assert result.summary["can_be_lost"] == 1000
        assert result.summary["independent"]["mean"] == 165
        assert column(result, "is_excluded")["F"] is True
        assert result.reasons("F")[0].code == "var_excluded"
        assert {each.code: each.values for each in result.warnings}[
            "var_negative_excluded"
        ] == {"n": 2}

    def test_a_part_may_go(self, yearly):
        chosen = RevenueAtRiskSettings(lost_share=0.5, draws=2_000)
        result = revenue_at_risk(yearly(FIVE), chosen, odds=ODDS)
        assert result.summary["independent"]["var_95"] == 225
        assert column(result, "loss")["A"] == 150

    def test_a_half_year_is_brought_to_a_year(self, yearly):
        chosen = RevenueAtRiskSettings(Period.last_months(6), draws=2_000)
        result = revenue_at_risk(yearly(FIVE), chosen, odds=ODDS)
        assert result.summary["independent"]["mean"] == 330
        assert "loss_annualised" in codes(result)

    def test_what_is_unknown_makes_the_loss_larger_than_shown(self, booked):
        day = date(2026, 1, 5)
        lines = [("A", day, 100.0), ("B", day, None)]
        result = revenue_at_risk(booked(["A", "B"], lines), FEW, odds={"A": 0.5})
        assert column(result, "loss") == {"A": 100, "B": None}
        assert "var_partly_unknown" in codes(result)
        assert result.reasons("B")[0].code == "revenue_unknown"

    def test_beyond_twenty_clients_the_grid_is_told(self, yearly):
        """Amendment 17: 1/20,000 of what can be lost, or the minor unit."""
        amounts = {f"A{at:02}": 1_000 + 10 * at for at in range(21)}
        odds = dict.fromkeys(amounts, 0.1)
        figures = revenue_at_risk(yearly(amounts), FEW, odds=odds).summary
        assert figures["independent"]["method"] == "convolution"
        assert figures["independent"]["grid"] == pytest.approx(
            23_100 / 20_000, abs=0.01
        )
        fewer = {key: amounts[key] for key in [*amounts][:20]}
        exact = revenue_at_risk(
            yearly(fewer), FEW, odds=dict.fromkeys(fewer, 0.1)
        ).summary
        assert exact["independent"]["method"] == "enumeration"

    def test_that_nobody_leaves_is_known_whatever_the_grid(self, yearly):
        """Sheet 4.5: P(L = 0) is the product of 1 - p; 29 of 50 beside one of 10 M."""
        amounts = {"BIG": 10_000_000.0} | {f"S{at:02}": 50.0 for at in range(29)}
        odds = dict.fromkeys(amounts, 0.1)
        figures = revenue_at_risk(yearly(amounts), FEW, odds=odds).summary
        alone = figures["independent"]
        assert (alone["method"], alone["grid"]) == (
            "convolution",
            pytest.approx(500.08),
        )
        assert alone["no_loss_probability"] == pytest.approx(0.9**30, rel=1e-9)

    def test_revenue_must_come_from_somewhere(self):
        book = Portfolio.from_frames(
            as_of=date(2026, 6, 30),
            currency="EUR",
            account=pa.table({"account_id": ["A"]}),
        )
        with pytest.raises(MissingTableError, match="revenue_at_risk"):
            revenue_at_risk(book)


class TestTheResult:
    def test_the_largest_loss_to_expect_comes_first(self, yearly):
        result = revenue_at_risk(yearly(FIVE), FEW, odds=ODDS)
        assert [*column(result, "expected_loss").items()] == [
            *(("B", 50.0), ("D", 45.0), ("A", 30.0), ("C", 20.0), ("E", 20.0)),
        ]
        variance = column(result, "variance_share", "clients")
        assert sum(variance.values()) == pytest.approx(1)
        assert variance["B"] == pytest.approx(0.16 * 250**2 / 167.4067**2, abs=1e-6)

    def test_it_explains_the_account_and_the_year_in_both_languages(self):
        result = revenue_at_risk(
            samples.firm(), RevenueAtRiskSettings(fixed_costs=1), odds={"A01": 0.25}
        )
        said = result.explain("A01").replace("\N{NO-BREAK SPACE}", " ")
        assert "Loss to expect: 65,000 EUR a year, which is 25.0 %" in said
        dit = result.explain("A03", lang="fr")
        assert "Il reste ou part avec son groupe" in dit
        assert len(result.outlook(lang="fr").splitlines()) == 7

    def test_every_choice_is_echoed(self, yearly):
        own = RevenueAtRiskSettings(levels=[0.5], common_factor=0.4, seed=7, draws=10)
        result = revenue_at_risk(yearly(FIVE), own, odds=ODDS)
        echoed = result.params["settings"]
        assert echoed["levels"] == [0.5]
        assert (echoed["common_factor"], echoed["seed"], echoed["draws"]) == (
            0.4,
            7,
            10,
        )
        assert "var_50" in result.summary["independent"]
        json.dumps(result.to_dict(), allow_nan=False)

    def test_the_rule_behind_the_rates_is_echoed_and_compared(self, yearly):
        firm, rules = samples.firm(), (Slices(3), Abc())
        one, other = (
            revenue_at_risk(
                firm, FEW, succession=succession(firm, SuccessionSettings(method=rule))
            )
            for rule in rules
        )
        assert one.params["succession"]["settings"]["method"]["count"] == 3
        changed = other.compared_with(one).changed
        kinds = changed["succession.settings.method.kind"]
        assert kinds == ("Slices", "Abc")
        given = revenue_at_risk(yearly(FIVE), FEW, odds=ODDS)
        assert given.params["succession"] is None

    def test_the_distribution_rises_to_one_and_passes_the_var_at_its_level(
        self, yearly
    ):
        result = revenue_at_risk(yearly(FIVE), odds=ODDS)
        table = to_arrow(result.distribution)
        losses = table["loss"].to_numpy()
        for name in ("independent", "common_factor"):
            odds = table[name].to_numpy()
            assert (np.diff(odds) >= 0).all()
            assert odds[-1] >= 0.999
            edge = result.summary[name]["var_95"]
            assert odds[losses >= edge][0] >= 0.95 - 1e-9
            assert (odds[losses < edge - 1e-6] < 0.95).all()

    def test_the_pictures_mark_the_values_at_risk(self, yearly):
        figure = pytest.importorskip("matplotlib.figure")
        result = revenue_at_risk(yearly(FIVE), FEW, odds=ODDS)
        for draw in (result.plot, result.plot_odds):
            ax = draw(ax=figure.Figure().subplots())
            marks = [
                text.get_text().replace("\N{NO-BREAK SPACE}", " ") for text in ax.texts
            ]
            assert marks == ["VaR 90 %", "VaR 95 %", "VaR 99 %"]
            places = {line.get_xdata()[0] for line in ax.lines}
            assert result.summary["common_factor"]["var_95"] in places
        bars = result.plot(ax=figure.Figure().subplots()).containers[0]
        heights = [bar.get_height() for bar in bars]
        assert sum(heights) == pytest.approx(100, abs=0.5)

    def test_what_the_firm_costs_is_said_once_for_all_analyses(self):
        costs = LossScenarioSettings(fixed_costs=320_000, variable_cost_share=0.6)
        found = analyse(samples.firm(), Settings(loss_scenario=costs))
        before = loss_scenario(samples.firm(), costs).summary["before"]
        share = found["revenue_at_risk"].summary["safety_share"]
        assert share == before["margin_of_safety"] == 0.2

    @pytest.mark.parametrize("backend", ["pandas", "polars"])
    def test_the_firm_is_the_same_in_every_kind_of_frame(self, backend):
        def all_of_it(kind):
            result = revenue_at_risk(samples.firm(backend=kind), FEW)
            return json.dumps(result.to_dict(), allow_nan=False)

        assert all_of_it(backend) == all_of_it("pyarrow")


@settings(
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.tuples(st.integers(-300, 900), st.floats(0, 1, width=16)),
        min_size=1,
        max_size=25,
    )
)
@example([(9, 1.19e-07)])
def test_the_loss_to_expect_is_the_sum_of_odds_times_revenue(yearly, clients):
    """Sheet 11.6, whatever the correlation; and VaR ≤ ES ≤ what can be lost."""
    amounts = {f"A{at:02}": amount for at, (amount, _) in enumerate(clients)}
    odds = {f"A{at:02}": p for at, (_, p) in enumerate(clients)}
    result = revenue_at_risk(yearly(amounts), FEW, odds=odds)
    expected = sum(max(amount, 0) * p for amount, p in clients)
    most = result.summary["can_be_lost"]
    # Tiny odds may never be drawn, and show no spread; or once, and weigh too much.
    variance = sum(p * (1 - p) * max(amount, 0) ** 2 for amount, p in clients)
    spread = (variance / FEW.draws) ** 0.5
    for name in ("independent", "common_factor"):
        figures = result.summary[name]
        slack = 1e-6 * (1 + expected)
        if figures["method"] == "draws":
            slack += 5 * max(figures["standard_error"], spread) + most / FEW.draws
        assert figures["mean"] == pytest.approx(expected, abs=slack)
        edges = [figures[f"var_{level}"] for level in (90, 95, 99)]
        assert edges == sorted(edges)
        for level in (90, 95, 99):
            assert figures[f"var_{level}"] <= figures[f"es_{level}"] + 1e-6
            assert figures[f"es_{level}"] <= most + 1e-6


def test_rows_in_another_order_give_the_same_bytes(invoiced):
    lines = [(who, date(2026, 1, 5), 10.0 * at) for at, who in enumerate("ABCD", 1)]
    odds = dict(zip("ABCD", [0.1, 0.2, 0.3, 0.4], strict=True))

    def all_of_it(accounts, these, given):
        result = revenue_at_risk(invoiced(accounts, these), FEW, odds=given)
        kept = {key: v for key, v in result.to_dict().items() if key != "params"}
        return json.dumps(kept, allow_nan=False)

    backwards = dict(reversed(odds.items()))
    assert all_of_it([*"ABCD"], lines, odds) == all_of_it(
        [*"DCBA"], lines[::-1], backwards
    )
