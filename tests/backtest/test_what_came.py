"""Does looking back report the rates that were planted, and nothing that is not known?"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from crm_portfolio import Portfolio, Settings, backtest, samples
from crm_portfolio._backtest import BacktestResult, closes_between
from crm_portfolio._backtest._became import risen
from crm_portfolio._backtest._days import apart, months_later
from crm_portfolio._backtest._rates import Count, lift, told
from crm_portfolio.analysis import RiskSettings
from crm_portfolio.errors import MissingTableError, SettingsError
from crm_portfolio.portfolio import Period

END = date(2024, 12, 31)
NOW = date(2025, 12, 31)


@pytest.fixture(scope="module")
def result(book: Portfolio, settings: Settings) -> BacktestResult:
    return backtest(book, settings, [END, date(2025, 6, 30)])


def row(result: BacktestResult, key: str) -> dict[str, Any]:
    (found,) = [r for r in result.arrow.to_pylist() if r["forecast"] == key]
    return found


def counts(found: dict[str, Any]) -> list[int]:
    who = ("named", "others")
    return [found[f"{each}_{name}"] for each in who for name in ("count", "hit_count")]


def test_the_rates_are_those_that_were_planted(result: BacktestResult) -> None:
    assert counts(row(result, "risk 2024-12-31")) == [25, 20, 150, 10]
    assert counts(row(result, "rising 2024-12-31")) == [10, 6, 40, 4]
    rising = row(result, "rising 2024-12-31")
    assert (rising["hit_rate"], rising["base_rate"], rising["lift"]) == (0.6, 0.1, 6.0)
    risk = row(result, "risk 2024-12-31")
    assert (risk["hit_rate"], risk["worst_count"]) == (0.8, 20)
    assert risk["lift"] == pytest.approx(0.8 * 15)
    assert risk["gain_low"] > 0
    assert (risk["named_worth"], risk["hit_worth"]) == (1_500_000.0, 1_200_000.0)


def test_intervals_are_wilsons(result: BacktestResult) -> None:
    """20 of 25 by hand: (0.8 + z²/50 ± z·√(0.16/25 + z²/2500))/(1 + z²/25), z 1.96."""
    found = row(result, "risk 2024-12-31")
    ends = [round(found[f"hit_rate_{end}"], 4) for end in ("low", "high")]
    assert ends == [0.6087, 0.9114]


def test_what_is_not_over_is_not_yet_known_and_no_miss(result: BacktestResult) -> None:
    found = row(result, "risk 2025-06-30")
    assert found["state"] == "not_yet_known"
    assert found["until_on"] == date(2026, 6, 30)
    assert found["named_count"] == 35
    assert {found[name] for name in ("named_hit_count", "hit_rate", "lift")} == {None}
    pooled = result.summary["lists"]["risk"]
    assert (pooled["named_count"], pooled["named_hit_count"]) == (25, 20)
    codes = [warning.code for warning in result.warnings]
    assert "backtest_days_not_over" in codes
    assert "not yet known" in result.explain("risk 2025-06-30")


def test_everyone_named_is_told_with_what_became_of_it(result: BacktestResult) -> None:
    table = result._named
    risk = table.filter(pc.equal(table["forecast"], "risk 2024-12-31"))
    became = dict(
        zip(*(risk[n].to_pylist() for n in ("record_id", "became")), strict=True)
    )
    assert {key for key, value in became.items() if value == "miss"} == {
        f"gone-{at}" for at in range(20, 25)
    }
    later = table.filter(pc.equal(table["forecast"], "risk 2025-06-30"))
    assert set(later["became"].to_pylist()) == {"not_yet_known"}


def test_levels_tell_how_often_each_was_hurt(result: BacktestResult) -> None:
    levels = result.summary["levels"]
    assert levels["risk"]["critical"]["hurt_rate"] == 0.8
    assert levels["risk"]["low"]["hurt_count"] == 10
    assert levels["risk"]["critical"]["left_count"] == 20
    assert levels["payment"]["unknown"]["count"] == 175
    assert sum(each["count"] for each in levels["silence"].values()) == 175


def test_what_became_of_it_is_what_was_known_when_its_time_was_over(
    book: Portfolio, settings: Settings
) -> None:
    day = date(2023, 12, 31)
    now = backtest(book, settings, [day])
    then = backtest(book.at(END), settings, [day])
    assert now.arrow.equals(then.arrow)
    assert now._levels.equals(then._levels)


def lists_of(portfolio: Portfolio, settings: Settings, day: date) -> list[pa.Table]:
    """All that was said on a day, whatever came of it."""
    found = backtest(portfolio, settings, [day], horizon_months=6)
    return [
        found._named.select(["forecast", "record_id"]),
        found.arrow.select(["forecast", "named_count", "others_count", "named_worth"]),
        found._levels.select(["component", "level", "count"]),
        found._recommendations.select(["recommendation", "count"]),
        found._stop_rules.select(["rule", "count"]),
    ]


@pytest.fixture(scope="module")
def known(losses: Portfolio, settings: Settings) -> list[pa.Table]:
    return lists_of(_with_revenue(losses), settings, date(2025, 6, 30))


def _with_revenue(losses: Portfolio, after: float = 100.0) -> Portfolio:
    """The losses, in a book where each account buys; more or less of it from July on."""
    ids = losses.arrow("account")["account_id"].to_pylist()
    lines = [
        (f"{each}-{month}", each, date(2024 + month // 12, month % 12 + 1, 10), month)
        for each in ids
        for month in range(24)
    ]
    key, account, day, month = zip(*lines, strict=True)
    amounts = [
        after if each >= 18 else 100.0 + len(who)
        for each, who in zip(month, account, strict=True)
    ]
    return losses.with_tables(
        revenue_line=pa.table(
            {
                "line_id": key,
                "account_id": account,
                "booked_on": pa.array(day, pa.date32()),
                "amount": amounts,
            }
        )
    )


@how(max_examples=5)
@given(after=st.integers(-500, 900).map(float), seed=st.integers(0, 1_000))
def test_nothing_that_came_later_changes_a_list(
    later: Callable[..., Portfolio],
    settings: Settings,
    known: list[pa.Table],
    after: float,
    seed: int,
) -> None:
    """Words, moves, wins and revenue after the day are others, or never came."""
    altered = _with_revenue(later(random.Random(seed)), after)
    found = lists_of(altered, settings, date(2025, 6, 30))
    for before, now in zip(known, found, strict=True):
        assert now.equals(before)


def test_a_list_that_chance_draws_comes_true_at_the_base_rate() -> None:
    """Over many lists drawn from the same accounts, named are hit as often as others."""
    chance = np.random.default_rng(2026)
    everyone = np.ones(400, dtype=bool)
    gains, sure = [], 0
    for _ in range(300):
        happened = chance.random(400) < 0.2
        named = chance.permutation(400) < 60
        one, other = (
            Count.of(who, everyone, happened, happened) for who in (named, ~named)
        )
        found = lift(one, other)
        gains.append(found["gain"])
        sure += found["gain_low"] > 0 or found["gain_high"] < 0
    assert abs(np.mean(gains)) < 0.01
    assert 0.01 < sure / 300 < 0.10


def test_where_the_future_is_drawn_by_chance_risk_foresees_nothing() -> None:
    """Silent or not on the day, each account has the same odds to leave afterwards."""
    chance = np.random.default_rng(7)
    lines = []
    for at in range(300):
        last = 24 if at % 3 else 18
        stays = chance.random() < 0.7
        months = [*range(last), *(range(24, 36) if stays else ())]
        lines += [(f"A{at:03}", month) for month in months]
    account, month = zip(*lines, strict=True)
    book = Portfolio.from_frames(
        as_of=NOW,
        currency="EUR",
        account=pa.table({"account_id": sorted(set(account))}),
        revenue_line=pa.table(
            {
                "line_id": [f"L{at}" for at in range(len(lines))],
                "account_id": account,
                "booked_on": [date(2023 + m // 12, m % 12 + 1, 10) for m in month],
                "amount": [1_000.0] * len(lines),
            }
        ),
    )
    found = row(backtest(book, Settings(), [END]), "risk 2024-12-31")
    assert found["named_count"] == 100
    assert found["gain_low"] < 0 < found["gain_high"]
    assert abs(found["lift"] - 1) < 0.35


def test_a_lost_contract_is_a_loss_whatever_is_still_billed(
    book: Portfolio, settings: Settings
) -> None:
    ids = [f"here-{at}" for at in range(50, 55)]
    contracts = pa.table(
        {
            "contract_id": ["K1", "K2", "K3", "K4", "K5"],
            "account_id": ids,
            "starts_on": [date(2024, 1, 1)] * 5,
            # The last one runs on its last day.
            "ends_on": [
                *(date(2025, 3, 31), date(2025, 3, 31), None, date(2024, 6, 30), NOW)
            ],
            "auto_renews": [False, True, False, False, False],
        }
    )
    found = backtest(book.with_tables(contract=contracts), settings, [END])
    levels = found.summary["levels"]["risk"]
    assert sum(each["left_count"] for each in levels.values()) == 21
    assert sum(each["hurt_count"] for each in levels.values()) == 31


def test_who_paid_for_years_ahead_is_not_hurt_by_a_year_without_a_bill() -> None:
    lines = [("A", 5), *(("B", month) for month in range(24))]
    account, month = zip(*lines, strict=True)
    book = Portfolio.from_frames(
        as_of=NOW,
        currency="EUR",
        account=pa.table({"account_id": ["A", "B"]}),
        revenue_line=pa.table(
            {
                "line_id": [f"L{at}" for at in range(len(lines))],
                "account_id": account,
                "booked_on": [date(2024 + m // 12, m % 12 + 1, 10) for m in month],
                "amount": [3_000.0] * len(lines),
            }
        ),
    )
    agreed = pa.table(
        {
            "contract_id": ["K1"],
            "account_id": ["A"],
            "starts_on": [date(2024, 6, 1)],
            "ends_on": [date(2027, 5, 31)],
        }
    )

    def hurt_and_left(each: Portfolio) -> tuple[int, int]:
        levels = backtest(each, Settings(), [END]).summary["levels"]["risk"]
        return tuple(
            sum(level[name] for level in levels.values())
            for name in ("hurt_count", "left_count")
        )

    assert hurt_and_left(book) == (1, 1)
    assert hurt_and_left(book.with_tables(contract=agreed)) == (0, 0)


def test_what_comes_on_the_last_day_of_the_horizon_counts_and_a_day_later_does_not() -> (
    None
):
    """A buys again on the very last day, B a day after it: of B nothing has come."""
    lines = [(each, date(2024, 3, 10)) for each in "AB"]
    lines += [("A", NOW), ("B", NOW + timedelta(days=1))]
    account, day = zip(*lines, strict=True)
    book = Portfolio.from_frames(
        as_of=NOW + timedelta(days=40),
        currency="EUR",
        account=pa.table({"account_id": ["A", "B"]}),
        revenue_line=pa.table(
            {
                "line_id": [f"L{at}" for at in range(len(lines))],
                "account_id": account,
                "booked_on": day,
                "amount": [1_000.0] * len(lines),
            }
        ),
    )
    levels = backtest(book, Settings(), [END]).summary["levels"]["risk"]
    assert sum(each["known_count"] for each in levels.values()) == 2
    assert sum(each["hurt_count"] for each in levels.values()) == 1


def test_who_merged_has_neither_risen_nor_stayed() -> None:
    was = pa.table({"account_id": ["A", "B", "C"], "tier": ["B", "B", "B"]})
    now = pa.table({"account_id": ["A", "C"], "tier": ["A", "lost"]})
    found = risen(was, now)
    assert found.is_known.tolist() == [True, False, True]
    assert found.happened.tolist() == [True, False, False]


def test_amounts_that_lack_are_not_taken_for_losses() -> None:
    sales = [(f"A{at}", month) for at in range(6) for month in range(24)]
    account, month = zip(*sales, strict=True)
    days = [date(2024 + each // 12, each % 12 + 1, 10) for each in month]
    hidden = [who == "A0" and day > END for who, day in zip(account, days, strict=True)]
    book = Portfolio.from_frames(
        as_of=NOW,
        currency="EUR",
        account=pa.table({"account_id": sorted(set(account))}),
        opportunity=pa.table(
            {
                "opportunity_id": [f"O{at:03}" for at in range(len(sales))],
                "account_id": account,
                "status": ["won"] * len(sales),
                "closed_on": days,
                "amount": pa.array([None if each else 100.0 for each in hidden]),
            }
        ),
    )
    levels = backtest(book, Settings(), [END]).summary["levels"]["risk"]
    assert sum(each["known_count"] for each in levels.values()) == 5
    assert sum(each["hurt_count"] for each in levels.values()) == 0


def test_days_that_share_months_are_not_counted_twice(
    book: Portfolio, settings: Settings
) -> None:
    days = closes_between(date(2024, 6, 1), END, every="quarter")
    found = backtest(book, settings, days, horizon_months=6)
    risk = found.summary["lists"]["risk"]
    assert risk["known_day_count"] == 3
    assert risk["counted_days"] == ["2024-06-30", "2024-12-31"]
    levels = found.summary["levels"]["risk"].values()
    assert sum(each["count"] for each in levels) == 2 * 175
    own = [row(found, f"risk {day}")["named_count"] for day in risk["counted_days"]]
    assert risk["named_count"] == sum(own)
    assert "backtest_overlaps" in [warning.code for warning in found.warnings]


def test_each_day_is_looked_at_once(book: Portfolio, settings: Settings) -> None:
    seen: list[tuple[str, int, int | None]] = []
    days = [date(2023, 12, 31), END, date(2023, 12, 31)]
    found = backtest(book, settings, days, progress=lambda *each: seen.append(each))
    # The second day is the end of the first one's horizon too; the third is as_of.
    assert [done for _, done, _ in seen] == [0, 1, 2, 3]
    assert found.params["settings"]["days"] == ["2023-12-31", "2024-12-31"]


def test_the_order_of_days_is_no_matter(book: Portfolio, settings: Settings) -> None:
    days = [date(2024, 6, 30), date(2023, 12, 31)]
    one, other = (backtest(book, settings, each) for each in (days, days[::-1]))
    assert one.to_dict() == other.to_dict()


def test_horizons_end_as_months_do() -> None:
    assert months_later(date(2025, 6, 30), 12) == date(2026, 6, 30)
    assert months_later(date(2024, 2, 29), 12) == date(2025, 2, 28)
    assert months_later(date(2025, 2, 28), 1) == date(2025, 3, 31)
    assert months_later(date(2025, 3, 15), 12) == date(2026, 3, 15)
    days = [date(2024, month, 28) for month in range(1, 13)]
    assert apart(days, 6) == (date(2024, 6, 28), date(2024, 12, 28))


def test_rates_of_nothing_are_unknown() -> None:
    nothing = told(Count(), hits="hit", rate="hit")
    assert nothing["hit_rate"] is None
    assert lift(Count(), Count(3, 3, 1))["gain"] is None
    assert lift(Count(3, 3, 1), Count(3, 3, 0))["lift"] is None


@pytest.mark.parametrize(
    ("days", "chosen", "says"),
    [
        ([], {}, "no day to replay"),
        ([date(2026, 1, 1)], {}, "the portfolio ends on 2025-12-31"),
        ([datetime(2024, 1, 1)], {}, "is no day"),
        ([END], {"horizon_months": 0}, "horizon_months"),
        ([END], {"lost_share": 0.0}, "lost_share"),
        ([END], {"lost_share": 1.5}, "lost_share"),
    ],
)
def test_what_cannot_be_replayed_is_refused(
    book: Portfolio, settings: Settings, days: list[date], chosen: Any, says: str
) -> None:
    with pytest.raises(SettingsError, match=says):
        backtest(book, settings, days, **chosen)


@pytest.mark.parametrize("is_common", [True, False])
def test_a_period_that_ends_after_a_day_is_refused(
    book: Portfolio, is_common: bool
) -> None:
    """What the day does not know of it would look like revenue that all had lost."""
    half = Period.between(date(2025, 1, 1), date(2025, 7, 1))
    risk = Settings().risk if is_common else RiskSettings(period=half)
    chosen = Settings(period=half if is_common else None, risk=risk)
    with pytest.raises(
        SettingsError, match=r'2025-06-30, after 2025-06-29; .*"last 12'
    ):
        backtest(book, chosen, [date(2025, 6, 29)])
    found = backtest(book, chosen, [date(2025, 6, 30)], horizon_months=6)
    assert row(found, "risk 2025-06-30")["state"] == "known"


def test_a_book_of_names_only_tells_nothing(settings: Settings) -> None:
    book = Portfolio.from_frames(
        as_of=NOW, currency="EUR", account=pa.table({"account_id": ["A"]})
    )
    with pytest.raises(MissingTableError):
        backtest(book, settings, [END])


def test_a_day_before_anything_names_nobody(
    book: Portfolio, settings: Settings
) -> None:
    found = backtest(book, settings, [date(2020, 12, 31)])
    assert {r["state"] for r in found.arrow.to_pylist()} == {"nobody_named"}


@pytest.mark.parametrize("backend", ["pandas", "polars", "duckdb"])
def test_every_kind_of_frame_gives_the_same(
    result: BacktestResult, settings: Settings, book: Portfolio, backend: Any
) -> None:
    import attrs

    other = backtest(
        attrs.evolve(book, backend=backend), settings, [END, date(2025, 6, 30)]
    )
    assert other.to_dict() == result.to_dict()


def test_quarters_end_where_the_calendar_says() -> None:
    found = closes_between(date(2024, 2, 1), date(2025, 1, 15), every="quarter")
    assert [str(day) for day in found] == [
        *("2024-03-31", "2024-06-30", "2024-09-30", "2024-12-31"),
    ]
    assert closes_between(END, END) == [END]
    assert closes_between(END + timedelta(days=1), END + timedelta(days=9)) == []


def test_a_sample_book_is_replayed_whole() -> None:
    drawn = samples.book(accounts=60, opportunities=600)
    book = Portfolio.from_frames(
        as_of=drawn.truths["as_of"], currency="EUR", **drawn.tables
    )
    found = backtest(book, Settings(), [date(2025, 6, 30)])
    risk = row(found, "risk 2025-06-30")
    assert risk["named_known_count"] <= risk["named_count"]
    assert 0 <= (risk["base_rate"] or 0) <= 1
