"""Looked at part by part, records are what they are when looked at together."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from crm_portfolio.archive import Archive
from crm_portfolio.connectors.salesforce import Salesforce
from crm_portfolio.writeback import Limits, Plan, Policy, _current, _undo, plan, undo
from crm_portfolio.writeback import apply as write

NIGHTS = 6
LIMITS = Limits(
    max_share=1,
    min_changes=1_000,
    max_emptied=1_000,
    max_two_tier_jumps=1_000,
    max_unknown_share=1,
    max_missing_share=1,
    max_shrunk_share=1,
    canary_count=2,
    canary_share=0,
    settle_seconds=0,
)
EDITS: tuple[dict[str, Any], ...] = (
    {"tier": "D"},
    {"portfolio_stamp": None},
    {"tier_pinned": "C"},
    {"tier": None, "portfolio_stamp": None, "portfolio_rank": None},
)


@pytest.fixture(scope="module")
def account_count() -> int:
    return 14


def told(made: Plan) -> tuple[Any, ...]:
    """All that a plan says, but for its name and the stamps that carry it."""
    records = [
        attrs.evolve(
            each,
            changes=tuple(
                c for c in each.changes if c.change.column != "portfolio_stamp"
            ),
        )
        for each in made.records
    ]
    reported = [*made.edited, *made.pinned, *made.ended, *made.missing]
    header = made.header
    rest = header.compared, header.unknown, header.population, header.tiers
    return records, reported, made.counts, made.first_fills, made.refusals, rest


def test_where_one_part_ends_and_the_next_begins_changes_nothing(
    crm: Salesforce,
    ids: list[str],
    wanted: Callable[..., Any],
    edit: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chance, archive = random.Random(3), Archive(tmp_path / "archive")
    said = 0
    for night in range(NIGHTS):
        values = {
            one: {
                "tier": chance.choice("ABC"),
                "portfolio_rank": chance.choice([1, 2, 3, None]),
            }
            for one in chance.sample(ids, 11)
        }
        values |= {f"001Zzzz{k}": {"tier": "A", "portfolio_rank": 1} for k in range(3)}
        for one in chance.sample(ids, 3):
            edit(one, **chance.choice(EDITS))
        made = []
        for size in (1, 3, 10_000):
            parts = {"account": size, "opportunity": size}
            monkeypatch.setattr(_current, "_AT_ONCE", parts)
            policy = Policy(edited=("report", "overwrite", "keep")[night % 3])
            proposal = plan(
                [wanted(values)], crm, archive=archive, limits=LIMITS, policy=policy
            )
            made.append(proposal)
        assert told(made[0]) == told(made[1]) == told(made[2])
        said += len(made[0].edited) + len(made[0].pinned)
        journal = write(made[2], crm, archive=archive)
        back = []
        for size in (1, 3, 10_000):
            monkeypatch.setattr(_undo, "_AT_ONCE", size)
            back.append(undo(journal, crm, limits=LIMITS))
        assert told(back[0]) == told(back[1]) == told(back[2])
        if night == NIGHTS // 2:
            write(back[2], crm, archive=archive)
    assert said > NIGHTS
