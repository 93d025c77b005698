"""What did past days say of real books, and did it come true? Counted again by hand."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from loaders import maven_folder, ravenstack_tables, reseller_tables

from crm_portfolio import Period, Portfolio, Settings, backtest, connect, pull
from crm_portfolio._backtest import BacktestResult
from crm_portfolio.analysis import RiskSettings, risk

END_OF_RESELLERS = date(2013, 11, 30)
DAYS = [date(2012, 6, 30), date(2012, 11, 30)]


def rows(result: BacktestResult, which: str) -> dict[date, dict[str, Any]]:
    table = result.arrow.to_pylist()
    return {row["day_on"]: row for row in table if row["list"] == which}


@pytest.fixture(scope="module")
def resellers(shared_data: Path) -> Portfolio:
    tables = reseller_tables(shared_data / "adventureworks_resellers")
    return Portfolio.from_frames(as_of=END_OF_RESELLERS, currency="USD", **tables)


@pytest.fixture(scope="module")
def looked_back(resellers: Portfolio) -> BacktestResult:
    return backtest(resellers, Settings(), DAYS)


def test_resellers_that_were_warned_of_are_counted_as_by_hand(
    resellers: Portfolio, looked_back: BacktestResult
) -> None:
    """Sums in plain Python of a year before and a year after each day."""
    lines = resellers.arrow("revenue_line").to_pylist()
    for day, found in rows(looked_back, "risk").items():
        before, after = defaultdict(float), defaultdict(float)
        first, last = day.replace(year=day.year - 1), found["until_on"]
        for line in lines:
            side = before if line["booked_on"] <= day else after
            if first < line["booked_on"] <= last:
                side[line["account_id"]] += line["amount"]
        levels = risk(resellers.at(day)).to_dict()["frame"]
        counted = {
            group: [
                after[each] <= before[each] / 2
                for row in levels
                if row["risk_level"] in names and before[each := row["account_id"]] > 0
            ]
            for group, names in (
                ("named", ("high", "critical")),
                ("others", ("low", "medium")),
            )
        }
        for group, hits in counted.items():
            told = (found[f"{group}_known_count"], found[f"{group}_hit_count"])
            assert told == (len(hits), sum(hits)), (day, group)


def test_a_warning_of_resellers_is_more_than_chance_once_and_not_half_a_year_later(
    looked_back: BacktestResult,
) -> None:
    june, november = (rows(looked_back, "risk")[day] for day in DAYS)
    assert (june["named_known_count"], june["named_hit_count"]) == (21, 14)
    assert (june["others_known_count"], june["others_hit_count"]) == (381, 140)
    assert june["gain_low"] > 0
    assert (november["named_known_count"], november["named_hit_count"]) == (62, 26)
    assert november["gain_low"] < 0 < november["gain_high"]


def test_of_resellers_nobody_was_said_to_be_rising(looked_back: BacktestResult) -> None:
    """Two years of history are too short for a trend over eight quarters."""
    for found in rows(looked_back, "rising").values():
        assert (found["state"], found["others_hit_count"] > 20) == (
            "nobody_named",
            True,
        )


def test_the_level_of_subscribers_foresees_nothing(shared_data: Path) -> None:
    day = date(2024, 12, 31)
    tables = ravenstack_tables(shared_data / "ravenstack_saas", day)
    book = Portfolio.from_frames(as_of=day, currency="USD", **tables)
    chosen = Settings(risk=RiskSettings(period=Period.last_months(6)))
    found = backtest(book, chosen, [date(2024, 6, 30)], horizon_months=6)
    [row] = rows(found, "risk").values()
    assert (row["named_count"], row["named_hit_count"]) == (2, 0)
    # Whoever ends a subscription has begun others: none is without a contract.
    assert (row["others_known_count"], row["others_hit_count"]) == (335, 0)
    [rising] = rows(found, "rising").values()
    assert (rising["named_known_count"], rising["named_hit_count"]) == (18, 4)
    assert rising["gain"] < 0
    codes = [warning.code for warning in found.warnings]
    assert "backtest_no_better_rising" in codes


def test_nine_months_of_sales_name_next_to_nobody(
    shared_data: Path, tmp_path: Path
) -> None:
    folder = maven_folder(shared_data / "maven_crm", tmp_path / "maven")
    book = pull(connect("files", folder), as_of=date(2017, 12, 31), currency="USD")
    found = backtest(book, Settings(), [date(2017, 9, 30)], horizon_months=3)
    [row] = rows(found, "risk").values()
    assert (row["named_count"], row["others_count"]) == (1, 84)
    codes = [warning.code for warning in found.warnings]
    assert "backtest_few" in codes
    # Without activities nobody can be judged, so nobody is a candidate.
    assert found.summary["recommendations"] == {}
