"""What was won of that which was to be left, and what had been spent on the rest?"""

from __future__ import annotations

from datetime import date
from typing import Any

import attrs
import pyarrow as pa
import pytest

from crm_portfolio import Portfolio, Settings, backtest
from crm_portfolio._backtest import BacktestResult

DAY = date(2025, 6, 30)
ANSWER = """\
The stop rules would have dropped 9 losses; 2 of them were won after all, for 10,100 EUR.
The price: 28 hours and 14 attempts on the 7 that were not won.
Each hour on all that was dropped brought 168.33 EUR of contribution.
To drop them would have cost 3,180 EUR: what was won left more than the hours cost and \
would have brought elsewhere.
3 were to be left in peace; 1 of them was won all the same. Nothing is weighed against a \
refusal.
"""


@pytest.fixture(scope="module")
def result(losses: Portfolio, settings: Settings) -> BacktestResult:
    return backtest(losses, settings, [DAY], horizon_months=6)


def test_recommendations_are_held_against_what_was_won(result: BacktestResult) -> None:
    found = {r["recommendation"]: r for r in result._recommendations.to_pylist()}
    wins = {name: (r["count"], r["won_count"]) for name, r in found.items()}
    assert wins == {"try": (6, 3), "stop": (9, 2), "leave_in_peace": (3, 1)}
    assert found["try"]["won_amount"] == 150_000.0
    [row] = [r for r in result.arrow.to_pylist() if r["list"] == "win_back"]
    # Whom nobody was to ask again is no measure of those who were to be asked.
    assert (row["named_count"], row["others_count"]) == (6, 9)
    assert (row["hit_rate"], row["base_rate"]) == (0.5, pytest.approx(2 / 9))


def test_each_stop_rule_tells_what_it_dropped_and_at_what_price(
    result: BacktestResult,
) -> None:
    """By hand: 14 words on seven losses at 2 hours each, 80 EUR an hour."""
    rules = {r["rule"]: r for r in result._stop_rules.to_pylist()}
    assert set(rules) == {"attempts_spent", "not_worth_it"}
    spent, small = rules["attempts_spent"], rules["not_worth_it"]
    assert [spent[n] for n in ("count", "won_count", "won_amount")] == [4, 1, 10_000.0]
    assert [small[n] for n in ("count", "won_count", "won_amount")] == [5, 1, 100.0]
    assert (spent["unwon_attempt_count"], small["unwon_attempt_count"]) == (6, 8)
    assert (spent["unwon_hours"], spent["hours"], spent["cost"]) == (
        12.0,
        16.0,
        1_280.0,
    )
    # 10,000 at a margin of 60 % for 16 hours; less what they cost and would have brought.
    assert spent["won_contribution"] == 6_000.0
    assert spent["contribution_per_hour"] == 375.0
    assert (spent["forgone"], small["forgone"]) == (4_720.0, -1_540.0)


def test_all_rules_together_are_told_in_words(result: BacktestResult) -> None:
    every: Any = result.summary["stop_rules"]["all"]  # type: ignore[index,call-overload]
    assert (every["count"], every["won_count"], every["unwon_hours"]) == (9, 2, 28.0)
    said = result.answer().replace("\N{NO-BREAK SPACE}", " ")
    assert f"{said}\n" == ANSWER
    assert "laisser en paix" in result.answer(lang="fr")


def test_hours_that_were_noted_count_as_they_were(
    losses: Portfolio, settings: Settings
) -> None:
    noted = pa.table(
        {
            "account_id": ["of-spent01", "of-spent00", "of-small02", "of-small02"],
            "worked_on": [date(2025, 8, 1)] * 3 + [date(2025, 6, 30)],
            "minutes": [90.0, 60.0, 30.0, 600.0],
            "opportunity_id": ["spent01", "spent00", "small02", "small02"],
        }
    )
    book = losses.with_tables(effort=noted)
    found = backtest(book, settings, [DAY], horizon_months=6)
    rules = {r["rule"]: r for r in found._stop_rules.to_pylist()}
    assert (
        rules["attempts_spent"]["unwon_hours"],
        rules["attempts_spent"]["hours"],
    ) == (*(1.5, 2.5),)
    assert rules["not_worth_it"]["unwon_hours"] == 0.5


def test_without_a_price_of_an_hour_only_counts_are_told(
    losses: Portfolio, settings: Settings
) -> None:
    unpriced = attrs.evolve(settings.win_back, cost_per_hour=None, hours=None)
    own = attrs.evolve(settings, win_back=unpriced)
    found = backtest(losses, own, [DAY], horizon_months=6)
    [spent] = [
        r for r in found._stop_rules.to_pylist() if r["rule"] == "attempts_spent"
    ]
    assert (spent["won_count"], spent["unwon_attempt_count"]) == (1, 6)
    told = ("unwon_hours", "cost", "contribution_per_hour", "forgone")
    assert {spent[name] for name in told} == {None}
    assert "price" not in found.answer()


def test_a_loss_that_was_won_later_still_is_no_win_within_the_horizon(
    losses: Portfolio, settings: Settings
) -> None:
    """All were won on 10 November: four months after June only opened again."""
    found = backtest(losses, settings, [DAY], horizon_months=4)
    rows = {r["recommendation"]: r for r in found._recommendations.to_pylist()}
    assert (rows["try"]["won_count"], rows["try"]["reopened_count"]) == (0, 3)


def test_who_chose_whom_to_ask_again_is_borne_in_mind(result: BacktestResult) -> None:
    codes = [warning.code for warning in result.warnings]
    assert "backtest_chosen_by_people" in codes
    assert "backtest_few" in codes
