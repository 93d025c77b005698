"""What must be borne in mind when looking back?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crm_portfolio._backtest._rates import Count, lift, told
from crm_portfolio._backtest._reasons import warnings


def levels(**hurt: tuple[int, int]) -> dict[str, Any]:
    return {
        level: told(Count(of, of, count), hits="hurt", rate="hurt")
        for level, (count, of) in hurt.items()
    }


def a_list(named: Count, others: Count) -> Mapping[str, Any]:
    return {
        "day_count": 1,
        "known_day_count": 1,
        "counted_days": ["2025-12-31"],
        **told(named, hits="hit", rate="hit", begin="named_"),
        **told(others, hits="hit", rate="base", begin="others_"),
        **lift(named, others),
    }


def codes(lists: Mapping[str, Any], **hurt: tuple[int, int]) -> list[str]:
    summary = {"lists": lists, "levels": {"risk": levels(**hurt)}}
    return [warning.code for warning in warnings([], summary)]


def test_levels_out_of_order_are_told_where_it_is_more_than_chance() -> None:
    clear = codes({}, low=(400, 1_000), high=(200, 1_000))
    assert "backtest_levels_unordered" in clear
    for hurt in (
        {"low": (401, 1_000), "high": (400, 1_000)},
        {"low": (4, 10), "high": (2, 10)},
        {"low": (200, 1_000), "high": (400, 1_000)},
    ):
        assert "backtest_levels_unordered" not in codes({}, **hurt)


def test_a_list_that_does_no_better_is_told_of() -> None:
    others = Count(100, 100, 20)
    named = a_list(Count(20, 20, 4), others)
    assert "backtest_no_better_risk" in codes({"risk": named})
    better = a_list(Count(20, 20, 5), others)
    assert "backtest_no_better_risk" not in codes({"risk": better})


def test_of_few_nothing_is_concluded() -> None:
    found = codes({"rising": a_list(Count(30, 9, 0), Count(100, 100, 20))})
    assert "backtest_few" in found
    assert "backtest_no_better_rising" not in found


def test_where_nobody_was_named_or_nothing_is_known_no_number_is_told() -> None:
    others = Count(100, 100, 20)
    for named, code in ((0, "backtest_none_named"), (7, "backtest_none_known")):
        found = codes({"risk": a_list(Count(named, 0, 0), others)})
        assert code in found
        assert "backtest_few" not in found


def test_a_list_that_could_not_be_made_is_named() -> None:
    assert codes({}) == [
        *("backtest_no_rising", "backtest_no_risk", "backtest_no_win_back"),
    ]
