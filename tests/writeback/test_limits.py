"""A plan that touches too much is refused, per field."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_portfolio.archive import Archive
from crm_portfolio.connectors.salesforce import Salesforce
from crm_portfolio.errors import SettingsError
from crm_portfolio.protocols import Change
from crm_portfolio.writeback import Header, Limits, Plan, Policy, apply
from crm_portfolio.writeback._limits import refusals


def tiers(count: int, after: str | None = "B") -> list[Change]:
    return [Change(f"{n:04}", "tier", "A", after) for n in range(count)]


def refused(
    changes: list[Change],
    *,
    population: int = 100,
    missing: int = 0,
    limits: Limits | None = None,
    accepted: dict[str, int] | None = None,
) -> list[tuple[str, str, int, int]]:
    found = refusals(
        changes,
        missing_count=missing,
        population=population,
        limits=limits or Limits(),
        accepted=accepted or {},
    )
    return [(each.rule, each.column, each.count, each.limit) for each in found]


def test_a_fifth_of_the_accounts_may_change_and_not_one_more() -> None:
    assert refused(tiers(20)) == []
    assert refused(tiers(21)) == [("changed", "tier", 21, 20)]


def test_a_small_portfolio_may_always_change_ten() -> None:
    assert refused(tiers(10), population=10) == []
    assert refused(tiers(11), population=11) == [("changed", "tier", 11, 10)]


def test_each_field_is_counted_for_itself() -> None:
    since = [Change(f"{n:04}", "tier_since_on", None, None) for n in range(5)]
    assert refused([*tiers(20), *since]) == []


def test_measures_that_move_everywhere_are_free_unless_named() -> None:
    ranks = [Change(f"{n:04}", "portfolio_rank", 1, 2) for n in range(100)]
    assert refused(ranks) == []
    named = Limits(max_share_by_field={"portfolio_rank": 0.5})
    assert refused(ranks, limits=named) == [("changed", "portfolio_rank", 100, 50)]


def test_a_stamp_is_not_counted() -> None:
    assert (
        refused([Change(f"{n}", "portfolio_stamp", "v", "w") for n in range(99)]) == []
    )


def test_five_fields_may_lose_their_value() -> None:
    assert refused(tiers(5, None)) == []
    assert refused(tiers(6, None)) == [("emptied", "tier", 6, 5)]


def test_results_about_accounts_the_crm_lacks_are_refused() -> None:
    assert refused([], population=80, missing=20) == []
    assert refused([], population=80, missing=21) == [("missing", "", 21, 20)]


def test_what_a_run_changed_may_be_taken_back_whole() -> None:
    assert refused(tiers(90, None), accepted={"tier": 90}) == []
    assert refused(tiers(91, None), accepted={"tier": 90}) == [
        ("changed", "tier", 91, 90),
        ("emptied", "tier", 91, 90),
    ]


def test_a_share_of_a_share_is_not_lost_to_rounding() -> None:
    assert refused(tiers(29), population=100, limits=Limits(max_share=0.29)) == []


@given(st.integers(0, 60), st.integers(0, 300))
@settings(deadline=None)
def test_more_changes_are_never_more_allowed(count: int, population: int) -> None:
    if refused(tiers(count), population=population):
        assert refused(tiers(count + 1), population=population)


def test_a_refusal_is_a_sentence() -> None:
    (refusal,) = refusals(
        tiers(1200, None),
        missing_count=0,
        population=5000,
        limits=Limits(max_share=1),
        accepted={},
    )
    assert str(refusal) == (
        "tier would be emptied on 1,200 accounts; the limit is 5 of 5,000."
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"max_share": 1.5},
        {"max_share": -0.1},
        {"min_changes": -1},
        {"max_emptied": -1},
        {"max_age_hours": -1},
        {"max_age_hours": float("inf")},
        {"max_age_hours": float("nan")},
        {"max_share_by_field": {"tier": 20}},
        {"max_share_by_field": {"tiers": 0.2}},
    ],
)
def test_a_limit_that_is_none_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="limits"):
        Limits(**settings)  # type: ignore[arg-type]


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(SettingsError, match="'keep' or 'overwrite'"):
        Policy(edited="ignore")  # type: ignore[arg-type]


def test_a_plan_may_be_allowed_to_grow_as_old_as_one_likes(
    plan_of: Callable[..., Plan],
    crm: Salesforce,
    archive: Archive,
    header: Header,
) -> None:
    limits = Limits(max_age_hours=1e12)
    proposal = plan_of({}, header=attrs.evolve(header, org=crm.org(), limits=limits))
    assert apply(proposal, crm, archive=archive).exit_code == 0
