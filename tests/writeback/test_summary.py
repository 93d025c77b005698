"""A plan is told in fewer than twenty lines."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_portfolio import Portfolio
from crm_portfolio._managed import stamp
from crm_portfolio.writeback import Edited, Header, Pinned, Plan

MakePlan = Callable[..., Plan]
OURS = {"tier": "B", "portfolio_rank": 9}
HELD = {**OURS, "portfolio_stamp": stamp("earlier", OURS)}


def move(tier: str, rank: int) -> tuple[dict[str, Any], dict[str, Any]]:
    return HELD, {"tier": tier, "portfolio_rank": rank}


@pytest.fixture
def plan(plan_of: MakePlan) -> Plan:
    rows = {
        **{f"up-{n}": move("A", n) for n in range(1, 8)},
        **{f"down-{n}": move("C", 20 + n) for n in range(6)},
        **{f"first-{n}": ({}, {"tier": "D", "revenue_share": 0.1}) for n in range(3)},
    }
    return plan_of(
        rows,
        pinned=[Pinned("up-1", "A", date(2026, 12, 31), "005X")],
        edited=[Edited(f"edited-{n}", ("tier", "dependence")) for n in range(7)],
        missing=["lost"],
    )


def test_counts_moves_people_refusals_and_calls_are_told(plan: Plan) -> None:
    assert str(plan).splitlines() == [
        (
            f"Plan {plan.id} for salesforce org 00D000000000001 (sandbox), "
            "made 2026-06-30 21:00 UTC, as of 2026-06-30"
        ),
        "48 changes on 16 of 100 accounts; 16 of the changes are stamps.",
        "  tier: 13 changed, 3 filled for the first time (B→A 7, B→C 6, empty→D 3)",
        "  portfolio_rank: 13 changed; revenue_share: 3 filled for the first time",
        "",
        "Largest accounts that move:",
        *(
            f"  up-{n} B→A. Tier none: its net revenue is 0\N{NO-BREAK SPACE}EUR."
            for n in range(1, 6)
        ),
        "Pinned by people: 1 (up-1 A until 2026-12-31 by 005X)",
        (
            "Edited by people, kept: 7 (edited-0 tier dependence, edited-1 tier dependence, "
            "edited-2 tier dependence, edited-3 tier dependence, "
            "edited-4 tier dependence, …)"
        ),
        "Not in the CRM: 1 (lost)",
        "API calls to apply it: about 2; 9,990 of 10,000 left today.",
    ]


def test_first_tiers_are_told_when_none_moves(plan_of: MakePlan) -> None:
    rows = {f"{n}": ({}, {"tier": "A", "portfolio_rank": 9 - n}) for n in range(9)}
    told = str(plan_of(rows)).splitlines()
    at = told.index("Largest accounts, first tier:")
    assert [line.split()[0] for line in told[at + 1 : at + 6]] == [
        "8",
        "7",
        "6",
        "5",
        "4",
    ]
    assert told[at + 1].startswith("  8 empty→A. ")


def test_what_is_refused_is_told_with_the_number_to_accept(
    plan_of: MakePlan,
) -> None:
    plan = plan_of({f"{n:03}": move("A", 9) for n in range(30)})
    assert (
        "Refused: tier would change on 30 accounts; the limit is 20 of 100. "
        "To accept all of it: accept_changes=60." in str(plan).splitlines()
    )


def test_an_empty_plan_says_so(plan_of: MakePlan) -> None:
    told = str(plan_of({})).splitlines()
    assert told[1:] == [
        "Nothing to change on 100 accounts.",
        "API calls to apply it: about 0; 9,990 of 10,000 left today.",
    ]


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 9), st.booleans())
@settings(deadline=None)
def test_it_never_takes_twenty_lines(
    plan_of: MakePlan, moved: int, reported: int, choices: int, emptied: bool
) -> None:
    all_of_it = {"tier": None if emptied else "A", "portfolio_rank": 1} | {
        "tier_since_on": date(2026, 6, 30),
        "revenue_share": 0.5,
        "dependence": "major",
    }
    rows = {
        f"{n:03}": (
            HELD,
            {**all_of_it, "tier": None if emptied else f"T{n % (choices + 1)}"},
        )
        for n in range(moved)
    }
    plan = plan_of(
        rows,
        pinned=[Pinned(f"{n}", "A", None, None) for n in range(reported)],
        edited=[Edited(f"{n}", ()) for n in range(reported)],
        missing=[f"{n}" for n in range(reported)],
    )
    assert len(str(plan).splitlines()) < 20
    assert len(plan.to_markdown().splitlines()) < 20


def test_hostile_ids_and_values_are_harmless(plan_of: MakePlan) -> None:
    rows = {"\x1b[31m|<b>": ({"tier": "a\nb", "portfolio_stamp": "x"}, {"tier": "A"})}
    plan = plan_of(rows, pinned=[Pinned("1", "\u202eA", None, "x\ny")])
    assert "\x1b" not in str(plan)
    assert "\u202e" not in str(plan)
    assert "a␊b→A" in str(plan)
    assert r"␛\[31m\|\<b\>" in plan.to_markdown()


def test_in_markdown_values_reasons_and_names_are_only_read(
    plan_of: MakePlan,
) -> None:
    hostile = "<script>[x](http://evil)"
    held = {"tier": hostile, "portfolio_stamp": "x"}
    book = Portfolio.from_frames(
        as_of=date(2026, 6, 30),
        currency="EUR",
        account=pa.table({"account_id": ["001A"], "name": [hostile]}),
    )
    told = plan_of({"001A": (held, {"tier": "A"})}).to_markdown(book)
    shown = r"\<script\>\[x\](http://evil)"
    assert f"({shown}→A 1)" in told
    assert f"- {shown} (001A) {shown}→A." in told
    assert hostile not in told


def test_a_plan_that_takes_back_says_which_run(
    plan_of: MakePlan, header: Header
) -> None:
    import attrs

    plan = plan_of({}, header=attrs.evolve(header, undoes="0a1b"))
    assert str(plan).startswith(
        f"Plan {plan.id}, takes back run 0a1b, for salesforce org"
    )


def test_in_markdown_all_that_follows_a_list_is_in_a_list(plan: Plan) -> None:
    lines = plan.to_markdown().splitlines()
    assert lines[0].startswith("**Plan ")
    after_a_point = [b for a, b in pairwise(lines) if a.startswith("- ")]
    assert all(line == "" or line.startswith("- ") for line in after_a_point)


def test_accounts_that_lose_their_rank_are_told_by_the_one_they_had(
    plan_of: MakePlan,
) -> None:
    held = [
        {"tier": "A", "portfolio_rank": n, "portfolio_stamp": "x"} for n in (30, 2, 4)
    ]
    empty = {"tier": None, "portfolio_rank": None}
    told = str(
        plan_of({f"{n}": (row, empty) for n, row in enumerate(held)})
    ).splitlines()
    at = told.index("Largest accounts that move:")
    assert [line.split()[0] for line in told[at + 1 : at + 4]] == ["1", "2", "0"]
