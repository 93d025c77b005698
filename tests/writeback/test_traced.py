"""An edit that ours covered is found where the CRM remembers it, in both CRMs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pretend import FIELDS, Org, started

from crm_portfolio._managed import VALUES
from crm_portfolio.archive import Archive
from crm_portfolio.protocols import Tracing, edits_schema
from crm_portfolio.simulator.hubspot import Assumptions as PortalAssumptions
from crm_portfolio.simulator.salesforce import Assumptions, Switches
from crm_portfolio.writeback import Limits, apply, plan

Wanted = Callable[..., Any]
AT_ONCE = Limits(
    canary_count=0,
    canary_share=0.0,
    settle_seconds=0,
    max_share=1.0,
    max_share_by_field=dict.fromkeys(VALUES["account"], 1.0),
)
WRITE = {"salesforce": "PATCH composite/sobjects", "hubspot": "batch/update"}
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
COLUMNS = ["portfolio_rank", "tier"]
COUNT = 120  # more than two reads of fifty histories


@pytest.fixture(scope="module", params=["salesforce", "hubspot"])
def _started(request: pytest.FixtureRequest) -> Iterator[Org]:
    yield from started(request.param, COUNT)


@pytest.fixture
def org(_started: Org) -> Org:
    _started.there.reset()
    return _started.given_our_fields()


def run(org: Org, wanted: Wanted, folder: Path, *, tier: str = "A") -> Any:
    values = {one: {"tier": tier, "portfolio_rank": 3} for one in org.ids}
    crm = org.connected()
    proposal = plan([wanted(values)], crm, limits=AT_ONCE)
    archive = Archive(folder / "archive")
    return apply(proposal, crm, archive=archive, sleep=lambda _: None)


def test_an_edit_between_our_reading_and_our_writing_is_told_with_its_value(
    org: Org, wanted: Wanted, tmp_path: Path
) -> None:
    edited = org.ids[7]
    org.edit_at(1, WRITE[org.crm], edited, tier="C")
    journal = run(org, wanted, tmp_path)
    (entry,) = journal.failed
    assert (entry.key, entry.state) == (
        ("account", edited, "tier"),
        "overwritten_in_window",
    )
    assert entry.found == "C"
    assert journal.counts == {"overwritten_in_window": 1, "written": 3 * COUNT - 1}
    assert journal.exit_code == 3
    assert org.held(["tier"])[edited]["tier"] == "A"


def test_an_edit_of_a_field_that_we_did_not_write_is_not_ours_to_tell(
    org: Org, wanted: Wanted, tmp_path: Path
) -> None:
    org.edit_at(1, WRITE[org.crm], org.ids[7], dependence="major")
    assert run(org, wanted, tmp_path).counts == {"written": 3 * COUNT}


def test_an_emptied_field_that_ours_filled_again_is_told_as_empty(
    org: Org, wanted: Wanted, tmp_path: Path
) -> None:
    run(org, wanted, tmp_path, tier="A")
    empty = "" if org.crm == "hubspot" else None
    org.edit_at(1, WRITE[org.crm], org.ids[3], tier=empty)
    journal = run(org, wanted, tmp_path, tier="B")
    (entry,) = journal.failed
    assert (entry.key, entry.found) == (("account", org.ids[3], "tier"), None)


def test_edits_come_oldest_first_with_value_and_author(org: Org) -> None:
    crm, (one, other) = org.connected(), org.ids[:2]
    org.edit(one, tier="B")
    org.edit(other, portfolio_rank=4)
    org.edit(one, tier="C")
    told = crm.edits("account", [one, other, one], COLUMNS, since=LONG_AGO)
    assert isinstance(crm, Tracing)
    assert told.schema == edits_schema()
    rows = told.to_pylist()
    assert [(r["record_id"], r["column"]) for r in rows] == [
        (one, "tier"),
        (other, "portfolio_rank"),
        (one, "tier"),
    ]
    assert [r["value"] for r in rows][::2] == ["B", "C"]
    assert float(rows[1]["value"]) == 4
    assert [r["at"] for r in rows] == sorted(r["at"] for r in rows)
    assert all(r["by"] for r in rows)


def test_a_clock_of_ours_that_is_ahead_hides_no_edit(org: Org) -> None:
    crm = org.connected()
    crm.org()
    org.edit(org.ids[0], tier="B")
    year_ahead = org.there.clock.now.replace(year=org.there.clock.now.year + 1)
    told = crm.edits("account", org.ids, COLUMNS, since=year_ahead)
    assert told["value"].to_pylist() == ["B"]


def test_what_is_long_past_is_not_told(org: Org) -> None:
    org.edit(org.ids[0], tier="B")
    org.there.clock.advance(2 * 86_400)
    org.edit(org.ids[0], tier="C")
    crm = org.connected()
    crm.org()
    told = crm.edits("account", org.ids, COLUMNS, since=org.there.clock.now)
    assert told["value"].to_pylist() == ["C"]


def test_nobody_else_wrote_and_it_costs_little(
    org: Org, wanted: Wanted, tmp_path: Path
) -> None:
    """Salesforce: who we are, and whether others wrote. HubSpot: fifty a call."""
    run(org, wanted, tmp_path)
    crm = org.connected()
    crm.edits("account", org.ids[:1], COLUMNS, since=LONG_AGO)  # who and what we are
    before = org.there.api_calls
    crm.edits("account", org.ids, COLUMNS, since=LONG_AGO)
    assert org.there.api_calls - before == {"salesforce": 1, "hubspot": 3}[org.crm]


class TestHistoryThatIsNotKept:
    def test_an_org_that_tracks_no_history_of_accounts(
        self, wanted: Wanted, tmp_path: Path
    ) -> None:
        switches = Switches(without=("AccountHistory",))
        for org in started("salesforce", 3, switches=switches):
            org.given_our_fields()
            org.edit_at(1, WRITE[org.crm], org.ids[1], tier="C")
            assert run(org, wanted, tmp_path).counts == {"written": 9}

    def test_setup_says_which_fields_no_history_is_kept_of(
        self, wanted: Wanted, tmp_path: Path
    ) -> None:
        assumptions = Assumptions(tracked_fields_max=2)
        for org in started("salesforce", 3, assumptions=assumptions):
            steps = list(org.connected().provision(FIELDS, dry_run=False))
            lacking = [step for step in steps if step.what.startswith("history of")]
            assert len(lacking) == 9  # of eleven that we write besides the stamp
            assert all("history tracking" in step.needs for step in lacking)
            assert {step.state for step in lacking} == {"planned"}
            org.edit_at(1, WRITE[org.crm], org.ids[1], tier="C", portfolio_rank=9)
            journal = run(org, wanted, tmp_path)
            assert [entry.key for entry in journal.failed] == [
                ("account", org.ids[1], "tier")
            ]


def test_hubspot_is_asked_for_no_more_histories_than_a_batch_may_have() -> None:
    for org in started("hubspot", 51, assumptions=PortalAssumptions(history_batch=50)):
        org.given_our_fields()
        crm = org.connected()
        crm.org()
        assert crm.edits("account", org.ids, COLUMNS, since=LONG_AGO).num_rows == 0
        assert org.calls_of("batch/read") == 2
