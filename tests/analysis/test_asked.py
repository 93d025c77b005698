"""Is a period that is not over refused, wherever it would mislead?"""

from __future__ import annotations

from datetime import date
from typing import Any

import attrs
import pyarrow as pa
import pytest

from crm_portfolio import Portfolio, Settings, analyse, analysis, samples
from crm_portfolio._analyse import NEEDS
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Period

AS_OF = date(2026, 6, 30)
WITH_PERIOD = sorted(
    name for name in NEEDS if hasattr(getattr(Settings(), name), "period")
)


@pytest.fixture(scope="module")
def book() -> Portfolio:
    effort = pa.table(
        {
            "account_id": ["A01"],
            "worked_on": pa.array([date(2025, 9, 1)], pa.date32()),
            "minutes": [600.0],
        }
    )
    invoice = pa.table(
        {
            "invoice_id": ["I1"],
            "account_id": ["A01"],
            "issued_on": [date(2026, 3, 1)],
            "amount": [1_200.0],
        }
    )
    return samples.firm().with_tables(effort=effort, invoice=invoice)


def asked(book: Portfolio, name: str, end: date) -> Any:
    """The analysis of a year that ends with the day before."""
    period = Period.between(end.replace(year=end.year - 1), end)
    own = attrs.evolve(getattr(Settings(), name), period=period)
    return getattr(analysis, name)(book, own)


@pytest.mark.parametrize("name", [each for each in WITH_PERIOD if each != "review"])
def test_a_period_of_which_a_day_is_still_to_come_is_refused(
    book: Portfolio, name: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        asked(book, name, date(2026, 7, 2))
    said = str(refused.value)
    assert (
        "the period ends on 2026-07-01, and nothing is known after 2026-06-30" in said
    )
    assert said.startswith(f"{name}: ")
    assert '"last 12 months"' in said


def test_one_that_ends_with_the_last_known_day_is_taken(book: Portfolio) -> None:
    for name in ("tiers", "receivables", "lost_opportunities", "succession"):
        assert asked(book, name, date(2026, 7, 1)).params["period"]


def test_a_review_says_itself_how_much_of_its_period_is_to_come(
    book: Portfolio,
) -> None:
    found = asked(book, "review", date(2026, 12, 31))
    assert "review_not_over" in [each.code for each in found.warnings]


def test_all_analyses_at_once_refuse_it_as_well(book: Portfolio) -> None:
    year = Period.between(date(2026, 1, 1), date(2027, 1, 1))
    with pytest.raises(SettingsError, match="ends on 2026-12-31"):
        analyse(book, Settings(period=year), only=["risk"])
