"""Do judgements and calls from their side come in as they do by hand?"""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from crm_portfolio._frames import from_arrow
from crm_portfolio.analysis._facts import _promise, revenue_facts
from crm_portfolio.portfolio import Period, Portfolio

AS_OF = date(2026, 6, 30)
ENGINES = {
    "pandas": lambda table: from_arrow(table, "pandas"),
    "polars": lambda table: from_arrow(table, "polars"),
    "polars lazy": lambda table: pl.from_arrow(table).lazy(),
    "pyarrow": lambda table: table,
}


@pytest.fixture(params=ENGINES.values(), ids=ENGINES)
def engine(request):
    return request.param


def activities(rows) -> pa.Table:
    accounts, moments, ways, status = zip(*rows, strict=True)
    return pa.table(
        {
            "activity_id": [str(at) for at in range(len(rows))],
            "account_id": pa.array(accounts, pa.string()),
            "occurred_at": pa.array(moments, pa.timestamp("us", "UTC")),
            "direction": pa.array(ways, pa.string()),
            "status": pa.array(status, pa.string()),
        }
    )


def drawn_rows(seed: int, count: int) -> list[tuple]:
    draw = random.Random(seed)
    first = datetime(2026, 3, 25, tzinfo=UTC)
    return [
        (
            draw.choice(["A", "B", None]),
            first + timedelta(hours=draw.randrange(2500)),
            draw.choice(["in", "out", None]),
            draw.choice(["held", "open", "cancelled", None]),
        )
        for _ in range(count)
    ]


def took_place(rows) -> list[tuple]:
    first, end = datetime(2026, 4, 2, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    return [
        (account, way)
        for account, moment, way, status in rows
        if account and first <= moment < end and status in {"held", None}
    ]


def test_what_came_in_is_counted_by_account():
    rows = drawn_rows(5, 300)
    came = [account for account, way in took_place(rows) if way == "in"]
    found = _promise.came_in(*book(activity=activities(rows)), days=90)
    assert found.tolist() == [came.count(each) for each in "ABC"]


@pytest.mark.parametrize("seed", range(12))
def test_whether_any_says_which_way_it_went(engine, seed):
    rows = drawn_rows(seed, 4)
    span = Period.between(date(2026, 4, 2), date(2026, 7, 1))
    found = _promise.says_which_way(engine(activities(rows)), span, "UTC")
    assert found == any(way for _, way in took_place(rows))


def book(**tables: pa.Table) -> tuple[Portfolio, object]:
    portfolio = Portfolio.from_frames(
        as_of=AS_OF,
        currency="EUR",
        account=pa.table({"account_id": ["A", "B", "C"]}),
        revenue_line=pa.table(
            {
                "line_id": ["1"],
                "account_id": ["A"],
                "booked_on": pa.array([date(2026, 1, 5)]),
                "amount": [5.0],
            }
        ),
        **tables,
    )
    return portfolio, revenue_facts(
        portfolio, Period.last_months(12), None, needed_by="a test"
    )


def test_no_call_is_a_known_zero_where_calls_say_which_way_they_went():
    day = datetime(2026, 5, 5, tzinfo=UTC)
    calls = activities([("A", day, "in", "held"), ("B", day, "out", "held")])
    assert _promise.came_in(*book(activity=calls), days=90).tolist() == [1, 0, 0]
    ours = activities([("A", day, "out", "held")])
    assert _promise.came_in(*book(activity=ours), days=90).tolist() == [0, 0, 0]


def test_it_is_unknown_where_no_call_says_which_way_it_went():
    day = datetime(2026, 5, 5, tzinfo=UTC)
    calls = activities([("A", day, None, "held")])
    for given in (book(activity=calls), book()):
        assert np.isnan(_promise.came_in(*given, days=90)).all()


def test_the_last_days_end_with_the_period_and_not_today():
    """A month that is not over moves nothing: quiet nights."""
    moments = [datetime(2026, 6, 30, 23, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)]
    calls = activities([("A", each, "in", "held") for each in moments])
    assert _promise.came_in(*book(activity=calls), days=90)[0] == 1
    assert _promise.came_in(*book(activity=calls), days=91)[0] == 2


def rated(rows) -> pa.Table:
    accounts, criteria, values, by, on = zip(*rows, strict=True)
    return pa.table(
        {
            "account_id": accounts,
            "criterion": criteria,
            "value": pa.array(values, pa.float64()),
            "rated_by": pa.array(by, pa.string()),
            "rated_on": pa.array(on, pa.date32()),
        }
    )


def test_the_newest_judgement_counts_with_its_author_and_day():
    wallet = "share_of_wallet"
    ratings = rated(
        [
            ("A", wallet, 2, "U1", date(2025, 1, 1)),
            ("A", wallet, 7, "U2", date(2026, 1, 1)),
            ("A", "trust", 9, "U3", date(2026, 3, 1)),
            ("B", wallet, 4, None, None),
        ]
    )
    found = _promise.judged(*book(rating=ratings), wallet)
    assert found.value[:2].tolist() == [7, 4]
    assert np.isnan(found.value[2])
    assert found.rated_by.to_pylist() == ["U2", None, None]
    assert found.rated_on.to_pylist() == [date(2026, 1, 1), None, None]


def test_without_ratings_nobody_judged():
    found = _promise.judged(*book(), "share_of_wallet")
    assert np.isnan(found.value).all()
    assert found.rated_by.to_pylist() == found.rated_on.to_pylist() == [None] * 3
