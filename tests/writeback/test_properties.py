"""Whatever the results say and people do: what holds for every night."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_portfolio import simulator
from crm_portfolio._managed import STAMP, VALUES
from crm_portfolio.archive import Archive
from crm_portfolio.connectors.salesforce import Salesforce
from crm_portfolio.writeback import Limits, apply, plan, undo

Wanted = Callable[..., Any]
Edit = Callable[..., None]

ANYTHING_GOES = Limits(
    max_share=1,
    max_share_by_field=dict.fromkeys(VALUES["account"], 1.0),
    max_emptied=250,
)
VALUE = {
    "tier": st.sampled_from(["A", "B ", "none", "", None]),
    "tier_since_on": st.none() | st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    "portfolio_rank": st.none() | st.integers(1, 10**6),
    "revenue_share": st.none() | st.floats(-1, 1),
    "dependence": st.sampled_from(["none", "major", None]),
}
ACCOUNT = st.integers(0, 5)
NIGHT = st.sets(st.sampled_from(sorted(VALUE)), min_size=1).flatmap(
    lambda columns: st.dictionaries(
        ACCOUNT,
        st.fixed_dictionaries({c: VALUE[c] for c in sorted(columns)}),
        min_size=1,
    )
)
EDIT = st.tuples(
    ACCOUNT,
    st.sampled_from(
        [
            {"tier": "D"},
            {"tier": None},
            {"portfolio_rank": 12},
            {"portfolio_stamp": None},
            {"tier_pinned": "C"},
        ]
    ),
)
EXAMPLES = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def account_count() -> int:
    return 6


def managed(held: dict[str, Any]) -> dict[str, Any]:
    """What a stamp covers, and the stamp."""
    return {c: v for c, v in held.items() if c in VALUES["account"] or c == STAMP}


@pytest.fixture
def values_of(ids: list[str]) -> Callable[..., dict[str, Any]]:
    return lambda night: {ids[n]: values for n, values in night.items()}


@given(nights=st.lists(NIGHT, min_size=1, max_size=2))
@EXAMPLES
def test_after_an_apply_the_same_results_have_nothing_to_change(
    crm: Salesforce,
    sim: simulator.Salesforce,
    tmp_path_factory: pytest.TempPathFactory,
    wanted: Wanted,
    values_of: Callable[..., dict[str, Any]],
    nights: list[dict[int, Any]],
) -> None:
    sim.reset()
    archive = Archive(tmp_path_factory.mktemp("archive"))
    for night in nights:
        result = wanted(values_of(night))
        journal = apply(plan([result], crm, limits=ANYTHING_GOES), crm, archive=archive)
        assert journal.exit_code == 0
        again = plan([result], crm)
        assert (again.changes, again.edited, again.missing) == ((), (), ())


@given(nights=st.lists(NIGHT, min_size=1, max_size=2))
@EXAMPLES
def test_taking_back_every_night_in_turn_restores_the_org(
    crm: Salesforce,
    sim: simulator.Salesforce,
    tmp_path_factory: pytest.TempPathFactory,
    wanted: Wanted,
    values_of: Callable[..., dict[str, Any]],
    nights: list[dict[int, Any]],
) -> None:
    sim.reset()
    archive = Archive(tmp_path_factory.mktemp("archive"))
    held, runs = [], []
    for night in nights:
        held.append(sim.snapshot())
        proposal = plan([wanted(values_of(night))], crm, limits=ANYTHING_GOES)
        runs.append(apply(proposal, crm, archive=archive).run_id)
    for before, run_id in reversed(list(zip(held, runs, strict=True))):
        way_back = undo(archive.journal(run_id), crm)
        assert apply(way_back, crm, archive=archive).exit_code == 0
        assert sim.snapshot() == before


@given(
    first=NIGHT,
    before=st.lists(EDIT, max_size=3),
    second=NIGHT,
    between=st.lists(EDIT, max_size=3),
)
@EXAMPLES
def test_no_edit_of_a_person_is_lost_and_every_change_has_one_state(
    crm: Salesforce,
    sim: simulator.Salesforce,
    tmp_path_factory: pytest.TempPathFactory,
    wanted: Wanted,
    values_of: Callable[..., dict[str, Any]],
    ids: list[str],
    edit: Edit,
    held: Callable[[str], dict[str, Any]],
    first: dict[int, Any],
    before: list[tuple[int, dict[str, Any]]],
    second: dict[int, Any],
    between: list[tuple[int, dict[str, Any]]],
) -> None:
    sim.reset()
    archive = Archive(tmp_path_factory.mktemp("archive"))
    apply(plan([wanted(values_of(first))], crm), crm, archive=archive)
    ours = {i: held(i) for i in ids}
    for account, values in before:
        edit(ids[account], **values)
    seen = {i: held(i) for i in ids}
    proposal = plan([wanted(values_of(second))], crm, limits=ANYTHING_GOES)
    for account, values in between:
        edit(ids[account], **values)
    found = {i: held(i) for i in ids}
    journal = apply(proposal, crm, archive=archive)
    left = {i: held(i) for i in ids}

    assert sum(journal.counts.values()) == len(proposal.changes)
    asked = {ids[account] for account in second}
    reported = {each.record_id for each in proposal.edited}
    planned = {record.record_id for record in proposal.records}
    for each in asked:
        # An account that a person emptied, stamp included, is like a new one.
        if managed(seen[each]) != managed(ours[each]) and managed(seen[each]):
            assert each in reported
        assert not (each in reported and each in planned)
    for each in ids:
        for column in found[each].keys() | seen[each].keys():
            if found[each].get(column) != seen[each].get(column):
                assert left[each].get(column) == found[each].get(column)
    again = {each.record_id for each in plan([wanted(values_of(second))], crm).edited}
    for entry in journal.failed:
        each, column = entry.change.record_id, entry.change.column
        if (
            entry.found is not None
            and column in VALUES["account"]
            and entry.found != entry.change.before
        ):
            assert each in again
