"""Only the plan is written, only where the CRM still is as the plan saw it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from crm_portfolio import simulator, writeback
from crm_portfolio._storage import now
from crm_portfolio.archive import Archive, Journal
from crm_portfolio.connectors.salesforce import Salesforce
from crm_portfolio.errors import (
    LimitExceededError,
    LockHeldError,
    PlanAlteredError,
    PlanTooOldError,
    RefusedError,
    RightMissingError,
    SettingsError,
    WrongOrgError,
)
from crm_portfolio.protocols import Change, Outcome
from crm_portfolio.simulator import Fault
from crm_portfolio.writeback import Header, Limits, Plan, plan

Wanted = Callable[..., Any]
Edit = Callable[..., None]
Held = Callable[[str], dict[str, Any]]
Reach = Callable[..., Salesforce]

ALL_OF_IT = {
    "tier": "A",
    "tier_since_on": date(2026, 6, 30),
    "portfolio_rank": 1,
    "revenue_share": 0.25,
    "dependence": "dependent",
}
READ = "POST composite/sobjects/{object}"
WRITE = "PATCH composite/sobjects"
FIRST = 10  # accounts of the first slice


def apply(*given: Any, **more: Any) -> Journal:
    """Without waiting: nothing here needs time to settle."""
    return writeback.apply(*given, **{"sleep": lambda _: None, **more})


class InTwoHundreds(Salesforce):
    """The real connector, in more batches than it would need for so few accounts."""

    def write_batch(self, count: int) -> int:
        return 200


class StoppedWhileWriting(Salesforce):
    """The real connector; Ctrl-C comes while the answer is read."""

    def write_once(self, table: Any, changes: Iterable[Change]) -> Iterator[Outcome]:
        for _ in super().write_once(table, changes):
            raise KeyboardInterrupt
            yield


def states(journal: Journal) -> dict[tuple[str, str], str]:
    return {(e.change.record_id, e.change.column): e.state for e in journal.entries}


def test_all_of_a_plan_is_written_and_nothing_else(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    wanted: Wanted,
    held: Held,
) -> None:
    before = sim.snapshot()
    proposal = plan([wanted({ids[0]: ALL_OF_IT, ids[1]: {"tier": "none"}})], crm)
    journal = apply(proposal, crm, archive=archive)
    assert (journal.counts, journal.exit_code) == ({"written": 8}, 0)
    assert journal.run_id == proposal.id
    stamped = held(ids[0])
    assert stamped.pop("portfolio_stamp").startswith(f"v1:{proposal.id}:")
    assert stamped == ALL_OF_IT
    after = sim.snapshot()
    for each in ids[:2]:
        del before["Account"][each], after["Account"][each]
    assert after == before


def test_each_batch_is_re_read_then_written_then_read_back(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    wanted: Wanted,
) -> None:
    proposal = plan([wanted({i: {"tier": "A"} for i in ids})], crm)
    calls, told = sim.api_calls, []
    journal = apply(
        proposal,
        crm,
        archive=archive,
        progress=lambda *step: told.append(step),
    )
    assert journal.counts == {"written": 500}
    assert told[0] == ("apply", FIRST, 250)
    assert told[-1] == ("apply", 250, 250)

    assert sim.api_calls - calls == proposal.call_estimate
    assert sim.calls[WRITE] == 3  # the first slice, and 240 in two calls
    assert sim.calls[READ] == 1 + 2 + 2  # by the plan, and twice in each of two batches


def test_the_journal_in_the_archive_is_the_one_returned(
    crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted
) -> None:
    proposal = plan([wanted(dict.fromkeys(ids, ALL_OF_IT))], crm)
    journal = apply(proposal, crm, archive=archive)
    assert archive.journal(proposal.id) == journal
    assert archive.runs() == (proposal.id,)
    assert Plan.load(archive.folder / "runs" / proposal.id / "plan.jsonl") == proposal


def test_no_account_name_is_in_the_archive(
    crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted
) -> None:
    apply(plan([wanted(dict.fromkeys(ids, ALL_OF_IT))], crm), crm, archive=archive)
    kept = [path.read_bytes() for path in archive.folder.rglob("*") if path.is_file()]
    assert len(kept) > 10
    assert not any(b"Secret" in content for content in kept)


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        ({"tier": "C"}, {"tier"}),
        ({"tier": None}, {"tier"}),
        ({"portfolio_stamp": "by hand"}, {"tier", "portfolio_rank", "portfolio_stamp"}),
        ({"tier_pinned": "A"}, {"tier", "portfolio_rank", "portfolio_stamp"}),
        ({"tier_pinned_by": "005"}, {"tier", "portfolio_rank", "portfolio_stamp"}),
        (
            {"tier": "C", "portfolio_rank": 7},
            {"tier", "portfolio_rank", "portfolio_stamp"},
        ),
    ],
)
def test_what_changed_since_planning_is_stale_and_left_alone(
    crm: Salesforce,
    archive: Archive,
    ids: list[str],
    wanted: Wanted,
    edit: Edit,
    held: Held,
    change: dict[str, Any],
    stale: set[str],
) -> None:
    apply(
        plan([wanted({i: {"tier": "A", "portfolio_rank": 1} for i in ids[:2]})], crm),
        crm,
        archive=archive,
    )
    proposal = plan(
        [wanted({i: {"tier": "B", "portfolio_rank": 2} for i in ids[:2]})], crm
    )
    edit(ids[0], **change)
    before = held(ids[0])
    journal = apply(proposal, crm, archive=archive)
    found = states(journal)
    assert {column for (i, column), s in found.items() if s == "stale"} == stale
    assert {s for (i, _), s in found.items() if i == ids[1]} == {"written"}
    assert journal.exit_code == 3
    after = held(ids[0])
    assert {c: after.get(c) for c in stale} == {c: before.get(c) for c in stale}
    assert {e.found for e in journal.failed if e.change.column in change} <= {
        *change.values(),
        1,
        before.get("portfolio_stamp"),
        "A",
    }


def test_a_person_who_edited_one_field_is_seen_the_next_night(
    crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted, edit: Edit
) -> None:
    first, second = (
        wanted({ids[0]: {"tier": tier, "portfolio_rank": rank}})
        for tier, rank in (("A", 1), ("B", 2))
    )
    apply(plan([first], crm), crm, archive=archive)
    proposal = plan([second], crm)
    edit(ids[0], tier="D")
    apply(proposal, crm, archive=archive)
    (edited,) = plan([second], crm).edited
    assert edited.columns == ("tier",)


def test_a_run_that_ended_is_not_begun_again(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    wanted: Wanted,
) -> None:
    proposal = plan([wanted(dict.fromkeys(ids, ALL_OF_IT))], crm)
    journal = apply(proposal, crm, archive=archive)
    calls, segments = sim.api_calls, archive.segments(proposal.id)
    assert apply(proposal, crm, archive=archive) == journal
    assert (sim.api_calls, archive.segments(proposal.id)) == (calls, segments)


def test_a_value_that_already_stands_there_is_unchanged_and_nothing_is_sent(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    wanted: Wanted,
    header: Header,
) -> None:
    first, second = (
        plan([wanted(dict.fromkeys(ids, ALL_OF_IT))], crm, limits=Limits(hours))
        for hours in (0.2, 0.3)
    )
    apply(first, crm, archive=archive)
    writes, before = sim.calls[WRITE], sim.snapshot(audit=True)
    again = apply(second, crm, archive=archive)
    values = len(ALL_OF_IT) * len(ids)
    # The stamp of the second plan is not written alone.
    assert again.counts == {"stale": len(ids), "unchanged": values}
    assert again.touched == ()
    assert (sim.calls[WRITE], sim.snapshot(audit=True)) == (writes, before)
    assert not plan([wanted(dict.fromkeys(ids, ALL_OF_IT))], crm).changes


def test_a_stamp_is_never_written_alone(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    wanted: Wanted,
    edit: Edit,
) -> None:
    proposal = plan([wanted({ids[0]: {"tier": "A"}})], crm)
    edit(ids[0], tier="A")
    before = sim.snapshot(audit=True)
    journal = apply(proposal, crm, archive=archive)
    assert states(journal) == {
        (ids[0], "tier"): "unchanged",
        (ids[0], "portfolio_stamp"): "stale",
    }
    assert sim.snapshot(audit=True) == before


def test_an_account_that_is_gone_is_reported_and_the_others_written(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    wanted: Wanted,
) -> None:
    proposal = plan([wanted({i: {"tier": "A"} for i in ids[:3]})], crm)
    sim.delete("Account", ids[1])
    journal = apply(proposal, crm, archive=archive)
    assert journal.counts == {"gone": 2, "written": 4}
    assert {e.change.record_id for e in journal.failed} == {ids[1]}
    assert journal.exit_code == 3


def test_what_the_crm_rejects_is_reported_with_its_code(
    crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted, held: Held
) -> None:
    proposal = plan([wanted({ids[0]: {"tier": "Z"}, ids[1]: {"tier": "A"}})], crm)
    journal = apply(proposal, crm, archive=archive)
    assert journal.counts == {"rejected": 2, "written": 2}
    assert {e.code for e in journal.failed} == {
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    }
    assert journal.exit_code == 3
    assert held(ids[0]) == {}


class TestRefused:
    """Exit code 4: nothing is written, nothing is in the archive."""

    @pytest.fixture(autouse=True)
    def _nothing_is_written(
        self, sim: simulator.Salesforce, archive: Archive, tmp_path: Path
    ) -> Any:
        self.sim = sim
        yield
        assert WRITE not in self.sim.calls or self.sim.calls[WRITE] == self.writes
        assert self.sim.snapshot(audit=True) == self.before
        assert len(archive.runs()) == self.runs

    def now(self, archive: Archive) -> None:
        """Remember how things stand before what will be refused."""
        self.before = self.sim.snapshot(audit=True)
        self.writes = self.sim.calls.get(WRITE, 0)
        self.runs = len(archive.runs())

    def test_a_plan_for_another_org(
        self,
        crm: Salesforce,
        archive: Archive,
        ids: list[str],
        wanted: Wanted,
        connected: Callable[..., Salesforce],
    ) -> None:
        proposal = plan([wanted({ids[0]: {"tier": "A"}})], crm)
        self.now(archive)
        with (
            simulator.Salesforce(is_sandbox=False) as production,
            pytest.raises(
                WrongOrgError, match=r"made for .*sandbox.* reaches"
            ) as found,
        ):
            apply(proposal, connected(production), archive=archive)
        assert found.value.exit_code == 4

    def test_a_plan_altered_in_memory(
        self, crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted
    ) -> None:
        proposal = plan([wanted({ids[0]: {"tier": "A"}})], crm)
        self.now(archive)
        header = attrs.evolve(proposal.header, made_at=datetime(2099, 1, 1, tzinfo=UTC))
        with pytest.raises(PlanAlteredError):
            apply(attrs.evolve(proposal, header=header), crm, archive=archive)

    def test_a_plan_edited_by_hand(
        self,
        crm: Salesforce,
        archive: Archive,
        ids: list[str],
        wanted: Wanted,
        tmp_path: Path,
    ) -> None:
        path = tmp_path / "plan.jsonl"
        plan([wanted({ids[0]: {"tier": "B"}})], crm).save(path)
        self.now(archive)
        path.write_text(path.read_text().replace('"B"', '"A"'))
        with pytest.raises(PlanAlteredError):
            apply(Plan.load(path), crm, archive=archive)

    @pytest.mark.parametrize(("hours", "is_refused"), [(23.9, False), (24.1, True)])
    def test_a_plan_that_is_too_old(
        self,
        crm: Salesforce,
        archive: Archive,
        header: Header,
        plan_of: Callable[..., Plan],
        hours: float,
        is_refused: bool,
    ) -> None:
        made_at = now() - timedelta(hours=hours)
        old = plan_of({}, header=attrs.evolve(header, org=crm.org(), made_at=made_at))
        self.now(archive)
        if is_refused:
            with pytest.raises(PlanTooOldError, match="holds for 24 hours"):
                apply(old, crm, archive=archive)
        else:
            assert apply(old, crm, archive=archive).exit_code == 0
            self.runs += 1

    def test_a_plan_that_is_yet_to_be_made(
        self,
        crm: Salesforce,
        archive: Archive,
        header: Header,
        plan_of: Callable[..., Plan],
    ) -> None:
        def made_in(minutes: int) -> Plan:
            made_at = now() + timedelta(minutes=minutes)
            told = attrs.evolve(header, org=crm.org(), made_at=made_at)
            return plan_of({}, header=told)

        self.now(archive)
        with pytest.raises(PlanTooOldError, match=r"yet to come.* Set the clock"):
            apply(made_in(62), crm, archive=archive)
        # The clocks of two machines are never quite the same.
        assert apply(made_in(58), crm, archive=archive).exit_code == 0
        self.runs += 1

    def test_a_plan_beyond_its_limits(
        self, crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted
    ) -> None:
        apply(
            plan([wanted({i: {"tier": "A"} for i in ids})], crm), crm, archive=archive
        )
        proposal = plan([wanted({i: {"tier": "B"} for i in ids[:60]})], crm)
        self.now(archive)
        with pytest.raises(LimitExceededError, match="accept_changes=120") as caught:
            apply(proposal, crm, archive=archive)
        assert caught.value.refusals == (
            "tier would change on 60 accounts; the limit is 12 of 60.",
        )
        for wrong in (0, 60, 119, 121):
            with pytest.raises(RefusedError, match=f"120 changes, not {wrong};"):
                apply(proposal, crm, archive=archive, accept_changes=wrong)

    def test_another_number_than_the_plan_holds_even_within_limits(
        self, crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted
    ) -> None:
        proposal = plan([wanted({ids[0]: {"tier": "A"}})], crm)
        self.now(archive)
        with pytest.raises(RefusedError, match="2 changes, not 1;"):
            apply(proposal, crm, archive=archive, accept_changes=1)


def test_the_exact_count_releases_a_plan_beyond_its_limits(
    crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted
) -> None:
    apply(plan([wanted({i: {"tier": "A"} for i in ids})], crm), crm, archive=archive)
    proposal = plan([wanted({i: {"tier": None} for i in ids})], crm, limits=Limits(1))
    assert [each.rule for each in proposal.refusals] == ["unknown", "emptied"]
    journal = apply(proposal, crm, archive=archive, accept_changes=500)
    assert journal.counts == {"written": 500}


class TestTheCrmGoesAway:
    """Exit code 5: the archive says what happened, and the same plan finishes it."""

    @pytest.fixture
    def crm(self, sim: simulator.Salesforce, connected: Reach) -> Salesforce:
        return connected(sim, InTwoHundreds)

    @pytest.fixture
    def proposal(self, crm: Salesforce, ids: list[str], wanted: Wanted) -> Plan:
        return plan([wanted({i: {"tier": "A"} for i in ids})], crm)

    @pytest.mark.parametrize(
        ("kind", "calls_ahead", "lasts", "counts"),
        [
            ("reset", 1, 1, {"not_sent": 500}),
            ("reset", 2, 2, {"not_sent": 480, "unknown": 20}),
            ("reset", 3, 1, {"not_sent": 480, "written": 20}),
            ("unavailable", 4, 1, {"not_sent": 480, "written": 20}),
            ("server_error", 7, 2, {"not_sent": 80, "unknown": 400, "written": 20}),
            ("reset_after_write", 2, 2, {"not_sent": 480, "unknown": 20}),
            ("reset_after_write", 11, 2, {"unknown": 80, "written": 420}),
            ("over_quota", 2, 1, {"not_sent": 500}),
            ("over_quota", 5, 1, {"not_sent": 480, "written": 20}),
            ("over_quota", 12, 1, {"written": 500}),  # but not read back
        ],
    )
    def test_the_journal_says_how_far_it_came_and_the_same_plan_finishes_it(
        self,
        crm: Salesforce,
        sim: simulator.Salesforce,
        archive: Archive,
        ids: list[str],
        connected: Callable[..., Salesforce],
        proposal: Plan,
        kind: Any,
        calls_ahead: int,
        lasts: int,
        counts: dict[str, int],
    ) -> None:
        sim.fault(Fault(sim.api_calls + calls_ahead, kind, calls=lasts))
        journal = apply(proposal, crm, archive=archive)
        assert journal.counts == counts
        assert (journal.exit_code, bool(journal.interrupted)) == (5, True)
        assert archive.journal(proposal.id) == journal
        finished = apply(proposal, connected(sim), archive=archive)
        assert (finished.exit_code, finished.counts) == (0, {"written": 500})
        accounts = sim.snapshot()["Account"].values()
        assert [each["Portfolio_Tier__c"] for each in accounts] == ["A"] * len(ids)
        assert len(finished.touched) == 500

    def test_a_right_lost_is_told_and_the_journal_ends_with_it(
        self,
        crm: Salesforce,
        sim: simulator.Salesforce,
        archive: Archive,
        proposal: Plan,
        connected: Callable[..., Salesforce],
    ) -> None:
        sim.revoke_right("Edit Account")
        with pytest.raises(RightMissingError):
            apply(proposal, connected(sim), archive=archive)
        journal = archive.journal(proposal.id)
        assert journal.counts == {"not_sent": 500}
        assert journal.interrupted

    def test_a_person_who_stops_it_finds_it_in_the_journal(
        self, crm: Salesforce, archive: Archive, proposal: Plan
    ) -> None:
        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            apply(proposal, crm, archive=archive, progress=stop)
        journal = archive.journal(proposal.id)
        assert journal.counts == {"not_sent": 480, "written": 20}
        assert journal.interrupted == "KeyboardInterrupt"

    def test_what_was_sent_when_it_was_stopped_is_unknown(
        self,
        sim: simulator.Salesforce,
        archive: Archive,
        proposal: Plan,
        connected: Callable[..., Salesforce],
    ) -> None:
        with pytest.raises(KeyboardInterrupt):
            apply(proposal, connected(sim, StoppedWhileWriting), archive=archive)
        journal = archive.journal(proposal.id)
        assert journal.counts == {"not_sent": 480, "unknown": 20}
        assert len(journal.touched) == 20

    def test_the_intent_is_on_disk_before_the_crm_is_called(
        self,
        sim: simulator.Salesforce,
        archive: Archive,
        proposal: Plan,
        connected: Reach,
    ) -> None:
        found = []

        class Looking(InTwoHundreds):
            def write_once(self, table: Any, changes: Any) -> Iterator[Outcome]:
                sent = list(changes)
                found.append((len(sent), archive.journal(proposal.id)))
                yield from super().write_once(table, sent)

        apply(proposal, connected(sim, Looking), archive=archive)
        assert [count for count, _ in found] == [20, 400, 80]
        for count, journal in found:
            assert journal.counts["unknown"] == count
            assert journal.interrupted == "stopped"

    def test_a_disk_that_is_full_stops_before_the_crm_is_written(
        self, crm: Salesforce, sim: simulator.Salesforce, tmp_path: Path, proposal: Plan
    ) -> None:
        before = sim.snapshot(audit=True)
        blocked = tmp_path / "file"
        blocked.touch()
        with pytest.raises(SettingsError, match="cannot be used"):
            apply(proposal, crm, archive=Archive(blocked))
        assert sim.snapshot(audit=True) == before

    def test_a_disk_that_fills_up_stops_before_the_next_batch(
        self,
        crm: Salesforce,
        sim: simulator.Salesforce,
        archive: Archive,
        proposal: Plan,
        connected: Reach,
    ) -> None:
        folder = archive.folder / "runs" / proposal.id

        class DiskFull(InTwoHundreds):
            def write_once(self, table: Any, changes: Any) -> Iterator[Outcome]:
                yield from super().write_once(table, changes)
                folder.rename(folder.with_name("moved"))

        with pytest.raises(SettingsError, match="then do the same again"):
            apply(proposal, connected(sim, DiskFull), archive=archive)
        folder.with_name("moved").rename(folder)
        assert archive.journal(proposal.id).counts == {"not_sent": 480, "unknown": 20}
        assert apply(proposal, crm, archive=archive).exit_code == 0

    def test_what_broke_first_is_told_where_the_journal_cannot_be_ended(
        self,
        sim: simulator.Salesforce,
        archive: Archive,
        proposal: Plan,
        connected: Reach,
    ) -> None:
        folder = archive.folder / "runs" / proposal.id

        class RightLost(InTwoHundreds):
            def read(self, *_: Any) -> Any:
                folder.rename(folder.with_name("moved"))
                raise RightMissingError("salesforce", "may not read accounts")

        with pytest.raises(RightMissingError):
            apply(proposal, connected(sim, RightLost), archive=archive)

    def test_of_two_applies_at_once_the_second_is_turned_away(
        self,
        crm: Salesforce,
        archive: Archive,
        proposal: Plan,
        connected: Reach,
        sim: simulator.Salesforce,
    ) -> None:
        turned_away = []

        class Overtaken(InTwoHundreds):
            def write_once(self, table: Any, changes: Any) -> Iterator[Outcome]:
                yield from super().write_once(table, changes)
                with pytest.raises(LockHeldError) as caught:
                    apply(proposal, crm, archive=archive)
                turned_away.append(caught.value.exit_code)

        journal = apply(proposal, connected(sim, Overtaken), archive=archive)
        assert set(turned_away) == {6}
        assert journal.counts == {"written": 500}
