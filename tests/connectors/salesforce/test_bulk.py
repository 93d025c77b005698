"""A large object comes whole, exact and in order, or it is said why not."""

from __future__ import annotations

import gzip
import json
import threading
from contextlib import suppress
from datetime import UTC, date, datetime

import attrs
import pyarrow as pa
import pytest

from crm_portfolio.connectors._pace import Ceilings
from crm_portfolio.connectors._retry import QuotaSpentError, RetrySettings
from crm_portfolio.connectors.salesforce import SalesforceSettings, SessionToken
from crm_portfolio.connectors.salesforce._bulk import (
    Bulk,
    BulkPlace,
    BulkRefusedError,
    PlaceLostError,
    QueryTooLargeError,
)
from crm_portfolio.connectors.salesforce._csv import columns_of
from crm_portfolio.connectors.salesforce._jobs import Patience
from crm_portfolio.connectors.salesforce._login import login_from
from crm_portfolio.connectors.salesforce._session import Session
from crm_portfolio.errors import (
    ConnectorError,
    LoginError,
    RightMissingError,
    TransientError,
)
from crm_portfolio.simulator import Fault
from crm_portfolio.simulator import Salesforce as Simulator
from crm_portfolio.simulator.salesforce._jobs import Bulk as Jobs

IMPATIENT = RetrySettings(attempts=3, first_wait_seconds=0.0)
EAGER = Patience(first_seconds=0.0)
KINDS = {
    "Id": "id",
    "Name": "string",
    "Amount": "currency",
    "IsWon": "boolean",
    "CloseDate": "date",
    "SystemModstamp": "datetime",
}
SOQL = "SELECT Id, Name, Amount, IsWon, CloseDate, SystemModstamp FROM Opportunity"
ODD = 'line one\nline "two", and\r\nthree; ü 会社 NA'
NAMES = ["NA", "null", "None", "#N/A", "nan", ODD, "plain"]
ROWS = 61
PAGE = 8  # so there are eight pages, more than come one by one


def deals() -> dict[str, pa.Table]:
    places = range(ROWS)
    return {
        "account": pa.table({"account_id": ["A0"], "name": ["Acme"]}),
        "opportunity": pa.table(
            {
                "opportunity_id": [f"O{place:03}" for place in places],
                "account_id": ["A0" for _ in places],
                "name": [NAMES[place % len(NAMES)] for place in places],
                "status": ["won" if place % 3 else "open" for place in places],
                "amount": [None if place % 5 == 0 else place / 4 for place in places],
                "closed_on": [date(2026, 1, 1 + place % 28) for place in places],
                "created_at": [datetime(2025, 1, 1, tzinfo=UTC) for _ in places],
            }
        ),
    }


@pytest.fixture(scope="module")
def _running():
    with Simulator(deals(), currency="EUR", bulk=Jobs(page_rows=PAGE)) as running:
        yield running


@pytest.fixture
def org(_running):
    _running.reset()
    return _running


def bulk(org, *, patience=EAGER, **settings) -> Bulk:
    settings = {"retry": IMPATIENT, "bulk_page_rows": PAGE, **settings}
    chosen = SalesforceSettings(**settings)
    session = Session(login_from(org.environment), chosen)
    return Bulk(session, chosen, patience=patience)


def whole(pages) -> pa.Table:
    return pa.concat_tables([page.rows for page in pages])


def ordered(rows: pa.Table) -> list[dict]:
    return sorted(rows.to_pylist(), key=lambda row: row["Id"])


def truth(org) -> list[dict]:
    found = []
    for record_id, record in sorted(org.snapshot(audit=True)["Opportunity"].items()):
        said = {name: record.get(name) for name in KINDS if name != "Id"}
        said["SystemModstamp"] = said["SystemModstamp"].replace(tzinfo=UTC)
        found.append({"Id": record_id, **said})
    return found


def calls(org, route: str) -> int:
    return sum(count for name, count in org.calls.items() if name.endswith(route))


def test_every_row_comes_as_it_is_typed_by_its_field(org) -> None:
    rows = whole(bulk(org).pages(SOQL, kinds=KINDS))
    assert rows.schema == pa.schema(
        [
            ("Id", pa.string()),
            ("Name", pa.string()),
            ("Amount", pa.float64()),
            ("IsWon", pa.bool_()),
            ("CloseDate", pa.date32()),
            ("SystemModstamp", pa.timestamp("us", "UTC")),
        ]
    )
    assert ordered(rows) == truth(org)
    assert {row["Name"] for row in rows.to_pylist()} == set(NAMES)


def test_many_pages_cost_a_listing_for_each_five_and_nothing_is_left(org) -> None:
    reader = bulk(org)
    assert len(list(reader.pages(SOQL, kinds=KINDS))) == 8
    assert org.calls == {
        "POST oauth2/token": 1,
        "POST jobs/query": 1,
        "GET jobs/query/{job}": 2,
        "GET jobs/query/{job}/resultPages": 2,
        "GET jobs/query/{job}/results": 8,
        "DELETE jobs/query/{job}": 1,
    }
    assert reader._session.calls == sum(org.calls.values())


def test_few_pages_come_one_after_the_other_and_are_not_listed(org) -> None:
    pages = list(bulk(org, bulk_page_rows=16).pages(SOQL, kinds=KINDS))
    assert [page.rows.num_rows for page in pages] == [16, 16, 16, 13]
    assert calls(org, "resultPages") == 0
    assert ordered(whole(pages)) == truth(org)


def test_one_page_and_many_give_the_same_rows(org) -> None:
    one_page = bulk(org, bulk_page_rows=ROWS).pages(SOQL, kinds=KINDS)
    many = bulk(org).pages(SOQL, kinds=KINDS)
    assert ordered(whole(one_page)) == ordered(whole(many))


def test_a_result_without_rows_is_one_page_with_its_columns(org) -> None:
    (page,) = bulk(org).pages(SOQL + " WHERE Name = 'nobody'", kinds=KINDS)
    assert (page.rows.num_rows, page.place) == (0, None)
    assert page.rows.column_names == list(KINDS)


def test_a_field_of_a_parent_keeps_its_dot(org) -> None:
    soql = "SELECT Id, Account.Name FROM Opportunity"
    rows = whole(bulk(org).pages(soql, kinds={"Id": "id"}))
    assert rows.column_names == ["Id", "Account.Name"]
    assert set(rows["Account.Name"].to_pylist()) == {"Acme"}


def test_deleted_records_come_when_asked_for(org) -> None:
    gone = org.ids("opportunity")["O001"]
    org.delete("Opportunity", gone)
    soql = "SELECT Id, IsDeleted FROM Opportunity"
    kinds = {"IsDeleted": "boolean"}
    assert whole(bulk(org).pages(soql, kinds=kinds)).num_rows == ROWS - 1
    all_of_them = whole(bulk(org).pages(soql, kinds=kinds, with_deleted=True))
    assert [row for row in all_of_them.to_pylist() if row["IsDeleted"]] == [
        {"Id": gone, "IsDeleted": True}
    ]


# Faults


RESULTS = "GET jobs/query/{job}/results"
ROUTES = (
    "POST jobs/query",
    "GET jobs/query/{job}",
    "GET jobs/query/{job}/resultPages",
    RESULTS,
)


@pytest.mark.parametrize("page_rows", [PAGE, 16])
@pytest.mark.parametrize(
    "kind",
    [
        "csv_with_bom",
        "csv_with_crlf",
        "csv_with_null_bytes",
        "csv_without_charset",
        "truncated",
        "reset",
        "empty",
        "undecodable",
        "server_error",
        "bad_gateway",
        "unavailable",
        "gateway_timeout",
        "expired",
        "dead_locator",
        "fewer_rows",
        "empty_page",
    ],
)
def test_whatever_happens_to_a_page_the_rows_are_the_same(org, kind, page_rows) -> None:
    org.fault(Fault(route=RESULTS, at_call=2, kind=kind))
    pages = bulk(org, bulk_page_rows=page_rows).pages(SOQL, kinds=KINDS)
    assert ordered(whole(pages)) == truth(org)


@pytest.mark.parametrize("kind", ["expired", "reset", "unavailable", "truncated"])
@pytest.mark.parametrize("route", ROUTES)
def test_every_step_is_tried_again_and_renewed(org, route, kind) -> None:
    org.fault(Fault(route=route, at_call=1, kind=kind))
    assert ordered(whole(bulk(org).pages(SOQL, kinds=KINDS))) == truth(org)
    assert org.calls["POST oauth2/token"] == (2 if kind == "expired" else 1)


@pytest.mark.parametrize("route", ROUTES)
def test_a_session_that_stays_refused_ends_in_a_log_in_error(org, route) -> None:
    org.fault(Fault(route=route, at_call=1, kind="expired", calls=99))
    with pytest.raises(LoginError):
        list(bulk(org).pages(SOQL, kinds=KINDS))
    assert sum(org.calls.values()) < 20


def test_a_session_that_ends_while_pages_come_is_renewed_once_for_all(org) -> None:
    pages = bulk(org).pages(SOQL, kinds=KINDS)
    first = next(pages)
    org.expire_tokens()
    rows = pa.concat_tables([first.rows, whole(pages)])
    assert ordered(rows) == truth(org)
    assert org.calls["POST oauth2/token"] == 2


def test_a_spent_quota_ends_the_pages_and_the_place_serves_the_next_run(org) -> None:
    org.fault(Fault(route=RESULTS, at_call=3, kind="over_quota"))
    pages = bulk(org, bulk_page_rows=16).pages(SOQL, kinds=KINDS)
    came = [next(pages), next(pages)]
    with pytest.raises(QuotaSpentError):
        next(pages)
    rest = bulk(org, bulk_page_rows=16).pages(SOQL, kinds=KINDS, resume=came[-1].place)
    assert ordered(pa.concat_tables([whole(came), whole(rest)])) == truth(org)


def test_a_ceiling_of_calls_holds_for_jobs_too(org) -> None:
    reader = bulk(org, ceilings=Ceilings(max_calls=6))
    with pytest.raises(QuotaSpentError, match="max_calls = 6"):
        list(reader.pages(SOQL, kinds=KINDS))
    assert sum(org.calls.values()) == reader._session.calls == 6


# Going on


@pytest.mark.parametrize("page_rows", [PAGE, 16])
def test_behind_every_page_the_rest_can_be_had_by_another_process(
    org, page_rows
) -> None:
    unbroken = [
        (page.rows, page.place)
        for page in bulk(org, bulk_page_rows=page_rows).pages(SOQL, kinds=KINDS)
    ]
    for broken_after in range(1, len(unbroken)):
        pages = bulk(org, bulk_page_rows=page_rows).pages(SOQL, kinds=KINDS)
        came = [next(pages) for _ in range(broken_after)]
        pages.close()
        told = json.loads(json.dumps(attrs.asdict(came[-1].place)))
        rest = bulk(org, bulk_page_rows=page_rows, api_version="65.0").pages(
            SOQL, kinds=KINDS, resume=BulkPlace(**told)
        )
        both = [*came, *rest]
        assert [page.rows for page in both] == [rows for rows, _ in unbroken]


def test_a_job_stays_for_a_resume_and_goes_when_its_last_page_is_taken(org) -> None:
    pages = bulk(org).pages(SOQL, kinds=KINDS)
    next(pages)
    pages.close()
    assert calls(org, "DELETE jobs/query/{job}") == 0
    pages = bulk(org).pages(SOQL, kinds=KINDS)
    while next(pages).place is not None:
        pass
    assert calls(org, "DELETE jobs/query/{job}") == 0
    assert list(pages) == []
    assert calls(org, "DELETE jobs/query/{job}") == 1


def test_a_place_whose_job_is_gone_is_lost(org) -> None:
    pages = bulk(org).pages(SOQL, kinds=KINDS)
    place = next(pages).place
    list(pages)
    with pytest.raises(PlaceLostError, match="ask for it anew"):
        list(bulk(org).pages(SOQL, kinds=KINDS, resume=place))


@pytest.mark.parametrize("page_rows", [PAGE, 16])
def test_a_locator_that_stays_dead_costs_pages_but_no_row_and_none_twice(
    org, page_rows
) -> None:
    reader = bulk(org, bulk_page_rows=page_rows)
    pages = reader.pages(SOQL, kinds=KINDS)
    came = [next(pages) for _ in range(2)]
    pages.close()
    dead = attrs.evolve(came[-1].place, locator="bm8=")
    rest = reader.pages(SOQL, kinds=KINDS, resume=dead)
    assert ordered(pa.concat_tables([whole(came), whole(rest)])) == truth(org)
    with pytest.raises(PlaceLostError):
        list(
            reader.pages(SOQL, kinds=KINDS, resume=attrs.evolve(dead, rows_before=None))
        )


# Waiting


def test_a_job_is_looked_at_soon_and_then_ever_less_often(org) -> None:
    waits: list[float] = []
    patience = Patience(sleep=waits.append)
    with Simulator(deals(), bulk=Jobs(polls=12)) as slow:
        list(bulk(slow, patience=patience).pages(SOQL, kinds=KINDS))
    assert waits[:8] == [0.05 * 2**n for n in range(8)]
    assert waits[-2:] == [10.0, 10.0]


def test_a_job_that_never_ends_is_stopped_after_a_while(org) -> None:
    now = iter(range(10_000))
    patience = Patience(
        first_seconds=0.0, total_seconds=20.0, clock=lambda: float(next(now))
    )
    org.fault(Fault(route="POST jobs/query", at_call=1, kind="job_never_completes"))
    with pytest.raises(TransientError, match="not done after") as caught:
        list(bulk(org, patience=patience).pages(SOQL, kinds=KINDS))
    assert caught.value.code == "JOB_TIMEOUT"
    assert calls(org, "PATCH jobs/query/{job}") == 1


# Refusals


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT Id FROM CaseStatus",
        "SELECT Id, BillingAddress FROM Account",
        "SELECT Id, OldValue FROM OpportunityFieldHistory",
    ],
)
def test_what_bulk_does_not_serve_is_told_from_what_is_wrong(org, soql) -> None:
    with pytest.raises(BulkRefusedError, match="Bulk"):
        list(bulk(org).pages(soql, kinds={}))
    assert calls(org, "jobs/query") == 1


@pytest.mark.parametrize("limit", [{"query_jobs": 0}, {"result_kb": 0}])
def test_a_spent_allowance_of_jobs_is_a_reason_to_read_by_rest(limit) -> None:
    org = Simulator(deals(), bulk=Jobs(**limit))
    with org, pytest.raises(BulkRefusedError, match="allowance"):
        list(bulk(org).pages(SOQL, kinds=KINDS))


def test_a_query_that_takes_too_long_is_to_be_cut(org) -> None:
    org.rules.slow["Opportunity"] = 10
    with pytest.raises(QueryTooLargeError) as caught:
        list(bulk(org).pages(SOQL, kinds=KINDS))
    assert caught.value.code == "QUERY_TIMEOUT"


def test_a_query_that_needs_to_see_all_is_for_rest(org) -> None:
    org.rules.large["Opportunity"] = 10
    org.revoke_right("View All Data")
    with pytest.raises(BulkRefusedError, match="does not serve"):
        list(bulk(org).pages(SOQL, kinds=KINDS))


def test_a_job_that_fails_says_why_and_not_in_the_words_of_the_vendor(org) -> None:
    org.fault(Fault(route="POST jobs/query", at_call=1, kind="job_fails"))
    with pytest.raises(TransientError, match="the service failed"):
        list(bulk(org).pages(SOQL, kinds=KINDS))


def test_a_field_that_is_not_there_is_no_matter_of_bulk(org) -> None:
    with pytest.raises(ConnectorError, match="hidden") as caught:
        list(bulk(org).pages("SELECT Id, Nothing__c FROM Account", kinds={}))
    assert not isinstance(caught.value, BulkRefusedError)


# What only a strange host says


JOB = {"id": "750000000000001AAA", "state": "JobComplete", "apiVersion": 66.0}


def told(strange, *pages: tuple[bytes, dict[str, str]], total: int, **job) -> Bulk:
    """A host with one finished job and these pages of its result."""
    left = list(pages)

    def answer(path: str):
        if "/results" in path:
            body, headers = left.pop(0) if len(left) > 1 else left[0]
            return 200, body, {"content-type": "text/csv", **headers}
        done = {**JOB, "numberRecordsProcessed": total, **job}
        return 200, json.dumps(done).encode()

    strange.answer = answer
    settings = SalesforceSettings(retry=IMPATIENT)
    session = Session(SessionToken(strange.url, strange.secret), settings)
    return Bulk(session, settings, patience=EAGER)


def page_of(text: str, rows: int, locator: str = "null"):
    return (
        text.encode(),
        {"Sforce-NumberOfRecords": str(rows), "Sforce-Locator": locator},
    )


TWO = "SELECT Id, Amount FROM Opportunity"
MONEY = {"Amount": "currency"}


def test_values_that_are_not_as_their_type_stay_as_they_are(strange) -> None:
    body = 'Id,CloseDate,SystemModstamp\n1,"12 May",2026-09-24T03:26:07.000+0000\n'
    reader = told(strange, page_of(body, 1), total=1)
    soql = "SELECT Id, CloseDate, SystemModstamp FROM Opportunity"
    (page,) = reader.pages(soql, kinds=KINDS)
    assert page.rows.to_pylist() == [
        {
            "Id": "1",
            "CloseDate": "12 May",
            "SystemModstamp": datetime(2026, 9, 24, 3, 26, 7, tzinfo=UTC),
        }
    ]


def test_a_record_longer_than_a_block_comes_whole(strange) -> None:
    long = "x\n" * 700_000
    body = f'"Id","Amount"\n"1","2"\n"{long}","3"\n'
    (page,) = told(strange, page_of(body, 2), total=2).pages(TWO, kinds=MONEY)
    assert page.rows["Id"].to_pylist() == ["1", long]
    assert page.rows["Amount"].to_pylist() == [2.0, 3.0]


def test_a_header_in_other_letters_or_order_is_understood(strange) -> None:
    body = '"AMOUNT","id"\n"2","a"\n'
    (page,) = told(strange, page_of(body, 1), total=1).pages(TWO, kinds=MONEY)
    assert page.rows.to_pylist() == [{"Id": "a", "Amount": 2.0}]


@pytest.mark.parametrize("body", ["", '"Id","Amount"', '"Id","Amount"\n'])
def test_an_empty_page_may_have_a_header_or_not(strange, body) -> None:
    (page,) = told(strange, page_of(body, 0), total=0).pages(TWO, kinds=MONEY)
    assert page.rows.schema.names == ["Id", "Amount"]
    assert page.rows.num_rows == 0


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ('"Id","Amount"\n"a","2"\n', 2),
        ('"Id","Amount"\n"a","2"\n"b","3"\n', 1),
        ('"Id","Amount"\n"a","2"\n"b', 2),
        ('"Id","Amount"\n"a"\n', 1),
        ('"Id","Other"\n"a","2"\n', 1),
        ('"Id","Id"\n"a","2"\n', 1),
        ("<html>PLANTED</html>", 1),
        ("", 1),
    ],
)
def test_a_page_that_is_not_whole_is_asked_for_again_and_never_given(
    strange, body, rows
) -> None:
    reader = told(strange, page_of(body, rows), total=rows)
    with pytest.raises(TransientError, match="Bulk query") as caught:
        list(reader.pages(TWO, kinds=MONEY))
    assert sum("/results" in path for path in strange.paths) == 3
    assert "PLANTED" not in str(caught.value)


def test_a_page_without_its_count_proves_nothing(strange) -> None:
    reader = told(strange, (b"", {}), page_of('"Id","Amount"\n"a","2"\n', 1), total=1)
    assert whole(reader.pages(TWO, kinds=MONEY)).num_rows == 1


def test_rows_that_are_missing_in_the_end_stop_the_last_page(strange) -> None:
    body = '"Id","Amount"\n"a","2"\n'
    reader = told(strange, page_of(body, 1, "x"), page_of(body, 1), total=3)
    pages = reader.pages(TWO, kinds=MONEY)
    assert next(pages).place is not None
    with pytest.raises(TransientError, match="2 rows came of 3"):
        next(pages)


def test_pages_that_go_in_a_circle_end(strange) -> None:
    body = page_of('"Id","Amount"\n"a","2"\n', 1, "x")
    with pytest.raises(TransientError, match="circle"):
        list(told(strange, body, total=100).pages(TWO, kinds=MONEY))


def test_a_link_to_another_host_is_not_followed(strange) -> None:
    body = '"Id","Amount"\n' + '"a","2"\n' * 10
    links = {
        "resultPages": [
            {"resultUrl": f"https://evil.example/x/results?locator={n}"}
            for n in range(30)
        ],
        "done": True,
    }
    reader = told(strange, page_of(body, 10), total=300)
    reader._settings = attrs.evolve(reader._settings, bulk_page_rows=10)
    others = strange.answer
    strange.answer = lambda path: (
        (200, json.dumps(links).encode()) if "resultPages" in path else others(path)
    )
    assert whole(reader.pages(TWO, kinds=MONEY)).num_rows == 300
    asked = [path for path in strange.paths if "/results" in path]
    assert sorted(asked) == sorted(
        f"/services/data/v66.0/jobs/query/{JOB['id']}/results?locator={n}"
        for n in range(30)
    )


def test_a_page_may_be_packed(strange) -> None:
    body, headers = page_of('"Id","Amount"\n"a","2"\n', 1)
    packed = gzip.compress(body), {**headers, "content-encoding": "gzip"}
    (page,) = told(strange, packed, total=1).pages(TWO, kinds=MONEY)
    assert page.rows.to_pylist() == [{"Id": "a", "Amount": 2.0}]


def test_a_packed_page_of_many_blocks_and_several_files_comes_whole(strange) -> None:
    lines = [f'"{n:07d}","{n}"\n'.encode() for n in range(200_000)]
    body, headers = page_of('"Id","Amount"\n', len(lines))
    parts = b"".join([body, *lines[:123_456]]), b"".join(lines[123_456:])
    packed = b"".join(map(gzip.compress, parts))
    reply = packed, {**headers, "content-encoding": "gzip"}
    (page,) = told(strange, reply, total=len(lines)).pages(TWO, kinds=MONEY)
    assert page.rows["Amount"].to_pylist() == [float(n) for n in range(len(lines))]


def _cut(packed: bytes) -> bytes:
    return packed[:-12]


def _altered(packed: bytes) -> bytes:
    return packed[:40] + b"\xff" * 8 + packed[48:]


@pytest.mark.parametrize("harm", [_cut, _altered])
def test_a_packed_page_that_is_not_whole_is_asked_for_again(strange, harm) -> None:
    lines = "".join(f'"{n:09d}","2"\n' for n in range(500))
    body, headers = page_of(f'"Id","Amount"\n{lines}', 500)
    reply = harm(gzip.compress(body)), {**headers, "content-encoding": "gzip"}
    with pytest.raises(TransientError, match="Bulk query"):
        list(told(strange, reply, total=500).pages(TWO, kinds=MONEY))
    assert sum("/results" in path for path in strange.paths) == 3


@pytest.mark.parametrize(
    "listing",
    [{}, [], {"resultPages": []}, {"resultPages": [1]}, {"resultPages": [{"x": 1}]}],
)
def test_a_listing_that_lists_nothing_proves_nothing(strange, listing) -> None:
    reader = told(strange, page_of('"Id","Amount"\n"a","2"\n', 1), total=300)
    reader._settings = attrs.evolve(reader._settings, bulk_page_rows=10)
    others = strange.answer
    strange.answer = lambda path: (
        (200, json.dumps(listing).encode()) if "resultPages" in path else others(path)
    )
    with pytest.raises(TransientError, match="cannot be read"):
        list(reader.pages(TWO, kinds=MONEY))
    assert sum("resultPages" in path for path in strange.paths) == 3


def test_an_old_version_without_listings_reads_one_page_after_the_other(org) -> None:
    pages = bulk(org, api_version="57.0").pages(SOQL, kinds=KINDS)
    assert ordered(whole(pages)) == truth(org)
    assert calls(org, "resultPages") == 0


def test_an_org_without_bulk_is_read_by_rest(strange) -> None:
    strange.says([{"errorCode": "NOT_FOUND", "message": "x"}], status=404)
    settings = SalesforceSettings(retry=IMPATIENT)
    session = Session(SessionToken(strange.url, strange.secret), settings)
    with pytest.raises(BulkRefusedError, match="does not serve"):
        list(Bulk(session, settings).pages(TWO, kinds=MONEY))


def test_a_result_that_is_deleted_while_it_comes_is_lost(org) -> None:
    reader = bulk(org, bulk_page_rows=16)
    pages = reader.pages(SOQL, kinds=KINDS)
    reader._jobs.delete(next(pages).place.job_id)
    with pytest.raises(PlaceLostError):
        next(pages)


def test_a_right_that_lacks_is_named(org) -> None:
    with pytest.raises(RightMissingError, match="'Read on Nothing__c'"):
        list(bulk(org).pages("SELECT Id FROM Nothing__c", kinds={}))


def test_many_pages_come_at_the_same_time(strange) -> None:
    body = '"Id","Amount"\n' + '"a","2"\n' * 10
    links = [{"resultUrl": f"/x?locator={n}"} for n in range(8)]
    listing = json.dumps({"resultPages": links, "done": True}).encode()
    reader = told(strange, page_of(body, 10), total=80)
    reader._settings = attrs.evolve(reader._settings, bulk_page_rows=10)
    others, together = strange.answer, threading.Barrier(3, timeout=20)

    def answer(path: str):
        if "resultPages" in path:
            return 200, listing
        if "/results" in path and not together.broken and "locator" in path:
            with suppress(threading.BrokenBarrierError):
                met.append(together.wait())
                together.abort()  # they have met; the others need not
        return others(path)

    met: list[int] = []
    strange.answer = answer
    assert len(list(reader.pages(TWO, kinds=MONEY))) == 8
    assert met


def test_no_more_pages_are_under_way_than_threads(strange) -> None:
    body = '"Id","Amount"\n' + '"a","2"\n' * 10
    links = [{"resultUrl": f"/x?locator={n}"} for n in range(20)]
    listing = json.dumps({"resultPages": links, "done": True}).encode()
    reader = told(strange, page_of(body, 10), total=200)
    reader._settings = attrs.evolve(reader._settings, bulk_page_rows=10)
    others, lock, begun = strange.answer, threading.Lock(), []

    def answer(path: str):
        if "resultPages" in path:
            return 200, listing
        if "/results" in path:
            with lock:
                begun.append(path)
        return others(path)

    strange.answer = answer
    pages = reader.pages(TWO, kinds=MONEY)
    for given in range(1, 21):
        next(pages)
        assert len(begun) <= given + 3


@pytest.mark.parametrize(
    ("soql", "columns"),
    [
        ("SELECT Id FROM Account", ("Id",)),
        ("select Id,\n Owner.Name , Name from Account", ("Id", "Owner.Name", "Name")),
        ("SELECT Id, toLabel(Type) kind FROM Account", ("Id", "kind")),
    ],
)
def test_the_columns_of_a_select_are_known_beforehand(soql, columns) -> None:
    assert columns_of(soql) == columns
