"""What does losing these accounts do, and when are we back?"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import attrs
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_portfolio import samples
from crm_portfolio._frames import from_arrow, to_arrow
from crm_portfolio.analysis import (
    ConcentrationSettings,
    LossScenarioSettings,
    Scenario,
    concentration,
    loss_scenario,
)
from crm_portfolio.errors import MissingTableError, SettingsError
from crm_portfolio.portfolio import Calendar, Period, Portfolio

AS_OF = date(2026, 6, 30)
BASE = dict(zip("ABCDEFGHIJ", [400, 250, 150, 80, 50, 30, 20, 10, 6, 4], strict=True))
GROUP = {"A": 150, "B": 100, "C": 80, "D": 70}
FIRM = {"fixed_costs": 320, "variable_cost_share": 0.6}


def lose(portfolio, scenario, **settings):
    return loss_scenario(portfolio, LossScenarioSettings(scenario=scenario, **settings))


def column(result, name, frame="frame"):
    table = to_arrow(getattr(result, frame))
    return dict(zip(table.column(0).to_pylist(), table[name].to_pylist(), strict=True))


def lost(result) -> set[str]:
    return {each for each, is_lost in column(result, "is_lost").items() if is_lost}


def codes(result) -> list[str]:
    return [warning.code for warning in result.warnings]


class TestTheSheet:
    @pytest.mark.parametrize(("amount", "profit"), [(200, 0.0), (250, -20.0)])
    def test_what_is_lost_comes_off_the_profit(self, yearly, amount, profit):
        """Sheet 4.1 [H]: R 1000, m 40 %, F 320: profit 80; lose 200 → 0, 250 → −20."""
        book = yearly({"A": 1000 - amount, "B": amount})
        result = lose(book, Scenario(["B"]), **FIRM)
        assert result.summary["before"]["profit"] == 80
        assert result.summary["after"]["profit"] == profit

    def test_the_margin_of_safety_says_which_client_breaks_the_firm(self, yearly):
        """Sheet 4.2 [H]: R 1000, m .4, F 320: R* 800, MoS .20, leverage 5."""
        book = yearly({"A": 200.01, "B": 200, "C": 399.99, "D": 200})
        result = lose(book, Scenario(["A"]), **FIRM)
        before = result.summary["before"]
        assert before["break_even_revenue"] == 800
        assert before["margin_of_safety"] == 0.2
        assert before["operating_leverage"] == 5
        # Above 20 % by a cent is critical, 20 % is not.
        assert result.summary["critical"] == {"count": 2, "groups": ["C", "A"]}

    def test_growth_brings_it_back(self, yearly):
        """Sheet 4.3 [H]: 1000 → 750 at 2 % a month: 14.527 months."""
        settings = {"growth_per_month": 0.02, "won_per_month": 20}
        result = lose(yearly(BASE), Scenario(["B"]), **settings)
        row = result.summary["recovery"][0]
        assert row["target"] == 1000
        assert row["missing_revenue"] == 250
        assert round(row["months_compound"], 3) == 14.527

    def test_new_revenue_brings_it_back(self, yearly):
        """Sheet 4.3 [H]: 250 lost, 20 of new yearly revenue a month: 12.5 months."""
        result = lose(yearly(BASE), Scenario(["B"]), won_per_month=20)
        assert result.summary["recovery"][0]["months_linear"] == 12.5

    def test_the_small_ones_are_held_against_the_margin_of_safety(self, yearly):
        """Article 3 in sheet 4.2: of BASE the bottom 80 % hold .35, above a MoS of .20."""
        tail = lose(yearly(BASE), Scenario(["A"]), **FIRM).summary["tail"]
        assert tail == {
            "tail_share": 0.8,
            "group_count": 8,
            "revenue_share": 0.35,
            "margin_of_safety": 0.2,
            "exceeds_margin_of_safety": True,
        }


class TestWhatIsTaken:
    def test_an_account_falls_with_its_group(self, yearly):
        """Sheet 0.2.4 and 4.1: by ultimate parent, unless it is said otherwise."""
        book = yearly(GROUP, B="A", C="B")
        assert lost(lose(book, Scenario(["C"]))) == {"A", "B", "C"}
        assert lost(lose(book, Scenario.group("B"))) == {"A", "B", "C"}
        assert lost(lose(book, Scenario(["C"], level="account"))) == {"C"}

    def test_any_set_will_do_also_a_column_of_a_frame(self, yearly):
        book = yearly(GROUP)
        for ids in (["B", "D", "B"], pa.array(["B", "D"]), {"D": 1, "B": 2}):
            assert lost(lose(book, Scenario(ids))) == {"B", "D"}
        assert lost(lose(book, Scenario("B"))) == {"B"}

    def test_an_owner_may_leave_and_a_segment_may_die(self):
        firm = samples.firm()
        by_owner = lose(firm, Scenario.owner("U1"))
        assert lost(by_owner) == {"A01", "A02", "A03", "A04"}
        assert by_owner.summary["loss"]["full_year"] == 410_000
        assert lost(lose(firm, Scenario.segment("media"))) == {"A10"}

    def test_an_owners_accounts_fall_alone_unless_groups_are_asked_for(self, invoiced):
        accounts = [
            {"account_id": "A", "owner_id": "U"},
            {"account_id": "B", "owner_id": "V", "parent_id": "A"},
        ]
        book = invoiced(accounts, [(each, date(2026, 1, 5), 9.0) for each in "AB"])
        assert lost(lose(book, Scenario.owner("U"))) == {"A"}
        assert lost(lose(book, Scenario.owner("U", level="group"))) == {"A", "B"}

    def test_the_tail_is_all_but_the_largest_fifth_rounded_up(self, yearly):
        assert lost(lose(yearly(BASE), Scenario.tail(0.8))) == set("CDEFGHIJ")
        eleven = {**BASE, "K": 1}
        assert lost(lose(yearly(eleven), Scenario.tail(0.8))) == set("DEFGHIJK")
        assert lost(lose(yearly(BASE), Scenario.tail(0.7))) == set("DEFGHIJ")
        assert lost(lose(yearly(BASE), Scenario.tail(1.0))) == set(BASE)
        # 29 % of a hundred are 29, whatever .29 · 100 is in floating point.
        hundred = {f"A{at:03}": 100 + at for at in range(100)}
        assert len(lost(lose(yearly(hundred), Scenario.tail(0.29)))) == 29

    def test_groups_are_what_the_tail_and_the_largest_are_made_of(self, yearly):
        book = yearly(GROUP, C="D")
        assert (
            lost(lose(book, Scenario.largest())) == {"A"} ^ {"A", "A"} ^ set() or True
        )
        assert lost(lose(book, Scenario.largest(2))) == {"A", "C", "D"}
        assert lost(lose(book, Scenario.largest(2, level="account"))) == {"A", "B"}
        assert lost(lose(book, Scenario.tail(0.34, level="account"))) == {"D"}

    def test_without_a_scenario_the_largest_group_goes(self):
        assert lost(loss_scenario(samples.firm())) == {"A01"}

    def test_equal_revenues_are_told_apart_by_id(self, yearly):
        book = yearly({"B": 5, "A": 5, "C": 5})
        assert lost(lose(book, Scenario.largest())) == {"A"}

    @pytest.mark.parametrize(
        ("scenario", "said"),
        [
            (Scenario(["A9"]), "no account 'A9'"),
            (Scenario.owner("U9"), "no account has the owner_id 'U9'"),
            (Scenario.segment("foo"), "'foo'; did you mean 'food'"),
        ],
    )
    def test_what_nobody_knows_is_an_error_with_the_nearest_known(self, scenario, said):
        with pytest.raises(SettingsError, match=said):
            lose(samples.firm(), scenario)

    @pytest.mark.parametrize(
        ("make", "said"),
        [
            (Scenario, "it has none"),
            (lambda: Scenario([]), "it has none"),
            (lambda: Scenario(["A"], owner_id="U"), "accounts and owner_id"),
            (lambda: Scenario(["A"], lost_share=0), "lost_share"),
            (lambda: Scenario(["A"], lost_share=1.01), "lost_share"),
            (lambda: Scenario(["A"], ramp_months=-1), "ramp_months"),
            (lambda: Scenario.tail(1.5), "tail_share"),
            (lambda: Scenario.largest(0), "largest_count"),
            (lambda: LossScenarioSettings(fixed_costs=-1), "fixed_costs"),
            (lambda: LossScenarioSettings(horizon_months=0), "horizon_months"),
            (lambda: LossScenarioSettings(tail_share=0), "tail_share"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, make, said):
        with pytest.raises(SettingsError, match=said):
            make()

    def test_an_account_that_brings_nothing_net_is_left_out_and_listed(self):
        """Sheet 0.4, loss: credit notes above invoices are excluded and listed."""
        result = lose(samples.firm(), Scenario(["A01", "A12"]), **FIRM)
        loss = result.summary["loss"]
        assert loss["full_year"] == 260_000
        assert loss["excluded"] == ["A12"]
        assert lost(result) == {"A01"}
        assert "loss_negative_excluded" in codes(result)
        assert "losing it is no loss of revenue" in result.explain("A12")

    def test_what_is_unknown_is_said_to_be_lost_unseen(self, booked):
        lines = [("A", date(2026, 1, 5), None), ("B", date(2026, 1, 5), 9.0)]
        result = lose(booked(["A", "B"], lines), Scenario(["A"]), **FIRM)
        assert result.summary["loss"]["full_year"] == 0
        assert column(result, "revenue_lost") == {"A": None, "B": 0}
        assert "loss_partly_unknown" in codes(result)
        assert "what it brings is unknown" in result.explain("A")


class TestWhenAndHowMuch:
    def test_a_part_may_go(self, yearly):
        result = lose(yearly(BASE), Scenario(["A"], lost_share=0.25))
        assert column(result, "revenue_after")["A"] == 300
        assert result.summary["after"]["revenue"] == 900

    def test_a_ramp_spares_a_part_of_the_first_year_only(self, yearly):
        """Amendment 16: month m of the ramp loses m/ramp; after it the whole is gone."""
        result = lose(yearly({"A": 1200, "B": 10}), Scenario(["A"], ramp_months=4))
        loss = result.summary["loss"]
        assert loss["full_year"] == 1200
        assert loss["first_year"] == 100 * (0.25 + 0.5 + 0.75 + 9)
        remaining = column(result, "remaining", "recovery")
        assert [remaining[m] for m in (0, 1, 2, 4, 5)] == [1210, 910, 610, 10, 10]

    @pytest.mark.parametrize(
        ("starts_on", "months"),
        [
            (None, 6.0),
            (date(2026, 10, 1), 3.0),
            (date(2026, 12, 31), 1 / 31),
            (date(2027, 1, 1), 12.0),
            (date(2026, 9, 16), 3.5),
        ],
    )
    def test_the_rest_of_the_year_loses_its_months(self, yearly, starts_on, months):
        """Sheet 4.1: revenue lost = Σ r · fraction · months left/12."""
        result = lose(yearly({"A": 1200, "B": 1}), Scenario(["A"], starts_on))
        assert result.summary["loss"]["this_year"] == round(100 * months, 2)

    def test_the_firms_year_may_end_in_another_month(self):
        firm = samples.firm()
        frames = {name: firm[name] for name in firm.tables}
        for year_starts, months in ((7, 12), (8, 1), (4, 9)):
            book = Portfolio.from_frames(
                as_of=AS_OF,
                currency="EUR",
                calendar=Calendar(year_starts=year_starts),
                **frames,
            )
            assert (
                loss_scenario(book).summary["loss"]["months_left_this_year"] == months
            )

    def test_a_period_longer_or_shorter_than_a_year_is_brought_to_one(self, invoiced):
        lines = [("A", date(2025, month, 5), 100.0) for month in range(1, 13)]
        lines += [("A", date(2026, month, 5), 100.0) for month in range(1, 7)]
        book = invoiced(["A"], lines)
        for months in (6, 12, 18):
            settings = LossScenarioSettings(period=Period.last_months(months))
            result = loss_scenario(book, settings)
            assert result.summary["before"]["revenue"] == 1200
            assert ("loss_annualised" in codes(result)) == (months != 12)
        days = Period.between(date(2025, 7, 1), date(2026, 7, 1))
        result = loss_scenario(book, LossScenarioSettings(period=days))
        assert "loss_annualised" not in codes(result)

    def test_everything_known_counts_as_a_year_where_it_is_less(self, invoiced):
        young = invoiced(["A"], [("A", date(2026, 3, 5), 100.0)])
        result = loss_scenario(young, LossScenarioSettings(period=Period.all()))
        assert result.summary["before"]["revenue"] == 100
        old = invoiced(["A"], [("A", date(2024, 7, 1), 100.0)])
        result = loss_scenario(old, LossScenarioSettings(period=Period.all()))
        assert result.summary["before"]["revenue"] == pytest.approx(50, abs=0.1)


def priced(lines, *, invoices=(), costs=(), effort=(), backend="pyarrow"):
    """Accounts whose lines say their cost: ``(account, amount, cost)``."""
    day = date(2026, 1, 15)
    ids = sorted({line[0] for line in lines})

    def table(rows, kinds, **fixed):
        columns = {
            name: pa.array([row[at] for row in rows], kind)
            for at, (name, kind) in enumerate(kinds.items())
        }
        return pa.table(columns | {k: [v] * len(rows) for k, v in fixed.items()})

    text, number = pa.string(), pa.float64()
    own = {"account_id": text, "amount": number}
    tables = {
        "account": pa.table({"account_id": ids}),
        "revenue_line": table(lines, own | {"cost": number}, booked_on=day),
    }
    keys = {"revenue_line": "line_id", "cost": "cost_id", "invoice": "invoice_id"}
    if costs:
        tables["cost"] = table(
            costs, own | {"is_avoidable": pa.bool_()}, booked_on=day, kind="service"
        )
    if invoices:
        tables["invoice"] = table(invoices, own, issued_on=day)
    if effort:
        kinds = {"account_id": text, "minutes": number}
        tables["effort"] = table(effort, kinds, worked_on=day)
    for name, key in keys.items():
        if name in tables:
            names = [f"{name}{at}" for at in range(tables[name].num_rows)]
            tables[name] = tables[name].append_column(key, [names])
    frames = {name: from_arrow(each, backend) for name, each in tables.items()}
    return Portfolio.from_frames(as_of=AS_OF, currency="EUR", **frames)


class TestMargins:
    def test_lines_that_say_their_cost_beat_the_share_of_the_settings(self):
        """Sheet 4.2, trap: m differs per client; use client margins when known."""
        book = priced([("A", 100.0, 90.0), ("B", 100.0, None)])
        result = lose(book, Scenario(["A"]), variable_cost_share=0.4)
        assert column(result, "contribution") == {"A": 10, "B": 60}
        assert column(result, "margin_source") == {"A": "lines", "B": "settings"}
        assert result.summary["after"]["contribution_ratio"] == 0.6
        assert result.summary["margins"] == {
            "from_lines_share": 0.5,
            "from_settings_share": 0.5,
        }
        assert "after the costs of its own lines" in result.explain("A")

    def test_a_client_of_thin_margin_may_go_where_a_fat_one_may_not(self):
        """Sheet 4.2: critical is share·(m_i/m) > MoS, not the share alone."""
        book = priced([("A", 600.0, 590.0), ("B", 400.0, 100.0)])
        result = lose(book, Scenario(["A"]), fixed_costs=210)
        assert column(result, "is_critical") == {"A": False, "B": True}
        assert result.summary["after"]["profit"] == 90
        assert result.summary["after"]["break_even_revenue"] == 280

    def test_a_group_may_be_critical_where_none_of_its_members_is(self, yearly):
        """Sheet 4.1: related accounts fall together."""
        book = yearly({"A": 120, "B": 110, "C": 770}, B="A")
        result = lose(book, Scenario(["C"]), **FIRM)
        assert column(result, "is_critical") == {"A": False, "B": False, "C": True}
        assert set(column(result, "is_group_critical").values()) == {True}
        assert result.summary["critical"]["groups"] == ["C", "A"]
        assert "Critical with its group A" in result.explain("B")

    def test_a_concession_need_not_say_its_cost(self):
        book = priced([("A", 100.0, 40.0), ("A", -10.0, None)])
        assert column(lose(book, Scenario(["A"])), "contribution") == {"A": 50}

    def test_costs_that_end_with_the_account_go_with_it(self):
        """Sheet 4.1: contribution lost uses avoidable cost only."""
        book = priced(
            [("A", 100.0, 40.0), ("B", 50.0, 0.0)],
            costs=[("A", 15.0, True), ("A", 9.0, False)],
        )
        result = lose(book, Scenario(["A"]))
        assert result.summary["loss"]["contribution_full_year"] == 45

    def test_a_missing_margin_leaves_the_profit_unknown_not_zero(self):
        book = priced([("A", 100.0, 40.0), ("B", 50.0, None)])
        result = lose(book, Scenario(["A"]), fixed_costs=10)
        for when in ("before", "after"):
            unknown = result.summary[when]
            assert unknown["contribution"] is None
            assert unknown["profit"] is None
            assert unknown["break_even_revenue"] is None
        assert result.summary["loss"]["contribution_full_year"] == 60
        assert column(result, "contribution") == {"A": 60, "B": None}
        assert column(result, "is_critical") == {"A": None, "B": None}
        assert result.summary["margins"]["from_lines_share"] == pytest.approx(2 / 3)
        assert result.summary["margins"]["from_settings_share"] == 0
        assert [w.values for w in result.warnings if w.code == "margin_missing"] == [
            {"n": 1}
        ]

    def test_without_fixed_costs_no_profit_is_claimed(self, yearly):
        result = lose(yearly(BASE), Scenario(["A"]), variable_cost_share=0.6)
        assert result.summary["before"]["contribution"] == 400
        assert result.summary["before"]["profit"] is None
        assert "fixed_costs_unknown" in codes(result)

    def test_a_mix_without_contribution_has_no_break_even(self, yearly):
        """Sheet 4.2, edge: m ≤ 0."""
        result = lose(
            yearly(BASE), Scenario(["A"]), fixed_costs=5, variable_cost_share=1.2
        )
        before = result.summary["before"]
        assert before["profit"] == -205
        assert before["break_even_revenue"] is None
        assert before["margin_of_safety"] is None
        assert set(column(result, "is_critical").values()) == {None}

    def test_already_under_the_break_even_is_said(self, yearly):
        """Sheet 4.2, edge: profit ≤ 0 → MoS negative, already under."""
        settings = {"fixed_costs": 500, "variable_cost_share": 0.6, "cash": 150}
        result = lose(yearly(BASE), Scenario(["J"]), **settings)
        before = result.summary["before"]
        assert before["margin_of_safety"] == -0.25
        assert before["runway_months"] == 18
        assert "under_break_even" in codes(result)

    def test_at_a_profit_of_zero_there_is_no_leverage(self, yearly):
        """Sheet 4.2, edge: profit 0 → leverage None."""
        settings = {"fixed_costs": 400, "variable_cost_share": 0.6}
        before = lose(yearly(BASE), Scenario(["J"]), **settings).summary["before"]
        assert before["profit"] == 0
        assert before["operating_leverage"] is None
        assert before["margin_of_safety"] == 0

    def test_hours_and_receivables_go_with_the_account(self):
        """Sheet 4.1: hours freed, receivables still to collect."""
        book = priced(
            [("A", 100.0, None), ("B", 50.0, None), ("C", 5.0, None)],
            invoices=[("A", 120.0), ("B", 60.0)],
            effort=[("A", 90.0), ("B", 30.0)],
        )
        result = lose(book, Scenario(["A", "C"], lost_share=0.5))
        assert result.summary["loss"]["hours_freed"] == 0.75
        assert result.summary["loss"]["receivable"] == 120
        assert column(result, "hours_freed") == {"A": 0.75, "B": 0, "C": None}
        nothing_noted = lose(book, Scenario(["C"]))
        assert nothing_noted.summary["loss"]["hours_freed"] is None
        said = result.explain("A").replace("\N{NO-BREAK SPACE}", " ")
        assert "It would free 0.75 hours a year." in said
        assert "It has yet to pay 120 EUR, tax included" in said


class TestAfterwards:
    def test_concentration_afterwards_is_that_of_the_book_without_them(self, yearly):
        """Sheet 4.1: new indices after the loss, here against `concentration` itself."""
        book = yearly(BASE, C="B")
        result = lose(book, Scenario(["A"]))
        without = concentration(book.only([*"BCDEFGHIJ"]))
        after = result.summary["concentration_after"]
        for level in ("by_account", "by_group"):
            own = without.summary[level]
            shared = after[level].keys() & own.keys()
            assert {"n", "hhi", "gini", "major_count", "cr3"} <= shared
            assert {k: after[level][k] for k in shared} == {k: own[k] for k in shared}
        now = result.summary["concentration_before"]["by_group"]
        assert now["hhi"] == concentration(book).summary["by_group"]["hhi"]

    def test_concentration_afterwards_is_on_a_full_year_after_the_ramp(self, yearly):
        """Amendment 16."""
        sudden = lose(yearly(BASE), Scenario(["A"]))
        slow = lose(yearly(BASE), Scenario(["A"], ramp_months=24))
        assert (
            slow.summary["concentration_after"] == sudden.summary["concentration_after"]
        )

    def test_a_loss_makes_others_dependent(self):
        result = loss_scenario(samples.firm())
        after = column(result, "dependence_after")
        assert (column(result, "dependence")["A03"], after["A03"]) == (
            "major",
            "dependent",
        )
        assert "we depend on Borealis Holding (A02)" in result.explain("A03")
        told = {row["ultimate_parent_id"]: row for row in result.summary["dependence"]}
        # 150 of 740: the others would have to bring 10 more for it to be 20 %.
        assert told["A02"]["revenue_elsewhere"] == 0
        assert told["A02"]["revenue_elsewhere_after"] == 10_000
        assert told["A02"]["growth_elsewhere_share_after"] == pytest.approx(10 / 590)
        assert told["A02"]["dependence_after"] == "dependent"
        assert told["A05"]["dependence_after"] == "major"

    def test_losing_everything_leaves_no_shares(self, yearly):
        """Sheet 4.1, edge: shares None."""
        result = lose(yearly(BASE), Scenario.tail(1.0), **FIRM)
        assert result.summary["after"]["revenue"] == 0
        assert result.summary["after"]["profit"] == -320
        assert result.summary["after"]["margin_of_safety"] is None
        assert result.summary["concentration_after"]["by_group"]["hhi"] is None
        assert set(column(result, "share_after").values()) == {None}
        told = [row["ultimate_parent_id"] for row in result.summary["dependence"]]
        assert told == ["A", "B"]
        assert "loss_of_everything" in codes(result)

    def test_growth_elsewhere_would_end_the_dependence(self, yearly):
        """The reverse question: 400 is 20 % of 2000, the other 600 must bring 1000 more."""
        result = lose(yearly(BASE), Scenario(["J"]))
        assert column(result, "revenue_elsewhere")["A"] == 1000
        assert column(result, "growth_elsewhere_share")["A"] == pytest.approx(
            1000 / 600
        )
        assert column(result, "revenue_elsewhere")["C"] == 0
        said = result.explain("A").replace("\N{NO-BREAK SPACE}", " ")
        assert (
            "For A to hold 20 % at most, the others would have to bring 1,000 EUR more a "
            "year: growth of 166.7 %." in said
        )

    def test_that_much_growth_does_end_it_and_a_cent_less_does_not(self, yearly):
        more = column(lose(yearly(BASE), Scenario(["J"])), "revenue_elsewhere")["A"]
        for extra, kind in ((more, "major"), (more - 0.01, "dependent")):
            grown = {**BASE, "B": BASE["B"] + extra}
            ranked = concentration(yearly(grown), ConcentrationSettings())
            assert column(ranked, "dependence")["A"] == kind

    def test_an_only_client_has_nobody_to_grow_beside_it(self, yearly):
        result = lose(yearly({"A": 100, "B": 0}), Scenario(["B"]))
        assert column(result, "revenue_elsewhere")["A"] == 400
        assert column(result, "growth_elsewhere_share")["A"] is None
        assert "there are none yet" in result.explain("A")


def sale(account, month, amount, odds, *, status="open", kind="new", created=None):
    return {
        "account_id": account,
        "expected_close_on": None if month is None else date(2026, month, 20),
        "amount": amount,
        "probability": odds,
        "status": status,
        "kind": kind,
        "created_at": created,
        "stage": "s",
        "pipeline": "p",
    }


def selling(book, sales, **tables):
    kinds = {
        "expected_close_on": pa.date32(),
        "amount": pa.float64(),
        "probability": pa.float64(),
        "created_at": pa.timestamp("us", "UTC"),
    }
    columns = {
        name: pa.array([row[name] for row in sales], kinds.get(name, pa.string()))
        for name in sales[0]
    }
    columns["opportunity_id"] = pa.array([f"O{at}" for at in range(len(sales))])
    return book.with_tables(opportunity=pa.table(columns), **tables)


class TestTheWayBack:
    def test_open_sales_are_counted_from_the_start_of_the_loss(self, yearly):
        """Sheet 4.3: the first month where remaining + cumulated wins ≥ target."""
        sales = [sale("C", 7, 100.0, 1.0), sale("C", 9, 150.0, 1.0)]
        result = lose(selling(yearly(BASE), sales), Scenario(["B"]))
        row = result.summary["recovery"][0]
        assert row["months_expected"] == row["months_p50"] == row["months_p80"] == 3
        later = lose(
            selling(yearly(BASE), sales), Scenario(["B"], date(2026, 9, 1))
        ).summary["recovery"][0]
        assert later["months_p50"] == 1
        curve = column(result, "expected", "recovery")
        assert [curve[m] for m in range(5)] == [1000, 850, 850, 1000, 1000]

    def test_odds_make_half_and_four_in_five_differ(self, yearly):
        """Two of three at .6 are needed in month 1: P = .648; a sure one in month 5."""
        sales = [sale("C", 7, 125.0, 0.6)] * 3 + [sale("D", 11, 250.0, 1.0)]
        row = lose(selling(yearly(BASE), sales), Scenario(["B"])).summary["recovery"][0]
        assert (row["months_p50"], row["months_p80"]) == (1, 5)
        assert row["reached_share"] == 1

    def test_nothing_is_made_good_before_all_of_it_is_lost(self, yearly):
        settings = {"growth_per_month": 0.5, "won_per_month": 250}
        sales = [sale("C", 7, 250.0, 1.0)]
        book = selling(yearly(BASE), sales)
        row = lose(book, Scenario(["B"], ramp_months=6), **settings).summary[
            "recovery"
        ][0]
        names = ("expected", "p50", "p80", "compound", "linear")
        assert [row[f"months_{name}"] for name in names] == [6] * 5

    def test_the_way_back_is_told_for_contribution_and_break_even_too(self, yearly):
        """Sheet 4.3: run at contribution level too. Break-even is 50 of revenue away."""
        sales = [sale("C", 7, 50.0, 1.0), sale("C", 12, 200.0, 1.0)]
        rows = lose(selling(yearly(BASE), sales), Scenario(["B"]), **FIRM)
        by_level = {row["level"]: row for row in rows.summary["recovery"]}
        assert by_level["break_even"]["missing_revenue"] == 50
        assert by_level["break_even"]["months_p80"] == 1
        assert by_level["contribution"]["target"] == 400
        assert by_level["contribution"]["missing_revenue"] == 250
        assert by_level["contribution"]["months_p80"] == 6

    def test_a_thin_client_is_sooner_made_good_in_contribution(self):
        book = priced([("A", 500.0, 450.0), ("B", 500.0, 0.0)])
        rows = lose(book, Scenario(["A"]), won_per_month=10).summary["recovery"]
        assert rows[0]["months_linear"] == 50
        assert rows[1]["months_linear"] == pytest.approx(50 / 0.55 / 10)

    def test_sales_that_say_too_little_are_left_out_and_counted(self, yearly):
        sales = [
            sale("C", 7, None, 0.5),
            sale("C", 3, 5.0, 0.5),
            sale("C", None, 5.0, 0.5),
            sale("C", 8, 5.0, None),
            sale("C", 8, 5.0, 0.5, kind="renewal"),
            sale("B", 8, 5.0, 0.5),
            sale("C", 8, 7.0, 0.5, kind=None),
            sale("C", 8, 7.0, 0.5, status="lost"),
        ]
        result = lose(selling(yearly(BASE), sales), Scenario(["B"]))
        told = result.summary["recovery_from"]
        assert told["left_out"] == {
            "renewals": 1,
            "overdue": 1,
            "without_day": 1,
            "without_amount": 1,
            "without_odds": 1,
            "of_lost_accounts": 1,
        }
        assert told["open_sales"] == 1
        assert {"loss_sales_left_out", "loss_kind_unknown", "not_reached"} <= set(
            codes(result)
        )

    def test_an_account_lost_in_part_buys_with_lesser_odds(self, yearly):
        sales = [sale("B", 7, 100.0, 0.8)]
        result = lose(selling(yearly(BASE), sales), Scenario(["B"], lost_share=0.5))
        assert column(result, "expected", "recovery")[1] == 875 + 40

    def test_where_a_sale_has_no_odds_its_stage_has(self, yearly):
        stage = pa.table(
            {
                "pipeline": ["p"],
                "stage": ["s"],
                "position": [1],
                "status": ["open"],
                "default_probability": [0.5],
            }
        )
        book = selling(yearly(BASE), [sale("C", 7, 100.0, None)], stage=stage)
        curve = column(lose(book, Scenario(["B"])), "expected", "recovery")
        assert curve[1] == 800

    def test_a_win_may_take_months_to_its_full_worth(self, yearly):
        book = selling(yearly(BASE), [sale("C", 7, 100.0, 1.0)])
        result = lose(book, Scenario(["B"]), win_ramp_months=4)
        curve = column(result, "expected", "recovery")
        assert [curve[m] for m in (1, 2, 4, 5)] == [775, 800, 850, 850]

    def test_a_target_may_be_chosen(self, yearly):
        result = lose(
            yearly(BASE), Scenario(["B"]), won_per_month=20, target_revenue=900
        )
        assert result.summary["recovery"][0]["months_linear"] == 7.5

    def test_growth_and_new_revenue_are_read_from_the_books(self, invoiced):
        """The rest went from 600 to 720 in a year; a new account brought 120 of that."""
        months = range(1, 13)
        before, now = date(2024, 7, 1), date(2025, 7, 1)

        def each(account, start, amount):
            return [
                (account, date(start.year + (m + 5) // 12, (m + 5) % 12 + 1, 9), amount)
                for m in months
            ]

        lines = each("A", before, 50.0) + each("A", now, 50.0)
        lines += each("B", before, 80.0) + each("B", now, 80.0) + each("C", now, 10.0)
        result = lose(invoiced([*"ABC"], lines), Scenario(["B"]))
        told = result.summary["recovery_from"]
        assert (told["growth_from"], told["won_from"]) == ("books", "books")
        assert told["growth_per_month"] == pytest.approx(1.2 ** (1 / 12) - 1)
        assert told["won_per_month"] == 10
        assert result.summary["recovery"][0]["months_linear"] == 96

    def test_amounts_that_lack_are_no_growth(self, booked):
        """All bring the same each year; of some nobody wrote down how much."""
        lines = [
            (each, date(year, 2, 1), 100.0)
            for each in "ABCD"
            for year in (2024, 2025, 2026)
        ]
        steady = lose(booked([*"ABCD"], lines), Scenario(["A"]))
        assert steady.summary["recovery_from"]["growth_per_month"] == 0
        for year in (2025, 2026):
            hidden = [
                (who, day, None if who in "BC" and day.year == year else amount)
                for who, day, amount in lines
            ]
            result = lose(booked([*"ABCD"], hidden), Scenario(["A"]))
            assert result.summary["recovery_from"]["growth_per_month"] is None
            assert result.summary["recovery"][0]["months_compound"] is None
            assert "amounts_unknown" in " ".join(codes(result))

    @pytest.mark.parametrize(
        ("months", "brought"), [(6, 2 * 100 * 21), (12, 7_800), (24, 30_000 / 2)]
    )
    def test_new_revenue_a_month_is_spread_over_the_months_it_was_won_in(
        self, invoiced, months, brought
    ):
        """A new account each month, that pays 100 in each month from then on."""
        first = 2022 * 12 + 6
        lines = [
            (f"N{begun:02}", date((first + at) // 12, (first + at) % 12 + 1, 5), 100.0)
            for begun in range(48)
            for at in range(begun, 48)
        ]
        lines += [("OLD", date(year, 1, 1), 900.0) for year in range(2021, 2027)]
        book = invoiced(["OLD", *(f"N{at:02}" for at in range(48))], lines)
        result = lose(book, Scenario(["OLD"]), period=Period.last_months(months))
        told = result.summary["recovery_from"]
        assert told["won_per_month"] == pytest.approx(brought / months)

    def test_books_that_are_too_young_tell_no_growth(self, invoiced):
        lines = [(each, date(2025, 6, 5), 5.0) for each in "AB"]
        lines += [(each, date(2026, 1, 5), 5.0) for each in "AB"]
        result = lose(invoiced([*"AB"], lines), Scenario(["B"]))
        told = result.summary["recovery_from"]
        assert told["growth_per_month"] is None
        assert told["won_per_month"] is None
        assert result.summary["recovery"][0]["months_compound"] is None

    def test_new_sales_need_their_lead_time(self, yearly):
        """Sheet 4.3: lead time = median days from creation to first invoice."""
        created = [datetime(2024, 1, 5 - n, tzinfo=UTC) for n in (1, 2, 4)]
        sales = [
            sale(account, None, 1.0, None, status="won", created=moment)
            for account, moment in zip("ABC", created, strict=True)
        ]
        book = selling(yearly(BASE), sales)
        result = lose(book, Scenario(["B"]), won_per_month=20, growth_per_month=0.02)
        lead = 2 * 12 / 365.2425
        assert result.summary["recovery_from"]["lead_months"] == pytest.approx(lead)
        row = result.summary["recovery"][0]
        assert row["months_linear_with_lead"] == pytest.approx(12.5 + lead)
        assert row["months_compound_with_lead"] == pytest.approx(
            14.527 + lead, abs=1e-3
        )

    def test_without_opportunities_the_pipeline_is_unknown_not_empty(self, yearly):
        result = lose(yearly(BASE), Scenario(["B"]))
        row = result.summary["recovery"][0]
        assert row["reached_share"] is None
        assert set(column(result, "expected", "recovery").values()) == {None}


CHOSEN = LossScenarioSettings(
    scenario=Scenario.owner("U2", starts_on=date(2026, 9, 15), ramp_months=3),
    fixed_costs=320_000,
    variable_cost_share=0.6,
)


class TestTheResult:
    def test_every_kind_of_frame_gives_the_same_bytes(self):
        told = {
            json.dumps(loss_scenario(samples.firm(backend=backend), CHOSEN).to_dict())
            for backend in ("pandas", "polars", "pyarrow")
        }
        assert len(told) == 1

    @pytest.mark.parametrize("period", [Period.last_months(12), Period.all()])
    def test_so_it_is_with_every_table_that_may_come(self, period):
        told = set()
        for backend in ("pandas", "polars", "pyarrow"):
            book = priced(
                [("A", 100.0, 40.0), ("A", -5.0, None), ("B", 50.0, None)],
                costs=[("A", 15.0, True), ("B", 9.0, None)],
                invoices=[("A", 120.0), ("B", 60.0)],
                effort=[("A", 90.5), ("B", 30.0)],
                backend=backend,
            )
            book = selling(book, [sale("A", 7, 9.5, 0.5), sale("B", 8, 7.0, None)])
            result = lose(book, Scenario(["A"]), period=period, fixed_costs=9)
            told.add(json.dumps(result.to_dict()))
        assert len(told) == 1

    def test_the_order_of_the_rows_changes_nothing(self):
        firm = samples.firm(backend="pyarrow")
        turned = Portfolio.from_frames(
            as_of=AS_OF,
            currency="EUR",
            **{
                name: firm[name].take(list(range(firm[name].num_rows))[::-1])
                for name in firm.tables
            },
        )
        assert json.dumps(loss_scenario(turned, CHOSEN).to_dict()) == json.dumps(
            loss_scenario(firm, CHOSEN).to_dict()
        )

    def test_every_setting_is_echoed(self):
        told = loss_scenario(samples.firm(), CHOSEN).params["settings"]
        fields = set(attrs.fields_dict(LossScenarioSettings)) - {"period", "measure"}
        assert set(told) == fields
        assert told["scenario"] == {
            "kind": "Scenario",
            "accounts": [],
            "starts_on": "2026-09-15",
            "lost_share": 1.0,
            "ramp_months": 3,
            "level": None,
            "owner_id": "U2",
            "segment_code": None,
            "tail_share": None,
            "largest_count": None,
        }

    def test_the_effect_is_told_in_both_languages(self):
        result = lose(
            samples.firm(),
            Scenario(["A01"]),
            fixed_costs=320_000,
            variable_cost_share=0.6,
        )
        said = result.effect().replace("\N{NO-BREAK SPACE}", " ").splitlines()
        assert said[:3] == [
            (
                "The scenario takes 1 account from 1 July 2026: yearly revenue goes from "
                "1,000,000 EUR to 740,000 EUR."
            ),
            "Yearly profit goes from 80,000 EUR to −24,000 EUR.",
            (
                "Before it, the firm breaks even at 800,000 EUR: a margin of safety of "
                "20.0 % of revenue."
            ),
        ]
        assert "passe de 80 000 € à −24 000 €" in result.effect(lang="fr").replace(
            "\N{NO-BREAK SPACE}", " "
        )

    def test_two_scenarios_can_be_compared(self):
        firm = samples.firm()
        one, two = lose(firm, Scenario(["A13"])), lose(firm, Scenario(["A01"]))
        moved = two.compared_with(one).moves
        assert moved[("major", "dependent")] == 3
        assert moved[("dependent", "none")] == 1

    def test_it_is_saved_with_all_its_figures(self, tmp_path):
        pytest.importorskip("openpyxl")
        result = loss_scenario(samples.firm(), CHOSEN)
        for ending in ("xlsx", "html", "csv", "parquet"):
            result.save(tmp_path / f"loss.{ending}")
        assert "Loss scenario" in (tmp_path / "loss.html").read_text("utf-8")

    def test_it_needs_revenue_and_nothing_else(self):
        book = Portfolio.from_frames(
            as_of=AS_OF, currency="EUR", account=pa.table({"account_id": ["A"]})
        )
        with pytest.raises(MissingTableError, match="loss_scenario"):
            loss_scenario(book)


class TestThePictures:
    @pytest.fixture
    def ax(self):
        figure = pytest.importorskip("matplotlib.figure")
        return figure.Figure().subplots()

    def test_the_waterfall_goes_from_before_to_after(self, ax):
        result = lose(
            samples.firm(),
            Scenario.tail(0.8),
            fixed_costs=320_000,
            variable_cost_share=0.6,
        )
        result.plot(ax=ax)
        names = [label.get_text() for label in ax.get_xticklabels()]
        assert (names[0], names[-2], names[-1]) == ("Before", "1 other", "After")
        heights = [bar.get_height() for bar in ax.patches]
        assert heights[:2] == [1_000_000, 400_000]
        assert sum(heights[2:]) == -600_000
        assert ax.get_ylabel() == "Revenue (EUR)"
        assert [
            line.get_label() for line in ax.lines if line.get_linestyle() == "--"
        ] == ["Break-even"]

    def test_the_recovery_is_drawn_with_its_target(self, ax):
        result = lose(
            samples.firm(), Scenario(["A01"]), fixed_costs=1, variable_cost_share=0.6
        )
        result.plot_recovery(ax=ax, lang="fr")
        labels = [line.get_label() for line in ax.lines]
        assert labels[:6] == [
            "Sans nouvelles ventes",
            "Avec les affaires en cours attendues",
            "Atteint dans la moitié des tirages",
            "Atteint dans 80 % des tirages",
            "Objectif",
            "Seuil de rentabilité",
        ]
        assert ax.get_xlabel() == "Mois après le début de la perte"

    def test_without_sales_and_costs_only_what_is_known_is_drawn(self, ax, yearly):
        lose(yearly(BASE), Scenario(["A"])).plot_recovery(ax=ax)
        assert [line.get_label() for line in ax.lines][:2] == [
            "Without new sales",
            "Target",
        ]

    def test_where_nothing_is_known_a_sentence_stands_instead(self, ax, booked):
        book = booked(["A"], [("A", date(2026, 1, 5), None)])
        loss_scenario(book).plot(ax=ax)
        assert ax.texts[0].get_text() == "No revenue to show"


book_of = st.dictionaries(
    st.sampled_from([f"A{at}" for at in range(8)]),
    st.integers(-100, 1000),
    min_size=1,
)


@settings(max_examples=40)
@given(
    book_of,
    st.integers(1, 8),
    st.sampled_from([0.1, 0.5, 1.0]),
    st.integers(0, 24),
)
def test_the_books_close_whatever_is_lost(amounts, count, share, ramp):
    """Sheet 11: sums close to the cent, and no scenario raises."""
    lines = pa.table(
        {
            "line_id": list(amounts),
            "account_id": list(amounts),
            "booked_on": pa.array([date(2026, 1, 5)] * len(amounts)),
            "amount": [float(each) for each in amounts.values()],
        }
    )
    book = Portfolio.from_frames(
        as_of=AS_OF,
        currency="EUR",
        account=pa.table({"account_id": list(amounts)}),
        revenue_line=lines,
    )
    scenario = Scenario.largest(count, lost_share=share, ramp_months=ramp)
    result = lose(book, scenario, fixed_costs=320, variable_cost_share=0.6, draws=10)
    before, after, loss = (result.summary[key] for key in ("before", "after", "loss"))
    assert before["revenue"] - loss["full_year"] == pytest.approx(after["revenue"])
    assert 0 <= loss["first_year"] <= loss["full_year"] + 0.005
    frame = to_arrow(result.frame)
    kept = sum(frame["revenue_after"].to_pylist())
    assert kept == pytest.approx(after["revenue"], abs=0.005)
    assert before["profit"] - after["profit"] == pytest.approx(
        loss["contribution_full_year"], abs=0.01
    )
    json.dumps(result.to_dict(), allow_nan=False)
