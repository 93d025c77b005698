"""What an opportunity said before: loaded, and kept by the org itself."""

from __future__ import annotations

import pyarrow as pa
import pytest

from crm_portfolio.errors import DataError
from crm_portfolio.simulator import Salesforce
from crm_portfolio.simulator.salesforce import Switches


@pytest.fixture
def raw(untidy_org, raw_for):
    return raw_for(untidy_org)


def shots(raw, opportunity):
    found = raw.rows(
        "SELECT StageName, Amount, PrevAmount, CloseDate, PrevCloseDate, Probability, CreatedDate "
        f"FROM OpportunityHistory WHERE Opportunity.Name = '{opportunity}' ORDER BY CreatedDate"
    )
    return [tuple(row.values()) for row in found]


def told(raw, opportunity):
    found = raw.rows(
        "SELECT Field, DataType, OldValue, NewValue FROM OpportunityFieldHistory "
        f"WHERE Opportunity.Name = '{opportunity}' ORDER BY CreatedDate, Field, DataType"
    )
    return [tuple(row.values()) for row in found]


def test_a_snapshot_says_what_stood_at_each_change(raw):
    assert shots(raw, "One") == [
        ("First call", 900.0, None, "2026-04-30", None, 10.0, "2026-01-05T09:00:00.000+0000"),
        ("First call", 1000.5, 900.0, "2026-04-30", "2026-04-30", 10.0, "2026-01-20T00:00:00.000+0000"),
        ("Talks", 1000.5, 1000.5, "2026-04-30", "2026-04-30", 25.0, "2026-02-03T00:00:00.000+0000"),
        ("Talks", 1000.5, 1000.5, "2026-05-02", "2026-04-30", 25.0, "2026-04-01T00:00:00.000+0000"),
        ("Won", 1000.5, 1000.5, "2026-05-02", "2026-05-02", 100.0, "2026-05-02T10:00:00.000+0000"),
    ]  # fmt: skip


def test_an_opportunity_that_never_changed_has_its_beginning_only(raw):
    assert len(shots(raw, "Six")) == 1


def test_a_stage_that_was_renamed_is_no_longer_offered(raw):
    found = raw.rows(
        "SELECT ApiName, IsActive FROM OpportunityStage ORDER BY SortOrder"
    )
    assert found[-1] == {"ApiName": "First call", "IsActive": False}
    fields = raw("GET", "sobjects/Opportunity/describe").json()["fields"]
    (stage,) = [field for field in fields if field["name"] == "StageName"]
    offered = {value["value"]: value["active"] for value in stage["picklistValues"]}
    assert offered == {"Talks": True, "Won": True, "Lost": True, "First call": False}


def test_values_of_the_field_history_have_the_type_of_their_field(raw):
    assert told(raw, "One") == [
        ("Amount", "Currency", 900.0, 1000.5),
        ("StageName", "DynamicEnum", "First call", "Talks"),
        ("CloseDate", "DateOnly", "2026-04-30", "2026-05-02"),
        ("Owner", "EntityId", "005Sm0000000002IAA", "005Sm0000000001IAA"),
        ("Owner", "Text", "Ben Bold", "Ann Able"),
        ("StageName", "DynamicEnum", "Talks", "Won"),
    ]


def test_the_field_history_forgets_after_two_years(untidy_org, raw):
    assert told(raw, "Three") == []  # in 2019
    assert shots(raw, "Three") != []  # which no limit takes away
    untidy_org.clock.advance(3 * 365 * 86_400)
    assert told(raw, "One") == []


@pytest.mark.parametrize("field", ["OldValue", "NewValue"])
def test_old_and_new_values_cannot_be_asked_for(raw, field):
    for tail in (f"WHERE {field} = 'Won'", f"ORDER BY {field}"):
        status, code, _ = raw.refused(f"SELECT Id FROM OpportunityFieldHistory {tail}")
        assert (status, code in ("INVALID_FIELD", "MALFORMED_QUERY")) == (400, True)
    fields = raw("GET", "sobjects/OpportunityFieldHistory/describe").json()["fields"]
    (known,) = [one for one in fields if one["name"] == field]
    assert (known["type"], known["filterable"], known["groupable"]) == (
        "anyType",
        False,
        False,
    )


def test_an_edit_leaves_a_snapshot_and_a_line_for_each_tracked_field(untidy_org, raw):
    record_id = untidy_org.ids("opportunity")["open"]
    untidy_org.edit(
        "Opportunity",
        record_id,
        {
            "StageName": "Won",
            "Amount": 31,
            "OwnerId": untidy_org.ids("owner")["u1"],
            "NextStep": "x",
        },
    )
    *_, last = shots(raw, "Four")
    assert last[:3] == ("Won", 31.0, 30.25)
    assert [line for line in told(raw, "Four") if line[1] != "Text"][1:] == [
        ("Amount", "Currency", 30.25, 31.0),
        ("Owner", "EntityId", "005Sm0000000002IAA", "005Sm0000000001IAA"),
        ("Probability", "Percent", 25.0, 100.0),
        ("StageName", "DynamicEnum", "Talks", "Won"),
    ]
    record = untidy_org.record("Opportunity", record_id)
    assert (record["IsWon"], record["ExpectedRevenue"]) == (True, 31.0)
    assert record["LastStageChangeDate"] == untidy_org.clock.stored


def test_an_edit_of_what_is_not_tracked_leaves_nothing(untidy_org, raw):
    before = untidy_org.snapshot("OpportunityHistory", "OpportunityFieldHistory")
    key = untidy_org.ids("opportunity")["open"]
    untidy_org.edit("Opportunity", key, {"NextStep": "call", "Description": "long"})
    assert (
        untidy_org.snapshot("OpportunityHistory", "OpportunityFieldHistory") == before
    )


def test_an_org_tracks_the_fields_it_was_told_to(untidy_org, raw_for):
    deals = {"opportunity": pa.table({"opportunity_id": ["o"], "status": ["open"]})}
    with Salesforce(deals, switches=Switches(tracked=("NextStep",))) as org:
        key = org.ids("opportunity")["o"]
        org.edit("Opportunity", key, {"NextStep": "call", "Amount": 5})
        raw = raw_for(org)
        assert raw.rows("SELECT Field, NewValue FROM OpportunityFieldHistory") == [
            {"Field": "NextStep", "NewValue": "call"}
        ]


def test_a_close_date_pushed_to_a_later_month_is_counted(untidy_org):
    key = untidy_org.ids("opportunity")["open"]
    for day in ("2026-10-01", "2026-10-30", "2026-12-01", "2026-11-01"):
        untidy_org.edit("Opportunity", key, {"CloseDate": day})
    assert untidy_org.record("Opportunity", key)["PushCount"] == 2


def test_a_change_of_a_field_that_opportunities_lack_is_refused():
    change = pa.table(
        {"opportunity_id": ["o"], "changed_at": ["2026-01-01T00:00:00Z"], "field": ["colour"],
         "old": ["a"], "new": ["b"]}
    )  # fmt: skip
    deal = pa.table({"opportunity_id": ["o"], "status": ["open"]})
    with pytest.raises(DataError, match="colour"):
        Salesforce({"opportunity": deal, "opportunity_change": change})


def test_a_new_opportunity_has_a_beginning(untidy_org, raw):
    body = {
        "Name": "Eight",
        "StageName": "Talks",
        "CloseDate": "2026-12-31",
        "Amount": 8,
    }
    made = raw("POST", "sobjects/Opportunity", json=body).json()["id"]
    (first,) = shots(raw, "Eight")
    assert first[:5] == ("Talks", 8.0, None, "2026-12-31", None)
    assert told(raw, "Eight") == []
    record = untidy_org.record("Opportunity", made)
    assert (record["CurrencyIsoCode"], record["ExpectedRevenue"]) == ("EUR", 2.0)
