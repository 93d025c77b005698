"""Model tables inside a pretend org."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio.errors import DataError, SettingsError
from crm_portfolio.simulator import Salesforce
from crm_portfolio.simulator.salesforce import Assumptions
from crm_portfolio.simulator.salesforce._ids import MADE_HERE, is_id, new_ids, to_18


def one(raw: Any, soql: str) -> dict[str, Any]:
    (row,) = raw.rows(soql)
    return dict(row)


def test_standard_fields_hold_what_the_model_said(org, raw):
    found = one(
        raw,
        "SELECT Name, ParentId, Owner.Name, Industry, BillingCountry, Website, "
        "AnnualRevenue, NumberOfEmployees, CreatedDate FROM Account WHERE Name = 'Acme'",
    )
    assert found.pop("Owner")["Name"] == "Ann Able"
    assert found == {
        "Name": "Acme",
        "ParentId": None,
        "Industry": "technolgy",
        "BillingCountry": "France",
        "Website": "https://acme.example",
        "AnnualRevenue": 1_100_040_000.0,
        "NumberOfEmployees": 2822,
        "CreatedDate": "2016-02-28T23:00:00.000+0000",  # midnight in Paris
    }


def test_ids_are_real_ones_and_can_be_looked_up(org, raw):
    accounts, opportunities = org.ids("account"), org.ids("opportunity")
    assert all(is_id(value, "001") for value in accounts.values())
    assert all(is_id(value, "006") for value in opportunities.values())
    assert len(set(accounts.values())) == 4
    children = raw.rows(f"SELECT Name FROM Account WHERE ParentId = '{accounts['a1']}'")
    assert children == [{"Name": "Beta Söhne"}]
    assert org.record("Account", accounts["a1"][:15])["Name"] == "Acme"
    assert is_id(org.org_id, "00D")


def test_every_name_survives_the_wire(org, raw):
    names = {row["Name"] for row in raw.rows("SELECT Name FROM Account")}
    assert names == {"Acme", "Beta Söhne", "NA", "Line\nBreak \x1b[31m"}


def test_a_link_to_nobody_is_no_link(org, raw):
    assert raw.rows("SELECT Name FROM Account WHERE ParentId != null") == [
        {"Name": "Beta Söhne"}
    ]
    assert len(raw.rows("SELECT Id FROM Opportunity WHERE AccountId = null")) == 2


def test_a_null_amount_stays_null_and_probability_becomes_percent(org, raw):
    found = raw.rows("SELECT Amount, Probability, Type FROM Opportunity ORDER BY Id")
    assert [row["Amount"] for row in found] == [100.25, 0.0, None, 40.0, -10.0]
    assert [row["Probability"] for row in found] == [100.0, 0.0, 7.0, None, 100.0]
    assert found[0]["Type"] == "New Customer"


def test_what_salesforce_demands_is_supplied(org, raw):
    found = raw.rows(
        "SELECT Name, CloseDate, CreatedDate, OwnerId FROM Opportunity ORDER BY Id"
    )
    assert [row["CloseDate"] for row in found] == [
        "2017-03-01", "2017-04-01", "2018-01-31", "2099-12-31", "2017-05-01",
    ]  # fmt: skip
    assert found[3]["Name"] == "o4"
    assert {row["CreatedDate"] for row in found} == {"2000-01-01T12:00:00.000+0000"}
    orphan = one(raw, "SELECT Owner.Name FROM Account WHERE Name LIKE 'Line%'")
    assert orphan["Owner"]["Name"] == "Integration User"


def test_status_follows_from_the_stage(org, raw):
    found = raw.rows(
        "SELECT StageName, IsClosed, IsWon, ForecastCategory FROM Opportunity ORDER BY Id"
    )
    assert [tuple(row.values()) for row in found[:3]] == [
        ("Won", True, True, "Closed"),
        ("Lost", True, False, "Omitted"),
        ("Open", False, False, "Pipeline"),
    ]
    stages = raw.rows(
        "SELECT ApiName, SortOrder, DefaultProbability FROM OpportunityStage ORDER BY SortOrder"
    )
    assert stages[0] == {"ApiName": "Open", "SortOrder": 1, "DefaultProbability": 25.0}


def test_other_columns_are_custom_fields_seen_from_the_start(org, raw, client):
    assert one(raw, "SELECT Product_Id__c FROM Opportunity WHERE Name = 'One'") == {
        "Product_Id__c": "GTXPro"
    }
    fields = {f["name"]: f for f in client.Account.describe()["fields"]}
    assert fields["Is_Customer__c"]["custom"] is True
    # One customer flag is unknown, and a checkbox cannot say so.
    assert fields["Is_Customer__c"]["type"] == "picklist"
    assert not [name for name in fields if name.startswith("Portfolio_")]


def test_owners_nobody_listed_are_users_too(org, raw):
    names = [row["Name"] for row in raw.rows("SELECT Name FROM User ORDER BY Name")]
    assert names == ["Ann Able", "Ben Bold", "Integration User", "u3"]


def test_the_org_says_what_it_is(org, raw):
    found = one(
        raw,
        "SELECT Id, IsSandbox, TimeZoneSidKey, DefaultCurrencyIsoCode FROM Organization",
    )
    assert found == {
        "Id": org.org_id,
        "IsSandbox": True,
        "TimeZoneSidKey": "Europe/Paris",
        "DefaultCurrencyIsoCode": "USD",
    }


def test_a_folder_of_csv_and_an_empty_org(tmp_path: Path):
    (tmp_path / "account.csv").write_text(
        "account_id,name,employee_count\nx,NA,\ny,B,7\n"
    )
    with Salesforce(tmp_path) as crm:
        staff = {
            r["Name"]: r.get("NumberOfEmployees")
            for r in crm.snapshot()["Account"].values()
        }
        assert staff == {"NA": None, "B": 7}
    with Salesforce() as crm:
        held = crm.snapshot()
        assert held["Account"] == held["Opportunity"] == {}
        assert len(held["OpportunityStage"]) == 10


def test_a_pulled_folder_keeps_its_ids():
    ids = new_ids("001", MADE_HERE, first=5, count=2)
    with Salesforce({"account": pa.table({"account_id": ids})}) as crm:
        assert set(crm.snapshot()["Account"]) == set(ids.to_pylist())


def test_tables_without_an_object_are_named(tmp_path: Path):
    tables = {
        "account": pa.table({"account_id": ["a"], "tier": ["A"]}),
        "cost": pa.table({"cost_id": ["c"]}),
    }
    with Salesforce(tables) as crm:
        assert crm.left_out == ("cost",)
        assert not [
            f for f in crm.record("Account", crm.ids("account")["a"]) if "ier" in f
        ]


def test_several_currencies_make_a_multi_currency_org():
    opportunity = pa.table(
        {
            "opportunity_id": ["o1", "o2"],
            "status": ["won", "won"],
            "amount": [10.0, 20.0],
            "original_amount": [11.0, None],
            "currency": ["GBP", "EUR"],
            "closed_on": [date(2020, 1, 1)] * 2,
        }
    )
    with Salesforce({"opportunity": opportunity}, currency="EUR") as crm:
        records = crm.snapshot()["Opportunity"].values()
        assert [(r["Amount"], r["CurrencyIsoCode"]) for r in records] == [
            (11.0, "GBP"),
            (20.0, "EUR"),
        ]
    with Salesforce({"opportunity": opportunity.slice(1)}, currency="EUR") as crm:
        assert "CurrencyIsoCode" not in next(
            iter(crm.snapshot()["Opportunity"].values())
        )


@pytest.mark.parametrize("shown", [True, False])
def test_an_org_may_hide_its_currency(shown, raw_for):
    with Salesforce(assumptions=Assumptions(shows_org_currency=shown)) as crm:
        fields = raw_for(crm)("GET", "sobjects/Organization/describe").json()["fields"]
        assert ("DefaultCurrencyIsoCode" in {f["name"] for f in fields}) is shown
        assert (
            "DefaultCurrencyIsoCode" in crm.record("Organization", crm.org_id)
        ) is shown


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"acount": pa.table({"account_id": ["a"]})}, "did you mean 'account'"),
    ],
)
def test_unknown_tables_are_refused(tables, said):
    with pytest.raises(SettingsError, match=said):
        Salesforce(tables)


@pytest.mark.parametrize(
    ("table", "columns", "said"),
    [
        ("account", {"account_id": ["a", "a"]}, "account.account_id"),
        ("account", {"account_id": ["a", None]}, "account.account_id"),
        ("account", {"name": ["a"]}, "no column account_id"),
        (
            "account",
            {"account_id": ["a"], "employee_count": ["many"]},
            "employee_count",
        ),
        (
            "opportunity",
            {"opportunity_id": ["o"], "status": ["gone"]},
            "open, won or lost",
        ),
        (
            "opportunity",
            {"opportunity_id": ["o"], "kind": ["odd"], "status": ["won"]},
            "kind",
        ),
        (
            "opportunity",
            {
                "opportunity_id": ["o", "p"],
                "stage": ["S", "S"],
                "status": ["won", "lost"],
            },
            "different status",
        ),
    ],
)
def test_data_no_org_could_hold_is_refused(table, columns, said):
    with pytest.raises(DataError, match=said):
        Salesforce({table: pa.table(columns)})


def test_a_status_that_its_stage_contradicts_is_refused():
    stage = pa.table({"stage": ["Won"], "status": ["won"], "position": [1]})
    opportunity = pa.table(
        {"opportunity_id": ["o"], "stage": ["Won"], "status": ["lost"]}
    )
    with pytest.raises(DataError, match="contradicts"):
        Salesforce({"stage": stage, "opportunity": opportunity})


@given(st.integers(0, 62**9 - 1))
def test_an_id_survives_being_cut_to_fifteen(number):
    (full,) = new_ids("001", MADE_HERE, first=number, count=1).to_pylist()
    assert is_id(full, "001")
    assert to_18(full[:15]) == full
    assert to_18(full[:-1] + ("A" if full[-1] != "A" else "B")) is None


@given(st.text(max_size=20))
def test_no_text_passes_for_an_id_but_an_id(text):
    full = to_18(text)
    assert full is None or full[:15] == text[:15]
