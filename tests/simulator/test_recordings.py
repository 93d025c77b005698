"""Does the pretend org answer as recorded orgs did?

Each recorded call is sent again; status, keys, kinds of values and error codes are compared,
and each difference has its cause in ``DIFFERS``. Values are each org's own. Calls that are
not sent again are in ``NOT_REPLAYED``, each with its reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from crm_portfolio.simulator import Fault, Salesforce
from crm_portfolio.simulator.salesforce import CustomObject, Switches, _auth

NOT_REPLAYED = {
    "sessions/ManualEdit_TestCountSObjects.test_count_sobjects__network_errors#0":
        "an outage without a body: a fault plays it",
    "sessions/ManualEdit_test_describe_to_sql#0":
        "written by hand, and no JSON; the parts are replayed as describes",
    "rest_sessions/search-records#0": "SOSL search is not imitated",
    "rest_fixtures/search_error_response": "SOSL search is not imitated",
    "rest_fixtures/search_success_response": "SOSL search is not imitated",
    "rest_fixtures/list_view_results_success_response": "list views are not imitated",
    "rest_fixtures/recent_success_response": "recently viewed records are not imitated",
    "rest_fixtures/refresh_error_response": "the refresh token flow is not imitated",
}  # fmt: skip
# Which calls (a regular expression) → where they differ → why.
SMALLER = "the simulator holds fewer objects and fields"
MADE_UP = "made up for an object that no org has"
NEWER = "a key that came or went with a version of the API"
PAGES = "pages, layouts and list views are not imitated"
DIFFERS = {
    r"describe": {
        r"(.*\.)?fields\[\w+\]": SMALLER,
        r".*childRelationships.*": SMALLER,
        r"\.sobjects\[\w+\]": SMALLER,
        r".*(recordTypeInfos|supportedScopes).*": "record types and scopes are not imitated",
        r".*urls\.\w+": PAGES,
        r".*\.(associate(Entity|Parent)\w+|sobjectDescribeOption)": NEWER,
    },
    r"describe_to_sql#1": {
        r"\.compositeResponse\[\]\.(body|httpStatusCode|httpHeaders.*)": SMALLER,
        r"\.compositeResponse\[\]\.body\..*": NEWER,
    },
    r"fixtures/(describe_sobjects|list_sobjects|sobject_describe_success)": {
        r".*\.\w+": NEWER,
        r".*\[\w*\]": MADE_UP,
    },
    r"Organization|get-record": {
        r"\.\w+": SMALLER,
        r"\.(Billing|Shipping)Address\.(countryCode|stateCode)":
            "state and country picklists are not imitated",
    },
    r"basic-info": {r".*\.urls\.\w+": PAGES, r"\.recentItems": "recently viewed records are not imitated"},
    r"get-limits": {r"\.\w+(\.\w+)?": "limits that concern no data job are left out"},
    r"fixtures/(query_success|query_paginated|sobject_(find|select)_success)": {
        r"(\.records\[\])?\.\w+": MADE_UP,
        r".*\.attributes\.\w+": MADE_UP,
    },
    r"fixtures/(write_error|composite_response)": {r".*\.fields": NEWER},
    r"fixtures/upsert_created": {r"\.created": NEWER},
    r"bulk2_query_job": {
        r"\.apiVersion": "a number made text by the recording machine",
        r"\.isPkChunkingSupported": NEWER,
    },
}  # fmt: skip
# The recording machine dropped ".0" from numbers, so an int and a float are one kind.
KINDS: dict[type, str] = {int: "number", float: "number", bool: "boolean", str: "text"}
ID = re.compile(r"[a-zA-Z0-9]{15}(?:[A-Z0-5]{3})?|0010xACCOUNTID0000")


def recorded_calls(payloads: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every recorded call, named by its file and its place there."""
    for folder in ("sessions", "rest_sessions"):
        for path in sorted((payloads / folder).glob("*.json")):
            content = json.loads(path.read_text(encoding="utf-8"))
            listed = content if isinstance(content, list) else [{"body": content}]
            for place, exchange in enumerate(listed):
                if "included" not in exchange:  # a describe, which has its own file
                    yield f"{folder}/{path.stem}#{place}", exchange
    for folder in ("rest_fixtures", "describe"):
        for path in sorted((payloads / folder).glob("*.json")):
            body = json.loads(path.read_text(encoding="utf-8"))
            yield f"{folder}/{path.stem}", {"body": body}


@pytest.fixture(scope="module")
def payloads(shared_data: Path) -> Path:
    return shared_data / "salesforce_payloads"


@pytest.fixture(scope="module")
def calls(payloads: Path) -> dict[str, dict[str, Any]]:
    return dict(recorded_calls(payloads))


def differences(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """Where keys, kinds or the codes of errors differ; a null says nothing of its kind."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(set(ours) ^ set(theirs)):
            yield f"{path}.{key}"
        for key in sorted(set(ours) & set(theirs)):
            yield from differences(ours[key], theirs[key], f"{path}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list):
        yield from _lists(ours, theirs, path)
    elif None not in (ours, theirs):
        codes = path.endswith(("errorCode", "statusCode", "httpStatusCode", ".error"))
        if KINDS.get(type(ours)) != KINDS.get(type(theirs)) or (
            codes and ours != theirs
        ):
            yield path


def _lists(ours: list[Any], theirs: list[Any], path: str) -> Iterator[str]:
    """Named entries are compared by name, others in their order, as far as both go."""
    if all(isinstance(one, dict) and "name" in one for one in [*ours, *theirs]):
        named = {one["name"]: one for one in ours}, {one["name"]: one for one in theirs}
        for name in sorted(set(named[0]) ^ set(named[1])):
            yield f"{path}[{name}]"
        for name in sorted(set(named[0]) & set(named[1])):
            yield from differences(named[0][name], named[1][name], f"{path}[{name}]")
        return
    if bool(ours) is not bool(theirs):
        yield path
    for mine, other in zip(ours, theirs, strict=False):
        yield from differences(mine, other, f"{path}[]")


def unexplained(name: str, ours: Any, theirs: Any) -> list[str]:
    causes = {
        pattern
        for calls, known in DIFFERS.items()
        if re.search(calls, name)
        for pattern in known
    }
    return [
        path
        for path in dict.fromkeys(differences(ours, theirs))
        if not any(re.fullmatch(pattern, path) for pattern in causes)
    ]


class Session:
    """Sends recorded requests, with our ids where the recording has its org's."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        self.ids: dict[str, str] = {}

    def send(self, exchange: dict[str, Any]) -> Any:
        method = exchange["method"]
        request = exchange.get("request") or {}
        body = request.get("data", exchange.get("request_body"))
        body = json.loads(body) if isinstance(body, str) else body
        path = exchange.get("path") or exchange["uri"].partition(".com")[2]
        path = self.ours(path.replace("vxx.0", "v66.0"))
        if body is not None:  # 2020 was after the recorded org last changed
            body = json.loads(json.dumps(body).replace("Sep 2020", "Sep 2027"))
        sent = (
            None
            if body is None
            else json.loads(self.ours(json.dumps(body)).replace("vxx.0", "v66.0"))
        )
        params = json.loads(self.ours(json.dumps(request.get("params"))))
        answer = self.raw(method, path, params=params, json=sent)
        body = answer.json() if answer.content else ""
        self.learn(body, exchange["body"])
        return answer.status_code, body

    def ours(self, text: str) -> str:
        return ID.sub(lambda found: self.ids.get(found[0], found[0]), text)

    def learn(self, ours: Any, theirs: Any) -> None:
        """The id at the same place is the same record."""
        if isinstance(ours, dict) and isinstance(theirs, dict):
            for key in set(ours) & set(theirs):
                self.learn(ours[key], theirs[key])
        elif isinstance(ours, list) and isinstance(theirs, list):
            for mine, other in zip(ours, theirs, strict=False):
                self.learn(mine, other)
        elif isinstance(ours, str) and isinstance(theirs, str) and ID.fullmatch(theirs):
            self.ids[theirs] = ours


NAMES = [f"Account {number:04d}" for number in range(2086)]
ACCOUNTS = {"account": pa.table({"account_id": NAMES[:6], "name": NAMES[:6]})}
CROWD = {"account": pa.table({"account_id": NAMES, "name": NAMES})}
DEALS = {
    "account": pa.table({"account_id": ["a", "b"], "name": ["A", "B"]}),
    "opportunity": pa.table(
        {"opportunity_id": ["o", "p"], "account_id": ["a", "b"], "status": ["open", "won"],
         "stage": ["Talks", "Won"], "amount": [1.5, 2.0]}
    ),
}  # fmt: skip
FILES: dict[str, Any] = {
    # recording → the data that its org held
    "sessions/ManualEditTestCompositeParallelSalesforce.test_http_headers": None,
    "sessions/ManualEdit_test_describe_to_sql": None,
    "sessions/TestCompositeParallelSalesforce.test_composite_parallel_salesforce": None,
    "sessions/TestCompositeParallelSalesforce.test_errors": None,
    "sessions/TestCompositeParallelSalesforce.test_reference_ids": None,
    "sessions/TestCountSObjects.test_count_sobjects__errors": ACCOUNTS,
    "sessions/TestCountSObjects.test_count_sobjects_simple": ACCOUNTS,
    "sessions/TestUpdatesIntegrationTests.test_updates_task": ACCOUNTS,
    "sessions/TestUpsert.test_simple_upsert__rest": None,
    "sessions/TestUpsert.test_upsert__rest": None,
    "rest_sessions/composite-graph-request": None,
    "rest_sessions/create-record": None,
    "rest_sessions/create-sobject-collection": None,
    "rest_sessions/delete-sobject-collection": DEALS,
    "rest_sessions/get-limits": None,
    "rest_sessions/get-record": DEALS,
    "rest_sessions/get-sobject-basic-info": None,
    "rest_sessions/list-available-resources": None,
    "rest_sessions/opportunities": DEALS,
    "rest_sessions/query-all-records": CROWD,
    "rest_sessions/query-records": CROWD,
    "rest_sessions/retrieve-query-more": CROWD,
    "rest_sessions/update-record": DEALS,
    "rest_sessions/update-sobject-collection": None,
    "rest_sessions/upsert-record": None,
    "rest_sessions/upsert-sobject-collection": None,
}


def known_before(raw: Any, org: Salesforce, file: str) -> dict[str, str]:
    """Recorded ids of records that were there before, and ours for them."""
    a, b = (*org.ids("account").values(), "", "")[:2]
    there = {
        "delete-sobject-collection": {"001dM00003kREKdQAO": a, "001dM00003kREKeQAO": b},
        "get-record": {"001dM00003jU9GxQAK": a},
        "update-record": {"001dM00003kS3BpQAK": a},
    }
    if file.endswith("retrieve-query-more"):
        first = raw.query("SELECT Id, Name FROM Account").json()["nextRecordsUrl"]
        return {"0r8xx5R2sM3DgWhASK": re.split("[/-]", first)[-2]}
    return there.get(file.partition("/")[2], {})


@pytest.mark.parametrize("file", FILES)
def test_a_recorded_session_is_answered_as_it_was(calls, raw_for, file):
    with Salesforce(FILES[file]) as org:
        session = Session(raw_for(org))
        session.ids = known_before(session.raw, org, file)
        for name, exchange in calls.items():
            if name.partition("#")[0] == file and name not in NOT_REPLAYED:
                status, body = session.send(exchange)
                assert status == exchange["status"], (name, body)
                assert unexplained(name, body, exchange["body"]) == [], name


def test_a_bulk_job_is_made_as_recorded(calls, raw):
    job = {"operation": "queryAll", "query": "SELECT Id FROM Account"}
    answer = raw("POST", "jobs/query", json=job)
    name = "rest_sessions/bulk2_query_job#0"
    assert unexplained(name, answer.json(), calls[name]["body"]) == []


DESCRIBED = [
    "Account",
    "Case",
    "Contact",
    "Event",
    "Lead",
    "Opportunity",
    "OpportunityContactRole",
]


@pytest.mark.parametrize("name", DESCRIBED)
def test_an_object_is_described_as_recorded(calls, raw, name):
    answer = raw("GET", f"sobjects/{name}/describe")
    recorded = f"describe/{name}_describe"
    assert unexplained(recorded, answer.json(), calls[recorded]["body"]) == []

    own = {
        "picklistValues", "label", "compoundFieldName", "extraTypeInfo", "searchPrefilterable",
        "permissionable", "relationshipOrder", "referenceTo", "defaultValue", "autoNumber",
    }  # fmt: skip
    # Labels, picklists, their defaults and targets are each org's own. Compound names,
    # automatic numbers, search and which standard fields take permissions are not imitated.
    told = {field["name"]: field for field in calls[recorded]["body"]["fields"]}
    differs = {
        (field["name"], key): (field[key], told[field["name"]][key])
        for field in answer.json()["fields"]
        for key in set(field) & set(told.get(field["name"], {})) - own
        if field[key] != told[field["name"]][key]
    }
    assert differs == {}


def test_a_custom_object_is_described_as_recorded(calls, raw_for):
    table = pa.table({"Name": ["x"], "CustomField__c": ["y"]})
    switches = Switches(objects={"Custom__c": CustomObject(table)})
    with Salesforce(switches=switches) as org:
        ours = raw_for(org)("GET", "sobjects/Custom__c/describe").json()
    name = "describe/Custom__c_describe"
    assert unexplained(name, ours, calls[name]["body"]) == []


def test_the_list_of_objects_is_as_recorded(calls, raw):
    name = "describe/Global_describe"
    ours, theirs = raw("GET", "sobjects").json(), calls[name]["body"]
    assert unexplained(name, ours, theirs) == []
    known = {entry["name"]: entry for entry in theirs["sobjects"]}
    keys = (
        "createable",
        "updateable",
        "deletable",
        "undeletable",
        "queryable",
        "mergeable",
    )
    for entry in ours["sobjects"]:
        told = known.get(entry["name"], entry)
        assert [entry[key] for key in keys] == [told[key] for key in keys], entry[
            "name"
        ]


def test_a_wrong_object_in_a_count_is_refused_word_by_word(calls, raw):
    exchange = calls["sessions/TestCountSObjects.test_count_sobjects__errors#0"]
    told = exchange["body"]["compositeResponse"][1]
    refused = raw.query("select count() from XYZZY")
    assert (refused.status_code, refused.json()) == (
        told["httpStatusCode"],
        told["body"],
    )


# What was kept of other clients' recordings: the answer, and what it takes to get it.
ACME = "sobjects/Account/{a1}"
ANSWERS: dict[str, tuple[int, str, str, Any]] = {
    "auth_error_response": (400, "POST", "/services/oauth2/token", "wrong password"),
    "composite_response_failure": (200, "POST", "composite", {
        "allOrNone": True,
        "compositeRequest": [
            {"method": "POST", "url": "/services/data/v66.0/sobjects/Account",
             "referenceId": "a", "body": {"Name": "A"}},
            {"method": "POST", "url": "/services/data/v66.0/sobjects/Account",
             "referenceId": "b", "body": {"Name": "B", "Nope": 1}},
        ],
    }),
    "create_success_response": (201, "POST", "sobjects/Account", {"Name": "A"}),
    "delete_error_response": (404, "DELETE", "sobjects/Account/rid", None),
    "describe_sobjects_success_response": (200, "GET", "sobjects", None),
    "list_sobjects_success_response": (200, "GET", "sobjects", None),
    "expired_session_response": (401, "GET", "limits", "no session"),
    "get_deleted_success_response": (200, "GET",
        "sobjects/Account/deleted?start=2026-07-01T00:00:00Z&end=2026-07-02T00:00:00Z", None),
    "get_updated_success_response": (200, "GET",
        "sobjects/Account/updated?start=2026-07-01T00:00:00Z&end=2026-07-02T00:00:00Z", None),
    "org_query_response": (200, "GET", "query?q=SELECT Id FROM Organization", None),
    "query_aggregate_success_response": (200, "GET",
        "query?q=SELECT CampaignId, SUM(Amount) FROM Opportunity GROUP BY CampaignId", None),
    "query_empty_response": (200, "GET", "query?q=SELECT Id FROM Lead", None),
    "query_error_response": (400, "GET", "query?q=SELECT Nope FROM Account", None),
    "query_success_response": (200, "GET", "query?q=SELECT Id FROM Account", None),
    "query_paginated_first_page_response": (200, "GET", "query?q=SELECT Id FROM Account", "page"),
    "query_paginated_last_page_response": (200, "GET", "query?q=SELECT Id FROM Account", None),
    "services_data_success_response": (200, "GET", "/services/data", None),
    "sobject_describe_error_response": (404, "GET", "sobjects/Whizbang/describe", None),
    "sobject_describe_success_response": (200, "GET", "sobjects/Account/describe", None),
    "sobject_find_error_response": (404, "GET", "sobjects/Account/23foo", None),
    "sobject_find_success_response": (200, "GET", ACME, None),
    "sobject_select_success_response": (200, "GET", ACME + "?fields=Name", None),
    "upsert_created_success_response": (201, "PATCH", "sobjects/Contact/Email/a@b.example",
        {"LastName": "X"}),
    "upsert_error_response": (404, "PATCH", "sobjects/Account/Namez/x", {"Name": "X"}),
    "upsert_multiple_error_response": (300, "PATCH", "sobjects/Contact/Email/twin@b.example",
        {"LastName": "X"}),
    "write_error_response": (400, "PATCH", ACME, {"foo": 1}),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_kept_by_another_client_is_ours_too(calls, org, raw, name):
    status, method, path, body = ANSWERS[name]
    for _ in range(2):
        twin = {"LastName": "T", "Email": "twin@b.example"}
        raw("POST", "sobjects/Contact", json=twin)
    org.delete("Account", org.ids("account")["a4"])
    headers: dict[str, str] = {}
    data = None
    if body == "wrong password":
        data = {"grant_type": "password", "client_id": _auth.CLIENT_ID,
                "client_secret": _auth.CLIENT_SECRET, "username": "x", "password": "y"}  # fmt: skip
    elif body == "no session":
        headers = {"Authorization": "Bearer gone"}
    elif body == "page":
        org.fault(Fault(at_call=org.api_calls + 1, kind="fewer_rows", size=1))
    sent = body if isinstance(body, dict) else None
    path = path.format(a1=org.ids("account")["a1"])
    answer = raw(method, path, json=sent, data=data, headers=headers)
    assert answer.status_code == status, answer.text
    assert (
        unexplained(
            f"rest_fixtures/{name}",
            answer.json(),
            calls[f"rest_fixtures/{name}"]["body"],
        )
        == []
    )


@pytest.mark.parametrize("name", ["delete_error", "sobject_describe_error", "sobject_find_error",
                                  "expired_session", "query_empty"])  # fmt: skip
def test_these_answers_are_the_same_word_by_word(calls, raw, name):
    _, method, path, body = ANSWERS[f"{name}_response"]
    headers = {"Authorization": "Bearer gone"} if body else {}
    answer = raw(method, path, headers=headers)
    assert answer.json() == calls[f"rest_fixtures/{name}_response"]["body"]


def test_the_organization_is_as_recorded(calls, org, raw):
    ours = raw("GET", f"sobjects/Organization/{org.org_id}").json()
    theirs = calls["describe/Organization"]["body"]
    assert unexplained("describe/Organization", ours, theirs) == []
    assert set(ours) - set(theirs) == {"DefaultCurrencyIsoCode"}  # an assumption


def test_most_recorded_calls_are_replayed_and_the_rest_have_a_reason(calls):
    replayed = {name for name in calls if name.partition("#")[0] in FILES} - set(
        NOT_REPLAYED
    )
    replayed |= {
        f"describe/{name}_describe" for name in [*DESCRIBED, "Custom__c", "Global"]
    }
    replayed |= {"describe/Organization", "rest_sessions/bulk2_query_job#0"}
    replayed |= {f"rest_fixtures/{name}" for name in ANSWERS}
    assert set(calls) == replayed | set(NOT_REPLAYED)
    assert not replayed & set(NOT_REPLAYED)
    assert len(replayed) / len(calls) >= 0.9


def test_the_page_says_how_many_are_replayed_and_why_the_others_are_not(calls):
    page = Path(__file__).parents[2] / "docs/reference/simulator-salesforce.md"
    said = page.read_text(encoding="utf-8")
    share = (
        f"Of {len(calls)} recorded calls of real orgs, {len(calls) - len(NOT_REPLAYED)}"
    )
    assert share in said
    counted = [
        int(count) for count in re.findall(r"^\| .*\((\d)\) \|", said, re.MULTILINE)
    ]
    assert sum(counted) == len(NOT_REPLAYED)
    for reason in set(NOT_REPLAYED.values()):
        if reason.endswith(("is not imitated", "are not imitated")):
            assert reason in said
