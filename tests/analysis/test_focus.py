"""Where does the time of a firm go whose figures can be checked by hand?"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_portfolio._frames import BACKENDS, from_arrow, to_arrow
from crm_portfolio._wording import LANGS
from crm_portfolio.analysis import (
    Bands,
    FocusSettings,
    TiersSettings,
    focus,
    tiers,
)
from crm_portfolio.errors import MissingTableError, SettingsError
from crm_portfolio.portfolio import Portfolio

AS_OF = date(2026, 6, 30)
TEXT, DAY, NUMBER, FLAG = pa.string(), pa.date32(), pa.float64(), pa.bool_()


def table(kinds: dict[str, pa.DataType], rows: list[tuple[object, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(kinds)
    return pa.table(
        {
            name: pa.array(list(column), kind)
            for (name, kind), column in zip(kinds.items(), columns, strict=True)
        }
    )


PRODUCTS = [
    ("P1", "machines", True),
    ("P2", "service", False),
    ("P3", "training", None),
    ("P4", None, False),
]
NOW, OLD = date(2026, 1, 15), date(2023, 1, 16)
LINES = [
    # account, day, amount, cost, product
    ("A", NOW, 1_000.0, 600.0, "P1"),
    ("B", NOW, 600.0, 400.0, "P1"),
    ("A", NOW, 200.0, 100.0, "P2"),
    ("B", NOW, 100.0, None, "P3"),
    ("C", NOW, 60.0, 20.0, "P4"),
    ("C", NOW, 40.0, 10.0, None),
    *((each, OLD, 0.01, 0.01, None) for each in "ABC"),
]
EFFORT = [
    # account, day, minutes, kind, role, product, project
    ("A", NOW, 1_200.0, "build", "dev", "P1", None),
    ("A", NOW, 600.0, "care", "care", "P2", None),
    ("B", NOW, 300.0, "innovation", "dev", None, "J1"),
    ("B", NOW, 300.0, "build", "dev", None, "J2"),
    ("C", NOW, 600.0, None, None, None, None),
]
PROJECTS = [
    # id, status, kind, is_core, hours_to_finish, contribution, started, deadline, spent
    ("J1", "running", "lab", None, 10.0, 3_000.0, date(2025, 6, 30), None, None),
    ("J2", "abandoned", None, True, 1.0, 5.0, date(2026, 1, 1), None, None),
    ("J3", "parked", None, None, 40.0, 100.0, None, None, 70.0),
    ("J4", "running", None, None, 5.0, 9.0, None, date(2026, 5, 1), None),
    ("J5", "done", None, None, 0.0, 9.0, None, None, None),
    ("J6", None, None, None, None, -1.0, None, None, None),
]


def firm(*, backend="pyarrow", **more) -> Portfolio:
    line = {"account_id": TEXT, "booked_on": DAY, "amount": NUMBER, "cost": NUMBER}
    note = {"account_id": TEXT, "worked_on": DAY, "minutes": NUMBER, "kind": TEXT}
    work = {"project_id": TEXT, "status": TEXT, "kind": TEXT, "is_core": FLAG}
    work |= {"hours_to_finish": NUMBER, "expected_contribution": NUMBER}
    work |= {"started_on": DAY, "deadline_on": DAY, "hours_spent": NUMBER}
    lines = [(f"L{at}", *each) for at, each in enumerate(LINES)]
    product = {"product_id": TEXT, "line": TEXT, "is_core": FLAG}
    tables = {
        "account": pa.table({"account_id": [*"ABC"]}),
        "product": table(product, PRODUCTS),
        "revenue_line": table({"line_id": TEXT, **line, "product_id": TEXT}, lines),
        "effort": table(
            note | {"role": TEXT, "product_id": TEXT, "project_id": TEXT}, EFFORT
        ),
        "project": table(work, PROJECTS),
    } | more
    return Portfolio.from_frames(
        as_of=AS_OF,
        currency="EUR",
        **{n: from_arrow(t, backend) for n, t in tables.items() if t is not None},
    )


def rows(frame, key="line"):
    return {row[key]: row for row in to_arrow(frame).to_pylist()}


def codes(result):
    return [warning.code for warning in result.warnings]


class TestCoreBusiness:
    def test_revenue_falls_into_core_not_core_and_unclassified(self):
        """1,600 of 2,000 by P1; 200 + 60 by P2 and P4; P3's 100 and 40 of no product."""
        found = focus(firm()).summary["core"]["revenue"]
        assert found == {"core": 0.8, "complementary": 0.13, "unclassified": 0.07}

    def test_a_product_nobody_classified_is_never_called_complementary(self):
        """Sheet 5.6: unclassified, never "non-core"."""
        row = rows(focus(firm()).frame)["training"]
        assert (row["core"], row["worth"]) == ("unclassified", "unclassified")
        assert "unclassified_product" in codes(focus(firm()))

    def test_a_line_whose_products_differ_is_mixed(self):
        own = table(
            {"product_id": TEXT, "line": TEXT, "is_core": FLAG},
            [("P1", "all", True), ("P2", "all", None), ("P3", "x", False)],
        )
        found = rows(focus(firm(product=own)).frame)
        assert found["all"]["core"] == "mixed"

    def test_hours_take_the_class_of_their_product_else_of_their_project(self):
        """20 of P1 and 5 of the core project J2 of 50 hours; 10 of P2; 15 of neither."""
        found = focus(firm()).summary["core"]["hours"]
        assert found == {"core": 0.5, "complementary": 0.2, "unclassified": 0.3}

    def test_a_cost_that_is_unknown_leaves_the_share_of_margin_unknown(self):
        result = focus(firm())
        assert set(result.summary["core"]["margin"].values()) == {None}
        assert rows(result.frame)["training"]["margin"] is None

    def test_margins_are_shared_where_all_costs_are_known(self):
        """600 of core, 100 + 40 not, 30 of no product; of 770 in all."""
        lines = [(f"L{at}", *e) for at, e in enumerate(LINES) if e[4] != "P3"]
        kinds = {"line_id": TEXT, "account_id": TEXT, "booked_on": DAY}
        kinds |= {"amount": NUMBER, "cost": NUMBER, "product_id": TEXT}
        result = focus(firm(revenue_line=table(kinds, lines)))
        shares = result.summary["core"]["margin"]
        assert shares["core"] == pytest.approx(600 / 770)
        assert shares["complementary"] == pytest.approx(140 / 770)

    def test_where_nothing_is_classified_nobody_knows_the_core(self):
        result = focus(firm(product=None))
        assert result.summary["core"]["revenue"] == {
            "complementary": None,
            "core": None,
            "unclassified": 1.0,
        }
        assert "focus_no_products" in codes(result)

    def test_a_complementary_line_is_held_against_core_by_the_hour(self):
        """Core: 600 in 20 hours, 30 an hour. Service: 100 in 10 hours, 10: a third."""
        row = rows(focus(firm()).frame)["service"]
        assert (row["margin_per_hour"], row["worth"]) == (10.0, "below_core")
        assert row["margin_per_hour_to_core"] == pytest.approx(1 / 3)
        assert rows(focus(firm()).frame)["machines"]["worth"] == "core"

    def test_a_line_that_brings_as_much_by_the_hour_as_core_is_not_below_it(self):
        """Core 30 an hour; service 100 in 200 minutes: 30 an hour too."""
        effort = [EFFORT[0], (*EFFORT[1][:2], 200.0, *EFFORT[1][3:])]
        note = {"account_id": TEXT, "worked_on": DAY, "minutes": NUMBER, "kind": TEXT}
        note |= {"role": TEXT, "product_id": TEXT, "project_id": TEXT}
        row = rows(focus(firm(effort=table(note, effort))).frame)["service"]
        assert (row["margin_per_hour"], row["worth"]) == (30.0, "above_core")

    def test_what_was_sold_for_an_unknown_amount_has_no_margin_of_nothing(self):
        sale = pa.table(
            {
                "opportunity_id": ["O"],
                "account_id": ["A"],
                "status": ["won"],
                "closed_on": pa.array([NOW], DAY),
                "amount": pa.array([None], NUMBER),
                "product_id": ["P1"],
            }
        )
        found = focus(firm(revenue_line=None, opportunity=sale)).summary["core"]
        assert found["margin_per_hour"] is None

    def test_hours_that_nobody_noted_are_unknown_not_none(self):
        row = rows(focus(firm()).frame)["training"]
        assert (row["hours"], row["margin_per_hour"]) == (None, None)
        alone = rows(focus(firm(effort=None)).frame)["machines"]
        assert (alone["hours"], alone["hours_share"]) == (None, None)

    def test_without_lines_each_product_is_one(self):
        own = pa.table({"product_id": ["P1", "P2", "P3", "P4"]})
        result = focus(firm(product=own))
        assert {"P1", "P2", "P3", "P4", "unclassified"} == set(rows(result.frame))
        assert "focus_products_as_lines" in codes(result)

    def test_a_share_is_of_what_is_above_zero(self):
        """Sheet 0.2.6: a class with more given back than sold takes no part: never 150 %."""
        kinds = {"line_id": TEXT, "account_id": TEXT, "booked_on": DAY}
        kinds |= {"amount": NUMBER, "product_id": TEXT}
        lines = [("1", "A", NOW, 300.0, "P1"), ("2", "A", NOW, -100.0, "P2")]
        result = focus(firm(revenue_line=table(kinds, lines)))
        found = result.summary["core"]["revenue"]
        assert found == {"complementary": 0.0, "core": 1.0, "unclassified": 0.0}
        (said,) = [w for w in result.warnings if w.code == "focus_negative_revenue"]
        assert dict(said.values) == {
            "classes": "complementary",
            "amount": -100.0,
            "currency": "EUR",
        }
        assert "focus_negative_revenue" not in codes(focus(firm()))

    def test_and_so_is_one_of_margin(self):
        """300 less 200 of core; 100 less 130 of service."""
        kinds = {"line_id": TEXT, "account_id": TEXT, "booked_on": DAY}
        kinds |= {"amount": NUMBER, "cost": NUMBER, "product_id": TEXT}
        sold = [
            ("1", "A", NOW, 300.0, 200.0, "P1"),
            ("2", "A", NOW, 100.0, 130.0, "P2"),
        ]
        result = focus(firm(revenue_line=table(kinds, sold)))
        assert result.summary["core"]["margin"]["core"] == 1.0
        (said,) = [w for w in result.warnings if w.code == "focus_negative_margin"]
        assert said.values["amount"] == -30.0
        assert "focus_negative_revenue" not in codes(result)


class TestHours:
    def test_the_focus_index_is_that_of_the_hours_that_say_their_kind(self):
        """25, 10 and 5 of 40 hours: .390625 + .0625 + .015625 = .46875; 40 of 50 say it."""
        found = focus(firm()).summary["focus_index"]["kind"]
        assert (found["index"], found["count"]) == (0.46875, 3)
        assert found["known_share"] == 0.8
        assert found["effective_number"] == pytest.approx(1 / 0.46875)

    def test_and_by_line_that_of_the_hours_that_name_one(self):
        """20 and 10 of 30 hours: 4/9 + 1/9."""
        found = focus(firm()).summary["focus_index"]["line"]
        assert found["index"] == pytest.approx(5 / 9)
        assert found["known_share"] == 0.6

    def test_every_hour_is_counted_once(self):
        """5 new, 5 of the abandoned project, 20 core, 10 not core, 10 unclassified."""
        found = focus(firm()).summary["hours"]
        parts = ("new", "unfinished", "core", "other", "unclassified")
        assert [found[f"hours_{each}"] for each in parts] == [5, 5, 20, 10, 10]
        assert found["hours"] == 50

    def test_hours_on_what_was_given_up_are_told(self):
        assert focus(firm()).summary["hours"]["abandoned_share"] == 0.1

    def test_hours_on_sales_that_were_lost_are_told_apart(self):
        sale = pa.table(
            {"opportunity_id": ["O"], "account_id": ["A"], "status": ["lost"]}
        )
        effort = pa.table(
            {
                "account_id": ["A", "A"],
                "worked_on": pa.array([NOW, NOW], DAY),
                "minutes": [60.0, 180.0],
                "opportunity_id": ["O", None],
            }
        )
        result = focus(firm(opportunity=sale, effort=effort))
        assert result.summary["hours"]["lost_sales_share"] == 0.25

    def test_spans_that_overlap_do_not_tell_of_days_that_none_covers(self):
        kinds = {"role": TEXT, "from_on": DAY, "to_on": DAY, "hours": NUMBER}
        ends = date(2026, 5, 20)
        rows_ = [("dev", date(2026, 4, 1 + at), ends, 100.0) for at in (0, 1)]
        found = rows(focus(firm(capacity=table(kinds, rows_))).periods, "starts_on")
        assert found[date(2026, 4, 1)]["hours_capacity"] is None

    def test_hours_on_what_says_no_status_are_not_unfinished(self):
        effort = pa.table(
            {
                "account_id": ["A"],
                "worked_on": pa.array([NOW], DAY),
                "minutes": [60.0],
                "project_id": ["J6"],
            }
        )
        found = focus(firm(effort=effort)).summary["hours"]
        assert (found["hours_unfinished"], found["hours_unclassified"]) == (0, 1)

    def test_time_kept_free_is_what_people_can_give_and_did_not(self):
        """100 hours a quarter; the first of 2026 took 50."""
        span = table(
            {"role": TEXT, "from_on": DAY, "to_on": DAY, "hours": NUMBER},
            [("dev", date(2026, 1, 1), date(2026, 3, 31), 100.0)],
        )
        found = rows(focus(firm(capacity=span)).periods, "starts_on")
        row = found[date(2026, 1, 1)]
        assert (row["hours_capacity"], row["hours_free"]) == (100.0, 50.0)
        row = found[date(2026, 4, 1)]
        assert (row["hours_capacity"], row["hours_free"]) == (None, None)


def noted(shares: dict[date, tuple[float, float]]) -> pa.Table:
    """Minutes of innovation and of all else, by day."""
    found = []
    for day, (new, other) in shares.items():
        found += [("A", day, new, "innovation"), ("A", day, other, "build")]
    kinds = {"account_id": TEXT, "worked_on": DAY, "minutes": NUMBER, "kind": TEXT}
    return table(kinds, [each for each in found if each[2]])


QUARTERS = [date(2025, 8, 1), date(2025, 11, 3), date(2026, 2, 2), date(2026, 5, 4)]
TENTH = FocusSettings(innovation_target_share=0.1)


class TestTimeForTheNew:
    def following(self, *new: float) -> pa.Table:
        began = {date(2024, 7, 5): (50.0, 50.0)}
        return noted(
            began | {day: (each, 100 - each) for day, each in zip(QUARTERS, new)}
        )

    def test_two_spans_under_the_target_are_an_alert_before_any_loss(self):
        """Sheet 4.6: the firm grows, nobody left, no opportunity was lost."""
        result = focus(firm(effort=self.following(20, 12, 9, 8)), TENTH)
        found = result.summary["innovation"]
        assert (found["under_count"], found["is_alert"]) == (2, True)
        assert found["under_since_on"] == "2026-01-01"
        assert codes(result)[0] == "below_target"
        assert all(row["revenue"] > 0 for row in rows(result.frame).values())

    @pytest.mark.parametrize("new", [(20, 9, 9, 10), (5, 5, 20, 9), (9, 9, 9, 11)])
    def test_one_is_none(self, new):
        result = focus(firm(effort=self.following(*new)), TENTH)
        assert not result.summary["innovation"]["is_alert"]
        assert "below_target" not in codes(result)

    def test_exactly_the_target_is_enough(self):
        result = focus(firm(effort=self.following(10, 10, 10, 10)), TENTH)
        assert result.summary["innovation"]["under_count"] == 0

    def test_without_a_target_there_is_no_verdict(self):
        result = focus(firm(effort=self.following(0, 0, 0, 0)))
        assert not result.summary["innovation"]["is_alert"]
        verdicts = to_arrow(result.periods)["is_under_target"]
        assert verdicts.null_count == len(verdicts)

    def test_which_kinds_count_is_a_setting_and_echoed(self):
        own = FocusSettings(innovation_kinds=("care",), innovation_target_share=0.1)
        result = focus(firm(), own)
        assert result.summary["innovation"]["share"] == 0.2
        assert result.params["innovation_kinds"] == ["care"]
        assert focus(firm()).params["innovation_kinds"] == ["innovation", "new_offer"]

    def test_the_kind_of_a_project_counts_too(self):
        own = FocusSettings(innovation_kinds=("lab",))
        assert focus(firm(), own).summary["innovation"]["share"] == 0.1

    def test_where_nobody_notes_such_a_kind_it_is_unknown_not_nothing(self):
        effort = noted({NOW: (0.0, 60.0)})
        result = focus(firm(effort=effort), TENTH)
        assert result.summary["innovation"]["share"] is None
        assert "focus_new_kinds_unknown" in codes(result)

    def test_nor_where_the_kinds_named_are_none_that_anybody_notes(self):
        """A word with a slip in it is no alert."""
        own = FocusSettings(
            innovation_kinds=("inovation",), innovation_target_share=0.1
        )
        result = focus(firm(effort=self.following(20, 20, 20, 20)), own)
        assert result.summary["innovation"]["share"] is None
        assert not result.summary["innovation"]["is_alert"]
        assert "focus_new_kinds_unseen" in codes(result)

    def test_what_says_no_kind_may_be_new(self):
        """5 of 50 hours are new, 10 say nothing: a target of 20 % may be met, 40 % not."""
        spans = {}
        for target in (0.1, 0.2, 0.4):
            own = FocusSettings(innovation_target_share=target)
            spans[target] = focus(firm(), own).summary["hours"]["is_under_target"]
        assert spans == {0.1: False, 0.2: None, 0.4: True}

    def test_a_span_in_which_the_notes_begin_is_not_whole(self):
        effort = noted({date(2026, 2, 20): (30, 70), date(2026, 4, 2): (30, 70)})
        found = rows(focus(firm(effort=effort)).periods, "starts_on")
        assert found[date(2026, 1, 1)]["hours"] is None
        assert found[date(2026, 4, 1)]["hours"] == pytest.approx(100 / 60)


PROJECT = {"project_id": TEXT, "status": TEXT, "hours_to_finish": NUMBER}
PROJECT |= {"expected_contribution": NUMBER, "hours_spent": NUMBER}


class TestStatuses:
    def of(self, status, **more):
        row = ("J", status, 10.0, 900.0, None)
        return focus(firm(project=table(PROJECT, [row]), **more))

    @pytest.mark.parametrize("word", ["Done", "COMPLETED", " closed ", "Abandoned"])
    def test_are_read_whatever_their_case(self, word):
        assert to_arrow(self.of(word).projects).num_rows == 0

    def test_that_no_setting_names_count_as_under_way_and_are_told(self):
        result = self.of("termin\x1b[2Jé")
        assert to_arrow(result.projects)["standing"].to_pylist() == ["under_way"]
        (said,) = [w for w in result.warnings if w.code == "focus_statuses_open"]
        assert said.values["words"] == "termin␛[2Jé"

    def test_that_nobody_says_are_unknown_so_ask(self):
        result = self.of(None)
        (row,) = to_arrow(result.projects).to_pylist()
        assert (row["standing"], row["choice"]) == ("unknown", "ask")
        assert result.unfinished() == "Unknown, ask: nobody says how J stands."
        assert "focus_statuses_open" not in codes(result)

    def test_hours_that_nobody_noted_are_not_none_sunk(self):
        assert self.of("running").summary["unfinished"]["hours_sunk"] is None

    def test_where_some_are_unknown_the_rest_is_the_least_that_was_sunk(self):
        """J1 took 5 hours and J3 70; of J4 and J6 nobody knows."""
        found = focus(firm()).summary["unfinished"]
        assert found["hours_sunk"] is None
        told = found["hours_sunk_at_least"], found["hours_sunk_unknown_count"]
        assert told == (75.0, 2)
        known = [("J", "parked", 1.0, 1.0, 70.0)]
        found = focus(firm(project=table(PROJECT, known))).summary["unfinished"]
        assert (found["hours_sunk"], found["hours_sunk_at_least"]) == (70.0, 70.0)

    def test_an_id_does_nothing_but_be_read(self):
        row = ("J\x1b[2J", "running", 10.0, None, None)
        said = focus(firm(project=table(PROJECT, [row]))).unfinished()
        assert "\x1b" not in said
        assert "J␛[2J" in said

    def test_where_nobody_ever_notes_a_review_it_is_unknown_who_was_looked_at(self):
        assert focus(firm()).summary["buffer"]["reviewed_count"] is None


class TestLinesNobodyBought:
    def test_are_no_part_of_the_grid(self):
        """A line that was there but sold nothing leaves all figures as they were."""
        own = table(
            {"product_id": TEXT, "line": TEXT, "is_core": FLAG},
            [*PRODUCTS, ("P9", "launched later", False)],
        )
        few = FocusSettings(most_lines=3)
        one, other = focus(firm(), few), focus(firm(product=own), few)
        assert "focus_lines_left_out" not in codes(other)
        assert other.summary["whitespace"] == one.summary["whitespace"]
        assert to_arrow(other.matrix).equals(to_arrow(one.matrix))
        assert to_arrow(other.associations).equals(to_arrow(one.associations))


class TestTheBuffer:
    def test_a_runway_needs_all_three(self):
        known = {"cash": 90_000.0, "fixed_costs": 240_000.0}
        all_three = FocusSettings(**known, backlog_contribution=30_000.0)
        assert focus(firm(), all_three).summary["buffer"]["runway_months"] == 6.0
        found = focus(firm(), FocusSettings(**known)).summary["buffer"]
        assert found["runway_months"] is None
        assert found["runway_months_at_least"] == 4.5
        assert focus(firm()).summary["buffer"]["runway_months_at_least"] is None

    def test_young_revenue_is_of_young_accounts_or_young_products(self):
        """Of 100 in the last quarter, 30 by an account and 20 by a product of 2025."""
        kinds = {"line_id": TEXT, "account_id": TEXT, "booked_on": DAY}
        kinds |= {"amount": NUMBER, "product_id": TEXT}
        last = date(2026, 5, 4)
        lines = [
            ("1", "A", date(2023, 1, 2), 5.0, "P1"),
            ("2", "A", last, 50.0, "P1"),
            ("3", "B", last, 30.0, "P1"),
            ("4", "A", last, 20.0, "P2"),
        ]
        result = focus(firm(revenue_line=table(kinds, lines)))
        assert result.summary["buffer"]["young_revenue_share"] == 0.5

    def test_what_names_no_product_is_no_young_product(self):
        """Only of late did the old account buy what names none."""
        kinds = {"line_id": TEXT, "account_id": TEXT, "booked_on": DAY}
        kinds |= {"amount": NUMBER, "product_id": TEXT}
        lines = [("1", "A", OLD, 5.0, "P1"), ("2", "A", date(2026, 5, 4), 50.0, None)]
        result = focus(firm(revenue_line=table(kinds, lines)))
        assert result.summary["buffer"]["young_revenue_share"] == 0.0

    @pytest.mark.parametrize(("first", "share"), [(1, 0.0), (2, None)])
    def test_a_book_that_begins_just_so_long_ago_is_old_enough(self, first, share):
        """The last span ends with June 2026: 24 months before that is 1 July 2024."""
        kinds = {"line_id": TEXT, "account_id": TEXT, "booked_on": DAY}
        kinds |= {"amount": NUMBER}
        began = date(2024, 7, first)
        lines = [("1", "A", began, 5.0), ("2", "A", date(2026, 5, 4), 50.0)]
        result = focus(firm(revenue_line=table(kinds, lines)))
        assert result.summary["buffer"]["young_revenue_share"] == share

    def test_in_a_book_younger_than_that_all_would_be_young_so_it_is_unknown(self):
        kinds = {"line_id": TEXT, "account_id": TEXT, "booked_on": DAY}
        kinds |= {"amount": NUMBER}
        lines = [("1", "A", date(2025, 1, 2), 5.0), ("2", "A", NOW, 50.0)]
        result = focus(firm(revenue_line=table(kinds, lines)))
        assert result.summary["buffer"]["young_revenue_share"] is None

    def test_parked_ideas_that_somebody_looked_at_are_counted(self):
        kinds = {"account_id": TEXT, "worked_on": DAY, "minutes": NUMBER}
        kinds |= {"kind": TEXT, "project_id": TEXT}
        notes = [
            ("A", NOW, 30.0, "review", "J3"),
            ("A", NOW, 30.0, "review", "J1"),
            ("A", OLD, 30.0, "review", "J3"),
        ]
        found = focus(firm(effort=table(kinds, notes))).summary["buffer"]
        assert (found["reviewed_count"], found["parked_count"]) == (1, 1)
        assert focus(firm(effort=None)).summary["buffer"]["reviewed_count"] is None


class TestUnfinished:
    def choices(self, result):
        return {
            key: row["choice"]
            for key, row in rows(result.projects, "project_id").items()
        }

    def test_each_is_weighed_from_here_on(self):
        """J1 brings 300 an hour, J3 2.50, against 220; J4 is overdue, J6 has no status."""
        result = focus(firm(), FocusSettings(value_per_hour=220.0))
        assert self.choices(result) == {
            "J1": "finish",
            "J3": "park",
            "J4": "ask",
            "J6": "ask",
        }
        row = rows(result.projects, "project_id")["J1"]
        assert (row["value_per_hour"], row["hours_sunk"]) == (300.0, 5.0)
        assert row["age_days"] == 365

    @pytest.mark.parametrize(("deadline", "is_overdue"), [(30, False), (29, True)])
    def test_a_deadline_of_today_can_still_be_met(self, deadline, is_overdue):
        due = pa.array([date(2026, 6, deadline)], DAY)
        work = pa.table({"project_id": ["J"], "status": ["on"], "deadline_on": due})
        (row,) = to_arrow(focus(firm(project=work)).projects).to_pylist()
        assert row["is_overdue"] == is_overdue

    def test_without_a_value_of_an_hour_it_asks(self):
        assert self.choices(focus(firm()))["J1"] == "ask"
        assert "Unknown, ask" in focus(firm()).unfinished()

    @settings(max_examples=15, deadline=None)
    @given(st.floats(0, 1e6), st.floats(0, 1e6))
    def test_what_was_sunk_changes_no_choice(self, one, two):
        """Sheet 11.7: sunk hours do not matter."""
        found = []
        for spent in (one, two):
            plan = [(*row[:-1], spent) for row in PROJECTS]
            work = {"project_id": TEXT, "status": TEXT, "kind": TEXT, "is_core": FLAG}
            work |= {"hours_to_finish": NUMBER, "expected_contribution": NUMBER}
            work |= {"started_on": DAY, "deadline_on": DAY, "hours_spent": NUMBER}
            book = firm(project=table(work, plan))
            result = focus(book, FocusSettings(value_per_hour=220.0))
            kept = to_arrow(result.projects).drop_columns(["hours_sunk"])
            found.append(kept.to_pylist())
        assert found[0] == found[1]

    def test_an_hour_is_worth_what_the_last_open_sale_it_suffices_for_brings(self):
        """Sales won took 2 hours; 4 were given to sales, so two of three open ones fit.

        They are expected to bring 1,000 · .5, 600 · .5 and 200 · .5, at a margin of 60 %:
        the second one 180 in 2 hours, 90 an hour.
        """
        text = ("opportunity_id", "account_id", "status")
        kinds = {**dict.fromkeys(text, TEXT), "amount": NUMBER, "probability": NUMBER}
        sales = [
            ("W", "A", "won", 1.0, None),
            *((f"O{a}", "A", "open", a, 0.5) for a in (1_000.0, 600.0, 200.0)),
        ]
        effort = pa.table(
            {
                "account_id": ["A", "A"],
                "worked_on": pa.array([NOW, NOW], DAY),
                "minutes": [120.0, 120.0],
                "opportunity_id": ["W", "O600.0"],
            }
        )
        own = FocusSettings(variable_cost_share=0.4)
        result = focus(firm(opportunity=table(kinds, sales), effort=effort), own)
        found = result.summary["unfinished"]
        assert (found["value_per_hour"], found["value_per_hour_from"]) == (
            90.0,
            "open_sales",
        )
        assert self.choices(result)["J1"] == "finish"

    def test_a_renewal_takes_no_hours_from_selling(self):
        """Hours that suffice for one sale: the renewal is not the last that fits."""
        text = ("opportunity_id", "account_id", "status", "kind")
        kinds = {**dict.fromkeys(text, TEXT), "amount": NUMBER, "probability": NUMBER}
        sales = [
            ("W", "A", "won", "new", 1.0, None),
            ("O1", "A", "open", "renewal", 9_000.0, 0.5),
            ("O2", "A", "open", "new", 1_000.0, 0.5),
            ("O3", "A", "open", None, 600.0, 0.5),
        ]
        effort = pa.table(
            {
                "account_id": ["A"],
                "worked_on": pa.array([NOW], DAY),
                "minutes": [120.0],
                "opportunity_id": ["W"],
            }
        )
        own = FocusSettings(variable_cost_share=0.4)
        result = focus(firm(opportunity=table(kinds, sales), effort=effort), own)
        found = result.summary["unfinished"]
        assert (found["value_per_hour"], found["weighed_sale_count"]) == (150.0, 2)

    def test_names_stand_in_sentences_and_are_made_harmless(self):
        name = ["Rig\x1b[31m\u202e"]
        work = pa.table({"project_id": ["J"], "name": name, "status": ["parked"]})
        said = focus(firm(project=work)).unfinished()
        assert "Rig" in said
        assert "(J)" in said
        assert not {"\x1b", "\u202e"}.intersection(said)


class TestWorkInProgress:
    def test_projects_are_open_from_their_first_day_to_their_last_one(self):
        """J1 is under way since June 2025; J2 was given up: open on its days only."""
        found = focus(firm()).load
        counts = {
            (row["before_on"], row["who"]): row["open_count"]
            for row in to_arrow(found).to_pylist()
            if row["kind"] == "projects"
        }
        assert counts[date(2026, 4, 1), "dev"] == 1
        assert counts[date(2026, 1, 1), "dev"] == 1
        assert (date(2025, 4, 1), "dev") not in counts

    def test_one_that_is_over_and_says_no_hours_is_in_nobodys_way(self):
        """Until when it was open is not known: it is left out, not taken for open."""
        begun = pa.array([date(2025, 1, 1)] * 2, DAY)
        own = {"project_id": ["K1", "K2"], "status": ["done", "running"]}
        work = pa.table(own | {"started_on": begun, "role": ["dev", "ops"]})
        found = to_arrow(focus(firm(project=work)).load).to_pylist()
        assert {row["who"] for row in found} == {"ops"}

    def test_sales_are_open_until_the_day_they_are_closed(self):
        entered = datetime(2026, 1, 5, tzinfo=UTC)
        kinds = {"opportunity_id": TEXT, "account_id": TEXT, "status": TEXT}
        kinds |= {"created_at": pa.timestamp("us", "UTC"), "closed_on": DAY}
        kinds |= {"owner_id": TEXT, "amount": NUMBER}
        sales = [
            ("1", "A", "open", entered, None, "U1", 1.0),
            ("2", "A", "won", entered, date(2026, 4, 1), "U1", 1.0),
            ("3", "A", "lost", entered, date(2026, 3, 31), "U1", 1.0),
            ("4", "A", "open", None, None, "U2", 1.0),
        ]
        result = focus(firm(opportunity=table(kinds, sales)))
        counts = {
            (row["before_on"], row["who"]): row["open_count"]
            for row in to_arrow(result.load).to_pylist()
            if row["kind"] == "opportunities"
        }
        # Sheet 5.5: a sale closed that day is still open before it.
        assert counts == {(date(2026, 4, 1), "U1"): 2, (date(2026, 7, 1), "U1"): 1}
        now = result.summary["work_in_progress"]["opportunities"]
        assert (now["who_count"], now["most"], now["mean"]) == (1, 1, 1.0)


def market(*, barred=(), **chosen):
    """30 food accounts buy X for 100 each; the first 18 also Y for 10 up to 180.

    Ten retail accounts buy X only. All are of one size but for Y.
    """
    food, retail = [f"F{at:02}" for at in range(30)], [f"R{at}" for at in range(10)]
    lines = [(each, 100.0, "X") for each in food + retail]
    lines += [(each, 10.0 * at, "Y") for at, each in enumerate(food[:18], 1)]
    old = [(each, 0.01, None) for each in food + retail]
    account = {
        "account_id": food + retail,
        "segment": ["food"] * 30 + ["retail"] * 10,
        "do_not_contact_on": pa.array(
            [NOW if each in barred else None for each in food + retail], DAY
        ),
    }
    kinds = {"line_id": TEXT, "account_id": TEXT, "booked_on": DAY, "amount": NUMBER}
    whole = [
        *(
            (f"L{at}", who, NOW, sum_, what)
            for at, (who, sum_, what) in enumerate(lines)
        ),
        *((f"M{at}", who, OLD, sum_, what) for at, (who, sum_, what) in enumerate(old)),
    ]
    book = Portfolio.from_frames(
        as_of=AS_OF,
        currency="EUR",
        account=pa.table(account),
        revenue_line=table(kinds | {"product_id": TEXT}, whole),
        product=pa.table({"product_id": ["X", "Y"], "line": ["X", "Y"]}),
    )
    one_tier = tiers(book, TiersSettings(method=Bands((1.0,))))
    return book, focus(book, FocusSettings(**chosen), tiers=one_tier)


class TestWhitespace:
    def test_the_value_of_a_candidate_by_hand(self):
        """Of 30 alike 18 bought Y, of 10 none: in all 18/40, so the prior is Beta(9, 11).

        Food: (9 + 18)/(20 + 30) = .54, at the median of 10 … 180, 95: 51.30. Retail:
        9/30 = .3 at the line's median, 95: 28.50.
        """
        _, result = market()
        found = to_arrow(result.whitespace).to_pylist()
        assert len(found) == 22
        first, last = found[0], found[-1]
        assert (first["account_id"], first["line"], first["rate"]) == ("F18", "Y", 0.54)
        assert (first["median_revenue"], first["value"]) == (95.0, 51.3)
        assert (first["median_of"], last["median_of"]) == ("lookalikes", "line")
        assert (last["account_id"], last["rate"], last["value"]) == ("R9", 0.3, 28.5)
        for row in found:
            assert row["rate_low"] < row["rate"] < row["rate_high"]
            assert row["value_low"] < row["value"] < row["value_high"]

    def test_the_grid_says_bought_not_bought_and_not_applicable(self):
        _, result = market(not_for={"Y": ("retail",)})
        found = {
            (row["segment"], row["line"]): row
            for row in to_arrow(result.matrix).to_pylist()
        }
        assert found["food", "Y"]["bought_share"] == 0.6
        assert found["food", "Y"]["open_count"] == 12
        cell = found["retail", "Y"]
        assert (cell["applicable_count"], cell["open_count"]) == (0, 0)
        assert (cell["bought_share"], cell["rate"]) == (None, None)
        assert result.summary["whitespace"]["not_applicable_count"] == 10
        assert len(to_arrow(result.whitespace)) == 12

    def test_who_is_not_to_be_contacted_stands_on_no_list(self):
        _, result = market(barred=("F18", "F19"))
        listed = to_arrow(result.whitespace)["account_id"].to_pylist()
        assert not {"F18", "F19"}.intersection(listed)
        assert result.summary["whitespace"]["barred_count"] == 2
        assert "focus_barred" in codes(result)

    def test_the_list_is_as_long_as_asked_and_the_grid_is_whole(self):
        _, result = market(list_count=5)
        assert len(to_arrow(result.whitespace)) == 5
        assert result.summary["whitespace"]["open_count"] == 22
        assert sum(to_arrow(result.matrix)["open_count"].to_pylist()) == 22
        assert result.params["settings"]["list_count"] == 5

    def test_who_bought_long_ago_is_no_whitespace(self):
        book, _ = market()
        more = to_arrow(book["revenue_line"]).to_pylist()
        bought = {"line_id": "Z", "account_id": "F18", "booked_on": OLD}
        more.append(more[0] | bought | {"amount": 7.0, "product_id": "Y"})
        found = focus(book.with_tables(revenue_line=pa.Table.from_pylist(more)))
        listed = to_arrow(found.whitespace)["account_id"].to_pylist()
        assert "F18" not in listed

    def test_whose_parent_opted_out_stands_on_no_list_either(self):
        book, _ = market()
        account = to_arrow(book["account"])
        parent = [
            "F00" if each == "F18" else None
            for each in account["account_id"].to_pylist()
        ]
        account = account.append_column("parent_id", pa.array(parent, TEXT))
        asked = [
            NOW if each == "F00" else None for each in account["account_id"].to_pylist()
        ]
        at = account.column_names.index("do_not_contact_on")
        account = account.set_column(at, "do_not_contact_on", pa.array(asked, DAY))
        result = focus(book.with_tables(account=account))
        listed = to_arrow(result.whitespace)["account_id"].to_pylist()
        assert "F18" not in listed
        assert "F19" in listed
        assert result.summary["whitespace"]["barred_count"] == 1

    def test_who_also_bought_for_an_unknown_amount_tells_no_median(self):
        """A bought for 100 and for nobody knows how much; B for 40."""
        kinds = {"opportunity_id": TEXT, "account_id": TEXT, "status": TEXT}
        kinds |= {"closed_on": DAY, "amount": NUMBER, "product_id": TEXT}
        sales = [
            ("1", "A", "won", NOW, 100.0, "P1"),
            ("2", "A", "won", NOW, None, "P1"),
            ("3", "B", "won", NOW, 40.0, "P1"),
        ]
        result = focus(firm(revenue_line=None, opportunity=table(kinds, sales)))
        assert {
            row["median_revenue"] for row in to_arrow(result.matrix).to_pylist()
        } == {40.0}
        row = rows(result.frame)["machines"]
        assert (row["bought_count"], row["buyer_count"]) == (2, 1)

    def test_a_lift_is_told_of_twenty_buyers_or_more(self):
        _, few = market()
        (pair,) = to_arrow(few.associations).to_pylist()
        assert (pair["both_count"], pair["line_count"], pair["other_count"]) == (
            18,
            40,
            18,
        )
        assert (pair["lift"], pair["is_told"]) == (None, False)
        assert "focus_too_few" in codes(few)
        _, enough = market(least_count=18)
        (pair,) = to_arrow(enough.associations).to_pylist()
        assert (pair["lift"], pair["lift_low"], pair["lift_high"]) == (1.0, 1.0, 1.0)

    def test_pairs_are_counted_where_both_are_applicable(self):
        _, result = market(not_for={"Y": ("retail",)})
        (pair,) = to_arrow(result.associations).to_pylist()
        assert (pair["account_count"], pair["line_count"]) == (30, 30)

    def test_only_the_largest_lines_are_held_against_each_other(self):
        _, result = market(most_lines=1)
        assert set(to_arrow(result.matrix)["line"].to_pylist()) == {"X"}
        (said,) = [w for w in result.warnings if w.code == "focus_lines_left_out"]
        assert said.values == {"n": 1, "most": 1}
        assert rows(result.frame)["Y"]["open_count"] is None


class TestTheResult:
    def test_it_is_the_same_to_the_byte_of_every_kind_of_frame(self):
        first = json.dumps(focus(firm()).to_dict())
        for backend in BACKENDS:
            assert json.dumps(focus(firm(backend=backend)).to_dict()) == first, backend

    def test_it_is_explained_in_every_language(self):
        result = focus(firm(), FocusSettings(value_per_hour=220.0, cash=1.0))
        for lang in LANGS:
            said = [result.explain(line, lang=lang) for line in rows(result.frame)]
            said += [result.attention(lang=lang), result.unfinished(lang=lang)]
            assert "None" not in "".join(said)
            assert "nan" not in "".join(said).split()

    def test_what_it_says_of_the_firm(self):
        said = focus(firm(), FocusSettings(value_per_hour=220.0)).attention()
        assert (
            "Core business brings 80.0 % of revenue; 7.0 % is unclassified.".replace(
                " %", "\N{NO-BREAK SPACE}%"
            )
            in said
        )
        assert "5 of 50" not in said
        assert "4 projects are begun and not finished: 1 to finish, 1 to park" in said

    def test_it_is_compared_by_what_lines_are_worth(self):
        effort = [(*row[:2], row[2] / 10, *row[3:]) for row in EFFORT[1:2]]
        note = {"account_id": TEXT, "worked_on": DAY, "minutes": NUMBER, "kind": TEXT}
        note |= {"role": TEXT, "product_id": TEXT, "project_id": TEXT}
        quick = firm(effort=table(note, [EFFORT[0], *effort]))
        moved = focus(quick).compared_with(focus(firm()))
        assert moved.moves == {("below_core", "above_core"): 1}

    @pytest.mark.parametrize("ending", ["csv", "xlsx", "html", "parquet"])
    def test_it_is_saved(self, tmp_path, ending):
        file = tmp_path / f"focus.{ending}"
        focus(firm()).save(file)
        assert file.stat().st_size > 500

    def test_it_needs_revenue_and_nothing_else(self):
        alone = Portfolio.from_frames(
            as_of=AS_OF, currency="EUR", account=pa.table({"account_id": ["A"]})
        )
        with pytest.raises(MissingTableError, match="'revenue_line' or 'opportunity'"):
            focus(alone)

    def test_tiers_of_another_portfolio_are_refused(self):
        book, _ = market()
        with pytest.raises(SettingsError, match="another portfolio"):
            focus(firm(), tiers=tiers(book))

    @pytest.mark.parametrize(
        "wrong",
        [
            {"innovation_target_share": 1.1},
            {"steps": 0},
            {"level": 1.0},
            {"value_per_hour": -1.0},
            {"list_count": 0},
            {"variable_cost_share": 55},
            {"measure": "net"},
            {"innovation_kinds": "innovation"},
        ],
    )
    def test_a_setting_that_means_nothing_is_refused(self, wrong):
        with pytest.raises(SettingsError, match=next(iter(wrong))):
            FocusSettings(**wrong)


class TestPictures:
    @pytest.fixture
    def ax(self):
        return pytest.importorskip("matplotlib.figure").Figure().subplots()

    def test_the_grid_says_who_how_many_and_what(self, ax):
        _, result = market(not_for={"Y": ("retail",)})
        result.plot(ax=ax)
        assert [each.get_text() for each in ax.get_xticklabels()] == ["X", "Y"]
        told = [each.get_text() for each in ax.get_yticklabels()]
        assert told == ["food A (n = 30)", "retail A (n = 10)"]
        # What is not made for a segment has an empty cell.
        assert [each.get_text() for each in ax.texts] == ["100", "60.0", "100"]
        assert "(%)" in ax.get_title(loc="left")

    def test_hours_are_stacked_by_what_they_were_for(self, ax):
        focus(firm()).plot_hours(ax=ax, lang="fr")
        names = [each.get_text() for each in ax.get_legend().get_texts()]
        assert names[:2] == ["cœur de métier", "nouveau"]
        assert ax.get_ylabel() == "Heures"
        assert [each.get_text() for each in ax.get_xticklabels()] == ["2026-03"]

    def test_without_lines_or_hours_a_sentence_stands_there(self, ax):
        bare = focus(firm(product=None, effort=None))
        bare.plot(ax=ax)
        assert [each.get_text() for each in ax.texts] == [
            "No line of products or no hours are known."
        ]
