"""Reading from the pretend org: SOQL, pages, describe, single records."""

from __future__ import annotations

from contextlib import suppress

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_portfolio.simulator import Salesforce
from crm_portfolio.simulator.salesforce._refusal import Refusal
from crm_portfolio.simulator.salesforce._soql import parse

MANY = 4_321


def names(raw, condition):
    found = raw.rows(f"SELECT Name FROM Account WHERE {condition} ORDER BY Name")
    return [row["Name"][:4] for row in found]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("Name = 'acme'", ["Acme"]),  # text is compared without case
        ("Name != 'Acme'", ["Beta", "Line", "NA"]),
        ("Name LIKE '%b%'", ["Beta", "Line"]),
        ("Name LIKE 'A_me'", ["Acme"]),
        ("Name IN ('NA', 'Acme')", ["Acme", "NA"]),
        ("Name NOT IN ('NA', 'Acme')", ["Beta", "Line"]),
        ("BillingCountry = null", ["Beta"]),
        ("BillingCountry != 'France'", ["Beta", "NA"]),  # null is not France
        ("NOT BillingCountry = 'France'", ["Beta", "NA"]),
        ("NumberOfEmployees > 0", ["Acme", "NA"]),
        ("NumberOfEmployees <= 1 AND Industry = 'Banking'", ["Line"]),
        ("(Name = 'NA' OR Name = 'Acme') AND AnnualRevenue > 1", ["Acme"]),
        ("CreatedDate < 2017-01-01T00:00:00Z", ["Acme", "Beta", "Line"]),
        ("CreatedDate >= 2017-01-01T00:00:00+01:00", ["Line", "NA"]),
        ("Owner.Name = 'Ben Bold'", ["Beta"]),
        ("Parent.Owner.IsActive = TRUE", ["Beta"]),
        ("IsDeleted = false AND Account.Name = 'NA'", ["NA"]),
        ("AnnualRevenue = 12.5", ["Line"]),
    ],
)
def test_conditions(raw, condition, found):
    assert names(raw, condition) == found


def test_quotes_and_line_breaks_are_escaped(org, raw):
    record = org.ids("account")["a3"]
    org.edit("Account", record, {"Name": "O'Brien \\ Sons\n100% _x"})
    assert names(raw, r"Name = 'O\'Brien \\ Sons\n100% _x'") == ["O'Br"]
    assert names(raw, r"Name LIKE '%100\% \_x'") == ["O'Br"]
    assert names(raw, r"Name LIKE '%1000\%%'") == []


def test_parents_come_nested_and_null_where_there_is_none(org, raw):
    records = raw.query(
        "SELECT Name, Account.Name, Account.Owner.Name FROM Opportunity ORDER BY Id"
    ).json()["records"]
    account = org.ids("account")["a1"]
    assert records[0]["Account"] == {
        "attributes": {
            "type": "Account",
            "url": f"/services/data/v66.0/sobjects/Account/{account}",
        },
        "Name": "Acme",
        "Owner": {
            "attributes": {
                "type": "User",
                "url": f"/services/data/v66.0/sobjects/User/{org.ids('owner')['u1']}",
            },
            "Name": "Ann Able",
        },
    }
    assert records[3]["Account"] is None


def test_order_and_limit(raw):
    def amounts(tail):
        return [r["Amount"] for r in raw.rows(f"SELECT Amount FROM Opportunity {tail}")]

    assert amounts("ORDER BY Amount") == [None, -10.0, 0.0, 40.0, 100.25]
    assert amounts("ORDER BY Amount DESC NULLS LAST LIMIT 2") == [100.25, 40.0]
    assert amounts("ORDER BY Amount ASC NULLS LAST OFFSET 3") == [100.25, None]
    assert amounts("LIMIT 0") == []


def test_counts_and_groups(raw):
    counted = raw.query("SELECT COUNT() FROM Opportunity WHERE IsClosed = TRUE").json()
    assert counted == {"totalSize": 3, "done": True, "records": []}
    grouped = raw.query(
        "SELECT IsClosed, COUNT(Id), SUM(Amount) won, MAX(Amount) FROM Opportunity "
        "GROUP BY IsClosed ORDER BY IsClosed"
    ).json()["records"]
    assert grouped == [
        {"attributes": {"type": "AggregateResult"}, "IsClosed": False,
         "expr0": 2, "won": 40.0, "expr1": 40.0},
        {"attributes": {"type": "AggregateResult"}, "IsClosed": True,
         "expr0": 3, "won": 90.25, "expr1": 100.25},
    ]  # fmt: skip
    assert raw.rows("SELECT COUNT_DISTINCT(StageName) FROM Opportunity") == [
        {"expr0": 3}
    ]


@pytest.mark.parametrize(
    ("soql", "code", "said"),
    [
        ("SELECT Id, Nope__c FROM Account", "INVALID_FIELD", "No such column 'Nope__c' on entity 'Account'"),
        ("SELECT Owner.Nope FROM Account", "INVALID_FIELD", "on entity 'User'"),
        ("SELECT Boss.Name FROM Account", "INVALID_FIELD", "Didn't understand relationship 'Boss'"),
        ("SELECT Id FROM Account WHERE Nope = 1", "INVALID_FIELD", "No such column"),
        ("SELECT Id FROM Account ORDER BY Nope", "INVALID_FIELD", "No such column"),
        ("SELECT Id FROM Acount", "INVALID_TYPE", "sObject type 'Acount' is not supported"),
        ("SELECT Id FROM Account WHERE Name = 5", "INVALID_FIELD", "must be of type string and should be enclosed in quotes"),
        ("SELECT Id FROM Account WHERE NumberOfEmployees = '5'", "INVALID_FIELD", "should not be enclosed"),
        ("SELECT Id FROM Account WHERE CreatedDate > '2017-01-01'", "INVALID_FIELD", "of type dateTime"),
        ("SELECT Id FROM Account WHERE CreatedDate > 2017-01-01", "INVALID_FIELD", "of type dateTime"),
        ("SELECT Id FROM Opportunity WHERE CloseDate > 2017-01-01T00:00:00Z", "INVALID_FIELD", "of type date "),
        ("SELECT Id FROM Opportunity WHERE IsWon = 1", "INVALID_FIELD", "of type boolean"),
        ("SELECT Id FROM Opportunity WHERE CloseDate = 2017-02-30", "MALFORMED_QUERY", "Invalid date"),
        ("SELECT Id FROM Account WHERE Id = 'abc'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: abc"),
        ("SELECT Id FROM Account WHERE Id LIKE '001%'", "INVALID_QUERY_FILTER_OPERATOR", "invalid operator"),
        ("SELECT Id FROM Opportunity WHERE IsWon > TRUE", "INVALID_QUERY_FILTER_OPERATOR", "invalid operator"),
        ("SELECT Id FROM Account WHERE Description = 'x'", "INVALID_FIELD", "can not be filtered"),
        ("SELECT Id FROM Account ORDER BY Description", "MALFORMED_QUERY", "can not be sorted"),
        ("SELECT Amount, COUNT(Id) FROM Opportunity GROUP BY Amount", "MALFORMED_QUERY", "can not be grouped"),
        ("SELECT Name, COUNT(Id) FROM Opportunity GROUP BY StageName", "MALFORMED_QUERY", "Field must be grouped or aggregated: Name"),
        ("SELECT SUM(Name) FROM Account", "MALFORMED_QUERY", "does not support aggregate operator SUM"),
        ("SELECT Id, Name, id FROM Account", "MALFORMED_QUERY", "duplicate field selected: Id"),
        ("SELECT * FROM Account", "MALFORMED_QUERY", "no viable alternative at character '*'"),
        ("SELECT FROM Account", "MALFORMED_QUERY", "unexpected token: 'FROM'"),
        ("SELECT Id Account", "MALFORMED_QUERY", "unexpected token: 'Account'"),
        ("SELECT Id FROM Account WHERE", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
        ("SELECT Id FROM Account WHERE Name = 'a' AND Name = 'b' OR Id = null", "MALFORMED_QUERY", "unexpected token: 'OR'"),
        ("SELECT COUNT() FROM Account GROUP BY Name", "MALFORMED_QUERY", "unexpected token"),
        ("SELECT Name FROM Account GROUP BY Name ORDER BY Industry", "MALFORMED_QUERY", "Ordered field must be grouped or aggregated: Industry"),
        ("SELECT COUNT(Id) FROM Account ORDER BY Name", "MALFORMED_QUERY", "Ordered field must be grouped"),
        ("SELECT Id FROM Account LIMIT 99999999999999999999", "MALFORMED_QUERY", "unexpected token"),
        ("SELECT Id FROM Account LIMIT 1.5", "MALFORMED_QUERY", "unexpected token: '1.5'"),
        ("SELECT Id FROM Account WHERE Name = 'open", "MALFORMED_QUERY", "no viable alternative"),
        ("SELECT COUNT(), Name FROM Account", "MALFORMED_QUERY", "unexpected token"),
        ('SELECT Id FROM Account WHERE Name = "x"', "MALFORMED_QUERY", "no viable alternative"),
        ("SELECT Id FROM Account; DROP TABLE Account", "MALFORMED_QUERY", "character ';'"),
    ],
)  # fmt: skip
def test_soql_the_service_refuses(raw, soql, code, said):
    status, found, message = raw.refused(soql)
    assert (status, found) == (400, code)
    assert said in message


def test_a_refusal_points_at_the_place(raw):
    _, _, message = raw.refused("SELECT Id, Nope__c FROM Account")
    assert message.splitlines()[1:4] == [
        "SELECT Id, Nope__c FROM Account",
        "           ^",
        "ERROR at Row:1:Column:12",
    ]


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT Id FROM Account FOR UPDATE",
        "SELECT Id FROM Account WITH SECURITY_ENFORCED",
        "SELECT TYPEOF Owner WHEN User THEN Name END FROM Account",
        "SELECT a.Id FROM Account a",
        "SELECT Who.Name FROM Task",
        "SELECT toLabel(Industry) FROM Account",
        "SELECT COUNT(Id) FROM Opportunity GROUP BY CALENDAR_YEAR(CloseDate)",
    ],
)
def test_what_is_not_imitated_says_so(raw, soql):
    status, code, _ = raw.refused(soql)
    assert (status, code) == (501, "NOT_IMITATED")


@given(st.text(alphabet="SELECT idFROMacount'=<>()., 1*%\\\n-T:", max_size=60))
@settings(max_examples=200)
def test_any_text_is_parsed_or_refused(text):
    with suppress(Refusal):
        assert parse(f"SELECT Id FROM {text}").entity


@pytest.fixture(scope="module")
def crowd():
    table = pa.table(
        {
            "account_id": [f"a{number}" for number in range(MANY)],
            "name": [f"Account {number:05d}" for number in range(MANY)],
        }
    )
    with Salesforce({"account": table}) as org:
        yield org


def pages(raw, **headers):
    answer = raw.query("SELECT Name FROM Account", headers=headers).json()
    yield answer
    while not answer["done"]:
        answer = raw("GET", answer["nextRecordsUrl"]).json()
        yield answer


def test_pages_of_two_thousand_give_everything_once(crowd, raw_for):
    crowd.reset()
    found = list(pages(raw_for(crowd)))
    assert [len(page["records"]) for page in found] == [2000, 2000, 321]
    assert {page["totalSize"] for page in found} == {MANY}
    assert "nextRecordsUrl" not in found[-1]
    names = [record["Name"] for page in found for record in page["records"]]
    assert names == [f"Account {number:05d}" for number in range(MANY)]
    assert crowd.calls == {"GET query": 1, "GET query/{locator}": 2}
    assert crowd.api_calls == 3


@pytest.mark.parametrize(("asked", "given"), [(500, 500), (10, 200), (9999, 2000)])
def test_the_batch_size_is_a_hint_within_bounds(crowd, asked, given, raw_for):
    first = next(
        pages(raw_for(crowd), **{"Sforce-Query-Options": f"batchSize={asked}"})
    )
    assert len(first["records"]) == given


def test_a_locator_dies_with_its_session(crowd, raw_for):
    raw = raw_for(crowd)
    locator = next(pages(raw))["nextRecordsUrl"]
    assert raw("GET", locator).status_code == 200
    stranger = raw_for(crowd)
    answer = stranger("GET", locator)
    assert answer.status_code == 400
    assert answer.json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"
    crowd.expire_tokens()
    raw.login()
    assert raw("GET", locator).json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"
    assert raw("GET", "query/01gNonsense-2000").status_code == 400


def test_a_locator_lives_two_days(crowd, raw_for):
    raw = raw_for(crowd)
    locator = next(pages(raw))["nextRecordsUrl"]
    crowd.clock.advance(2 * 86_400 - 1)
    assert raw("GET", locator).status_code == 200
    crowd.clock.advance(1)
    assert raw("GET", locator).json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"


def test_a_group_query_has_one_page_only(crowd, raw_for):
    status, code, message = raw_for(crowd).refused(
        "SELECT Name, COUNT(Id) FROM Account GROUP BY Name"
    )
    assert (status, code) == (400, "EXCEEDED_ID_LIMIT")
    assert "queryMore" in message


def test_the_usual_client_pages_through(crowd, plain_http_for):
    import requests
    import simple_salesforce

    session = requests.Session()
    session.mount("https://", plain_http_for(crowd.url.removeprefix("http://")))
    client = simple_salesforce.Salesforce(
        session=session,
        session_id=crowd.environment_for("session")["SALESFORCE_ACCESS_TOKEN"],
        instance_url="https://sim.my.salesforce.com",
    )
    assert len(client.query_all("SELECT Id FROM Account")["records"]) == MANY


def test_describe_has_only_what_the_user_sees(org, raw):
    def fields():
        body = raw("GET", "sobjects/Account/describe").json()
        return {field["name"]: field for field in body["fields"]}

    assert fields()["Industry"]["restrictedPicklist"] is False
    assert "technolgy" in {v["value"] for v in fields()["Industry"]["picklistValues"]}
    org.hide_field("Account", "Industry")
    assert "Industry" not in fields()
    status, code, _ = raw.refused("SELECT Industry FROM Account")
    assert (status, code) == (400, "INVALID_FIELD")
    status, code, _ = raw.refused("SELECT Id FROM Account WHERE Industry = 'x'")
    assert (status, code) == (400, "INVALID_FIELD")


def test_an_object_without_the_right_to_read_is_not_there(org, raw):
    org.revoke_right("Read Opportunity")
    assert raw.refused("SELECT Id FROM Opportunity")[:2] == (400, "INVALID_TYPE")
    assert raw("GET", "sobjects/Opportunity/describe").status_code == 404
    listed = {o["name"] for o in raw("GET", "sobjects").json()["sobjects"]}
    assert "Account" in listed
    assert "Opportunity" not in listed
    ids = list(org.ids("opportunity").values())
    body = {"ids": ids, "fields": ["Id"]}
    answer = raw("POST", "composite/sobjects/Opportunity", json=body)
    assert answer.json() == [None] * len(ids)


def test_a_record_by_its_id(org, raw):
    record_id = org.ids("account")["a1"]
    assert raw("GET", f"sobjects/Account/{record_id[:15]}").json()["Name"] == "Acme"
    few = raw("GET", f"sobjects/Account/{record_id}?fields=Name,Industry").json()
    assert set(few) == {"attributes", "Name", "Industry"}
    answer = raw("GET", f"sobjects/Account/{record_id}?fields=Nope")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_FIELD")
    org.delete("Account", record_id)
    for path, code in [
        (f"sobjects/Account/{record_id}", "ENTITY_IS_DELETED"),
        ("sobjects/Account/nonsense", "NOT_FOUND"),
        ("sobjects/Nope/001", "NOT_FOUND"),
        ("sobjects/Nope/describe", "NOT_FOUND"),
        ("nowhere", "NOT_FOUND"),
    ]:
        answer = raw("GET", path)
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (404, code)


def test_many_records_by_id_come_in_their_places(org, raw):
    ids = org.ids("account")
    org.delete("Account", ids["a3"])
    asked = [ids["a2"], "001000000000000AAA", ids["a3"], "nonsense", ids["a1"][:15]]
    body = {"ids": asked, "fields": ["Name"]}
    found = raw("POST", "composite/sobjects/Account", json=body).json()
    assert [row and row["Name"] for row in found] == [
        "Beta Söhne",
        None,
        None,
        None,
        "Acme",
    ]
    by_get = f"composite/sobjects/Account?ids={ids['a1']}&fields=Id,Name"
    assert raw("GET", by_get).json()[0]["Name"] == "Acme"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"ids": ["001000000000000AAA"] * 2001, "fields": ["Id"]}, "EXCEEDED_ID_LIMIT"),
        ({"ids": ["001000000000000AAA"], "fields": ["Nope"]}, "INVALID_FIELD"),
        ({"ids": [], "fields": ["Id"]}, "MISSING_ARGUMENT"),
        ({"ids": "001000000000000AAA", "fields": ["Id"]}, "JSON_PARSER_ERROR"),
    ],
)
def test_reading_many_has_its_bounds(raw, body, code):
    answer = raw("POST", "composite/sobjects/Account", json=body)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)


def test_every_answer_tells_what_is_left(org, raw):
    assert raw.query("SELECT Id FROM Account").headers["Sforce-Limit-Info"] == (
        "api-usage=1/100000"
    )
    assert raw("GET", "nowhere").headers["Sforce-Limit-Info"] == "api-usage=1/100000"
    limits = raw("GET", "limits/").json()
    assert limits["DailyApiRequests"] == {"Max": 100_000, "Remaining": 99_998}


def test_the_daily_limit_ends_the_day(raw_for):
    with Salesforce(daily_limit=2) as org:
        raw = raw_for(org)
        codes = [raw("GET", "limits").status_code for _ in range(3)]
        assert codes == [200, 200, 403]
        answer = raw("GET", "limits")
        assert answer.json()[0]["errorCode"] == "REQUEST_LIMIT_EXCEEDED"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/services/data/v20.0/limits", 410),
        ("/services/data/v69.0/limits", 404),
        ("/services/data/66.0/limits", 404),
        ("/services/data/v68.0/limits", 200),
    ],
)
def test_versions_come_and_go(raw, path, status):
    assert raw("GET", path).status_code == status


def test_only_documented_methods_are_answered(raw):
    answer = raw("DELETE", "limits")
    assert answer.status_code == 405
    assert answer.json()[0]["errorCode"] == "METHOD_NOT_ALLOWED"


def test_a_request_beyond_sixteen_kilobytes_is_refused(raw):
    wide = "SELECT Id FROM Account WHERE Name IN ('" + "x" * 16_400 + "')"
    assert raw.query(wide).status_code == 431
    assert raw.query(wide.replace("x" * 1_000, "", 1)).status_code == 200
