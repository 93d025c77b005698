"""Does a large query run as a job, page by page, as with the real service?"""

from __future__ import annotations

import csv
import io
import time
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pytest
import requests

from crm_portfolio.simulator import Fault, Salesforce
from crm_portfolio.simulator.salesforce import Assumptions, Bulk

ACCOUNTS = "SELECT Id, Name FROM Account"
NAMES = ["Acme", "Beta Söhne", "Line\nBreak \x1b[31m", "NA"]


class Jobs:
    """Query jobs over requests alone."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def create(self, soql: str, **body: Any) -> requests.Response:
        said = {"operation": "query", "query": soql, **body}
        answer: requests.Response = self.raw("POST", "jobs/query", json=said)
        return answer

    def made(self, soql: str, **body: Any) -> str:
        answer = self.create(soql, **body)
        assert answer.status_code == 200, answer.text
        job: str = answer.json()["id"]
        return job

    def look(self, job: str) -> dict[str, Any]:
        told: dict[str, Any] = self.raw("GET", f"jobs/query/{job}").json()
        return told

    def finished(self, soql: str, **body: Any) -> str:
        job = self.made(soql, **body)
        while self.look(job)["state"] != "JobComplete":
            pass
        return job

    def page(self, job: str, **params: Any) -> requests.Response:
        answer: requests.Response = self.raw(
            "GET", f"jobs/query/{job}/results", params=params
        )
        return answer

    def pages(self, job: str, **params: Any) -> list[requests.Response]:
        found = [self.page(job, **params)]
        while (locator := found[-1].headers["Sforce-Locator"]) != "null":
            assert len(found) < 100
            found.append(self.page(job, locator=locator, **params))
        return found

    def refused(self, soql: str, **body: Any) -> tuple[int, str, str]:
        answer = self.create(soql, **body)
        (error,) = answer.json()
        return answer.status_code, error["errorCode"], error["message"]


def rows(answer: requests.Response, delimiter: str = ",") -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    text = io.StringIO(answer.content.decode(), newline="")
    return list(csv.DictReader(text, delimiter=delimiter))


@pytest.fixture
def jobs(raw) -> Jobs:
    return Jobs(raw)


# The job


def test_a_job_moves_on_with_each_look(jobs):
    made = jobs.create(ACCOUNTS).json()
    assert made["state"] == "UploadComplete"
    assert made["id"].startswith("750")
    assert len(made["id"]) == 18
    assert "numberRecordsProcessed" not in made
    first, second, third = (jobs.look(made["id"]) for _ in range(3))
    assert [job["state"] for job in (first, second, third)] == [
        "InProgress",
        "JobComplete",
        "JobComplete",
    ]
    assert (second["jobType"], second["numberRecordsProcessed"]) == ("V2Query", 4)
    assert second["apiVersion"] == 66.0


def test_how_many_looks_it_takes_can_be_said(raw_for):
    with Salesforce(bulk=Bulk(polls=4)) as org:
        jobs = Jobs(raw_for(org))
        job = jobs.made(ACCOUNTS)
        states = [jobs.look(job)["state"] for _ in range(4)]
    assert states == ["UploadComplete", "InProgress", "InProgress", "JobComplete"]


def test_results_are_there_only_when_the_job_is_complete(jobs):
    job = jobs.made(ACCOUNTS)
    assert jobs.page(job).status_code == 400
    assert jobs.page(job).json()[0]["errorCode"] == "INVALIDJOBSTATE"


def test_a_job_may_never_complete(org, jobs):
    org.fault(Fault(at_call=1, route="POST jobs/query", kind="job_never_completes"))
    job = jobs.made(ACCOUNTS)
    assert {jobs.look(job)["state"] for _ in range(50)} == {"InProgress"}


def test_a_job_may_fail(org, jobs):
    fault = Fault(
        at_call=1, route="jobs/query", kind="job_fails", about="QUERY_TIMEOUT"
    )
    org.fault(fault)
    job = jobs.made(ACCOUNTS)
    jobs.look(job)
    failed = jobs.look(job)
    assert failed["state"] == "Failed"
    assert failed["errorMessage"].startswith("QUERY_TIMEOUT")
    assert jobs.page(job).status_code == 400


def test_a_query_that_finds_too_much_times_out_and_its_parts_do_not(org, jobs):
    org.rules.slow["Account"] = 3
    job = jobs.made(ACCOUNTS)
    jobs.look(job)
    assert jobs.look(job)["errorMessage"].startswith("QUERY_TIMEOUT")
    assert jobs.finished(ACCOUNTS + " WHERE Name < 'M'")


def test_a_job_can_be_aborted(jobs):
    job = jobs.made(ACCOUNTS)
    told = jobs.raw("PATCH", f"jobs/query/{job}", json={"state": "Aborted"})
    assert (told.status_code, told.json()["state"]) == (200, "Aborted")
    assert jobs.look(job)["state"] == "Aborted"
    again = jobs.raw("PATCH", f"jobs/query/{job}", json={"state": "Aborted"})
    assert again.status_code == 400


def test_a_job_can_be_deleted_once_it_has_ended(jobs):
    job = jobs.made(ACCOUNTS)
    assert jobs.raw("DELETE", f"jobs/query/{job}").status_code == 400
    job = jobs.finished(ACCOUNTS)
    answer = jobs.raw("DELETE", f"jobs/query/{job}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert jobs.page(job).status_code == 404


def test_jobs_are_listed(jobs):
    made = [jobs.made(ACCOUNTS) for _ in range(3)]
    told = jobs.raw("GET", "jobs/query", params={"jobType": "V2Query"}).json()
    assert sorted(job["id"] for job in told["records"]) == sorted(made)
    assert (told["done"], told["nextRecordsUrl"]) == (True, None)


def test_results_outlive_the_session_but_not_the_week(org, jobs):
    job = jobs.finished(ACCOUNTS)
    org.expire_tokens()
    assert jobs.page(job).status_code == 401
    jobs.raw.login()
    org.clock.advance(timedelta(days=7).total_seconds() - 1)
    assert len(rows(jobs.page(job))) == 4
    org.clock.advance(1)
    assert jobs.page(job).status_code == 404


def test_rows_are_those_of_the_moment_the_job_was_made(org, jobs):
    job = jobs.finished(ACCOUNTS)
    org.edit("Account", org.ids("account")["a1"], {"Name": "Renamed"})
    assert sorted(row["Name"] for row in rows(jobs.page(job))) == NAMES


def test_deleted_records_come_with_query_all(org, jobs):
    org.delete("Account", org.ids("account")["a3"])
    soql = "SELECT Id, IsDeleted FROM Account"
    assert len(rows(jobs.page(jobs.finished(soql)))) == 3
    everything = rows(jobs.page(jobs.finished(soql, operation="queryAll")))
    assert sorted(row["IsDeleted"] for row in everything) == ["false"] * 3 + ["true"]


# The pages


def test_pages_hold_every_row_once_under_a_header_each(jobs):
    pages = jobs.pages(jobs.finished(ACCOUNTS), maxRecords=3)
    assert [page.headers["Sforce-NumberOfRecords"] for page in pages] == ["3", "1"]
    assert all(page.text.startswith('"Id","Name"\n') for page in pages)
    assert sorted(row["Name"] for page in pages for row in rows(page)) == NAMES
    assert all(p.headers["Content-Type"] == "text/csv;charset=UTF-8" for p in pages)


def test_the_size_of_a_page_is_the_servers_where_nobody_says(raw_for):
    tables = {"account": pa.table({"account_id": [f"a{n}" for n in range(25)]})}
    with Salesforce(tables, bulk=Bulk(page_rows=10)) as org:
        jobs = Jobs(raw_for(org))
        sizes = [len(rows(page)) for page in jobs.pages(jobs.finished(ACCOUNTS))]
    assert sizes == [10, 10, 5]


def test_a_locator_can_be_read_again_and_gives_the_same_bytes(jobs):
    job = jobs.finished(ACCOUNTS)
    locator = jobs.page(job, maxRecords=2).headers["Sforce-Locator"]
    first = jobs.page(job, maxRecords=2, locator=locator)
    again = jobs.page(job, maxRecords=2, locator=locator)
    assert first.content == again.content
    assert first.headers["Sforce-Locator"] == again.headers["Sforce-Locator"] == "null"


def test_rows_come_in_no_order_of_ids_unless_asked_for(raw_for):
    tables = {"account": pa.table({"account_id": [f"a{n}" for n in range(500)]})}
    with Salesforce(tables) as org:
        jobs = Jobs(raw_for(org))
        unordered = [
            row["Id"]
            for page in jobs.pages(jobs.finished(ACCOUNTS), maxRecords=200)
            for row in rows(page)
        ]
        together = [row["Id"] for row in rows(jobs.page(jobs.finished(ACCOUNTS)))]
        ordered = [
            row["Id"]
            for row in rows(jobs.page(jobs.finished(ACCOUNTS + " ORDER BY Id DESC")))
        ]
    for ids in (unordered, together):
        assert ids not in (sorted(ids), sorted(ids, reverse=True))
    assert sorted(unordered, reverse=True) == ordered


def test_rows_of_one_page_may_come_along_their_ids_and_the_pages_in_no_order(raw_for):
    names = [f"Account {number}" for number in range(90)]
    accounts = pa.table({"account_id": names, "name": names})
    beliefs = Assumptions(bulk_rows_in_id_order=True)
    with Salesforce({"account": accounts}, assumptions=beliefs) as crm:
        jobs = Jobs(raw_for(crm))
        pages = [
            [row["Id"] for row in rows(page)]
            for page in jobs.pages(jobs.finished(ACCOUNTS), maxRecords=30)
        ]
    assert len(pages) == 3
    assert all(page == sorted(page) for page in pages)
    assert pages != sorted(pages)


def test_order_and_limit_are_allowed_and_turn_off_chunking(jobs):
    told = [
        jobs.create(ACCOUNTS + tail).json()["isPkChunkingSupported"]
        for tail in ("", " ORDER BY Name", " LIMIT 2")
    ]
    assert told == [True, False, False]
    assert len(rows(jobs.page(jobs.finished(ACCOUNTS + " LIMIT 2")))) == 2


def test_nothing_found_is_a_header_alone(jobs):
    answer = jobs.page(jobs.finished(ACCOUNTS + " WHERE Name = 'Nobody'"))
    assert answer.text == '"Id","Name"\n'
    assert answer.headers["Sforce-NumberOfRecords"] == "0"
    assert answer.headers["Sforce-Locator"] == "null"


def test_another_version_of_the_api_does_not_know_the_locator(jobs):
    job = jobs.finished(ACCOUNTS)
    locator = jobs.page(job, maxRecords=2).headers["Sforce-Locator"]
    path = f"/services/data/v65.0/jobs/query/{job}/results"
    assert jobs.raw("GET", path, params={"locator": locator}).status_code == 409


@pytest.mark.parametrize("locator", ["x", "LTE=", "OTk5"])
def test_a_locator_of_nothing_is_refused(jobs, locator):
    answer = jobs.page(jobs.finished(ACCOUNTS), locator=locator)
    assert answer.json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"


@pytest.mark.parametrize("most", ["0", "-1", "many"])
def test_a_page_of_no_size_is_refused(jobs, most):
    assert jobs.page(jobs.finished(ACCOUNTS), maxRecords=most).status_code == 400


def test_pages_can_be_asked_for_side_by_side_five_at_a_time(raw_for):
    tables = {"account": pa.table({"account_id": [f"a{n}" for n in range(61)]})}
    with Salesforce(tables, bulk=Bulk(page_rows=10)) as org:
        jobs = Jobs(raw_for(org))
        job = jobs.finished(ACCOUNTS)
        first = jobs.raw("GET", f"jobs/query/{job}/resultPages").json()
        second = jobs.raw("GET", first["nextRecordsUrl"]).json()
        urls = [page["resultUrl"] for t in (first, second) for page in t["resultPages"]]
        found = [row["Id"] for url in urls for row in rows(jobs.raw("GET", url))]
        old = jobs.raw("GET", f"/services/data/v57.0/jobs/query/{job}/resultPages")
    assert [len(told["resultPages"]) for told in (first, second)] == [5, 2]
    assert (first["done"], second["done"]) == (False, True)
    assert len(found) == len(set(found)) == 61
    assert old.status_code == 404


def test_a_page_may_hold_fewer_rows_and_the_next_begins_behind_it(org, jobs):
    job = jobs.finished(ACCOUNTS)
    org.fault(Fault(at_call=1, route="results", kind="fewer_rows", size=1))
    pages = jobs.pages(job, maxRecords=3)
    assert [len(rows(page)) for page in pages] == [1, 3]
    assert sorted(row["Name"] for page in pages for row in rows(page)) == NAMES


def test_a_page_may_be_empty_and_not_the_last(org, jobs):
    job = jobs.finished(ACCOUNTS)
    org.fault(Fault(at_call=1, route="results", kind="empty_page"))
    assert [len(rows(page)) for page in jobs.pages(job)] == [0, 4]


# The text


def test_the_text_is_that_of_rfc_4180(raw_for):
    names = ['say "hi"', "a,b", "two\nlines", "NA", "\r\n", "日本語 é", "#N/A", "null"]
    tables = {
        "account": pa.table(
            {"account_id": [str(n) for n in range(len(names))], "name": names}
        )
    }
    with Salesforce(tables) as org:
        jobs = Jobs(raw_for(org))
        answer = jobs.page(jobs.finished("SELECT Name FROM Account"))
    assert sorted(row["Name"] for row in rows(answer)) == sorted(names)
    assert '"say ""hi"""' in answer.text


def test_values_are_written_as_the_service_writes_them(org, jobs):
    job = jobs.finished(
        "SELECT Name, AnnualRevenue, NumberOfEmployees, CreatedDate, IsDeleted, "
        "Owner.Name, Parent.Name FROM Account WHERE Name IN ('Acme', 'Beta Söhne')"
    )
    acme, beta = sorted(rows(jobs.page(job)), key=lambda row: row["Name"])
    assert acme == {
        "Name": "Acme",
        "AnnualRevenue": "1100040000.0",
        "NumberOfEmployees": "2822",
        "CreatedDate": "2016-02-28T23:00:00.000Z",
        "IsDeleted": "false",
        "Owner.Name": "Ann Able",
        "Parent.Name": "",
    }
    assert (beta["AnnualRevenue"], beta["Parent.Name"]) == ("", "Acme")


def test_days_are_days(jobs):
    job = jobs.finished("SELECT CloseDate FROM Opportunity WHERE Name = 'One'")
    assert rows(jobs.page(job)) == [{"CloseDate": "2017-03-01"}]


def test_null_is_a_pair_of_quotes_or_nothing(raw_for):
    tables = {"account": pa.table({"account_id": ["a"], "name": ["A, Inc."]})}
    said = []
    for quotes_all in (True, False):
        with Salesforce(
            tables, assumptions=Assumptions(bulk_quotes_all=quotes_all)
        ) as org:
            jobs = Jobs(raw_for(org))
            soql = "SELECT Name, Industry, IsDeleted FROM Account"
            said.append(jobs.page(jobs.finished(soql)).text)
    assert said == [
        '"Name","Industry","IsDeleted"\n"A, Inc.","","false"\n',
        'Name,Industry,IsDeleted\n"A, Inc.",,false\n',
    ]


@pytest.mark.parametrize(
    ("word", "sign"), [("TAB", "\t"), ("PIPE", "|"), ("SEMICOLON", ";"), ("CARET", "^")]
)
def test_columns_can_be_parted_by_other_signs(jobs, word, sign):
    answer = jobs.page(jobs.finished(ACCOUNTS, columnDelimiter=word))
    assert sorted(row["Name"] for row in rows(answer, sign)) == NAMES


def test_lines_can_end_in_cr_lf(jobs):
    answer = jobs.page(jobs.finished(ACCOUNTS, lineEnding="CRLF"))
    assert answer.content.count(b"\r\n") == 5
    assert sorted(row["Name"] for row in rows(answer)) == NAMES


# What is refused


@pytest.mark.parametrize(
    ("soql", "code", "text"),
    [
        ("SELECT COUNT() FROM Account", "MALFORMED_QUERY", "aggregate"),
        ("SELECT MAX(Name) FROM Account", "MALFORMED_QUERY", "aggregate"),
        (
            "SELECT Industry FROM Account GROUP BY Industry",
            "MALFORMED_QUERY",
            "GROUP BY",
        ),
        ("SELECT Id FROM Account OFFSET 1", "MALFORMED_QUERY", "OFFSET"),
        (
            "SELECT TYPEOF What WHEN Account THEN Id END FROM Event",
            "MALFORMED_QUERY",
            "TYPEOF",
        ),
        (
            "SELECT Id, (SELECT Id FROM Opportunities) FROM Account",
            "API_ERROR",
            "Aggregate Relationships",
        ),
        (
            "SELECT Id, BillingAddress FROM Account",
            "API_ERROR",
            "Selecting compound data not supported in Bulk Query",
        ),
        (
            "SELECT Account.BillingAddress FROM Opportunity",
            "API_ERROR",
            "Selecting compound data",
        ),
        (
            "SELECT Id FROM CaseStatus",
            "INVALIDENTITY",
            "Entity 'CaseStatus' is not supported by the Bulk API",
        ),
        ("SELECT OldValue FROM OpportunityFieldHistory", "API_ERROR", "OldValue"),
        ("SELECT Id FROM", "MALFORMED_QUERY", "unexpected token"),
        ("SELECT Nothing FROM Account", "INVALID_FIELD", "No such column"),
    ],
)
def test_what_bulk_does_not_serve_is_refused_when_the_job_is_made(
    jobs, soql, code, text
):
    status, said, message = jobs.refused(soql)
    assert (status, said) == (400, code)
    assert text in message


def test_a_subquery_that_only_filters_is_served(org, jobs):
    soql = "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Opportunity)"
    found = {row["Id"] for row in rows(jobs.page(jobs.finished(soql)))}
    assert found == {org.ids("account")[key] for key in ("a1", "a2")}


def test_an_object_can_be_kept_out_of_bulk(raw_for):
    with Salesforce(bulk=Bulk(refuses=("Opportunity",))) as org:
        code = Jobs(raw_for(org)).refused("SELECT Id FROM Opportunity")[1]
    assert code == "INVALIDENTITY"


def test_too_large_a_query_needs_view_all_data(org, jobs):
    org.rules.large["Account"] = 3
    org.revoke_right("View All Data")
    status, code, message = jobs.refused(ACCOUNTS)
    assert (status, code) == (400, "API_ERROR")
    assert message.startswith("Implementation restriction")


@pytest.mark.parametrize(
    "body",
    [
        {"operation": "insert"},
        {"query": None},
        {"columnDelimiter": "COLON"},
        {"lineEnding": "CR"},
    ],
)
def test_a_job_of_another_shape_is_refused(jobs, body):
    assert jobs.refused(ACCOUNTS, **body)[1] == "INVALIDJOB"


def test_query_jobs_of_a_day_are_limited(raw_for):
    with Salesforce(bulk=Bulk(query_jobs=2)) as org:
        jobs = Jobs(raw_for(org))
        jobs.made(ACCOUNTS)
        jobs.made(ACCOUNTS)
        _, code, message = jobs.refused(ACCOUNTS)
        org.clock.advance(timedelta(days=1).total_seconds())
        assert jobs.made(ACCOUNTS)
    assert code == "LIMIT_EXCEEDED"
    assert message == "Max bulk v2 query jobs (2) per 24 hrs has been reached"


def test_results_of_a_day_are_limited(raw_for):
    name = "x" * 250
    tables = {
        "account": pa.table(
            {"account_id": [str(n) for n in range(10)], "name": [name] * 10}
        )
    }
    with Salesforce(tables, bulk=Bulk(result_kb=2)) as org:
        jobs = Jobs(raw_for(org))
        jobs.page(jobs.finished(ACCOUNTS))
        _, code, message = jobs.refused(ACCOUNTS)
    assert code == "LIMIT_EXCEEDED"
    assert "Max bulk v2 query result size stored (2) kb per 24 hrs" in message


def test_what_is_left_of_the_day_is_told(jobs):
    before = jobs.raw("GET", "limits").json()
    jobs.made(ACCOUNTS)
    after = jobs.raw("GET", "limits").json()
    assert before["DailyBulkV2QueryJobs"] == {"Max": 10_000, "Remaining": 10_000}
    assert after["DailyBulkV2QueryJobs"]["Remaining"] == 9_999
    assert after["DailyBulkV2QueryFileStorageMB"]["Max"] == 976_562


def test_the_default_limits_are_the_vendors():
    assert (Bulk().query_jobs, Bulk().result_kb) == (10_000, 1_000_000_000)
    assert (Bulk().batches, Bulk().upload_bytes) == (15_000, 100_000_000)


# The usual client, and speed


def test_the_vendors_client_reads_it(client):
    pages = list(client.bulk2.Account.query(ACCOUNTS, max_records=2, wait=0))
    found = [
        row for page in pages for row in csv.DictReader(io.StringIO(page, newline=""))
    ]
    assert sorted(row["Name"] for row in found) == NAMES
    assert len(pages) == 2


def test_many_rows_are_written_by_the_database_and_fast(raw_for):
    count = 100_000
    tables = {
        "account": pa.table(
            {
                "account_id": [f"a{n}" for n in range(count)],
                "name": [f'Company "{n}", Ltd\nLondon' for n in range(count)],
            }
        )
    }
    with Salesforce(tables) as org:
        jobs = Jobs(raw_for(org))
        jobs.raw.session.headers["Accept-Encoding"] = "identity"
        job = jobs.finished(
            "SELECT Id, Name, ParentId, OwnerId, Type, Industry, AnnualRevenue, "
            "NumberOfEmployees, BillingCountry, CreatedDate, SystemModstamp FROM Account"
        )
        begun = time.process_time()
        (page,) = jobs.pages(job, maxRecords=count)
        spent = time.process_time() - begun
    read = pyarrow.csv.read_csv(
        pa.BufferReader(page.content),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
    )
    assert (read.num_rows, read.num_columns) == (count, 11)
    # A loop of Python over the rows takes more than this.
    assert spent < 3
