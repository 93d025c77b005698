"""The least calls there are, told beforehand, and never more than allowed."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from crm_portfolio import samples, schema
from crm_portfolio.connectors._pace import Ceilings
from crm_portfolio.connectors.salesforce._bulk import Bulk
from crm_portfolio.connectors.salesforce._jobs import Patience
from crm_portfolio.errors import TransientError
from crm_portfolio.protocols import Change, Metered
from crm_portfolio.simulator import Salesforce as Simulator
from crm_portfolio.simulator.salesforce import Bulk as Jobs

ACCOUNTS, DEALS = 2_100, 4_001
START = datetime(2026, 7, 1, tzinfo=UTC)
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


def test_the_forecast_of_jobs_is_exact_where_they_take_as_long_as_we_assume(
    connected,
) -> None:
    tables = samples.book(accounts=ACCOUNTS, opportunities=DEALS).tables
    looks = Patience().looks(ACCOUNTS)
    assert looks == Patience().looks(DEALS) == 6
    with Simulator(tables, bulk=Jobs(polls=looks)) as org:
        crm = connected(org, bulk_from=1_000, bulk_page_rows=1_500)
        session, settings = crm._tables.session, crm._settings
        hasty = Patience(sleep=lambda _: None)
        crm._tables.reader._bulk = Bulk(session, settings, patience=hasty)
        forecast = crm.forecast(tuple(PAGES))
        pulled(crm)
        assert crm.calls == forecast.calls
        assert org.calls["GET jobs/query/{job}"] == 2 * looks


@pytest.mark.parametrize(
    ("rows", "looks"), [(0, 6), (20_000, 6), (100_000, 8), (400_000, 9), (10**9, 367)]
)
def test_a_longer_job_is_looked_at_more_often_though_ever_less(
    rows: int, looks: int
) -> None:
    assert Patience().looks(rows) == looks


EVERYTHING = (*PAGES, "opportunity_change", "activity", "ticket")
COUNTED = ("activity", "contact")
CALLS, MEETINGS, CASES = 2_400, 300, 150


@pytest.fixture(scope="module")
def _running_everything():
    book = samples.book(accounts=ACCOUNTS, opportunities=DEALS).tables
    accounts = book["account"]["account_id"].to_pylist()
    places = range(CALLS + MEETINGS)
    when = pa.array([datetime(2026, 3, 1, tzinfo=UTC)] * len(places))
    activity = {
        "activity_id": [f"V{place}" for place in places],
        "occurred_at": when,
        "account_id": [accounts[place % ACCOUNTS] for place in places],
        "kind": ["call" if place < CALLS else "meeting" for place in places],
        "status": ["held"] * len(places),
    }
    ticket = {
        "ticket_id": [f"T{place}" for place in range(CASES)],
        "opened_at": when[:CASES],
        "account_id": accounts[:CASES],
    }
    more = {"activity": pa.table(activity), "ticket": pa.table(ticket)}
    with Simulator({**book, **more}) as org:
        yield org


@pytest.fixture
def full_org(_running_everything):
    _running_everything.reset()
    return _running_everything


def in_pages(*counts: int) -> int:
    return sum(max(1, -(-count // 2_000)) for count in counts)


def test_with_history_activities_tickets_and_counts_a_pull_costs_the_minimum(
    full_org, connected
) -> None:
    """The rows of the call arithmetic, and those it lacks; log-in and identity too."""
    crm = connected(full_org, tables=EVERYTHING, counts=COUNTED, bulk="never")
    forecast = crm.forecast(EVERYTHING)
    asking = forecast.steps["count"]
    cursors = pulled(crm)
    held = full_org.snapshot()
    history = len(held["OpportunityHistory"])
    assert (len(held["Task"]), len(held["Event"])) == (CALLS, MEETINGS)
    pages = in_pages(ACCOUNTS, DEALS, history, 0, CALLS, MEETINGS, CASES)
    counting = 3 * in_pages(ACCOUNTS)  # Task, Event, Contact: a query for 2,000 groups
    few, log_in, identity, describes = 2, 1, 1, 7
    minimum = pages + counting + few + log_in + identity + describes
    assert crm.calls - asking <= minimum + 5
    assert abs(forecast.calls - crm.calls) <= 1  # a neighbour's log-in
    # An increment: what changed, what was deleted, what changes without a trace.
    full_org.clock.advance(3_600)
    before = crm.calls
    for table, cursor in cursors.items():
        list(crm.pull(table, since=cursor))
    changed, deleted, few = 7, 5, 2
    volatile = in_pages(ACCOUNTS, DEALS) + counting
    assert crm.calls - before <= changed + deleted + few + volatile + 5


@pytest.mark.parametrize("count", [1, 200, 450, 2_100])
def test_writing_costs_a_read_for_2000_and_a_call_for_200(
    book_org, connected, count
) -> None:
    crm = connected(book_org)
    list(crm.provision(schema.MANAGED["account"], dry_run=False))
    ids = sorted(book_org.ids("account").values())[:count]
    crm = connected(book_org)
    forecast = crm.write_forecast(count)
    batches = -(-count // 2_000)
    assert forecast.calls <= 1 + 2 + 1 + 1 + 2 * batches + -(-count // 200)
    assert crm.calls == 0
    for start in range(0, count, size := crm.write_batch(count)):
        part = ids[start : start + size]
        crm.read("account", part, ["tier"])
        changes = [Change(record, "tier", None, "B") for record in part]
        states = {outcome.state for outcome in crm.write("account", changes)}
        assert states == {"written"}
        assert not len(crm.edits("account", part, ["tier"], since=START))
    assert forecast.calls - crm.calls in (0, 1)  # a neighbour's log-in
    assert crm.write_forecast(count).steps.keys() == {"re-read", "write", "history"}


def test_where_a_job_costs_less_a_batch_is_a_job_and_the_forecast_says_so(
    book_org, connected
) -> None:
    crm = connected(book_org)
    list(crm.provision(schema.MANAGED["account"], dry_run=False))
    few, many = 2_600, 2_601
    assert (crm.write_batch(few), crm.write_batch(many)) == (2_000, 20_000)
    assert crm.write_forecast(few).steps["write"] == 13
    steps = crm.write_forecast(5_000).steps
    make_fill_begin_delete, result_files = 4, 3
    looks = Patience().looks(5_000)
    assert steps["write"] == make_fill_begin_delete + looks + result_files < 25
    assert steps["re-read"] == 3
    assert crm.write_forecast(20_100).steps["write"] == 4 + 3 + 6 + 1
    assert connected(book_org, bulk="never").write_batch(many) == 2_000
    assert connected(book_org, bulk="always").write_batch(1) == 20_000
    # What is told is what is done, up to the looks and the lists of what went wrong.
    ids = sorted(book_org.ids("account").values())
    crm = connected(book_org, bulk="always")
    told = crm.write_forecast(len(ids)).steps["write"]
    crm.read("account", ids, ["tier"])
    before = crm.calls
    changes = [Change(record, "tier", None, "B") for record in ids]
    assert len(list(crm.write("account", changes))) == ACCOUNTS
    looked = book_org.calls["GET jobs/ingest/{job}"]
    spared = (Patience().looks(ACCOUNTS) - looked) + 2
    assert crm.calls - before == told - spared


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
