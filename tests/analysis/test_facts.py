from __future__ import annotations

import random
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pytest

from crm_portfolio._frames import BACKENDS, from_arrow
from crm_portfolio._wording import sentence
from crm_portfolio.analysis import _facts, tiers
from crm_portfolio.analysis._facts import _revenue
from crm_portfolio.analysis._facts._days import by_day
from crm_portfolio.analysis._facts._lines import as_lines
from crm_portfolio.errors import MissingTableError
from crm_portfolio.portfolio import Period, Portfolio

YEAR = Period.last_months(12)
START, END, BEFORE = date(2025, 7, 1), date(2026, 7, 1), date(2024, 7, 1)
ACCOUNTS = [f"A{at}" for at in range(9)]


def random_lines(
    seed: int, *, nulls: bool
) -> list[tuple[str | None, date | None, float | None]]:
    chance = random.Random(seed)
    lines = []
    for _ in range(400):
        amount = chance.randrange(-50_000, 200_000) / 100
        day = BEFORE - timedelta(days=90) + timedelta(days=chance.randrange(820))
        account = chance.choice(ACCOUNTS[:-1])
        if nulls:
            account = chance.choice([account, account, None])
            amount = chance.choice([amount, amount, None])
            day = chance.choice([day, day, day, None])
        lines.append((account, day, amount))
    return lines


def by_hand(lines, account: str) -> dict[str, object]:
    """What the scan must find, one line at a time, in decimals."""
    own = [(day, amount) for who, day, amount in lines if who == account and day]
    now = [(day, amount) for day, amount in own if START <= day < END]
    before = [(day, amount) for day, amount in own if BEFORE <= day < START]
    until = [day for day, _ in own if day < END]
    undated = [who for who, day, _ in lines if who == account and not day]

    def minor(pairs) -> int:
        total = sum(
            (Decimal(str(amount)) for _, amount in pairs if amount is not None),
            Decimal(),
        )
        return int(total * 100)

    return {
        "revenue": minor(now),
        "lines": len(now) + len(undated),
        "known_lines": sum(amount is not None for _, amount in now),
        "months": len({(day.year, day.month) for day, _ in now}),
        "revenue_previous": minor(before),
        "lines_previous": len(before),
        "known_lines_previous": sum(amount is not None for _, amount in before),
        "first_on": min(until, default=None),
    }


def found(facts: _facts.RevenueFacts, account: str) -> dict[str, object]:
    of = facts.by_account
    at = of.ids.to_pylist().index(account)
    names = (
        "revenue",
        "lines",
        "known_lines",
        "months",
        "revenue_previous",
        "lines_previous",
        "known_lines_previous",
    )
    numbers = {name: int(getattr(of, name)[at]) for name in names}
    return numbers | {"first_on": of.first_on[at].item()}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("seed", [1, 2])
def test_revenue_lines_add_up_as_they_do_by_hand(invoiced, backend, seed):
    lines = [
        line for line in random_lines(seed, nulls=False) if line[1] <= date(2026, 6, 30)
    ]
    portfolio = invoiced(ACCOUNTS, lines, backend=backend)
    facts = _facts.revenue_facts(portfolio, YEAR, None, needed_by="test")
    assert facts.measure == "net_revenue"
    for account in ACCOUNTS:
        assert found(facts, account) == by_hand(lines, account)
    assert facts.rejected.num_rows == 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_opportunities_won_add_up_as_they_do_by_hand(booked, backend):
    lines = [
        line
        for line in random_lines(3, nulls=True)
        if line[1] is None or line[1] <= date(2026, 6, 30)
    ]
    facts = _facts.revenue_facts(
        booked(ACCOUNTS, lines, backend=backend), YEAR, None, needed_by="test"
    )
    assert facts.measure == "booked"
    for account in ACCOUNTS:
        assert found(facts, account) == by_hand(lines, account)


def test_lines_that_cannot_be_counted_are_listed_with_the_cause(booked):
    inside, outside = date(2026, 1, 5), date(2024, 1, 5)
    lines = [
        ("A", inside, 5.0),
        (None, inside, 7.25),
        ("A", None, 9.0),
        ("A", inside, None),
    ]
    lines += [(None, outside, 1.0), ("A", outside, None)]
    facts = _facts.revenue_facts(booked(["A"], lines), YEAR, None, needed_by="test")
    rejected = facts.rejected_table().to_pylist()
    assert [(row["record_id"], row["fault"], row["amount"]) for row in rejected] == [
        ("O00001", "without_account", 7.25),
        ("O00002", "without_date", 9.0),
        ("O00003", "without_amount", None),
    ]
    codes = {each.code: each.values for each in facts.warnings()}
    assert codes == {
        "amounts_unknown": {"lines": 2, "accounts": 1},
        "revenue_without_account": {"lines": 1, "revenue": 7.25, "currency": "EUR"},
    }
    assert facts.coverage == pytest.approx(1 / 3)


def test_amounts_that_lack_in_the_period_before_are_counted_apart(booked):
    now, before = date(2026, 1, 5), date(2025, 1, 5)
    lines = [("A", now, 5.0), ("A", before, None), ("A", before, 1.0)]
    lines += [("B", before, None), ("B", date(2023, 1, 5), None)]
    facts = _facts.revenue_facts(booked(["A", "B"], lines), YEAR, None, needed_by="x")
    (warning,) = facts.warnings()
    assert warning.code == "amounts_unknown_before"
    assert warning.values == {"lines": 2, "accounts": 2}
    assert "left unknown" in sentence(warning, "en")


@pytest.mark.parametrize("measure", ["net_revenue", "booked"])
def test_what_never_came_into_the_portfolio_is_warned_of(measure):
    early, day = date(2025, 8, 1), date(2026, 1, 5)
    rows = {
        "account_id": ["A", "A", "A", "gone"],
        "amount": [5.0, 7.0, 1.0, 2.0],
        "currency": ["EUR", "USD", "USD", "EUR"],
    }
    days = [day, early, day, day]
    won = {"opportunity_id": list("abcd"), "status": ["won"] * 4, "closed_on": days}
    billed = {"line_id": list("abcd"), "booked_on": days}
    named = ("opportunity", won) if measure == "booked" else ("revenue_line", billed)
    rates = {"currency": ["USD"], "base": ["EUR"], "from_on": [day], "rate": [0.9]}
    portfolio = Portfolio.from_frames(
        as_of=date(2026, 6, 30),
        currency="EUR",
        account=pa.table({"account_id": ["A"]}),
        exchange_rate=pa.table(rates),
        **{named[0]: pa.table({**named[1], **rows})},
    )
    found = tiers(portfolio)
    codes = {each.code: each.values for each in found.warnings}
    assert codes["left_out_without_rate"] == {"lines": 1, "currencies": "USD"}
    homeless = codes.get("left_out_of_unknown_accounts")
    # An opportunity stays without its account, and counts among the rejected.
    assert homeless == (None if measure == "booked" else {"lines": 1})
    said = sentence(found.warnings[0])
    assert said.startswith("1 line in USD of before the first exchange rate was left")


@pytest.mark.parametrize("status", ["open", "lost"])
def test_only_opportunities_won_are_bookings(booked, status):
    day = None if status == "open" else date(2026, 1, 5)
    portfolio = booked(["A"], [("A", day, 5.0)], status=status)
    facts = _facts.revenue_facts(portfolio, YEAR, None, needed_by="test")
    assert int(facts.by_account.lines.sum()) == 0
    assert facts.rejected.num_rows == 0


def test_the_measure_can_be_chosen(invoiced, booked):
    lines = [("A", date(2026, 1, 5), 5.0)]
    both = invoiced(["A"], lines).with_tables(
        opportunity=booked(["A"], [("A", date(2026, 1, 5), 8.0)])["opportunity"]
    )
    of = {
        measure: int(
            _facts.revenue_facts(both, YEAR, measure, needed_by="t").by_account.revenue[
                0
            ]
        )
        for measure in (None, "net_revenue", "booked")
    }
    assert of == {None: 500, "net_revenue": 500, "booked": 800}


def test_a_portfolio_without_revenue_names_the_table_it_lacks():
    portfolio = Portfolio.from_frames(
        as_of=date(2026, 6, 30), currency="EUR", account=pa.table({"account_id": ["A"]})
    )
    with pytest.raises(MissingTableError) as caught:
        _facts.revenue_facts(portfolio, YEAR, None, needed_by="tiers")
    assert (caught.value.table, caught.value.needed_by) == ("opportunity", "tiers")


@pytest.mark.parametrize("day", [START, END - timedelta(days=1)])
def test_both_ends_of_the_period_are_in_it(invoiced, day):
    facts = _facts.revenue_facts(
        invoiced(["A"], [("A", day, 1.0)]), YEAR, None, needed_by="t"
    )
    assert facts.by_account.lines.tolist() == [1]


def test_the_partial_month_at_the_end_is_not_in_the_period(invoiced):
    lines = [("A", date(2026, 5, 31), 1.0), ("A", date(2026, 6, 1), 2.0)]
    portfolio = invoiced(["A"], lines, as_of=date(2026, 6, 15))
    facts = _facts.revenue_facts(portfolio, YEAR, None, needed_by="t")
    assert facts.by_account.revenue.tolist() == [100]
    assert facts.period.end == date(2026, 6, 1)


def test_the_end_of_february_in_a_leap_year_closes_the_month(invoiced):
    lines = [
        ("A", date(2024, 2, 29), 1.0),
        ("B", date(2023, 11, 30), 1.0),
        ("C", date(2023, 12, 2), 1.0),
    ]
    portfolio = invoiced(["A", "B", "C"], lines, as_of=date(2024, 2, 29))
    facts = _facts.revenue_facts(portfolio, YEAR, None, needed_by="t")
    assert facts.period.end == date(2024, 3, 1)
    assert facts.by_account.lines.tolist() == [1, 1, 1]
    assert facts.is_young.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("first", "is_young"), [(date(2026, 4, 1), False), (date(2026, 4, 2), True)]
)
def test_an_account_is_young_under_three_months_before_the_end(
    invoiced, first, is_young
):
    portfolio = invoiced(["A"], [("A", first, 1.0), ("A", date(2026, 6, 1), 1.0)])
    facts = _facts.revenue_facts(portfolio, YEAR, None, needed_by="t")
    assert facts.is_young.tolist() == [is_young]


def test_the_period_before_is_known_only_if_the_book_reaches_back(invoiced):
    now, before = ("A", date(2026, 1, 5), 1.0), ("A", date(2025, 6, 30), 1.0)
    for lines, known in (([now], False), ([now, before], True), ([], False)):
        facts = _facts.revenue_facts(invoiced(["A"], lines), YEAR, None, needed_by="t")
        assert facts.has_previous is known
    everything = _facts.revenue_facts(
        invoiced(["A"], [now, before]), Period.all(), None, needed_by="t"
    )
    assert everything.has_previous is False
    assert everything.by_account.revenue.tolist() == [200]


def test_a_given_span_is_compared_with_as_many_days_before(invoiced):
    span = Period.between(date(2026, 1, 11), date(2026, 1, 21))
    lines = [
        ("A", date(2026, 1, day), float(10**at)) for at, day in enumerate((10, 1, 20))
    ]
    early = ("A", date(2025, 12, 31), 1000.0)
    facts = _facts.revenue_facts(
        invoiced(["A"], [*lines, early]), span, None, needed_by="t"
    )
    assert facts.by_account.revenue.tolist() == [10_000]
    assert facts.by_account.revenue_previous.tolist() == [1_100]


@pytest.mark.parametrize(
    ("currency", "minor"), [("EUR", 1050), ("JPY", 10), ("KWD", 10500)]
)
def test_money_is_counted_in_the_minor_unit_of_the_currency(invoiced, currency, minor):
    amount = 10.0 if currency == "JPY" else 10.5
    portfolio = invoiced(["A"], [("A", date(2026, 1, 5), amount)], currency=currency)
    facts = _facts.revenue_facts(portfolio, YEAR, None, needed_by="t")
    assert facts.by_account.revenue.tolist() == [minor]
    assert facts.amount(minor) == amount


def test_ten_thousand_dimes_are_a_thousand_to_the_cent(invoiced):
    portfolio = invoiced(["A"], [("A", date(2026, 1, 5), 0.1)] * 10_000)
    facts = _facts.revenue_facts(portfolio, YEAR, None, needed_by="t")
    assert facts.by_account.revenue.tolist() == [100_000]


LAZY = {
    "polars lazy": lambda table: pl.from_arrow(table).lazy(),
    "pandas": lambda table: from_arrow(table, "pandas"),
    "duckdb": lambda table: from_arrow(table, "duckdb"),
}


@pytest.mark.parametrize("engine", LAZY.values(), ids=LAZY)
@pytest.mark.parametrize("columns", [(), ("amount",), ("closed_on", "account_id")])
def test_every_engine_scans_alike_also_where_the_source_lacks_a_column(engine, columns):
    table = pa.table(
        {
            "opportunity_id": ["1", "2", "3", "4"],
            "account_id": pa.array(["a", "a", None, "b"]),
            "status": ["won", "won", "won", "lost"],
            "amount": pa.array([1.5, None, 2.25, 9.0]),
            "closed_on": pa.array([date(2026, month, 5) for month in (1, 2, 3, 3)]),
        }
    ).drop_columns(list(columns))
    span = YEAR.at(date(2026, 6, 30))

    def scanned(frame):
        lines = as_lines(frame, "booked", 2)
        days = by_day(lines)
        rows = _revenue._by_account(days, span, None).to_pylist()
        months = _revenue._months(days, span).sort_by("account_id").to_pylist()
        return rows, months, _revenue._rejected(lines, span).to_pylist()

    assert scanned(engine(table)) == scanned(table)


@pytest.mark.parametrize("backend", BACKENDS)
def test_quarters_add_up_as_they_do_by_hand(invoiced, backend):
    lines = [
        line for line in random_lines(4, nulls=False) if line[1] <= date(2026, 6, 30)
    ]
    portfolio = invoiced(ACCOUNTS, lines, backend=backend)
    facts = _facts.revenue_facts(portfolio, YEAR, None, needed_by="t")
    group_of = {"A0": "G", "A1": "G", "A2": "H"}
    each, totals = _facts.quarterly_revenue(portfolio, facts, group_of, quarters=8)
    starts = [date(2024 + (6 + 3 * q) // 12, (6 + 3 * q) % 12 + 1, 1) for q in range(9)]
    sums: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
    for account, day, amount in lines:
        for q in range(8):
            if starts[q] <= day < starts[q + 1]:
                sums["all", q] += Decimal(str(amount))
                sums[group_of.get(account, ""), q] += Decimal(str(amount))
    for group, found_there in (("G", each["G"]), ("H", each["H"]), ("all", totals)):
        assert found_there == [int(100 * sums[group, q]) for q in range(8)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_quarter_with_an_unknown_amount_has_no_sum(booked, backend):
    lines = [("A", date(2026, 1, 5), 1.0), ("A", date(2026, 2, 5), None)]
    lines += [("B", date(2026, 1, 6), 2.0), ("A", date(2026, 4, 5), 4.0)]
    lines += [("B", date(2026, 5, 5), None)]
    portfolio = booked(["A", "B"], lines, backend=backend)
    facts = _facts.revenue_facts(portfolio, YEAR, None, needed_by="t")
    found = _facts.quarterly_revenue(portfolio, facts, {"A": "A"}, quarters=3)
    assert found == ({"A": [0, None, 400]}, [0, None, None])


def test_the_last_quarter_ends_with_the_period(invoiced):
    """The book goes on to the as-of date, a few days beyond."""
    spring = Period.between(date(2026, 3, 1), date(2026, 6, 1))
    lines = [("A", date(2026, 5, 31), 1.0), ("A", date(2026, 6, 1), 10.0)]
    portfolio = invoiced([{"account_id": "A"}], lines)
    facts = _facts.revenue_facts(portfolio, spring, None, needed_by="t")
    found = _facts.quarterly_revenue(portfolio, facts, {"A": "A"}, quarters=2)
    assert found == ({"A": [0, 100]}, [0, 100])


def test_groups_are_those_of_the_ultimate_parents(invoiced):
    accounts = [
        {"account_id": "C", "parent_id": "B"},
        {"account_id": "A", "parent_id": None},
        {"account_id": "B", "parent_id": "A"},
        {"account_id": "D", "parent_id": "not here"},
    ]
    lines = [(each, date(2026, 1, 5), 1.0) for each in "ABCD"]
    facts = _facts.revenue_facts(invoiced(accounts, lines), YEAR, None, needed_by="t")
    groups, group_of = facts.groups()
    assert groups.ids.to_pylist() == ["A", "D"]
    assert groups.revenue.tolist() == [300, 100]
    assert group_of.tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("nulls", [False, True])
def test_months_add_up_to_what_the_period_holds(booked, nulls):
    portfolio = booked(ACCOUNTS, random_lines(7, nulls=nulls))
    facts = _facts.revenue_facts(portfolio, YEAR, None, needed_by="test")
    monthly = _facts.monthly_revenue(portfolio, facts)
    end = END.year * 12 + END.month - 1
    revenue, lines, known = monthly.between(end - 12, end)
    assert revenue.tolist() == facts.by_account.revenue.tolist()
    assert lines.tolist() == facts.by_account.lines.tolist()
    assert known.tolist() == facts.by_account.known_lines.tolist()
    before, _, _ = monthly.between(end - 24, end - 12)
    assert before.tolist() == facts.by_account.revenue_previous.tolist()


def test_a_month_is_found_in_every_backend(invoiced):
    lines = random_lines(8, nulls=False)
    found = []
    for backend in BACKENDS:
        portfolio = invoiced(ACCOUNTS, lines, backend=backend)
        facts = _facts.revenue_facts(portfolio, YEAR, None, needed_by="test")
        monthly = _facts.monthly_revenue(portfolio, facts)
        found.append([part.tolist() for part in monthly.between(0, 12 * 9999)])
    assert all(each == found[0] for each in found)
