"""Is another try proposed only where it is worth it, early enough, and welcome?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import attrs
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_portfolio import samples
from crm_portfolio._frames import from_arrow, to_arrow
from crm_portfolio.analysis import (
    FreedCapacitySettings,
    LostOpportunitiesSettings,
    Scenario,
    WinBackSettings,
    freed_capacity,
    lost_opportunities,
    win_back,
)
from crm_portfolio.analysis._again import _past
from crm_portfolio.analysis._again._model import FEATURES
from crm_portfolio.analysis._facts import Contacts, after_losses
from crm_portfolio.errors import MissingTableError, SettingsError
from crm_portfolio.portfolio import Calendar, Portfolio

AS_OF = date(2026, 6, 30)
TEXT, DAY, NUMBER = pa.string(), pa.date32(), pa.float64()
MOMENT = pa.timestamp("us", "UTC")
USUAL = WinBackSettings(
    base_rate=0.15,
    hours=20,
    cost_per_hour=60,
    hour_value=0,
    variable_cost_share=0.0,
    needs_news=False,
)
LOST_ON = date(2026, 1, 15)


def table(kinds, rows) -> pa.Table:
    return pa.table(
        {
            name: pa.array([row.get(name) for row in rows], kind)
            for name, kind in kinds.items()
        }
    )


SOLD = {
    **dict.fromkeys(("opportunity_id", "account_id", "status"), TEXT),
    "closed_on": DAY,
    "amount": NUMBER,
    "refused_on": DAY,
    **dict.fromkeys(("loss_reason", "loss_reason_by", "owner_id"), TEXT),
    "probability": NUMBER,
    "kind": TEXT,
}
DONE = {"activity_id": TEXT, "opportunity_id": TEXT, "account_id": TEXT}
DONE |= {"occurred_at": MOMENT, "direction": TEXT, "status": TEXT, "minutes": NUMBER}
DONE |= {"kind": TEXT}
WHO = {"account_id": TEXT, "parent_id": TEXT, "do_not_contact_on": DAY, "name": TEXT}


def lost(key="O", *, on=LOST_ON, account="A", amount=20_000.0, **more):
    row = {"opportunity_id": key, "account_id": account, "status": "lost"}
    return {**row, "closed_on": on, "amount": amount, **more}


def talk(key="O", on=date(2026, 2, 1), way="out", **more):
    moment = datetime(on.year, on.month, on.day, 12, tzinfo=UTC)
    return {"opportunity_id": key, "occurred_at": moment, "direction": way, **more}


def book(sold, done=(), *, accounts=None, without=(), kind="pyarrow", **tables):
    ids = {row["account_id"] for row in sold} | {"Z"}
    who = accounts or [{"account_id": each} for each in sorted(ids - {None})]
    done = [{"activity_id": f"T{at}", **each} for at, each in enumerate(done)]
    sold_kinds = {name: each for name, each in SOLD.items() if name not in without}
    who_kinds = {name: each for name, each in WHO.items() if name not in without}
    own = {
        "account": table(who_kinds, who),
        "opportunity": table(sold_kinds, sold),
        "activity": table(DONE, done),
        **tables,
    }
    own = {name: each for name, each in own.items() if name not in without}
    return Portfolio.from_frames(
        as_of=AS_OF,
        currency="EUR",
        **{name: from_arrow(each, kind) for name, each in own.items()},
    )


def judged(portfolio, chosen=USUAL, *, label="pursued_lost", **more):
    """Every loss is of one class, as people say."""
    frame = to_arrow(portfolio["opportunity"])
    rows = frame.to_pylist()
    ids = [row["opportunity_id"] for row in rows if row["status"] == "lost"]
    overrides = pa.table(
        {
            "opportunity_id": pa.array(ids, TEXT),
            "class": pa.array([label] * len(ids), TEXT),
        }
    )
    return win_back(portfolio, chosen, overrides=overrides, **more)


def rows_of(result):
    return {row["opportunity_id"]: row for row in to_arrow(result.frame).to_pylist()}


def row_of(sold, done=(), chosen=USUAL, **more):
    return rows_of(judged(book(sold, done, **more), chosen))["O"]


def said(result, key="O"):
    return [reason.code for reason in result.reasons(key)]


class TestWhatItIsWorth:
    def test_the_printed_pursuit_is_left(self):
        """Sheet 6.6 [H]: 1800 before opportunity cost; EV −2600; p* = .28: do not."""
        row = row_of([lost()], chosen=attrs.evolve(USUAL, hour_value=220))
        assert (row["recommendation"], row["rule"]) == ("stop", "not_worth_it")
        assert row["value_before"] == 1800.0
        assert row["expected_value"] == -2600.0
        assert row["break_even_odds"] == pytest.approx(0.28)
        assert row["break_even_hour_value"] == pytest.approx(90.0)

    def test_with_idle_hours_the_printed_pursuit_is_made(self):
        """Sheet 6.6 [H]: with lambda 0 p* = .06: pursue."""
        row = row_of([lost()])
        assert (row["recommendation"], row["rank"]) == ("try", 1)
        assert row["break_even_odds"] == pytest.approx(0.06)
        assert row["expected_value"] == 1800.0

    def test_what_brings_nothing_even_if_won_is_never_pursued(self):
        row = row_of([lost(amount=0.0)])
        assert (row["recommendation"], row["rule"]) == ("stop", "worthless")

    def test_hours_already_spent_change_nothing(self):
        """Sheet 11.7: sunk hours do not matter."""
        portfolio = book([lost()])
        effort = table(
            {
                "account_id": TEXT,
                "opportunity_id": TEXT,
                "worked_on": DAY,
                "minutes": NUMBER,
            },
            [
                {
                    "account_id": "A",
                    "opportunity_id": "O",
                    "worked_on": date(2026, 1, 2),
                    "minutes": 60_000.0,
                }
            ],
        )
        spent = portfolio.with_tables(effort=effort)
        before, after = (rows_of(judged(each))["O"] for each in (portfolio, spent))
        for name in ("expected_value", "hours", "break_even_odds", "recommendation"):
            assert after[name] == before[name]

    def test_the_unknown_stays_unknown_and_is_named(self):
        bare = WinBackSettings(needs_news=False)
        row = row_of([lost(), lost("P", on=date(2025, 9, 1))], chosen=bare)
        assert row["recommendation"] == "unknown"
        missing = "value, odds, hours, hour_cost"
        assert row["missing"].startswith(missing)
        assert row["expected_value"] is None

    def test_a_loss_without_an_amount_is_unknown(self):
        row = row_of([lost(amount=None)])
        assert (row["recommendation"], row["missing"]) == ("unknown", "value")

    def test_without_the_value_of_an_hour_what_cannot_pay_is_known_all_the_same(self):
        chosen = attrs.evolve(USUAL, hour_value=None, base_rate=0.01)
        sold = [lost(), {**lost("S"), "status": "open", "closed_on": None}]
        row = row_of(sold, chosen=chosen)
        assert row["missing"] == "hour_value"
        assert (row["recommendation"], row["rule"]) == ("stop", "not_worth_it")

    def test_a_better_price_is_only_for_those_who_left_for_it(self):
        chosen = attrs.evolve(USUAL, concession_share=0.1)
        sold = [lost("P", loss_reason=" Price"), lost("Q", loss_reason="service")]
        found = rows_of(judged(book(sold), chosen))
        assert found["P"]["value"] == 18_000.0
        assert found["Q"]["value"] == 20_000.0
        assert found["Q"]["concession_share"] == 0.0

    def test_others_who_ask_for_the_same_price_cost_something_too(self):
        chosen = attrs.evolve(USUAL, concession_share=0.1, spillover_share=0.5)
        won = {**lost("W", account="Z", amount=100_000.0), "status": "won"}
        sold = [lost(loss_reason="price"), won]
        row = row_of(sold, chosen=chosen)
        assert row["value"] == 18_000.0 - 0.1 * 0.5 * 100_000.0

    def test_dearer_hours_and_more_of_them_are_never_worth_more(self):
        """Sheet 11.7, through the whole analysis; the formula's own test has the rest."""

        def expected(**changes):
            row = row_of([lost()], chosen=attrs.evolve(USUAL, **changes))
            return row["expected_value"]

        values = [expected(hours=hours) for hours in (10, 20, 40)]
        assert values == sorted(values, reverse=True)
        values = [expected(hour_value=value) for value in (0, 50, 220)]
        assert values == sorted(values, reverse=True)


class TestWhatAnHourIsWorth:
    def open_sales(self, *amounts):
        return [
            {
                **lost(f"S{at}", amount=each, probability=0.5, account="Z"),
                "status": "open",
                "closed_on": None,
            }
            for at, each in enumerate(amounts)
        ]

    def hour(self, available, *amounts, **changes):
        chosen = attrs.evolve(
            USUAL, hour_value=None, hours_available=available, **changes
        )
        sold = [lost(), *self.open_sales(*amounts)]
        return judged(book(sold), chosen).summary["hour"]

    def test_it_is_that_of_the_last_open_opportunity_that_fits(self):
        """40 hours hold two of 20 hours: the second brings 300 an hour."""
        found = self.hour(40, 4_000.0, 20_000.0, 12_000.0)
        assert (found["value"], found["source"]) == (300.0, "pipeline")

    def test_idle_hours_are_worth_nothing(self):
        found = self.hour(60, 4_000.0, 20_000.0, 12_000.0)
        assert (found["value"], found["source"]) == (0.0, "idle")
        assert self.hour(0)["value"] == 0.0

    def test_without_hours_there_are_no_hours_to_value(self):
        found = self.hour(None, 4_000.0)
        assert (found["value"], found["source"]) == (None, "unknown")

    def test_hours_that_unknown_sales_may_need_are_not_idle(self):
        found = self.hour(45, 20_000.0, 12_000.0, None)
        assert (found["value"], found["unvalued_count"]) == (None, 1)
        assert self.hour(60, 20_000.0, 12_000.0, None)["value"] == 0.0

    def test_the_hours_of_those_who_sell_come_from_capacity(self):
        spans = {"role": TEXT, "from_on": DAY, "to_on": DAY}
        spans |= {"hours": NUMBER, "cost_per_hour": NUMBER}
        year = {"from_on": date(2026, 7, 1), "to_on": date(2026, 9, 28)}
        capacity = table(
            spans,
            [
                {"role": "sales", "hours": 40.0, "cost_per_hour": 75.0, **year},
                {"role": "care", "hours": 900.0, "cost_per_hour": 10.0, **year},
            ],
        )
        sold = [lost(), *self.open_sales(4_000.0, 20_000.0, 12_000.0)]
        chosen = attrs.evolve(
            USUAL, hour_value=None, cost_per_hour=None, roles=("sales",)
        )
        found = judged(book(sold, capacity=capacity), chosen).summary["hour"]
        assert found["available"] == 40.0
        assert (found["cost"], found["value"]) == (75.0, 300.0)

    def test_no_hours_at_all_are_known_and_a_time_nobody_planned_is_not(self):
        """Of nothing an hour is taken from the best: 20,000 · .5 for 20 hours."""
        spans = {"role": TEXT, "from_on": DAY, "to_on": DAY}
        spans |= {"hours": NUMBER, "cost_per_hour": NUMBER}
        sold = [lost(), *self.open_sales(4_000.0, 20_000.0, 12_000.0)]
        chosen = attrs.evolve(
            USUAL, hour_value=None, cost_per_hour=None, roles=("sales",)
        )

        def hour(first, last):
            own = {"role": "sales", "hours": 0.0, "cost_per_hour": 75.0}
            row = own | {"from_on": first, "to_on": last}
            capacity = table(spans, [row])
            return judged(book(sold, capacity=capacity), chosen).summary["hour"]

        ahead = hour(date(2026, 7, 1), date(2026, 9, 28))
        assert (ahead["available"], ahead["cost"]) == (0.0, 75.0)
        assert (ahead["value"], ahead["source"]) == (500.0, "pipeline")
        past = hour(date(2026, 1, 1), date(2026, 3, 31))
        assert (past["available"], past["value"]) == (None, None)


class TestWhoIsLeftInPeace:
    def test_a_refusal_of_yesterday_is_final_and_not_scored(self):
        row = row_of([lost(refused_on=AS_OF - timedelta(days=1))])
        assert (row["recommendation"], row["rule"]) == ("leave_in_peace", "refused")
        for name in ("odds", "value", "expected_value", "break_even_odds", "rank"):
            assert row[name] is None
        assert row["not_before_on"] is None

    def test_who_opted_out_is_left_whatever_else_holds(self):
        who = [{"account_id": "A", "do_not_contact_on": date(2020, 1, 1)}]
        row = row_of([lost()], accounts=[*who, {"account_id": "Z"}])
        assert (row["recommendation"], row["rule"]) == ("leave_in_peace", "opted_out")
        assert row["opted_out_by"] == "A"

    def test_a_parent_that_opted_out_speaks_for_all_it_owns(self):
        who = [
            {"account_id": "A", "parent_id": "B"},
            {"account_id": "B", "parent_id": "C"},
            {"account_id": "C", "do_not_contact_on": date(2020, 1, 1), "name": "Top"},
            {"account_id": "Z"},
        ]
        result = judged(book([lost()], accounts=who))
        assert rows_of(result)["O"]["opted_out_by"] == "C"
        assert "Top (C) asked on 1 January 2020" in result.explain("O")

    def test_a_child_that_opted_out_does_not_speak_for_its_parent(self):
        who = [
            {"account_id": "A"},
            {
                "account_id": "B",
                "parent_id": "A",
                "do_not_contact_on": date(2020, 1, 1),
            },
            {"account_id": "Z"},
        ]
        assert row_of([lost()], accounts=who)["recommendation"] == "try"

    def test_accounts_that_own_each_other_are_left_together(self):
        day = date(2020, 1, 1)
        who = [
            {"account_id": "A", "parent_id": "C", "do_not_contact_on": day},
            {"account_id": "B", "parent_id": "A"},
            {"account_id": "C", "parent_id": "B"},
            {"account_id": "Z"},
        ]
        sold = [lost(account="C")]
        assert row_of(sold, accounts=who)["opted_out_by"] == "A"

    def test_who_refused_something_else_is_asked_first(self):
        other = lost("P", refused_on=date(2026, 3, 1))
        row = row_of([lost(), other])
        assert (row["recommendation"], row["rule"]) == (
            "ask_first",
            "refused_elsewhere",
        )

    def test_where_nobody_records_refusals_every_row_says_to_ask_first(self):
        sold = [lost(), lost("P", amount=1.0), lost("Q", on=date(2026, 6, 1))]
        done = [talk("P", date(2026, 2, each)) for each in (1, 2, 3)]
        result = judged(book(sold, done, without=("refused_on",)))
        rows = rows_of(result)
        assert {row["recommendation"] for row in rows.values()} == {"ask_first"}
        assert {key: row["otherwise"] for key, row in rows.items()} == {
            "O": "try",
            "P": "stop",
            "Q": "wait",
        }
        for key in rows:
            assert "Refusal unknown: ask first." in result.explain(key)
            assert "Refus inconnu" in result.explain(key, lang="fr")
        assert "again_refusals_unmapped" in [w.code for w in result.warnings]

    def test_where_nobody_records_opt_outs_every_row_says_to_ask_first(self):
        result = judged(book([lost()], without=("do_not_contact_on",)))
        row = rows_of(result)["O"]
        assert (row["recommendation"], row["otherwise"]) == ("ask_first", "try")
        assert "Opt-out unknown: ask first." in result.explain("O")
        assert "Opposition inconnue" in result.explain("O", lang="fr")
        assert result.summary["has_opt_outs"] is False
        assert "again_opt_outs_unmapped" in [each.code for each in result.warnings]

    @pytest.mark.parametrize("account", [None, "GONE"])
    def test_whose_it_was_has_to_be_known_before_anybody_is_tried(self, account):
        portfolio = book([lost(account=account)], accounts=[{"account_id": "Z"}])
        result = judged(portfolio)
        row = rows_of(result)["O"]
        assert (row["recommendation"], row["otherwise"]) == ("ask_first", "try")
        assert "again_account_unknown" in said(result)
        assert "again_accounts_unknown" in [each.code for each in result.warnings]

    def test_an_enquiry_that_was_missed_is_no_loss_to_win_back(self):
        kinds = {"enquiry_id": TEXT, "created_at": MOMENT, "first_response_at": MOMENT}
        asked = datetime(2026, 2, 2, 12, tzinfo=UTC)
        came = [
            {"enquiry_id": f"E{at}", "created_at": asked, "first_response_at": asked}
            for at in range(9)
        ]
        came.append({"enquiry_id": "E9", "created_at": asked})
        portfolio = book([lost()], enquiry=table(kinds, came))
        missed = lost_opportunities(portfolio).records_arrow("missed_unseen")
        assert "E9" in missed["record_id"].to_pylist()
        chosen = attrs.evolve(USUAL, classes=("missed_unseen",))
        assert [*rows_of(judged(portfolio, chosen, label="missed_unseen"))] == ["O"]

    def test_where_nothing_was_lost_nothing_is_too_old(self):
        result = judged(book([lost(status="open", on=None)]))
        told = result.summary["candidate_count"], result.summary["too_old_count"]
        assert told == (0, 0)

    def test_what_a_parent_refused_asks_first_of_all_it_owns(self):
        who = [{"account_id": "A"}, {"account_id": "K", "parent_id": "A"}]
        refused = lost("P", account="A", refused_on=date(2026, 3, 1))
        row = row_of([lost(account="K"), refused], accounts=who)
        assert (row["recommendation"], row["rule"]) == (
            "ask_first",
            "refused_elsewhere",
        )
        other = lost("P", account="K", refused_on=date(2026, 3, 1))
        assert row_of([lost(), other], accounts=who)["recommendation"] == "try"

    def test_a_parent_that_is_cut_off_has_spoken_all_the_same(self):
        who = [
            {"account_id": "A", "parent_id": "B"},
            {"account_id": "B", "parent_id": "C"},
            {"account_id": "C", "do_not_contact_on": date(2020, 1, 1)},
        ]
        cut = book([lost()], accounts=who).only(["A"])
        row = rows_of(judged(cut))["O"]
        assert (row["recommendation"], row["rule"]) == ("leave_in_peace", "opted_out")
        assert (row["opted_out_by"], row["opted_out_on"]) == ("A", date(2020, 1, 1))

    def test_what_it_refused_holds_as_well_though_that_opportunity_is_gone(self):
        who = [{"account_id": "A", "parent_id": "B"}, {"account_id": "B"}]
        refused = lost("P", account="B", refused_on=date(2026, 3, 1))
        row = rows_of(judged(book([lost(), refused], accounts=who).only(["A"])))["O"]
        told = row["recommendation"], row["rule"], row["refused_elsewhere_on"]
        assert told == ("ask_first", "refused_elsewhere", date(2026, 3, 1))

    def test_an_opt_out_holds_even_where_refusals_are_unknown(self):
        who = [{"account_id": "A", "do_not_contact_on": date(2020, 1, 1)}]
        who.append({"account_id": "Z"})
        row = row_of([lost()], accounts=who, without=("refused_on",))
        assert row["recommendation"] == "leave_in_peace"

    @settings(max_examples=12, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from("ABC"),
                st.integers(0, 400),
                st.booleans(),
                st.integers(0, 5),
                st.floats(0, 1e6),
            ),
            min_size=1,
            max_size=8,
        ),
        st.sets(st.sampled_from("ABC")),
        st.booleans(),
        st.booleans(),
    )
    def test_nobody_who_refused_or_opted_out_is_ever_tried(
        self, losses, opted, has_column, needs_news
    ):
        parents = {"A": None, "B": "A", "C": "B"}
        who = [
            {
                "account_id": each,
                "parent_id": parents[each],
                "do_not_contact_on": date(2025, 1, 1) if each in opted else None,
            }
            for each in "ABC"
        ]
        sold, done = [], []
        for at, (account, days, refuses, attempts, amount) in enumerate(losses):
            on = AS_OF - timedelta(days=days)
            refused_on = AS_OF if refuses else None
            more = {"account": account, "amount": amount, "refused_on": refused_on}
            sold.append(lost(f"O{at}", on=on, **more))
            for each in range(attempts):
                day = min(on + timedelta(days=each + 1), AS_OF)
                done.append(talk(f"O{at}", day))
        without = () if has_column else ("refused_on",)
        chosen = attrs.evolve(USUAL, needs_news=needs_news, base_rate=0.9)
        portfolio = book(sold, done, accounts=who, without=without)
        found = rows_of(judged(portfolio, chosen))
        for at, (account, _, refuses, attempts, _) in enumerate(losses):
            row = found[f"O{at}"]
            up = {"A": "A", "B": "AB", "C": "ABC"}[account]
            if opted & set(up) or (refuses and has_column):
                assert row["recommendation"] == "leave_in_peace"
                assert row["rank"] is None
                assert row["odds"] is None
            if not has_column:
                assert row["recommendation"] != "try"
            if attempts >= 3:
                assert row["recommendation"] != "try"


class TestWhenItIsEnough:
    def test_the_cool_down_is_over_on_its_last_day(self):
        ready, early = AS_OF - timedelta(days=90), AS_OF - timedelta(days=89)
        row = row_of([lost(on=ready)])
        assert (row["recommendation"], row["not_before_on"]) == ("try", AS_OF)
        row = row_of([lost(on=early)])
        assert (row["recommendation"], row["rule"]) == ("wait", "cooling")
        assert row["not_before_on"] == AS_OF + timedelta(days=1)

    @pytest.mark.parametrize(("made", "gap"), [(1, 30), (2, 60)])
    def test_gaps_grow_with_the_attempts(self, made, gap):
        last = AS_OF - timedelta(days=gap)
        sold = [lost(on=date(2025, 9, 1))]
        days = [last - timedelta(days=40 * each) for each in range(made)]
        row = row_of(sold, [talk(on=each) for each in days])
        assert (row["attempt_count"], row["not_before_on"]) == (made, AS_OF)
        assert row["recommendation"] == "try"
        days = [each + timedelta(days=1) for each in days]
        row = row_of(sold, [talk(on=each) for each in days])
        assert row["recommendation"] == "wait"

    def test_at_the_most_attempts_it_stops(self):
        sold = [lost(on=date(2025, 7, 15))]
        days = [date(2025, 8, 1), date(2025, 9, 1), date(2025, 10, 1)]
        row = row_of(sold, [talk(on=each) for each in days[:2]])
        assert row["recommendation"] == "try"
        row = row_of(sold, [talk(on=each) for each in days])
        assert (row["recommendation"], row["rule"]) == ("stop", "attempts_spent")
        assert row["chase_signs"] == "unanswered"
        assert row["not_before_on"] is None

    def test_only_what_was_held_by_us_and_after_the_loss_is_an_attempt(self):
        done = [
            talk(on=LOST_ON),
            talk(on=LOST_ON - timedelta(days=9)),
            talk(way="in"),
            talk(way=None),
            talk(status="open"),
            talk(status="cancelled"),
            talk(status="held"),
            talk(),
        ]
        row = row_of([lost()], done)
        # What does not say which way it went is ours: we noted it.
        assert (row["attempt_count"], row["answer_count"]) == (3, 1)

    def test_a_meeting_that_was_held_is_an_attempt_and_an_answer(self):
        done = [talk(kind=kind, way=None) for kind in ("meeting", "email")]
        row = row_of([lost()], done)
        assert (row["attempt_count"], row["answer_count"]) == (2, 1)

    def test_who_was_met_of_late_is_not_written_to_again(self):
        """Neither CRM says which way a meeting went."""
        days = (date(2026, 6, 8), date(2026, 6, 17), date(2026, 6, 29))
        met = [talk(on=day, kind="meeting", way=None) for day in days]
        assert row_of([lost()], met)["rule"] == "attempts_spent"
        row = row_of([lost()], met[2:])
        assert (row["recommendation"], row["rule"]) == ("wait", "cooling")

    @pytest.mark.parametrize("way", ["in", "out"])
    def test_what_a_machine_sent_is_neither_an_attempt_nor_news(self, way):
        portfolio = book([lost()], [talk(kind="auto_reply", way=way)])
        rules = LostOpportunitiesSettings(automatic_kinds=("auto_reply",))
        chosen = attrs.evolve(USUAL, needs_news=True)
        overrides = pa.table({"opportunity_id": ["O"], "class": ["pursued_lost"]})
        told = lost_opportunities(portfolio, rules, overrides=overrides)
        row = rows_of(win_back(portfolio, chosen, lost=told))["O"]
        assert (row["attempt_count"], row["answer_count"]) == (0, 0)
        assert (row["recommendation"], row["rule"]) == ("wait", "no_news")
        told = lost_opportunities(portfolio, overrides=overrides)
        row = rows_of(win_back(portfolio, chosen, lost=told))["O"]
        assert row["attempt_count"] + row["answer_count"] == 1

    def test_letters_on_other_matters_press_an_account_too(self):
        """On an open sale, or on the account itself: whatever they are about."""
        sale = {**lost("S"), "status": "open", "closed_on": None}
        done = [talk("S", date(2026, 6, 1)), talk("S", date(2026, 6, 2))]
        done.append(talk(None, date(2026, 6, 3), account_id="A"))
        row = row_of([lost(), sale], done)
        assert (row["recommendation"], row["rule"]) == ("wait", "pressed")
        assert (row["attempt_count"], row["account_attempt_count"]) == (0, 3)
        assert row["not_before_on"] == date(2026, 6, 3) + timedelta(days=90)
        assert row_of([lost(), sale], done[:2])["recommendation"] == "try"

    def test_attempts_and_failures_leave_less_of_the_odds_and_of_the_hours(self):
        sold = [lost(on=date(2025, 7, 15))]
        row = row_of(sold, [talk(on=date(2025, 9, 1))])
        each = 1 - 0.85 ** (1 / 3)
        left = (1 - (1 - each) ** 2) / 0.15
        assert row["odds"] == pytest.approx(0.15 * left)
        assert row["hours"] == pytest.approx(20 * 2 / 3)

    def test_many_attempts_at_one_account_are_enough_for_all_it_lost(self):
        sold = [lost(), *(lost(f"P{at}") for at in range(3))]
        done = [talk(f"P{at}", date(2026, 5, 1 + at)) for at in range(3)]
        row = row_of(sold, done)
        assert (row["recommendation"], row["rule"]) == ("wait", "pressed")
        assert row["not_before_on"] == date(2026, 5, 3) + timedelta(days=90)
        row = row_of(sold, done[:2])
        assert row["recommendation"] == "try"

    def test_each_attempt_needs_something_new_to_say(self):
        chosen = attrs.evolve(USUAL, needs_news=True)
        row = row_of([lost()], chosen=chosen)
        assert (row["recommendation"], row["rule"]) == ("wait", "no_news")
        row = row_of([lost()], [talk(way="in")], chosen=chosen)
        assert (row["recommendation"], row["news"]) == ("try", "answered")
        # What was answered before our last word is no news.
        done = [talk(way="in"), talk(on=date(2026, 3, 1))]
        row = row_of([lost()], done, chosen=chosen)
        assert (row["recommendation"], row["rule"]) == ("wait", "no_news")

    def test_people_say_what_is_new(self):
        chosen = attrs.evolve(USUAL, needs_news=True)
        kinds = {"opportunity_id": TEXT, "fact": TEXT, "known_on": DAY}
        portfolio = book([lost(), lost("P"), lost("Q")])
        rows = [
            {"opportunity_id": "O", "fact": "new offer", "known_on": date(2026, 5, 1)},
            {"opportunity_id": "P", "fact": "old", "known_on": LOST_ON},
            {"opportunity_id": "Q", "fact": "later", "known_on": date(2026, 7, 1)},
        ]
        found = rows_of(judged(portfolio, chosen, news=table(kinds, rows)))
        assert {key: row["recommendation"] for key, row in found.items()} == {
            "O": "try",
            "P": "wait",
            "Q": "wait",
        }
        with pytest.raises(SettingsError, match="news have no column 'facts'"):
            judged(portfolio, chosen, news=pa.table({"facts": ["x"]}))

    def test_enquiries_and_events_of_the_account_are_news(self):
        chosen = attrs.evolve(USUAL, needs_news=True)
        enquiry = table(
            {"enquiry_id": TEXT, "created_at": MOMENT, "account_id": TEXT},
            [
                {
                    "enquiry_id": "E",
                    "created_at": datetime(2026, 4, 1, tzinfo=UTC),
                    "account_id": "A",
                }
            ],
        )
        row = row_of([lost()], chosen=chosen, enquiry=enquiry)
        assert (row["news"], row["news_on"]) == ("enquiry", date(2026, 4, 1))
        event = table(
            {"event_id": TEXT, "from_on": DAY, "label": TEXT, "account_id": TEXT},
            [
                {
                    "event_id": "E",
                    "from_on": date(2026, 4, 2),
                    "label": "merger",
                    "account_id": "A",
                }
            ],
        )
        row = row_of([lost()], chosen=chosen, event=event)
        assert (row["recommendation"], row["news"]) == ("try", "event")

    def test_without_activities_nothing_is_known_of_attempts(self):
        row = row_of([lost()], without=("activity",))
        assert (row["recommendation"], row["rule"]) == ("unknown", "history_unknown")
        assert row["attempt_count"] is None


class TestSignsOfAChase:
    def test_more_attempts_than_the_most_are_a_sign(self):
        sold = [lost(on=date(2025, 7, 15))]
        done = [talk(on=date(2025, 8, each)) for each in (1, 2, 3, 4)]
        row = row_of(sold, done)
        assert row["chase_signs"] == "over_most, unanswered"

    def test_three_attempts_since_the_last_answer_are_a_sign(self):
        sold = [lost(on=date(2025, 7, 15))]
        done = [talk(on=date(2025, 8, each)) for each in (1, 3, 4)]
        answer = talk(on=date(2025, 8, 2), way="in")
        row = row_of(sold, [*done, answer])
        assert (row["silent_attempt_count"], row["chase_signs"]) == (2, "")

    def test_a_discount_that_grows_with_each_attempt_is_a_sign(self):
        sold = [lost(on=date(2025, 7, 15))]
        done = [talk(on=date(2025, 9, 1)), talk(on=date(2025, 11, 1))]
        kinds = {"opportunity_id": TEXT, "changed_at": MOMENT, "field": TEXT}
        kinds |= {"old": TEXT, "new": TEXT}
        moments = [datetime(2025, 8, 1, tzinfo=UTC), datetime(2025, 10, 1, tzinfo=UTC)]
        for values, sign in (
            (["0.05", "0.10"], "discount_grows"),
            (["0.05", "x"], "discount_grows"),
            (["much", ""], ""),
        ):
            olds = [None, values[0]]
            rows = [
                {
                    "opportunity_id": "O",
                    "changed_at": at,
                    "field": "discount_share",
                    "old": old,
                    "new": new,
                }
                for at, old, new in zip(moments, olds, values, strict=True)
            ]
            row = row_of(sold, done, opportunity_change=table(kinds, rows))
            assert row["chase_signs"] == sign

    def test_more_than_a_fifth_of_the_hours_after_the_loss_is_a_sign(self):
        sold = [lost()]
        before = talk(on=date(2026, 1, 2), minutes=100.0)
        row = row_of(sold, [before, talk(minutes=20.0)])
        assert row["chase_signs"] == ""
        row = row_of(sold, [before, talk(minutes=20.1)])
        assert row["chase_signs"] == "hours_after"

    def test_a_team_that_works_on_what_is_lost_is_warned_of(self):
        kinds = {"account_id": TEXT, "opportunity_id": TEXT, "worked_on": DAY}
        rows = [
            {"account_id": "A", "opportunity_id": "O", "minutes": 60.0},
            {"account_id": "A", "opportunity_id": None, "minutes": 300.0},
        ]
        rows = [{**row, "worked_on": date(2026, 3, 1)} for row in rows]
        effort = table(kinds | {"minutes": NUMBER}, rows)
        result = judged(book([lost()], effort=effort))
        assert result.summary["chase"]["team_share"] == pytest.approx(1 / 6)
        assert "again_team_share" in [each.code for each in result.warnings]


def past(wins, tries, *, first=date(2023, 1, 10), reason="price", key="H"):
    """Losses of long ago that were tried once each; some were opened again and won."""
    sold, done, changes = [], [], []
    for at in range(tries):
        name, on = f"{key}{at:03}", first + timedelta(days=at % 300)
        is_won = at < wins
        ended = {"on": on + timedelta(days=100)} if is_won else {"on": on}
        own = lost(name, account="Z", loss_reason=reason, **ended)
        sold.append({**own, "status": "won" if is_won else "lost"})
        done += [
            talk(name, on - timedelta(days=2)),
            talk(name, on - timedelta(days=1), "in"),
            talk(name, on + timedelta(days=30)),
        ]
        if is_won:
            moment = datetime(on.year, on.month, on.day, 12, tzinfo=UTC)
            steps = ((0, "open", "lost"), (60, "lost", "open"))
            if reason is not None:
                changes.append(
                    {
                        "opportunity_id": name,
                        "changed_at": moment,
                        "field": "loss_reason",
                        "new": reason,
                    }
                )
            changes += [
                {
                    "opportunity_id": name,
                    "changed_at": moment + timedelta(days=days),
                    "field": "status",
                    "old": old,
                    "new": new,
                }
                for days, old, new in steps
            ]
    return sold, done, changes


CHANGED = {"opportunity_id": TEXT, "changed_at": MOMENT, "field": TEXT}
CHANGED |= {"old": TEXT, "new": TEXT}
BY_RATES = attrs.evolve(USUAL, base_rate=None)


class TestTheOdds:
    def test_they_are_the_rate_of_its_class_and_reason_drawn_to_all(self):
        """Sheet 6.4: with few groups the prior is the rate of all, worth 20 tries."""
        price = past(6, 20, key="H")
        service = past(0, 20, reason="service", key="K")
        sold, done, changes = (a + b for a, b in zip(price, service, strict=True))
        sold += [lost(loss_reason="price"), lost("P", loss_reason="service")]
        sold += [lost("Q", loss_reason="other")]
        portfolio = book(sold, done, opportunity_change=table(CHANGED, changes))
        found = rows_of(judged(portfolio, BY_RATES))
        assert found["O"]["odds"] == pytest.approx((3 + 6) / 40)
        assert found["P"]["odds"] == pytest.approx((3 + 0) / 40)
        assert found["Q"]["odds"] == pytest.approx(6 / 40)
        assert (found["O"]["tried_count"], found["O"]["won_back_count"]) == (20, 6)
        assert found["Q"]["tried_count"] == 0

    def test_what_was_never_tried_is_no_failure(self):
        sold, done, changes = past(6, 20)
        never = [
            lost(f"N{at:03}", on=date(2023, 3, 1), loss_reason="price")
            for at in range(50)
        ]
        books = [
            book(each, done, opportunity_change=table(CHANGED, changes))
            for each in ([*sold, lost()], [*sold, *never, lost()])
        ]
        few, many = (rows_of(judged(each, BY_RATES))["O"]["odds"] for each in books)
        assert few == many == pytest.approx(0.3)

    def test_attempts_whose_outcome_is_not_known_yet_do_not_count(self):
        sold, done, changes = past(6, 20)
        recent = [lost(f"R{at}", on=date(2026, 1, 2)) for at in range(9)]
        done += [talk(f"R{at}", date(2026, 2, 2)) for at in range(9)]
        portfolio = book(
            [*sold, *recent, lost()],
            done,
            opportunity_change=table(CHANGED, changes),
        )
        result = judged(portfolio, BY_RATES)
        assert result.summary["past"] == {
            "tried_count": 20,
            "won_count": 6,
            "open_count": 9,
        }

    def test_a_win_after_more_than_a_year_came_too_late(self):
        sold, done, changes = past(6, 20)
        late = [
            {**row, "closed_on": row["closed_on"] + timedelta(days=400)}
            if row["status"] == "won"
            else row
            for row in sold
        ]
        portfolio = book(
            [*late, lost()], done, opportunity_change=table(CHANGED, changes)
        )
        assert judged(portfolio, BY_RATES).summary["past"]["won_count"] == 0

    def test_nobody_won_of_few_says_that_more_may_be(self):
        sold, done, _ = past(0, 4)
        row = row_of([*sold, lost()], done, chosen=BY_RATES)
        assert (row["odds"], row["odds_high"]) == (0.0, 0.75)
        assert (row["recommendation"], row["rule"]) == ("unknown", "inputs_unknown")
        sold, done, _ = past(0, 200)
        row = row_of([*sold, lost()], done, chosen=BY_RATES)
        assert (row["recommendation"], row["rule"]) == ("stop", "not_worth_it")

    def test_all_won_of_few_says_that_fewer_may_be(self):
        sold, done, changes = past(1, 1)
        changes = table(CHANGED, changes)
        row = row_of(
            [*sold, lost(amount=1_300.0)],
            done,
            chosen=BY_RATES,
            opportunity_change=changes,
        )
        assert (row["odds"], row["odds_low"]) == (1.0, 0.0)
        assert (row["recommendation"], row["rule"]) == ("unknown", "inputs_unknown")
        portfolio = book([*sold, lost()], done, opportunity_change=changes)
        assert "again_always_won" in said(judged(portfolio, BY_RATES))

    def test_a_reason_that_is_cleared_on_reopening_is_as_its_history_says(self):
        price = past(6, 20, key="H")
        service = past(0, 20, reason="service", key="K")
        sold, done, changes = (a + b for a, b in zip(price, service, strict=True))
        for row in sold:
            if row["status"] == "won":
                row["loss_reason"] = None
        sold.append(lost(loss_reason="price"))
        told = book(sold, done, opportunity_change=table(CHANGED, changes))
        row = rows_of(judged(told, BY_RATES))["O"]
        assert (row["tried_count"], row["won_back_count"]) == (20, 6)
        changes = [row for row in changes if row["field"] == "status"]
        untold = book(sold, done, opportunity_change=table(CHANGED, changes))
        result = judged(untold, BY_RATES)
        row = rows_of(result)["O"]
        assert (row["tried_count"], row["won_back_count"]) == (40, 6)
        assert "again_reasons_unkept" in [each.code for each in result.warnings]

    def test_words_on_the_day_of_the_loss_are_no_attempt_of_those_won_back(self):
        sold, done, changes = past(6, 20)
        for row in changes:
            if row["new"] == "lost":
                late = row["changed_at"] + timedelta(minutes=5)
                key = row["opportunity_id"]
                done.append({**talk(key), "occurred_at": late})
        portfolio = book(
            [*sold, lost()], done, opportunity_change=table(CHANGED, changes)
        )
        rows = to_arrow(judged(portfolio, BY_RATES).attempts).to_pylist()
        assert [row["tried_count"] for row in rows] == [20, 0, 0]

    def test_the_attempts_of_the_past_are_counted_one_by_one(self):
        sold, done, changes = past(6, 20)
        # The last ten were tried once more, without success.
        for row in sold[10:]:
            done.append(
                talk(row["opportunity_id"], row["closed_on"] + timedelta(days=90))
            )
        portfolio = book(
            [*sold, lost()], done, opportunity_change=table(CHANGED, changes)
        )
        rows = to_arrow(judged(portfolio, BY_RATES).attempts).to_pylist()
        counted = [(row["tried_count"], row["won_count"]) for row in rows]
        assert counted == [(20, 6), (10, 0), (0, 0)]
        odds = [row["odds"] for row in rows]
        assert odds == sorted(odds, reverse=True)

    def test_attempts_stop_where_the_next_does_not_pay(self):
        """Sheet 6.7: attempt k while hz_k · M > cost_k."""
        sold, done, changes = past(6, 20)
        for row in sold[6:]:
            for days in (60, 90):
                day = row["closed_on"] + timedelta(days=days)
                done.append(talk(row["opportunity_id"], day))
        own = [lost(amount=5_000.0), talk(on=date(2026, 3, 1))]
        chosen = attrs.evolve(BY_RATES, hours=9, cost_per_hour=60)
        portfolio = book(
            [*sold, own[0]],
            [*done, own[1]],
            opportunity_change=table(CHANGED, changes),
        )
        result = judged(portfolio, chosen)
        row = rows_of(result)["O"]
        odds = [each["odds"] for each in to_arrow(result.attempts).to_pylist()]
        scale = row["odds"] and (0.3 / (1 - np.prod(1 - np.array(odds))))
        pays = [each * scale * 5_000 > 180 for each in odds]
        assert row["paying_attempt_count"] == pays.index(False) if False in pays else 3

    def test_reopening_is_told_by_months_since_the_loss(self):
        """Sheet 6.5 [H]: months 2 3+ 5 5+ 8+ 9+: S(2) = .833333, S(5) = .625."""
        months, is_open = [2, 3, 5, 5, 8, 9], [True, False, True, False, False, False]
        found = _past.Past(
            **{
                **dict.fromkeys(("family", "reason"), pa.array(["x"] * 6)),
                **dict.fromkeys(("minor", "months"), np.zeros(6)),
                "first_on": np.full(6, np.datetime64("2025-01-01", "D")),
                "attempts": np.ones(6, dtype=np.int64),
                **dict.fromkeys(("is_won", "is_known"), np.ones(6, dtype=bool)),
                "is_reopened": np.array(is_open),
                "again": np.array(months) * 30.5,
                **dict.fromkeys(("knows_reasons", "knows_amounts"), True),
            }
        )
        curve = found.reopening()
        assert curve.times.tolist() == [2, 5]
        assert curve.shares == pytest.approx([0.833333, 0.625], abs=5e-7)


def learned(*, by_months: bool, tries=400):
    """Attempts of five years; whether those soon after the loss are won more often."""
    draw = np.random.default_rng(4)
    sold, done, changes = [], [], []
    first = date(2020, 1, 10)
    for at in range(tries):
        name, on = f"H{at:03}", first + timedelta(days=int(at * 1_900 / tries))
        wait = int(draw.integers(5, 400))
        chance = (0.9 if wait < 120 else 0.05) if by_months else 0.3
        is_won = bool(draw.random() < chance)
        ended = on + timedelta(days=wait + 40) if is_won else on
        own = lost(name, account="Z", on=ended, amount=float(draw.integers(1, 10**5)))
        sold.append({**own, "status": "won" if is_won else "lost"})
        done += [talk(name, on - timedelta(days=3), "in")]
        done += [talk(name, on - timedelta(days=4))]
        done += [talk(name, on + timedelta(days=wait))]
        if is_won:
            moment = datetime(on.year, on.month, on.day, 12, tzinfo=UTC)
            for days, old, new in ((0, "open", "lost"), (wait + 20, "lost", "open")):
                changes.append(
                    {
                        "opportunity_id": name,
                        "changed_at": moment + timedelta(days=days),
                        "field": "status",
                        "old": old,
                        "new": new,
                    }
                )
    return book([*sold, lost()], done, opportunity_change=table(CHANGED, changes))


class TestTheModelThatLearns:
    LOGISTIC = attrs.evolve(BY_RATES, model="logistic")

    def test_it_is_used_where_it_foresees_the_later_year_better(self):
        result = judged(learned(by_months=True), self.LOGISTIC)
        told = result.summary["odds"]
        assert (told["source"], told["verdict"]) == ("logistic", "better")
        assert told["log_loss_logistic"] < told["log_loss_rates"]
        assert told["event_count"] >= 50
        assert told["coefficient_count"] <= told["trained_count"] / 10
        assert "again_odds_plain" in said(result)
        row = rows_of(result)["O"]
        assert (row["odds_low"], row["odds_high"]) == (None, None)
        [point] = [
            each for each in result.plot_value().lines if each.get_marker() == "o"
        ]
        assert point.get_ydata() == pytest.approx([row["expected_value"]])

    def test_it_is_not_used_where_it_does_not(self):
        result = judged(learned(by_months=False), self.LOGISTIC)
        told = result.summary["odds"]
        assert (told["source"], told["verdict"]) == ("rates", "not_better")
        assert told["log_loss_logistic"] >= told["log_loss_rates"]
        assert "again_model_not_used" in [each.code for each in result.warnings]

    def tried(self, wins, tries):
        sold, done, changes = past(wins, tries)
        told = table(CHANGED, changes)
        return judged(
            book([*sold, lost()], done, opportunity_change=told), self.LOGISTIC
        )

    def test_with_fifty_events_it_is(self):
        told = self.tried(50, 100).summary["odds"]
        assert told["event_count"] == 50
        assert told["verdict"] in ("no_later_year", "not_better", "better")

    def test_under_fifty_events_it_is_never_tried(self):
        result = self.tried(49, 98)
        assert result.summary["odds"]["verdict"] == "few_events"
        assert result.summary["odds"]["log_loss_logistic"] is None
        assert "few_events" in [each.code for each in result.warnings]

    def test_nothing_that_came_after_the_attempt_is_a_feature(self):
        """Leakage: what came of them is altered, and what is known before is not."""
        portfolio = learned(by_months=True)
        facts = to_arrow(portfolio["opportunity"])
        assert facts.num_rows > 300
        plain = judged(portfolio, self.LOGISTIC).summary["odds"]
        rows = to_arrow(portfolio["activity"]).to_pylist()
        # A second word, right after each first attempt: it tells nothing beforehand.
        more = [
            {**row, "activity_id": f"M{at}", "minutes": 500.0}
            for at, row in enumerate(rows)
            if row["direction"] == "out"
        ]
        more = [
            {**row, "occurred_at": row["occurred_at"] + timedelta(hours=1)}
            for row in more
        ]
        altered = portfolio.with_tables(activity=table(DONE, [*rows, *more]))
        told = judged(altered, self.LOGISTIC).summary["odds"]
        assert told["log_loss_logistic"] == plain["log_loss_logistic"]

    @pytest.mark.parametrize("is_told", [True, False])
    def test_the_amount_is_that_of_the_first_attempt(self, is_told):
        sold, done, changes = past(1, 2)
        if is_told:
            first = datetime(2023, 1, 10, 12, tzinfo=UTC) + timedelta(days=30)
            steps = ((-9, "5", "700"), (9, "700", "800"), (19, "800", "20000"))
            changes += [
                {
                    "opportunity_id": "H000",
                    "changed_at": first + timedelta(days=days),
                    "field": "amount",
                    "old": old,
                    "new": new,
                }
                for days, old, new in steps
            ]
        portfolio = book(sold, done, opportunity_change=table(CHANGED, changes))
        spans = after_losses(portfolio, Contacts())
        found = _past.Past.of(portfolio, spans, USUAL, Contacts())
        assert found.knows_amounts is is_told
        assert found.minor.tolist() == [70_000 if is_told else 2_000_000, 2_000_000]

    @pytest.mark.parametrize("field", ["amount", "original_amount"])
    def test_changes_of_amounts_are_told_in_the_currency_of_the_opportunity(
        self, field
    ):
        """Half a euro each: 700 dollars were 350 euros, however the CRM writes them."""
        sold, done, changes = past(1, 1)
        late = datetime(2023, 3, 10, 12, tzinfo=UTC)
        change = {"opportunity_id": "H000", "changed_at": late, "field": field}
        changes += [{**change, "old": "7.0E2", "new": "40000"}]
        rates = {"currency": ["USD"], "base": ["EUR"], "rate": [0.5]}
        portfolio = book(sold, done, opportunity_change=table(CHANGED, changes))
        rows = to_arrow(portfolio["opportunity"]).drop_columns(["amount"])
        rows = rows.append_column("original_amount", pa.array([40_000.0]))
        rows = rows.append_column("currency", pa.array(["USD"]))
        portfolio = portfolio.with_tables(
            opportunity=rows,
            exchange_rate=pa.table(rates | {"from_on": [date(2020, 1, 1)]}),
        )
        spans = after_losses(portfolio, Contacts())
        found = _past.Past.of(portfolio, spans, USUAL, Contacts())
        assert (found.minor.tolist(), found.knows_amounts) == ([35_000], True)

    @pytest.mark.parametrize(
        ("old", "reason"), [(None, ""), ("slow", "slow")], ids=["none", "slow"]
    )
    def test_a_reason_that_a_later_loss_was_given_is_not_that_of_the_first(
        self, old, reason
    ):
        sold, done, changes = past(1, 1, reason=None)
        sold[0] |= {"status": "lost", "loss_reason": "price"}
        ended = datetime(2023, 4, 20, 12, tzinfo=UTC)
        change = {"opportunity_id": "H000", "changed_at": ended}
        changes += [
            {**change, "field": "status", "old": "open", "new": "lost"},
            {**change, "field": "loss_reason", "old": old, "new": "price"},
        ]
        portfolio = book(sold, done, opportunity_change=table(CHANGED, changes))
        spans = after_losses(portfolio, Contacts())
        found = _past.Past.of(portfolio, spans, USUAL, Contacts())
        assert found.is_reopened.tolist() == [True]
        assert (found.reason.to_pylist(), found.knows_reasons) == ([reason], True)

    def test_what_is_lost_today_was_lost_for_what_its_record_says(self):
        """Not for what an earlier loss of it was given, and nobody says any more."""
        sold, done, changes = past(1, 1)
        sold[0] |= {"status": "lost", "loss_reason": None}
        ended = datetime(2023, 4, 20, 12, tzinfo=UTC)
        change = {"opportunity_id": "H000", "field": "status", "old": "open"}
        changes += [{**change, "changed_at": ended, "new": "lost"}]
        done.append(talk("H000", date(2023, 5, 10)))
        portfolio = book(sold, done, opportunity_change=table(CHANGED, changes))
        spans = after_losses(portfolio, Contacts())
        found = _past.Past.of(portfolio, spans, USUAL, Contacts())
        assert found.is_reopened.tolist() == [True, False]
        assert found.reason.to_pylist() == ["price", ""]

    def test_without_the_history_of_amounts_they_are_no_feature(self):
        told = judged(learned(by_months=True), self.LOGISTIC).summary["odds"]
        assert told["coefficient_count"] == len(FEATURES) - 1


class TestWhichLossesAreLookedAt:
    def test_only_losses_of_the_chosen_classes(self):
        portfolio = book([lost(), lost("P")])
        assert rows_of(judged(portfolio, label="disqualified")) == {}
        chosen = attrs.evolve(USUAL, classes=("disqualified",))
        assert len(rows_of(judged(portfolio, chosen, label="disqualified"))) == 2

    def test_what_was_lost_too_long_ago_is_none(self):
        edge = AS_OF - timedelta(days=730)
        sold = [lost(on=edge), lost("P", on=edge - timedelta(days=1))]
        assert list(rows_of(judged(book(sold)))) == ["O"]

    def test_without_opportunities_there_is_nothing_to_ask(self):
        portfolio = book([lost()], without=("opportunity", "activity"))
        with pytest.raises(MissingTableError, match="opportunity"):
            win_back(portfolio)

    def test_overrides_beside_a_triage_are_refused(self):
        portfolio = book([lost()])
        told = lost_opportunities(portfolio)
        overrides = pa.table({"opportunity_id": ["O"], "class": ["pursued_lost"]})
        with pytest.raises(SettingsError, match="overrides are of the triage"):
            win_back(portfolio, lost=told, overrides=overrides)

    def test_the_triage_of_another_book_is_refused(self):
        other = lost_opportunities(book([lost(), lost("P")]))
        with pytest.raises(SettingsError, match="another portfolio"):
            win_back(book([lost()]), lost=other)


class TestWhatPeopleRead:
    def sheet(self, **more):
        return judged(book([lost(**more)])).sheet("O").splitlines()

    def test_a_sheet_leaves_blank_what_nobody_knows(self):
        lines = self.sheet(loss_reason="slow", loss_reason_by="client", owner_id="U1")
        assert lines[0] == "Reason: The reason, as the client gave it: slow."
        assert lines[1] == "Our answer to it: (to be filled in by a person)"
        assert lines[4] == "Who: U1"
        assert lines[5] == "When: not before 15 April 2026"
        assert lines[6] == "Stop: after 3 more attempts, at the first no"

    def test_without_a_reason_there_is_no_sheet(self):
        assert self.sheet() == [
            "No sheet: why it was lost is unknown. Ask that first.",
        ]

    def test_who_is_left_in_peace_has_no_sheet(self):
        lines = self.sheet(loss_reason="slow", refused_on=AS_OF)
        assert lines[0] == "Leave in peace."

    def test_a_workbook_has_a_sheet_for_each_owner(self, tmp_path):
        openpyxl = pytest.importorskip("openpyxl")
        names = ["=HYPERLINK('x')/[y]:*?" + "z" * 40, "Bo", "bo", "summary", "\x1b[31m"]
        sold = [lost(f"O{at}", owner_id=f"U{at}") for at in range(5)]
        sold.append(lost("O9", account="B", refused_on=AS_OF))
        owner = table(
            {"owner_id": TEXT, "name": TEXT},
            [{"owner_id": f"U{at}", "name": name} for at, name in enumerate(names)],
        )
        result = judged(book(sold, owner=owner))
        result.save(tmp_path / "win-back.xlsx")
        workbook = openpyxl.load_workbook(tmp_path / "win-back.xlsx")
        titles = workbook.sheetnames
        assert titles[0] == "opportunities"
        own = titles[-6:]
        assert own[1:4] == ["Bo", "bo (2)", "summary (2)"]
        assert own[-1] == "no owner"
        assert len({title.casefold() for title in titles}) == len(titles)
        for title in own:
            assert len(title) <= 31
            assert not set(title) & set("[]:*?/\\\x1b")
            assert title[0] not in "=+-@'"
        head, row = workbook["Bo"].iter_rows(values_only=True)
        told = dict(zip(head, row, strict=True))
        assert told["not_before"] == "not before 15 April 2026"
        assert "place" in told["recommendation"]
        assert "Lost on 15 January 2026" in told["reason"]
        [_, left] = workbook["no owner"].iter_rows(values_only=True)
        assert dict(zip(head, left, strict=True))["not_before"] == "never"

    def test_it_is_theirs_who_work_on_it_today(self):
        """Not of who had it when it was lost, and may have left since."""
        owner = table(
            {"owner_id": TEXT, "is_active": pa.bool_()},
            [{"owner_id": key, "is_active": key == "new"} for key in ("new", "gone")],
        )
        gave = {"changed_at": datetime(2026, 2, 1, tzinfo=UTC), "field": "owner_id"}
        gave |= {"opportunity_id": "O", "old": "gone", "new": "new"}
        sold = [lost(owner_id="new"), lost("P", owner_id="gone")]
        result = judged(
            book(sold, owner=owner, opportunity_change=table(CHANGED, [gave]))
        )
        rows = rows_of(result)
        assert {key: row["owner_id"] for key, row in rows.items()} == {
            "O": "new",
            "P": "gone",
        }
        assert [rows[key]["is_owner_active"] for key in "OP"] == [True, False]
        assert "again_owner_inactive" in said(result, "P")
        assert "again_owner_inactive" not in said(result, "O")

    @pytest.mark.parametrize("lang", ["en", "fr"])
    def test_every_row_is_explained(self, lang):
        sold, done, changes = past(6, 20)
        sold += [lost(), lost("P", refused_on=AS_OF), lost("Q", on=date(2026, 6, 1))]
        sold += [lost("R", amount=None), lost("S", amount=10.0, loss_reason="price")]
        result = judged(
            book(sold, done, opportunity_change=table(CHANGED, changes)), BY_RATES
        )
        for key in rows_of(result):
            assert len(result.explain(key, lang=lang).splitlines()) >= 4

    def test_a_comparison_tells_who_moved(self):
        portfolio = book([lost(), lost("P", amount=500.0)])
        before = judged(portfolio)
        after = judged(portfolio, attrs.evolve(USUAL, hour_value=220))
        compared = after.compared_with(before)
        assert compared.moves == {("try", "stop"): 1}


class TestFreedHours:
    def test_what_is_worth_another_try_is_a_candidate_for_freed_hours(self):
        kinds = {"account_id": TEXT, "worked_on": DAY, "minutes": NUMBER}
        rows = [{"account_id": "Z", "worked_on": date(2026, 1, 5), "minutes": 6_000.0}]
        won = {**lost("W", account="Z", amount=100_000.0), "status": "won"}
        sold = [lost(), lost("P", account="B", refused_on=AS_OF), won]
        portfolio = book(sold, effort=table(kinds, rows))
        again = judged(portfolio)
        freed = FreedCapacitySettings(scenario=Scenario(accounts=("Z",)))
        result = freed_capacity(portfolio, freed, win_back=again)
        [row] = to_arrow(result.candidates).to_pylist()
        assert row["candidate_id"] == "win_back:O"
        assert (row["status"], row["hours"], row["value"]) == ("chosen", 20.0, 3_000.0)
        assert result.params["win_back"]["settings"]["base_rate"] == 0.15
        without = book(sold, effort=table(kinds, rows), without=("refused_on",))
        asked = freed_capacity(without, freed, win_back=judged(without))
        ids = to_arrow(asked.candidates)["candidate_id"].to_pylist()
        assert "win_back_ask_first:O" in ids
        assert "ask first" in asked.explain_candidate("win_back_ask_first:O")
        with pytest.raises(SettingsError, match="another portfolio"):
            freed_capacity(portfolio, freed, win_back=judged(without))


@pytest.fixture(scope="module")
def planted():
    """A book of whose losses it is known who refused, and how often each was tried."""
    found = samples.lost_book(opportunities=2_000)
    truths = found.truths
    portfolio = Portfolio.from_frames(
        as_of=truths["as_of"],
        currency=truths["currency"],
        calendar=Calendar(truths["time_zone"]),
        **found.tables,
    )
    chosen = attrs.evolve(BY_RATES, within_days=90)
    result = win_back(portfolio, chosen)
    return truths, result, rows_of(result)


class TestThePlantedBook:
    def test_all_who_refused_or_opted_out_are_left_in_peace(self, planted):
        truths, _, rows = planted
        refused = {each.as_py() for each in truths["refused"]}
        opted_out = {each.as_py() for each in truths["left_in_peace"]}
        barred = [
            row
            for key, row in rows.items()
            if key in refused or row["account_id"] in opted_out
        ]
        assert len(barred) >= 20
        assert {row["recommendation"] for row in barred} == {"leave_in_peace"}

    def test_attempts_are_counted_as_they_were_made(self, planted):
        truths, _, rows = planted
        made = {
            each["record_id"]: each["attempt_count"]
            for each in truths["lost"].to_pylist()
        }
        both = [key for key in rows if key in made]
        right = [key for key in both if rows[key]["attempt_count"] == made[key]]
        assert len(both) > 300
        assert len(right) / len(both) >= 0.95

    def test_what_was_won_back_is_what_the_odds_stand_on(self, planted):
        truths, result, _ = planted
        won = result.summary["past"]["won_count"]
        assert 0 < won <= len(truths["won_back"])
        assert result.summary["odds"]["source"] == "rates"


ENGINES = {
    "pandas": lambda table: from_arrow(table, "pandas"),
    "polars": lambda table: from_arrow(table, "polars"),
    "polars lazy": lambda table: pl.from_arrow(table).lazy(),
    "duckdb": lambda table: from_arrow(table, "duckdb"),
}


@pytest.mark.parametrize("engine", ENGINES)
def test_every_kind_of_frame_gives_identical_results(engine):
    sold, done, changes = past(6, 20)
    sold += [lost(), lost("P", refused_on=AS_OF), lost("Q", loss_reason="price")]
    done += [talk("Q"), talk("Q", date(2026, 3, 3), "in"), talk("P")]
    tables = {
        "account": table(WHO, [{"account_id": each} for each in "AZ"]),
        "opportunity": table(SOLD, sold),
        "activity": table(
            DONE, [{"activity_id": f"T{at}", **each} for at, each in enumerate(done)]
        ),
        "opportunity_change": table(CHANGED, changes),
    }
    mine, other = (
        Portfolio.from_frames(
            as_of=AS_OF,
            currency="EUR",
            **{name: make(each) for name, each in tables.items()},
        )
        for make in (lambda each: each, ENGINES[engine])
    )
    assert judged(other, BY_RATES).to_dict() == judged(mine, BY_RATES).to_dict()


def test_the_order_of_the_rows_changes_nothing():
    sold, done, changes = past(6, 20)
    sold += [lost(), lost("P"), lost("Q", loss_reason="price")]
    results = [
        judged(
            book(
                sold[::step],
                done[::step],
                opportunity_change=table(CHANGED, changes[::step]),
            ),
            BY_RATES,
        )
        for step in (1, -1)
    ]
    frames = [to_arrow(each.frame) for each in results]
    assert frames[0].equals(frames[1])


@pytest.mark.parametrize("backend", ["duckdb", "polars_lazy"])
def test_the_file_that_a_sale_lies_in_changes_no_rank(tmp_path, backend):
    days = [LOST_ON - timedelta(days=40 * (at % 3)) for at in range(12)]
    sold = [lost(f"O{at:02}", on=day) for at, day in enumerate(days)]
    mine = book(sold)
    mine.save(tmp_path, partitioned={"opportunity": "closed_on"})
    other = Portfolio.load(tmp_path, backend=backend)
    results = [judged(each).to_dict() for each in (mine, other)]
    assert [row["rank"] for row in results[0]["frame"]] == list(range(1, 13))
    assert results[0] == results[1]
