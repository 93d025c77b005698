from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest

from crm_portfolio import writeback
from crm_portfolio._managed import FIELDS, STAMP
from crm_portfolio.archive import Archive, Entry, Journal
from crm_portfolio.connectors.salesforce import Salesforce
from crm_portfolio.errors import DamagedFileError, SettingsError
from crm_portfolio.protocols import Value
from crm_portfolio.writeback import Header, Plan, last_values, last_written, plan, undo
from crm_portfolio.writeback._held import read_rows
from crm_portfolio.writeback._journal import Recorder
from crm_portfolio.writeback._last_written import LastValues

Wanted = Callable[..., Any]
# Nothing settles by itself here.
apply = partial(writeback.apply, sleep=lambda _seconds: None)


@pytest.fixture(scope="module")
def account_count() -> int:
    return 6


def open_files() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


def test_each_field_is_explained_by_the_run_that_wrote_it_last(
    crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted
) -> None:
    both = {ids[0]: {"tier": "A", "portfolio_rank": 1}}
    first = plan([wanted(both)], crm)
    apply(first, crm, archive=archive)
    second = plan([wanted({ids[0]: {"tier": "B", "portfolio_rank": 1}})], crm)
    apply(second, crm, archive=archive)
    told = {
        each.planned.change.column: (each.run_id, each.planned.change.after)
        for each in last_written(archive, ids[0])
    }
    assert told["tier"] == (second.id, "B")
    assert told["portfolio_rank"] == (first.id, 1)
    assert told["portfolio_stamp"][0] == second.id


def test_an_account_that_no_run_wrote_is_told_so(
    crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted
) -> None:
    apply(plan([wanted({ids[0]: {"tier": "A"}})], crm), crm, archive=archive)
    with pytest.raises(SettingsError, match="no run in the archive"):
        last_written(archive, ids[1])


class TestLastValues:
    """What our runs left on many accounts, in one pass over the journals."""

    def test_each_field_has_what_the_last_run_wrote_there(
        self, crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted
    ) -> None:
        nights = (
            {i: {"tier": "A", "portfolio_rank": 1} for i in ids[:3]},
            {ids[0]: {"tier": "B", "portfolio_rank": 1}},
        )
        for night in nights:
            last = apply(plan([wanted(night)], crm), crm, archive=archive).run_id
        rows = read_rows(crm, "account", ids[:2] + ids[5:6])
        found = last_values(archive, crm.org(), "account", rows)
        assert {k: v for k, v in found[ids[0]].items() if k != "portfolio_stamp"} == {
            "tier": "B",
            "portfolio_rank": 1,
        }
        assert str(found[ids[0]]["portfolio_stamp"]).startswith(f"v1:{last}:")
        assert found[ids[1]]["tier"] == "A"
        assert found[ids[5]] == {}

    def test_runs_at_another_org_say_nothing(
        self, crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted
    ) -> None:
        apply(plan([wanted({ids[0]: {"tier": "A"}})], crm), crm, archive=archive)
        other = attrs.evolve(crm.org(), is_sandbox=not crm.org().is_sandbox)
        assert last_values(
            archive, other, "account", read_rows(crm, "account", ids[:1])
        ) == {ids[0]: {}}

    def test_only_runs_that_wrote_one_of_them_are_read_back_to_their_first_fill(
        self, crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted
    ) -> None:
        nights = (ids[0], "A"), (ids[1], "A"), (ids[0], "B"), (ids[1], "B")
        early, first, other, second = (
            apply(plan([wanted({one: {"tier": tier}})], crm), crm, archive=archive)
            for one, tier in nights
        )
        for run in (early, other):
            (archive.folder / "runs" / run.run_id / "000002.json").write_bytes(b"{}")
        rows = read_rows(crm, "account", ids)
        left = last_values(archive, crm.org(), "account", {ids[1]: rows[ids[1]]})
        assert left[ids[1]]["tier"] == "B"
        assert archive.runs()[-1] == second.run_id != first.run_id
        with pytest.raises(DamagedFileError):
            last_values(archive, crm.org(), "account", {ids[0]: rows[ids[0]]})
        # Who was never written is in no plan: nothing is read for them.
        assert last_values(archive, crm.org(), "account", {ids[5]: rows[ids[5]]}) == {
            ids[5]: {}
        }

    @pytest.mark.skipif(os.name == "nt", reason="Windows lists no open files")
    def test_of_however_many_runs_no_file_stays_open_between_two_parts(
        self, archive: Archive, plan_of: Callable[..., Plan], header: Header
    ) -> None:
        names = [f"{number:03}" for number in range(400)]
        for rank in range(1, 13):
            held = {"portfolio_rank": rank, STAMP: "v1:of-others:" + "0" * 16}
            proposal = plan_of({one: (held, {"portfolio_rank": 0}) for one in names})
            recorder = Recorder.begin(archive, proposal)
            changes = [planned.change for planned in proposal.changes]
            told = [Entry(change, "written") for change in changes]
            recorder.settle(recorder.intend("account", changes, []), told)
            recorder.end("")
        row = {**dict.fromkeys(FIELDS), "portfolio_rank": 9}
        left, before = LastValues(archive, header.org, "account"), open_files()
        for one in ("001", "002", "398"):
            assert left.of({one: row})[one]["portfolio_rank"] == 0
            # Two that all runs share: records named, and what came of their changes.
            assert open_files() <= before + 2

    def test_a_plan_that_was_altered_is_not_passed_over(
        self, crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted
    ) -> None:
        run = apply(plan([wanted({ids[0]: {"tier": "A"}})], crm), crm, archive=archive)
        kept = archive.folder / "runs" / run.run_id / "plan.jsonl"
        kept.write_bytes(kept.read_bytes().replace(b'"record_id":"', b'"record_id":'))
        with pytest.raises(DamagedFileError):
            last_values(
                archive, crm.org(), "account", read_rows(crm, "account", ids[:1])
            )

    def test_what_may_never_have_arrived_counts_only_where_it_stands(
        self, crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted
    ) -> None:
        def cut_off(tier: str) -> None:
            proposal = plan([wanted({ids[0]: {"tier": tier}})], crm)
            recorder = Recorder.begin(archive, proposal)
            recorder.intend(
                "account", [planned.change for planned in proposal.changes], []
            )

        cut_off("A")
        empty = read_rows(crm, "account", ids[:1])
        assert last_values(archive, crm.org(), "account", empty) == {ids[0]: {}}
        apply(plan([wanted({ids[0]: {"tier": "B"}})], crm), crm, archive=archive)
        cut_off("C")
        (row,) = read_rows(crm, "account", ids[:1]).values()
        for stands, ours in (("B", "B"), ("C", "C"), ("D", "B"), (None, "B")):
            left = last_values(
                archive, crm.org(), "account", {ids[0]: {**row, "tier": stands}}
            )
            assert left[ids[0]]["tier"] == ours

    def test_what_each_night_rejects_is_not_looked_for_in_older_runs(
        self, crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted
    ) -> None:
        read: list[str] = []

        class Counted(Archive):
            def plan_parts(self, run_id: str) -> Iterator[bytes]:
                read.append(run_id)
                return super().plan_parts(run_id)

        apply(plan([wanted({ids[1]: {"tier": "A"}})], crm), crm, archive=archive)
        for rank in (1, 2, 3):
            night = {ids[0]: {"tier": "none", "portfolio_rank": rank}}
            proposal = plan([wanted(night)], crm, archive=archive)
            changes = [planned.change for planned in proposal.changes]
            recorder = Recorder.begin(archive, proposal)
            told = [Entry(change, "rejected", "BAD_VALUE") for change in changes]
            recorder.settle(recorder.intend("account", changes, []), told)
            recorder.end("")
        counted = Counted(archive.folder)
        assert last_values(
            counted, crm.org(), "account", read_rows(crm, "account", ids[:1])
        ) == {ids[0]: {}}
        assert read == [proposal.id]

    def test_a_rejected_plan_that_did_not_ask_the_archive_hides_no_older_run(
        self, crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted
    ) -> None:
        first = plan([wanted({ids[0]: {"tier": "A"}})], crm)
        unasked = plan([wanted({ids[0]: {"tier": "B"}})], crm)
        apply(first, crm, archive=archive)
        recorder = Recorder.begin(archive, unasked)
        changes = [planned.change for planned in unasked.changes]
        told = [Entry(change, "rejected") for change in changes]
        recorder.settle(recorder.intend("account", changes, []), told)
        row = dict.fromkeys(FIELDS)
        left = last_values(archive, crm.org(), "account", {ids[0]: row})
        assert left[ids[0]]["tier"] == "A"

    def test_what_was_taken_back_is_as_before_and_brought_again_as_after(
        self, crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted
    ) -> None:
        def left() -> Mapping[str, Value]:
            return last_values(
                archive, crm.org(), "account", read_rows(crm, "account", ids[:1])
            )[ids[0]]

        def back(run: Journal) -> Journal:
            return apply(undo(run, crm), crm, archive=archive)

        both = {ids[0]: {"tier": "A", "portfolio_rank": 1}}
        first = apply(plan([wanted(both)], crm), crm, archive=archive)
        after_first = left()
        second = apply(
            plan([wanted({ids[0]: {"tier": "B"}})], crm), crm, archive=archive
        )
        after_second = left()
        undone = back(second)
        assert left() == after_first
        again = back(undone)
        assert left() == after_second
        back(again)
        assert left() == after_first
        back(first)
        assert left() == {}


class TestAFillWithoutAnAnswer:
    """Later nights tell whether it arrived, be the account emptied since."""

    NOTHING: ClassVar = dict.fromkeys(FIELDS)
    FIRST: ClassVar = {"tier": "A", "portfolio_rank": 1}

    @pytest.fixture
    def fill(
        self, crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted
    ) -> Plan:
        """Sent for all accounts, when the process died."""
        proposal = plan([wanted(dict.fromkeys(ids, self.FIRST))], crm)
        changes = [planned.change for planned in proposal.changes]
        Recorder.begin(archive, proposal).intend("account", changes, [])
        return proposal

    @pytest.fixture
    def left(
        self, crm: Salesforce, archive: Archive, ids: list[str], fill: Plan
    ) -> Callable[[], Mapping[str, Value]]:
        """What counts as ours on the first account, on which nothing stands."""
        rows = {ids[0]: self.NOTHING}
        return lambda: last_values(archive, crm.org(), "account", rows)[ids[0]]

    @pytest.fixture
    def ran(
        self, archive: Archive, header: Header, fill: Plan, plan_of: Callable[..., Plan]
    ) -> Callable[..., None]:
        """A later run, of a plan with this header, that did nothing to speak of."""

        def run(rows: Mapping[str, Any], **told: Any) -> None:
            given = {"org": fill.header.org, **told}
            later = plan_of(rows, header=attrs.evolve(header, **given))
            changes = [planned.change for planned in later.changes]
            recorder = Recorder.begin(archive, later)
            recorder.intend(
                "account", [], [Entry(change, "stale") for change in changes]
            )
            recorder.end("")

        return run

    def test_alone_it_may_never_have_arrived(
        self, left: Callable[[], Mapping[str, Value]]
    ) -> None:
        assert left() == {}

    @pytest.mark.parametrize(
        ("compared", "counts"), [(6, True), (100, True), (5, False)]
    )
    def test_a_quiet_night_of_the_whole_book_found_it_there(
        self,
        crm: Salesforce,
        archive: Archive,
        left: Callable[[], Mapping[str, Value]],
        compared: int,
        counts: bool,
    ) -> None:
        day = date(2026, 7, 1)
        told = {"as_of": day, "population": compared}
        archive.note_quiet("20260701-0a1b", crm.org(), **told)
        ours = {k: v for k, v in left().items() if k != STAMP}
        assert ours == (self.FIRST if counts else {})

    def test_so_did_a_run_that_had_nothing_to_write_there(
        self,
        ids: list[str],
        left: Callable[[], Mapping[str, Value]],
        ran: Callable[..., None],
    ) -> None:
        ran({ids[1]: ({}, {"tier": "B"})})
        assert left()["tier"] == "A"

    def test_and_one_that_found_its_stamp(
        self,
        ids: list[str],
        fill: Plan,
        left: Callable[[], Mapping[str, Value]],
        ran: Callable[..., None],
    ) -> None:
        there = {c.change.column: c.change.after for c in fill.records[0].changes}
        ran({ids[0]: (there, {"portfolio_rank": 2})})
        assert {**left()} == there

    def test_not_one_that_was_to_fill_it_again(
        self,
        ids: list[str],
        left: Callable[[], Mapping[str, Value]],
        ran: Callable[..., None],
    ) -> None:
        ran({ids[0]: ({}, self.FIRST)})
        assert left() == {}

    @pytest.mark.parametrize("told", [{"undoes": "0a1b"}, {"resends": "0a1b"}])
    def test_nor_one_that_looked_at_some_accounts_only(
        self,
        left: Callable[[], Mapping[str, Value]],
        ran: Callable[..., None],
        told: dict[str, str],
    ) -> None:
        ran({}, **told)
        assert left() == {}
