"""A plan is drafted, named, saved and read without ever being in memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from crm_portfolio._managed import FIELDS
from crm_portfolio._wording import Reason
from crm_portfolio.archive import _disk, _spool
from crm_portfolio.protocols import Change
from crm_portfolio.writeback import Header, Plan, PlannedChange
from crm_portfolio.writeback._compare import draft
from crm_portfolio.writeback._planned import Draft
from crm_portfolio.writeback._sheet import Sheet

WANTED = {"tier": "A", "tier_since_on": date(2026, 6, 30), "portfolio_rank": 7}
REASONS = (Reason("tier_none", {"revenue": 0.0, "currency": "EUR"}),)


def drafts(count: int) -> Iterator[Draft]:
    row = dict.fromkeys(FIELDS)
    for number in range(count):
        one = f"{number:018}"
        changes = [
            PlannedChange(Change(one, column, None, value), True, REASONS)
            for column, value in WANTED.items()
        ]
        yield draft("account", one, row, changes)


def test_four_times_the_changes_take_no_more_memory(
    header: Header, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_spool, "_IN_MEMORY", 1 << 14)
    monkeypatch.setattr(_spool, "_AT_ONCE", 1 << 14)
    monkeypatch.setattr(_disk, "_PIECE", 1 << 14)

    def peak(count: int) -> int:
        tracemalloc.start()
        sheet = Sheet()
        for each in drafts(count):
            sheet.add(each)
        made = Plan.on(sheet, header)
        made.save(tmp_path / "plan.jsonl")
        loaded = Plan.load(tmp_path / "plan.jsonl")
        assert loaded.id == made.id
        assert sum(1 for _ in loaded.changes) == len(loaded.changes) == 4 * count
        (_, most), _ = tracemalloc.get_traced_memory(), tracemalloc.stop()
        return most

    peak(10)  # what is loaded on first use is no part of it
    # As objects in memory, a change takes more than a thousand bytes.
    assert peak(2_000) - peak(500) < 4 * 1_500 * 60


def test_changes_are_had_from_behind_as_of_any_sequence(header: Header) -> None:
    changes = Plan.of(header, drafts(2)).changes
    whole = [*changes]
    assert [*changes[::-1]] == whole[::-1]
    assert [*changes[-2:1:-3]] == whole[-2:1:-3]
    assert [*changes[1:7:2]] == whole[1:7:2]


def test_records_that_come_out_of_order_are_a_fault_of_ours(header: Header) -> None:
    first, second = drafts(2)
    sheet = Sheet()
    sheet.add(second)
    with pytest.raises(ValueError, match="in order"):
        sheet.add(first)
    assert [r.record_id for r in Plan.of(header, [second, first]).records] == [
        first.record.record_id,
        second.record.record_id,
    ]
