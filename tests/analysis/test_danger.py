"""Is each danger told by account, and what is not known told as not known?"""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from crm_portfolio._methods._risk import UNKNOWN
from crm_portfolio.analysis._dangers._danger import (
    Danger,
    by_place,
    days_between,
    days_of,
)

NO_DAY = np.datetime64("NaT", "D")
DAYS = np.array(["2026-06-30", NO_DAY, "2026-06-01"], "datetime64[D]")


def danger(**given: Any) -> Danger:
    level = np.array([0, UNKNOWN, 3, UNKNOWN], dtype=np.int8)
    made: dict[str, Any] = {
        "told_as": "silent",
        "told_on": days_of(DAYS),
        "columns": {},
    }
    return Danger.made("silence", level, **(made | given))


def test_a_level_that_is_not_known_is_a_gap_unless_the_danger_does_not_apply():
    assert danger().is_unknown.tolist() == [False, True, False, True]
    applies = np.array([True, False, True, True])
    found = danger(is_open=applies)
    assert found.is_unknown.tolist() == [False, False, False, True]


@pytest.mark.parametrize("told_as", ["silent", pa.array(["silent"] * 4)])
def test_one_reason_for_all_is_told_of_each(told_as):
    assert danger(told_as=told_as).told_as.to_pylist() == ["silent"] * 4


def test_a_day_that_is_not_known_or_is_hidden_is_null():
    assert days_of(DAYS).to_pylist() == [date(2026, 6, 30), None, date(2026, 6, 1)]
    hidden = np.array([True, False, False])
    assert days_of(DAYS, hidden).to_pylist() == [None, None, date(2026, 6, 1)]


def test_days_lie_between_two_that_are_known():
    last = np.array(["2026-07-02", "2026-07-02", NO_DAY], "datetime64[D]")
    assert days_between(DAYS, last).tolist() == [2, 0, 0]


def test_what_a_scan_found_stands_where_its_account_does():
    facts: Any = SimpleNamespace(
        by_account=SimpleNamespace(ids=pa.array(["A", "B", "C"], pa.string()))
    )
    found = pa.table(
        {
            "account_id": ["C", "A"],
            "count": [7, 2],
            "newest_on": pa.array([date(2026, 1, 2), None], pa.date32()),
        }
    )
    count, newest = by_place(facts, found, ("count", "newest_on"))
    assert count.tolist() == [2, 0, 7]
    assert newest.dtype == np.dtype("datetime64[D]")
    assert days_of(newest).to_pylist() == [None, None, date(2026, 1, 2)]
