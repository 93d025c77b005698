"""A plan is told on one screen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_portfolio._managed import stamp
from crm_portfolio._wording import Reason
from crm_portfolio.protocols import Quota
from crm_portfolio.writeback import Bordering, Edited, Ended, Header, Pinned, Plan
from crm_portfolio.writeback._planned import Missing

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
        edited=[
            Edited("up-2", ("portfolio_rank", "dependence"), ("portfolio_rank",)),
            Edited("down-1", ("tier", "dependence")),
            *(Edited(f"edited-{n}", ("tier", "dependence")) for n in range(5)),
        ],
        missing=[Missing("lost")],
        ended=[Ended("down-1", "A", date(2026, 6, 29), None)],
        borders=[
            Bordering("up-1", Reason("tier_none_dormant")),
            Bordering("down-1", Reason("tier_none_dormant")),
            Bordering("up-1", Reason("tier_none_dormant")),
        ],
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
        "Tier pins ended: 1 (down-1 A on 2026-06-29)",
        (
            "Edited by people: 7 (up-2 portfolio_rank overwritten, "
            "down-1 dependence kept tier overwritten, edited-0 tier dependence kept, "
            "edited-1 tier dependence kept, edited-2 tier dependence kept, …)"
        ),
        "Not in the CRM: 1 (lost)",
        "Near a border: 2 (up-1, down-1)",
        "API calls to apply it: about 6; 9,990 of 10,000 left today.",
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
        "API calls to apply it: about 6; 9,990 of 10,000 left today.",
    ]


@pytest.mark.parametrize(
    ("remaining", "said"),
    [
        (6, "about 6; 6 of 10,000 left today."),
        (5, "about 6; 5 of 10,000 left today, which is too few."),
    ],
)
def test_a_plan_that_costs_more_than_is_left_says_so(
    plan_of: MakePlan, header: Header, remaining: int, said: str
) -> None:
    short = attrs.evolve(header, quota=Quota(remaining, 10_000))
    plan = plan_of({}, header=short)
    assert str(plan).endswith(f"API calls to apply it: {said}")
    assert f"- API calls to apply it: {said[:-1]}\n" in plan.to_markdown()


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 9), st.booleans())
@settings(deadline=None)
def test_it_fits_a_screen_of_24_lines(
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
        missing=[Missing(f"{n}") for n in range(reported)],
        ended=[Ended(f"{n}", "A", date(2026, 6, 1), None) for n in range(reported)],
        borders=[
            Bordering(f"{n}", Reason("tier_none_dormant")) for n in range(reported)
        ],
    )
    assert len(str(plan).splitlines()) < 24


def test_hostile_ids_and_values_are_harmless(plan_of: MakePlan) -> None:
    hostile = "\x1b[31m|<b>\u202e\n"
    rows = {hostile: ({"tier": hostile, "portfolio_stamp": "x"}, {"tier": "A"})}
    told = str(
        plan_of(
            rows,
            pinned=[Pinned(hostile, hostile, None, hostile)],
            edited=[Edited(hostile, ("tier",))],
            missing=[Missing(hostile)],
            ended=[Ended(hostile, hostile, date(2026, 6, 1), hostile)],
            borders=[Bordering(hostile, Reason("tier_none_dormant"))],
        )
    )
    assert not {"\x1b", "\u202e"} & set(told)
    shown = "␛[31m|<b>⟨202E⟩␊"
    assert told.count(shown) == 11
    assert f"{shown}→A" in told


def test_a_plan_that_takes_back_says_which_run(
    plan_of: MakePlan, header: Header
) -> None:
    plan = plan_of({}, header=attrs.evolve(header, undoes="0a1b"))
    assert str(plan).startswith(
        f"Plan {plan.id}, takes back run 0a1b, for salesforce org"
    )


def test_fields_without_choices_say_how_many_are_emptied(plan_of: MakePlan) -> None:
    held = {"portfolio_rank": 1, "portfolio_stamp": "x"}
    rows = {f"{n}": (held, {"portfolio_rank": None if n else 2}) for n in range(3)}
    assert "  portfolio_rank: 3 changed, 2 of them emptied" in str(plan_of(rows))


def test_more_than_two_refusals_are_counted(plan_of: MakePlan, header: Header) -> None:
    broken = attrs.evolve(header, previous=1000, unknown={"tier": 60, "dependence": 60})
    told = str(plan_of({}, header=broken)).splitlines()
    assert told[2:4] == [
        "Refused: 900 accounts fewer than at the last run; the limit is 100 of 1,000.",
        (
            "Refused: dependence is unknown on 60 accounts; the limit is 50 of 100. "
            "And 1 more. To accept all of it: accept_changes=0."
        ),
    ]


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
