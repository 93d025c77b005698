"""Where should a human weigh changing or ending the relationship?"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judged_books import AS_OF, FIXED, JUDGED, book, others, rows_of

from crm_portfolio import Portfolio, analysis
from crm_portfolio.analysis import Anchors, ExitReviewSettings, MeasureRules
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Period


class TestTheCriteria:
    def test_each_has_its_value_source_and_day_or_is_to_be_asked_for(self) -> None:
        found = analysis.exit_review(
            book({"A": {"ethics": 8.0}, **others(9)}, cost_share=0.4)
        )
        rows = found.arrow, found.criteria.to_pylist()
        mine = {
            each["criterion"]: each for each in rows[1] if each["account_id"] == "A"
        }
        assert len(mine) == 13
        ethics, profit, visions = mine["F6"], mine["F1"], mine["F10"]
        assert (ethics["value"], ethics["source"], ethics["unit"]) == (
            *(8.0, "rating", "rating"),
        )
        assert ethics["said_on"] == date(2026, 5, 4)
        assert (profit["source"], profit["said_on"]) == ("revenue_line", AS_OF)
        assert (visions["value"], visions["source"]) == (None, "unknown")
        assert visions["ask"] == "owner"

    def test_measures_are_worth_what_their_anchors_say(self) -> None:
        own = ExitReviewSettings(
            anchors={"F11": Anchors(0.2, 0.0)}, rating_anchors=Anchors(2.0, 8.0, 4.0)
        )
        found = analysis.exit_review(book({"A": {"ethics": 4.0}, **others(9)}), own)
        worth = {
            each["criterion"]: each["worth"]
            for each in found.criteria.to_pylist()
            if each["account_id"] == "A"
        }
        assert worth["F6"] == 0.5
        assert worth["F11"] == pytest.approx(0.5)  # a tenth of the revenue

    def test_what_f1_holds_is_not_weighed_again(self) -> None:
        alone = ExitReviewSettings(
            rules=MeasureRules(overlap_policy="avoidable_contribution")
        )
        each = analysis.exit_review(book(others(2)), alone).summary["criteria"]
        assert [each[code]["weight"] for code in ("F2", "F3", "F4")] == [0, 0, 0]
        assert each["F1"]["weight"] == pytest.approx(0.1)
        beside = analysis.exit_review(book(others(2))).summary["criteria"]
        weights = [row["weight"] for row in beside.values()]
        assert weights == pytest.approx([1 / 13] * 13)


class TestTheScore:
    def test_contributions_add_up_to_what_parts_it_from_the_mean(self) -> None:
        found = analysis.exit_review(
            book({"A": {"rest": 2.0, "ethics": 9.0}, **others(4)}, cost_share=0.5)
        )
        each = rows_of(found)["A"]
        mine = [
            row["contribution"]
            for row in found.criteria.to_pylist()
            if row["account_id"] == "A" and row["contribution"] is not None
        ]
        assert sum(mine) == pytest.approx(
            each["score"] - each["reference_score"], abs=1e-11
        )

    def test_what_is_missing_widens_it_and_is_never_guessed(self) -> None:
        """Sheet 8.5 [H]: .9, ?, .5 with .5 .3 .2: .55 to .85, renormalised .785714."""
        own = ExitReviewSettings(weights={"F6": 5.0, "F8": 3.0, "F10": 2.0})
        found = analysis.exit_review(book({"A": {"ethics": 9.0, "vision": 5.0}}), own)
        each = rows_of(found)["A"]
        assert (each["score_low"], each["score_high"]) == pytest.approx((0.55, 0.85))
        assert each["score"] == pytest.approx(0.785714, abs=5e-7)
        assert each["score_coverage"] == pytest.approx(0.7)
        assert each["unknown_criteria"] == "F8"

    def test_a_score_at_an_edge_is_on_its_better_side(self) -> None:
        own = ExitReviewSettings(weights={"F6": 1.0})
        held = {"A": {"ethics": 6.0}, "B": {"ethics": 4.0}, "C": {"ethics": 3.9}}
        rows = rows_of(analysis.exit_review(book(held), own))
        standings = [rows[each]["standing"] for each in "ABC"]
        assert standings == ["high", "middle", "low"]
        assert rows["A"]["high_share"] == rows["B"]["middle_share"] == 1.0

    def test_under_the_coverage_it_is_insufficient_and_nothing_is_proposed(
        self,
    ) -> None:
        found = analysis.exit_review(book({"A": {"ethics": 1.0}, **others(3)}))
        each = rows_of(found)["A"]
        assert (each["action"], each["standing"]) == ("ask", None)
        assert each["acceptability"] is None
        assert "insufficient" in {warning.code for warning in found.warnings}
        asked = [
            row for row in found.questions().to_pylist() if row["account_id"] == "A"
        ]
        assert len(asked) == 11

    @settings(max_examples=8)
    @given(
        st.lists(
            st.fixed_dictionaries(
                {"rest": st.integers(0, 10), "ethics": st.integers(0, 10)}
            ),
            min_size=1,
            max_size=4,
        ),
        st.fixed_dictionaries({"rest": st.integers(0, 10)}),
    )
    def test_one_account_more_changes_nobodys_score(
        self, held: list[dict[str, int]], more: dict[str, int]
    ) -> None:
        """Sheet 11.10; its share of the revenue is the account's own matter, at nothing."""
        own = ExitReviewSettings(
            rules=FIXED, weights=dict.fromkeys(("F1", "F5", "F6", "F8", "F13"), 1.0)
        )
        some = {f"A{at}": each for at, each in enumerate(held)}
        before = rows_of(analysis.exit_review(book(some, cost_share=0.4), own))
        after = rows_of(
            analysis.exit_review(book({**some, "NEW": more}, cost_share=0.4), own)
        )
        names = ("score", "score_low", "score_high", "low_share", "high_share")
        for each in some:
            assert [before[each][name] for name in names] == [
                after[each][name] for name in names
            ]


class TestAllWeightings:
    def test_what_is_bad_in_everything_is_so_under_all_of_them(self) -> None:
        found = analysis.exit_review(book({"A": {"rest": 1.0}, **others(99)}))
        each = rows_of(found)["A"]
        # Of the thirteen only the share of the revenue is good.
        assert each["low_share"] > 0.99
        assert each["low_share"] + each["middle_share"] + each["high_share"] == (
            pytest.approx(1.0)
        )

    def test_within_its_interval_a_weight_leaves_the_standing_as_it_is(self) -> None:
        held = {"A": {"rest": 3.0, "ethics": 9.0, "vision": 8.0}, **others(19)}
        points = dict.fromkeys(("F5", "F6", "F8", "F10"), 1.0)
        own = ExitReviewSettings(weights=points, least_coverage=0.0)
        found = analysis.exit_review(book(held), own)
        each = next(
            row
            for row in found.criteria.to_pylist()
            if (row["account_id"], row["criterion"]) == ("A", "F6")
        )
        assert each["weight_low"] < 0.25 < each["weight_high"]
        before = rows_of(found)["A"]["standing"]
        for weight, is_same in (
            (each["weight_high"] - 0.01, True),
            (each["weight_high"] + 0.01, False),
        ):
            moved = points | {"F6": 3 * weight / (1 - weight)}
            again = analysis.exit_review(
                book(held), ExitReviewSettings(weights=moved, least_coverage=0.0)
            )
            assert (rows_of(again)["A"]["standing"] == before) is is_same

    def test_the_same_seed_draws_the_same_and_says_so(self) -> None:
        held = book({"A": {"rest": 2.0, **dict.fromkeys(JUDGED[:6], 7.0)}, **others(9)})
        one, two = (analysis.exit_review(held) for _ in range(2))
        other = analysis.exit_review(held, ExitReviewSettings(seed=7))
        assert one.to_dict() == two.to_dict()
        assert one.params["settings"]["seed"] == 2026
        shares = [rows_of(each)["A"]["low_share"] for each in (one, other)]
        assert shares[0] != shares[1]
        assert shares[0] == pytest.approx(shares[1], abs=0.05)


class TestWhatFollows:
    EFFORT = pa.table(
        {
            "account_id": ["A", "B"],
            "worked_on": [date(2026, 2, 2)] * 2,
            "minutes": [600.0, 600.0],
        }
    )

    def of_two(self, **own: Any) -> analysis.ExitReviewResult:
        held = {"A": {"rest": 1.0}, "B": {"rest": 8.0}}
        table = book(
            held,
            revenue={"A": 400.0, "B": 600.0},
            cost_share=0.6,
            effort=self.EFFORT,
            capacity=pa.table(
                {
                    "role": ["any"],
                    "from_on": [date(2025, 7, 1)],
                    "to_on": [date(2026, 6, 30)],
                    "hours": [100.0],
                    "cost_per_hour": [1.0],
                }
            ),
        )
        return analysis.exit_review(table, ExitReviewSettings(**own))

    def test_the_loss_the_hours_and_where_parting_breaks_even(self) -> None:
        """By hand: 160 of contribution go, 10 hours come free: 16 an hour."""
        each = rows_of(self.of_two(rules=MeasureRules(hour_value=20.0)))["A"]
        assert each["avoidable_contribution"] == pytest.approx(160.0)
        assert (each["hours"], each["least_hour_value"]) == (10.0, 16.0)
        assert (each["freed_value"], each["balance_after"]) == (200.0, 40.0)

    def test_without_the_worth_of_an_hour_nobody_knows_whether_it_pays(self) -> None:
        found = self.of_two()
        each = rows_of(found)["A"]
        assert (each["freed_value"], each["balance_after"]) == (None, None)
        assert "exit_no_hour_value" in {warning.code for warning in found.warnings}

    def test_the_margin_of_safety_without_the_account(self) -> None:
        """Sheet 4.2: MoS = 1 − F/C: 400 less 200 is .5, without 160 it is 1 − 200/240."""
        found = self.of_two(fixed_costs=200.0)
        assert found.summary["now"]["margin_of_safety"] == pytest.approx(0.5)
        each = rows_of(found)["A"]
        assert each["safety_after"] == pytest.approx(1 - 200 / 240)
        assert (each["hhi_after"], each["largest_share_after"]) == (1.0, 1.0)

    def test_of_a_half_year_half_of_the_fixed_costs_count(self) -> None:
        found = self.of_two(fixed_costs=200.0, period=Period.last_months(6))
        assert found.summary["now"]["margin_of_safety"] == pytest.approx(0.75)

    def test_what_a_group_brings_is_unknown_where_that_of_one_is(self) -> None:
        held = Portfolio.from_frames(
            as_of=AS_OF,
            currency="EUR",
            account=pa.table(
                {
                    "account_id": ["A", "B", "C"],
                    "parent_id": pa.array([None, "A", None], pa.string()),
                }
            ),
            opportunity=pa.table(
                {
                    "opportunity_id": ["1", "2", "3"],
                    "account_id": ["A", "B", "C"],
                    "closed_on": [date(2026, 1, 1)] * 3,
                    "status": ["won"] * 3,
                    "amount": [5.0, None, 9.0],
                }
            ),
        )
        rows = rows_of(analysis.exit_review(held))
        assert [rows[each]["group_other_revenue"] for each in "ABC"] == [None, None, 0]
        assert (rows["B"]["hhi_after"], rows["B"]["largest_share_after"]) == (
            *(None, None),
        )

    def test_what_a_group_brings_keeps_its_sign(self) -> None:
        held = {"A": {"rest": 1.0}, "B": {"rest": 1.0}, "C": {"rest": 8.0}}
        parents = pa.array([None, "A", None], pa.string())
        account = pa.table({"account_id": ["A", "B", "C"], "parent_id": parents})
        table = book(held, revenue={"B": -50.0}, account=account)
        found = analysis.exit_review(table)
        assert rows_of(found)["A"]["group_other_revenue"] == -50.0
        assert "exit_after_group" in {each.code for each in found.reasons("A")}

    def test_no_notice_is_ever_computed(self) -> None:
        found = self.of_two()
        assert not [
            name
            for name in found.arrow.column_names
            if "notice" in name and name != "notice_days"
        ]
        assert set(found.arrow["notice_days"].to_pylist()) == {None}

    def test_nothing_is_for_the_crm(self) -> None:
        assert self.of_two().assignments() is None


class TestWords:
    def test_equal_weights_are_marked_to_be_replaced(self) -> None:
        codes = {each.code for each in analysis.exit_review(book(others(1))).warnings}
        assert {"exit_weights_to_be_replaced", "exit_people_decide"} <= codes
        own = ExitReviewSettings(weights={"F1": 3.0, "F8": 1.0})
        codes = {
            each.code for each in analysis.exit_review(book(others(1)), own).warnings
        }
        assert "exit_weights_to_be_replaced" not in codes

    def test_a_dossier_in_both_languages(self) -> None:
        found = analysis.exit_review(book({"A": {"rest": 1.0}, **others(9)}))
        english, french = (found.explain("A", lang=lang) for lang in ("en", "fr"))
        assert "values and ethics" in english
        assert "valeurs et éthique" in french
        for word in ("fire", "unwanted", "undesirable", "indésirable"):
            assert word not in english.lower().split()
            assert word not in french.lower()

    def test_who_would_be_elsewhere_under_other_weights(self) -> None:
        held = book({"A": {"rest": 5.0, "ethics": 0.0}, **others(9)})
        usual = analysis.exit_review(held)
        strict = analysis.exit_review(held, ExitReviewSettings(weights={"F6": 1.0}))
        moved = strict.compared_with(usual)
        assert "A" in moved.frame["account_id"].to_pylist()


class TestSettings:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"weights": {"F14": 1.0}},
            {"weights": {"F1": -1.0}},
            {"weights": {"F1": 0.0}},
            {"anchors": {"profit": Anchors(0.0, 1.0)}},
            {"low_below": 0.7},
            {"weightings": 0},
            {"dependence_share": 0.0},
            {
                "weights": {"F3": 1.0},
                "rules": MeasureRules(overlap_policy="avoidable_contribution"),
            },
        ],
    )
    def test_what_makes_no_sense_is_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(SettingsError):
            ExitReviewSettings(**wrong)

    @pytest.mark.parametrize("points", [(1.0, 1.0, None), (0.0, 1.0, 2.0)])
    def test_anchors_differ_and_the_middle_is_between(self, points: Any) -> None:
        with pytest.raises(SettingsError):
            Anchors(*points)


def test_nobody_is_no_exception() -> None:
    empty = pa.table({"account_id": pa.array([], pa.string())})
    line = pa.table(
        {
            "line_id": pa.array([], pa.string()),
            "account_id": pa.array([], pa.string()),
            "booked_on": pa.array([], pa.date32()),
            "amount": pa.array([], pa.float64()),
        }
    )
    table = Portfolio.from_frames(
        as_of=AS_OF, currency="EUR", account=empty, revenue_line=line
    )
    found = analysis.exit_review(table)
    assert found.arrow.num_rows == 0
    assert found.criteria.num_rows == 0
    assert np.all([not n for n in found.summary["actions"].values()])
