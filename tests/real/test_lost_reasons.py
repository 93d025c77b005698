"""Do reasons of real losses say what the data's README says of them, and how sure they are?"""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from loaders import maven_tables, text_csv

from crm_portfolio._frames import to_arrow
from crm_portfolio._methods._rates import wilson
from crm_portfolio.analysis import LostOpportunitiesSettings, lost_opportunities
from crm_portfolio.analysis._lost_opportunities import LostOpportunitiesResult
from crm_portfolio.portfolio import Period, Portfolio

EVERYTHING = LostOpportunitiesSettings(period=Period.all())


@pytest.fixture(scope="module")
def churn(shared_data: Path) -> list[dict[str, str | None]]:
    return text_csv(shared_data / "ravenstack_saas" / "ravenstack_churn_events.csv")


@pytest.fixture(scope="module")
def departures(churn: list[dict[str, str | None]]) -> LostOpportunitiesResult:
    """Every departure of RavenStack as a renewal that was lost; its refund is no amount."""
    opportunity = pa.table(
        {
            "opportunity_id": [row["churn_event_id"] for row in churn],
            "account_id": [row["account_id"] for row in churn],
            "status": ["lost"] * len(churn),
            "kind": ["renewal"] * len(churn),
            "closed_on": [date.fromisoformat(str(row["churn_date"])) for row in churn],
            "loss_reason": [row["reason_code"] for row in churn],
        }
    )
    accounts = sorted({str(row["account_id"]) for row in churn})
    book = Portfolio.from_frames(
        as_of=date(2024, 12, 31),
        currency="USD",
        account=pa.table({"account_id": accounts}),
        opportunity=opportunity,
    )
    return lost_opportunities(book, EVERYTHING)


def test_one_departure_in_six_of_ravenstack_gives_no_reason(
    departures: LostOpportunitiesResult,
) -> None:
    """README: unknown 95 of 600, so the ranking is readable."""
    summary = departures.summary["reasons"]
    assert isinstance(summary, dict)
    assert (summary["unknown_count"], summary["lost_count"]) == (95, 600)
    low, high = wilson(95, 600)
    assert summary["unknown_share_low"] == pytest.approx(low)
    assert summary["unknown_share_high"] == pytest.approx(high)
    assert summary["is_readable"] is True
    codes = [warning.code for warning in departures.warnings]
    assert "unknown_reasons_high" not in codes


def test_reasons_of_ravenstack_are_those_of_the_readme(
    departures: LostOpportunitiesResult, churn: list[dict[str, str | None]]
) -> None:
    """README: features 114, support 104, budget 104, unknown 95, competitor 92, pricing
    91. Their intervals overlap: no reason stands out."""
    rows = to_arrow(departures.loss_reasons).to_pylist()
    assert [(row["reason"], row["count"]) for row in rows] == [
        ("unknown", 95),
        ("features", 114),
        ("budget", 104),
        ("support", 104),
        ("competitor", 92),
        ("pricing", 91),
    ]
    assert Counter(row["reason_code"] for row in churn) == {
        row["reason"]: row["count"] for row in rows
    }
    first, last = rows[1], rows[-1]
    assert first["count_share_low"] < last["count_share_high"]
    assert all(row["amount"] is row["amount_share"] is None for row in rows)


def test_maven_never_says_why_and_that_is_said(shared_data: Path) -> None:
    """README: 2,473 lost, without a column of reasons, of activities or of next steps."""
    book = Portfolio.from_frames(
        as_of=date(2017, 12, 31),
        currency="USD",
        **maven_tables(shared_data / "maven_crm"),
    )
    result = lost_opportunities(book, EVERYTHING)
    warnings = {warning.code: warning.values for warning in result.warnings}
    assert warnings["loss_reasons_absent"] == {"n": 2473}
    assert "next_steps_unknown" in warnings
    (row,) = to_arrow(result.loss_reasons).to_pylist()
    assert (row["reason"], row["is_unknown"], row["count"]) == (None, True, 2473)
    assert to_arrow(result.missed_by_month).num_rows == 0
    rates = to_arrow(result.rates).to_pylist()
    assert {row["rate"] for row in rates} <= {"lost", "waiting"}
    of = {row["of_count"] for row in rates if row["rate"] == "lost"}
    assert max(of) <= 2473 + 4238
