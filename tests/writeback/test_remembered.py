"""What runs before tell a new plan: which day they knew, and how many accounts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest

from crm_portfolio import writeback
from crm_portfolio.archive import Archive
from crm_portfolio.connectors.salesforce import Salesforce
from crm_portfolio.errors import LimitExceededError
from crm_portfolio.protocols import Org
from crm_portfolio.writeback import Header, Plan, plan, undo
from crm_portfolio.writeback._journal import Recorder
from crm_portfolio.writeback._remembered import Memory

Night = Callable[..., Plan]
apply = partial(writeback.apply, sleep=lambda _seconds: None)


@pytest.fixture(scope="module")
def account_count() -> int:
    return 3


@pytest.fixture
def night(
    crm: Salesforce, archive: Archive, ids: list[str], wanted: Callable[..., Any]
) -> Night:
    """The plan of one tier for every account, as of a day."""

    def made(as_of: str, tier: str) -> Plan:
        result = wanted({each: {"tier": tier} for each in ids}, as_of=as_of)
        return plan([result], crm, archive=archive)

    return made


def rules(proposal: Plan) -> list[str]:
    return [refusal.rule for refusal in proposal.refusals]


def test_what_is_older_than_the_last_run_is_refused(
    crm: Salesforce, archive: Archive, night: Night
) -> None:
    apply(night("2026-06-30", "A"), crm, archive=archive)
    older = night("2026-03-31", "B")
    assert rules(older) == ["older"]
    assert older.header.previous_as_of == date(2026, 6, 30)
    with pytest.raises(LimitExceededError, match="91 day") as refused:
        apply(older, crm, archive=archive)
    assert refused.value.exit_code == 4


def test_the_same_day_and_later_ones_are_fine(
    crm: Salesforce, archive: Archive, night: Night
) -> None:
    apply(night("2026-06-30", "A"), crm, archive=archive)
    assert night("2026-06-30", "B").refusals == ()
    assert night("2026-07-01", "B").refusals == ()


def test_older_ones_are_released_by_their_count_and_then_count_as_the_last(
    crm: Salesforce, archive: Archive, night: Night
) -> None:
    apply(night("2026-06-30", "A"), crm, archive=archive)
    older = night("2026-03-31", "B")
    count = len(older.changes)
    assert apply(older, crm, archive=archive, accept_changes=count).exit_code == 0
    # A clock that was wrong once does not stop every night from then on.
    assert night("2026-04-01", "A").refusals == ()


def test_a_run_taken_back_is_no_older_run(
    crm: Salesforce, archive: Archive, night: Night
) -> None:
    first = apply(night("2026-03-31", "A"), crm, archive=archive)
    apply(night("2026-06-30", "B"), crm, archive=archive)
    back = undo(first, crm)
    assert back.refusals == ()
    apply(back, crm, archive=archive)
    assert rules(night("2026-05-31", "A")) == ["older"]


def test_what_is_sent_again_does_not_turn_the_day_back(
    archive: Archive, header: Header, plan_of: Callable[..., Plan]
) -> None:
    def ran(as_of: date, resends: str = "") -> None:
        told = {"as_of": as_of, "resends": resends, "population": as_of.month}
        evolved = attrs.evolve(header, **told)
        recorder = Recorder.begin(archive, plan_of({}, header=evolved))
        recorder.end("")

    ran(date(2026, 6, 30))
    ran(date(2026, 3, 31), "0a1b2c3d4e5f")
    memory = Memory.of(archive, header.org)
    assert memory.as_of == date(2026, 6, 30)


def test_a_quiet_night_is_what_the_next_one_compares_with(
    crm: Salesforce, archive: Archive, night: Night
) -> None:
    apply(night("2026-06-30", "A"), crm, archive=archive)
    org = crm.org()
    archive.note_quiet("20260705-0a1b", org, as_of=date(2026, 7, 5), population=40)
    # What wrote nothing left nothing that older results could overwrite.
    after = night("2026-07-04", "B")
    assert rules(after) == ["shrunk"]
    assert (after.header.previous, after.header.previous_as_of) == (
        40,
        date(2026, 6, 30),
    )
    other = attrs.evolve(org, is_sandbox=not org.is_sandbox)
    archive.note_quiet("20260706-0a1b", other, as_of=date(2026, 7, 6), population=90)
    memory = Memory.of(archive, org)
    assert (memory.as_of, memory.told_on) == (date(2026, 6, 30), date(2026, 7, 5))


def test_a_quiet_night_does_not_clear_a_run_that_its_first_slice_stopped(
    archive: Archive, header: Header, plan_of: Callable[..., Plan]
) -> None:
    stopped = plan_of({}, header=header)
    Recorder.begin(archive, stopped).end("canary")
    archive.note_quiet("20260701-0a1b", header.org, as_of=header.as_of, population=100)
    assert Memory.of(archive, header.org).stopped_by == stopped.id


def test_runs_of_another_org_and_no_archive_tell_nothing(
    archive: Archive, header: Header, tmp_path: Path
) -> None:
    other = Org("hubspot", "1", False, "EUR", "UTC")
    for memory in (Memory.of(archive, other), Memory.of(None, header.org)):
        assert (memory.as_of, memory.population, memory.stopped_by) == (None, None, "")
