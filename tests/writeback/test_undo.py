"""Every run can be taken back, where people have not gone on from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from typing import Any

import attrs
import pyarrow as pa
import pytest

from crm_portfolio import simulator, writeback
from crm_portfolio._managed import is_own
from crm_portfolio.archive import Archive, Journal
from crm_portfolio.connectors.salesforce import Salesforce
from crm_portfolio.errors import SettingsError, WrongOrgError
from crm_portfolio.protocols import Org, Quota
from crm_portfolio.simulator import Fault
from crm_portfolio.writeback import Edited, Limits, Plan, Policy, plan, undo
from crm_portfolio.writeback._held import read_rows

Wanted = Callable[..., Any]
# Nothing settles by itself here.
apply = partial(writeback.apply, sleep=lambda _seconds: None)
Edit = Callable[..., None]
Held = Callable[[str], dict[str, Any]]

FIRST = {"tier": "A", "tier_since_on": date(2026, 6, 30), "portfolio_rank": 1}
SECOND = {"tier": "B", "tier_since_on": date(2026, 7, 31), "portfolio_rank": 2}


class ReadOnly:
    """A CRM through which nothing can be written: it has no such method."""

    def __init__(self, crm: Salesforce) -> None:
        self._crm = crm
        self.name = crm.name

    def org(self) -> Org:
        return self._crm.org()

    def read(self, table: Any, ids: Sequence[str], columns: Sequence[str]) -> pa.Table:
        return self._crm.read(table, ids, columns)

    def quota(self) -> Quota | None:
        return self._crm.quota()


@pytest.fixture
def night(crm: Salesforce, archive: Archive, wanted: Wanted) -> Callable[..., Journal]:
    """Plan and apply these values for these accounts."""

    def run(accounts: Sequence[str], values: dict[str, Any]) -> Journal:
        proposal = plan(
            [wanted(dict.fromkeys(accounts, values))], crm, limits=Limits(1)
        )
        journal = apply(proposal, crm, archive=archive)
        assert journal.exit_code == 0
        return journal

    return run


def test_a_first_fill_taken_back_leaves_the_org_as_it_was(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    night: Callable[..., Journal],
) -> None:
    before = sim.snapshot()
    journal = night(ids, FIRST)
    way_back = undo(journal, ReadOnly(crm))
    assert way_back.header.undoes == journal.run_id
    assert way_back.refusals == ()
    taken_back = apply(way_back, crm, archive=archive)
    assert taken_back.counts == {"written": 1000}
    assert sim.snapshot() == before


def test_a_later_run_taken_back_restores_values_and_stamp(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    night: Callable[..., Journal],
) -> None:
    night(ids, FIRST)
    between = sim.snapshot()
    journal = night(ids[:20], SECOND)
    apply(undo(journal, crm), crm, archive=archive)
    assert sim.snapshot() == between


def test_a_field_taken_back_everywhere_looks_new_and_is_held_to_the_limits(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    night: Callable[..., Journal],
    wanted: Wanted,
) -> None:
    """So a field that is empty everywhere under sound stamps is no first fill."""
    night(ids, {"tier": "A"})
    as_before_the_upgrade = sim.snapshot()
    journal = night(ids, {"tier": "A", "dependence": "none"})
    apply(undo(journal, crm), crm, archive=archive)
    assert sim.snapshot() == as_before_the_upgrade
    again = plan([wanted({each: {"dependence": "none"} for each in ids})], crm)
    assert again.first_fills == {}
    assert [refusal.rule for refusal in again.refusals] == ["changed"]


def test_an_undo_can_be_taken_back_and_is_a_plan_on_file_like_any_other(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    night: Callable[..., Journal],
) -> None:
    journal = night(ids, FIRST)
    done = sim.snapshot()
    way_back = undo(journal, crm)
    way_back = Plan.from_bytes(way_back.to_bytes(), "back")
    back = apply(way_back, crm, archive=archive)
    again = undo(archive.journal(back.run_id), crm)
    apply(again, crm, archive=archive)
    assert sim.snapshot() == done


def test_what_people_changed_since_is_left_and_listed(
    crm: Salesforce,
    archive: Archive,
    ids: list[str],
    night: Callable[..., Journal],
    edit: Edit,
    held: Held,
) -> None:
    journal = night(ids[:3], FIRST)
    edit(ids[0], tier="D", portfolio_rank=77)
    way_back = undo(journal, crm)
    assert way_back.edited == (Edited(ids[0], ("portfolio_rank", "tier")),)
    apply(way_back, crm, archive=archive)
    assert held(ids[0]) == {"tier": "D", "portfolio_rank": 77}
    assert held(ids[1]) == {}


def test_a_run_taken_back_twice_has_nothing_left_to_do(
    crm: Salesforce, archive: Archive, ids: list[str], night: Callable[..., Journal]
) -> None:
    journal = night(ids[:3], FIRST)
    apply(undo(journal, crm), crm, archive=archive)
    again = undo(journal, crm)
    assert (again.changes, again.edited) == ((), ())


def test_an_earlier_run_taken_back_leaves_what_a_later_one_wrote(
    crm: Salesforce,
    archive: Archive,
    ids: list[str],
    night: Callable[..., Journal],
    held: Held,
) -> None:
    first = night(ids[:1], FIRST)
    night(ids[:1], {"portfolio_rank": 5})
    way_back = undo(first, crm)
    assert way_back.edited == (Edited(ids[0], ("portfolio_rank",)),)
    apply(way_back, crm, archive=archive)
    left = held(ids[0])
    mark = left.pop("portfolio_stamp")
    assert left == {"portfolio_rank": 5}
    assert mark.startswith(f"v1:{way_back.id}:")
    assert is_own(mark, left)


def test_a_stamp_that_a_person_broke_stays_broken(
    crm: Salesforce,
    archive: Archive,
    ids: list[str],
    night: Callable[..., Journal],
    edit: Edit,
    held: Held,
) -> None:
    journal = night(ids[:1], FIRST)
    edit(ids[0], portfolio_stamp="mine")
    apply(undo(journal, crm), crm, archive=archive)
    assert held(ids[0]) == {"portfolio_stamp": "mine"}


def test_an_edit_between_undo_and_apply_is_stale(
    crm: Salesforce,
    archive: Archive,
    ids: list[str],
    night: Callable[..., Journal],
    edit: Edit,
    held: Held,
) -> None:
    way_back = undo(night(ids[:1], FIRST), crm)
    edit(ids[0], tier="D")
    journal = apply(way_back, crm, archive=archive)
    assert [e.change.column for e in journal.failed] == ["tier"]
    assert held(ids[0])["tier"] == "D"


def test_a_run_that_was_interrupted_is_taken_back_as_far_as_it_came(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    wanted: Wanted,
) -> None:
    """What has no answer counts too: where it arrived, it is taken back."""
    before = sim.snapshot()
    proposal = plan([wanted(dict.fromkeys(ids, FIRST))], crm)
    sim.fault(Fault(sim.api_calls + 2, "reset_after_write", calls=2))
    journal = apply(proposal, crm, archive=archive)
    assert journal.counts.keys() == {"not_sent", "unknown"}
    assert sim.snapshot() != before
    apply(undo(journal, crm), crm, archive=archive)
    assert sim.snapshot() == before


def test_a_run_that_was_finished_later_is_taken_back_whole(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    wanted: Wanted,
) -> None:
    before = sim.snapshot()
    proposal = plan([wanted(dict.fromkeys(ids, FIRST))], crm)
    sim.fault(Fault(sim.api_calls + 3, "reset"))
    apply(proposal, crm, archive=archive)
    journal = apply(proposal, crm, archive=archive)
    assert journal.counts == {"written": 1000}
    apply(undo(journal, crm), crm, archive=archive)
    assert sim.snapshot() == before


def test_accounts_deleted_since_are_reported(
    crm: Salesforce,
    sim: simulator.Salesforce,
    ids: list[str],
    night: Callable[..., Journal],
) -> None:
    journal = night(ids[:2], FIRST)
    sim.delete("Account", ids[0])
    way_back = undo(journal, crm)
    assert [each.record_id for each in way_back.missing] == [ids[0]]
    assert {c.change.record_id for c in way_back.changes} == {ids[1]}


def test_a_run_on_another_org_cannot_be_taken_back_here(
    ids: list[str], night: Callable[..., Journal], connected: Callable[..., Salesforce]
) -> None:
    journal = night(ids[:1], FIRST)
    with (
        simulator.Salesforce(is_sandbox=False) as production,
        pytest.raises(WrongOrgError),
    ):
        undo(journal, connected(production))


def test_an_empty_run_has_an_empty_way_back(
    crm: Salesforce, ids: list[str], night: Callable[..., Journal]
) -> None:
    night(ids[:1], FIRST)
    assert undo(night(ids[:1], FIRST), crm).changes == ()


def test_the_plan_says_what_it_takes_back_and_what_it_leaves(
    crm: Salesforce, ids: list[str], night: Callable[..., Journal], edit: Edit
) -> None:
    journal = night(ids[:3], FIRST)
    edit(ids[0], tier="D", tier_pinned="D")
    told = str(undo(journal, crm))
    assert f"takes back run {journal.run_id}," in told
    assert f"Changed since, kept: 1 ({ids[0]} tier)" in told
    assert f"Pinned by people: 1 ({ids[0]} D)" in told
    assert "tier: 2 changed (A→empty 2)" in told


def with_overwritten(journal: Journal, record_id: str, column: str, value: Any):
    """The journal, had it found that a person set this value as the run wrote."""
    return attrs.evolve(journal, overwritten={("account", record_id, column): value})


class TestOverwrittenInTheWindow:
    def test_what_a_person_had_set_comes_back(
        self,
        crm: Salesforce,
        archive: Archive,
        ids: list[str],
        night: Callable[..., Journal],
        held: Held,
    ) -> None:
        journal = with_overwritten(night(ids[:1], FIRST), ids[0], "tier", "C")
        apply(undo(journal, crm), crm, archive=archive)
        assert held(ids[0]) == {"tier": "C"}

    def test_what_a_person_set_right_after_is_left_and_listed(
        self,
        crm: Salesforce,
        archive: Archive,
        ids: list[str],
        night: Callable[..., Journal],
        edit: Edit,
        held: Held,
    ) -> None:
        journal = with_overwritten(night(ids[:1], FIRST), ids[0], "tier", "C")
        edit(ids[0], tier="C")
        way_back = undo(journal, crm)
        assert way_back.edited == (Edited(ids[0], ("tier",)),)
        apply(way_back, crm, archive=archive)
        assert held(ids[0]) == {"tier": "C"}

    def test_what_the_field_cannot_hold_is_left_and_listed(
        self, crm: Salesforce, ids: list[str], night: Callable[..., Journal]
    ) -> None:
        journal = night(ids[:1], FIRST)
        journal = with_overwritten(journal, ids[0], "tier_since_on", "soon")
        way_back = undo(journal, crm)
        assert way_back.edited == (Edited(ids[0], ("tier_since_on",)),)
        assert "tier_since_on" not in {c.change.column for c in way_back.changes}


class TestAPart:
    def test_only_the_chosen_accounts_are_taken_back(
        self,
        crm: Salesforce,
        archive: Archive,
        ids: list[str],
        night: Callable[..., Journal],
        held: Held,
    ) -> None:
        journal = night(ids[:3], FIRST)
        before = held(ids[2])
        way_back = undo(journal, crm, accounts=ids[:2])
        assert {record.record_id for record in way_back.records} == set(ids[:2])
        assert way_back.header.accepted["tier"] == 2
        apply(way_back, crm, archive=archive)
        assert held(ids[0]) == held(ids[1]) == {}
        assert held(ids[2]) == before

    def test_only_the_chosen_fields_are_taken_back_under_a_new_stamp(
        self,
        crm: Salesforce,
        archive: Archive,
        ids: list[str],
        night: Callable[..., Journal],
        wanted: Wanted,
        held: Held,
    ) -> None:
        journal = night(ids[:1], FIRST)
        way_back = undo(journal, crm, columns=["tier"])
        assert way_back.header.accepted == {"tier": 1, "portfolio_stamp": 1}
        apply(way_back, crm, archive=archive)
        left = held(ids[0])
        mark = left.pop("portfolio_stamp")
        assert left == {"tier_since_on": date(2026, 6, 30), "portfolio_rank": 1}
        assert mark.startswith(f"v1:{way_back.id}:")
        # Ours still: the next plan does not take it for a person's edit.
        again = plan([wanted({ids[0]: FIRST})], crm)
        assert again.edited == ()
        assert [c.change.column for c in again.changes if c.change.column == "tier"]

    def test_the_rest_can_be_taken_back_later(
        self,
        crm: Salesforce,
        sim: simulator.Salesforce,
        archive: Archive,
        ids: list[str],
        night: Callable[..., Journal],
        held: Held,
    ) -> None:
        journal = night(ids[:2], FIRST)
        apply(undo(journal, crm, columns=["tier"]), crm, archive=archive)
        apply(undo(journal, crm), crm, archive=archive)
        assert held(ids[0]) == held(ids[1]) == {}

    def test_a_part_beside_a_persons_edit_leaves_the_edit_visible(
        self,
        crm: Salesforce,
        archive: Archive,
        ids: list[str],
        night: Callable[..., Journal],
        wanted: Wanted,
        edit: Edit,
    ) -> None:
        journal = night(ids[:1], FIRST)
        edit(ids[0], portfolio_rank=77)
        apply(undo(journal, crm, columns=["tier"]), crm, archive=archive)
        (edited,) = plan([wanted({ids[0]: FIRST})], crm).edited
        assert "portfolio_rank" in edited.columns

    @pytest.mark.parametrize("then", ["nothing", "the rest", "another night"])
    def test_what_a_person_had_set_comes_back_as_theirs(
        self,
        crm: Salesforce,
        archive: Archive,
        ids: list[str],
        wanted: Wanted,
        edit: Edit,
        held: Held,
        then: str,
    ) -> None:
        results = [wanted({ids[0]: FIRST})]
        edit(ids[0], tier="D", portfolio_rank=77)
        over = plan(results, crm, policy=Policy("overwrite"), archive=archive)
        journal = apply(over, crm, archive=archive)
        if then == "another night":
            later = plan([wanted({ids[0]: {"portfolio_rank": 2}})], crm)
            apply(later, crm, archive=archive)
        apply(undo(journal, crm, columns=["tier"]), crm, archive=archive)
        if then == "the rest":
            apply(undo(journal, crm), crm, archive=archive)
            assert held(ids[0])["portfolio_rank"] == 77
        assert held(ids[0])["tier"] == "D"
        for again in (plan(results, crm), plan(results, crm, archive=archive)):
            assert [each.record_id for each in again.edited] == ids[:1]
            assert again.changes == ()

    def test_a_later_night_leaves_a_whole_undo_to_people_too(
        self,
        crm: Salesforce,
        archive: Archive,
        ids: list[str],
        wanted: Wanted,
        edit: Edit,
        held: Held,
    ) -> None:
        results = [wanted({ids[0]: FIRST})]
        edit(ids[0], tier="D")
        over = plan(results, crm, policy=Policy("overwrite"))
        journal = apply(over, crm, archive=archive)
        apply(
            plan([wanted({ids[0]: {"portfolio_rank": 2}})], crm), crm, archive=archive
        )
        apply(undo(journal, crm), crm, archive=archive)
        assert held(ids[0])["tier"] == "D"
        assert plan(results, crm, archive=archive).edited

    def test_what_a_person_had_set_is_theirs_after_any_number_of_undos(
        self,
        crm: Salesforce,
        archive: Archive,
        ids: list[str],
        wanted: Wanted,
        edit: Edit,
        held: Held,
    ) -> None:
        results = [wanted({ids[0]: FIRST})]
        edit(ids[0], tier="D", portfolio_rank=77)
        run = apply(
            plan(results, crm, policy=Policy("overwrite")), crm, archive=archive
        )
        for _ in range(2):
            run = apply(undo(run, crm), crm, archive=archive)
        assert held(ids[0])["tier"] == "A"
        apply(undo(run, crm, columns=["tier"]), crm, archive=archive)
        assert held(ids[0])["tier"] == "D"
        assert plan(results, crm).edited

    def test_beside_what_a_person_had_set_ours_comes_back_as_ours(
        self,
        crm: Salesforce,
        archive: Archive,
        ids: list[str],
        wanted: Wanted,
        edit: Edit,
    ) -> None:
        apply(plan([wanted({ids[0]: FIRST})], crm), crm, archive=archive)
        edit(ids[0], tier="D")
        results = [wanted({ids[0]: SECOND})]
        over = plan(results, crm, policy=Policy("overwrite"), archive=archive)
        journal = apply(over, crm, archive=archive)
        assert journal.edited == {("account", ids[0]): ("tier",)}
        apply(undo(journal, crm, columns=["portfolio_rank"]), crm, archive=archive)
        # The person's tier is overwritten still, and the rank was ours before.
        assert plan(results, crm).edited == ()

    def test_what_was_set_in_the_window_comes_back_as_theirs(
        self,
        crm: Salesforce,
        archive: Archive,
        ids: list[str],
        night: Callable[..., Journal],
        wanted: Wanted,
        held: Held,
    ) -> None:
        journal = with_overwritten(night(ids[:1], FIRST), ids[0], "tier", "C")
        apply(undo(journal, crm, columns=["tier"]), crm, archive=archive)
        assert held(ids[0])["tier"] == "C"
        assert plan([wanted({ids[0]: FIRST})], crm).edited

    def test_what_the_run_did_not_write_is_refused_with_a_suggestion(
        self, crm: Salesforce, ids: list[str], night: Callable[..., Journal]
    ) -> None:
        journal = night(ids[:1], FIRST)
        with pytest.raises(SettingsError, match=f"no account '{ids[5]}'"):
            undo(journal, crm, accounts=[ids[0], ids[5]])
        with pytest.raises(SettingsError, match="did you mean 'tier'"):
            undo(journal, crm, columns=["teir"])


def test_an_undo_that_was_interrupted_goes_on_where_it_stopped(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    night: Callable[..., Journal],
) -> None:
    before = sim.snapshot()
    journal = night(ids, FIRST)
    way_back = undo(journal, crm)
    batches = iter([False, False, True])
    stopped = apply(way_back, crm, archive=archive, stop=lambda: next(batches, True))
    assert stopped.exit_code == 5
    assert sim.snapshot() != before
    assert apply(way_back, crm, archive=archive).exit_code == 0
    assert sim.snapshot() == before
    # Begun anew instead, it would only find what is left.
    assert undo(journal, crm).changes == ()


def test_an_undo_tells_how_many_accounts_are_read(
    crm: Salesforce, ids: list[str], night: Callable[..., Journal]
) -> None:
    journal, said = night(ids[:3], FIRST), list[tuple[str, int, int | None]]()
    undo(journal, crm, progress=lambda *each: said.append(each))
    assert said == [("read accounts", 0, 3), ("read accounts", 3, 3)]


class Many:
    """A CRM of any number of accounts, in which nothing is filled."""

    name = "many"

    def __init__(self) -> None:
        self.asked: list[int] = []

    def read(self, table: Any, ids: Sequence[str], columns: Sequence[str]) -> pa.Table:
        self.asked.append(len(ids))
        nothing = pa.nulls(len(ids), pa.string())
        named = {f"{table}_id": pa.array(ids, pa.string())}
        return pa.table(named | dict.fromkeys(columns, nothing))


def test_many_accounts_are_read_in_portions_that_are_told() -> None:
    crm, said = Many(), list[int]()
    ids = [f"{at:05}" for at in range(4_500)]
    rows = read_rows(
        crm,  # type: ignore[arg-type]
        "account",
        ids,
        progress=lambda _step, done, _total: said.append(done),
    )
    assert [count for count in crm.asked if count] == [2_000, 2_000, 500]
    assert said == [0, 2_000, 4_000, 4_500]
    assert list(rows) == ids
