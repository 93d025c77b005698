"""Is it known whose a record is, and who it is, when others left or were merged?"""

from __future__ import annotations

import pytest

from crm_portfolio.connectors.hubspot import HubSpot
from crm_portfolio.protocols import Rereading
from crm_portfolio.simulator.hubspot import Assumptions
from crm_portfolio.simulator.hubspot import HubSpot as Simulator


def left(crm: HubSpot, table: str, since) -> dict[str, tuple[str, str | None]]:
    told = [b.gone for b in crm.pull(table, since=since) if b.gone is not None]
    rows = [row for gone in told for row in gone.to_pylist()]
    return {row["id"]: (row["reason"], row["merged_into"]) for row in rows}


def last(crm: HubSpot, table: str):
    return list(crm.pull(table))[-1].cursor


def whose(crm: HubSpot, ids: list[str]) -> dict[str, str | None]:
    rows = crm.again("opportunity", ids).rows
    return dict(zip(rows["opportunity_id"].to_pylist(), rows["account_id"].to_pylist()))


def test_it_is_of_those_that_can_be_asked_again(crm) -> None:
    assert isinstance(crm, Rereading)


def test_an_increment_tells_of_all_that_a_chain_of_merges_took_in(org, crm) -> None:
    ids, since = org.ids("account"), last(crm, "account")
    org.clock.advance(3_600)
    org.merge("companies", ids["A2"], ids["A1"])
    org.clock.advance(60)
    org.merge("companies", ids["A3"], ids["A2"])
    org.clock.advance(3_600)
    told = left(crm, "account", since)
    assert told == {
        ids["A1"]: ("merged", ids["A3"]),
        ids["A2"]: ("merged", ids["A3"]),
    }


def test_an_increment_tells_whom_a_deleted_record_had_taken_in(org, crm) -> None:
    ids, since = org.ids("account"), last(crm, "account")
    org.clock.advance(3_600)
    org.merge("companies", ids["A2"], ids["A1"])
    org.clock.advance(60)
    org.delete("companies", ids["A2"])
    org.clock.advance(3_600)
    told = left(crm, "account", since)
    assert told == {ids["A1"]: ("merged", ids["A2"]), ids["A2"]: ("archived", None)}
    # What was in the bin before is not told again night after night.
    since = last(crm, "account")
    org.clock.advance(36_000)
    assert left(crm, "account", last(crm, "account")) == {}


@pytest.mark.parametrize("merged_ids", ["all", "own"])
def test_who_became_another_is_told_when_it_is_asked_after(
    org_of, connected, merged_ids
) -> None:
    with org_of(assumptions=Assumptions(merged_ids=merged_ids)) as org:
        crm, ids = connected(org), org.ids("account")
        org.merge("companies", ids["A2"], ids["A1"])
        org.merge("companies", ids["A3"], ids["A2"])
        org.delete("companies", ids["A4"])
        asked = [ids[name] for name in ("A0", "A1", "A2", "A4")]
        told = crm.again("account", [*asked, "12345"])
        assert told.rows["account_id"].to_pylist() == [ids["A0"]]
        merged = {(r["id"], r["merged_into"]) for r in told.gone.to_pylist()}
        assert merged == {(ids["A1"], ids["A3"]), (ids["A2"], ids["A3"])}


def test_a_deal_is_whose_it_is_now_though_nothing_stamped_it(
    org: Simulator, connected
) -> None:
    crm, ids, deals = connected(org), org.ids("account"), org.ids("opportunity")
    deal = deals["O3"]  # of A2, A1 and A3; none is primary
    assert whose(crm, [deal]) == {deal: None}
    stamp = org.record("deals", deal)["hs_lastmodifieddate"]
    org.delete("companies", ids["A1"])
    org.delete("companies", ids["A3"])
    assert org.record("deals", deal)["hs_lastmodifieddate"] == stamp
    assert whose(crm, [deal]) == {deal: ids["A2"]}


def test_the_list_of_all_tells_links_too(org: Simulator, connected) -> None:
    crm, deal = connected(org), org.ids("opportunity")["O3"]
    for name in ("A1", "A3"):
        org.delete("companies", org.ids("account")[name])
    pages = [page.to_pylist() for page in crm.present("opportunity")]
    found = {row["opportunity_id"]: row for rows in pages for row in rows}
    assert found[deal]["account_id"] == org.ids("account")["A2"]
