"""Several requests in one call."""

from __future__ import annotations

import pytest

from crm_portfolio.simulator import Salesforce
from crm_portfolio.simulator.salesforce import Assumptions

HERE = "/services/data/v66.0/"


def part(reference, method, url, **more):
    return {"referenceId": reference, "method": method, "url": HERE + url, **more}


def sent(raw, *parts, **body):
    answer = raw("POST", "composite", json={"compositeRequest": list(parts), **body})
    assert answer.status_code == 200, answer.text
    return answer.json()["compositeResponse"]


def test_each_part_is_answered_and_all_are_one_call(org, raw):
    parts = sent(
        raw,
        part("a", "GET", "query?q=SELECT+Name+FROM+Account+WHERE+Name='Acme'"),
        part("b", "GET", "sobjects/Nope"),
        part("c", "POST", "sobjects/Account", body={"Name": "Mæ"}),
    )
    assert [one["referenceId"] for one in parts] == ["a", "b", "c"]
    assert [one["httpStatusCode"] for one in parts] == [200, 404, 201]
    assert parts[0]["body"]["records"][0]["Name"] == "Acme"
    assert parts[1]["body"][0]["errorCode"] == "NOT_FOUND"
    assert parts[2]["httpHeaders"]["Location"].endswith(parts[2]["body"]["id"])
    assert org.api_calls == 1
    assert org.record("Account", parts[2]["body"]["id"])["Name"] == "Mæ"


def test_a_part_may_name_what_an_earlier_one_answered(org, raw):
    parts = sent(
        raw,
        part("made", "POST", "sobjects/Account", body={"Name": "New"}),
        part(
            "child",
            "POST",
            "sobjects/Account",
            body={"Name": "C", "ParentId": "@{made.id}"},
        ),
        part("seen", "GET", "sobjects/Account/@{child.id}?fields=ParentId"),
        part("lost", "GET", "sobjects/Account/@{made.nothing}"),
    )
    assert parts[2]["body"]["ParentId"] == parts[0]["body"]["id"]
    assert parts[3]["body"][0]["errorCode"] == "PROCESSING_HALTED"


def test_all_or_none_undoes_the_good_ones(org, raw):
    before = org.snapshot()
    parts = sent(
        raw,
        part("a", "POST", "sobjects/Account", body={"Name": "New"}),
        part("b", "POST", "sobjects/Account", body={}),
        allOrNone=True,
    )
    assert [one["body"][0]["errorCode"] for one in parts] == [
        "PROCESSING_HALTED", "REQUIRED_FIELD_MISSING",
    ]  # fmt: skip
    assert org.snapshot() == before


def test_a_thousand_records_fit_into_one_call(org, raw):
    names = [f"Row {number:04d}" for number in range(1000)]
    chunks = [
        part(
            f"r{first}",
            "POST",
            "composite/sobjects",
            body={
                "records": [
                    {"attributes": {"type": "Account"}, "Name": name}
                    for name in names[first : first + 200]
                ]
            },
        )
        for first in range(0, 1000, 200)
    ]
    parts = sent(raw, *chunks)
    assert sum(row["success"] for one in parts for row in one["body"]) == 1000
    assert org.api_calls == 1


@pytest.mark.parametrize("most", [5, 2])
def test_queries_and_collections_among_them_are_few(raw_for, most):
    with Salesforce(assumptions=Assumptions(composite_collections_max=most)) as org:
        raw = raw_for(org)
        url = "query?q=SELECT+Id+FROM+Account"
        for count, status in ((most, 200), (most + 1, 400)):
            body = {
                "compositeRequest": [part(f"q{n}", "GET", url) for n in range(count)]
            }
            assert raw("POST", "composite", json=body).status_code == status


@pytest.mark.parametrize(
    "parts",
    [
        [part(f"n{n}", "GET", "sobjects/Account/describe") for n in range(26)],
        [part("same", "GET", "limits"), part("same", "GET", "limits")],
        [{"method": "GET", "url": HERE + "limits"}],
        [],
    ],
)
def test_a_composite_request_has_its_bounds(raw, parts):
    assert raw("POST", "composite", json={"compositeRequest": parts}).status_code == 400


def test_no_composite_stands_in_a_composite_and_no_log_in(raw):
    parts = sent(
        raw,
        part("a", "POST", "composite", body={"compositeRequest": []}),
        {
            "referenceId": "b",
            "method": "POST",
            "url": "/services/oauth2/token",
            "body": {},
        },
    )
    assert [one["httpStatusCode"] for one in parts] == [400, 400]


def test_a_graph_is_all_or_nothing(org, raw):
    def graph(name, *bodies):
        parts = [
            {
                "referenceId": f"{name}{n}",
                "method": "POST",
                "url": HERE + "sobjects/Account",
                "body": body,
            }
            for n, body in enumerate(bodies)
        ]
        return {"graphId": name, "compositeRequest": parts}

    graphs = [
        graph("good", {"Name": "A"}, {"Name": "B"}),
        graph("bad", {"Name": "C"}, {}),
    ]
    answers = raw("POST", "composite/graph", json={"graphs": graphs}).json()["graphs"]
    assert [one["isSuccessful"] for one in answers] == [True, False]
    names = {row["Name"] for row in org.snapshot()["Account"].values()}
    assert {"A", "B"} <= names
    assert "C" not in names


def test_what_did_not_change_is_not_told_again(org, raw):
    moment = "Sat, 01 Jan 2028 00:00:00 GMT"
    parts = sent(
        raw, part("d", "GET", "sobjects", httpHeaders={"If-Modified-Since": moment})
    )
    assert (parts[0]["httpStatusCode"], parts[0]["body"]) == (304, None)
    assert set(parts[0]["httpHeaders"]) == {"ETag", "Last-Modified"}
    old = "Sat, 01 Jan 2000 00:00:00 GMT"
    assert raw("GET", "sobjects", headers={"If-Modified-Since": old}).status_code == 200
