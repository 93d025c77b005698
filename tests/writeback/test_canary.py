"""The first slice is written, left to settle, and looked at before the rest is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import attrs
import pytest

from crm_portfolio import simulator
from crm_portfolio.archive import Archive, Journal
from crm_portfolio.connectors.salesforce import Salesforce
from crm_portfolio.errors import LimitExceededError, UnexpectedChangeError
from crm_portfolio.protocols import Change
from crm_portfolio.simulator import Fault
from crm_portfolio.writeback import Limits, Plan, apply, plan, undo
from crm_portfolio.writeback._canary import first_slice, moved, unexpected
from crm_portfolio.writeback._held import mapped_columns
from crm_portfolio.writeback._planned import PlannedChange, PlannedRecord

Wanted = Callable[..., Any]
Reach = Callable[..., Salesforce]

READ = "POST composite/sobjects/{object}"
WRITE = "PATCH composite/sobjects"
LIMITS = Limits(canary_count=10, canary_share=0.0, settle_seconds=3)


@pytest.fixture(scope="module")
def account_count() -> int:
    return 40


@pytest.fixture
def proposal(crm: Salesforce, ids: list[str], wanted: Wanted) -> Plan:
    values = {
        one: {"tier": "ABCD"[place % 4], "portfolio_rank": place + 1}
        for place, one in enumerate(ids)
    }
    return plan([wanted(values)], crm, limits=LIMITS)


def sliced(proposal: Plan) -> tuple[str, ...]:
    first = first_slice(enumerate(proposal.records), 10)
    return tuple(proposal.records[place].record_id for place in first)


def automation(sim: simulator.Salesforce, record_id: str, **values: Any) -> None:
    """Let a flow of the org's own change a record between the write and the look at it."""
    reads = sim.calls.get(READ, 0)
    act = ("edit", "Account", record_id, values)
    sim.fault(Fault(reads + 2, "meanwhile", route=READ, act=act))


def test_the_slice_is_written_alone_and_looked_at_after_the_crm_has_settled(
    crm: Salesforce, sim: simulator.Salesforce, archive: Archive, proposal: Plan
) -> None:
    slept: list[tuple[float, int, int]] = []

    def sleep(seconds: float) -> None:
        slept.append((seconds, sim.calls[WRITE], sim.calls[READ]))

    reads = sim.calls[READ]
    journal = apply(proposal, crm, archive=archive, sleep=sleep)
    assert slept == [(1.0, 1, reads + 1)] * 3
    assert (sim.calls[WRITE], sim.calls[READ]) == (2, reads + 4)
    assert journal.counts == {"written": 120}
    told = [(s.kind, s.content) for s in archive.segments(proposal.id)]
    kinds = [kind for kind, _ in told]
    assert kinds[:5] == ["begin", "intent", "outcome", "check", "canary"]
    sent = {change[0] for change in told[1][1]["send"]}
    assert sent == set(sliced(proposal))


@pytest.mark.parametrize(
    ("field", "value", "column"),
    [
        ("AnnualRevenue", 5.0, "account_turnover"),
        ("Industry", "Energy", "segment"),
        ("Portfolio_Dependence__c", "major", "dependence"),
        ("Portfolio_Tier__c", "none", "tier"),
        ("Portfolio_Tier_Pinned__c", "A", "tier_pinned"),
    ],
)
def test_what_moves_beside_our_writing_stops_the_rest(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    proposal: Plan,
    field: str,
    value: object,
    column: str,
) -> None:
    one = sliced(proposal)[3]
    automation(sim, one, **{field: value})
    with pytest.raises(UnexpectedChangeError) as caught:
        apply(proposal, crm, archive=archive, sleep=lambda _: None)
    assert caught.value.exit_code == 4
    assert caught.value.columns == ((column, 1),)
    journal = archive.journal(proposal.id)
    assert journal.unexpected == (("account", one, column),)
    assert (journal.interrupted, journal.exit_code) == ("canary", 4)
    assert journal.counts["not_sent"] == 3 * 30
    assert sim.calls[WRITE] == 1
    assert not any(b"Energy" in path.read_bytes() for path in _files(archive))


def _files(archive: Archive) -> list[Any]:
    return [path for path in archive.folder.rglob("*") if path.is_file()]


def test_a_run_that_its_slice_stopped_stays_stopped_and_can_be_taken_back(
    crm: Salesforce, sim: simulator.Salesforce, archive: Archive, proposal: Plan
) -> None:
    before = sim.snapshot("Account")
    automation(sim, sliced(proposal)[0], Industry="Energy")
    for _ in range(2):
        with pytest.raises(UnexpectedChangeError, match="segment on 1"):
            apply(proposal, crm, archive=archive, sleep=lambda _: None)
    assert sim.calls[WRITE] == 1
    way_back = undo(archive.journal(proposal.id), crm, limits=LIMITS)
    assert len(way_back.records) == 10
    apply(way_back, crm, archive=archive, sleep=lambda _: None)
    after = sim.snapshot("Account")
    after["Account"][sliced(proposal)[0]].pop("Industry")
    before["Account"][sliced(proposal)[0]].pop("Industry", None)
    assert after == before


def test_what_the_limits_expect_may_move(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    wanted: Wanted,
) -> None:
    limits = attrs.evolve(LIMITS, expected_changes=("segment",))
    proposal = plan([wanted({one: {"tier": "A"} for one in ids})], crm, limits=limits)
    automation(sim, sliced(proposal)[0], Industry="Energy")
    journal = apply(proposal, crm, archive=archive, sleep=lambda _: None)
    assert journal.counts == {"written": 80}


def test_an_account_that_goes_while_the_crm_settles_stops_the_rest(
    crm: Salesforce, sim: simulator.Salesforce, archive: Archive, proposal: Plan
) -> None:
    one = sliced(proposal)[2]
    reads = sim.calls[READ]
    act = ("delete", "Account", one)
    sim.fault(Fault(reads + 2, "meanwhile", route=READ, act=act))
    with pytest.raises(UnexpectedChangeError, match="account_id on 1"):
        apply(proposal, crm, archive=archive, sleep=lambda _: None)
    assert archive.journal(proposal.id).counts["gone"] == 3


def test_a_slice_in_which_nothing_was_written_is_followed_by_another(
    crm: Salesforce, sim: simulator.Salesforce, archive: Archive, proposal: Plan
) -> None:
    for one in sliced(proposal):
        sim.delete("Account", one)
    journal = apply(proposal, crm, archive=archive, sleep=lambda _: None)
    assert journal.counts == {"gone": 30, "written": 90}
    kinds = [segment.kind for segment in archive.segments(proposal.id)]
    assert kinds[:6] == ["begin", "intent", "intent", "outcome", "check", "canary"]


def test_a_run_cut_off_while_the_crm_settled_tries_another_slice(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    proposal: Plan,
    connected: Reach,
) -> None:
    def die(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apply(proposal, crm, archive=archive, sleep=die)
    cut_off = archive.journal(proposal.id)
    assert cut_off.counts == {"not_sent": 90, "written": 30}
    slept: list[float] = []
    journal = apply(proposal, connected(sim), archive=archive, sleep=slept.append)
    assert sum(slept) == LIMITS.settle_seconds
    assert journal.counts == {"written": 120}
    assert sim.calls[WRITE] == 3


def test_a_slice_whose_answer_was_lost_is_left_to_settle_and_looked_at_as_well(
    crm: Salesforce, sim: simulator.Salesforce, archive: Archive, proposal: Plan
) -> None:
    one = sliced(proposal)[1]
    automation(sim, one, Industry="Energy")
    sim.fault(Fault(sim.calls.get(WRITE, 0) + 1, "reset_after_write", route=WRITE))
    slept: list[float] = []
    with pytest.raises(UnexpectedChangeError, match="segment on 1"):
        apply(proposal, crm, archive=archive, sleep=slept.append)
    assert sum(slept) >= LIMITS.settle_seconds + 0.5
    assert archive.journal(proposal.id).counts == {"not_sent": 90, "written": 30}


def test_the_crm_is_left_to_settle_although_nothing_follows_the_slice(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    wanted: Wanted,
) -> None:
    values = {one: {"tier": "A"} for one in ids[:5]}
    slow = attrs.evolve(LIMITS, settle_seconds=3)
    proposal = plan([wanted(values)], crm, limits=slow)
    slept: list[float] = []

    def settle(seconds: float) -> None:
        slept.append(seconds)
        sim.edit("Account", ids[3], {"Industry": "Energy"})

    with pytest.raises(UnexpectedChangeError, match="segment on 1"):
        apply(proposal, crm, archive=archive, sleep=settle)
    assert sum(slept) == 3


def test_without_a_slice_all_is_written_at_once(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    wanted: Wanted,
) -> None:
    limits = Limits(canary_count=0, canary_share=0.0, settle_seconds=9)
    proposal = plan([wanted({one: {"tier": "A"} for one in ids})], crm, limits=limits)
    slept: list[float] = []
    journal: Journal = apply(proposal, crm, archive=archive, sleep=slept.append)
    assert (journal.counts, slept, sim.calls[WRITE]) == ({"written": 80}, [], 1)


# Which accounts, and what moved: without a CRM


def record(number: int, tier: str | None) -> PlannedRecord:
    name = f"r{number:03}"
    change = Change(name, "tier", None, tier)
    rank = Change(name, "portfolio_rank", None, number)
    changes = (rank,) if tier is None else (rank, change)
    planned = tuple(PlannedChange(each, is_first_fill=True) for each in changes)
    return PlannedRecord(name, None, (None, None, None), number, planned)


def test_the_slice_has_every_tier_its_first_and_its_last() -> None:
    tiers = ["A"] * 5 + ["B"] * 20 + ["C"] * 70 + ["none"] * 5
    records = [record(place + 1, tier) for place, tier in enumerate(tiers)]
    first = first_slice(enumerate(records), 8)
    assert [records[at].rank for at in first] == [1, 5, 6, 25, 26, 95, 96, 100]


@pytest.mark.parametrize("size", [0, 1, 2, 7, 99, 100, 500])
def test_the_slice_has_its_size_and_nobody_twice(size: int) -> None:
    records = [record(n, "AB"[n % 2] if n % 3 else None) for n in range(1, 101)]
    first = first_slice(enumerate(records), size)
    assert len(first) == min(size, 100)
    assert sorted({*first} & {*range(100)}) == first


def test_a_plan_that_moves_no_tier_is_spread_over_the_ranks() -> None:
    records = [record(n, None) for n in range(1, 102)]
    first = first_slice(enumerate(records), 5)
    assert [records[at].rank for at in first] == [1, 26, 51, 76, 101]


def test_only_what_we_did_not_do_is_unexpected() -> None:
    sent = [Change("a", "tier", None, "A")]
    before = {"a": {"tier": None, "segment": "x", "created_on": date(2020, 1, 1)}}
    ours = {"a": {**before["a"], "tier": "A"}}
    assert list(unexpected("account", sent, before, ours, expected=())) == []
    other = {"a": {"tier": "B", "segment": None, "created_on": date(2020, 1, 1)}}
    found = list(unexpected("account", sent, before, other, expected=()))
    assert found == [("account", "a", "tier"), ("account", "a", "segment")]
    assert moved([*found, ("account", "b", "segment")]) == (("tier", 1), ("segment", 2))
    allowed = unexpected("account", sent, before, other, expected=("segment", "tier"))
    assert list(allowed) == []


def test_every_column_that_the_login_sees_is_looked_at_for_no_call(
    crm: Salesforce, sim: simulator.Salesforce
) -> None:
    crm.read("account", (), ["tier"])
    calls = sim.api_calls
    columns = mapped_columns(crm, "account")
    assert {"segment", "account_turnover", "owner_id", "parent_id"} <= set(columns)
    assert not {"tier", "tier_pinned", "portfolio_stamp"} & set(columns)
    assert sim.api_calls == calls


class TestTheNightAfter:
    @pytest.fixture
    def stopped(
        self,
        crm: Salesforce,
        sim: simulator.Salesforce,
        archive: Archive,
        proposal: Plan,
    ) -> Plan:
        """A plan whose first slice an automation of the org moved."""
        automation(sim, sliced(proposal)[0], Industry="Mining")
        with pytest.raises(UnexpectedChangeError):
            apply(proposal, crm, archive=archive, sleep=lambda _seconds: None)
        return proposal

    def test_the_next_slice_is_not_written_unseen(
        self,
        crm: Salesforce,
        archive: Archive,
        ids: list[str],
        wanted: Wanted,
        stopped: Plan,
    ) -> None:
        values = {each: {"tier": "A", "portfolio_rank": 1} for each in ids}
        again = plan([wanted(values)], crm, archive=archive)
        assert again.header.stopped_by == stopped.id
        assert "canary" in {refusal.rule for refusal in again.refusals}
        with pytest.raises(LimitExceededError, match="stopped at its first slice"):
            apply(again, crm, archive=archive)

    def test_who_has_looked_at_it_may_go_on(
        self,
        crm: Salesforce,
        archive: Archive,
        ids: list[str],
        wanted: Wanted,
        stopped: Plan,
    ) -> None:
        back = undo(archive.journal(stopped.id), crm)
        apply(back, crm, archive=archive, sleep=lambda _seconds: None)
        values = {each: {"tier": "A"} for each in ids}
        again = plan([wanted(values)], crm, archive=archive)
        assert (again.header.stopped_by, again.refusals) == ("", ())
