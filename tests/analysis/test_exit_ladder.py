"""Is the mildest step proposed that fits, and is parting never but the last?"""

from __future__ import annotations

from datetime import date
from math import isnan, nan
from types import SimpleNamespace
from typing import Any

import attrs
import numpy as np
import pyarrow as pa
import pytest
from judged_books import FIXED, JUDGED, book, decided, others, rows_of

from crm_portfolio import Portfolio, analysis
from crm_portfolio.analysis import ExitReviewSettings, MeasureRules
from crm_portfolio.analysis._exit._ladder import _target

STEPS = ("reprice", "renegotiate", "reset_relationship", "plan_replacement")


def foreseen(held: dict[str, Any], **tables: Any) -> Portfolio:
    """A book of which it is known what follows: hours are noted, and lines say their cost."""
    effort = pa.table(
        {
            "account_id": [*held],
            "worked_on": [date(2026, 2, 2)] * len(held),
            "minutes": [1200.0] * len(held),
        }
    )
    capacity = pa.table(
        {
            "role": ["any"],
            "from_on": [date(2025, 7, 1)],
            "to_on": [date(2026, 6, 30)],
            "hours": [1_000.0],
            "cost_per_hour": [1.0],
        }
    )
    tables = {"effort": effort, "capacity": capacity} | tables
    return book(held, cost_share=0.4, **tables)


class TestTheTarget:
    """The share of revenue that a contribution is held against."""

    def of(self, brought: list[float], sold: list[float], own: Any = None) -> float:
        of = SimpleNamespace(
            avoidable_contribution=np.array(brought), net_revenue=np.array(sold)
        )
        scores: Any = SimpleNamespace(
            settings=SimpleNamespace(target_share=own), measures=SimpleNamespace(of=of)
        )
        return _target(scores)

    def test_it_is_what_all_bring_of_whom_both_are_known(self) -> None:
        assert self.of([30.0, nan, 9.0, 10.0], [100.0, 50.0, nan, 100.0]) == 0.2

    def test_the_firms_own_stands_before_it(self) -> None:
        assert self.of([30.0], [100.0], 0.4) == 0.4

    @pytest.mark.parametrize(
        ("brought", "sold"), [(0.0, 0.0), (-5.0, -1.0), (100.0, 100.0), (101.0, 100.0)]
    )
    def test_it_is_unknown_where_it_would_be_no_share(
        self, brought: float, sold: float
    ) -> None:
        assert isnan(self.of([brought], [sold]))


class TestTheLadder:
    def test_a_good_account_that_brings_something_is_kept(self) -> None:
        own = ExitReviewSettings(rules=FIXED)
        found = analysis.exit_review(
            book({"A": {"rest": 8.0, "potential": 5.0}, **others(19)}, cost_share=0.4),
            own,
        )
        assert rows_of(found)["A"]["action"] == "keep"
        assert "exit_keep" in {each.code for each in found.reasons("A")}

    def test_a_good_account_that_brings_nothing_is_not_kept_for_it(self) -> None:
        held = {"A": {"rest": 9.0, "potential": 5.0}, **others(19)}
        own = ExitReviewSettings(rules=FIXED)
        each = rows_of(analysis.exit_review(book(held, cost_share=1.0), own))["A"]
        assert (each["standing"], each["avoidable_contribution"]) == ("high", 0.0)
        assert each["action"] == "watch"

    def test_a_good_account_with_potential_grows(self) -> None:
        found = analysis.exit_review(
            book({"A": {"rest": 8.0, "potential": 9.0}, **others(19)}, cost_share=0.4)
        )
        assert rows_of(found)["A"]["action"] == "grow"

    def test_a_small_easy_account_that_brings_little_is_served_more_lightly(
        self,
    ) -> None:
        rated = {"rest": 6.0, "profitability": 1.0, "relationship": 8.0}
        held = {"A": rated | {"complexity": 8.0, "payment": 4.0}, **others(9)}
        table = book(held, revenue={"A": 50.0})
        small = ExitReviewSettings(small_tiers=("B",))
        each = rows_of(analysis.exit_review(table, small))["A"]
        assert (each["tier"], each["action"]) == ("B", "automate")
        assert rows_of(analysis.exit_review(table))["A"]["action"] == "renegotiate"

    @pytest.mark.parametrize("heavy", ["relationship", "complexity"])
    def test_who_is_hard_to_serve_is_not_served_more_lightly(self, heavy: str) -> None:
        easy = {"profitability": 1.0, "relationship": 8.0, "complexity": 8.0}
        held = {"A": {"rest": 6.0} | easy | {heavy: 4.0}, **others(9)}
        table = book(held, revenue={"A": 50.0})
        small = ExitReviewSettings(small_tiers=("B",))
        assert rows_of(analysis.exit_review(table, small))["A"]["action"] != "automate"

    def test_who_stands_at_an_edge_is_on_its_better_side(self) -> None:
        """Half is good, just as many weightings are enough, and the target is no rise."""
        rated = {"rest": 6.0, "profitability": 1.0, "relationship": 5.0}
        held = {"A": rated | {"complexity": 5.0, "payment": 4.0}, **others(9)}
        small = ExitReviewSettings(small_tiers=("B",))
        table = book(held, revenue={"A": 50.0})
        assert rows_of(analysis.exit_review(table, small))["A"]["action"] == "automate"
        alike = book(others(5), cost_share=0.4)
        share = rows_of(analysis.exit_review(alike))["Z00"]["acceptability"]
        assert 0.5 < share < 0.95
        own = ExitReviewSettings(firm_share=share, dependence_share=0.2)
        for each in rows_of(analysis.exit_review(alike, own)).values():
            assert (each["acceptability"], each["is_firm"]) == (share, True)
            assert (each["price_rise"], each["revenue_to_win"]) == (None, None)

    def test_who_is_served_more_lightly_already_is_not_told_to_be_again(self) -> None:
        rated = {"rest": 6.0, "profitability": 1.0, "relationship": 8.0}
        held = {"A": rated | {"complexity": 8.0, "payment": 4.0}, **others(9)}
        table = book(held, revenue={"A": 50.0}, decision=decided("automate"))
        small = ExitReviewSettings(small_tiers=("B",))
        each = rows_of(analysis.exit_review(table, small))["A"]
        assert (each["tried_actions"], each["action"]) == ("automate", "renegotiate")
        assert each["other_actions"] == ""

    def test_a_step_is_held_by_those_weightings_alone_that_say_the_same(self) -> None:
        """High under 65 of 100 it is kept; in the middle under the others, it is not."""
        held = {"A": {"rest": 6.5, "payment": 1.0}, **others(19)}
        found = analysis.exit_review(book(held, cost_share=0.4))
        each = rows_of(found)["A"]
        assert (each["action"], each["standing"]) == ("keep", "high")
        assert each["low_share"] == 0.0
        assert 0.2 < each["middle_share"] < 0.5
        assert each["acceptability"] == each["high_share"] < 0.8
        assert not each["is_firm"]
        # What payment calls for stays the same, low or in the middle: both shares hold it.
        lower = {"A": {"rest": 4.2, "payment": 0.5}, **others(19)}
        each = rows_of(analysis.exit_review(book(lower)))["A"]
        assert each["action"] == "renegotiate"
        assert 0.0 < each["low_share"] < 1.0
        assert each["acceptability"] == pytest.approx(
            each["low_share"] + each["middle_share"]
        )

    def test_prices_that_reach_the_target_and_the_volume_they_may_cost(self) -> None:
        """By hand: 30 of 100 to 40 %: p = 10/60; of the volume p/(.3 + p) may go."""
        held = {"A": {"rest": 5.0, "discounts": 2.0}, **others(9)}
        own = ExitReviewSettings(target_share=0.4, rules=FIXED)
        found = analysis.exit_review(book(held, cost_share=0.7), own)
        each = rows_of(found)["A"]
        assert each["action"] == "reprice"
        assert each["price_rise"] == pytest.approx(1 / 6)
        assert each["volume_at_stake"] == pytest.approx((1 / 6) / (0.3 + 1 / 6))

    def test_prices_that_were_looked_at_once_are_not_proposed_again(self) -> None:
        held = {"A": {"rest": 5.0, "discounts": 2.0}, **others(9)}
        own = ExitReviewSettings(target_share=0.4, rules=FIXED)
        table = book(held, cost_share=0.7, decision=decided("reprice"))
        each = rows_of(analysis.exit_review(table, own))["A"]
        assert (each["weakest_criterion"], each["action"]) == ("F4", "watch")

    def test_a_rise_nobody_would_pay_is_not_proposed(self) -> None:
        held = {"A": {"rest": 5.0, "discounts": 2.0}, **others(9)}
        own = ExitReviewSettings(target_share=0.4, most_rise=0.1, rules=FIXED)
        found = analysis.exit_review(book(held, cost_share=0.7), own)
        assert rows_of(found)["A"]["action"] != "reprice"

    @pytest.mark.parametrize(
        ("worst", "action"),
        [
            ("payment", "renegotiate"),
            ("complexity", "renegotiate"),
            ("relationship", "reset_relationship"),
            ("vision", "reset_relationship"),
        ],
    )
    def test_the_cause_names_the_step(self, worst: str, action: str) -> None:
        held = {"A": {"rest": 5.0, worst: 1.0}, **others(19)}
        found = analysis.exit_review(book(held))
        each = rows_of(found)["A"]
        assert each["action"] == action
        assert (
            each["weakest_criterion"]
            == {
                "payment": "F3",
                "complexity": "F7",
                "relationship": "F8",
                "vision": "F10",
            }[worst]
        )

    def test_dependence_is_diluted_not_ended(self) -> None:
        """Sheet 8.6 [H]: of 400 among 1000, others must bring 1000 more for 20 %."""
        held = {"A": {"rest": 4.5}, "B": {"rest": 7.0}, "C": {"rest": 7.0}}
        found = analysis.exit_review(
            book(held, revenue={"A": 400.0, "B": 300.0, "C": 300.0})
        )
        each = rows_of(found)["A"]
        assert each["action"] == "reduce_dependence"
        assert each["revenue_to_win"] == pytest.approx(1000.0)

    def test_nobody_is_parted_with_before_anything_was_tried(self) -> None:
        found = analysis.exit_review(foreseen({"A": {"rest": 0.5}, **others(19)}))
        each = rows_of(found)["A"]
        assert each["standing"] == "low"
        assert each["action"] != "phase_out"
        assert found.summary["actions"]["phase_out"] == 0

    def test_parting_comes_last_and_only_with_what_follows(self) -> None:
        steps = ("reprice", "renegotiate", "reset_relationship", "plan_replacement")
        held = {"A": {"rest": 1.0}, **others(19)}
        table = foreseen(held, decision=decided(*steps))
        found = analysis.exit_review(table, ExitReviewSettings(fixed_costs=5_000.0))
        each = rows_of(found)["A"]
        assert (each["action"], each["is_firm"]) == ("phase_out", True)
        codes = [reason.code for reason in found.reasons("A")]
        for code in (
            *("exit_phase_out", "exit_after_lost", "exit_after_safety"),
            *("exit_after_concentration", "exit_counsel_notice", "exit_counsel_data"),
            "exit_hand_over",
        ):
            assert code in codes

    @pytest.mark.parametrize(
        "steps",
        [
            ("reprice", "renegotiate", "reset_relationship"),
            ("plan_replacement",),
        ],
    )
    def test_parting_needs_both_a_step_tried_and_a_replacement_planned(
        self, steps: tuple[str, ...]
    ) -> None:
        held = {"A": {"rest": 1.0}, **others(19)}
        table = foreseen(held, decision=decided(*steps))
        each = rows_of(analysis.exit_review(table))["A"]
        assert each["action"] != "phase_out"
        assert "phase_out" not in each["other_actions"]

    def test_what_depends_on_the_weights_is_never_parting(self) -> None:
        steps = ("reprice", "renegotiate", "reset_relationship", "plan_replacement")
        split = {"A": {"rest": 0.0, **dict.fromkeys(JUDGED[:6], 9.0)}, **others(19)}
        table = book(split, decision=decided(*steps))
        own = ExitReviewSettings(low_below=0.5)
        each = rows_of(analysis.exit_review(table, own))["A"]
        assert 0.3 < each["low_share"] < 0.8
        assert each["standing"] == "low"
        assert each["action"] == "watch"
        assert each["decisive_criterion"] is not None
        assert "exit_standing_depends" in {
            reason.code for reason in analysis.exit_review(table, own).reasons("A")
        }

    def test_what_protects_an_account_blocks_the_harsher_steps(self) -> None:
        steps = ("reprice", "renegotiate", "reset_relationship", "plan_replacement")
        contract = pa.table(
            {
                "contract_id": ["K"],
                "account_id": ["A"],
                "starts_on": [date(2025, 1, 1)],
                "ends_on": [date(2027, 1, 1)],
            }
        )
        held = {"A": {"rest": 1.0}, **others(19)}
        table = foreseen(held, decision=decided(*steps), contract=contract)
        found = analysis.exit_review(table)
        each = rows_of(found)["A"]
        assert (each["action"], each["blocked_action"]) == ("refer", "phase_out")
        assert "exit_protected_contract_in_force" in {
            reason.code for reason in found.reasons("A")
        }

    def test_unknown_potential_is_not_low_potential(self) -> None:
        rated = dict.fromkeys((*JUDGED[:-1],), 1.0)
        found = analysis.exit_review(book({"A": rated, **others(19)}))
        each = rows_of(found)["A"]
        assert "potential_unknown" in each["protections"]
        assert each["action"] == "refer" or each["blocked_action"] is None

    def test_new_terms_are_proposed_to_a_protected_account_too(self) -> None:
        held = {"A": {"rest": 5.0, "payment": 1.0}, **others(19)}
        own = ExitReviewSettings(rules=MeasureRules(strategic=("A",)))
        each = rows_of(analysis.exit_review(book(held), own))["A"]
        assert (each["action"], each["protections"]) == ("renegotiate", "strategic")

    def test_a_veto_sends_the_best_account_to_a_person(self) -> None:
        held = {"A": {"rest": 10.0, "ethics_breach": 0.0}, **others(19)}
        found = analysis.exit_review(book(held, cost_share=0.4))
        each = rows_of(found)["A"]
        assert (each["action"], each["vetoes"]) == ("refer", "ethics_breach")
        assert each["score"] > 0.8  # nothing makes up for it
        assert found.reasons("A")[0].code == "exit_veto_ethics_breach"
        assert next(iter(rows_of(found))) == "A"

    def test_a_step_that_was_tried_is_not_proposed_again(self) -> None:
        held = {"A": {"rest": 5.0, "payment": 1.0}, **others(19)}
        table = book(held, decision=decided("renegotiate"))
        found = analysis.exit_review(table)
        each = rows_of(found)["A"]
        assert (each["tried_actions"], each["action"]) == ("renegotiate", "watch")


class TestParting:
    HELD = {"A": {"rest": 1.0}, **others(19)}  # noqa: RUF012 - read only

    def proposed(self, table: Portfolio) -> tuple[str, str | None, str]:
        each = rows_of(analysis.exit_review(table))["A"]
        return each["action"], each["blocked_action"], each["other_actions"]

    def test_it_is_not_proposed_while_what_is_lost_or_freed_is_unknown(self) -> None:
        known = foreseen(self.HELD, decision=decided(*STEPS))
        assert self.proposed(known) == ("phase_out", None, "")
        without = {
            "hours": book(self.HELD, cost_share=0.4, decision=decided(*STEPS)),
            "loss": book(self.HELD, decision=decided(*STEPS), effort=known["effort"]),
        }
        for table in without.values():
            assert self.proposed(table) == ("refer", "phase_out", "")
            found = analysis.exit_review(table)
            codes = {each.code for each in found.reasons("A")}
            assert "exit_blocked_unforeseen" in codes
            assert "exit_blocked" not in codes

    def test_of_an_only_account_nothing_would_be_left_to_foresee(self) -> None:
        table = foreseen({"A": {"rest": 1.0}}, decision=decided(*STEPS))
        own = ExitReviewSettings(dependence_share=0.99)
        each = rows_of(analysis.exit_review(table, own))["A"]
        assert each["action"] != "phase_out"

    def test_a_milder_step_that_fits_stands_alone(self) -> None:
        held = {"A": {"rest": 2.0, "payment": 0.0}, **others(19)}
        table = foreseen(held, decision=decided("reprice", "plan_replacement"))
        assert self.proposed(table) == ("renegotiate", None, "reset_relationship")

    def test_what_is_forbidden_is_not_said_to_fit_too(self) -> None:
        held = {"A": {"rest": 2.0, "payment": 0.0}, **others(19)}
        table = foreseen(held, decision=decided("reprice", "plan_replacement"))
        own = ExitReviewSettings(rules=MeasureRules(strategic=("A",)))
        each = rows_of(analysis.exit_review(table, own))["A"]
        assert (each["action"], each["other_actions"]) == ("renegotiate", "")

    @pytest.mark.parametrize(
        ("again", "action"),
        [(date(2026, 7, 1), "watch"), (date(2026, 6, 30), "phase_out")],
    )
    def test_a_step_is_under_way_until_its_day_to_look_again(
        self, again: date, action: str
    ) -> None:
        taken = decided(*STEPS)
        days = pa.array([None, None, again, None], pa.date32())
        table = foreseen(self.HELD, decision=taken.append_column("review_on", days))
        assert self.proposed(table)[0] == action

    def test_a_plan_for_after_may_be_looked_at_again_later(self) -> None:
        taken = decided(*STEPS)
        days = pa.array([None, None, None, date(2027, 1, 1)], pa.date32())
        table = foreseen(self.HELD, decision=taken.append_column("review_on", days))
        assert self.proposed(table)[0] == "phase_out"

    @pytest.mark.parametrize("lang", ["en", "fr"])
    def test_a_loss_that_ends_with_the_account_is_called_one(self, lang: Any) -> None:
        table = book(self.HELD, cost_share=1.5)
        found = analysis.exit_review(table)
        codes = {each.code for each in found.reasons("A")}
        assert "exit_after_spared" in codes
        assert "exit_after_lost" not in codes
        assert "500" in found.explain("A", lang=lang)


class TestWhatIsSaidOfAStep:
    def said(self, found: analysis.ExitReviewResult) -> tuple[str, str]:
        first = (found.explain("A", lang=lang).splitlines()[0] for lang in ("en", "fr"))
        english, french = first
        assert "unknown" not in english
        assert "inconnu" not in french
        return english, french

    def test_growing_by_a_rated_potential_says_of_how_many_points(self) -> None:
        held = {"A": {"rest": 8.0, "potential": 9.0}, **others(19)}
        english, french = self.said(analysis.exit_review(book(held, cost_share=0.4)))
        assert "potential rated 9 of 10" in english
        assert "potentiel évalué 9 sur 10" in french

    def test_growing_because_it_is_rising_names_no_potential(self) -> None:
        held = {"A": {"rest": 9.0, "potential": 2.0}, **others(19)}
        table = book(held, cost_share=0.4)
        rising = analysis.succession(table)
        at = rising.arrow.column_names.index("rising")
        flags = pa.array(["yes"] * rising.arrow.num_rows)
        rising = attrs.evolve(
            rising, table=rising.arrow.set_column(at, "rising", flags)
        )
        english, _ = self.said(analysis.exit_review(table, succession=rising))
        assert english.endswith("the account is rising.")

    def test_a_lighter_touch_without_hours_names_none(self) -> None:
        rated = {"rest": 6.0, "profitability": 1.0, "relationship": 8.0}
        held = {"A": rated | {"complexity": 8.0, "payment": 4.0}, **others(9)}
        own = ExitReviewSettings(small_tiers=("B",))
        found = analysis.exit_review(book(held, revenue={"A": 50.0}), own)
        english, _ = self.said(found)
        assert english.startswith("Proposed: automate")

    def test_who_brings_no_more_than_is_aimed_at_is_no_dependence(self) -> None:
        """A seventh of the revenue, where a fifth is the most: payment is the cause."""
        held = {"A": {"rest": 5.0, "payment": 4.0}, **others(6, 9.0)}
        each = rows_of(analysis.exit_review(book(held)))["A"]
        assert each["group_share"] == pytest.approx(1 / 7)
        assert (each["weakest_criterion"], each["action"]) == ("F3", "renegotiate")
        own = ExitReviewSettings(dependence_share=0.1)
        each = rows_of(analysis.exit_review(book(held), own))["A"]
        assert (each["weakest_criterion"], each["action"]) == (
            *("F11", "reduce_dependence"),
        )
