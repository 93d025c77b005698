"""The least calls there are, told beforehand, and never more than allowed."""

from __future__ import annotations

from contextlib import suppress

import pyarrow as pa
import pytest

from crm_portfolio import samples
from crm_portfolio.connectors._pace import Ceilings
from crm_portfolio.errors import TransientError
from crm_portfolio.protocols import Metered
from crm_portfolio.simulator import Salesforce as Simulator

ACCOUNTS, DEALS = 2_100, 4_001
PAGES = {"account": 2, "opportunity": 3, "stage": 1, "owner": 1}


@pytest.fixture(scope="module")
def _running_book():
    book = samples.book(accounts=ACCOUNTS, opportunities=DEALS)
    with Simulator(book.tables) as org:
        yield org


@pytest.fixture
def book_org(_running_book):
    _running_book.reset()
    return _running_book


def pulled(crm) -> dict:
    crm.org()
    cursors = {}
    for table in crm.tables():
        *_, last = crm.pull(table)
        cursors[table] = last.cursor
    return cursors


def test_a_whole_pull_costs_one_call_a_page_and_five_for_metadata(
    book_org, connected
) -> None:
    crm = connected(book_org)
    pulled(crm)
    identity, describes = 2, 2
    assert book_org.api_calls == sum(PAGES.values()) + identity + describes
    assert crm.calls - book_org.api_calls <= 1  # the log-in


def test_a_whole_pull_by_bulk_costs_a_job_its_polls_and_its_pages(
    book_org, connected
) -> None:
    crm = connected(book_org, bulk_from=1_000)
    pulled(crm)
    jobs, polls = 2, book_org.calls["GET jobs/query/{job}"]
    pages = book_org.calls["GET jobs/query/{job}/results"]
    assert book_org.calls["POST jobs/query"] == jobs
    assert pages == 2
    minimum = jobs + polls + pages + 1 + 1 + 2 + 2  # stage, owner, identity, describes
    assert book_org.api_calls <= minimum + 5
    assert "DELETE jobs/query/{job}" not in book_org.calls


def test_an_increment_costs_a_call_an_object_and_its_volatile_column(
    book_org, connected
) -> None:
    crm = connected(book_org)
    cursors = pulled(crm)
    book_org.clock.advance(3_600)
    before = book_org.api_calls
    for table, cursor in cursors.items():
        list(crm.pull(table, since=cursor))
    changed = {"account": 1, "opportunity": 1, "stage": 1, "owner": 1}
    deletions = {"account": 1, "opportunity": 1}
    volatile = {"account": PAGES["account"], "opportunity": PAGES["opportunity"]}
    minimum = sum(map(sum, (c.values() for c in (changed, deletions, volatile))))
    assert book_org.api_calls - before == minimum


@pytest.mark.parametrize("settings", [{}, {"bulk_from": 1_000}])
def test_the_forecast_is_near_and_counts_itself(book_org, connected, settings) -> None:
    crm = connected(book_org, **settings)
    assert isinstance(crm, Metered)
    assert crm.calls == 0
    forecast = crm.forecast(tuple(PAGES))
    assert forecast.steps["identity"] == 2
    assert forecast.steps["describe"] == 2
    assert forecast.steps["count"] == 2
    pulled(crm)
    assert crm.calls <= forecast.calls
    if not settings:
        assert forecast.calls - crm.calls <= 1  # a log-in that a neighbour has made
        told = {table: forecast.steps[table] for table in PAGES}
        assert told == PAGES


def test_the_forecast_of_an_increment(book_org, connected) -> None:
    crm = connected(book_org)
    cursors = pulled(crm)
    book_org.clock.advance(3_600)
    before = crm.calls
    forecast = crm.forecast(tuple(cursors), since=cursors)
    for table, cursor in cursors.items():
        list(crm.pull(table, since=cursor))
    fixed = forecast.steps.get("log-in", 0) + forecast.steps["identity"]
    assert crm.calls - before == forecast.calls - fixed - forecast.steps["describe"]


def test_a_ceiling_stops_a_pull_at_a_place_it_can_go_on_from(
    big_org, connected
) -> None:
    whole = pa.concat_tables(b.rows for b in connected(big_org).pull("account"))
    small = {"page_size": 500}
    crm = connected(big_org, ceilings=Ceilings(max_calls=8), **small)
    got = []
    pulling = crm.pull("account")
    with pytest.raises(TransientError, match="max_calls"):  # noqa: PT012
        while True:
            got.append(next(pulling))
    assert crm.calls == 8
    rest = connected(big_org, **small).pull("account", resume=got[-1].cursor)
    rows = pa.concat_tables(batch.rows for batch in (*got, *rest))
    assert rows.equals(whole)


@pytest.mark.parametrize("way", ["never", "always"])
def test_stopped_at_any_call_and_gone_on_elsewhere_the_rows_are_the_same(
    big_org, connected, way
) -> None:
    small = {"page_size": 1_000, "bulk_page_rows": 1_000, "bulk": way}
    unbroken = connected(big_org, **small)
    whole = pa.concat_tables(b.rows for b in unbroken.pull("account"))
    for most in range(1, unbroken.calls + 1):
        got, cursor = [], None
        stopped = connected(big_org, ceilings=Ceilings(max_calls=most), **small)
        with suppress(TransientError):
            for batch in stopped.pull("account"):
                got.append(batch.rows)
                cursor = batch.cursor
        assert stopped.calls <= most
        got += [
            b.rows for b in connected(big_org, **small).pull("account", resume=cursor)
        ]
        rows = pa.concat_tables(got)
        assert rows.num_rows == 4_321, most
        assert rows.sort_by("account_id").equals(whole.sort_by("account_id")), most


def test_tables_pulled_side_by_side_share_one_log_in(book_org, connected) -> None:
    from concurrent.futures import ThreadPoolExecutor

    crm = connected(book_org)
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda t: sum(len(b.rows) for b in crm.pull(t)), PAGES)
        assert list(found)[:2] == [ACCOUNTS, DEALS]
    assert book_org.calls.get("POST oauth2/token", 0) <= 1
    assert book_org.calls["GET sobjects/{object}/describe"] == 3
