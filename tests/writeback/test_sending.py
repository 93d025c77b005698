"""Each change ends in one state, whatever happens to its answer on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import attrs
import pyarrow as pa
import pytest

from crm_portfolio import simulator
from crm_portfolio.archive import Archive, Journal
from crm_portfolio.connectors._pace import Ceilings
from crm_portfolio.connectors._retry import RetrySettings
from crm_portfolio.connectors.hubspot import AccessToken, HubSpot, HubSpotSettings
from crm_portfolio.connectors.salesforce import Salesforce
from crm_portfolio.errors import LockHeldError, RefusedError, TransientError
from crm_portfolio.simulator import Fault
from crm_portfolio.writeback import Limits, Plan, apply, plan, setup

Wanted = Callable[..., Any]
Reach = Callable[..., Salesforce]
Held = Callable[[str], dict[str, Any]]

READ = "POST composite/sobjects/{object}"
WRITE = "PATCH composite/sobjects"
AT_ONCE = Limits(canary_count=0, canary_share=0.0, settle_seconds=0)


class InTens(Salesforce):
    """The real connector, in more batches than it would need for so few accounts."""

    def write_batch(self, count: int) -> int:
        return 10


@pytest.fixture(scope="module")
def account_count() -> int:
    return 40


@pytest.fixture
def crm(sim: simulator.Salesforce, connected: Reach) -> Salesforce:
    return connected(sim, InTens)


@pytest.fixture
def proposal(crm: Salesforce, ids: list[str], wanted: Wanted) -> Plan:
    values = {one: {"tier": "A", "portfolio_rank": n} for n, one in enumerate(ids, 1)}
    return plan([wanted(values)], crm, limits=AT_ONCE)


def batches(archive: Archive, proposal: Plan) -> list[int]:
    """Of how many accounts were the batches that were sent?"""
    intents = [s for s in archive.segments(proposal.id) if s.kind == "intent"]
    sent = [{change[0] for change in s.content["send"]} for s in intents]
    return [len(accounts) for accounts in sent if accounts]


def until_it_is_spent(neighbour: Any, record_id: str) -> None:
    """Call until the org has no calls left."""
    with suppress(TransientError):
        for _ in range(1_000):
            neighbour.read("account", [record_id], ["tier"])
        pytest.fail("the quota has no end")


def run(proposal: Plan, crm: Any, archive: Archive, **more: Any) -> Journal:
    more = {"sleep": lambda _: None, **more}
    journal = apply(proposal, crm, archive=archive, **more)
    assert sum(journal.counts.values()) == len(proposal.changes)
    assert archive.journal(proposal.id) == journal
    return journal


def test_locked_accounts_go_again_later_in_ever_smaller_batches(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    proposal: Plan,
) -> None:
    locked = ids[:8]
    sim.lock(*locked, attempts=3)
    slept: list[float] = []
    journal = run(proposal, crm, archive, sleep=slept.append)
    assert journal.counts == {"written": 120}
    # All others first; then the eight by five, by two, and by one.
    assert batches(archive, proposal) == [10] * 4 + [4, 4] + [2] * 4 + [1] * 8
    assert 0.5 + 1.0 + 2.0 <= sum(slept) <= 1.0 + 2.0 + 4.0
    assert max(slept) <= 1.0


def test_until_its_turn_comes_again_a_locked_account_is_not_sent(
    crm: Salesforce, sim: simulator.Salesforce, archive: Archive, proposal: Plan
) -> None:
    sim.lock(proposal.records[0].record_id)
    seen: list[Any] = []
    run(
        proposal,
        crm,
        archive,
        sleep=lambda _: seen.append(archive.journal(proposal.id)),
    )
    assert seen[0].counts == {"not_sent": 3, "written": 117}
    locked = [entry for entry in seen[0].entries if entry.state == "not_sent"]
    assert {entry.code for entry in locked} == {"UNABLE_TO_LOCK_ROW"}
    assert not {c.record_id for c in seen[0].touched} & {
        entry.change.record_id for entry in locked
    }


def test_what_stays_locked_ends_rejected_after_a_bounded_number_of_tries(
    crm: Salesforce, sim: simulator.Salesforce, archive: Archive, proposal: Plan
) -> None:
    sim.lock(proposal.records[5].record_id, attempts=99)
    journal = run(proposal, crm, archive)
    assert journal.counts == {"rejected": 3, "written": 117}
    assert {entry.code for entry in journal.failed} == {"UNABLE_TO_LOCK_ROW"}
    assert (journal.exit_code, journal.interrupted) == (3, "")
    assert batches(archive, proposal) == [10] * 4 + [1] * 5


def test_families_go_side_by_side_when_locked_accounts_go_again(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    proposal: Plan,
) -> None:
    for child, parent in ((9, 1), (3, 1), (7, 2), (5, 2)):
        sim.edit("Account", ids[child], {"ParentId": ids[parent]})
    sim.lock(ids[3], ids[5], ids[7], ids[9])
    run(proposal, crm, archive)
    intents = [s for s in archive.segments(proposal.id) if s.kind == "intent"]
    again = [change[0] for s in intents[4:] for change in s.content["send"]]
    assert list(dict.fromkeys(again)) == [ids[3], ids[9], ids[5], ids[7]]


def test_what_is_refused_for_good_has_its_code_and_its_field(
    crm: Salesforce, sim: simulator.Salesforce, archive: Archive, proposal: Plan
) -> None:
    sim.change_field("Account", "Portfolio_Tier__c", values=("B",))
    journal = run(proposal, crm, archive)
    assert journal.counts == {"rejected": 120}
    told = {(entry.code, entry.field) for entry in journal.failed}
    assert told == {("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Portfolio_Tier__c")}
    assert batches(archive, proposal) == [10] * 4
    sim.change_field("Account", "Portfolio_Tier__c", values=("A", "B"))
    again = run(proposal, crm, archive)  # it has its states, and is not begun again
    assert (again, batches(archive, proposal)) == (journal, [10] * 4)


@pytest.mark.parametrize(
    ("kind", "is_done"),
    [
        ("reset", False),
        ("server_error", False),
        ("gateway_timeout", False),
        ("reset_after_write", True),
        ("truncated", True),
        ("empty", True),
    ],
)
def test_a_lost_answer_is_looked_for_before_anything_is_sent_again(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    proposal: Plan,
    kind: str,
    is_done: bool,
) -> None:
    sim.fault(Fault(sim.calls.get(WRITE, 0) + 2, kind, route=WRITE))
    began = len(sim.log)
    journal = run(proposal, crm, archive)
    assert (journal.counts, journal.exit_code) == ({"written": 120}, 0)
    methods = [call.method for call in sim.log[began:] if "composite" in call.route]
    lost = [place for place, method in enumerate(methods) if method == "PATCH"][1]
    assert methods[lost + 1] == "POST"
    # After a lost answer the next batch is half as large, and then they grow again.
    again = [] if is_done else [5, 5]
    assert batches(archive, proposal) == [10, 10, 5, 10, 5, *again]


@pytest.mark.parametrize(
    ("kind", "state"),
    [("reset", "stale"), ("reset_after_write", "overwritten_in_window")],
)
def test_an_edit_after_a_lost_answer_stays_and_is_reported(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    proposal: Plan,
    held: Held,
    kind: str,
    state: str,
) -> None:
    act = ("edit", "Account", ids[12], {"Portfolio_Tier__c": "D"})
    sim.fault(
        Fault(sim.calls.get(WRITE, 0) + 2, kind, route=WRITE),
        Fault(sim.calls[READ] + 4, "meanwhile", route=READ, act=act),
    )
    journal = run(proposal, crm, archive)
    (entry,) = journal.failed
    assert (entry.key, entry.state, entry.found) == (
        ("account", ids[12], "tier"),
        state,
        "D",
    )
    assert journal.counts == {state: 1, "written": 119}
    assert held(ids[12])["tier"] == "D"


def test_answers_that_stay_lost_end_the_run_to_be_gone_on_with(
    crm: Salesforce, sim: simulator.Salesforce, archive: Archive, proposal: Plan
) -> None:
    sim.fault(Fault(1, "gateway_timeout", route=WRITE, calls=None))
    journal = run(proposal, crm, archive)
    assert (journal.exit_code, journal.interrupted != "") == (5, True)
    assert set(journal.counts) == {"not_sent", "unknown"}
    # Six lost in a row, each batch half the one before: ten, five, two, one, one, one.
    assert sim.calls[WRITE] == 6
    assert batches(archive, proposal) == [10, 5, 2, 1, 1, 1]


def test_a_crm_that_is_away_while_we_look_ends_the_run(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    proposal: Plan,
    connected: Reach,
) -> None:
    sim.fault(Fault(sim.api_calls + 2, "reset_after_write", calls=2))
    journal = run(proposal, crm, archive)
    assert (journal.exit_code, journal.counts) == (5, {"not_sent": 90, "unknown": 30})
    writes = sim.calls[WRITE]
    finished = run(proposal, connected(sim, InTens), archive)
    assert finished.counts == {"written": 120}
    assert (
        sim.calls[WRITE] - writes == 3
    )  # the ten that had arrived were not sent again


def test_asked_to_stop_it_finishes_the_batch_in_flight_and_goes_on_later(
    crm: Salesforce, sim: simulator.Salesforce, archive: Archive, proposal: Plan
) -> None:
    journal = run(proposal, crm, archive, stop=lambda: sim.calls.get(WRITE, 0) >= 2)
    assert journal.interrupted == "stopped"
    assert journal.counts == {"not_sent": 60, "written": 60}
    assert archive.segments(proposal.id)[-2].kind == "check"
    assert run(proposal, crm, archive).counts == {"written": 120}
    assert batches(archive, proposal) == [10] * 4


def test_a_wish_to_stop_ends_a_wait(
    crm: Salesforce, sim: simulator.Salesforce, archive: Archive, proposal: Plan
) -> None:
    sim.lock(proposal.records[0].record_id, attempts=99)
    slept: list[float] = []
    journal = run(
        proposal, crm, archive, sleep=slept.append, stop=lambda: len(slept) >= 2
    )
    assert (journal.interrupted, len(slept)) == ("stopped", 2)
    assert journal.counts == {"not_sent": 3, "written": 117}


@pytest.mark.parametrize("lost_at", [3, 4])
def test_an_org_that_was_taken_over_is_not_written_any_more(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    proposal: Plan,
    lost_at: int,
) -> None:
    """Before an intent goes on record, or while it does."""

    class TakenOver:
        checks = 0
        org = proposal.header.org

        def check(self) -> None:
            self.checks += 1
            if self.checks == lost_at:
                raise LockHeldError("the org", "run b")

    with pytest.raises(LockHeldError):
        apply(proposal, crm, archive=archive, lease=TakenOver())  # type: ignore[arg-type]
    assert sim.calls[WRITE] == 1
    journal = archive.journal(proposal.id)
    assert journal.interrupted == "LockHeldError"
    assert journal.counts == {"not_sent": 90, "written": 30}
    assert apply(proposal, crm, archive=archive).counts == {"written": 120}


def test_a_lease_on_another_org_writes_nothing(
    crm: Salesforce, sim: simulator.Salesforce, archive: Archive, proposal: Plan
) -> None:
    other = attrs.evolve(proposal.header.org, is_sandbox=False)
    with archive.lock(other) as lease, pytest.raises(RefusedError, match="lease is on"):
        apply(proposal, crm, archive=archive, lease=lease)
    assert WRITE not in sim.calls


def test_a_lease_handed_in_is_the_one_that_is_asked(
    crm: Salesforce, archive: Archive, proposal: Plan
) -> None:
    with archive.lock(proposal.header.org, "a night") as lease:
        assert run(proposal, crm, archive, lease=lease).exit_code == 0
        with pytest.raises(LockHeldError):
            apply(proposal, crm, archive=archive)


def test_a_neighbour_who_drains_the_quota_ends_the_run_cleanly_and_it_goes_on_later(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    proposal: Plan,
    connected: Reach,
) -> None:
    neighbour = connected(sim)

    def drain(_step: str, done: int, _total: int | None) -> None:
        if done == 20:
            # What the neighbour took is gone for everybody.
            sim.fault(Fault(sim.api_calls + 3, "over_quota", calls=2))
            until_it_is_spent(neighbour, ids[0])

    journal = run(proposal, crm, archive, progress=drain)
    assert (journal.exit_code, journal.interrupted) == (5, "REQUEST_LIMIT_EXCEEDED")
    assert journal.counts == {"not_sent": 60, "written": 60}
    finished = run(proposal, connected(sim, InTens), archive)
    assert (finished.counts, finished.exit_code) == ({"written": 120}, 0)
    assert batches(archive, proposal) == [10] * 4


class TestHubSpot:
    """The same with a CRM that refuses whole batches."""

    @pytest.fixture(scope="class")
    @classmethod
    def started(cls) -> Iterator[simulator.HubSpot]:
        accounts = {
            "account_id": [f"a{n:04}" for n in range(60)],
            "name": [f"Secret Name {n}" for n in range(60)],
        }
        tables: Any = {"account": pa.table(accounts)}
        daily = simulator.HubSpot(tables, limits_by="nothing", daily_limit=60)
        with daily as org:
            yield org

    @pytest.fixture
    def org(self, started: simulator.HubSpot) -> simulator.HubSpot:
        started.reset()
        return started

    def reach(self, org: simulator.HubSpot) -> HubSpot:
        there = org.environment
        login = AccessToken(there["HUBSPOT_ACCESS_TOKEN"], there["HUBSPOT_API_URL"])
        hasty = RetrySettings(attempts=1, first_wait_seconds=0)
        return HubSpot(
            login,
            settings=HubSpotSettings(
                retry=hasty, ceilings=Ceilings(min_quota_share=0.0)
            ),
        )

    @pytest.fixture
    def hub(self, org: simulator.HubSpot) -> HubSpot:
        crm = self.reach(org)
        setup(crm, dry_run=False)
        return crm

    def planned(self, org: simulator.HubSpot, crm: HubSpot, wanted: Wanted) -> Plan:
        values = {one: {"tier": "A"} for one in sorted(org.ids("account").values())}
        return plan([wanted(values)], crm, limits=AT_ONCE)

    @pytest.mark.parametrize("kind", ["locked", "reset_after_write", "unavailable"])
    def test_a_whole_batch_that_is_locked_or_lost_goes_again_in_halves(
        self,
        org: simulator.HubSpot,
        hub: HubSpot,
        archive: Archive,
        wanted: Wanted,
        kind: str,
    ) -> None:
        proposal = self.planned(org, hub, wanted)
        org.fault(Fault(1, kind, route="batch/update"))
        journal = run(proposal, hub, archive)
        assert journal.counts == {"written": 120}
        sent = [60] if kind == "reset_after_write" else [60, 30, 30]
        assert batches(archive, proposal) == sent

    def test_one_bad_value_costs_only_its_account(
        self, org: simulator.HubSpot, hub: HubSpot, archive: Archive, wanted: Wanted
    ) -> None:
        ids = sorted(org.ids("account").values())
        values = {one: {"tier": "Z" if one == ids[7] else "A"} for one in ids}
        proposal = plan([wanted(values)], hub, limits=AT_ONCE)
        journal = run(proposal, hub, archive)
        assert journal.counts == {"rejected": 2, "written": 118}
        told = {(entry.code, entry.field) for entry in journal.failed}
        assert told == {("INVALID_OPTION", "portfolio_tier")}

    def test_a_neighbour_who_drains_the_day_ends_the_run_and_the_next_day_goes_on(
        self, org: simulator.HubSpot, hub: HubSpot, archive: Archive, wanted: Wanted
    ) -> None:
        class InTwenties(HubSpot):
            def write_batch(self, count: int) -> int:
                return 20

        proposal = self.planned(org, hub, wanted)
        neighbour = self.reach(org)

        def drain(_step: str, done: int, _total: int | None) -> None:
            if done == 20:
                until_it_is_spent(neighbour, proposal.records[0].record_id)

        hub.__class__ = InTwenties
        journal = run(proposal, hub, archive, progress=drain)
        assert (journal.exit_code, journal.interrupted) == (5, "DAILY")
        assert journal.counts == {"not_sent": 80, "written": 40}
        org.clock.advance(86_400)
        finished = run(proposal, self.reach(org), archive)
        assert (finished.counts, finished.exit_code) == ({"written": 120}, 0)
