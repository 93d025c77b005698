"""What do model tables look like inside a portal?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from crm_portfolio import samples
from crm_portfolio._folder import write_folder
from crm_portfolio.errors import DataError, SettingsError
from crm_portfolio.simulator.hubspot import HubSpot


@pytest.fixture(scope="module")
def odd() -> Iterator[HubSpot]:
    """Everything that is not ordinary; looked at, never changed."""
    with HubSpot(samples.odd_book(), currency="EUR", time_zone="Europe/Paris") as one:
        yield one


@pytest.fixture
def hold() -> Iterator[Callable[..., HubSpot]]:
    """Portals to look at until the test ends."""
    with ExitStack() as open_until_then:
        yield lambda *data, **switches: open_until_then.enter_context(
            HubSpot(*data, **switches)
        )


def deal(portal: HubSpot, key: str) -> dict[str, Any]:
    return portal.record("deals", portal.ids("opportunity")[key])


def company(portal: HubSpot, key: str) -> dict[str, Any]:
    return portal.record("companies", portal.ids("account")[key])


@pytest.fixture
def small(hold) -> Callable[..., HubSpot]:
    """A portal with one deal."""

    def one(**columns: Any) -> HubSpot:
        return hold({"opportunity": pa.table({"opportunity_id": ["o"], **columns})})

    return one


def test_numbers_stay_the_ids_and_other_ids_become_numbers(hold):
    kept = hold({"account": pa.table({"account_id": ["512", "77"]})})
    assert dict(kept.ids("account")) == {"512": "512", "77": "77"}
    made = hold({"account": pa.table({"account_id": ["x", "y", "z", "007"]})})
    ids = list(made.ids("account").values())
    assert all(each.isdecimal() for each in ids)
    assert ids == sorted(ids, key=int) != sorted(ids)


def test_an_account_becomes_a_company(odd):
    record = company(odd, "a01")
    assert record["name"] == "Acme"
    assert record["domain"] == record["website"] == "acme.example"
    assert record["industry"] == "Banking"
    assert record["lifecyclestage"] == "lead"
    # midnight in Paris
    assert record["createdate"] == "2023-01-01T23:00:00.000Z"
    assert company(odd, "a11")["name"] == " padded "
    assert company(odd, "a11")["industry"] is None


def test_a_customer_is_told_by_its_lifecycle_stage(hold):
    table = pa.table({"account_id": ["1", "2"], "is_customer": [True, None]})
    portal = hold({"account": table})
    stages = [company(portal, key)["lifecyclestage"] for key in ("1", "2")]
    assert stages == ["customer", "lead"]


def test_hierarchies_and_circles_are_properties_and_links(odd):
    ids = odd.ids("account")
    for child, parent in (
        ("a03", "a01"),
        ("a05", "a04"),
        ("a06", "a07"),
        ("a08", "a08"),
    ):
        assert company(odd, child)["hs_parent_company_id"] == ids[parent]
    assert company(odd, "a01")["hs_num_child_companies"] == "1"
    assert company(odd, "a11")["hs_parent_company_id"] is None


def test_a_column_without_a_home_becomes_a_property_of_its_type(odd):
    record = company(odd, "a04")
    assert (record["order"], record["select"], record["is_person"]) == (
        "group by", "3", "false",
    )  # fmt: skip
    assert company(odd, "a05")["order"] == "NA"
    assert len(company(odd, "a01")["description"]) > 32_000


def test_values_that_hubspot_does_not_offer_are_offered(talk):
    with HubSpot(samples.odd_book(), currency="EUR") as portal:
        raw = talk(portal)
        told = raw("GET", "/crm/v3/properties/companies/industry").json()
        values = {option["value"] for option in told["options"]}
        assert {"Retail; wholesale", "BANKING", "Banking"} <= values
        select = raw("GET", "/crm/v3/properties/companies/select").json()
        assert (select["type"], select["fieldType"]) == ("number", "number")


def test_an_opportunity_becomes_a_deal(odd):
    record = deal(odd, "o01")
    assert record["amount"] == "1000.25"
    assert record["closedate"] == "2024-04-30T22:00:00Z"  # the first of May in Paris
    assert record["createdate"] == "2023-06-01T23:30:00.000Z"
    assert deal(odd, "o07")["closed_lost_reason"] == 'they said: "no";\nnever again'
    assert deal(odd, "o12")["amount"] == "1000000000000"
    assert [deal(odd, key)["amount"] for key in ("o04", "o06", "o07", "o13")] == [
        None, "0", "-75.5", "0.01",
    ]  # fmt: skip


def test_a_deal_of_three_companies_has_a_primary_one_or_none(odd):
    ids = odd.ids("account")
    primary = {
        key: deal(odd, key)["hs_primary_associated_company"]
        for key in odd.ids("opportunity")
    }
    assert primary["o01"] == primary["o02"] == ids["a01"]
    assert primary["o03"] is primary["o04"] is primary["o12"] is None


def test_the_companies_of_a_deal_are_shown_inline(talk):
    with HubSpot(samples.odd_book(), currency="EUR") as portal:
        raw, ids = talk(portal), portal.ids("account")
        page = raw.list("deals", limit=100, associations="companies")["results"]
        links = {
            record["id"]: [
                (entry["id"], entry["type"])
                for entry in record.get("associations", {})
                .get("companies", {})
                .get("results", ())
            ]
            for record in page
        }
        deals = portal.ids("opportunity")
    plain, first = "deal_to_company_unlabeled", "deal_to_company"
    assert links[deals["o04"]] == links[deals["o12"]] == []
    assert links[deals["o01"]] == [(ids["a01"], first), (ids["a01"], plain)]
    assert links[deals["o02"]] == [
        (ids["a01"], first), (ids["a01"], plain), (ids["a02"], plain), (ids["a03"], plain),
    ]  # fmt: skip
    assert links[deals["o03"]] == [(ids[a], plain) for a in ("a01", "a02", "a03")]


def test_the_companies_of_a_deal_may_be_a_list(hold):
    deals = {"account_id": ["b"], "account_ids": [["a", "b"]], "status": ["open"]}
    accounts = pa.table({"account_id": ["a", "b"]})
    table = pa.table({"opportunity_id": ["o"], **deals})
    portal = hold({"account": accounts, "opportunity": table})
    assert company(portal, "a")["num_associated_deals"] == "1"
    assert (
        deal(portal, "o")["hs_primary_associated_company"] == portal.ids("account")["b"]
    )


def test_pipelines_share_labels_of_stages_but_no_ids(talk):
    with HubSpot(samples.odd_book(), currency="EUR") as portal:
        lines = talk(portal)("GET", "/crm/v3/pipelines/deals").json()["results"]
    assert [line["label"] for line in lines] == ["Sales", "Renewals"]
    first, second = ({s["label"]: s for s in line["stages"]} for line in lines)
    assert first["Offer"]["id"] != second["Offer"]["id"]
    assert all(stage["id"].isdecimal() for stage in first.values())
    assert first["Won"]["metadata"] == {"isClosed": "true", "probability": "1.0"}
    assert first["Lost"]["metadata"] == {"isClosed": "true", "probability": "0.0"}
    assert second["Offer"]["metadata"] == {"isClosed": "false", "probability": "0.9"}
    assert "Quote sent" not in first


def test_standard_stages_keep_their_words(small):
    portal = small(stage=["Closed Won"], status=["won"])
    assert deal(portal, "o")["dealstage"] == "closedwon"
    assert deal(small(status=["lost"]), "o")["dealstage"] == "closedlost"


def test_a_status_that_its_stage_contradicts_is_refused(hold, small):
    stages = pa.table(
        {"pipeline": ["P"], "stage": ["S"], "position": [1], "status": ["won"]}
    )
    deals = {"opportunity_id": ["o"], "pipeline": ["P"], "stage": ["S"]}
    lost = pa.table({**deals, "status": ["lost"]})
    with pytest.raises(DataError, match="contradicts"):
        hold({"stage": stages, "opportunity": lost})
    nowhere = pa.table({**deals, "stage": ["T"], "status": ["won"]})
    with pytest.raises(DataError, match="lacks"):
        hold({"stage": stages, "opportunity": nowhere})
    with pytest.raises(DataError, match="open, won or lost"):
        small(status=["perhaps"])


def test_renewals_and_expansions_can_be_told_apart(small):
    kinds = [
        deal(small(status=["open"], kind=[kind]), "o")["dealtype"]
        for kind in ("new", "renewal", "expansion")
    ]
    assert kinds == ["newbusiness", "renewal", "existingbusiness"]


def test_changes_become_history_newest_first(talk):
    with HubSpot(samples.odd_book(), currency="EUR") as portal:
        raw, deals = talk(portal), portal.ids("opportunity")
        asked = "dealstage,amount"
        past = raw.one("deals", deals["o01"], propertiesWithHistory=asked)
        amounts = raw.one("deals", deals["o02"], propertiesWithHistory="amount")
        current = past["properties"]["dealstage"]
    stages = past["propertiesWithHistory"]["dealstage"]
    assert [entry["timestamp"] for entry in stages] == [
        "2024-05-01T00:00:00.000Z",
        "2023-09-01T00:00:00.000Z",
        "2023-06-01T23:30:00.000Z",
    ]
    assert stages[0]["value"] == current
    assert {entry["sourceType"] for entry in stages} == {"CRM_UI"}
    assert [e["value"] for e in amounts["propertiesWithHistory"]["amount"]] == [
        "2000.1",
        "1500",
    ]
    # whose changes nobody kept
    (amount,) = past["propertiesWithHistory"]["amount"]
    assert (amount["value"], amount["timestamp"]) == (
        "1000.25", "2023-06-01T23:30:00.000Z",
    )  # fmt: skip


def test_a_deal_tells_when_it_entered_its_stages(odd):
    record = deal(odd, "o01")
    entered = {
        name: value
        for name, value in record.items()
        if name.startswith("hs_v2_date_entered") and value
    }
    assert sorted(entered.values()) == [
        "2023-06-01T23:30:00Z",
        "2023-09-01T00:00:00Z",
        "2024-05-01T00:00:00Z",
        "2024-05-01T00:00:00Z",
    ]
    assert record["hs_v2_date_entered_current_stage"] == "2024-05-01T00:00:00Z"


def test_activities_become_engagements(odd):
    counts = {kind: len(rows) for kind, rows in odd.snapshot().items()}
    assert {k: counts[k] for k in ("calls", "emails", "meetings", "notes", "tasks")} == {
        "calls": 2, "emails": 1, "meetings": 2, "notes": 1, "tasks": 1,
    }  # fmt: skip
    call = odd.record("calls", odd.ids("activity")["c1"])
    assert call["hs_call_duration"] == "750000"
    assert call["hs_call_direction"] == "OUTBOUND"
    assert call["hs_timestamp"] == "2025-01-28T09:30:00Z"
    meeting = odd.record("meetings", odd.ids("activity")["c2"])
    assert meeting["hs_meeting_end_time"] == "2025-02-28T10:30:00Z"
    assert meeting["hs_meeting_outcome"] == "COMPLETED"
    email = odd.record("emails", odd.ids("activity")["c3"])
    assert email["hs_email_direction"] == "INCOMING_EMAIL"


def test_tickets_leads_and_invoices_arrive_with_their_links(talk):
    moment = pa.array([datetime(2025, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC"))
    tables = {
        "account": pa.table({"account_id": ["a"]}),
        "opportunity": pa.table({"opportunity_id": ["o"], "status": ["open"]}),
        "ticket": pa.table(
            {"ticket_id": ["t"], "opened_at": moment, "closed_at": moment,
             "account_id": ["a"], "priority": ["P1"], "satisfaction": [4.5]}
        ),
        "enquiry": pa.table(
            {"enquiry_id": ["e"], "created_at": moment, "account_id": ["a"],
             "opportunity_id": ["o"], "status": ["Working"], "source": ["Fair"]}
        ),
        "invoice": pa.table(
            {"invoice_id": ["i"], "account_id": ["a"], "issued_on": [date(2025, 1, 2)],
             "due_on": [date(2025, 2, 1)], "paid_on": [date(2025, 2, 9)],
             "amount": [119.0], "currency": ["EUR"], "open_amount": [0.0]}
        ),
        "revenue_line": pa.table({"line_id": ["l"]}),
    }  # fmt: skip
    with HubSpot(tables, currency="EUR") as portal:
        raw, company_id = talk(portal), portal.ids("account")["a"]
        for kind in ("tickets", "leads", "invoices"):
            (record,) = raw.list(kind, associations="companies")["results"]
            linked = {e["id"] for e in record["associations"]["companies"]["results"]}
            assert linked == {company_id}, kind
        lead = portal.record("leads", portal.ids("enquiry")["e"])
        ticket = portal.record("tickets", portal.ids("ticket")["t"])
        invoice = portal.record("invoices", portal.ids("invoice")["i"])
        lines = raw("GET", "/crm/v3/pipelines/leads").json()["results"]
        labels = {stage["id"]: stage["label"] for stage in lines[0]["stages"]}
    assert labels[lead["hs_pipeline_stage"]] == "Working"
    assert lead["source"] == "Fair"
    assert (ticket["hs_is_closed"], ticket["hs_ticket_priority"]) == ("true", "P1")
    assert ticket["satisfaction"] == "4.5"
    assert (invoice["hs_invoice_status"], invoice["hs_amount_billed"]) == (
        "paid",
        "119",
    )
    assert invoice["hs_due_date"] == "2025-02-01T00:00:00Z"
    assert portal.left_out == ("revenue_line",)


def test_owners_who_left_are_archived(talk):
    with HubSpot(samples.odd_book(), currency="EUR") as portal:
        raw = talk(portal)
        live = raw("GET", "/crm/v3/owners").json()["results"]
        gone = raw("GET", "/crm/v3/owners", params={"archived": "true"}).json()
    assert [owner["lastName"] for owner in live] == ["Able", "一郎"]
    assert [owner["firstName"] for owner in gone["results"]] == ["Bo"]
    assert "userId" not in gone["results"][0]


def test_an_unknown_table_and_ids_that_come_twice_are_refused(hold):
    with pytest.raises(SettingsError, match="accounts"):
        hold({"accounts": pa.table({})})
    with pytest.raises(DataError, match="each row once"):
        hold({"account": pa.table({"account_id": ["a", "a"]})})


def test_a_folder_gives_the_same_portal_as_its_tables(tmp_path, hold):
    tables = samples.book(accounts=40, opportunities=250).tables
    write_folder(tmp_path, tables)
    from_folder, from_tables = hold(tmp_path), hold(tables)
    assert from_folder.snapshot(audit=True) == from_tables.snapshot(audit=True)


def test_a_start_gives_the_same_portal_every_time(hold):
    one = hold(samples.odd_book(), currency="EUR").snapshot(audit=True)
    assert one == hold(samples.odd_book(), currency="EUR").snapshot(audit=True)
