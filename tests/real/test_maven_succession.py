"""What may be said of trends in a book of ten months?

Maven CRM: the first deal is won in March 2017 and the last in December: four quarters, and
no year before.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from loaders import maven_folder

from crm_portfolio import connect, pull
from crm_portfolio._frames import to_arrow
from crm_portfolio.analysis import SuccessionResult, SuccessionSettings, succession
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Portfolio


@pytest.fixture(scope="module")
def book(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Portfolio:
    folder = maven_folder(shared_data / "maven_crm", tmp_path_factory.mktemp("maven"))
    return pull(
        connect("files", folder),
        as_of=date(2017, 12, 31),
        currency="USD",
        backend="pyarrow",
    )


@pytest.fixture(scope="module")
def found(book: Portfolio) -> SuccessionResult:
    return succession(book)


def test_four_quarters_are_too_short_for_any_trend(found: SuccessionResult) -> None:
    frame = to_arrow(found.frame)
    assert set(frame["trend"].to_pylist()) == {"too_short"}
    assert set(frame["trend_quarters"].to_pylist()) <= {3, 4}
    assert set(frame["trend_p"].to_pylist()) == {None}
    with pytest.raises(SettingsError, match="quarters"):
        SuccessionSettings(quarters=4)


def test_nobody_is_called_rising_and_the_small_ones_are_unknown(
    found: SuccessionResult,
) -> None:
    rows = to_arrow(found.frame).to_pylist()
    assert len(rows) == 85
    by_tier = Counter((row["tier"], row["rising"]) for row in rows)
    assert {rising for tier, rising in by_tier if tier in "AB"} == {"no"}
    assert {rising for tier, rising in by_tier if tier in "CD"} == {"unknown"}
    assert all(row["is_exploration"] for row in rows if row["place"])
    assert len(found.rising) == 2


def test_what_needs_a_year_before_is_left_empty(found: SuccessionResult) -> None:
    codes = {warning.code: warning.values for warning in found.warnings}
    assert codes["no_year_before"] == {"months": 10}
    assert found.leaving_rates == {}
    assert found.summary["transitions"]["smoothed"] is None
    assert found.summary["retention"]["net"] is None
    assert found.summary["back_test"] is None
