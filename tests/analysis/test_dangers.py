"""Do the scans behind the risk level say what they say by hand, whatever holds the frame?"""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from crm_portfolio._frames import from_arrow
from crm_portfolio.analysis._facts import _dangers
from crm_portfolio.analysis._facts._days import by_day
from crm_portfolio.analysis._facts._lines import as_lines

AS_OF, START = date(2026, 6, 30), date(2025, 7, 1)
ENGINES = {
    "pandas": lambda table: from_arrow(table, "pandas"),
    "polars": lambda table: from_arrow(table, "polars"),
    "polars lazy": lambda table: pl.from_arrow(table).lazy(),
    "pyarrow": lambda table: table,
}
ACCOUNTS = ["A", "B", "C", "D"]


@pytest.fixture(params=ENGINES.values(), ids=ENGINES)
def engine(request):
    return request.param


def day(draw: random.Random, known: float = 1.0, *, span: int = 900) -> date | None:
    found = date(2024, 6, 1) + timedelta(days=draw.randrange(span))
    return found if draw.random() < known else None


def rows_of(found: pa.Table) -> dict[str, dict[str, Any]]:
    return {row.pop("account_id"): row for row in found.to_pylist()}


def test_purchases_after_a_day_of_ones_own(engine):
    draw = random.Random(1)
    rows = [
        {
            "line_id": f"L{at}",
            "account_id": draw.choice([*ACCOUNTS, None]),
            "booked_on": day(draw, 0.9, span=40),
            "amount": draw.choice([5.0, -5.0, 12.5, None]),
        }
        for at in range(400)
    ]
    since = {"A": date(2024, 6, 10), "C": date(2024, 6, 20), "D": date(2024, 8, 1)}
    until = date(2024, 7, 1)
    amounts: dict[tuple[str, date], list[float | None]] = defaultdict(list)
    for row in rows:
        account, on = row["account_id"], row["booked_on"]
        if account in since and on and since[account] < on <= until:
            amounts[account, on].append(row["amount"])
    expected: dict[str, int] = defaultdict(int)
    for (account, _), each in amounts.items():
        expected[account] += None in each or sum(each) > 0
    kinds = pa.schema(
        {
            "line_id": pa.string(),
            "account_id": pa.string(),
            "booked_on": pa.date32(),
            "amount": pa.float64(),
        }
    )
    lines = as_lines(engine(pa.Table.from_pylist(rows, schema=kinds)), "net_revenue", 2)
    asked = pa.table(
        {
            "account_id": list(since),
            "since_on": pa.array(list(since.values()), pa.date32()),
        }
    )
    found = rows_of(_dangers.bought_again(by_day(lines), asked, until=until))
    assert {key: row["days"] for key, row in found.items()} == {
        key: n for key, n in expected.items() if n
    }


def test_which_contract_ends_next_with_nothing_behind_it(engine):
    draw, rows = random.Random(3), []
    for at in range(120):
        starts = day(draw)
        ends = starts + timedelta(days=draw.randrange(400))
        rows.append(
            {
                "contract_id": f"C{at}",
                "account_id": f"{draw.randrange(60):02}",
                "starts_on": starts,
                "ends_on": ends if draw.random() < 0.9 else None,
                "auto_renews": draw.choice([True, False, False, None]),
            }
        )
    expected: dict[str, dict[str, Any]] = {}
    for row in rows:
        own = expected.setdefault(
            row["account_id"],
            {"running": 0, "begun_on": None}
            | {"ending_on": None, "overlapped_on": None},
        )
        starts, ends = row["starts_on"], row["ends_on"]
        if starts <= AS_OF:
            own["begun_on"] = max(own["begun_on"] or starts, starts)
        goes_on = bool(row["auto_renews"]) or ends is None
        own["running"] += starts <= AS_OF and (goes_on or ends >= AS_OF)
        followers = [
            each
            for each in rows
            if each["account_id"] == row["account_id"]
            and ends is not None
            and each["starts_on"] >= ends
        ]
        others = any(
            each["starts_on"] <= AS_OF
            and (each["auto_renews"] or (each["ends_on"] or AS_OF) >= AS_OF)
            for each in rows
            if each["account_id"] == row["account_id"]
        )
        is_near = ends is not None and ends >= AS_OF - timedelta(
            days=0 if others else 90
        )
        if not goes_on and is_near and not followers:
            kind = "overlapped_on" if is_overlapped(row, rows) else "ending_on"
            own[kind] = min(own[kind] or ends, ends)
    table = pa.Table.from_pylist(rows)
    found = rows_of(
        _dangers.contracts(engine(table), as_of=AS_OF, lapsed_days=90, early_days=120)
    )
    assert found == expected
    assert 5 < sum(own["ending_on"] is not None for own in expected.values()) < 55
    assert sum(own["overlapped_on"] is not None for own in expected.values()) > 2


def is_overlapped(row: dict[str, Any], rows: list[dict[str, Any]]) -> bool:
    """Whether one that began in its last 120 days goes on beyond its end."""
    starts, ends = row["starts_on"], row["ends_on"]
    return any(
        each["account_id"] == row["account_id"]
        and each["starts_on"] > starts
        and each["starts_on"] >= ends - timedelta(days=120)
        and (each["auto_renews"] or (each["ends_on"] or date.max) > ends)
        for each in rows
    )


def test_open_renewals_and_sales_that_do_not_say(engine):
    draw = random.Random(4)
    rows = [
        {
            "opportunity_id": f"O{at}",
            "account_id": draw.choice([*ACCOUNTS, None]),
            "status": draw.choice(["open", "won", "lost"]),
            "kind": draw.choice(["renewal", "new", "expansion", None]),
        }
        for at in range(200)
    ]
    expected: dict[str, dict[str, int]] = {}
    for row in rows:
        if row["account_id"] and row["status"] == "open":
            own = expected.setdefault(row["account_id"], {"renewals": 0, "unsorted": 0})
            own["renewals"] += row["kind"] == "renewal"
            own["unsorted"] += row["kind"] is None
    table = pa.Table.from_pylist(rows)
    assert rows_of(_dangers.open_renewals(engine(table))) == expected
    silent = rows_of(_dangers.open_renewals(engine(table.drop_columns(["kind"]))))
    assert {own["renewals"] for own in silent.values()} == {0}


def test_the_newest_renewal_that_was_won(engine):
    draw = random.Random(6)
    rows = [
        {
            "opportunity_id": f"O{at}",
            "account_id": draw.choice([*ACCOUNTS, None]),
            "status": draw.choice(["open", "won", "lost"]),
            "kind": draw.choice(["renewal", "new", None]),
            "closed_on": day(draw, 0.9),
        }
        for at in range(200)
    ]
    expected: dict[str, dict[str, date]] = {}
    for row in rows:
        is_won = (row["status"], row["kind"]) == ("won", "renewal")
        if row["account_id"] and is_won and row["closed_on"]:
            own = expected.setdefault(row["account_id"], {"won_on": row["closed_on"]})
            own["won_on"] = max(own["won_on"], row["closed_on"])
    table = pa.Table.from_pylist(rows)
    assert rows_of(_dangers.won_renewals(engine(table))) == expected
    assert len(expected) == 4
    silent = _dangers.won_renewals(engine(table.drop_columns(["kind"])))
    assert silent.num_rows == 0


def test_the_newest_rating_of_each_rater(engine):
    draw = random.Random(5)
    rows = [
        {
            "account_id": draw.choice(ACCOUNTS),
            "criterion": draw.choice(["relationship", "sanctions", "reputation"]),
            "value": float(draw.randrange(11)),
            "rated_by": draw.choice(["U1", "U2", None]),
            "rated_on": day(draw, 0.8, span=20),
        }
        for _ in range(300)
    ]
    newest: dict[tuple[str, ...], tuple[date, float]] = {}
    for row in rows:
        if row["criterion"] == "reputation":
            continue
        key = (row["account_id"], row["criterion"], row["rated_by"] or "")
        on, value = row["rated_on"] or date(1, 1, 1), row["value"]
        known = newest.get(key, (date(1, 1, 1), 11.0))
        if on > known[0] or (on == known[0] and value < known[1]):
            newest[key] = (on, value)
    table = pa.Table.from_pylist(rows)
    found = _dangers.ratings(engine(table), ("relationship", "sanctions"))
    keys = ("account_id", "criterion", "rated_by")
    assert [tuple(row[key] for key in keys) for row in found.to_pylist()] == sorted(
        newest
    )
    for row in found.to_pylist():
        key = tuple(row[each] for each in keys)
        assert (row["rated_on"], row["value"]) == newest[key]
