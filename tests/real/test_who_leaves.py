"""Does a model learned from who left foresee who leaves next? Asked of real books.

Docs: risk, "What it says about real books", and the page of RavenStack.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest
from foreseen import HALF_YEARS, book, learned_from_events
from loaders import (
    cdnow_tables,
    ravenstack_tables,
    receivables_tables,
)

from crm_portfolio.analysis import (
    ReceivablesSettings,
    RiskResult,
    RiskSettings,
    receivables,
    risk,
)
from crm_portfolio.portfolio import Period, Portfolio

LAST_DAY = date(2024, 12, 31)


@pytest.fixture(scope="module")
def subscribers(shared_data: Path) -> Portfolio:
    return book(ravenstack_tables(shared_data / "ravenstack_saas", LAST_DAY), LAST_DAY)


@pytest.fixture(scope="module")
def by_events(shared_data: Path) -> RiskResult:
    return learned_from_events(shared_data)


def odds_of(result: RiskResult) -> dict[str, Any]:
    return dict(result.summary["odds"])  # type: ignore[arg-type]


class TestSubscriptions:
    """RavenStack: 600 churn events, 2,000 tickets, 5,000 subscriptions; invented."""

    def test_a_model_of_the_churn_events_does_no_better_than_chance(
        self, by_events: RiskResult
    ) -> None:
        """246 cases of 2023, 77 of them left; then 307 of June 2024, of whom 129 left."""
        odds = odds_of(by_events)
        assert (odds["trained_count"], odds["trained_left_count"]) == (246, 77)
        assert (odds["tested_count"], odds["tested_left_count"]) == (307, 129)
        assert odds["split_on"] == "2024-06-30"
        assert "tickets" in odds["features"]
        # A hair better than the rates, by little more than its error: not used.
        assert 0 < odds["gain"] < 1.5 * odds["gain_error"]
        assert (odds["verdict"], odds["used"]) == ("by_chance", "tier_rate")
        assert odds["model"]["auc"] == pytest.approx(0.547, abs=0.01)
        assert by_events.leaving_odds == {}
        [said] = [w for w in by_events.warnings if w.code.startswith("risk_odds")]
        assert said.code == "risk_odds_by_chance"

    def test_the_events_are_gainsaid_by_what_runs_on(
        self, by_events: RiskResult
    ) -> None:
        """README: 352 accounts have an event; subscriptions run over all 500 accounts."""
        [said] = [w for w in by_events.warnings if w.code.startswith("risk_dep")]
        assert said.code == "risk_departures_gainsaid"
        assert said.values == {"n": 352, "still": 352}

    def test_by_contracts_and_revenue_nobody_ever_left(
        self, subscribers: Portfolio
    ) -> None:
        """486 subscriptions ended, and every account has others: no label at all."""
        odds = odds_of(risk(subscribers, HALF_YEARS))
        assert (odds["trained_left_count"], odds["tested_left_count"]) == (0, 0)
        assert (odds["verdict"], odds["used"]) == ("few_events", None)

    def test_two_years_are_too_short_for_windows_of_one(
        self, subscribers: Portfolio
    ) -> None:
        assert odds_of(risk(subscribers))["verdict"] == "too_short"


class TestPurchases:
    """CDNOW: who buys again within the quarter, of 23,570 customers of a shop; real."""

    def test_a_model_of_who_buys_no_more_beats_the_rates_of_size(
        self, shared_data: Path
    ) -> None:
        last = date(1998, 6, 30)
        tables = cdnow_tables(shared_data / "cdnow")
        shop = Portfolio.from_frames(as_of=last, currency="USD", **tables)
        settings = RiskSettings(period=Period.last_months(6), horizon_months=4)
        result = risk(shop, settings)
        odds = odds_of(result)
        assert (odds["verdict"], odds["used"]) == ("better", "model")
        assert odds["gain"] > 4 * odds["gain_error"]
        assert odds["model"]["brier"] < odds["baseline"]["brier"]
        assert 0.8 < odds["model"]["calibration_slope"] < 1.25


class TestReceivables:
    """IBM: 100 customers, 2,466 invoices of 2012 and 2013."""

    def test_the_payment_component_is_what_receivables_say(
        self, shared_data: Path
    ) -> None:
        """README: days late 3.5711 by amount; 877 late; one way to weigh them."""
        day = date(2014, 1, 9)
        tables = receivables_tables(shared_data / "ibm_receivables", day)
        owed = book(tables, day)
        paid = receivables(owed, ReceivablesSettings(period=Period.all()))
        everything = RiskSettings(period=Period.all(), days_late=(2.0, 5.0, 10.0))
        given, own = risk(owed, everything, receivables=paid), risk(owed, everything)
        assert given.arrow.equals(own.arrow)
        told = paid.arrow.sort_by("account_id")
        shown = given.arrow.sort_by("account_id")
        for name in ("days_late", "days_late_signed", "late_share", "paid_late_on"):
            assert shown[name].equals(told[name])
        days = shown["days_late"].to_pylist()
        levels = shown["payment_level"].to_pylist()
        at = ("low", "medium", "high", "critical")
        for late, level in zip(days, levels, strict=True):
            wanted = None if late is None else at[sum(late >= n for n in (2, 5, 10))]
            assert level == wanted
        assert pc.sum(told["late_count"]).as_py() < 877  # the contested are apart
