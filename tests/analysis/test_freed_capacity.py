"""What should the hours go to that a loss frees?"""

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
    FreedCapacitySettings,
    Scenario,
    Slices,
    SuccessionSettings,
    freed_capacity,
    succession,
)
from crm_portfolio.errors import MissingTableError, SettingsError
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.settings import Settings

AS_OF = date(2026, 6, 30)
NOW, BEFORE, OLD = date(2026, 1, 15), date(2025, 1, 15), date(2024, 6, 15)
# Sheet 4.4: value and hours of a, b, c, d.
SHEET = {
    "a": (9000.0, 30.0),
    "b": (5000.0, 10.0),
    "c": (4000.0, 20.0),
    "d": (1500.0, 5.0),
}
LOST = Scenario(["A"], level="account")


def table(kinds, rows):
    return pa.table(
        {
            name: pa.array([row.get(name) for row in rows], kind)
            for name, kind in kinds.items()
        }
    )


TEXT, NUMBER, DAY = pa.string(), pa.float64(), pa.date32()
KINDS = {
    "account": {"account_id": TEXT, "parent_id": TEXT, "name": TEXT},
    "revenue_line": {
        "line_id": TEXT,
        "account_id": TEXT,
        "booked_on": DAY,
        "amount": NUMBER,
        "cost": NUMBER,
    },
    "effort": {
        "account_id": TEXT,
        "worked_on": DAY,
        "minutes": NUMBER,
        "role": TEXT,
        "opportunity_id": TEXT,
    },
    "opportunity": {
        "opportunity_id": TEXT,
        "account_id": TEXT,
        "status": TEXT,
        "kind": TEXT,
        "amount": NUMBER,
        "probability": NUMBER,
        "expected_close_on": DAY,
        "closed_on": DAY,
    },
    "project": {
        "project_id": TEXT,
        "account_id": TEXT,
        "name": TEXT,
        "status": TEXT,
        "role": TEXT,
        "hours_to_finish": NUMBER,
        "expected_contribution": NUMBER,
        "deadline_on": DAY,
    },
    "capacity": {
        "role": TEXT,
        "from_on": DAY,
        "to_on": DAY,
        "hours": NUMBER,
        "cost_per_hour": NUMBER,
    },
}


def hours(account, amount, role=None, *, on=NOW, sale=None):
    return {
        "account_id": account,
        "worked_on": on,
        "minutes": 60.0 * amount,
        "role": role,
        "opportunity_id": sale,
    }


def parked(project_id, value, needs, role=None, **more):
    return {
        "project_id": project_id,
        "status": "parked",
        "role": role,
        "hours_to_finish": needs,
        "expected_contribution": value,
        **more,
    }


def sale(opportunity_id, account, amount, odds, **more):
    return {
        "opportunity_id": opportunity_id,
        "account_id": account,
        "status": "open",
        "amount": amount,
        "probability": odds,
        **more,
    }


def book(*, lines=(("A", NOW, 500.0),), backend="pyarrow", **rows):
    """Accounts A, B and C; the margin of a line is 60 % where nothing else is said."""
    revenue = [
        {
            "line_id": str(at),
            "account_id": account,
            "booked_on": day,
            "amount": amount,
            "cost": more[0] if more else 0.4 * amount,
        }
        for at, (account, day, amount, *more) in enumerate(lines)
    ]
    rows = {
        "account": [{"account_id": each} for each in "ABC"],
        "revenue_line": revenue,
        **rows,
    }
    tables = {name: table(KINDS[name], each) for name, each in rows.items()}
    return Portfolio.from_frames(
        as_of=AS_OF,
        currency="EUR",
        **{name: from_arrow(each, backend) for name, each in tables.items()},
    )


def sheet_book(**more):
    """50 hours come free, of which a fifth is kept: 40 for the sheet's candidates."""
    projects = [parked(name, value, needs) for name, (value, needs) in SHEET.items()]
    return book(effort=[hours("A", 50.0)], project=projects, **more)


def freed(portfolio, scenario=LOST, **chosen):
    return freed_capacity(portfolio, FreedCapacitySettings(scenario=scenario, **chosen))


def listing(portfolio, accounts, *, drawn):
    """What succession says, with these accounts on its list."""
    found = succession(portfolio)
    ids = found._table["account_id"].to_pylist()
    place = [accounts.index(each) + 1 if each in accounts else None for each in ids]
    columns = {name: found._table[name] for name in found._table.column_names}
    columns |= {
        "place": pa.array(place, pa.int64()),
        "is_exploration": pa.array([each in drawn for each in ids]),
    }
    return attrs.evolve(found, table=pa.table(columns))


def rows(result, frame="candidates"):
    return {
        next(iter(row.values())): row
        for row in to_arrow(getattr(result, frame)).to_pylist()
    }


def status(result) -> dict[str, str]:
    found = {key: row["status"] for key, row in rows(result).items()}
    # Accounts drawn by chance, whose value nobody knows, are in every book.
    return {key: each for key, each in found.items() if key[:5] != "explo"}


def chosen(result) -> set[str]:
    return {key for key, each in status(result).items() if each == "chosen"}


def codes(result) -> list[str]:
    return [warning.code for warning in result.warnings]


class TestTheSheet:
    def test_the_best_of_four_candidates_fill_forty_hours(self):
        """Sheet 4.4 [H]: a 9000 in 30 h, b 5000 in 10 h, …; 40 h: {a, b} = 14 000."""
        result = freed(sheet_book())
        assert chosen(result) == {"project:a", "project:b"}
        plan = result.summary["plan"]
        assert (plan["value"], plan["at_most"], plan["is_best"]) == (
            14_000,
            14_000,
            True,
        )
        rate = {key: row["value_per_hour"] for key, row in rows(result).items()}
        assert [rate[f"project:{each}"] for each in "abcd"] == [300, 500, 200, 300]

    def test_the_best_rate_first_would_bring_less(self):
        """Sheet 4.4 [H]: (60,10) (100,20) (120,30) with 50: greedy 160, optimum 220."""
        projects = [parked("x", 60.0, 10.0), parked("y", 100.0, 20.0)]
        projects.append(parked("z", 120.0, 30.0))
        portfolio = book(effort=[hours("A", 50.0)], project=projects)
        plan = freed(portfolio, reserve_share=0.0).summary["plan"]
        assert (plan["value"], plan["value_by_rate_alone"]) == (220, 160)


class TestTheHours:
    def test_they_are_those_of_the_accounts_lost_by_role(self):
        effort = [hours("A", 30.0, "delivery"), hours("A", 10.0, "sales")]
        effort += [hours("B", 99.0, "sales"), hours("A", 7.0, "sales", on=OLD)]
        found = rows(freed(book(effort=effort)), "roles")
        assert {k: v["hours_freed"] for k, v in found.items()} == {
            "delivery": 30,
            "sales": 10,
        }
        assert found["sales"]["hours_reserve"] == 2
        assert found["sales"]["hours_worked"] == 109

    def test_a_group_frees_the_hours_of_all_its_accounts(self):
        """Sheet 0.2.4: accounts of a group are lost together, unless it is said."""
        accounts = [{"account_id": "A"}, {"account_id": "B", "parent_id": "A"}]
        portfolio = book(account=accounts, effort=[hours("A", 30.0), hours("B", 10.0)])
        assert freed(portfolio, Scenario(["A"])).summary["freed"]["hours"] == 40
        assert freed(portfolio).summary["freed"]["hours"] == 30

    def test_one_that_brings_nothing_frees_its_hours_all_the_same(self):
        portfolio = book(
            lines=[("A", NOW, 5.0), ("A", NOW, -5.0), ("B", NOW, 9.0)],
            effort=[hours("A", 30.0)],
        )
        assert freed(portfolio).summary["freed"]["hours"] == 30

    @pytest.mark.parametrize(
        ("how", "settings", "left"),
        [
            ({"lost_share": 0.5}, {}, 24.0),
            # Month m of 12 has lost m/12: 78/144 of a year.
            ({"ramp_months": 12}, {}, 26.0),
            ({}, {"run_off_share": 0.25}, 36.0),
            ({"ramp_months": 12}, {"run_off_share": 0.75}, 0.0),
        ],
    )
    def test_the_first_year_is_short_of_what_is_still_given(self, how, settings, left):
        """Sheet 4.4: hours consumed, scaled to the future, minus run-off hours."""
        scenario = Scenario(["A"], level="account", **how)
        result = freed(book(effort=[hours("A", 48.0)]), scenario, **settings)
        assert result.summary["freed"]["hours"] == left

    def test_a_period_that_is_no_year_is_brought_to_one(self):
        result = freed(book(effort=[hours("A", 48.0)]), period=Period.last_months(6))
        assert result.summary["freed"]["hours"] == 96
        assert "loss_annualised" in codes(result)

    def test_where_nobody_noted_time_it_is_unknown_not_zero(self):
        result = freed(book(effort=[hours("B", 9.0)], project=[parked("P", 5.0, 1.0)]))
        assert result.summary["freed"]["hours"] is None
        assert result.summary["plan"] is None
        assert rows(result, "frame")["A"]["hours_freed"] is None
        assert status(result) == {"project:P": "not_weighed"}
        assert "hours_missing" in codes(result)
        assert "what it would free is unknown" in result.explain("A")

    def test_a_part_that_is_known_is_told_as_a_part(self):
        result = freed(book(effort=[hours("A", 9.0)]), Scenario(["A", "B"]))
        assert result.summary["freed"]["hours"] == 9
        assert result.summary["freed"]["unknown_count"] == 1
        assert "hours_missing" in codes(result)

    def test_without_any_table_of_time_there_is_no_answer(self):
        with pytest.raises(MissingTableError, match="effort"):
            freed_capacity(samples.firm())

    def test_calls_and_meetings_stand_in_for_time_sheets(self):
        activity = pa.table(
            {
                "activity_id": ["1"],
                "account_id": ["A"],
                "occurred_at": pa.array(
                    [datetime(2026, 1, 5, tzinfo=UTC)], pa.timestamp("us", "UTC")
                ),
                "minutes": [600.0],
            }
        )
        portfolio = book().with_tables(activity=activity)
        result = freed(portfolio)
        assert result.summary["freed"]["hours"] == 10
        assert {"freed_from_activities", "freed_without_roles"} <= set(codes(result))

    def test_capacity_stands_beside_it_as_of_a_year(self):
        half = {"role": "sales", "from_on": date(2026, 1, 1), "to_on": AS_OF}
        portfolio = book(
            effort=[hours("A", 30.0, "sales")], capacity=[half | {"hours": 181.0}]
        )
        found = rows(freed(portfolio), "roles")["sales"]
        assert found["hours_capacity"] == pytest.approx(365.2425)


class TestTheRoles:
    def test_hours_are_those_of_their_role_and_no_other(self):
        projects = [parked("P", 9.0, 10.0, "sales"), parked("Q", 1.0, 10.0, "delivery")]
        portfolio = book(effort=[hours("A", 20.0, "delivery")], project=projects)
        result = freed(portfolio)
        assert status(result) == {"project:P": "skill_gap", "project:Q": "chosen"}
        (gap,) = [each for each in result.warnings if each.code == "skill_gap"]
        assert gap.values == {"n": 1, "roles": "sales"}
        assert "of which no hours come free" in result.explain_candidate("project:P")

    def test_a_candidate_may_need_several(self):
        effort = [hours("A", 50.0, "delivery"), hours("A", 10.0, "sales")]
        portfolio = book(
            lines=[("A", NOW, 500.0), ("B", NOW, 100.0)],
            effort=effort,
            opportunity=[sale("O1", "B", 900.0, 0.5), sale("O2", "B", 800.0, 0.5)],
        )
        result = freed(portfolio, hours_per_sale={"sales": 5, "delivery": 10})
        assert status(result) == {"sale:O1": "chosen", "sale:O2": "left"}
        row = rows(result)["sale:O1"]
        assert (row["hours"], row["hours_sales"], row["hours_delivery"]) == (15, 5, 10)

    def test_time_that_no_role_was_noted_for_is_given_to_nobody(self):
        effort = [hours("A", 20.0, "delivery"), hours("A", 5.0)]
        projects = [parked("P", 9.0, 4.0), parked("Q", 1.0, 10.0, "delivery")]
        result = freed(book(effort=effort, project=projects))
        assert status(result) == {"project:P": "hours_missing", "project:Q": "chosen"}
        assert "freed_partly_without_roles" in codes(result)

    def test_where_no_role_is_noted_at_all_hours_are_one_pool(self):
        projects = [parked("P", 9.0, 4.0, "sales"), parked("Q", 1.0, 10.0, "delivery")]
        result = freed(book(effort=[hours("A", 20.0)], project=projects))
        assert chosen(result) == {"project:P", "project:Q"}
        assert "freed_without_roles" in codes(result)


class TestTheReserve:
    def test_a_fifth_is_kept_free_whatever_could_be_had_for_it(self):
        """Article 0: the point is choice, not filling time."""
        result = freed(sheet_book())
        told = result.summary["freed"]
        assert (told["hours"], told["hours_reserve"]) == (50, 10)
        assert told["hours_given_out"] == 40

    def test_its_size_is_a_setting_and_may_be_all_of_it(self):
        result = freed(sheet_book(), reserve_share=1.0)
        assert chosen(result) == set()
        assert result.summary["freed"]["hours_reserve"] == 50
        assert chosen(freed(sheet_book(), reserve_share=0.0)) == {
            "project:a",
            "project:b",
            "project:d",
        }

    def test_it_is_rounded_up_to_the_minute(self):
        portfolio = book(effort=[hours("A", 0.05)])
        assert freed(portfolio).summary["freed"]["hours_reserve"] == 1 / 60


class TestTheCandidates:
    def test_an_open_sale_is_worth_odds_times_margin_discounted(self):
        """600 · 50 % · 60 % a year after the start, at 10 % a year."""
        portfolio = book(
            lines=[("A", NOW, 500.0), ("B", NOW, 100.0)],
            effort=[hours("A", 50.0)],
            opportunity=[
                sale("O1", "B", 600.0, 0.5, expected_close_on=date(2027, 7, 1)),
                sale("O2", "B", 600.0, 0.5, expected_close_on=date(2026, 7, 1)),
                sale("O3", None, 600.0, 0.5),
            ],
        )
        found = rows(freed(portfolio, hours_per_sale={"any": 1}))
        assert found["sale:O1"]["value"] == pytest.approx(180 / 1.1, abs=0.02)
        assert found["sale:O2"]["value"] == 180
        # One of an account nobody knows has the margin of the whole.
        assert found["sale:O3"]["value"] == 180

    def test_the_margin_is_the_accounts_own_where_its_lines_tell_it(self):
        portfolio = book(
            lines=[("A", NOW, 500.0), ("B", NOW, 100.0, 90.0), ("C", NOW, 9.0, None)],
            effort=[hours("A", 50.0)],
            opportunity=[sale("O1", "B", 600.0, 0.5), sale("O2", "C", 600.0, 0.5)],
        )
        found = rows(freed(portfolio, hours_per_sale={"any": 1}))
        assert found["sale:O1"]["value"] == 30
        assert found["sale:O2"]["status"] == "value_missing"
        chosen_share = freed(
            portfolio, hours_per_sale={"any": 1}, variable_cost_share=0.5
        )
        assert rows(chosen_share)["sale:O2"]["value"] == 150

    def test_its_hours_are_the_mean_of_the_sales_that_were_won(self):
        won = [
            sale(each, "B", 1.0, None) | {"status": "won", "closed_on": OLD}
            for each in ("W1", "W2")
        ]
        effort = [hours("A", 50.0, "sales")]
        effort += [hours("B", 3.0, "sales", on=OLD, sale="W1")]
        effort += [hours("B", 6.0, "sales", on=OLD, sale="W2")]
        portfolio = book(effort=effort, opportunity=[*won, sale("O1", "B", 600.0, 0.5)])
        result = freed(portfolio)
        assert rows(result)["sale:O1"]["hours"] == 4.5
        assert result.summary["hours_per_sale"] == {
            "source": "books",
            "sale_count": 2,
            "by_role": {"sales": 4.5},
        }

    def test_what_nobody_knows_is_listed_apart_and_not_counted_as_zero(self):
        portfolio = book(
            lines=[("A", NOW, 500.0), ("B", NOW, 100.0)],
            effort=[hours("A", 50.0)],
            opportunity=[sale("O1", "B", None, 0.5), sale("O2", "B", 600.0, None)],
            project=[parked("P", None, 1.0), parked("Q", 9.0, None)],
        )
        result = freed(portfolio, hours_per_sale={"any": 1})
        assert status(result) == {
            "project:P": "value_missing",
            "project:Q": "hours_missing",
            "sale:O1": "value_missing",
            "sale:O2": "value_missing",
        }
        assert rows(result)["project:P"]["value"] is None
        assert rows(result)["project:Q"]["hours"] is None
        assert {"freed_hours_missing", "freed_value_missing"} <= set(codes(result))
        assert "The reserve is there" in result.explain_candidate("project:P")

    def test_what_was_to_be_done_by_then_is_listed_apart(self):
        early = {"deadline_on": AS_OF}
        portfolio = book(
            effort=[hours("A", 50.0)],
            opportunity=[
                sale("O1", "B", 9.0, 0.5, expected_close_on=date(2026, 6, 29))
            ],
            project=[parked("P", 9.0, 1.0, **early)],
        )
        result = freed(portfolio, hours_per_sale={"any": 1})
        assert status(result) == {"project:P": "overdue", "sale:O1": "overdue"}
        assert "30 June 2026" in result.explain_candidate("project:P").replace(
            "\N{NO-BREAK SPACE}", " "
        )

    def test_renewals_and_what_goes_with_the_lost_are_none(self):
        portfolio = book(
            effort=[hours("A", 50.0)],
            opportunity=[
                sale("O1", "A", 9.0, 0.5),
                sale("O2", "B", 9.0, 0.5, kind="renewal"),
            ],
            project=[parked("P", 9.0, 1.0, account_id="A")],
        )
        result = freed(portfolio, hours_per_sale={"any": 1})
        assert status(result) == {}
        assert result.summary["left_out"] == {
            "renewals": 1,
            "sales_of_lost_accounts": 1,
            "projects_of_lost_accounts": 1,
            "win_backs_of_lost_accounts": 0,
        }
        half = Scenario(["A"], level="account", lost_share=0.5)
        found = rows(freed(portfolio, half, hours_per_sale={"any": 1}))
        assert found["sale:O1"]["odds"] == 0.25

    def test_a_rising_account_may_grow_once_more_as_it_did(self):
        """100 more at 60 %; a third of its 30 hours carry a third of its revenue."""
        lines = [("A", day, 900.0) for day in (OLD, BEFORE, NOW)]
        lines += [("B", OLD, 200.0), ("B", BEFORE, 200.0), ("B", NOW, 300.0)]
        portfolio = book(lines=lines, effort=[hours("A", 50.0), hours("B", 30.0)])
        chosen_settings = FreedCapacitySettings(scenario=LOST)
        listed = listing(portfolio, ["B", "C"], drawn=["C"])
        result = freed_capacity(portfolio, chosen_settings, succession=listed)
        row = rows(result)["rising:B"]
        assert (row["value"], row["hours"], row["status"]) == (60, 10, "chosen")
        # Of one drawn by chance, nobody knows what more it would bring.
        assert rows(result)["exploration:C"]["status"] == "hours_missing"
        gone = listing(portfolio, ["A"], drawn=[])
        result = freed_capacity(portfolio, chosen_settings, succession=gone)
        assert rows(result) == {}

    def test_one_whose_growth_nobody_can_tell_is_listed_apart(self):
        portfolio = book(effort=[hours("A", 50.0), hours("B", 30.0)])
        listed = listing(portfolio, ["B", "C"], drawn=[])
        result = freed_capacity(portfolio, scenario=LOST, succession=listed)
        assert status(result) == {
            "rising:B": "value_missing",
            "rising:C": "hours_missing",
        }

    def test_a_former_amount_that_lacks_is_no_growth(self):
        won = [
            ("A", OLD, 900.0),
            ("A", BEFORE, 900.0),
            ("A", NOW, 900.0),
            ("B", OLD, 200.0),
            ("B", BEFORE, None),
            ("B", NOW, 300.0),
        ]
        sold = [
            {**sale(str(at), who, amount, 1.0), "status": "won", "closed_on": day}
            for at, (who, day, amount) in enumerate(won)
        ]
        noted = [hours("A", 50.0), hours("B", 30.0)]
        portfolio = book(lines=(), opportunity=sold, effort=noted)
        settings = {"measure": "booked", "variable_cost_share": 0.4}
        listed = listing(portfolio, ["B"], drawn=[])
        result = freed_capacity(
            portfolio,
            FreedCapacitySettings(scenario=LOST, **settings),
            succession=listed,
        )
        assert status(result) == {"rising:B": "value_missing"}
        assert "amounts_unknown_before" in codes(result)

    @pytest.mark.parametrize("needs", [-5.0, None])
    def test_hours_that_cannot_be_are_missing(self, needs):
        projects = [parked("odd", 5000.0, needs), parked("a", 900.0, 3.0)]
        result = freed(book(effort=[hours("A", 50.0)], project=projects))
        assert status(result) == {
            "project:odd": "hours_missing",
            "project:a": "chosen",
        }

    @pytest.mark.parametrize("needs", [-5.0, None, float("inf"), float("nan")])
    def test_nor_do_candidates_from_elsewhere_take_such_hours(self, needs):
        others = pa.table(
            {
                "candidate_id": ["odd"],
                "hours": pa.array([needs], NUMBER),
                "value": [5000.0],
            }
        )
        given = freed_capacity(
            book(effort=[hours("A", 50.0)]), scenario=LOST, candidates=others
        )
        assert status(given) == {"other:odd": "hours_missing"}

    def test_less_than_no_time_frees_nothing(self):
        noted = [hours("A", -50.0), hours("B", 8.0, "dev"), hours("B", -1.0, "sales")]
        result = freed(book(effort=noted))
        assert result.summary["freed"]["hours"] in (None, 0)
        (warning,) = [each for each in result.warnings if "negative" in each.code]
        assert (warning.code, warning.values) == ("effort_negative", {"n": 2})
        assert "hours_missing" in codes(result)

    def test_the_rising_must_be_of_the_same_portfolio(self):
        with pytest.raises(SettingsError, match="another portfolio"):
            freed_capacity(sheet_book(), succession=succession(samples.firm()))

    def test_any_other_source_may_bring_more_of_them(self):
        """The seam for lost sales that are worth another try."""
        more = pa.table(
            {
                "candidate_id": ["O9", "O9", "idea", "part", "part"],
                "kind": ["win_back", "win_back", None, None, None],
                "account_id": ["B", "B", None, None, None],
                "role": ["sales", "delivery", "sales", "sales", "delivery"],
                "hours": [2.0, 3.0, 1.0, 2.0, None],
                "value": [800.0, 800.0, None, 9.0, 9.0],
                "odds": [0.25, 0.25, None, None, None],
            }
        )
        effort = [hours("A", 50.0, "delivery"), hours("A", 10.0, "sales")]
        result = freed_capacity(book(effort=effort), scenario=LOST, candidates=more)
        assert status(result) == {
            "win_back:O9": "chosen",
            "other:idea": "value_missing",
            "other:part": "hours_missing",
        }
        row = rows(result)["win_back:O9"]
        assert (row["value"], row["hours"]) == (200, 5)
        assert rows(result, "frame")["B"]["status"] == "chosen"

    @pytest.mark.parametrize(
        ("columns", "said"),
        [
            ({"id": ["x"]}, "'id'"),
            ({"candidate_id": [None]}, "needs its candidate_id"),
            ({"candidate_id": ["x"], "odds": [1.5]}, "shares from 0 to 1"),
        ],
    )
    def test_what_is_wrong_with_them_is_said(self, columns, said):
        kinds = {"id": TEXT, "candidate_id": TEXT, "odds": NUMBER}
        more = pa.table({k: pa.array(v, kinds[k]) for k, v in columns.items()})
        with pytest.raises(SettingsError, match=said):
            freed_capacity(sheet_book(), candidates=more)

    def test_none_of_them_takes_the_place_of_one_of_ours(self):
        more = pa.table({"candidate_id": ["a"], "kind": ["project"]})
        with pytest.raises(SettingsError, match="two candidates"):
            freed_capacity(sheet_book(), scenario=LOST, candidates=more)


class TestHowSureItIs:
    def test_the_range_of_the_plan_holds_its_value(self):
        plan = freed(sheet_book()).summary["plan"]
        assert plan["value_p10"] < plan["value_p50"] < plan["value_p90"]
        assert plan["value_p50"] == pytest.approx(14_000, rel=0.02)
        # Two independent evenly spread values of ±30 %: P10 and P90 by hand.
        assert plan["value_p90"] == pytest.approx(14_000 + 2_324, rel=0.02)

    def test_a_sale_comes_off_or_it_does_not(self):
        portfolio = book(
            lines=[("A", NOW, 500.0), ("B", NOW, 100.0)],
            effort=[hours("A", 50.0)],
            opportunity=[sale("O1", "B", 1000.0, 0.5)],
        )
        row = rows(freed(portfolio, hours_per_sale={"x": 1}, spread_share=0.0))[
            "sale:O1"
        ]
        assert (row["value"], row["value_p10"], row["value_p90"]) == (300, 0, 600)

    def test_a_place_holds_as_far_as_the_estimates(self):
        found = rows(freed(sheet_book()))
        place = {
            each: [
                found[f"project:{each}"][name]
                for name in ("rank", "rank_p10", "rank_p90")
            ]
            for each in "abcd"
        }
        assert place["b"] == [1, 1, 1]
        assert place["c"] == [4, 3, 4]
        sure = rows(freed(sheet_book(), spread_share=0.0))
        assert all(
            row["rank"] == row["rank_p10"] == row["rank_p90"]
            for row in sure.values()
            if row["rank"]
        )

    def test_the_same_seed_draws_the_same(self):
        first, again = (freed(sheet_book(), seed=7).to_dict() for _ in range(2))
        assert first == again
        other = freed(sheet_book(), seed=8).summary["plan"]
        assert other["value_p10"] != first["summary"]["plan"]["value_p10"]

    def test_a_plan_that_is_not_proved_says_what_it_may_lack(self):
        draws = [parked(f"P{at:03}", 10.0 + at % 7, 3.0 + at % 5) for at in range(30)]
        portfolio = book(effort=[hours("A", 50.0)], project=draws)
        result = freed(portfolio, exact_count=29)
        plan = result.summary["plan"]
        assert plan["at_most"] >= plan["value"]
        assert ("freed_not_proved" in codes(result)) == (not plan["is_best"])
        best = freed(portfolio).summary["plan"]
        assert best["is_best"]
        assert plan["value"] <= best["value"] <= plan["at_most"]


FULL = {
    "lines": [
        *((each, OLD, 100.0) for each in "ABC"),
        *((each, BEFORE, 100.0) for each in "ABC"),
        ("A", NOW, 500.0),
        ("B", NOW, 150.0),
        ("C", NOW, 9.5, None),
    ],
    "effort": [
        hours("A", 30.25, "delivery"),
        hours("A", 10.0, "sales"),
        hours("B", 9.75, "sales"),
        hours("A", 2.0),
        hours("C", 1.0, "sales", on=OLD, sale="W1"),
    ],
    "opportunity": [
        sale("O1", "B", 900.0, 0.5, expected_close_on=date(2026, 9, 1)),
        sale("O2", "C", None, 0.5),
        sale("W1", "C", 5.0, None) | {"status": "won", "closed_on": OLD},
    ],
    "project": [
        parked("P", 90.0, 3.0, "sales", name="Manual"),
        parked("Q", 9.0, 2.0, "legal"),
        parked("R", 70.0, 4.5, "delivery", account_id="B"),
    ],
}


class TestTheResult:
    @pytest.mark.parametrize("period", [Period.last_months(12), Period.all()])
    def test_every_kind_of_frame_gives_the_same_bytes(self, period):
        told = {
            json.dumps(
                freed(
                    book(backend=backend, **FULL),
                    period=period,
                    variable_cost_share=0.5,
                ).to_dict(),
                allow_nan=False,
            )
            for backend in ("pandas", "polars", "pyarrow")
        }
        assert len(told) == 1

    def test_the_order_of_the_rows_changes_nothing(self):
        turned = {name: list(each)[::-1] for name, each in FULL.items()}
        ours, theirs = (freed(book(**each)).to_dict() for each in (FULL, turned))
        for each in (ours, theirs):
            each["params"].pop("portfolio")  # the lines are numbered otherwise
        assert ours == theirs

    def test_every_setting_is_echoed(self):
        told = freed(sheet_book()).params["settings"]
        fields = set(attrs.fields_dict(FreedCapacitySettings)) - {"period", "measure"}
        assert set(told) == fields
        assert told["scenario"]["accounts"] == ["A"]

    def test_the_rule_behind_the_rising_is_echoed(self):
        one = sheet_book()
        rule = SuccessionSettings(method=Slices(3))
        result = freed_capacity(one, succession=succession(one, rule))
        told = result.params["succession"]
        assert told["settings"]["method"] == {"kind": "Slices", "count": 3}

    def test_every_account_and_candidate_is_explained_in_both_languages(self):
        result = freed(book(**FULL))
        for lang in ("en", "fr"):
            said = [result.explain(each, lang=lang) for each in "ABC"]
            said += [result.explain_candidate(each, lang=lang) for each in rows(result)]
            said.append(result.proposal(lang=lang))
            for each in said:
                assert "None" not in each
                assert "nan" not in each.lower().split()
        assert "Manual (project:P)" in result.proposal()
        assert "people" in result.explain("A")
        assert "proposition" in result.explain("A", lang="fr")

    def test_a_candidate_nobody_knows_is_an_error_with_the_nearest(self):
        with pytest.raises(SettingsError, match="did you mean 'project:a'"):
            freed(sheet_book()).explain_candidate("project:aa")

    def test_two_scenarios_can_be_compared(self):
        portfolio = book(**FULL)
        one = freed(portfolio)
        two = freed(portfolio, Scenario(["B"], level="account"))
        assert two.compared_with(one).moves[("lost", "none")] == 1
        assert two.compared_with(one).moves[("chosen", "lost")] == 1

    def test_it_is_saved_with_all_its_figures(self, tmp_path):
        pytest.importorskip("openpyxl")
        result = freed(book(**FULL))
        for ending in ("xlsx", "html", "csv", "parquet"):
            result.save(tmp_path / f"freed.{ending}")
        assert "Freed capacity" in (tmp_path / "freed.html").read_text("utf-8")

    def test_nothing_is_assigned(self):
        assert freed(sheet_book()).assignments() is None

    @pytest.mark.parametrize(
        "wrong",
        [
            {"reserve_share": 1.1},
            {"run_off_share": -0.1},
            {"spread_share": 2.0},
            {"discount_share": -0.1},
            {"exact_count": 0},
            {"draws": 0},
            {"hours_per_sale": {"sales": -1.0}},
        ],
    )
    def test_what_makes_no_sense_is_refused(self, wrong):
        with pytest.raises(SettingsError, match=next(iter(wrong))):
            FreedCapacitySettings(**wrong)

    def test_the_file_of_settings_says_all_of_it(self, tmp_path):
        file = tmp_path / "portfolio.toml"
        file.write_text(
            "[freed_capacity]\nreserve_share = 0.3\nhours_per_sale = {sales = 8}\n"
            'scenario = {accounts = ["A"], ramp_months = 3}\n'
        )
        found = Settings.load(file).freed_capacity
        assert found.scenario == Scenario(["A"], ramp_months=3)
        assert (found.reserve_share, found.hours_per_sale) == (0.3, {"sales": 8.0})


class TestThePictures:
    @pytest.fixture
    def ax(self):
        figure = pytest.importorskip("matplotlib.figure")
        return figure.Figure().subplots()

    def test_hours_are_drawn_by_role_used_left_and_kept(self, ax):
        freed(book(**FULL)).plot(ax=ax)
        assert [label.get_text() for label in ax.get_legend().get_texts()] == [
            "Given out",
            "Left over",
            "Reserve, kept free",
        ]
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("Role", "Hours")
        total = sum(bar.get_height() for bar in ax.patches)
        assert total == 42.25

    def test_values_are_drawn_with_their_range(self, ax):
        freed(sheet_book()).plot_value(ax=ax, lang="fr")
        names = [label.get_text() for label in ax.get_xticklabels()]
        assert names == ["project:b", "project:a"]
        assert ax.get_ylabel() == "Contribution (EUR)"

    def test_where_nothing_is_known_a_sentence_stands_instead(self, ax):
        freed(book(effort=[hours("B", 9.0)])).plot(ax=ax)
        assert ax.texts[0].get_text() == "No freed hours to show"


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 900), st.integers(0, 40), st.sampled_from(["x", "y", None])
        ),
        max_size=9,
    ),
    st.dictionaries(st.sampled_from(["x", "y"]), st.integers(1, 60)),
    st.sampled_from([0.0, 0.2, 0.37]),
)
def test_no_role_gives_out_more_than_is_freed_less_the_reserve(projects, noted, share):
    """Hours close: freed = kept + given out + left, and nothing is given to the lost."""
    portfolio = book(
        effort=[hours("A", float(each), role) for role, each in noted.items()]
        or [hours("A", 5.0)],
        project=[
            parked(f"P{at}", float(value), float(needs), role)
            for at, (value, needs, role) in enumerate(projects)
        ],
    )
    result = freed(portfolio, reserve_share=share, draws=50)
    for row in rows(result, "roles").values():
        parts = [row[f"hours_{name}"] for name in ("reserve", "used", "left")]
        assert min(parts) >= 0
        assert sum(parts) == pytest.approx(row["hours_freed"])
        assert row["hours_reserve"] >= share * row["hours_freed"] - 1e-9
    plan = result.summary["plan"]
    assert plan["is_best"]
    assert plan["value_by_rate_alone"] <= plan["value"] <= plan["at_most"]
    json.dumps(result.to_dict(), allow_nan=False)
