"""Do the scans of costs, receivables, hours and sales add up as they do by hand?"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

import polars as pl
import pyarrow as pa
import pytest

from crm_portfolio._frames import from_arrow
from crm_portfolio.analysis import _facts
from crm_portfolio.analysis._facts import _attached
from crm_portfolio.analysis._facts._sold import as_sold
from crm_portfolio.portfolio import Period, Portfolio

AS_OF = date(2026, 6, 30)
SPAN = Period.last_months(12).at(AS_OF)
ENGINES = {
    "pandas": lambda table: from_arrow(table, "pandas"),
    "polars": lambda table: from_arrow(table, "polars"),
    "polars lazy": lambda table: pl.from_arrow(table).lazy(),
    "pyarrow": lambda table: table,
}
ACCOUNTS = ["A", "B", "C", None]


@pytest.fixture(params=ENGINES.values(), ids=ENGINES)
def engine(request):
    return request.param


def chance() -> random.Random:
    return random.Random(7)


def days(draw: random.Random, count: int, *, known: bool = True) -> list[date | None]:
    first = date(2025, 4, 1)
    found = [first + timedelta(days=draw.randrange(500)) for _ in range(count)]
    return [day if known or draw.random() < 0.8 else None for day in found]


def minor(amount: float | None) -> int:
    return int((Decimal(str(amount or 0)) * 100).to_integral_value(ROUND_HALF_EVEN))


def amounts(
    draw: random.Random, count: int, *, low: int = -20_000
) -> list[float | None]:
    found = [draw.randrange(low, 90_000) / 100 for _ in range(count)]
    return [amount if draw.random() < 0.9 else None for amount in found]


def found(table: pa.Table) -> dict[str, tuple[int, ...]]:
    return {
        row.pop("account_id"): tuple(row.values())
        for row in table.sort_by("account_id").to_pylist()
    }


def costs(lines) -> pa.Table:
    return _attached.line_costs(as_sold(lines, "net_revenue", 2), SPAN)


def test_the_cost_of_lines_and_who_says_it(engine):
    draw, n = chance(), 300
    lines = pa.table(
        {
            "account_id": [draw.choice(ACCOUNTS) for _ in range(n)],
            "booked_on": pa.array(days(draw, n, known=False), pa.date32()),
            "amount": pa.array(amounts(draw, n), pa.float64()),
            "cost": pa.array(amounts(draw, n, low=0), pa.float64()),
        }
    )
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in lines.to_pylist():
        day, amount, cost = row["booked_on"], row["amount"], row["cost"]
        if row["account_id"] is None or day is None or amount is None:
            continue
        if SPAN.start <= day < SPAN.end:
            own = sums[row["account_id"]]
            own[0] += minor(cost)
            own[1] += amount > 0
            own[2] += amount > 0 and cost is not None
    scanned = found(costs(engine(lines)))
    assert scanned == {account: tuple(own) for account, own in sums.items()}
    without = engine(lines.drop_columns(["cost"]))
    assert {own[0] for own in found(costs(without)).values()} == {0}


def test_costs_that_end_with_the_account(engine):
    draw, n = chance(), 300
    kinds = ["delivery", "exceptional", None]
    costs = pa.table(
        {
            "account_id": [draw.choice(ACCOUNTS) for _ in range(n)],
            "booked_on": pa.array(days(draw, n), pa.date32()),
            "amount": pa.array(amounts(draw, n, low=0), pa.float64()),
            "kind": pa.array([draw.choice(kinds) for _ in range(n)], pa.string()),
            "is_avoidable": pa.array(
                [draw.choice([True, False, None]) for _ in range(n)]
            ),
        }
    )
    sums: Counter[str] = Counter()
    for row in costs.to_pylist():
        is_now = SPAN.start <= row["booked_on"] < SPAN.end
        is_own = row["is_avoidable"] and row["kind"] != "exceptional"
        if row["account_id"] and is_now and is_own:
            sums[row["account_id"]] += minor(row["amount"])
    scanned = found(_attached.avoidable_costs(engine(costs), SPAN, 2))
    assert scanned == {account: (own,) for account, own in sums.items()}


def test_open_invoices_are_of_who_pays(engine):
    draw, n = chance(), 300
    invoices = pa.table(
        {
            "account_id": [draw.choice(ACCOUNTS[:3]) for _ in range(n)],
            "payer_id": pa.array([draw.choice(["B", None]) for _ in range(n)]),
            "paid_on": pa.array(days(draw, n, known=False), pa.date32()),
            "amount": pa.array(amounts(draw, n), pa.float64()),
            "open_amount": pa.array(amounts(draw, n, low=0), pa.float64()),
            "is_cancelled": pa.array([draw.choice([True, None]) for _ in range(n)]),
        }
    )
    sums: Counter[str] = Counter()
    for row in invoices.to_pylist():
        if row["paid_on"] is None and not row["is_cancelled"]:
            still = row["open_amount"]
            still = row["amount"] if still is None else still
            sums[row["payer_id"] or row["account_id"]] += minor(still)
    scanned = found(_attached.open_invoices(engine(invoices), 2))
    assert scanned == {account: (own,) for account, own in sums.items()}


def test_hours_are_summed_in_seconds(engine):
    draw, n = chance(), 200
    effort = pa.table(
        {
            "account_id": [draw.choice(ACCOUNTS[:3]) for _ in range(n)],
            "worked_on": pa.array(days(draw, n), pa.date32()),
            "minutes": [draw.randrange(1, 900) / 10 for _ in range(n)],
        }
    )
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in effort.to_pylist():
        if SPAN.start <= row["worked_on"] < SPAN.end:
            sums[row["account_id"]][0] += round(row["minutes"] * 60)
            sums[row["account_id"]][1] += 1
    scanned = found(_attached.seconds_worked(engine(effort), SPAN))
    assert scanned == {account: tuple(own) for account, own in sums.items()}


def test_without_time_sheets_hours_are_those_of_meetings_that_were_held(engine):
    """Days begin where the clocks of the org stand: Paris, an hour or two before UTC."""
    draw, n, zone = chance(), 300, "Europe/Paris"
    first = datetime(2025, 6, 28, tzinfo=UTC)
    edges = (datetime(2025, 6, 30, 22), datetime(2026, 6, 30, 22))
    start, end = (each.replace(tzinfo=UTC) for each in edges)
    moments = [first + timedelta(hours=draw.randrange(370 * 24)) for _ in range(n)]
    moments += [start, start - timedelta(seconds=1), end - timedelta(seconds=1), end]
    held = ["held", "cancelled", "open", None]
    activity = pa.table(
        {
            "account_id": [draw.choice(ACCOUNTS) for _ in range(n)] + ["D"] * 4,
            "occurred_at": pa.array(moments, pa.timestamp("us", "UTC")),
            "minutes": pa.array(
                [draw.choice([15.0, 30.5, None]) for _ in range(n)] + [1, 2, 4, 8],
                pa.float64(),
            ),
            "status": [draw.choice(held) for _ in range(n)] + ["held"] * 4,
        }
    )
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in activity.to_pylist():
        if row["minutes"] is None or row["status"] in {"cancelled", "open"}:
            continue
        if row["account_id"] and start <= row["occurred_at"] < end:
            sums[row["account_id"]][0] += round(row["minutes"] * 60)
            sums[row["account_id"]][1] += 1
    assert sums["D"] == [5 * 60, 2]
    scanned = found(_attached.seconds_met(engine(activity), SPAN, zone))
    assert scanned == {account: tuple(own) for account, own in sums.items()}
    everything = _attached.seconds_met(
        engine(activity), Period.all().at(date(2026, 7, 1)), zone
    )
    assert found(everything)["D"] == (15 * 60, 4)


@pytest.mark.parametrize("columns", [("minutes",), ("status",), ("account_id",)])
def test_meetings_are_scanned_where_the_source_lacks_a_column(engine, columns):
    day = datetime(2026, 1, 5, tzinfo=UTC)
    activity = pa.table(
        {
            "account_id": ["A"],
            "occurred_at": pa.array([day], pa.timestamp("us", "UTC")),
            "minutes": [30.0],
            "status": ["held"],
        }
    ).drop_columns(list(columns))
    scanned = _attached.seconds_met(engine(activity), SPAN, "UTC")
    assert scanned.num_rows == (1 if columns == ("status",) else 0)


def test_time_that_nobody_noted_is_unknown_and_time_sheets_win():
    day = datetime(2026, 1, 5, tzinfo=UTC)
    tables = {
        "account": pa.table({"account_id": ["A", "B"]}),
        "revenue_line": pa.table(
            {
                "line_id": ["1"],
                "account_id": ["A"],
                "booked_on": pa.array([date(2026, 1, 5)]),
                "amount": [5.0],
            }
        ),
        "activity": pa.table(
            {
                "activity_id": ["1", "2"],
                "account_id": ["A", "B"],
                "occurred_at": pa.array([day] * 2, pa.timestamp("us", "UTC")),
                "minutes": pa.array([30.0, None]),
            }
        ),
    }
    effort = pa.table(
        {
            "account_id": ["B"],
            "worked_on": pa.array([date(2026, 1, 5)]),
            "minutes": [90.0],
        }
    )

    def hours(**more: pa.Table) -> tuple[str | None, list[float | None]]:
        portfolio = Portfolio.from_frames(
            as_of=AS_OF, currency="EUR", **(tables | more)
        )
        facts = _facts.revenue_facts(
            portfolio, Period.last_months(12), None, needed_by="a test"
        )
        worked = _facts.worked(portfolio, facts)
        return worked.source, pa.array(worked.hours(), from_pandas=True).to_pylist()

    assert hours() == ("activity", [0.5, None])
    assert hours(effort=effort) == ("effort", [None, 1.5])
    silent = tables["activity"].slice(1)
    assert hours(activity=silent) == (None, [None, None])


def test_equal_open_sales_are_counted_together(engine):
    draw, n = chance(), 400
    sales = pa.table(
        {
            "opportunity_id": [str(at) for at in range(n)],
            "account_id": [draw.choice(ACCOUNTS) for _ in range(n)],
            "status": [draw.choice(["open", "open", "won", "lost"]) for _ in range(n)],
            "pipeline": pa.array(["p"] * n),
            "stage": pa.array([draw.choice(["s", "t", None]) for _ in range(n)]),
            "kind": pa.array([draw.choice(["new", "renewal", None]) for _ in range(n)]),
            "probability": pa.array([draw.choice([0.2, 0.5, None]) for _ in range(n)]),
            "amount": pa.array([draw.choice([10.5, 7.25, None]) for _ in range(n)]),
            "expected_close_on": pa.array(days(draw, n, known=False), pa.date32()),
        }
    )
    counts: Counter[tuple[object, ...]] = Counter()
    for row in sales.to_pylist():
        if row["status"] != "open":
            continue
        day, amount = row["expected_close_on"], row["amount"]
        month = -1 if day is None else day.year * 12 + day.month - 1
        odds = -1.0 if row["probability"] is None else row["probability"]
        counts[
            row["account_id"] or "",
            row["pipeline"],
            row["stage"] or "",
            row["kind"] or "",
            odds,
            -2 if day is not None and day < AS_OF else month,
            minor(amount),
            int(amount is not None),
        ] += 1
    scanned = _attached.open_sales(engine(sales), AS_OF, 2)
    rows = [tuple(row.values()) for row in scanned.to_pylist()]
    assert sorted(rows) == sorted((*key, count) for key, count in counts.items())


@pytest.mark.parametrize(
    "columns", [("probability",), ("kind", "stage"), ("expected_close_on", "amount")]
)
def test_sales_are_scanned_where_the_source_lacks_a_column(engine, columns):
    sales = pa.table(
        {
            "opportunity_id": ["1", "2", "3"],
            "account_id": ["A", "A", "B"],
            "status": ["open", "open", "won"],
            "stage": ["s", "s", "s"],
            "kind": ["new", "new", "new"],
            "probability": [0.5, 0.5, 0.5],
            "amount": [1.0, 1.0, 1.0],
            "expected_close_on": pa.array([date(2026, 9, 1)] * 3),
        }
    ).drop_columns(list(columns))
    scanned = _attached.open_sales(engine(sales), AS_OF, 2)
    assert scanned.equals(_attached.open_sales(sales, AS_OF, 2))
    assert scanned["count"].to_pylist() == [2]


def test_the_first_sale_won_is_the_one_entered_first(engine):
    moments = [datetime(2025, month, 3, tzinfo=UTC) for month in (5, 2, 1, 4)]
    sales = pa.table(
        {
            "opportunity_id": ["1", "2", "3", "4"],
            "account_id": pa.array(["A", "A", "A", None]),
            "status": ["won", "won", "lost", "won"],
            "created_at": pa.array(moments, pa.timestamp("us", "UTC")),
        }
    )
    (row,) = _attached.first_won(engine(sales)).to_pylist()
    assert (row["account_id"], row["entered_at"]) == ("A", moments[1])
    assert _attached.first_won(engine(sales.drop_columns(["created_at"]))).num_rows == 1


@pytest.mark.parametrize("backend", ["pandas", "polars", "pyarrow"])
def test_what_is_attached_stands_at_its_account(backend):
    day = pa.array([date(2026, 1, 5)] * 2)
    tables = {
        "account": pa.table({"account_id": ["B", "A", "C"]}),
        "revenue_line": pa.table(
            {
                "line_id": ["1", "2"],
                "account_id": ["B", "C"],
                "booked_on": day,
                "amount": [100.0, 50.0],
                "cost": [60.0, None],
            }
        ),
        "cost": pa.table(
            {
                "cost_id": ["1"],
                "account_id": ["B"],
                "booked_on": day[:1],
                "amount": [5.0],
                "kind": ["service"],
                "is_avoidable": [True],
            }
        ),
        "invoice": pa.table(
            {
                "invoice_id": ["1"],
                "account_id": ["C"],
                "issued_on": day[:1],
                "amount": [60.0],
            }
        ),
        "effort": pa.table(
            {"account_id": ["A"], "worked_on": day[:1], "minutes": [90.0]}
        ),
    }
    frames = {name: from_arrow(table, backend) for name, table in tables.items()}
    portfolio = Portfolio.from_frames(as_of=AS_OF, currency="EUR", **frames)
    facts = _facts.revenue_facts(portfolio, SPAN, None, needed_by="t")
    with_it = _facts.attached(portfolio, facts)
    assert with_it.line_cost.tolist() == [0, 60_00, 0]
    assert with_it.is_costed.tolist() == [False, True, False]
    assert with_it.avoidable.tolist() == [0, 5_00, 0]
    assert with_it.receivable.tolist() == [0, 0, 60_00]
    assert with_it.seconds.tolist() == [5400, 0, 0]
    assert with_it.has_effort.tolist() == [True, False, False]
    assert _facts.sales(portfolio, facts) is None


def test_tables_that_are_not_there_stay_unknown(invoiced):
    portfolio = invoiced(["A"], [("A", date(2026, 1, 5), 10.0)])
    facts = _facts.revenue_facts(portfolio, SPAN, None, needed_by="t")
    with_it = _facts.attached(portfolio, facts)
    assert with_it.receivable is None
    assert with_it.seconds is None
    assert not with_it.is_costed.any()
