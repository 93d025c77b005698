"""Activities, tickets, enquiries, contracts, contacts, rates and objects of one's own."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from crm_portfolio.errors import SettingsError
from crm_portfolio.simulator import Salesforce
from crm_portfolio.simulator.salesforce import Assumptions, CustomObject, Switches


@pytest.fixture
def raw(untidy_org, raw_for):
    return raw_for(untidy_org)


def by(raw, key, soql, path="query"):
    records = raw("GET", path, params={"q": soql}).json()["records"]
    return {record[key]: record for record in records}


def test_calls_and_mails_are_tasks_and_meetings_events(untidy_org, raw):
    ids = untidy_org.ids("activity")
    tasks = by(raw, "Id", "SELECT Id, TaskSubtype, CallType, CallDurationInSeconds, Status, "
               "IsClosed, CompletedDateTime, ActivityDate, AccountId, WhatId FROM Task")  # fmt: skip
    call, mail = tasks[ids["call"]], tasks[ids["mail"]]
    assert (call["TaskSubtype"], call["CallType"], call["CallDurationInSeconds"]) == (
        "Call", "Outbound", 750,
    )  # fmt: skip
    assert mail["CompletedDateTime"] == "2026-06-02T23:30:00.000+0000"
    assert mail["ActivityDate"] == "2026-06-03"  # the day it was in Paris
    # AccountId is the account of what it is about.
    assert mail["AccountId"] == untidy_org.ids("account")["mid"]
    assert mail["WhatId"] == untidy_org.ids("opportunity")["open"]
    assert (tasks[ids["cancelled"]]["Status"], tasks[ids["todo"]]["IsClosed"]) == (
        "Deferred",
        False,
    )
    (event,) = raw.rows(
        "SELECT StartDateTime, EndDateTime, DurationInMinutes FROM Event"
    )
    assert event == {
        "StartDateTime": "2026-05-04T08:00:00.000+0000",
        "EndDateTime": "2026-05-04T09:30:00.000+0000",
        "DurationInMinutes": 90,
    }


def test_old_activities_come_only_through_query_all(untidy_org, raw):
    old = untidy_org.ids("activity")["old"]
    soql = "SELECT Id, IsArchived FROM Task"
    assert old not in by(raw, "Id", soql)
    assert by(raw, "Id", soql, "queryAll")[old]["IsArchived"] is True
    untidy_org.archive("Task", untidy_org.ids("activity")["call"])
    assert len(by(raw, "Id", soql)) == 3
    assert len(by(raw, "Id", soql, "queryAll")) == 5


def test_the_last_activity_follows_from_what_was_held(untidy_org, raw):
    def last(name, account):
        found = raw.rows(f"SELECT LastActivityDate FROM {name} WHERE Id = '{account}'")
        return found[0]["LastActivityDate"]

    top, won = untidy_org.ids("account")["top"], untidy_org.ids("opportunity")["won"]
    assert last("Account", top) == "2026-06-01"
    assert last("Opportunity", won) == "2026-05-04"
    before = untidy_org.record("Account", top)["SystemModstamp"]
    body = {"WhatId": won, "ActivityDate": "2026-06-20", "Status": "Completed"}
    made = raw("POST", "sobjects/Task", json=body).json()["id"]
    assert last("Account", top) == last("Opportunity", won) == "2026-06-20"
    # The account itself was not written.
    assert untidy_org.record("Account", top)["SystemModstamp"] == before
    assert untidy_org.record("Task", made)["AccountId"] == top
    assert raw("DELETE", f"sobjects/Task/{made}").status_code == 204


@pytest.mark.parametrize("moves", [False, True])
def test_what_is_derived_may_or_may_not_move_the_stamp(moves):
    tables = {"account": pa.table({"account_id": ["a"]})}
    with Salesforce(tables, assumptions=Assumptions(derived_moves_stamp=moves)) as org:
        key = org.ids("account")["a"]
        before = org.record("Account", key)["SystemModstamp"]
        org.recalculate("Account", key, {"LastActivityDate": date(2026, 1, 1)})
        after = org.record("Account", key)
        assert after["LastActivityDate"] == date(2026, 1, 1)
        assert (after["SystemModstamp"] > before) is moves


def test_tickets_enquiries_and_contracts_have_their_objects(raw):
    assert raw.rows("SELECT Status, IsClosed, ClosedDate, Priority, Satisfaction__c FROM Case") == [
        {"Status": "Closed", "IsClosed": True, "ClosedDate": "2026-01-09T00:00:00.000+0000",
         "Priority": "High", "Satisfaction__c": 4.5},
        {"Status": "New", "IsClosed": False, "ClosedDate": None, "Priority": "Low",
         "Satisfaction__c": None},
    ]  # fmt: skip
    leads = raw.rows(
        "SELECT Status, IsConverted, ConvertedOpportunityId FROM Lead ORDER BY Id"
    )
    assert [lead["IsConverted"] for lead in leads] == [True, False]
    (first, second) = raw.rows(
        "SELECT StartDate, EndDate, ContractTerm, Notice_Days__c FROM Contract"
    )
    assert first == {"StartDate": "2025-07-01", "EndDate": "2026-06-30", "ContractTerm": 12,
                     "Notice_Days__c": 90.0}  # fmt: skip
    assert second["EndDate"] is None


def test_an_account_has_as_many_contacts_as_it_says(untidy_org, raw):
    counted = raw.rows("SELECT AccountId, COUNT(Id) FROM Contact GROUP BY AccountId")
    names = {key: name for name, key in untidy_org.ids("account").items()}
    assert {names[row["AccountId"]]: row["expr0"] for row in counted} == {
        "top": 2, "leaf": 1, "twin1": 3,
    }  # fmt: skip
    assert raw("GET", "limits/recordCount?sObjects=Contact,Case").json() == {
        "sObjects": [{"count": 6, "name": "Contact"}, {"count": 2, "name": "Case"}]
    }


def test_names_like_words_of_soql_and_long_texts_are_fields_like_others(raw):
    (row,) = raw.rows(
        "SELECT Order__c, Group__c, Description_Long__c FROM Account "
        "WHERE Group__c = 0 AND Order__c != null ORDER BY Order__c, Group__c LIMIT 1"
    )
    assert (row["Order__c"], row["Group__c"]) == ("x", 0.0)
    assert row["Description_Long__c"] == "é" * 32_000


def test_parents_may_go_in_circles(raw):
    found = raw.rows(
        "SELECT Name, Parent.Parent.Name FROM Account WHERE Name IN ('Hen', 'Ouroboros')"
    )
    assert [row["Parent"]["Parent"]["Name"] for row in found] == ["Hen", "Ouroboros"]


def test_a_person_account_has_a_last_name_and_no_name_of_its_own(untidy_org, raw):
    key = untidy_org.ids("account")["person"]
    found = raw.rows("SELECT Name, LastName FROM Account WHERE IsPersonAccount = TRUE")
    assert found == [{"Name": "Ada Lovelace", "LastName": "Ada Lovelace"}]
    assert raw.why({"id": key, "Name": "X"}) == (
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        ["Name"],
    )
    raw.update({"id": key, "FirstName": "Ada", "LastName": "King"})
    assert untidy_org.record("Account", key)["Name"] == "Ada King"


def test_rates_are_told_with_the_day_they_end(raw):
    assert by(
        raw, "IsoCode", "SELECT IsoCode, ConversionRate, IsCorporate FROM CurrencyType"
    )["EUR"]["IsCorporate"]
    found = raw.rows(
        "SELECT StartDate, NextStartDate, ConversionRate FROM DatedConversionRate "
        "WHERE IsoCode = 'USD' ORDER BY StartDate"
    )
    assert found == [
        {
            "StartDate": "2025-01-01",
            "NextStartDate": "2026-06-01",
            "ConversionRate": 1.25,
        },
        {
            "StartDate": "2026-06-01",
            "NextStartDate": "9999-12-31",
            "ConversionRate": 2.0,
        },
    ]


def test_amounts_are_converted_at_the_rate_of_the_close_date(raw):
    found = by(
        raw,
        "Name",
        "SELECT Name, Amount, convertCurrency(Amount) home FROM Opportunity",
    )
    assert found["Two"]["home"] == 100.0
    assert found["Seven"]["home"] == -40 / 128
    # Sums come in the org's own currency.
    assert raw.rows(
        "SELECT SUM(Amount) FROM Opportunity WHERE Name IN ('Two', 'Five')"
    ) == [{"expr0": 105.0}]
    for bad in (
        "SELECT convertCurrency(Probability) FROM Opportunity",
        "SELECT Name FROM Opportunity ORDER BY convertCurrency(Amount)",
        "SELECT Amount, convertCurrency(Amount) FROM Opportunity",
    ):
        assert raw.refused(bad)[0] == 400


def test_the_rate_may_be_told_the_other_way_round(raw_for):
    rates = {
        "exchange_rate": pa.table(
            {
                "currency": ["USD"],
                "base": ["EUR"],
                "from_on": ["2025-01-01"],
                "rate": [0.8],
            }
        ),
        "opportunity": pa.table(
            {
                "opportunity_id": ["o"],
                "status": ["open"],
                "amount": [10.0],
                "currency": ["USD"],
            }
        ),
    }
    other = Assumptions(conversion_rate="corporate_per_foreign")
    with Salesforce(rates, currency="EUR", assumptions=other) as org:
        raw = raw_for(org)
        assert raw.rows(
            "SELECT ConversionRate FROM CurrencyType WHERE IsoCode = 'USD'"
        ) == [{"ConversionRate": 0.8}]
        assert raw.rows("SELECT convertCurrency(Amount) FROM Opportunity") == [
            {"Amount": 8.0}
        ]


@pytest.mark.parametrize(
    ("switches", "there", "missing"),
    [
        (Switches(), (), ("CurrencyType", "DatedConversionRate")),
        (
            Switches(several_currencies=True),
            ("CurrencyType",),
            ("DatedConversionRate",),
        ),
        (
            Switches(several_currencies=True, dated_rates=True),
            ("DatedConversionRate",),
            (),
        ),
        (Switches(without=("Contract", "lead")), ("Case",), ("Contract", "Lead")),
    ],
)
def test_an_org_has_what_is_switched_on(raw_for, switches, there, missing):
    with Salesforce(switches=switches) as org:
        raw = raw_for(org)
        for name in there:
            assert raw("GET", f"sobjects/{name}/describe").status_code == 200
        for name in missing:
            assert raw("GET", f"sobjects/{name}/describe").status_code == 404
            assert raw.refused(f"SELECT Id FROM {name}")[:2] == (400, "INVALID_TYPE")


def test_person_accounts_can_be_switched_on(raw_for):
    for chosen in (False, True):
        with Salesforce(switches=Switches(person_accounts=chosen)) as org:
            status = (
                raw_for(org).query("SELECT IsPersonAccount FROM Account").status_code
            )
            assert status == (200 if chosen else 400)


def test_an_object_of_ones_own_is_an_object_like_others(raw_for):
    invoices = CustomObject(
        pa.table(
            {
                "Name": ["INV-1", "INV-2"],
                "Account__c": ["a", "nobody"],
                "Amount__c": [12.5, None],
                "Due__c": [date(2026, 1, 1), None],
                "Paid__c": [True, False],
            }
        ),
        lookups={"Account__c": "Account"},
    )
    tables = {"account": pa.table({"account_id": ["a"], "name": ["Acme"]})}
    with Salesforce(tables, switches=Switches(objects={"Invoice__c": invoices})) as org:
        raw = raw_for(org)
        soql = "SELECT Name, Account__r.Name, Amount__c, Due__c, Paid__c FROM Invoice__c ORDER BY Name"
        first, second = raw.rows(soql)
        assert (first["Account__r"]["Name"], first["Amount__c"], first["Due__c"]) == (
            "Acme", 12.5, "2026-01-01",
        )  # fmt: skip
        assert second["Account__r"] is None
        (account,) = raw.rows(
            "SELECT Name, (SELECT Name FROM Invoices__r) FROM Account"
        )
        assert account["Invoices__r"]["totalSize"] == 1
        described = raw("GET", "sobjects/Invoice__c/describe").json()
        assert described["custom"] is True
        types = {field["name"]: field["type"] for field in described["fields"]}
        assert types["Account__c"] == "reference"
        assert {"Id", "SystemModstamp", "IsDeleted", "CreatedDate"} <= set(types)
        body = {"Name": "INV-3", "Account__c": org.ids("account")["a"]}
        assert raw("POST", "sobjects/Invoice__c", json=body).status_code == 201
    with pytest.raises(SettingsError, match="no name of a custom object"):
        Salesforce(switches=Switches(objects={"Invoice": invoices}))


def test_a_field_of_the_data_can_be_made_a_picklist_with_former_values(raw_for):
    deal = pa.table(
        {
            "opportunity_id": ["o", "p"],
            "status": ["open"] * 2,
            "loss_reason": ["Price", "price (old)"],
        }
    )
    values = [{"valueName": "Price"}, {"valueName": "Timing", "isActive": False}]
    picklist = {
        "label": "Loss reason",
        "type": "Picklist",
        "valueSet": {"restricted": True, "valueSetDefinition": {"value": values}},
    }
    with Salesforce(
        {"opportunity": deal}, fields={"Opportunity.Loss_Reason__c": picklist}
    ) as org:
        fields = raw_for(org)("GET", "sobjects/Opportunity/describe").json()["fields"]
        (field,) = [one for one in fields if one["name"] == "Loss_Reason__c"]
        assert {one["value"]: one["active"] for one in field["picklistValues"]} == {
            "Price": True, "Timing": False, "price (old)": False,
        }  # fmt: skip
        assert field["restrictedPicklist"] is True
        said = [row["Loss_Reason__c"] for row in org.snapshot()["Opportunity"].values()]
        assert said == ["Price", "price (old)"]


def test_addresses_come_as_one_and_in_parts(untidy_org, raw):
    key = untidy_org.ids("account")["top"]
    raw.update({"id": key, "BillingCity": "Kyōto", "BillingCountry": "Japan"})
    (row,) = raw.rows(
        f"SELECT BillingAddress, ShippingAddress FROM Account WHERE Id = '{key}'"
    )
    assert row["ShippingAddress"] is None
    assert (row["BillingAddress"]["city"], row["BillingAddress"]["country"]) == (
        "Kyōto",
        "Japan",
    )
    assert (
        raw.refused("SELECT Id FROM Account WHERE BillingAddress = 'x'")[1]
        == "INVALID_FIELD"
    )
