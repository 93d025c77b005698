"""Is what HubSpot calculates right at the start, and after every change?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from crm_portfolio import samples
from crm_portfolio.simulator.hubspot import HubSpot


@pytest.fixture
def odd() -> Iterator[HubSpot]:
    with HubSpot(samples.odd_book(), currency="EUR", time_zone="Europe/Paris") as one:
        yield one


def deal(portal: HubSpot, key: str) -> dict[str, Any]:
    return portal.record("deals", portal.ids("opportunity")[key])


def company(portal: HubSpot, key: str) -> dict[str, Any]:
    return portal.record("companies", portal.ids("account")[key])


def edit(portal: HubSpot, key: str, **values: Any) -> None:
    portal.edit("deals", portal.ids("opportunity")[key], values)


def stage_of(portal: HubSpot, key: str) -> str:
    return str(deal(portal, key)["dealstage"])


def picked(record: dict[str, Any], *names: str) -> list[Any]:
    return [record[name] for name in names]


STATES = ("hs_is_closed", "hs_is_closed_won", "hs_is_closed_lost")


def test_a_stage_says_whether_a_deal_is_closed_won_or_lost(odd):
    assert picked(deal(odd, "o01"), *STATES) == ["true", "true", "false"]
    assert picked(deal(odd, "o05"), *STATES) == ["true", "false", "true"]
    assert picked(deal(odd, "o03"), *STATES) == ["false", "false", "false"]


def test_moving_a_deal_moves_all_that_follows_from_its_stage(odd):
    assert company(odd, "a01")["hs_num_open_deals"] == "2"
    edit(odd, "o03", dealstage=stage_of(odd, "o01"))
    moved = deal(odd, "o03")
    assert picked(moved, *STATES) == ["true", "true", "false"]
    assert moved["hs_deal_stage_probability"] == "1"
    assert moved["hs_closed_amount"] == "300"
    assert company(odd, "a01")["hs_num_open_deals"] == "1"
    assert company(odd, "a01")["total_revenue"] == "3627.845"
    # vendor docs: the day of closing is set when nobody says it
    assert moved["closedate"] == moved["hs_v2_date_entered_current_stage"]
    assert moved["closedate"].startswith("2026-07-01T02:00:01")


def test_a_day_of_closing_that_is_said_stands(odd):
    edit(odd, "o03", dealstage=stage_of(odd, "o05"), closedate="2026-01-02")
    assert deal(odd, "o03")["closedate"] == "2026-01-02T00:00:00Z"


def test_the_odds_follow_the_stage_unless_somebody_says_others(odd):
    edit(odd, "o10", hs_deal_stage_probability=0.5)
    assert deal(odd, "o10")["hs_projected_amount"] == "250"
    edit(odd, "o10", dealstage=stage_of(odd, "o11"))
    assert deal(odd, "o10")["hs_deal_stage_probability"] == "1"


def test_a_probability_is_the_exact_binary_fraction(odd):
    told = deal(odd, "o03")["hs_deal_stage_probability"]
    assert told == "0.40000000000000002220446049250313080847263336181640625"


def test_amounts_are_converted_at_the_rate_of_their_day(odd):
    # 2 June 2024 in UTC is behind the rate of 1 June in Paris
    assert deal(odd, "o02")["amount_in_home_currency"] == "1900.095"
    assert deal(odd, "o05")["amount_in_home_currency"] == "0.3"
    assert deal(odd, "o06")["hs_exchange_rate"] == "0.0065"
    assert deal(odd, "o12")["amount_in_home_currency"] == "6500000000"
    assert deal(odd, "o14")["amount_in_home_currency"] == "7"
    assert deal(odd, "o04")["amount_in_home_currency"] is None


def test_the_rate_of_a_closed_deal_stands_still(odd):
    edit(odd, "o05", amount="100")
    assert deal(odd, "o05")["amount_in_home_currency"] == "0.6"
    edit(odd, "o05", closedate="2026-01-01")
    assert deal(odd, "o05")["hs_exchange_rate"] == "0.006"
    edit(odd, "o05", dealstage=stage_of(odd, "o03"))
    assert deal(odd, "o05")["amount_in_home_currency"] == "0.65"


def test_a_currency_without_a_rate_has_no_home_amount():
    deals = pa.table(
        {
            "opportunity_id": ["o"],
            "status": ["open"],
            "amount": [5.0],
            "currency": ["CHF"],
        }
    )
    with HubSpot({"opportunity": deals}, currency="EUR") as portal:
        assert deal(portal, "o")["amount_in_home_currency"] is None


def test_activities_are_counted_on_companies_and_deals(odd):
    names = ("num_notes", "num_contacted_notes", "notes_last_contacted",
             "notes_next_activity_date")  # fmt: skip
    assert picked(company(odd, "a01"), *names) == [
        "2", "2", "2025-02-28T09:30:00Z", "2027-01-04T09:00:00Z",
    ]  # fmt: skip
    assert picked(company(odd, "a03"), *names) == ["1", None, None, None]
    assert picked(deal(odd, "o01"), *names) == ["1", "1", "2025-02-28T09:30:00Z", None]


def test_counts_follow_when_activities_come_and_go(odd):
    before = company(odd, "a01")
    odd.delete("calls", odd.ids("activity")["c1"])
    after = company(odd, "a01")
    assert (before["num_notes"], after["num_notes"]) == ("2", "1")
    assert after["hs_lastmodifieddate"] > before["hs_lastmodifieddate"]


def test_an_activity_of_tomorrow_counts_once_its_day_has_come(odd, talk):
    odd.clock.advance(365 * 86_400)
    odd.edit("meetings", odd.ids("activity")["c4"], {"hs_meeting_title": "x"})
    assert company(odd, "a01")["num_notes"] == "3"
    assert company(odd, "a01")["notes_next_activity_date"] is None


def test_counts_that_the_tables_state_stand_where_no_activity_is_listed():
    accounts = pa.table({"account_id": ["a"], "activity_count": [7]})
    portal = HubSpot({"account": accounts})
    assert picked(company(portal, "a"), "num_notes", "num_contacted_notes") == [
        "7",
        "7",
    ]


def test_a_company_tells_of_its_deals(odd):
    told = company(odd, "a01")
    assert told["num_associated_deals"] == "5"
    assert told["recent_deal_amount"] == "450"
    assert told["recent_deal_close_date"] == "2025-12-30T23:00:00Z"
    assert told["first_deal_created_date"] == "2023-06-01T23:30:00Z"
    assert company(odd, "a09")["num_associated_deals"] is None


def test_links_that_come_and_go_are_counted(odd):
    ids = odd.ids("account")
    number = odd.ids("opportunity")["o04"]
    odd.link("deals", number, "companies", ids["a09"], "Primary")
    assert deal(odd, "o04")["hs_primary_associated_company"] == ids["a09"]
    assert company(odd, "a09")["hs_num_open_deals"] == "1"
    odd.unlink("deals", number, "companies", ids["a09"])
    assert deal(odd, "o04")["hs_primary_associated_company"] is None
    assert company(odd, "a09")["num_associated_deals"] is None


def test_what_is_archived_counts_no_more(odd):
    odd.delete("deals", odd.ids("opportunity")["o01"])
    assert company(odd, "a01")["num_associated_deals"] == "4"
    assert company(odd, "a01")["total_revenue"] == "2327.595"
    odd.delete("companies", odd.ids("account")["a04"])
    assert deal(odd, "o09")["hs_primary_associated_company"] is None
    assert company(odd, "a03")["hs_num_child_companies"] == "0"


def test_a_write_that_calculates_nothing_anew_leaves_others_alone(odd):
    before = odd.snapshot(audit=True)
    edit(odd, "o01", dealname="Another")
    after = odd.snapshot(audit=True)
    changed = {
        (kind, number)
        for kind, rows in after.items()
        for number, row in rows.items()
        if row != before[kind][number]
    }
    assert changed == {("deals", odd.ids("opportunity")["o01"])}


def test_an_increment_gives_the_same_as_a_start(odd):
    """All deals edited one by one to what they were: nothing calculated may differ."""
    before = odd.snapshot()
    for key in odd.ids("opportunity"):
        edit(odd, key, dealname="Other")
    for key, number in odd.ids("opportunity").items():
        edit(odd, key, dealname=before["deals"][number]["dealname"])
    assert odd.snapshot() == before


def test_history_keeps_what_was_said_first(talk):
    with HubSpot(samples.odd_book(), currency="EUR") as portal:
        raw, number = talk(portal), portal.ids("opportunity")["o10"]
        raw.update("deals", number, amount="7")
        raw.update("deals", number, amount="8")
        portal.edit("deals", number, {"amount": "9"})
        past = raw.one("deals", number, propertiesWithHistory="amount")
    entries = past["propertiesWithHistory"]["amount"]
    assert [entry["value"] for entry in entries] == ["9", "8", "7", "500"]
    assert [entry["sourceType"] for entry in entries] == [
        "CRM_UI", "INTEGRATION", "INTEGRATION", "IMPORT",
    ]  # fmt: skip
