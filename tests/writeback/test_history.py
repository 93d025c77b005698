"""The archive tells who wrote what, when, and why; no CRM is asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from crm_portfolio import simulator, writeback
from crm_portfolio._storage import now
from crm_portfolio.archive import Archive
from crm_portfolio.connectors.salesforce import Salesforce
from crm_portfolio.errors import DamagedFileError, SettingsError
from crm_portfolio.simulator import Fault
from crm_portfolio.writeback import Step, history, plan, undo

Wanted = Callable[..., Any]
# Nothing settles by itself here.
apply = partial(writeback.apply, sleep=lambda _seconds: None)


@pytest.fixture(scope="module")
def account_count() -> int:
    return 4


@pytest.fixture
def nights(
    crm: Salesforce, archive: Archive, ids: list[str], wanted: Wanted
) -> list[str]:
    """A first night, a second one that changes one account, and the second taken back."""
    runs = []
    for night in (
        {i: {"tier": "A", "portfolio_rank": 1} for i in ids[:2]},
        {ids[0]: {"tier": "B", "portfolio_rank": 1}},
    ):
        runs.append(apply(plan([wanted(night)], crm), crm, archive=archive).run_id)
    back = undo(archive.journal(runs[-1]), crm)
    return [*runs, apply(back, crm, archive=archive).run_id]


def told(steps: tuple[Step, ...]) -> list[tuple[object, ...]]:
    return [
        (s.run_id, s.record_id, s.column, s.before, s.after, s.state)
        for s in steps
        if s.column != "portfolio_stamp"
    ]


def test_the_history_of_an_account_is_that_of_all_its_runs(
    archive: Archive, ids: list[str], nights: list[str]
) -> None:
    first, second, back = nights
    steps = history(archive, ids[0])
    assert told(steps) == [
        (first, ids[0], "portfolio_rank", None, 1, "written"),
        (first, ids[0], "tier", None, "A", "written"),
        (second, ids[0], "tier", "A", "B", "written"),
        (back, ids[0], "tier", "B", "A", "written"),
    ]
    assert {step.undoes for step in steps} == {"", second}
    assert [reason.code for reason in steps[0].reasons] == ["rank_dormant"]
    moments = [datetime.fromisoformat(step.at) for step in steps]
    assert moments == sorted(moments)
    assert moments[-1] <= now()


def test_the_history_of_a_run_is_that_of_all_its_accounts(
    archive: Archive, ids: list[str], nights: list[str]
) -> None:
    steps = history(archive, nights[0])
    assert {step.record_id for step in steps} == set(ids[:2])
    assert {step.run_id for step in steps} == {nights[0]}
    assert {step.org for step in steps} == {str(archive.index()[0].org)}


def test_a_change_that_failed_tells_why_and_what_was_found(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    wanted: Wanted,
    edit: Callable[..., None],
) -> None:
    values = {ids[0]: {"tier": "A"}, ids[1]: {"tier": "Z"}, ids[2]: {"tier": "A"}}
    proposal = plan([wanted(values)], crm)
    edit(ids[0], tier="D")
    sim.delete("Account", ids[2])
    apply(proposal, crm, archive=archive)
    found = {
        s.record_id: s for s in history(archive, proposal.id) if s.column == "tier"
    }
    assert (found[ids[0]].state, found[ids[0]].found) == ("stale", "D")
    assert found[ids[1]].state == "rejected"
    assert found[ids[1]].code == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    assert found[ids[2]].state == "gone"


def test_what_a_run_never_reached_is_told_as_not_sent(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    wanted: Wanted,
) -> None:
    proposal = plan([wanted({ids[0]: {"tier": "A"}})], crm)
    sim.fault(Fault(sim.api_calls + 1, "reset"))
    apply(proposal, crm, archive=archive)
    assert {step.state for step in history(archive, proposal.id)} == {"not_sent"}


def test_what_is_neither_a_run_nor_a_known_account_is_asked_about(
    archive: Archive, ids: list[str], nights: list[str]
) -> None:
    with pytest.raises(SettingsError, match="no run in it planned anything"):
        history(archive, ids[3])
    with pytest.raises(SettingsError, match=f"did you mean '{nights[0]}'"):
        history(archive, nights[0][:-1])


def test_a_history_that_was_altered_is_not_told(
    archive: Archive, ids: list[str], nights: list[str]
) -> None:
    (archive.folder / "runs" / nights[1] / "000002.json").unlink()
    with pytest.raises(DamagedFileError, match="this segment is missing"):
        history(archive, ids[0])


def test_a_run_is_told_and_taken_back_even_without_the_index(
    crm: Salesforce, archive: Archive, ids: list[str], nights: list[str]
) -> None:
    (archive.folder / "index.jsonl").write_bytes(b"{}\n")
    assert history(archive, nights[0])
    assert undo(archive.journal(nights[2]), crm).changes
    with pytest.raises(DamagedFileError, match="line 1"):
        history(archive, ids[0])
