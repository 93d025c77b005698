"""Whatever a night writes and people do, taking it back and back again is exact."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_portfolio import simulator, writeback
from crm_portfolio._managed import STAMP, VALUES
from crm_portfolio.archive import Archive
from crm_portfolio.connectors.salesforce import Salesforce
from crm_portfolio.writeback import Limits, plan, undo

Wanted = Callable[..., Any]
# Nothing settles by itself here.
apply = partial(writeback.apply, sleep=lambda _seconds: None)
Edit = Callable[..., None]

ANYTHING_GOES = Limits(
    max_share=1,
    max_share_by_field=dict.fromkeys(VALUES["account"], 1.0),
    max_emptied=250,
    max_two_tier_jumps=250,
    max_unknown_share=1,
)
VALUE = {
    "tier": st.sampled_from(["A", "B", "none", None]),
    "tier_since_on": st.none() | st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    "portfolio_rank": st.none() | st.integers(1, 10**6),
    "revenue_share": st.none() | st.floats(0, 1),
}
ACCOUNT = st.integers(0, 3)
COLUMNS = st.sets(st.sampled_from(sorted(VALUE)), min_size=1)
NIGHT = COLUMNS.flatmap(
    lambda columns: st.dictionaries(
        ACCOUNT,
        st.fixed_dictionaries({c: VALUE[c] for c in sorted(columns)}),
        min_size=1,
    )
)
EDITS = st.dictionaries(
    st.tuples(ACCOUNT, st.sampled_from(["tier", "portfolio_rank"])),
    st.integers(0, 1),
    max_size=3,
)
EXAMPLES = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def account_count() -> int:
    return 4


@given(first=NIGHT, second=NIGHT)
@EXAMPLES
def test_undo_restores_and_the_undo_of_the_undo_restores_again(
    crm: Salesforce,
    sim: simulator.Salesforce,
    tmp_path_factory: pytest.TempPathFactory,
    wanted: Wanted,
    ids: list[str],
    first: dict[int, Any],
    second: dict[int, Any],
) -> None:
    sim.reset()
    archive = Archive(tmp_path_factory.mktemp("archive"))

    def night(values: dict[int, Any]) -> str:
        told = wanted({ids[n]: v for n, v in values.items()})
        proposal = plan([told], crm, limits=ANYTHING_GOES)
        return apply(proposal, crm, archive=archive).run_id

    def back(run: str) -> str:
        return apply(undo(archive.journal(run), crm), crm, archive=archive).run_id

    night(first)
    before = sim.snapshot()
    run = night(second)
    after = sim.snapshot()
    undone = back(run)
    assert sim.snapshot() == before
    redone = back(undone)
    assert sim.snapshot() == after
    back(redone)
    assert sim.snapshot() == before
    assert archive.verify().exit_code == 0


@given(values=NIGHT, edits=EDITS, columns=st.none() | COLUMNS)
@EXAMPLES
def test_no_edit_of_a_person_is_touched_and_each_is_listed(
    crm: Salesforce,
    sim: simulator.Salesforce,
    tmp_path_factory: pytest.TempPathFactory,
    wanted: Wanted,
    ids: list[str],
    edit: Edit,
    held: Callable[[str], dict[str, Any]],
    values: dict[int, Any],
    edits: dict[tuple[int, str], int],
    columns: set[str] | None,
) -> None:
    sim.reset()
    archive = Archive(tmp_path_factory.mktemp("archive"))
    told = wanted({ids[n]: v for n, v in values.items()})
    journal = apply(plan([told], crm), crm, archive=archive)
    written = {(c.record_id, c.column): c for c in journal.touched}
    for (account, column), which in edits.items():
        value: object = ("C", "D")[which] if column == "tier" else 10**7 + which
        edit(ids[account], **{column: value})
    seen = {i: held(i) for i in ids}
    way_back = undo(journal, crm, columns=columns)
    apply(way_back, crm, archive=archive)
    listed = {(e.record_id, c) for e in way_back.edited for c in e.columns}
    for account, column in edits:
        key = ids[account], column
        assert held(key[0])[column] == seen[key[0]][column]
        if key in written and (columns is None or column in columns):
            assert key in listed
    for (record_id, column), change in written.items():
        is_chosen = columns is None or column in columns
        if column == STAMP or not is_chosen or (record_id, column) in listed:
            continue
        assert held(record_id).get(column) == change.before
