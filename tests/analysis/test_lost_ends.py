"""What ended is prepared once, and each period is a part of it."""

from __future__ import annotations

from datetime import date

import attrs
import pyarrow as pa
import pytest

from crm_portfolio import Calendar, Period, Portfolio, samples
from crm_portfolio.analysis import (
    LostOpportunitiesSettings,
    WinBackSettings,
    lost_opportunities,
    win_back,
)
from crm_portfolio.analysis._lost._ends import ends_of

LONG = Period.between(date(2024, 7, 1), date(2026, 7, 1))
SHORT = Period.between(date(2026, 1, 1), date(2026, 4, 1))
USUAL = LostOpportunitiesSettings()


@pytest.fixture(scope="module")
def drawn():
    return samples.lost_book(opportunities=1_000, seed=3)


def portfolio(drawn, backend="pyarrow"):
    return Portfolio.from_frames(
        as_of=drawn.truths["as_of"],
        currency=drawn.truths["currency"],
        calendar=Calendar(drawn.truths["time_zone"]),
        backend=backend,
        **drawn.tables,
    )


def told(book, period):
    result = lost_opportunities(book, LostOpportunitiesSettings(period=period))
    return result.arrow, result.summary, result.records_arrow()


def opportunities(book):
    return book.arrow("opportunity").to_pylist()


@pytest.mark.parametrize("backend", ["pyarrow", "duckdb"])
def test_a_period_says_the_same_alone_and_as_a_part_of_a_longer_one(drawn, backend):
    alone = told(portfolio(drawn, backend), SHORT)
    book = portfolio(drawn, backend)
    whole = told(book, LONG)
    part = told(book, SHORT)

    assert part[0].equals(alone[0])
    assert part[1] == alone[1]
    assert part[2].equals(alone[2])
    assert 0 < part[2].num_rows < whole[2].num_rows


@pytest.mark.parametrize("backend", ["pyarrow", "duckdb"])
def test_numbers_beyond_belief_stop_nothing(drawn, backend):
    """Milliseconds where minutes are asked for, and stages that stand at their hashes."""
    tables = dict(drawn.tables)
    for table, column, odd in (
        ("activity", "minutes", lambda each: None if each is None else each * 6e7),
        ("stage", "position", lambda each: each + 2**40),
    ):
        rows = tables[table]
        at = rows.column_names.index(column)
        values = pa.array(map(odd, rows[column].to_pylist()), rows[column].type)
        tables[table] = rows.set_column(at, column, values)
    strange = portfolio(attrs.evolve(drawn, tables=tables), backend)
    plain = portfolio(drawn, backend)
    assert told_of(strange) == told_of(plain)
    assert win_back(strange).arrow.num_rows == win_back(plain).arrow.num_rows


def told_of(book):
    return lost_opportunities(book).summary["opportunities"]


def test_a_period_in_one_that_is_kept_is_not_prepared_again(drawn):
    book = portfolio(drawn)

    long = ends_of(book, LONG, USUAL)

    assert ends_of(book, SHORT, USUAL).clock is long.clock


def test_a_period_is_prepared_with_all_that_another_attempt_looks_back_on(drawn):
    """So that it does not matter which of the two is asked for first."""
    book = portfolio(drawn)

    short = ends_of(book, SHORT, USUAL)

    reach = WinBackSettings().reach(book.as_of)
    assert ends_of(book, reach, USUAL).clock is short.clock


def test_a_longer_period_is_prepared(drawn):
    book = portfolio(drawn)

    short = ends_of(book, SHORT, USUAL)

    longer = Period.between(date(2020, 7, 1), date(2026, 7, 1))
    assert ends_of(book, longer, USUAL).clock is not short.clock


def test_other_hours_of_work_are_prepared_apart(drawn):
    book = portfolio(drawn)
    late = LostOpportunitiesSettings(working_hours=(12, 20))

    usual = ends_of(book, LONG, USUAL)

    assert ends_of(book, LONG, late).clock is not usual.clock
    assert ends_of(book, LONG, USUAL).clock is usual.clock


def test_sales_are_the_records_that_were_lost_for_good(drawn):
    book = portfolio(drawn, "duckdb")
    result = lost_opportunities(book, LostOpportunitiesSettings(period=LONG))
    asked = ("pursued_lost", "missed_neglected")

    sales = result.losses.sales(*asked).sort_by("record_id")
    now = {row["opportunity_id"]: row["owner_id"] for row in opportunities(book)}
    asked_of = sales.select(["record_id", "owner_now"]).to_pylist()
    assert all(now[row["record_id"]] == row["owner_now"] for row in asked_of)
    sales = sales.drop_columns(["ordinal", "owner_now"])

    records = result.records_arrow(*asked)
    records = records.filter(
        [each == "opportunity" for each in records["record"].to_pylist()]
    )
    assert sales.num_rows > 0
    assert sales.combine_chunks().equals(
        records.select(sales.column_names).combine_chunks()
    )
