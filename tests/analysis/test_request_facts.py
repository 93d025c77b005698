"""Do the scans behind the exit review say what they say by hand, in every engine?"""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from crm_portfolio._frames import from_arrow
from crm_portfolio.analysis._facts import _ratings, _requests
from crm_portfolio.portfolio import Period

AS_OF = date(2026, 6, 30)
YEAR = Period.between(date(2025, 7, 1), date(2026, 7, 1))
TEXT, DAY, NUMBER, FLAG = pa.string(), pa.date32(), pa.float64(), pa.bool_()
MOMENT = pa.timestamp("us", "UTC")
ACCOUNTS = ["A", "B", "C", "D", "E"]
ENGINES = {
    "pandas": lambda table: from_arrow(table, "pandas"),
    "polars": lambda table: from_arrow(table, "polars"),
    "polars lazy": lambda table: pl.from_arrow(table).lazy(),
    "pyarrow": lambda table: table,
    "duckdb": lambda table: from_arrow(table, "duckdb"),
}


@pytest.fixture(params=ENGINES.values(), ids=ENGINES)
def engine(request):
    return request.param


def some_day(draw: random.Random) -> date:
    return date(2025, 1, 1) + timedelta(days=draw.randrange(600))


def made(rows: list[dict[str, Any]], **kinds: pa.DataType) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=pa.schema(kinds))


def by_account(found: pa.Table) -> dict[str, dict[str, Any]]:
    assert found["account_id"].to_pylist() == sorted(found["account_id"].to_pylist())
    return {row.pop("account_id"): row for row in found.to_pylist()}


def is_in_year(day: date) -> bool:
    return YEAR.start <= day < YEAR.end


def test_hours_on_special_requests_and_on_old_offers(engine):
    draw = random.Random(5)
    rows = [
        {
            "account_id": draw.choice(ACCOUNTS),
            "worked_on": some_day(draw),
            "minutes": draw.choice([15.0, 7.5, 90.0]),
            "kind": draw.choice(["visit", "export", "rush", None]),
            "product_id": draw.choice(["P1", "OLD", None]),
        }
        for _ in range(400)
    ]
    expected: dict[str, dict[str, Any]] = {}
    for account in ACCOUNTS:
        mine = [
            row
            for row in rows
            if row["account_id"] == account and is_in_year(row["worked_on"])
        ]
        special = [row for row in mine if row["kind"] in ("export", "rush")]
        expected[account] = {
            "seconds": sum(60 * row["minutes"] for row in mine),
            "special_seconds": sum(60 * row["minutes"] for row in special),
            "old_seconds": sum(
                60 * row["minutes"] for row in mine if row["product_id"] == "OLD"
            ),
            "named_seconds": sum(
                60 * row["minutes"] for row in mine if row["product_id"]
            ),
            "kinds": len({row["kind"] for row in mine if row["kind"]}),
            "special_kinds": len({row["kind"] for row in special}),
        }
    table = made(
        rows, account_id=TEXT, worked_on=DAY, minutes=NUMBER, kind=TEXT, product_id=TEXT
    )
    found = _requests.efforts_by_kind(
        engine(table), YEAR, special=("export", "rush"), obsolete=("OLD",)
    )
    assert by_account(found) == expected
    bare = _requests.efforts_by_kind(
        engine(table.select(["account_id", "worked_on", "minutes"])),
        YEAR,
        special=(),
        obsolete=(),
    )
    for row in by_account(bare).values():
        assert row["seconds"] > 0
        assert row["special_seconds"] == row["old_seconds"] == row["kinds"] == 0


def test_tickets_those_passed_upwards_and_how_content_the_account_was(engine):
    draw = random.Random(6)
    rows = [
        {
            "ticket_id": f"T{at}",
            "opened_at": datetime.combine(some_day(draw), datetime.min.time(), UTC)
            + timedelta(hours=draw.choice([0, 12, 23])),
            "account_id": draw.choice([*ACCOUNTS, None]),
            "is_escalated": draw.choice([True, False, None]),
            "satisfaction": draw.choice([1.0, 3.3, 5.0, None]),
        }
        for at in range(400)
    ]
    expected: dict[str, dict[str, int]] = {}
    for account in ACCOUNTS:
        mine = [
            row
            for row in rows
            # Midsummer in Paris: a day begins two hours before that of UTC.
            if row["account_id"] == account
            and is_in_year((row["opened_at"] + timedelta(hours=2)).date())
        ]
        told = [row["is_escalated"] for row in mine if row["is_escalated"] is not None]
        rated = [row["satisfaction"] for row in mine if row["satisfaction"] is not None]
        expected[account] = {
            "tickets": len(mine),
            "told": len(told),
            "escalated": sum(told),
            "rated": len(rated),
            "satisfied": sum(round(1_000_000 * each) for each in rated),
        }
    table = made(
        rows,
        ticket_id=TEXT,
        opened_at=MOMENT,
        account_id=TEXT,
        is_escalated=FLAG,
        satisfaction=NUMBER,
    )
    found = _requests.asked_of_us(engine(table), YEAR, "Europe/Paris")
    assert by_account(found) == expected


def sold(draw: random.Random) -> list[dict[str, Any]]:
    return [
        {
            "line_id": f"L{at}",
            "account_id": draw.choice(ACCOUNTS),
            "booked_on": some_day(draw),
            "kind": draw.choice(["invoice", "recurring", "discount", None]),
            "product_id": draw.choice(["P1", "P2", "P3", "P4", "P5", "P6", None]),
        }
        for at in range(60)
    ]


LINE = {
    "line_id": TEXT,
    "account_id": TEXT,
    "booked_on": DAY,
    "kind": TEXT,
    "product_id": TEXT,
}


@pytest.mark.parametrize("seed", range(4))
def test_old_offers_and_those_kept_for_one_account_only(engine, seed):
    rows = sold(random.Random(seed))
    old = ("P1", "P2", "P3")
    pairs = {
        (row["account_id"], row["product_id"])
        for row in rows
        if row["product_id"] in old
        and row["kind"] != "discount"
        and is_in_year(row["booked_on"])
    }
    expected: dict[str, dict[str, int]] = defaultdict(
        lambda: {"products": 0, "alone": 0}
    )
    for account, product in pairs:
        expected[account]["products"] += 1
        others = {each for each, bought in pairs if bought == product}
        expected[account]["alone"] += others == {account}
    found = _requests.old_offers(engine(made(rows, **LINE)), YEAR, old)
    assert by_account(found) == expected
    assert _requests.old_offers(engine(made(rows, **LINE)), YEAR, ()).num_rows == 0


@pytest.mark.parametrize("seed", range(4))
def test_offers_that_are_new_are_those_nobody_bought_before(engine, seed):
    rows, since = sold(random.Random(100 + seed)), date(2025, 2, 20)
    first: dict[str, date] = {}
    for row in rows:
        if row["product_id"] and row["booked_on"] < YEAR.end:
            day = first.get(row["product_id"], date.max)
            first[row["product_id"]] = min(day, row["booked_on"])
    pairs = {
        (row["account_id"], row["product_id"])
        for row in rows
        if row["product_id"]
        and first.get(row["product_id"], date.min) >= since
        and row["kind"] != "discount"
        and is_in_year(row["booked_on"])
    }
    found = _requests.new_offers(engine(made(rows, **LINE)), YEAR, since)
    assert {key: row["products"] for key, row in by_account(found).items()} == {
        account: sum(each == account for each, _ in pairs)
        for account in {account for account, _ in pairs}
    }


def test_projects_that_are_carried_together(engine):
    draw = random.Random(7)
    rows = [
        {
            "project_id": f"P{at}",
            "account_id": draw.choice([*ACCOUNTS, None]),
            "kind": draw.choice(["joint", "pilot", "repair", None]),
        }
        for at in range(60)
    ]
    table = made(rows, project_id=TEXT, account_id=TEXT, kind=TEXT)
    expected: dict[str, int] = defaultdict(int)
    for row in rows:
        if row["account_id"] and row["kind"] in ("joint", "pilot"):
            expected[row["account_id"]] += 1
    found = _requests.joint_projects(engine(table), ("joint", "pilot"))
    assert {key: row["projects"] for key, row in by_account(found).items()} == expected


def test_a_controversy_counts_until_so_long_after_its_last_day(engine):
    rows = [
        {"event_id": "1", "account_id": "A", "kind": "controversy", "from_on": AS_OF},
        {
            "event_id": "2",
            "account_id": "B",
            "kind": "controversy",
            "from_on": date(2024, 1, 1),
            "to_on": date(2025, 7, 1),
        },
        {
            "event_id": "3",
            "account_id": "C",
            "kind": "controversy",
            "from_on": date(2024, 1, 1),
        },
        {"event_id": "4", "account_id": "D", "kind": "fair", "from_on": AS_OF},
        {
            "event_id": "5",
            "account_id": "E",
            "kind": "controversy",
            "from_on": AS_OF + timedelta(days=1),
        },
        {"event_id": "6", "kind": "controversy", "from_on": AS_OF},
    ]
    table = made(
        rows, event_id=TEXT, account_id=TEXT, kind=TEXT, from_on=DAY, to_on=DAY
    )
    found = _requests.controversies(
        engine(table), ("controversy",), as_of=AS_OF, days=365
    )
    assert by_account(found) == {
        "A": {"last_on": AS_OF},
        "B": {"last_on": date(2025, 7, 1)},
    }


def test_contracts_that_run_and_how_long_they_bind(engine):
    draw = random.Random(8)
    rows = [
        {
            "contract_id": f"C{at}",
            "account_id": draw.choice(ACCOUNTS),
            "starts_on": some_day(draw),
            "ends_on": draw.choice([some_day(draw), None]),
            "notice_days": draw.choice([30, 90, None]),
            "auto_renews": draw.choice([True, False, None]),
        }
        for at in range(40)
    ]
    expected: dict[str, dict[str, Any]] = {}
    for row in rows:
        goes_on = bool(row["auto_renews"]) or row["ends_on"] is None
        if row["starts_on"] > AS_OF or not (goes_on or row["ends_on"] >= AS_OF):
            continue
        own = expected.setdefault(
            row["account_id"],
            {"running": 0, "open_ended": 0, "ends_on": None, "notice_days": None},
        )
        own["running"] += 1
        own["open_ended"] += goes_on
        for name in ("ends_on", "notice_days"):
            known = [each for each in (own[name], row[name]) if each is not None]
            own[name] = max(known, default=None)
    table = made(
        rows,
        contract_id=TEXT,
        account_id=TEXT,
        starts_on=DAY,
        ends_on=DAY,
        notice_days=pa.int64(),
        auto_renews=FLAG,
    )
    assert by_account(_requests.bound_until(engine(table), AS_OF)) == expected


def test_who_contradicts_himself_on_one_day(engine):
    draw = random.Random(9)
    rows = [
        {
            "account_id": draw.choice(ACCOUNTS),
            "criterion": draw.choice(["vision", "ethics", "weather"]),
            "value": float(draw.randrange(11)),
            "rated_by": draw.choice(["U1", "U2", None]),
            "rated_on": draw.choice([AS_OF, date(2026, 5, 1), None]),
        }
        for _ in range(150)
    ]
    said: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    for row in rows:
        if row["criterion"] != "weather":
            names = ("account_id", "criterion", "rated_by", "rated_on")
            said[tuple(row[name] for name in names)].append(row["value"])
    table = made(
        rows, account_id=TEXT, criterion=TEXT, value=NUMBER, rated_by=TEXT, rated_on=DAY
    )

    def nulls_last(item: tuple[tuple[Any, ...], list[float]]) -> list[Any]:
        return [(part is None, str(part)) for part in item[0]]

    found = _ratings.contradictions(engine(table), ("vision", "ethics"))
    assert [tuple(row.values()) for row in found.to_pylist()] == [
        (*key, min(each), max(each))
        for key, each in sorted(said.items(), key=nulls_last)
        if min(each) < max(each)
    ]
    counted = _ratings.criteria_rated(engine(table)).to_pylist()
    assert {row["criterion"]: row["ratings"] for row in counted} == {
        name: sum(row["criterion"] == name for row in rows)
        for name in ("ethics", "vision", "weather")
    }
