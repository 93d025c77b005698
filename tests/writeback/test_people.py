"""People win: what they edited is named and kept, and their pins hold until they end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest

from crm_portfolio import simulator
from crm_portfolio._managed import PIN, STAMP, VALUES, is_own, run_of, stamp
from crm_portfolio._pull import PullSettings, pull_into
from crm_portfolio.archive import Archive, Journal
from crm_portfolio.connectors.salesforce import Salesforce
from crm_portfolio.protocols import Change, Value
from crm_portfolio.writeback import (
    Edited,
    Ended,
    Limits,
    Plan,
    Policy,
    apply,
    plan,
    undo,
)
from crm_portfolio.writeback._held import Row
from crm_portfolio.writeback._journal import Recorder
from crm_portfolio.writeback._people import (
    Edits,
    ended_pin,
    find_edits,
    is_edited,
    valid_pin,
)
from crm_portfolio.writeback._planned import Pinned

Wanted = Callable[..., Any]
Edit = Callable[..., None]
Held = Callable[[str], dict[str, Any]]

FIRST = {"tier": "A", "portfolio_rank": 1, "dependence": "none"}
THEN = {"tier": "B", "portfolio_rank": 2, "dependence": "major"}
AT_ONCE = Limits(settle_seconds=0)
KEEP, REPORT, OVERWRITE = Policy(), Policy("report"), Policy("overwrite")
BLANK: dict[str, Value] = dict.fromkeys((*VALUES["account"], STAMP, *PIN["account"]))


def row(**held: Value) -> Row:
    return {**BLANK, **held}


def changed(proposal: Plan) -> dict[str, Value]:
    """The planned values of the one account in it, without the stamp."""
    return {
        c.change.column: c.change.after
        for c in proposal.changes
        if c.change.column != STAMP
    }


@pytest.fixture(scope="module")
def account_count() -> int:
    return 3


@pytest.fixture
def account(ids: list[str]) -> str:
    return ids[0]


@pytest.fixture
def night(
    crm: Salesforce, archive: Archive, wanted: Wanted, account: str
) -> Callable[..., Plan]:
    """Plan these values for the account with the archive, and apply the plan."""

    def run(values: dict[str, Any], policy: Policy = KEEP, **params: Any) -> Plan:
        result = wanted({account: values}, **params)
        proposal = plan([result], crm, archive=archive, policy=policy, limits=AT_ONCE)
        assert apply(proposal, crm, archive=archive).exit_code == 0
        return proposal

    return run


class TestWhichFieldWasEdited:
    def test_the_archive_tells(
        self,
        crm: Salesforce,
        archive: Archive,
        wanted: Wanted,
        account: str,
        night: Callable[..., Plan],
        edit: Edit,
    ) -> None:
        night(FIRST)
        edit(account, portfolio_rank=7)
        result = wanted({account: THEN})
        differing = ("dependence", "portfolio_rank", "tier")
        with_it = plan([result], crm, archive=archive)
        assert with_it.edited == (Edited(account, differing, ("portfolio_rank",)),)
        without = plan([result], crm)
        assert without.edited == (Edited(account, differing),)
        assert (with_it.changes, without.changes) == ((), ())

    def test_what_several_runs_wrote_is_put_together(
        self, account: str, night: Callable[..., Plan], edit: Edit
    ) -> None:
        night(FIRST)
        night({"tier": "B"})
        night({"portfolio_rank": 3})
        edit(account, dependence=None, tier="A")
        (found,) = night(THEN).edited
        assert found.edited == ("dependence", "tier")

    def test_an_edit_that_our_own_results_would_make_is_one(
        self, account: str, night: Callable[..., Plan], edit: Edit
    ) -> None:
        night(FIRST)
        edit(account, tier="B")
        (found,) = night({"tier": "B"}).edited
        assert found == Edited(account, (), ("tier",))

    def test_a_stamp_that_was_removed_is_named(
        self, account: str, night: Callable[..., Plan], edit: Edit
    ) -> None:
        night(FIRST)
        edit(account, portfolio_stamp=None)
        (found,) = night(THEN).edited
        assert found.edited == (STAMP,)

    def test_what_stood_there_before_us_is_a_persons(
        self, account: str, night: Callable[..., Plan], edit: Edit
    ) -> None:
        edit(account, dependence="major")
        proposal = night(FIRST)
        columns = ("dependence", "portfolio_rank", "tier")
        assert proposal.edited == (Edited(account, columns, ("dependence",)),)
        assert proposal.changes == ()

    def test_of_a_run_in_another_archive_nothing_is_known(
        self,
        crm: Salesforce,
        wanted: Wanted,
        account: str,
        night: Callable[..., Plan],
        edit: Edit,
        tmp_path: Path,
    ) -> None:
        night(FIRST)
        edit(account, tier="C")
        other = Archive(tmp_path / "other")
        proposal = plan(
            [wanted({account: THEN})], crm, archive=other, policy=Policy("report")
        )
        assert proposal.edited[0].edited == ()
        assert proposal.changes == ()

    def test_an_archive_that_lacks_the_latest_run_is_not_believed(
        self,
        crm: Salesforce,
        wanted: Wanted,
        account: str,
        night: Callable[..., Plan],
        edit: Edit,
        archive: Archive,
        tmp_path: Path,
    ) -> None:
        night(FIRST)
        elsewhere = plan([wanted({account: {"tier": "D"}})], crm, limits=AT_ONCE)
        apply(elsewhere, crm, archive=Archive(tmp_path / "other"))
        edit(account, portfolio_rank=7)
        (found,) = plan([wanted({account: THEN})], crm, archive=archive).edited
        assert found.edited == ()

    def test_after_taking_back_it_is_the_old_value_that_was_ours(
        self,
        crm: Salesforce,
        archive: Archive,
        wanted: Wanted,
        account: str,
        night: Callable[..., Plan],
        edit: Edit,
    ) -> None:
        night(FIRST)
        run = night({"tier": "B"})
        apply(undo(archive.journal(run.id), crm, limits=AT_ONCE), crm, archive=archive)
        assert plan([wanted({account: FIRST})], crm, archive=archive).edited == ()
        edit(account, portfolio_rank=7)
        (found,) = plan([wanted({account: FIRST})], crm, archive=archive).edited
        assert found.edited == ("portfolio_rank",)


class TestPolicies:
    ALL = ("dependence", "portfolio_rank", "tier")

    def test_each_field_is_planned_as_its_policy_says(
        self,
        crm: Salesforce,
        archive: Archive,
        wanted: Wanted,
        account: str,
        night: Callable[..., Plan],
        edit: Edit,
    ) -> None:
        expected: list[tuple[Policy, tuple[str, ...]]] = [
            (KEEP, ()),
            (REPORT, ("dependence", "tier")),
            (OVERWRITE, self.ALL),
            (Policy("keep", {"portfolio_rank": "overwrite"}), self.ALL),
            (Policy("keep", {"tier": "overwrite"}), ("tier",)),
            (Policy("keep", {"portfolio_rank": "report"}), ()),
            (Policy("keep", {"tier": "report"}), ("tier",)),
            (Policy("report", {"tier": "keep"}), ("dependence",)),
            (Policy("overwrite", {"portfolio_rank": "keep"}), ("dependence", "tier")),
            (Policy("overwrite", {"portfolio_rank": "report"}), ("dependence", "tier")),
        ]
        night(FIRST)
        edit(account, portfolio_rank=7)
        result = wanted({account: THEN})
        for policy, planned in expected:
            proposal = plan([result], crm, archive=archive, policy=policy)
            assert tuple(changed(proposal)) == planned, policy
            assert proposal.edited[0].edited == ("portfolio_rank",)

    def test_without_the_archive_any_field_may_be_the_one(
        self,
        crm: Salesforce,
        wanted: Wanted,
        account: str,
        night: Callable[..., Plan],
        edit: Edit,
    ) -> None:
        expected: list[tuple[Policy, tuple[str, ...]]] = [
            (KEEP, ()),
            (REPORT, ()),
            (OVERWRITE, self.ALL),
            (Policy("report", {"tier": "overwrite"}), ("tier",)),
            (Policy("keep", {"portfolio_rank": "overwrite"}), ("portfolio_rank",)),
        ]
        night(FIRST)
        edit(account, portfolio_rank=7)
        for policy, planned in expected:
            proposal = plan([wanted({account: THEN})], crm, policy=policy)
            assert tuple(changed(proposal)) == planned, policy

    def test_where_our_stamp_fits_again_all_of_the_account_is_ours(
        self,
        crm: Salesforce,
        wanted: Wanted,
        account: str,
        night: Callable[..., Plan],
        edit: Edit,
    ) -> None:
        night(FIRST)
        edit(account, portfolio_rank=7)
        result = wanted({account: {**THEN, "portfolio_rank": 1}})
        policy = Policy("keep", {"portfolio_rank": "overwrite"})
        proposal = plan([result], crm, policy=policy)
        assert tuple(changed(proposal)) == ("dependence", "portfolio_rank", "tier")

    def test_an_edit_that_stays_is_seen_again_until_it_is_taken_back(
        self, account: str, night: Callable[..., Plan], edit: Edit, held: Held
    ) -> None:
        night(FIRST)
        edit(account, portfolio_rank=7)
        night(THEN, REPORT)
        now = held(account)
        assert now["portfolio_rank"] == 7
        assert (now["tier"], now["dependence"]) == ("B", "major")
        again = night(THEN, REPORT)
        assert again.edited == (
            Edited(account, ("portfolio_rank",), ("portfolio_rank",)),
        )
        assert again.changes == ()
        edit(account, portfolio_rank=1)
        back = night(THEN, REPORT)
        assert back.edited == ()
        assert changed(back) == {"portfolio_rank": 2}

    def test_so_it_is_where_nobody_knew_what_was_edited(
        self,
        crm: Salesforce,
        archive: Archive,
        wanted: Wanted,
        account: str,
        night: Callable[..., Plan],
        edit: Edit,
        held: Held,
    ) -> None:
        night(FIRST)
        before = held(account)[STAMP]
        edit(account, portfolio_rank=7)
        result = wanted({account: THEN})
        policy = Policy("keep", {"tier": "overwrite"})
        proposal = plan([result], crm, policy=policy, limits=AT_ONCE)
        apply(proposal, crm, archive=archive)
        assert held(account)["tier"] == "B"
        assert held(account)[STAMP] == before
        (found,) = plan([result], crm, archive=archive).edited
        assert found == Edited(
            account, ("dependence", "portfolio_rank"), ("portfolio_rank",)
        )

    def test_an_edit_that_was_overwritten_leaves_no_trace(
        self, account: str, night: Callable[..., Plan], edit: Edit, held: Held
    ) -> None:
        night(FIRST)
        edit(account, portfolio_rank=7)
        night(THEN, Policy("keep", {"portfolio_rank": "overwrite"}))
        now = held(account)
        assert is_own(now.pop(STAMP), now)
        after = night(THEN)
        assert (after.edited, after.changes) == ((), ())

    def test_an_edit_in_a_field_that_is_not_ours_now_is_not_stamped_over(
        self, account: str, night: Callable[..., Plan], edit: Edit
    ) -> None:
        night(FIRST)
        edit(account, portfolio_rank=7)
        night({"tier": "B"}, OVERWRITE)
        (found,) = night({"tier": "B"}).edited
        assert found == Edited(account, (), ("portfolio_rank",))

    def test_an_edit_that_the_results_agree_with_stays_one(
        self, account: str, night: Callable[..., Plan], edit: Edit, held: Held
    ) -> None:
        night(FIRST)
        edit(account, tier="B")
        night(THEN, REPORT)
        assert held(account)["dependence"] == "major"
        later = night({**THEN, "tier": "C"}, REPORT)
        assert later.edited == (Edited(account, ("tier",), ("tier",)),)
        assert held(account)["tier"] == "B"

    def test_beside_a_removed_stamp_no_new_one_is_made(
        self, account: str, night: Callable[..., Plan], edit: Edit, held: Held
    ) -> None:
        night(FIRST)
        edit(account, portfolio_stamp=None)
        policy = Policy("keep", {"tier": "overwrite"})
        assert changed(night(THEN, policy)) == {"tier": "B"}
        assert STAMP not in held(account)
        assert changed(night(THEN, policy)) == {}

    def test_a_removed_stamp_comes_back_under_report(
        self, account: str, night: Callable[..., Plan], edit: Edit, held: Held
    ) -> None:
        night(FIRST)
        edit(account, portfolio_stamp=None)
        night(THEN, REPORT)
        now = held(account)
        assert is_own(now.pop(STAMP), now)
        assert night(THEN).edited == ()


class TestAnEmptiedAccount:
    """On the account nothing stands; only the archive knows that something did."""

    COLUMNS = ("dependence", "portfolio_rank", "portfolio_stamp", "tier")
    EMPTY: ClassVar = dict.fromkeys(COLUMNS)

    def test_it_is_edited_and_kept(
        self, account: str, night: Callable[..., Plan], edit: Edit, held: Held
    ) -> None:
        night(FIRST)
        edit(account, **self.EMPTY)
        proposal = night(THEN)
        differing = ("dependence", "portfolio_rank", "tier")
        assert proposal.edited == (Edited(account, differing, self.COLUMNS),)
        assert proposal.changes == ()
        assert "portfolio_rank portfolio_stamp tier kept)" in str(proposal)
        assert held(account) == {}

    def test_without_the_archive_it_is_a_new_one(
        self,
        crm: Salesforce,
        wanted: Wanted,
        account: str,
        night: Callable[..., Plan],
        edit: Edit,
    ) -> None:
        night(FIRST)
        edit(account, **self.EMPTY)
        proposal = plan([wanted({account: THEN})], crm)
        assert proposal.edited == ()
        assert proposal.counts == {}
        assert sum(proposal.first_fills.values()) == 4

    def test_overwriting_it_is_no_first_fill_and_the_limits_hold(
        self,
        crm: Salesforce,
        archive: Archive,
        wanted: Wanted,
        ids: list[str],
        account: str,
        night: Callable[..., Plan],
        edit: Edit,
    ) -> None:
        night(FIRST)
        edit(account, **self.EMPTY)
        given = {"archive": archive, "policy": OVERWRITE}
        result = wanted({ids[1]: FIRST, account: THEN})
        proposal = plan([result], crm, limits=Limits(max_changes=0), **given)
        assert dict(proposal.counts) == dict.fromkeys(self.COLUMNS, 1)
        assert dict(proposal.first_fills) == dict.fromkeys(self.COLUMNS, 1)
        assert {refusal.rule for refusal in proposal.refusals} == {"changed"}
        assert Plan.from_bytes(proposal.to_bytes(), "plan") == proposal

    def test_once_overwritten_it_is_ours_again(
        self, account: str, night: Callable[..., Plan], edit: Edit, held: Held
    ) -> None:
        night(FIRST)
        edit(account, **self.EMPTY)
        night(THEN, OVERWRITE)
        now = held(account)
        assert is_own(now.pop(STAMP), now)
        assert (night(THEN).edited, night(FIRST).edited) == ((), ())

    def test_a_field_written_beside_it_leaves_the_others_to_the_person(
        self, account: str, night: Callable[..., Plan], edit: Edit, held: Held
    ) -> None:
        night(FIRST)
        edit(account, **self.EMPTY)
        assert changed(night({"tier": "B"}, OVERWRITE)) == {"tier": "B"}
        (found,) = night(THEN).edited
        assert found.edited == ("dependence", "portfolio_rank")
        assert held(account)["tier"] == "B"

    def test_a_run_that_is_taken_back_leaves_a_new_account(
        self,
        crm: Salesforce,
        archive: Archive,
        account: str,
        night: Callable[..., Plan],
    ) -> None:
        run = night(FIRST)
        apply(undo(archive.journal(run.id), crm, limits=AT_ONCE), crm, archive=archive)
        proposal = night(THEN)
        assert proposal.edited == ()
        assert changed(proposal) == THEN

    def test_what_a_person_emptied_is_theirs_again_when_its_overwriting_is_undone(
        self,
        crm: Salesforce,
        archive: Archive,
        account: str,
        night: Callable[..., Plan],
        edit: Edit,
        held: Held,
    ) -> None:
        night(FIRST)
        edit(account, **self.EMPTY)
        run = night(THEN, OVERWRITE)
        apply(undo(archive.journal(run.id), crm, limits=AT_ONCE), crm, archive=archive)
        assert held(account) == {}
        proposal = night(THEN)
        assert proposal.changes == ()
        assert proposal.edited[0].edited == self.COLUMNS

    def test_a_fill_that_never_arrived_was_emptied_by_nobody(
        self, crm: Salesforce, archive: Archive, wanted: Wanted, account: str
    ) -> None:
        result = wanted({account: FIRST})
        killed = plan([result], crm, archive=archive)
        recorder = Recorder.begin(archive, killed)
        recorder.intend("account", [planned.change for planned in killed.changes], [])
        proposal = plan([result], crm, archive=archive)
        assert proposal.edited == ()
        assert changed(proposal) == FIRST

    def test_a_fill_whose_answer_was_lost_counts_once_a_night_found_it_there(
        self,
        crm: Salesforce,
        archive: Archive,
        wanted: Wanted,
        account: str,
        edit: Edit,
    ) -> None:
        result = wanted({account: FIRST})
        killed = plan([result], crm, archive=archive)
        changes = [planned.change for planned in killed.changes]
        Recorder.begin(archive, killed).intend("account", changes, [])
        assert {o.state for o in crm.write("account", changes)} == {"written"}
        quiet = plan([result], crm, archive=archive)
        assert quiet.changes == ()
        told = {"as_of": quiet.header.as_of, "population": quiet.header.population}
        archive.note_quiet("20260701-0a1b", crm.org(), **told)
        edit(account, **self.EMPTY)
        proposal = plan([result], crm, archive=archive)
        assert proposal.edited[0].edited == self.COLUMNS
        assert proposal.changes == ()

    def test_a_book_from_before_the_run_is_not_taken_for_a_person(
        self,
        crm: Salesforce,
        archive: Archive,
        wanted: Wanted,
        account: str,
        night: Callable[..., Plan],
        tmp_path: Path,
    ) -> None:
        pulled = pull_into(
            crm,
            tmp_path / "book",
            as_of=date(2026, 6, 30),
            currency="EUR",
            settings=PullSettings(at_once=1),
        ).portfolio
        night(FIRST)
        given = {"held": pulled, "archive": archive}
        again = plan([wanted({account: FIRST})], crm, **given)
        assert (again.edited, again.changes) == ((), ())

    def test_the_archive_is_asked_once_and_only_where_there_is_doubt(
        self,
        crm: Salesforce,
        archive: Archive,
        wanted: Wanted,
        ids: list[str],
        night: Callable[..., Plan],
        edit: Edit,
    ) -> None:
        read: list[str] = []

        class Counted(Archive):
            def journal(self, run_id: str, **beside: Any) -> Journal:
                read.append(run_id)
                return super().journal(run_id, **beside)

            def plan_parts(self, run_id: str) -> Iterator[bytes]:
                read.append("plan")
                return super().plan_parts(run_id)

        def asked(values: dict[str, dict[str, Value]]) -> list[str]:
            read.clear()
            plan([wanted(values)], crm, archive=Counted(archive.folder))
            return [*read]

        one, two, new = ids
        for values in ({one: FIRST}, {two: FIRST}, {one: THEN}):
            proposal = plan([wanted(values)], crm, archive=archive, limits=AT_ONCE)
            apply(proposal, crm, archive=archive)
        first, second, third = archive.runs()
        assert asked({one: THEN, two: FIRST}) == []  # a quiet night
        assert asked({new: {"tier": None}}) == []  # nothing to write
        # A new account: the plans are looked through, no journal is read.
        assert asked({one: THEN, two: FIRST, new: FIRST}) == ["plan"] * 3
        edit(one, **self.EMPTY)
        edit(two, **self.EMPTY)
        told = asked({one: THEN, two: FIRST})
        assert told == ["plan", third, "plan", second, "plan", first]


class TestPins:
    DAY = date(2026, 6, 30)

    def test_a_pin_holds_to_the_end_of_its_last_day(self) -> None:
        on = row(tier_pinned="A", tier_pinned_until_on=self.DAY, tier_pinned_by="005X")
        assert valid_pin("1", on, self.DAY) == Pinned("1", "A", self.DAY, "005X")
        assert ended_pin("1", on, self.DAY, None) is None
        after = date(2026, 7, 1)
        assert valid_pin("1", on, after) is None
        assert ended_pin("1", on, after, None) == Ended("1", "A", self.DAY, "005X")

    def test_a_pin_without_a_day_holds_and_one_without_a_tier_is_none(self) -> None:
        forever = row(tier_pinned="A")
        assert valid_pin("1", forever, self.DAY) == Pinned("1", "A", None, None)
        assert ended_pin("1", forever, self.DAY, None) is None
        nothing = row(tier_pinned_until_on=date(2026, 1, 1))
        assert valid_pin("1", nothing, self.DAY) is None
        assert ended_pin("1", nothing, self.DAY, None) is None

    @pytest.mark.parametrize(
        ("told_on", "is_told"),
        [
            (None, True),
            (date(2026, 6, 28), True),
            (date(2026, 6, 29), True),
            (date(2026, 6, 30), False),
        ],
    )
    def test_its_end_is_told_unless_the_last_run_told_it(
        self, told_on: date | None, is_told: bool
    ) -> None:
        ended = row(tier_pinned="A", tier_pinned_until_on=date(2026, 6, 29))
        found = ended_pin("1", ended, date(2026, 7, 1), told_on)
        assert (found is not None) is is_told

    def test_its_end_is_told_once_and_the_rule_holds_again(
        self, account: str, night: Callable[..., Plan], edit: Edit, held: Held
    ) -> None:
        edit(account, tier_pinned="A", tier_pinned_until_on=self.DAY)
        pinned = night({"tier": "A"}, as_of="2026-06-30")
        assert [each.tier for each in pinned.pinned] == ["A"]
        assert pinned.ended == ()
        after = night({"tier": "C"}, as_of="2026-07-01")
        assert after.pinned == ()
        assert after.ended == (Ended(account, "A", self.DAY, None),)
        assert f"Tier pins ended: 1 ({account} A on 2026-06-30)" in str(after)
        assert held(account)["tier"] == "C"
        assert night({"tier": "C"}, as_of="2026-07-02").ended == ()

    def test_without_the_archive_it_is_told_while_it_stands_there(
        self, crm: Salesforce, wanted: Wanted, account: str, edit: Edit
    ) -> None:
        edit(account, tier_pinned="A", tier_pinned_until_on=date(2026, 6, 1))
        result = wanted({account: {"tier": "C"}})
        for _ in range(2):
            assert [each.record_id for each in plan([result], crm).ended] == [account]

    def test_a_plan_without_tiers_tells_of_no_pin(
        self, crm: Salesforce, wanted: Wanted, ids: list[str], edit: Edit
    ) -> None:
        edit(ids[0], tier_pinned="A", tier_pinned_until_on=date(2026, 6, 1))
        edit(ids[1], tier_pinned="A")
        proposal = plan([wanted({i: {"portfolio_rank": 1} for i in ids})], crm)
        assert (proposal.pinned, proposal.ended) == ((), ())


class TestTheRunsBefore:
    def test_the_last_population_is_in_the_header(
        self,
        crm: Salesforce,
        sim: simulator.Salesforce,
        archive: Archive,
        wanted: Wanted,
        ids: list[str],
    ) -> None:
        everyone = wanted({i: {"tier": "A"} for i in ids})
        first = plan([everyone], crm, archive=archive, limits=AT_ONCE)
        assert first.header.previous is None
        apply(first, crm, archive=archive)
        fewer = wanted({ids[0]: {"tier": "A"}})
        assert plan([fewer], crm, archive=archive).header.previous == 3
        assert plan([fewer], crm).header.previous is None

    def test_a_run_that_took_back_another_is_not_the_last(
        self,
        crm: Salesforce,
        archive: Archive,
        wanted: Wanted,
        ids: list[str],
    ) -> None:
        runs = []
        for count in (1, 3):
            result = wanted({i: {"tier": "A"} for i in ids[:count]})
            proposal = plan([result], crm, archive=archive, limits=AT_ONCE)
            runs.append(apply(proposal, crm, archive=archive))
        apply(undo(runs[0], crm, limits=AT_ONCE), crm, archive=archive)
        assert len(archive.runs()) == 3
        proposal = plan([wanted({ids[0]: {"tier": "A"}})], crm, archive=archive)
        assert proposal.header.previous == 3

    def test_a_run_at_another_org_is_none(
        self,
        crm: Salesforce,
        archive: Archive,
        wanted: Wanted,
        ids: list[str],
        connected: Callable[..., Salesforce],
        sim: simulator.Salesforce,
    ) -> None:
        result = wanted({i: {"tier": "A"} for i in ids})
        first = plan([result], crm, archive=archive, limits=AT_ONCE)
        apply(first, crm, archive=archive)

        class Production(Salesforce):
            def org(self) -> Any:
                return attrs.evolve(super().org(), is_sandbox=False)

        other = connected(sim, Production)
        assert plan([result], other, archive=archive).header.previous is None

    def test_too_few_accounts_are_refused(
        self, crm: Salesforce, archive: Archive, wanted: Wanted, ids: list[str]
    ) -> None:
        result = wanted({i: {"tier": "A"} for i in ids})
        first = plan([result], crm, archive=archive, limits=AT_ONCE)
        apply(first, crm, archive=archive)
        fewer = wanted({i: {"tier": "A"} for i in ids[:2]})
        strict = Limits(min_changes=0)
        proposal = plan([fewer], crm, archive=archive, limits=strict)
        assert [r.rule for r in proposal.refusals] == ["shrunk"]


class TestOneAccount:
    """The rules on their own, value by value."""

    def test_it_is_edited_where_its_stamp_does_not_fit(self) -> None:
        assert not is_edited("account", row())
        assert is_edited("account", row(tier="A"))
        assert is_edited("account", row(portfolio_stamp="mine"))
        mark = stamp("0a1b", {"tier": "A"})
        assert not is_edited("account", row(tier="A", portfolio_stamp=mark))
        assert is_edited("account", row(tier="B", portfolio_stamp=mark))
        assert not is_edited("account", row(tier_pinned="A"))

    def test_fields_no_run_wrote_are_a_persons_where_they_are_filled(self) -> None:
        ours = {"tier": "A", STAMP: stamp("0a1b", {"tier": "A"})}
        edits = find_edits("account", row(**ours, dependence="major"), ours)
        assert edits == Edits("account", frozenset({"dependence"}), ours)

    def test_what_cannot_be_put_together_is_not_known(self) -> None:
        assert find_edits("account", row(tier="A"), None).columns is None
        assert find_edits("account", row(), {}).columns is None
        mark = stamp("0a1b", {"tier": "A"})
        assert (
            find_edits("account", row(tier="B", portfolio_stamp=mark), {}).columns
            is None
        )

    def test_a_stamp_that_is_none_of_ours_is_an_edit(self) -> None:
        edits = find_edits(
            "account", row(tier="A", portfolio_stamp="mine"), {"tier": "A"}
        )
        assert edits.columns == {STAMP}

    def test_where_nothing_is_known_what_is_not_replaced_may_be_an_edit(self) -> None:
        edits = Edits("account", None, {})
        held = row(tier="A", portfolio_rank=1)

        def standing(policy: Policy, **wanted: Value) -> frozenset[str]:
            return edits.standing(held, wanted, policy)

        assert standing(KEEP, tier="B") == set(VALUES["account"])
        assert standing(REPORT, tier="A") == set(VALUES["account"])
        but_tier = Policy("keep", {"tier": "overwrite"})
        assert standing(but_tier, tier="B") == set(VALUES["account"]) - {"tier"}
        assert standing(OVERWRITE, tier="B") == set()

    def test_where_the_edits_are_known_only_they_stand(self) -> None:
        edits = Edits("account", frozenset({"tier", "portfolio_rank", STAMP}), {})
        held = row(tier="A", dependence="none", portfolio_rank=1)

        def standing(policy: Policy, **wanted: Value) -> frozenset[str]:
            return edits.standing(held, wanted, policy)

        assert standing(KEEP, tier="B") == {"tier", "portfolio_rank", STAMP}
        assert standing(REPORT, tier="B") == {"tier", "portfolio_rank"}
        assert standing(REPORT, tier="A") == {"tier", "portfolio_rank"}
        assert standing(OVERWRITE, tier="B") == {"portfolio_rank"}
        but_tier = Policy("keep", {"tier": "overwrite"})
        assert standing(but_tier, tier="B") == {"portfolio_rank", STAMP}
        assert standing(but_tier) == {"tier", "portfolio_rank", STAMP}


def test_a_stamp_names_the_run_it_is_of() -> None:
    assert run_of(stamp("0a1b", {})) == "0a1b"
    assert run_of("mine") is None
    assert run_of(None) is None


def test_a_change_of_a_person_is_never_in_a_plan_that_keeps(
    crm: Salesforce, wanted: Wanted, ids: list[str], edit: Edit
) -> None:
    edit(ids[0], tier="D")
    proposal = plan([wanted({i: {"tier": "A"} for i in ids})], crm)
    assert [c.change for c in proposal.changes if c.change.column == "tier"] == [
        Change(ids[1], "tier", None, "A"),
        Change(ids[2], "tier", None, "A"),
    ]
