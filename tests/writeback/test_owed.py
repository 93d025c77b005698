"""An apply holds the records of a batch, and not those of the plan."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest

from crm_portfolio import simulator
from crm_portfolio.archive import Archive, Entry, _standing
from crm_portfolio.connectors.salesforce import Salesforce
from crm_portfolio.writeback import Limits, Plan, PlannedRecord, apply, plan, undo

LIMITS = Limits(canary_count=5, canary_share=0.0, settle_seconds=0)
BATCH = 10


class InBatches(Salesforce):
    def write_batch(self, count: int) -> int:
        return BATCH


def alive(kind: type[Any]) -> int:
    return sum(isinstance(each, kind) for each in gc.get_objects())


def test_of_the_plan_no_more_is_in_memory_than_a_batch(
    sim: simulator.Salesforce,
    connected: Callable[..., Salesforce],
    ids: list[str],
    archive: Archive,
    wanted: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_standing, "_IN_MEMORY", 3 * BATCH)
    crm = connected(sim, InBatches)
    values = {
        one: {"tier": "A", "portfolio_rank": at + 1} for at, one in enumerate(ids)
    }
    proposal = plan([wanted(values)], crm, limits=LIMITS)
    records: list[int] = []
    entries: list[int] = []

    def tell(_step: str, done: int, _total: int | None) -> None:
        if done % 50 == 45:
            records.append(alive(PlannedRecord))
            entries.append(alive(Entry))

    def applied(chosen: Plan) -> dict[str, int]:
        before = alive(PlannedRecord), alive(Entry)
        records.clear()
        entries.clear()
        journal = apply(
            chosen, crm, archive=archive, sleep=lambda _: None, progress=tell
        )
        assert len(records) == 5
        assert max(records) - before[0] < 3 * BATCH < len(ids) / 5
        assert max(entries) - before[1] < 12 * BATCH < len(chosen.changes) / 5
        return dict(journal.counts)

    assert applied(proposal) == {"written": 750}
    way_back = undo(archive.journal(proposal.id), crm, limits=LIMITS)
    assert applied(way_back) == {"written": 750}
