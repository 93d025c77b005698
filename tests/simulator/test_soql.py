"""The rest of SOQL: relative dates, subqueries, groups, functions."""

from __future__ import annotations

from datetime import date, datetime

import pyarrow as pa
import pytest

from crm_portfolio.simulator import Salesforce
from crm_portfolio.simulator.salesforce import Assumptions
from crm_portfolio.simulator.salesforce._refusal import Refusal
from crm_portfolio.simulator.salesforce._relative import RELATIVE, span
from crm_portfolio.simulator.salesforce._soql import parse

DAYS = {
    "opportunity": pa.table(
        {
            "opportunity_id": [str(number) for number in range(731)],
            "status": ["won"] * 731,
            "closed_on": [
                date(2025, 7, 1).toordinal() + number for number in range(731)
            ],
        }
    )
}


@pytest.fixture(scope="module")
def calendar():
    """An org with a sale closed on each day of two years around its clock."""
    table = DAYS["opportunity"]
    days = pa.array([date.fromordinal(n) for n in table["closed_on"].to_pylist()])
    tables = {"opportunity": table.set_column(2, "closed_on", days)}
    with Salesforce(tables, time_zone="America/New_York") as org:
        yield org


def count(raw, condition):
    return raw.query(f"SELECT COUNT() FROM Opportunity WHERE {condition}").json()[
        "totalSize"
    ]


@pytest.mark.parametrize(
    ("literal", "first", "last"),
    [
        # The clock stands at 2 a.m. UTC on 1 July, which in New York is 30 June.
        ("TODAY", "2026-06-30", "2026-06-30"),
        ("YESTERDAY", "2026-06-29", "2026-06-29"),
        ("TOMORROW", "2026-07-01", "2026-07-01"),
        ("LAST_N_DAYS:7", "2026-06-23", "2026-06-30"),
        ("NEXT_N_DAYS:7", "2026-07-01", "2026-07-07"),
        ("N_DAYS_AGO:3", "2026-06-27", "2026-06-27"),
        ("LAST_90_DAYS", "2026-04-01", "2026-06-30"),
        ("THIS_WEEK", "2026-06-28", "2026-07-04"),
        ("LAST_MONTH", "2026-05-01", "2026-05-31"),
        ("LAST_N_MONTHS:2", "2026-04-01", "2026-05-31"),
        ("THIS_QUARTER", "2026-04-01", "2026-06-30"),
        ("LAST_QUARTER", "2026-01-01", "2026-03-31"),
        ("NEXT_N_QUARTERS:2", "2026-07-01", "2026-12-31"),
        ("THIS_YEAR", "2026-01-01", "2026-12-31"),
        ("THIS_FISCAL_YEAR", "2026-01-01", "2026-12-31"),
    ],
)
def test_relative_dates_mean_whole_days_in_the_users_zone(
    calendar, raw_for, literal, first, last
):
    raw = raw_for(calendar)
    assert count(raw, f"CloseDate = {literal}") == count(
        raw, f"CloseDate >= {first} AND CloseDate <= {last}"
    )
    assert count(raw, f"CloseDate < {literal}") == count(raw, f"CloseDate < {first}")
    assert count(raw, f"CloseDate <= {literal}") == count(raw, f"CloseDate <= {last}")
    assert count(raw, f"CloseDate > {literal}") == count(raw, f"CloseDate > {last}")
    assert count(raw, f"CloseDate >= {literal}") == count(raw, f"CloseDate >= {first}")
    assert count(raw, f"CloseDate != {literal}") == 731 - count(
        raw, f"CloseDate = {literal}"
    )


def test_a_relative_date_cuts_moments_at_local_midnight(calendar, raw_for):
    raw, key = raw_for(calendar), calendar.ids("opportunity")["0"]
    for hour, is_today in ((3, False), (4, True)):  # midnight in New York is 4 a.m. UTC
        calendar._org.store.update(
            "Opportunity", [{"Id": key, "CreatedDate": datetime(2026, 6, 30, hour)}]
        )
        assert bool(count(raw, f"Id = '{key}' AND CreatedDate = TODAY")) is is_today


@pytest.mark.parametrize("name", sorted(RELATIVE))
def test_every_relative_date_is_a_span_with_an_end(name):
    literal = f"{name}:2" if RELATIVE[name].takes_number else name
    for day in (date(2024, 2, 29), date(2026, 12, 31), date(2026, 1, 1)):
        first, behind = span(literal, day)
        assert first < behind


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("CloseDate = LAST_N_DAYS", "MALFORMED_QUERY"),
        ("CloseDate = TODAY:3", "MALFORMED_QUERY"),
        ("CloseDate = LAST_N_DAYS:1.5", "MALFORMED_QUERY"),
        ("CloseDate = SOMEDAY", "MALFORMED_QUERY"),
        ("Name = TODAY", "INVALID_FIELD"),
        ("Amount > TODAY", "INVALID_FIELD"),
        ("CloseDate IN (TODAY, YESTERDAY)", "INVALID_FIELD"),
    ],
)
def test_relative_dates_are_used_as_they_may_be(raw, condition, code):
    assert raw.refused(f"SELECT Id FROM Opportunity WHERE {condition}")[:2] == (
        400,
        code,
    )


def test_subqueries_give_the_records_below_each_record(org, raw):
    soql = (
        "SELECT Name, (SELECT Name, Amount, Owner.Name FROM Opportunities WHERE Amount >= 0 "
        "ORDER BY Amount DESC NULLS LAST), (SELECT Id FROM ChildAccounts) FROM Account "
        "WHERE Name IN ('Acme', 'NA') ORDER BY Name"
    )
    acme, other = raw.query(soql).json()["records"]
    below = acme["Opportunities"]
    assert (below["totalSize"], below["done"]) == (2, True)
    assert [row["Name"] for row in below["records"]] == ["One", "Two"]
    assert below["records"][0]["Owner"]["Name"] == "Ann Able"
    assert below["records"][0]["attributes"]["type"] == "Opportunity"
    assert acme["ChildAccounts"]["totalSize"] == 1
    assert other["Opportunities"] is None


def test_a_subquery_may_be_cut_and_leaves_out_what_is_deleted(org, raw):
    soql = "SELECT (SELECT Name FROM Opportunities ORDER BY Name {}) FROM Account WHERE Name = 'Acme'"

    def names(tail=""):
        (row,) = raw.rows(soql.format(tail))
        return [one["Name"] for one in row["Opportunities"]["records"]]

    assert names("LIMIT 1") == ["One"]
    org.delete("Opportunity", org.ids("opportunity")["o1"])
    assert names() == ["Two"]


def test_more_records_below_than_a_page_have_pages_of_their_own(raw_for):
    many = 4_100
    tables = {
        "account": pa.table({"account_id": ["a"]}),
        "opportunity": pa.table(
            {"opportunity_id": [f"{n:05d}" for n in range(many)], "status": ["open"] * many,
             "account_id": ["a"] * many}
        ),
    }  # fmt: skip
    with Salesforce(tables) as org:
        raw = raw_for(org)
        (row,) = raw.rows("SELECT Id, (SELECT Name FROM Opportunities) FROM Account")
        page = row["Opportunities"]
        names = [one["Name"] for one in page["records"]]
        while not page["done"]:
            page = raw("GET", page["nextRecordsUrl"]).json()
            names += [one["Name"] for one in page["records"]]
        assert names == [f"{n:05d}" for n in range(many)]
        assert page["totalSize"] == many


@pytest.mark.parametrize(
    ("soql", "code", "said"),
    [
        ("SELECT Id, (SELECT Id FROM Nothings) FROM Account", "INVALID_TYPE", "Didn't understand relationship 'Nothings'"),
        ("SELECT Id, (SELECT Nope FROM Opportunities) FROM Account", "INVALID_FIELD", "No such column 'Nope'"),
        ("SELECT Id, (SELECT COUNT() FROM Opportunities) FROM Account", "MALFORMED_QUERY", "subquery"),
        ("SELECT Id, (SELECT Id, (SELECT Id FROM Contacts) FROM Opportunities) FROM Account", "MALFORMED_QUERY", "unexpected token"),
        ("SELECT Id FROM Account WHERE Id IN (SELECT Name FROM Opportunity)", "MALFORMED_QUERY", "ids"),
        ("SELECT Id FROM Account WHERE Id IN (SELECT Id, AccountId FROM Opportunity)", "MALFORMED_QUERY", "only one field"),
        ("SELECT Id FROM Account WHERE Id IN (SELECT Id FROM Nope)", "INVALID_TYPE", "'Nope'"),
        ("SELECT COUNT(Id) FROM Account HAVING COUNT(Id) > 1", "MALFORMED_QUERY", "GROUP BY"),
        ("SELECT Name FROM Account GROUP BY Name HAVING Industry = 'x'", "MALFORMED_QUERY", "grouped"),
        ("SELECT Name FROM Account ORDER BY COUNT(Id)", "MALFORMED_QUERY", "function in ORDER BY"),
        ("SELECT FIELDS(ALL) FROM Account", "MALFORMED_QUERY", "LIMIT of at most 200"),
        ("SELECT FIELDS(CUSTOM) FROM Account LIMIT 201", "MALFORMED_QUERY", "LIMIT of at most 200"),
        ("SELECT FIELDS(SOME) FROM Account LIMIT 1", "MALFORMED_QUERY", "unexpected token"),
        ("SELECT Id FROM Account ALL ROWS", "MALFORMED_QUERY", "ALL ROWS not allowed"),
        ("SELECT Id FROM Account WHERE Name = 'a' AND NOT Name = 'b'", "MALFORMED_QUERY", "unexpected token: 'NOT'"),
        ("SELECT MAX(ActivityDate) FROM Task", "MALFORMED_QUERY", "does not support aggregate operator"),
        ("SELECT Id FROM Opportunity WHERE HasOpenActivity = TRUE", "INVALID_FIELD", "can not be filtered"),
        ("SELECT Subject, COUNT(Id) FROM Task GROUP BY Subject", "MALFORMED_QUERY", "can not be grouped"),
    ],
)  # fmt: skip
def test_soql_the_service_refuses(raw, soql, code, said):
    status, found, message = raw.refused(soql)
    assert (status, found) == (400, code)
    assert said in message


def test_semi_joins_find_records_by_others(org, raw):
    def names(condition):
        return sorted(
            r["Name"][:4]
            for r in raw.rows(f"SELECT Name FROM Account WHERE {condition}")
        )

    assert names("Id IN (SELECT AccountId FROM Opportunity WHERE IsWon = TRUE)") == [
        "Acme"
    ]
    assert names("Id NOT IN (SELECT AccountId FROM Opportunity WHERE Amount > 50)") == [
        "Beta", "Line", "NA",
    ]  # fmt: skip
    assert names(
        "Id IN (SELECT AccountId FROM Opportunity WHERE Owner.Name = 'Ben Bold') AND Name LIKE 'A%'"
    ) == ["Acme"]


def test_groups_are_kept_and_ordered_by_what_they_amount_to(raw):
    found = raw.rows(
        "SELECT StageName, COUNT(Id) n, MIN(Amount), AVG(Amount) FROM Opportunity "
        "GROUP BY StageName HAVING COUNT(Id) > 1 AND StageName != 'Lost' ORDER BY SUM(Amount) DESC"
    )
    assert found == [
        {"StageName": "Won", "n": 2, "expr0": -10.0, "expr1": 45.125},
        {"StageName": "Open", "n": 2, "expr0": 40.0, "expr1": 40.0},
    ]


def test_fields_stand_for_many(org, raw):
    (row,) = raw.rows("SELECT FIELDS(ALL) FROM Account LIMIT 1")
    assert {"Id", "Name", "BillingAddress", "Is_Customer__c"} <= set(row)
    (row,) = raw.rows("SELECT FIELDS(CUSTOM) FROM Account LIMIT 1")
    assert set(row) == {"Is_Customer__c"}
    standard = raw.rows("SELECT FIELDS(STANDARD) FROM Account")
    assert len(standard) == 4
    assert "Is_Customer__c" not in standard[0]
    org.hide_field("Account", "Industry")
    assert "Industry" not in raw.rows("SELECT FIELDS(STANDARD) FROM Account LIMIT 1")[0]


def test_all_rows_may_be_allowed(raw_for):
    tables = {"account": pa.table({"account_id": ["a", "b"]})}
    with Salesforce(tables, assumptions=Assumptions(all_rows=True)) as org:
        org.delete("Account", org.ids("account")["a"])
        raw = raw_for(org)
        assert len(raw.rows("SELECT Id FROM Account")) == 1
        assert len(raw.rows("SELECT Id FROM Account ALL ROWS")) == 2


def test_a_statement_may_have_a_hundred_thousand_characters(raw_for, raw):
    ids = ",".join(["'001000000000000AAA'"] * 400)
    assert (
        len(raw.query(f"SELECT Id FROM Account WHERE Id IN ({ids})").json()["records"])
        == 0
    )
    long = "SELECT Id FROM Account WHERE Name = '" + "x" * 99_962 + "'"
    assert len(long) == 100_000
    assert parse(long)
    with pytest.raises(Refusal, match="QUERY_TOO_COMPLICATED"):
        parse(long + " ")


def test_a_row_that_changes_between_pages_stays_where_it_was(raw_for):
    count = 2_500
    tables = {"account": pa.table({"account_id": [f"{n:05d}" for n in range(count)]})}
    with Salesforce(tables) as org:
        raw = raw_for(org)
        soql = (
            "SELECT Id, Name, SystemModstamp FROM Account ORDER BY SystemModstamp, Id"
        )
        first = raw.query(soql).json()
        org.edit("Account", org.ids("account")["00001"], {"Site": "x"})
        org.stamp("Account", *list(org.ids("account").values())[2000:2400])
        rest = raw("GET", first["nextRecordsUrl"]).json()["records"]
        names = [row["Name"] for row in [*first["records"], *rest]]
        assert names == [f"{n:05d}" for n in range(count)]
        # Asked again, it has moved to the end, before those that were stamped together.
        again = raw.query(soql + " LIMIT 2000 OFFSET 500").json()["records"]
        assert again[-401]["Name"] == "00001"
        assert len({row["SystemModstamp"] for row in again[-400:]}) == 1
