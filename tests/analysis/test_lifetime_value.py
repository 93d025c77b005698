"""What is a relationship worth, and does it say by which way?"""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_portfolio._analyse import analyse
from crm_portfolio._frames import to_arrow
from crm_portfolio.analysis import (
    LifetimeValueResult,
    LifetimeValueSettings,
    LossScenarioSettings,
    SuccessionSettings,
    lifetime_value,
    succession,
)
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.settings import Settings

AS_OF = date(2026, 6, 30)
FIRST, NOW = date(2024, 1, 5), date(2026, 1, 15)
FIVE = [(each, NOW - timedelta(days=at), 10.0 + at) for at, each in enumerate("ABCDE")]


def rows(result: LifetimeValueResult) -> dict[str, dict]:
    return {row["account_id"]: row for row in to_arrow(result.frame).to_pylist()}


def codes(result: LifetimeValueResult) -> list[str]:
    return [warning.code for warning in result.warnings]


def contracts(*told: tuple) -> pa.Table:
    """Account, first day, last day, amount a year."""
    return pa.table(
        {
            "contract_id": [f"C{at}" for at in range(len(told))],
            "account_id": [each[0] for each in told],
            "starts_on": pa.array([each[1] for each in told], pa.date32()),
            "ends_on": pa.array([each[2] for each in told], pa.date32()),
            "amount_per_year": pa.array([each[3] for each in told], pa.float64()),
        }
    )


@cache
def lines_of_buyers(count: int = 400, seed: int = 5) -> tuple:
    """Accounts that come back at random and some day no more."""
    draw, found = np.random.default_rng(seed), []
    for at in range(count):
        mean, gap = draw.gamma(4, 25), draw.gamma(2, 30)
        day = date(2024, 7, 1) + timedelta(days=int(draw.integers(0, 200)))
        while day <= AS_OF:
            found.append((f"B{at:03}", day, round(float(draw.gamma(5, mean / 5)), 2)))
            if draw.random() < 0.2:
                break
            day += timedelta(days=1 + int(draw.exponential(gap)))
    return tuple(line for line in found if line[2] > 0)


@pytest.fixture
def buyers(invoiced) -> Portfolio:
    lines = lines_of_buyers()
    return invoiced(sorted({line[0] for line in lines}), lines)


class TestUnderContract:
    def test_the_first_margin_is_signed_and_comes_at_once(self, invoiced):
        book = invoiced(["A"], [("A", NOW, 5.0)]).with_tables(
            contract=contracts(("A", FIRST, None, 1000.0))
        )
        told = LifetimeValueSettings(retention=0.8)
        [row] = rows(lifetime_value(book, told)).values()
        assert (row["method"], row["retention_from"]) == ("contract", "given")
        assert (row["value_for_ever"], row["expected_years"]) == (3666.67, 5.0)

    def test_what_a_contract_does_not_say_the_period_does(self, invoiced):
        book = invoiced(["A"], [("A", FIRST, 9.0), ("A", NOW, 70.0)]).with_tables(
            contract=contracts(("A", FIRST, None, 1000.0), ("A", FIRST, None, None))
        )
        [row] = rows(lifetime_value(book)).values()
        assert row["yearly_revenue"] == 70.0

    def test_retention_is_how_many_contracts_run_growth_left_out(self, invoiced):
        """Of 20 a year ago 15 run; a new number is the old contract, a second is growth."""
        old = [(f"A{at:02}", FIRST, None, 100.0) for at in range(12)]
        gone = [(f"B{at}", FIRST, date(2026, 1, 1), 100.0) for at in range(5)]
        again = [
            each
            for at in range(3)
            for each in (
                (f"D{at}", FIRST, date(2025, 12, 31), 100.0),
                (f"D{at}", date(2026, 1, 1), None, 100.0),
            )
        ]
        more = [("A00", NOW, None, 50.0)]
        told = [*old, *gone, *again, *more]
        ids = sorted({each[0] for each in told})
        book = invoiced(ids, [(each, NOW, 1.0) for each in ids])
        result = lifetime_value(book.with_tables(contract=contracts(*told)))
        kept = result.summary["retention"]
        assert (kept["contract_count"], kept["kept_count"]) == (20, 15)
        found = rows(result)
        assert (found["A00"]["retention"], found["A00"]["yearly_revenue"]) == (
            0.75,
            150,
        )
        assert found["A00"]["retention_from"] == "contracts"
        assert found["B0"]["method"] == "retention"

    def test_that_all_of_them_run_is_pointed_out(self, invoiced):
        told = [(f"A{at:02}", FIRST, None, 100.0) for at in range(20)]
        ids = [each[0] for each in told]
        book = invoiced(ids, [(each, NOW, 1.0) for each in ids])
        result = lifetime_value(book.with_tables(contract=contracts(*told)))
        assert "ltv_nothing_ended" in codes(result)
        assert rows(result)["A00"]["expected_years"] is None


def test_under_contract_the_thousand_of_the_sheet(invoiced):
    """Sheet 7.8 [H]: 1000, .8, .1: 3666.67 signed, 2666.67 if the first comes in a year."""
    lines = [("A", NOW, 5.0), ("B", date(2025, 7, 1), 1000.0)]
    book = invoiced(["A", "B"], lines).with_tables(
        contract=contracts(("A", FIRST, None, 1000.0))
    )
    found = rows(lifetime_value(book, LifetimeValueSettings(retention=0.8)))
    assert [found[each]["value_for_ever"] for each in "AB"] == [3666.67, 2666.67]


class TestTooLittle:
    def test_it_refuses_to_fit_and_says_what_stands_instead(self, buyers):
        few = LifetimeValueSettings(min_repeat_accounts=1000)
        result = lifetime_value(buyers, few)
        assert codes(result)[0] == "few_repeat_clients"
        assert result.summary["model"]["r"] is None
        methods = result.summary["methods"]
        assert methods["purchases"]["account_count"] == 0
        assert methods["retention"]["account_count"] > 0

    def test_exactly_as_many_as_are_needed_are_enough(self, buyers):
        n = lifetime_value(buyers).summary["model"]["repeat_count"]
        # Who bought on one day alone has not come back, and is none of them.
        days = {}
        for account, day, _ in lines_of_buyers():
            days.setdefault(account, set()).add(day)
        assert n == sum(len(each) > 1 for each in days.values()) < len(days)
        enough = LifetimeValueSettings(min_repeat_accounts=n)
        more = LifetimeValueSettings(min_repeat_accounts=n + 1)
        assert lifetime_value(buyers, enough).summary["model"]["r"] is not None
        assert lifetime_value(buyers, more).summary["model"]["r"] is None

    def test_the_tier_says_how_likely_an_account_stays(self, buyers):
        rates = succession(buyers, SuccessionSettings())
        few = LifetimeValueSettings(min_repeat_accounts=1000)
        result = lifetime_value(buyers, few, succession=rates)
        told = [row for row in rows(result).values() if row["retention_from"] == "tier"]
        assert told
        for row in told:
            stays = 1 - rates.leaving_rates[row["tier"]]
            assert row["retention"] == pytest.approx(stays)
            ever = row["yearly_revenue"] * stays / (1.1 - stays)
            assert row["value_for_ever"] == pytest.approx(ever, abs=0.01)

    def test_that_nobody_left_does_not_say_that_nobody_can(self, invoiced):
        old = [(each, FIRST, 5.0) for each in "ABCDE"]
        result = lifetime_value(invoiced([*"ABCDE"], [*old, *FIVE]))
        assert "ltv_retentions_unknown" in codes(result)
        assert all(row["value"] is None for row in rows(result).values())


class TestTheModel:
    def test_value_is_purchases_times_what_one_is_worth(self, buyers):
        flat = LifetimeValueSettings(discount_share=0.0)
        for row in rows(lifetime_value(buyers, flat)).values():
            assert row["method"] == "purchases"
            expected = row["expected_purchases"] * row["purchase_value"]
            assert row["value"] == pytest.approx(expected, abs=0.006)

    def test_ages_end_with_the_period(self, invoiced):
        lines = [("A", NOW, 5.0), ("A", NOW + timedelta(days=20), 5.0)]
        until = Period.between(date(2026, 1, 1), date(2026, 3, 1))
        found = rows(lifetime_value(invoiced(["A"], lines)))["A"]
        cut = rows(
            lifetime_value(invoiced(["A"], lines), LifetimeValueSettings(period=until))
        )["A"]
        assert (found["age_days"], cut["age_days"]) == (166, 44)
        assert found["age_at_last_days"] == cut["age_at_last_days"] == 20

    def test_two_lines_of_a_day_are_one_purchase(self, invoiced):
        lines = [("A", NOW, 5.0), ("A", NOW, 7.0), ("A", NOW + timedelta(days=1), 1.0)]
        assert (
            rows(lifetime_value(invoiced(["A"], lines)))["A"]["repeat_purchases"] == 1
        )

    def test_accounts_under_contract_are_in_no_fit(self, buyers):
        everyone = to_arrow(buyers["account"])["account_id"].to_pylist()
        signed = everyone[:50]
        told = contracts(*((each, FIRST, None, 100.0) for each in signed))
        result = lifetime_value(buyers.with_tables(contract=told))
        rest = lifetime_value(buyers.only(everyone[50:]))
        assert result.summary["model"] == rest.summary["model"]
        methods = result.summary["methods"]
        assert methods["contract"]["account_count"] == 50

    def test_often_and_much_hang_together(self, invoiced):
        draw, lines = np.random.default_rng(6), []
        for at in range(200):
            rate, day = draw.gamma(2, 0.02), date(2025, 1, 1)
            while day <= AS_OF:
                lines.append((f"A{at:03}", day, round(1 + 1000 * rate, 2)))
                day += timedelta(days=1 + int(draw.exponential(1 / rate)))
                if draw.random() < 0.01:
                    break
        result = lifetime_value(invoiced(sorted({each[0] for each in lines}), lines))
        assert "value_correlated" in codes(result)

    def test_hardly_anyone_leaves(self, invoiced):
        """Amendment 24: a < 0.05 warns."""
        draw, lines = np.random.default_rng(2), []
        for at in range(150):
            day, gap = date(2025, 1, 1), draw.gamma(3, 8)
            while day <= AS_OF:
                lines.append((f"A{at:03}", day, 10.0 + at % 7))
                day += timedelta(days=1 + int(draw.exponential(gap)))
        result = lifetime_value(invoiced(sorted({each[0] for each in lines}), lines))
        assert result.summary["model"]["a"] < 0.05
        assert "ltv_weak_fit" in codes(result)

    def test_planted_truth_who_went_silent(self, invoiced):
        """Of three hundred, those who stopped long ago are told from those who did not."""
        draw, lines, gone = np.random.default_rng(4), [], set()
        for at in range(300):
            key, gap = f"A{at:03}", draw.gamma(4, 3)
            until = AS_OF
            if at % 2 == 0:
                gone.add(key)
                until -= timedelta(days=int(draw.integers(120, 400)))
            day = date(2025, 1, 1) + timedelta(days=int(draw.integers(0, 60)))
            while day <= until:
                lines.append((key, day, 50.0 + at % 11))
                day += timedelta(days=1 + int(draw.exponential(gap)))
        result = lifetime_value(invoiced(sorted({each[0] for each in lines}), lines))
        found = rows(result)
        said = {key for key, row in found.items() if row["alive"] < 0.5}
        right = len(said & gone)
        assert right >= 0.9 * len(said)
        assert right >= 0.9 * len(gone)

    def test_clockwork_is_no_law_and_is_not_fitted(self, invoiced):
        """All buy each week: what differs between them cannot be learned."""
        lines = [
            (f"A{at:03}", NOW + timedelta(days=7 * week), 10.0)
            for at in range(120)
            for week in range(15)
        ]
        result = lifetime_value(invoiced(sorted({each[0] for each in lines}), lines))
        assert "ltv_not_fitted" in codes(result)
        assert result.summary["methods"]["purchases"]["account_count"] == 0


class TestMargin:
    def test_without_costs_it_is_revenue_and_says_so(self, buyers):
        result = lifetime_value(buyers)
        assert result.summary["value_is"] == "revenue"
        assert "ltv_in_revenue" in codes(result)
        assert to_arrow(result.frame)["margin_share"].null_count == len(rows(result))

    def test_a_share_of_costs_makes_it_margin(self, buyers):
        whole, told = (
            lifetime_value(buyers),
            LifetimeValueSettings(variable_cost_share=0.75),
        )
        part = lifetime_value(buyers, told)
        assert part.summary["value_is"] == "margin"
        before = rows(whole)
        for key, row in rows(part).items():
            assert row["value"] == pytest.approx(before[key]["value"] / 4, abs=0.006)

    def test_the_share_of_the_loss_scenario_is_taken(self, buyers):
        costs = LossScenarioSettings(variable_cost_share=0.75)
        found = analyse(buyers, Settings(loss_scenario=costs), only="lifetime_value")
        assert found["lifetime_value"].summary["value_is"] == "margin"

    def test_what_profitability_does_not_know_is_unknown(self, buyers):
        result = lifetime_value(buyers, profitability=known_of_half(buyers))
        found = rows(result)
        told = {key: row for key, row in found.items() if row["value"] is not None}
        assert all(row["margin_share"] == 0.3 for row in told.values())
        assert len(told) == len(found) // 2
        assert "ltv_margins_unknown" in codes(result)
        assert "unknown" in result.explain(next(iter(set(found) - set(told))))


@cache
def _shape():
    class Known(LifetimeValueResult):
        """A result with the columns of a profitability that knows some accounts."""

    return Known


def known_of_half(book: Portfolio):
    made = lifetime_value(book)
    ids = sorted(rows(made))
    known = [at % 2 == 0 for at in range(len(ids))]
    table = pa.table(
        {
            "account_id": ids,
            "net_revenue": [200.0] * len(ids),
            "avoidable_contribution": [60.0 if each else None for each in known],
        }
    )
    return _shape()(
        table=table,
        rejected=made.rejected,
        backend="pyarrow",
        summary=made.summary,
        params=made.params,
        coverage=made.coverage,
        warnings=(),
    )


class TestTheScore:
    def test_five_accounts_get_their_fifths(self, invoiced):
        """E last bought longest ago and for most."""
        found = rows(lifetime_value(invoiced([*"ABCDE"], FIVE)))
        assert {key: row["rfm"] for key, row in found.items()} == {
            "A": "5-3-1",
            "B": "4-3-2",
            "C": "3-3-3",
            "D": "2-3-4",
            "E": "1-3-5",
        }

    def test_four_get_none(self, invoiced):
        result = lifetime_value(invoiced([*"ABCD"], FIVE[:4]))
        assert all(row["no_rfm"] == "few_accounts" for row in rows(result).values())
        assert "ltv_few_scores" in codes(result)

    def test_credit_notes_only_are_no_score(self, invoiced):
        book = invoiced([*"ABCDEF"], [*FIVE, ("F", NOW, -5.0)])
        found = rows(lifetime_value(book))
        assert (found["F"]["rfm"], found["F"]["no_rfm"]) == (None, "no_purchase")
        assert found["A"]["rfm"] == "5-3-1"

    def test_a_return_lessens_the_money_and_not_the_frequency(self, invoiced):
        back = ("E", NOW + timedelta(days=9), -13.5)
        found = rows(lifetime_value(invoiced([*"ABCDE"], [*FIVE, back])))
        assert found["E"]["rfm"] == "1-3-1"
        assert (found["E"]["purchase_days"], found["E"]["revenue"]) == (1, 0.5)

    def test_who_has_just_come_is_marked(self, invoiced):
        book = invoiced([*"ABCDEF"], [*FIVE, ("F", AS_OF, 5.0)])
        found = rows(lifetime_value(book))
        assert found["F"]["is_new"]
        assert found["F"]["rfm"].startswith("5")
        assert not found["A"]["is_new"]

    def test_an_unknown_amount_leaves_the_score_unknown(self, booked):
        lines = [*FIVE, ("F", NOW, 5.0), ("F", NOW, None)]
        found = rows(lifetime_value(booked([*"ABCDEF"], lines)))
        assert (found["F"]["rfm"], found["F"]["no_rfm"]) == (None, "unknown_amounts")


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 400), st.integers(0, 5))
def test_the_unit_of_the_money_scales_the_value(invoiced, factor, seed):
    lines = lines_of_buyers(120, seed)
    ids = sorted({line[0] for line in lines})
    some = LifetimeValueSettings(min_repeat_accounts=20)
    one = rows(lifetime_value(invoiced(ids, lines), some))
    scaled = [(key, day, factor * amount) for key, day, amount in lines]
    many = rows(lifetime_value(invoiced(ids, scaled), some))
    for key, row in one.items():
        assert many[key]["rfm"] == row["rfm"]
        expected = factor * row["value"]
        assert many[key]["value"] == pytest.approx(
            expected, rel=1e-4, abs=factor * 0.01
        )


def test_a_longer_horizon_and_a_smaller_discount_are_never_worth_less(buyers):
    near = rows(lifetime_value(buyers, LifetimeValueSettings(horizon_years=1.5)))
    far = rows(lifetime_value(buyers, LifetimeValueSettings(horizon_years=4)))
    dear = rows(lifetime_value(buyers, LifetimeValueSettings(discount_share=0.5)))
    usual = rows(lifetime_value(buyers))
    for key in near:
        assert 0 <= near[key]["value"] <= far[key]["value"]
        assert dear[key]["value"] <= usual[key]["value"]


def test_the_total_is_the_sum_to_the_cent(buyers):
    result = lifetime_value(buyers)
    values = to_arrow(result.frame)["value"].to_pylist()
    assert sum(round(100 * each) for each in values) == round(
        100 * result.summary["value"]
    )
    assert values == sorted(values, reverse=True)


def test_it_is_compared_by_its_score(invoiced):
    before = lifetime_value(invoiced([*"ABCDE"], FIVE))
    after = lifetime_value(invoiced([*"ABCDE"], [*FIVE, ("E", AS_OF, 1.0)]))
    assert after.compared_with(before).moves["1-3-5", "5-5-5"] == 1


def test_it_is_saved_for_people(buyers, tmp_path):
    result = lifetime_value(buyers)
    for name in ("value.xlsx", "value.html"):
        result.save(tmp_path / name, lang="fr")
        assert (tmp_path / name).stat().st_size > 1000


def test_a_result_of_another_book_is_refused(buyers, invoiced):
    other = succession(invoiced([*"ABCDE"], FIVE))
    with pytest.raises(SettingsError, match="another portfolio"):
        lifetime_value(buyers, succession=other)


@pytest.mark.parametrize(
    "wrong",
    [
        {"horizon_years": 0},
        {"horizon_years": 51},
        {"discount_share": 1.5},
        {"retention": -0.1},
        {"min_repeat_accounts": 0},
    ],
)
def test_settings_out_of_bounds_are_refused_by_name(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        LifetimeValueSettings(**wrong)
