"""Are rows of an upload written, refused and accounted for as by the real service?"""

from __future__ import annotations

import csv
import io
from typing import Any

import pyarrow as pa
import pytest
import requests

from crm_portfolio.simulator import Fault, Salesforce
from crm_portfolio.simulator.salesforce import Assumptions, Bulk

CODE = {
    "Account.Code__c": {
        "label": "Code",
        "type": "Text",
        "length": 40,
        "externalId": True,
        "unique": True,
    }
}


def text_of(*rows: dict[str, str], line_end: str = "\n") -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator=line_end)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


class Ingest:
    """Ingest jobs over requests alone."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def create(self, operation: str = "update", **body: Any) -> requests.Response:
        said = {
            "object": "Account",
            "contentType": "CSV",
            "operation": operation,
            **body,
        }
        answer: requests.Response = self.raw("POST", "jobs/ingest", json=said)
        return answer

    def made(self, operation: str = "update", **body: Any) -> str:
        answer = self.create(operation, **body)
        assert answer.status_code == 200, answer.text
        job: str = answer.json()["id"]
        return job

    def upload(self, job: str, content: bytes, **kwargs: Any) -> requests.Response:
        headers = {"Content-Type": "text/csv; charset=UTF-8"}
        path = f"jobs/ingest/{job}/batches"
        answer: requests.Response = self.raw(
            "PUT", path, data=content, **{"headers": headers, **kwargs}
        )
        return answer

    def close(self, job: str, state: str = "UploadComplete") -> requests.Response:
        answer: requests.Response = self.raw(
            "PATCH", f"jobs/ingest/{job}", json={"state": state}
        )
        return answer

    def look(self, job: str) -> dict[str, Any]:
        told: dict[str, Any] = self.raw("GET", f"jobs/ingest/{job}").json()
        return told

    def run(self, content: bytes, operation: str = "update", **body: Any) -> str:
        job = self.made(operation, **body)
        assert self.upload(job, content).status_code == 201
        assert self.close(job).status_code == 200
        while self.look(job)["state"] in ("UploadComplete", "InProgress"):
            pass
        return job

    def rows(self, job: str, what: str) -> list[dict[str, str]]:
        answer = self.raw("GET", f"jobs/ingest/{job}/{what}")
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == "text/csv;charset=UTF-8"
        text = io.StringIO(answer.content.decode(), newline="")
        return list(csv.DictReader(text))

    def counts(self, job: str) -> tuple[int, int, int]:
        return (
            len(self.rows(job, "successfulResults")),
            len(self.rows(job, "failedResults")),
            len(self.rows(job, "unprocessedrecords")),
        )


@pytest.fixture
def ingest(raw) -> Ingest:
    return Ingest(raw)


@pytest.fixture
def acme(org) -> str:
    key: str = org.ids("account")["a1"]
    return key


# The job


def test_a_job_goes_through_its_states(ingest, acme):
    made = ingest.create().json()
    job = made["id"]
    assert (made["state"], made["operation"], made["object"]) == (
        "Open",
        "update",
        "Account",
    )
    assert made["contentUrl"] == f"services/data/v66.0/jobs/ingest/{job}/batches"
    answer = ingest.upload(job, text_of({"Id": acme, "Rating": "Hot"}))
    assert (answer.status_code, answer.content) == (201, b"")
    assert ingest.close(job).json()["state"] == "UploadComplete"
    assert ingest.look(job)["state"] == "InProgress"
    done = ingest.look(job)
    assert done["state"] == "JobComplete"
    assert (done["numberRecordsProcessed"], done["numberRecordsFailed"]) == (1, 0)
    assert (done["jobType"], done["retries"]) == ("V2Ingest", 0)
    assert {"apiActiveProcessingTime", "apexProcessingTime"} <= done.keys()


def test_results_are_there_only_at_the_end(ingest):
    job = ingest.made()
    for what in ("successfulResults", "failedResults", "unprocessedRecords"):
        answer = ingest.raw("GET", f"jobs/ingest/{job}/{what}")
        assert answer.json()[0]["errorCode"] == "INVALIDJOBSTATE"


@pytest.mark.parametrize("status", [400, 409])
def test_a_second_upload_is_refused(raw_for, status):
    told = Assumptions(bulk_second_upload_status=status)
    with Salesforce(assumptions=told) as org:
        ingest = Ingest(raw_for(org))
        job = ingest.made()
        content = text_of({"Id": "x"})
        assert ingest.upload(job, content).status_code == 201
        assert ingest.upload(job, content).status_code == status


@pytest.mark.parametrize("status", [400, 413])
def test_more_than_100_mb_are_refused(raw_for, status):
    with Salesforce(assumptions=Assumptions(bulk_oversize_status=status)) as org:
        ingest = Ingest(raw_for(org))
        job = ingest.made()
        head = b"Id,Description\n"
        assert ingest.upload(job, head + b"x" * 100_000_000).status_code == status
        fits = ingest.upload(job, head + b"x" * (100_000_000 - len(head)))
        assert fits.status_code == 201


def test_an_upload_that_is_no_csv_is_refused(ingest):
    answer = ingest.upload(
        ingest.made(), b"Id\n", headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400


def test_a_job_can_be_deleted_once_it_has_ended(ingest, acme):
    open_job = ingest.made()
    assert ingest.raw("DELETE", f"jobs/ingest/{open_job}").status_code == 400
    job = ingest.run(text_of({"Id": acme, "Rating": "Hot"}))
    answer = ingest.raw("DELETE", f"jobs/ingest/{job}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert ingest.raw("GET", f"jobs/ingest/{job}").status_code == 404


def test_an_aborted_job_leaves_everything_unprocessed(org, ingest, acme):
    job = ingest.made()
    ingest.upload(job, text_of({"Id": acme, "Rating": "Hot"}))
    assert ingest.close(job, "Aborted").json()["state"] == "Aborted"
    assert ingest.counts(job) == (0, 0, 1)
    assert org.record("Account", acme)["Rating"] is None
    assert ingest.close(job).status_code == 400


def test_jobs_are_listed_apart_from_queries(ingest):
    made = [ingest.made() for _ in range(2)]
    body = {"operation": "query", "query": "SELECT Id FROM Account"}
    ingest.raw("POST", "jobs/query", json=body)
    told = ingest.raw("GET", "jobs/ingest").json()
    assert sorted(job["id"] for job in told["records"]) == sorted(made)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"operation": "merge"}, "INVALIDJOB"),
        ({"contentType": "JSON"}, "INVALIDJOB"),
        ({"columnDelimiter": "COLON"}, "INVALIDJOB"),
        ({"operation": "upsert"}, "INVALIDJOB"),
        ({"externalIdFieldName": "Id"}, "INVALIDJOB"),
        ({"operation": "upsert", "externalIdFieldName": "Industry"}, "INVALIDJOB"),
        ({"object": "Nothing"}, "INVALIDENTITY"),
        ({"object": "CaseStatus"}, "INVALIDENTITY"),
    ],
)
def test_a_job_of_another_shape_is_refused(ingest, body, code):
    (error,) = ingest.create(**body).json()
    assert error["errorCode"] == code


def test_batches_of_a_day_are_limited(raw_for):
    with Salesforce(bulk=Bulk(batches=2)) as org:
        ingest = Ingest(raw_for(org))
        ingest.run(b"Id\n" + b"x\n" * 10_001)
        (error,) = ingest.create().json()
        org.clock.advance(86_400)
        assert ingest.create().status_code == 200
    assert error["errorCode"] == "LIMIT_EXCEEDED"


# The cells


def test_an_empty_cell_leaves_the_field_and_na_clears_it(org, ingest, acme):
    before = org.record("Account", acme)
    rows = [
        {"Id": acme, "Industry": "", "Website": "#N/A", "NumberOfEmployees": "7"},
    ]
    ingest.run(text_of(*rows))
    after = org.record("Account", acme)
    assert after["Industry"] == before["Industry"] is not None
    assert (after["Website"], after["NumberOfEmployees"]) == (None, 7)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_text_arrives_to_the_letter(org, ingest, acme, line_end):
    note = 'two\nlines, "quoted"; 日本語 é\r\nend NA null'
    content = text_of({"Id": acme, "Description": note}, line_end=line_end)
    word = "LF" if line_end == "\n" else "CRLF"
    job = ingest.run(content, lineEnding=word)
    assert org.record("Account", acme)["Description"] == note
    (row,) = ingest.rows(job, "successfulResults")
    assert row == {
        "sf__Id": acme,
        "sf__Created": "false",
        "Id": acme,
        "Description": note,
    }


def test_other_delimiters_are_read_and_written(ingest, acme):
    job = ingest.run(f"Id\tRating\n{acme}\tHot\n".encode(), columnDelimiter="TAB")
    text = ingest.raw("GET", f"jobs/ingest/{job}/successfulResults").text
    assert text.splitlines()[0] == '"sf__Id"\t"sf__Created"\t"Id"\t"Rating"'


def test_rows_are_judged_as_those_of_a_collection(org, raw, ingest, acme):
    bad = [
        {"Id": acme, "Industry": "x" * 300},
        {"Id": acme[:-1] + "!", "Industry": "Banking"},
        {"Id": "001Sm000000zzzzIAA", "Industry": "Banking"},
    ]
    job = ingest.run(text_of(*bad))
    failed = {row["Id"]: row["sf__Error"] for row in ingest.rows(job, "failedResults")}
    assert ingest.counts(job) == (0, 3, 0)
    for row in bad:
        (answer,) = raw.update({"id": row["Id"], "Industry": row["Industry"]})
        (error,) = answer["errors"]
        assert failed[row["Id"]].startswith(
            f"{error['statusCode']}:{error['message']}:"
        )


def test_one_bad_value_never_refuses_the_other_rows(raw_for):
    tables = {"account": pa.table({"account_id": ["a", "b"]})}
    with Salesforce(
        tables, assumptions=Assumptions(bad_value_refuses="request")
    ) as org:
        ingest = Ingest(raw_for(org))
        first, second = org.ids("account").values()
        rows = [
            {"Id": first, "NumberOfEmployees": "many"},
            {"Id": second, "NumberOfEmployees": "3"},
        ]
        job = ingest.run(text_of(*rows))
        assert ingest.counts(job) == (1, 1, 0)
        assert org.record("Account", second)["NumberOfEmployees"] == 3


@pytest.mark.parametrize(
    ("tail", "ends"), [("{fields} --", "NumberOfEmployees --"), ("--", ":--")]
)
def test_an_error_ends_in_the_fields_it_names_or_not(raw_for, tail, ends):
    tables = {"account": pa.table({"account_id": ["a"]})}
    with Salesforce(tables, assumptions=Assumptions(bulk_error_tail=tail)) as org:
        ingest = Ingest(raw_for(org))
        row = {"Id": org.ids("account")["a"], "NumberOfEmployees": "many"}
        (failed,) = ingest.rows(ingest.run(text_of(row)), "failedResults")
        none = {"Id": "001Sm000000zzzzIAA", "NumberOfEmployees": "1"}
        (unnamed,) = ingest.rows(ingest.run(text_of(none)), "failedResults")
    assert failed["sf__Error"].endswith(ends)
    assert unnamed["sf__Error"].endswith(":--")


def test_results_come_in_another_order_than_the_rows(raw_for):
    tables = {"account": pa.table({"account_id": [f"a{n}" for n in range(450)]})}
    with Salesforce(tables) as org:
        ingest = Ingest(raw_for(org))
        ids = list(org.ids("account").values())
        rows = [{"Id": key, "NumberOfEmployees": str(n)} for n, key in enumerate(ids)]
        job = ingest.run(text_of(*rows))
        found = [row["sf__Id"] for row in ingest.rows(job, "successfulResults")]
        kept = org.snapshot("Account")["Account"]
    assert found != ids
    assert sorted(found) == sorted(ids)
    assert [kept[key]["NumberOfEmployees"] for key in ids] == list(range(450))


def test_results_are_the_same_each_time(ingest, acme):
    job = ingest.run(text_of(*({"Id": acme, "Rating": str(n)} for n in range(5))))
    path = f"jobs/ingest/{job}/successfulResults"
    assert ingest.raw("GET", path).content == ingest.raw("GET", path).content


def test_the_same_changes_give_the_same_org_as_a_collection(raw_for):
    tables = {
        "account": pa.table(
            {"account_id": ["a", "b", "c"], "segment": ["Banking", None, "Media"]}
        )
    }
    said = [
        {"Industry": "Energy", "Description": 'a\n"b"', "NumberOfEmployees": 5},
        {"Industry": None, "Description": "Zoë", "NumberOfEmployees": None},
        {"Industry": None, "Description": None, "NumberOfEmployees": 0},
    ]
    orgs = []
    for by_bulk in (False, True):
        with Salesforce(tables) as org:
            raw = raw_for(org)
            keys = org.ids("account").values()
            if by_bulk:
                rows = [
                    {
                        "Id": key,
                        **{n: "#N/A" if v is None else v for n, v in one.items()},
                    }
                    for key, one in zip(keys, said, strict=True)
                ]
                assert Ingest(raw).counts(Ingest(raw).run(text_of(*rows))) == (3, 0, 0)
            else:
                raw.update(
                    *({"id": k, **one} for k, one in zip(keys, said, strict=True))
                )
            orgs.append(org.snapshot("Account"))
    assert orgs[0] == orgs[1]


# Other operations


def test_rows_are_inserted(org, ingest):
    job = ingest.run(text_of({"Name": "New"}, {"Name": ""}), "insert")
    (made,) = ingest.rows(job, "successfulResults")
    (refused,) = ingest.rows(job, "failedResults")
    assert made["sf__Created"] == "true"
    assert org.record("Account", made["sf__Id"])["Name"] == "New"
    assert refused["sf__Error"].startswith("REQUIRED_FIELD_MISSING")


def test_rows_are_upserted_by_an_external_id(raw_for):
    with Salesforce({"account": pa.table({"account_id": ["a"]})}, fields=CODE) as org:
        ingest, key = Ingest(raw_for(org)), org.ids("account")["a"]
        org.edit("Account", key, {"Code__c": "K1"})
        rows = [
            {"Code__c": "K1", "Name": "Known", "Industry": "Banking"},
            {"Code__c": "K2", "Name": "New", "Industry": ""},
            {"Code__c": "", "Name": "Nameless", "Industry": ""},
        ]
        job = ingest.run(text_of(*rows), "upsert", externalIdFieldName="Code__c")
        done = {row["Code__c"]: row for row in ingest.rows(job, "successfulResults")}
        (failed,) = ingest.rows(job, "failedResults")
        known, new = (org.record("Account", done[k]["sf__Id"]) for k in ("K1", "K2"))
    assert [done[k]["sf__Created"] for k in ("K1", "K2")] == ["false", "true"]
    assert (known["Id"], known["Name"], known["Industry"]) == (key, "Known", "Banking")
    assert (new["Name"], new["Code__c"]) == ("New", "K2")
    assert failed["Name"] == "Nameless"


def test_rows_are_deleted(org, ingest, acme):
    gone = org.ids("account")["a3"]
    job = ingest.run(text_of({"Id": gone}), "delete")
    assert ingest.counts(job) == (1, 0, 0)
    assert org.record("Account", gone)["IsDeleted"] is True
    again = ingest.run(text_of({"Id": gone}), "delete")
    assert ingest.rows(again, "failedResults")[0]["sf__Error"].startswith(
        "ENTITY_IS_DELETED"
    )


def test_a_delete_needs_the_right_to(org, ingest):
    org.revoke_right("Delete Account")
    job = ingest.run(text_of({"Id": org.ids("account")["a3"]}), "delete")
    (failed,) = ingest.rows(job, "failedResults")
    assert failed["sf__Error"].startswith("INSUFFICIENT_ACCESS")


def test_rows_deleted_hard_are_in_no_bin(org, ingest):
    gone = org.ids("account")["a3"]
    ingest.run(text_of({"Id": gone}), "hardDelete")
    assert gone not in org.snapshot("Account")["Account"]


# What goes wrong


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"Id,Nothing\n001,x\n", "Field name not found : Nothing"),
        (b"Rating\nHot\n", "Field name not found : Id"),
        (b"Id,Rating,Rating\n001,x,y\n", "twice"),
        (b'Id,Rating\n001,"x\n', "Failed to parse CSV"),
        (b"Id,Rating\n001\n", "number of columns"),
        (b"Id,Rating\n001,\xff\n", "not UTF-8"),
        (b"", "header"),
        (b"Id,Rating\n001," + b"x" * 32_001 + b"\n", "32000 characters"),
        (b"Id," + b"x" * 32_000 + b"\n", "header exceeds"),
        (b"\xef\xbb\xbfId,Rating\n001,x\n", "Field name not found"),
    ],
)
def test_an_upload_that_cannot_be_read_fails_its_job(ingest, content, why):
    job = ingest.run(content)
    told = ingest.look(job)
    assert told["state"] == "Failed"
    assert told["errorMessage"].startswith("InvalidBatch")
    assert why in told["errorMessage"]
    assert ingest.rows(job, "successfulResults") == []


def test_a_header_alone_writes_nothing(ingest):
    job = ingest.run(b"Id,Rating\n")
    assert ingest.look(job)["state"] == "JobComplete"
    assert ingest.counts(job) == (0, 0, 0)


def test_held_records_fail_as_often_as_they_are_held(org, ingest, acme):
    beta = org.ids("account")["a2"]
    org.lock(acme, attempts=2)
    rows = [{"Id": acme, "Rating": "Hot"}, {"Id": beta, "Rating": "Hot"}]
    for expected in ((1, 1, 0), (1, 1, 0), (2, 0, 0)):
        job = ingest.run(text_of(*rows))
        assert ingest.counts(job) == expected
        for row in ingest.rows(job, "failedResults"):
            assert (row["Id"], row["sf__Error"][:18]) == (acme, "UNABLE_TO_LOCK_ROW")


def test_a_failed_job_says_what_it_did_not_process(raw_for):
    tables = {"account": pa.table({"account_id": [f"a{n}" for n in range(10)]})}
    with Salesforce(tables) as org:
        ingest = Ingest(raw_for(org))
        org.fault(Fault(at_call=1, route="POST jobs/ingest", kind="job_fails", size=6))
        ids = [*org.ids("account").values()]
        rows = [{"Id": key, "NumberOfEmployees": "1"} for key in ids]
        rows[2]["NumberOfEmployees"] = "many"
        job = ingest.run(text_of(*rows))
        told = ingest.look(job)
        counts = ingest.counts(job)
        left = ingest.rows(job, "unprocessedrecords")
        same = ingest.rows(job, "unprocessedRecords")
        kept = org.snapshot("Account")["Account"]
    assert (told["state"], told["numberRecordsProcessed"]) == ("Failed", 6)
    assert counts == (5, 1, 4)
    assert sum(counts) == len(rows)
    assert sorted(row["Id"] for row in left) == sorted(ids[6:])
    assert left == same
    assert sum("NumberOfEmployees" in record for record in kept.values()) == 5


def test_a_job_may_never_complete(org, ingest, acme):
    org.fault(Fault(at_call=1, route="POST jobs/ingest", kind="job_never_completes"))
    job = ingest.made()
    ingest.upload(job, text_of({"Id": acme, "Rating": "Hot"}))
    ingest.close(job)
    assert {ingest.look(job)["state"] for _ in range(20)} == {"InProgress"}
    assert org.record("Account", acme)["Rating"] is None


def test_the_vendors_client_writes_by_it(org, client, acme):
    (told,) = client.bulk2.Account.update(
        records=[{"Id": acme, "Rating": "Hot"}], wait=0
    )
    assert (told["numberRecordsProcessed"], told["numberRecordsFailed"]) == (1, 0)
    assert org.record("Account", acme)["Rating"] == "Hot"
    for what in ("successful", "failed", "unprocessed"):
        assert getattr(client.bulk2.Account, f"get_{what}_records")(told["job_id"])
