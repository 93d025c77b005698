"""How many hours does each tier and account get, and who eats more than that?"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from math import log

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_portfolio import samples
from crm_portfolio._frames import BACKENDS, from_arrow, to_arrow
from crm_portfolio.analysis import (
    Abc,
    AllocationSettings,
    Bands,
    Quantiles,
    ServiceLevel,
    TiersSettings,
    allocation,
    succession,
    tiers,
)
from crm_portfolio.errors import MissingTableError, SettingsError
from crm_portfolio.portfolio import Period, Portfolio

AS_OF = date(2026, 6, 30)
OLD, BEFORE, NOW = date(2024, 1, 5), date(2025, 1, 15), date(2026, 1, 15)
AMOUNTS = [120, 110, 100, 90, 80, 70, 60, 50, 40, 40, 35, 35, 30, 30, 25, 25, 20, 15]
V20 = {f"A{at:02}": amount for at, amount in enumerate([*AMOUNTS, 15, 10])}


def book(amounts, *, before=None, hours=None, hours_before=None, **tables):
    """Accounts with one amount in the year and one in the year before, and their hours."""
    lines = [(each, OLD, sign) for each in amounts for sign in (0.01, -0.01)]
    lines += [(each, NOW, amount) for each, amount in amounts.items()]
    lines += [(each, BEFORE, amount) for each, amount in (before or {}).items()]
    ids = sorted({each for each, _, _ in lines})
    made = {
        "account": pa.table({"account_id": pa.array(ids, pa.string())}),
        "revenue_line": line_table(lines),
    }
    notes = [(each, NOW, h) for each, h in (hours or {}).items()]
    notes += [(each, BEFORE, h) for each, h in (hours_before or {}).items()]
    if notes:
        made["effort"] = effort_table(notes)
    return Portfolio.from_frames(as_of=AS_OF, currency="EUR", **(made | tables))


def line_table(lines):
    return pa.table(
        {
            "line_id": pa.array([str(at) for at in range(len(lines))], pa.string()),
            "account_id": pa.array([each for each, _, _ in lines], pa.string()),
            "booked_on": pa.array([day for _, day, _ in lines], pa.date32()),
            "amount": pa.array([amount for _, _, amount in lines], pa.float64()),
        }
    )


def effort_table(notes):
    return pa.table(
        {
            "account_id": [each for each, _, _ in notes],
            "worked_on": pa.array([day for _, day, _ in notes], pa.date32()),
            "minutes": [h * 60.0 for _, _, h in notes],
        }
    )


def capacity_table(*rows):
    names = ("role", "from_on", "to_on", "hours")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    return pa.table({name: list(values) for name, values in columns.items()})


def share(portfolio, **chosen):
    return allocation(portfolio, AllocationSettings(**chosen))


def column(result, name, frame="frame"):
    table = to_arrow(getattr(result, frame))
    return dict(zip(table.column(0).to_pylist(), table[name].to_pylist(), strict=True))


def codes(result) -> list[str]:
    return [warning.code for warning in result.warnings]


def first_line(result, account, lang="en") -> str:
    said = result.explain(account, lang=lang).splitlines()[0]
    return said.replace("\N{NO-BREAK SPACE}", " ")


class TestTheSheet:
    def test_each_group_gets_the_same_hours(self):
        """Sheet 2.6 [H]: V20, k=4, H = 800: per client 100, 66.667, 40, 20."""
        result = share(book(V20), hours=800)
        each = column(result, "hours_per_account", "tiers")
        assert {tier: round(hours, 3) for tier, hours in each.items()} == {
            "A": 100,
            "B": 66.667,
            "C": 40,
            "D": 20,
        }
        assert set(column(result, "hours", "tiers").values()) == {200}

    def test_the_floor_is_paid_for_by_the_others(self):
        """Sheet 2.6 [H]: floor 24 h: D 240 h, others 186.667; 93.333 62.222 37.333 24."""
        result = share(book(V20), hours=800, floor_hours=24)
        hours = column(result, "hours", "tiers")
        assert [round(each, 3) for each in hours.values()] == [186.667] * 3 + [240]
        each = column(result, "hours_per_account", "tiers")
        assert [round(one, 3) for one in each.values()] == [93.333, 62.222, 37.333, 24]
        minutes = column(result, "minutes")
        assert sum(minutes.values()) == 800 * 60
        assert min(minutes.values()) == 24 * 60
        assert column(result, "is_at_floor", "tiers")["D"]

    def test_growth_or_just_workload(self):
        """Sheet 2.7 [H]: n 50→100, R 1000→1300, H 2000→3800: .925999, .378512, .5, .342105."""
        fifty = {f"A{at:02}": 20 for at in range(50)}
        hundred = {f"A{at:02}": 13 for at in range(100)}
        portfolio = book(
            hundred,
            before=fifty,
            hours={"A00": 3800},
            hours_before={"A00": 1000},
            effort=effort_table(
                [
                    ("A00", NOW, 3800),
                    ("A00", BEFORE, 1000),
                    ("A00", date(2024, 7, 3), 1000),
                ]
            ),
        )
        growth = allocation(portfolio).summary["growth"]
        assert round(growth["hours_elasticity"], 6) == 0.925999
        assert round(growth["revenue_elasticity"], 6) == 0.378512
        assert growth["before"]["revenue_per_hour"] == 0.5
        assert round(growth["now"]["revenue_per_hour"], 6) == 0.342105
        logs = growth["log_changes"]
        assert logs["accounts"] == pytest.approx(log(2))
        assert logs["revenue"] == pytest.approx(
            logs["accounts"] + logs["revenue_per_account"]
        )
        assert logs["hours"] == pytest.approx(
            logs["accounts"] + logs["hours_per_account"]
        )

    def test_as_many_clients_as_before_say_nothing_of_growth(self):
        """Sheet 2.7: n1 = n0 → None, and a warning."""
        result = allocation(book({"A": 5, "B": 6}, before={"A": 3, "B": 4}))
        assert result.summary["growth"]["revenue_elasticity"] is None
        assert "no_change_in_n" in codes(result)

    def test_the_small_eighty_per_cent_shall_not_eat_the_effort(self):
        """Article 3 in sheet 2.6: hours share of the bottom 80 % at most 25 %."""
        hours = dict.fromkeys(V20, 3) | dict.fromkeys(["A00", "A01"], 48)
        within = allocation(book(V20, hours=hours | {"A02": 24, "A03": 24}))
        tail = within.summary["tail"]
        assert (tail["account_count"], tail["hours_share"]) == (16, 0.25)
        assert tail["is_over_limit"] is False
        assert "alloc_tail_over" not in codes(within)
        over = allocation(book(V20, hours=hours | {"A02": 24, "A03": 23}))
        assert over.summary["tail"]["is_over_limit"] is True
        assert "alloc_tail_over" in codes(over)

    def test_dormant_accounts_are_none_of_the_small_ones(self):
        """Sheet, amendment 2: dormant accounts are left out of n and k."""
        ids = [*V20, *(f"Z{at}" for at in range(10))]
        portfolio = book(V20, account=pa.table({"account_id": ids}))
        assert allocation(portfolio).summary["tail"]["account_count"] == 16

    def test_intensity_is_hours_share_over_revenue_share(self):
        hours = {"A": 30, "B": 10, "C": 60}
        result = allocation(book({"A": 50, "B": 30, "C": 20}, hours=hours))
        assert column(result, "intensity") == {
            "A": 0.6,
            "B": pytest.approx(1 / 3),
            "C": 3.0,
        }
        assert column(result, "intensity", "tiers")["C"] == 3.0

    def test_an_intensity_compares_accounts_with_noted_time_only(self):
        """Two of ten noted: as much of the hours as of what the two of them bring."""
        amounts = {f"A{at}": 1000 if at < 2 else 125 for at in range(10)}
        result = allocation(book(amounts, hours={"A0": 100, "A9": 10}))
        found = column(result, "intensity")
        assert found["A0"] == pytest.approx((100 / 110) / (1000 / 1125))
        assert found["A1"] is None
        assert column(result, "revenue_share_of_noted")["A9"] == pytest.approx(1 / 9)
        by_tier = column(result, "revenue_share_of_noted", "tiers")
        assert sum(each or 0 for each in by_tier.values()) == pytest.approx(1)
        first = column(result, "intensity", "tiers")["A"]
        assert first == pytest.approx((100 / 110) / (1000 / 1125))

    @pytest.mark.parametrize(
        ("noted", "is_over"),
        [
            ({"A0": 100, "A9": 10}, None),
            ({"A0": 100, "A1": 100, "A9": 10}, None),
            (dict.fromkeys([f"A{at}" for at in range(2, 10)], 10) | {"A0": 1}, None),
            (dict.fromkeys([f"A{at}" for at in range(2, 10)], 1) | {"A0": 99}, False),
            ({"A0": 10, "A1": 10, "A9": 10}, True),
        ],
    )
    def test_hours_that_nobody_noted_do_not_pass_the_check(self, noted, is_over):
        """It holds only where the others' hours could not turn it round."""
        amounts = {f"A{at}": 1000 if at < 2 else 125 for at in range(10)}
        result = allocation(book(amounts, hours=noted))
        assert result.summary["tail"]["is_over_limit"] is is_over
        code = {None: "alloc_tail_open", True: "alloc_tail_over"}.get(is_over)
        assert [each for each in codes(result) if "tail" in each] == [code] * bool(code)
        said = result.workload().replace("\N{NO-BREAK SPACE}", " ").splitlines()[0]
        if is_over is None:
            count = len(set(noted) - {"A0", "A1"})
            assert said.startswith("Of the hours noted, the small 80 % take")
            assert f"noted for {count} of 8" in said

    def test_less_than_no_time_is_unknown(self):
        portfolio = book({"A": 50, "B": 30}, hours={"A": 10, "B": -5})
        result = allocation(portfolio)
        assert column(result, "hours_spent") == {"A": 10.0, "B": None}
        assert column(result, "intensity") == {"A": 1.0, "B": None}
        assert "effort_negative" in codes(result)

    def test_an_hour_brings_what_is_known_of_both(self):
        """Sheet 2.7: revenue per hour; one without noted time is not a free one."""
        portfolio = book({"A": 50, "B": 30, "C": 20}, hours={"A": 25, "B": 10})
        one = tiers(portfolio, TiersSettings(method=Bands((1000,))))
        result = allocation(portfolio, tiers=one)
        assert column(result, "revenue_per_hour") == {"A": 2.0, "B": 3.0, "C": None}
        (rate,) = column(result, "revenue_per_hour", "tiers").values()
        assert rate == pytest.approx(80 / 35)

    def test_beside_the_policy_stands_who_brings_most_for_an_hour(self):
        """Sheet 2.6: "show next to it the allocation by expected value per hour (4.4)":
        B brings 3 an hour, A 2, D nothing; of 30 hours B takes its 10 and A what is left,
        and nobody knows what C takes."""
        amounts = {"A": 50, "B": 30, "C": 20, "D": -5}
        portfolio = book(amounts, hours={"A": 25, "B": 10, "D": 9})
        chosen = AllocationSettings(hours=30)
        one = tiers(portfolio, TiersSettings(method=Bands((1000,))))
        result = allocation(portfolio, chosen, tiers=one)
        assert column(result, "hours_by_value") == {
            "A": 20.0,
            "B": 10.0,
            "C": None,
            "D": None,
        }
        assert column(result, "expected_per_hour") == column(result, "revenue_per_hour")
        assert column(result, "hours_by_value", "tiers")["B"] == 30.0
        assert result.summary["by_value"] == {"hours_left": 0, "odds": "stay"}
        more = allocation(portfolio, AllocationSettings(hours=50), tiers=one)
        assert more.summary["by_value"]["hours_left"] == 15

    def test_who_may_leave_is_expected_to_bring_less(self):
        firm = samples.firm()
        ids = to_arrow(firm["account"])["account_id"].to_pylist()
        portfolio = firm.with_tables(effort=effort_table([(i, NOW, 4) for i in ids]))
        future = succession(portfolio)
        chosen = AllocationSettings(hours=50)
        now, then = (
            allocation(portfolio, chosen, succession=each) for each in (None, future)
        )
        assert then.summary["by_value"]["odds"] == "succession"
        assert "succession" in then.params
        revenue, expected = (column(each, "expected_per_hour") for each in (now, then))
        served = column(then, "served_as")
        rates = future.leaving_rates
        known = [each for each in revenue if revenue[each] and served[each] in rates]
        assert known
        for each in known:
            odds = 1 - rates[served[each]]
            assert expected[each] == pytest.approx(revenue[each] * odds)

    def test_where_no_effort_is_known_nothing_is_zero(self):
        """Sheet 2.6: effort unknown for a tier → intensity None."""
        result = share(book({"A": 50, "B": 30}, hours={"A": 10}), hours=20)
        spent = column(result, "hours_spent")
        assert spent == {"A": 10.0, "B": None}
        for name in ("intensity", "spent_share", "hours_spent_share", "hours_over"):
            assert column(result, name)["B"] is None
        assert column(result, "intensity", "tiers")["B"] is None
        assert codes(result).count("effort_unknown") == 1
        assert "unknown, not zero" in result.explain("B")


class TestHowManyHours:
    def test_the_settings_say_it_first(self):
        capacity = capacity_table(("sales", date(2025, 7, 1), AS_OF, 100.0))
        portfolio = book({"A": 5, "B": 1}, hours={"A": 7}, capacity=capacity)
        told = share(portfolio, hours=40).summary["hours"]
        assert (told["total"], told["source"]) == (40.0, "settings")

    def test_capacity_counts_by_the_days_in_the_period(self):
        half = capacity_table(
            ("sales", date(2026, 6, 1), date(2026, 7, 30), 60.0),  # 30 days of 60
            ("care", date(2025, 7, 1), AS_OF, 100.0),
            ("care", date(2026, 7, 1), date(2027, 6, 30), 999.0),
        )
        result = allocation(book({"A": 5, "B": 1}, hours={"A": 7}, capacity=half))
        told = result.summary["hours"]
        assert (told["total"], told["source"]) == (130.0, "capacity")
        assert told["covered_share"] == 1
        assert "capacity_partly_known" not in codes(result)

    def test_capacity_that_speaks_of_a_part_of_the_period_is_warned_of(self):
        spring = capacity_table(("care", date(2026, 4, 1), AS_OF, 91.0))
        result = allocation(book({"A": 5}, capacity=spring))
        assert result.summary["hours"]["covered_share"] == pytest.approx(91 / 365)
        assert "capacity_partly_known" in codes(result)

    def test_capacity_of_another_time_says_nothing_of_this_one(self):
        other = capacity_table(("care", date(2026, 7, 1), date(2026, 7, 31), 90.0))
        told = allocation(book({"A": 5}, hours={"A": 7}, capacity=other)).summary
        assert (told["hours"]["total"], told["hours"]["source"]) == (7.0, "spent")

    def test_without_capacity_the_hours_spent_are_shared_out(self):
        result = allocation(book({"A": 50, "B": 30}, hours={"A": 2, "B": 4}))
        assert result.summary["hours"]["source"] == "spent"
        assert column(result, "minutes") == {"A": 180, "B": 180}
        assert column(result, "hours_over") == {"A": -1.0, "B": 1.0}
        assert "the 6 that were spent" in result.explain("A")

    def test_without_any_of_them_only_the_shares_are_known(self):
        result = allocation(book({"A": 50, "B": 30}))
        assert set(column(result, "minutes").values()) == {None}
        assert column(result, "hours_share") == {"A": 0.5, "B": 0.5}
        assert result.summary["hours"]["total"] is None
        assert "alloc_total_unknown" in codes(result)
        assert first_line(result, "A").startswith("50.0 % of all hours")

    def test_a_floor_without_hours_leaves_even_the_shares_open(self):
        result = share(book({"A": 50, "B": 30}), floor_hours=1)
        assert set(column(result, "hours_share").values()) == {None}
        assert first_line(result, "A").startswith("Its hours are unknown")

    def test_hours_come_from_activities_where_there_are_no_time_sheets(self):
        moments = [datetime(2026, 1, day, 9, tzinfo=UTC) for day in (5, 6, 7)]
        activity = pa.table(
            {
                "activity_id": ["1", "2", "3"],
                "account_id": ["A", "A", "B"],
                "occurred_at": pa.array(moments, pa.timestamp("us", "UTC")),
                "minutes": [60.0, 30.0, None],
            }
        )
        result = allocation(book({"A": 50, "B": 30}, activity=activity))
        assert result.summary["effort"]["source"] == "activity"
        assert column(result, "hours_spent") == {"A": 1.5, "B": None}

    def test_a_period_of_everything_takes_all_capacity(self):
        rows = [
            ("care", date(year, 1, 1), date(year, 12, 31), 100.0)
            for year in (2024, 2025)
        ]
        portfolio = book({"A": 5}, capacity=capacity_table(*rows))
        told = share(portfolio, period=Period.all()).summary
        # The book begins on 5 January 2024: 362 of 366 days of that year.
        assert told["hours"]["total"] == pytest.approx(100 + 100 * 362 / 366, abs=0.01)
        assert told["growth"]["before"]["account_count"] is None


class TestTheFloor:
    def test_one_that_cannot_be_paid_for_shares_nothing_out(self):
        """Sheet 2.6: f·n > H → floor_not_affordable, with the affordable floor H/n."""
        result = share(book(V20), hours=100, floor_hours=6)
        (warning,) = [w for w in result.warnings if w.code == "floor_not_affordable"]
        assert warning.values["affordable_floor"] == 5
        assert set(column(result, "minutes").values()) == {None}
        assert result.summary["hours"]["is_affordable"] is False
        assert "5 would be affordable" in first_line(result, "A00")

    def test_the_affordable_one_is_everyone_s(self):
        result = share(book(V20), hours=100, floor_hours=5)
        assert set(column(result, "minutes").values()) == {300}

    def test_a_part_of_a_minute_counts_as_a_whole_one(self):
        result = share(book({"A": 500, "B": 10, "C": 9}), hours=1, floor_hours=0.33)
        assert set(column(result, "minutes").values()) == {20}
        assert result.summary["hours"]["floor"] == 20 / 60


class TestWhoIsServedHow:
    def test_an_account_of_no_tier_gets_neither_hours_nor_floor(self):
        """Sheet, amendment 12."""
        portfolio = book({"A": 50, "B": -5}, hours={"A": 1, "B": 3})
        result = share(portfolio, hours=10, floor_hours=1)
        assert column(result, "minutes") == {"A": 600, "B": 0}
        assert column(result, "hours_over")["B"] == 3
        assert first_line(result, "B").startswith("No hours")
        none = to_arrow(result.tiers).to_pylist()[-1]
        assert (none["tier"], none["minutes"], none["hours_spent"]) == ("none", 0, 3.0)
        assert none["hours_spent_share"] == 0.75
        # Shares of revenue are of its positive part.
        assert column(result, "revenue_share") == {"A": 1.0, "B": 0.0}

    def test_a_new_account_is_served_where_its_revenue_would_be(self):
        lines = [(each, OLD, 0.01) for each in "ABC"]
        lines += [("A", NOW, 60.0), ("B", NOW, 30.0), ("C", NOW, 10.0)]
        lines += [
            (each, date(2026, 6, 1), own) for each, own in zip("XYZ", (70.0, 30.0, 2.0))
        ]
        portfolio = of_lines(lines)
        result = share(portfolio, hours=300)
        assert column(result, "tier")["X"] == "new"
        served = column(result, "served_as")
        assert [served[each] for each in "XYZ"] == ["A", "B", "C"]
        assert set(column(result, "minutes").values()) == {3000}
        assert "New: served as tier B" in result.explain("Y")
        own = share(portfolio, hours=300, new_accounts="own_group")
        assert column(own, "minutes") == dict.fromkeys("ABC", 4500) | dict.fromkeys(
            "XYZ", 1500
        )

    @pytest.mark.parametrize(
        ("method", "expected"),
        [(Bands((50, 20)), "ABC"), (Abc(), "AAB"), (Quantiles(3), "ABC")],
    )
    def test_new_accounts_find_their_place_under_every_rule(self, method, expected):
        lines = [(each, OLD, 0.01) for each in "ABC"]
        lines += [("A", NOW, 60.0), ("B", NOW, 30.0), ("C", NOW, 10.0)]
        lines += [
            (each, date(2026, 6, 1), own) for each, own in zip("XYZ", (70.0, 31.0, 2.0))
        ]
        portfolio = of_lines(lines)
        result = allocation(
            portfolio, tiers=tiers(portfolio, TiersSettings(method=method))
        )
        served = column(result, "served_as")
        assert "".join(served[each] for each in "XYZ") == expected

    def test_a_new_account_whose_revenue_is_unknown_has_no_place(self):
        portfolio = booked(
            ("A", OLD, 0.01), ("A", NOW, 5.0), ("N", date(2026, 6, 1), None)
        )
        result = share(portfolio, hours=10)
        assert column(result, "tier") == {"A": "A", "N": "new"}
        assert column(result, "served_as") == {"A": "A", "N": None}
        assert column(result, "minutes") == {"A": 600, "N": None}

    def test_the_minute_that_cannot_be_divided_is_the_largest_account_s(self):
        portfolio = book({"A": 5, "B": 8, "C": 7})
        one = tiers(portfolio, TiersSettings(method=Bands((1000,))))
        result = allocation(portfolio, AllocationSettings(hours=4 + 2 / 60), tiers=one)
        assert column(result, "minutes") == {"B": 81, "C": 81, "A": 80}

    def test_only_new_accounts_are_a_group_of_their_own(self):
        portfolio = of_lines(
            [("A", date(2026, 6, 1), 5.0), ("B", date(2026, 6, 2), 5.0)]
        )
        assert column(share(portfolio, hours=1), "minutes") == {"A": 30, "B": 30}

    def test_a_pinned_account_is_served_by_its_pin(self):
        account = pa.table({"account_id": ["A", "B"], "tier_pinned": [None, "A"]})
        portfolio = book({"A": 50, "B": 30}, account=account)
        assert column(share(portfolio, hours=10), "minutes") == {"A": 300, "B": 300}
        assert column(share(portfolio, hours=10), "account_count", "tiers") == {"A": 2}

    def test_an_unknown_tier_leaves_the_hours_unknown(self):
        known = [("A", OLD, 0.01), ("B", OLD, 0.01), ("A", NOW, 5.0)]
        result = share(booked(*known, ("B", NOW, None)), hours=10)
        assert column(result, "minutes") == {"A": 600, "B": None}
        assert column(result, "revenue_share") == {"A": 1.0, "B": None}
        assert "alloc_tier_unknown" in codes(result)
        assert first_line(result, "B").startswith("Its hours are unknown")

    def test_tiers_that_were_made_are_taken(self):
        portfolio = book(V20)
        by_number = tiers(portfolio, TiersSettings(method=Quantiles(2)))
        result = allocation(portfolio, AllocationSettings(hours=100), tiers=by_number)
        assert column(result, "account_count", "tiers") == {"A": 10, "B": 10}
        assert result.params["tiers"]["settings"]["method"]["kind"] == "Quantiles"

    def test_tiers_of_another_portfolio_are_refused(self):
        with pytest.raises(SettingsError, match="another portfolio"):
            allocation(book({"A": 5}), tiers=tiers(book({"A": 6})))


class TestTheServiceLevel:
    def test_each_tier_has_a_policy_and_the_settings_win(self):
        own = {"B": ServiceLevel(channel="online", contact_days=45)}
        by_tier = {
            row["tier"]: row
            for row in to_arrow(share(book(V20), service=own).tiers).to_pylist()
        }
        assert by_tier["A"]["owner_role"] == "management"
        assert (by_tier["B"]["channel"], by_tier["B"]["contact_days"]) == ("online", 45)
        assert by_tier["B"]["owner_role"] == "account_manager"
        automated = [by_tier[tier]["automation_share"] for tier in "ABCD"]
        assert automated == sorted(automated)

    def test_a_tier_beyond_the_proposal_is_served_as_its_last(self):
        portfolio = book(V20)
        five = tiers(portfolio, TiersSettings(method=Quantiles(6)))
        rows = to_arrow(allocation(portfolio, tiers=five).tiers).to_pylist()
        assert rows[5]["tier"] == "F"
        assert rows[5]["owner_role"] == rows[3]["owner_role"] == "team"

    @pytest.mark.parametrize(
        "chosen",
        [{"automation_share": 1.5}, {"contact_days": 0}, {"discount_share": -0.1}],
    )
    def test_a_level_that_cannot_be_is_refused(self, chosen):
        with pytest.raises(SettingsError, match=next(iter(chosen))):
            ServiceLevel(**chosen)

    @pytest.mark.parametrize(
        "chosen",
        [{"hours": -1}, {"floor_hours": -1}, {"growth_quarters": 0}, {"tail_share": 2}],
    )
    def test_settings_that_cannot_be_are_refused(self, chosen):
        with pytest.raises(SettingsError, match=next(iter(chosen))):
            AllocationSettings(**chosen)


class TestGrowth:
    def test_a_book_that_begins_in_the_year_before_says_nothing_of_it(self):
        lines = [("A", date(2025, 1, 15), 5.0), ("A", NOW, 5.0), ("B", NOW, 5.0)]
        growth = allocation(of_lines(lines)).summary["growth"]
        assert growth["before"]["account_count"] is None
        assert growth["revenue_elasticity"] is None

    def test_a_book_that_is_invoiced_by_quarter_is_whole(self):
        """Its first line is of 14 August 2024, the period before begins on 1 July."""
        growth = allocation(samples.firm()).summary["growth"]
        assert growth["before"]["account_count"] == 12
        assert growth["before"]["revenue"] == 981_000

    def test_nobody_before_and_nobody_now_is_no_growth_to_warn_of(self):
        result = allocation(of_lines([("A", OLD, 5.0)]))
        assert result.summary["growth"]["before"]["account_count"] == 0
        assert "no_change_in_n" not in codes(result)

    def test_time_that_was_noted_too_late_leaves_the_hours_before_unknown(self):
        portfolio = book(
            {"A": 5, "B": 5}, before={"A": 4}, hours={"A": 9}, hours_before={"A": 3}
        )
        growth = allocation(portfolio).summary["growth"]
        assert growth["before"]["hours"] is None
        assert growth["now"]["hours"] == 9
        assert growth["hours_elasticity"] is None
        assert growth["revenue_elasticity"] == pytest.approx(log(10 / 4) / log(2))

    def test_eight_quarters_make_a_fit(self):
        lines, notes = [("A0", date(2022, 1, 5), 1.0)], []
        starts = [date(2023 + q // 4, 1 + 3 * (q % 4), 5) for q in range(12)]
        for q, day in enumerate(starts):
            n = 10 + q
            lines += [(f"A{at}", day, 5.0) for at in range(n)]
            notes.append(("A0", day, 2.0 * n**1.5))
        portfolio = of_lines(
            lines, as_of=date(2025, 12, 31), effort=effort_table(notes)
        )
        result = allocation(portfolio)
        fit = result.summary["growth"]["fit"]
        assert fit["quarter_count"] == 12
        assert fit["hours_elasticity"]["slope"] == pytest.approx(1.5, abs=1e-3)
        assert fit["revenue_elasticity"]["slope"] == pytest.approx(1.0, abs=1e-9)
        low, high = fit["hours_elasticity"]["interval"]
        assert low <= fit["hours_elasticity"]["slope"] <= high
        assert to_arrow(result.quarters)["account_count"].to_pylist() == [
            *range(10, 22)
        ]
        fewer = share(portfolio, growth_quarters=7).summary["growth"]["fit"]
        assert (fewer["quarter_count"], fewer["hours_elasticity"]) == (7, None)

    def test_the_spread_over_segments_is_told(self):
        account = pa.table({"account_id": ["A", "B", "C"], "segment": ["x", "y", None]})
        portfolio = book({"A": 40, "B": 40, "C": 20}, account=account)
        now = allocation(portfolio).summary["growth"]["segments"]["now"]
        assert now["entropy"] == pytest.approx(log(2))
        assert (now["segment_count"], now["unknown_share"]) == (2, 0.2)
        assert now["evenness"] == pytest.approx(1)


def booked(*won):
    """Sales won: unlike a revenue line, one may be without amount."""
    return Portfolio.from_frames(
        as_of=AS_OF,
        currency="EUR",
        account=pa.table({"account_id": sorted({each for each, _, _ in won})}),
        opportunity=pa.table(
            {
                "opportunity_id": [str(at) for at in range(len(won))],
                "account_id": [each for each, _, _ in won],
                "status": ["won"] * len(won),
                "closed_on": pa.array([day for _, day, _ in won], pa.date32()),
                "amount": pa.array([amount for _, _, amount in won], pa.float64()),
            }
        ),
    )


def of_lines(lines, *, as_of=AS_OF, **tables):
    ids = sorted({each for each, _, _ in lines})
    return Portfolio.from_frames(
        as_of=as_of,
        currency="EUR",
        account=pa.table({"account_id": ids}),
        revenue_line=line_table(lines),
        **tables,
    )


class TestTheResult:
    def test_an_account_is_told_why_it_gets_these_minutes(self):
        noted = {"A00": 30, "A02": 70, "A05": 25}
        result = share(book(V20, hours=noted), hours=800)
        assert result.explain("A02").replace(
            "\N{NO-BREAK SPACE}", " "
        ).splitlines() == [
            (
                "4,000 minutes in the period (66.67 hours): of 800 hours each of the 4 "
                "groups gets the same, so tier B has 200 for its 3 accounts."
            ),
            "That there are 800 hours is set.",
            "70 hours were spent on it: 105.0 % of what it should get, 3.33 too many.",
            (
                "Of the accounts with noted time it takes 56.0 % of the hours and brings "
                "34.5 % of the revenue: an intensity of 1.62."
            ),
            "Tier B is looked after by one person; the relationship is reviewed every 6 months.",
            "Discounts of up to 5 % can be granted without asking.",
            (
                "A visit every 60 days at least, an answer within 8 working hours, "
                "10 % of the procedures automated."
            ),
            "Period: 1 July 2025 to 30 June 2026.",
            "Revenue is what was invoiced, net of credit notes and discounts.",
        ]
        assert first_line(result, "A02", "fr") == (
            "4 000 minutes sur la période (66,67 heures) : les 800 heures sont partagées à "
            "égalité entre 4 groupes ; la tranche B en a 200 pour 3 comptes."
        )

    def test_who_stands_on_the_floor_and_who_pays_for_it_is_told(self):
        result = share(book(V20), hours=800, floor_hours=24)
        assert "(24 hours): the floor" in first_line(result, "A19")
        assert "would be 20 for each of its 10 accounts" in first_line(result, "A19")
        assert "no account is under the floor of 24 hours" in first_line(result, "A00")

    def test_what_was_spent_to_the_minute_is_not_too_many(self):
        said = allocation(book({"A": 50, "B": 30}, hours={"A": 3, "B": 3})).explain("A")
        assert "of what it should get, 0 are left" in said

    def test_the_firm_is_told_whether_it_grows(self):
        portfolio = book(
            {"A": 60, "B": 40, "C": 30},
            before={"A": 70, "B": 30},
            effort=effort_table(
                [
                    ("A", NOW, 20),
                    ("B", NOW, 3),
                    ("C", NOW, 2),
                    ("A", date(2024, 7, 2), 10),
                ]
            ),
        )
        said = allocation(portfolio).workload().replace("\N{NO-BREAK SPACE}", " ")
        assert said.splitlines()[:4] == [
            (
                "The small 80 % (2 accounts) take 20.0 % of the hours and bring 53.8 % of "
                "revenue: within the limit of 25 %."
            ),
            "Accounts went from 2 to 3: for each per cent of them hours changed by 2.26 %.",
            "Accounts went from 2 to 3: for each per cent of them revenue changed by 0.65 %.",
            "An hour brought 10 EUR before and 5.20 EUR now.",
        ]
        assert "Une heure rapportait" in allocation(portfolio).workload(lang="fr")

    def test_amounts_that_lack_are_no_growth(self):
        won = [(each, date(2024, 2, 1), 100.0) for each in "ABCD"]
        won += [(each, date(2026, 2, 1), 100.0) for each in "ABCD"]
        before = [(each, date(2025, 2, 1), 100.0) for each in "ABCD"]
        logs = allocation(booked(*won, *before)).summary["growth"]["log_changes"]
        assert logs["revenue"] == 0
        hidden = [("B", date(2025, 2, 1), None), *before[:1], *before[2:]]
        result = allocation(booked(*won, *hidden))
        growth = result.summary["growth"]
        assert growth["log_changes"]["revenue"] is None
        assert growth["log_changes"]["accounts"] == 0
        assert growth["before"]["revenue"] == 300
        assert "amounts_unknown_before" in codes(result)

    def test_its_settings_are_echoed(self):
        params = share(book(V20), hours=800, floor_hours=24).params
        assert params["settings"]["hours"] == 800
        assert params["settings"]["floor_hours"] == 24
        assert params["settings"]["tail_limit_share"] == 0.25
        assert params["tiers"]["settings"]["method"] == {"kind": "Slices", "count": 4}

    def test_it_compares_what_other_rules_would_give(self):
        portfolio = book(V20)
        after, before = (
            share(portfolio, hours=800, floor_hours=24),
            share(portfolio, hours=800),
        )
        groups = to_arrow(after.compared_with(before).groups).to_pylist()
        (last,) = [row for row in groups if row["served_as"] == "D"]
        assert (last["hours_before"], last["hours_after"]) == (200, 240)
        by_number = tiers(portfolio, TiersSettings(method=Quantiles(4)))
        moved = allocation(portfolio, tiers=by_number).compared_with(before)
        assert moved.moves["D", "C"] == 6
        assert after.assignments() is None

    def test_it_needs_revenue(self):
        bare = Portfolio.from_frames(
            as_of=AS_OF, currency="EUR", account=pa.table({"account_id": ["A"]})
        )
        with pytest.raises(MissingTableError, match="allocation"):
            allocation(bare)

    def test_it_can_be_saved(self, tmp_path):
        result = share(samples.firm(), hours=800)
        for name in ("a.csv", "a.xlsx", "a.html", "a.parquet"):
            result.save(tmp_path / name)
            assert (tmp_path / name).stat().st_size


class TestThePicture:
    @pytest.fixture
    def ax(self):
        figure = pytest.importorskip("matplotlib.figure")
        return figure.Figure().subplots()

    def test_hours_allotted_and_spent_stand_side_by_side(self, ax):
        portfolio = book({"A": 50, "B": 30, "C": -1}, hours={"A": 2, "B": 4, "C": 1})
        share(portfolio, hours=10).plot(ax=ax)
        assert [bar.get_height() for bar in ax.patches] == [5, 5, 0, 2, 4, 1]
        assert [bool(bar.get_hatch()) for bar in ax.patches] == [False] * 3 + [True] * 3
        assert ax.get_ylabel() == "Hours in the period"
        names = [label.get_text() for label in ax.get_xticklabels()]
        assert names == ["A", "B", "none"]
        legend = [text.get_text() for text in ax.get_legend().get_texts()]
        assert legend == ["Hours allotted", "Hours spent"]

    def test_what_is_unknown_is_a_question_mark(self, ax):
        share(book({"A": 50, "B": 30}, hours={"A": 2}), hours=10).plot(ax=ax, lang="fr")
        assert [text.get_text() for text in ax.texts] == ["5", "5", "2", "?"]
        assert ax.get_ylabel() == "Heures de la période"

    def test_shares_of_effort_stand_beside_those_of_revenue(self, ax):
        portfolio = book({"A": 60, "B": 40}, hours={"A": 1, "B": 3})
        allocation(portfolio).plot_shares(ax=ax)
        heights = [bar.get_height() for bar in ax.patches]
        assert heights == pytest.approx([25, 75, 60, 40])
        assert ax.get_ylabel() == "Share (%)"

    @pytest.mark.parametrize("amounts", [{}, {"A": 5, "B": 3}])
    def test_where_no_hours_are_known_a_sentence_stands_instead(self, ax, amounts):
        allocation(book(amounts)).plot(ax=ax)
        assert [text.get_text() for text in ax.texts] == ["No hours are known"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_kind_of_frame_gives_the_same(backend):
    plain = book(V20, before=V20, hours={"A00": 12.34, "A07": 5.01})
    tables = {
        name: from_arrow(to_arrow(plain[name]), backend)
        for name in ("account", "revenue_line", "effort")
    }
    same = Portfolio.from_frames(as_of=AS_OF, currency="EUR", **tables)
    mine = json.dumps(share(same, floor_hours=0.01).to_dict())
    assert mine == json.dumps(share(plain, floor_hours=0.01).to_dict())


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([f"A{at}" for at in range(12)]),
        st.integers(-100, 1000),
        min_size=1,
    ),
    st.integers(0, 400),
    st.sampled_from([0, 0.5, 3, 10]),
    st.sampled_from(["by_revenue", "own_group"]),
)
def test_the_minutes_sum_to_the_hours_and_nobody_is_under_the_floor(
    amounts, hours, floor, new_accounts
):
    """Sheet 11.4: hours allocated sum to H; each client has the floor at least."""
    result = share(
        book(amounts), hours=hours, floor_hours=floor, new_accounts=new_accounts
    )
    rows = to_arrow(result.frame).to_pylist()
    served = [row for row in rows if row["served_as"] != "none"]
    assert all(row["minutes"] == 0 for row in rows if row["served_as"] == "none")
    if result.summary["hours"]["is_affordable"] is False:
        assert floor * len(served) > hours
        assert all(row["minutes"] is None for row in served)
        return
    if served:
        assert sum(row["minutes"] for row in served) == hours * 60
        assert sum(row["hours_share"] for row in served) == pytest.approx(
            1 if hours or not floor else 0
        )
    assert all(row["minutes"] >= floor * 60 for row in served)
    for tier in {row["served_as"] for row in served}:
        minutes = [row["minutes"] for row in served if row["served_as"] == tier]
        assert minutes == sorted(minutes, reverse=True)
        assert minutes[0] - minutes[-1] <= 1


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5000), st.integers(0, 500))
def test_more_hours_never_mean_less_for_a_tier(hours, more):
    portfolio = book({"A": 60, "B": 30, "C": 20, "D": 10, "E": 5})
    less, enough = (
        column(share(portfolio, hours=each), "hours_per_account", "tiers")
        for each in (hours, hours + more)
    )
    assert all(less[tier] <= enough[tier] for tier in less)
