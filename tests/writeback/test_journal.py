"""Each step is on disk before the next, and what was told before is gone on from."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from crm_portfolio.archive import Archive, Entry, Journal, Spool, key_of
from crm_portfolio.protocols import Change
from crm_portfolio.writeback import Plan
from crm_portfolio.writeback._journal import Recorder
from crm_portfolio.writeback._planned import Edited, PlannedRecord


@pytest.fixture
def proposal(plan_of: Callable[..., Plan]) -> Plan:
    return plan_of({one: ({}, {"tier": "A"}) for one in ("a", "b", "c")})


def changes(proposal: Plan, record_id: str) -> list[Change]:
    planned = (each.change for each in proposal.changes)
    return [change for change in planned if change.record_id == record_id]


def told(state: Any, sent: list[Change], **more: Any) -> list[Entry]:
    return [Entry(change, state, **more) for change in sent]


def is_half_done(recorder: Recorder, record: PlannedRecord) -> bool:
    """Whether changes of the record may be in the CRM already, unseen by us."""
    recorder.turn_to([record])
    changes = [planned.change for planned in record.changes]
    unchecked = recorder.standing.unchecked
    return any(recorder.is_in_doubt(c) or key_of(c) in unchecked for c in changes)


def test_what_is_sent_is_in_doubt_until_an_answer_and_unseen_until_a_look(
    archive: Archive, proposal: Plan
) -> None:
    recorder = Recorder.begin(archive, proposal)
    sent = changes(proposal, "a")
    record = proposal.records[0]
    assert recorder.owes(record)
    assert not is_half_done(recorder, record)
    intent = recorder.intend("account", sent, [])
    assert all(map(recorder.is_in_doubt, sent))
    assert archive.journal(proposal.id).counts["unknown"] == len(sent)
    recorder.settle(intent, told("written", sent))
    assert not any(map(recorder.is_in_doubt, sent))
    assert (recorder.owes(record), is_half_done(recorder, record)) == (True, True)
    recorder.check("account", intent, [])
    assert (recorder.owes(record), is_half_done(recorder, record)) == (False, False)
    assert recorder.journal == archive.journal(proposal.id)


@pytest.mark.parametrize(
    ("state", "is_settled"),
    [
        ("rejected", True),
        ("gone", True),
        ("unknown", False),
        ("not_sent", False),
    ],
)
def test_only_what_may_still_change_is_owed(
    archive: Archive, proposal: Plan, state: str, is_settled: bool
) -> None:
    recorder = Recorder.begin(archive, proposal)
    sent = changes(proposal, "b")
    recorder.settle(
        recorder.intend("account", sent, []), told(state, sent, code="X", field="F")
    )
    assert [recorder.is_settled(change) for change in sent] == [is_settled] * len(sent)
    (entry, *_) = archive.journal(proposal.id).entries
    assert (entry.state, entry.code, entry.field) == (state, "X", "F")


def test_a_later_word_stands_for_an_earlier_one(
    archive: Archive, proposal: Plan
) -> None:
    recorder = Recorder.begin(archive, proposal)
    sent = changes(proposal, "a")
    first = recorder.intend("account", sent, [])
    recorder.settle(first, told("not_sent", sent, code="LOCKED"))
    assert recorder.journal.touched == ()
    second = recorder.intend("account", sent, [])
    recorder.settle(second, told("written", sent))
    found = Entry(sent[0], "overwritten_in_window", found="D")
    recorder.check("account", second, [found])
    journal = archive.journal(proposal.id)
    assert journal.counts == {
        "not_sent": len(proposal.changes) - len(sent),
        "overwritten_in_window": 1,
        "written": len(sent) - 1,
    }
    assert journal.overwritten == {found.key: "D"}
    assert set(journal.touched) == set(sent)


def test_another_process_goes_on_where_the_first_was_cut_off(
    archive: Archive, proposal: Plan
) -> None:
    first = Recorder.begin(archive, proposal)
    sent = changes(proposal, "a")
    first.intend("account", sent, told("stale", changes(proposal, "b"), found="C"))
    second = Recorder.begin(archive, proposal)
    second.turn_to(proposal.records)
    assert [second.owes(record) for record in proposal.records] == [True, False, True]
    assert is_half_done(second, proposal.records[0])
    kinds = [segment.kind for segment in archive.segments(proposal.id)]
    assert kinds == ["begin", "intent", "begin"]


@pytest.mark.parametrize(
    ("why", "is_over"), [("", True), ("canary", True), ("stopped", False)]
)
def test_a_run_is_over_when_it_came_to_its_end(
    archive: Archive, proposal: Plan, why: str, is_over: bool
) -> None:
    recorder = Recorder.begin(archive, proposal)
    assert not recorder.is_over
    recorder.end(why)
    again = Recorder.begin(archive, proposal)
    assert again.is_over is is_over
    assert len(archive.segments(proposal.id)) == (2 if is_over else 3)


def test_a_plan_and_its_journal_go_to_another_process(
    archive: Archive, proposal: Plan
) -> None:
    recorder = Recorder.begin(archive, proposal)
    sent = changes(proposal, "a")
    recorder.settle(recorder.intend("account", sent, []), told("rejected", sent))
    journal = recorder.journal
    there, back = pickle.loads(pickle.dumps((proposal, journal)))
    assert (there, back) == (proposal, journal)
    assert (there.counts, back.counts) == (proposal.counts, journal.counts)
    assert (list(back.failed), back.exit_code) == (list(journal.failed), 5)
    assert undo_of(back) == undo_of(journal)


def test_that_people_edited_many_records_is_kept_in_one_pass_over_the_plan(
    archive: Archive, plan_of: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{number:03}" for number in range(300)]
    edited = [Edited(one, ("tier",), ("tier",)) for one in ("0", *names, "9")]
    rows = {one: ({"tier": "B"}, {"tier": "A"}) for one in names[:-1]}
    proposal, read = plan_of(rows, edited=edited), list[int]()
    lines = Spool.lines

    def counted(spool: Spool, start: int, stop: int) -> Iterator[bytes]:
        read.append(stop - start)
        return lines(spool, start, stop)

    monkeypatch.setattr(Spool, "lines", counted)
    kept = Recorder.begin(archive, proposal).journal.edited
    assert kept == {("account", one): ("tier",) for one in names[:-1]}
    assert sum(read) < 10 * len(proposal.records)
    assert len(read) < 30


def undo_of(journal: Journal) -> list[object]:
    """What `undo` and `explain` ask a journal for."""
    return [*journal.keys_touched(), *journal.known("account", "a", "b")]


def test_what_moved_beside_the_first_slice_is_kept_without_its_values(
    archive: Archive, proposal: Plan
) -> None:
    recorder = Recorder.begin(archive, proposal)
    assert recorder.standing.moved == {}
    recorder.judge("account", [("account", "a", "segment")])
    again = Recorder.begin(archive, proposal)
    assert again.standing.unexpected == (("account", "a", "segment"),)
    again.judge("account", [])
    assert Recorder.begin(archive, proposal).standing.unexpected == ()
