"""Whatever people edited and whatever the policy is: what holds for any plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import attrs
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_portfolio import simulator
from crm_portfolio._managed import FIELDS, STAMP, VALUES, canonical, stamp
from crm_portfolio.archive import Archive
from crm_portfolio.connectors.salesforce import Salesforce
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.protocols import Change, Org, Quota
from crm_portfolio.schema import arrow_type
from crm_portfolio.writeback import Limits, Plan, Policy, apply, plan
from crm_portfolio.writeback._held import COLUMNS
from crm_portfolio.writeback._limits import refused_changes
from crm_portfolio.writeback._people import is_edited

Row = dict[str, Any]
Wanted = Callable[..., Any]
Edit = Callable[..., None]
VALUE: dict[str, st.SearchStrategy[Any]] = {
    "tier": st.sampled_from(["A", "B", "none", None]),
    "tier_since_on": st.sampled_from([None, date(2026, 1, 1), date(2026, 6, 1)]),
    "portfolio_rank": st.sampled_from([None, 1, 2]),
    "revenue_share": st.sampled_from([None, 0.25, 0.5]),
    "dependence": st.sampled_from([None, "none", "major"]),
    "rising": st.sampled_from([None, "yes", "no"]),
    "risk_level": st.sampled_from([None, "low", "critical"]),
    "risk_reasons": st.sampled_from([None, "Silent since 1 May 2026."]),
    "decision": st.sampled_from([None, "keep", "phase_out"]),
    "decided_on": st.sampled_from([None, date(2026, 3, 1)]),
    "decision_review_on": st.sampled_from([None, date(2026, 9, 1)]),
}
OURS = st.fixed_dictionaries(VALUE)
EDITS = st.fixed_dictionaries({}, optional={**VALUE, STAMP: st.none()})
ASSIGNED = st.sets(st.sampled_from(sorted(VALUE)), min_size=1).flatmap(
    lambda columns: st.fixed_dictionaries({c: VALUE[c] for c in sorted(columns)})
)
TREATMENT = st.sampled_from(["keep", "report", "overwrite"])
POLICY = st.builds(
    Policy, TREATMENT, st.dictionaries(st.sampled_from(sorted(VALUE)), TREATMENT)
)
ANYTHING_GOES = Limits(
    max_share=1,
    max_share_by_field=dict.fromkeys(VALUES["account"], 1.0),
    max_emptied=250,
    max_unknown_share=1,
    max_missing_share=1,
    settle_seconds=0,
)
IN_A_MODULE = [HealthCheck.function_scoped_fixture]


@attrs.frozen
class Nowhere:
    """An org that can only be asked who it is: all else is in the portfolio."""

    name: str = "salesforce"

    def org(self) -> Org:
        return Org("salesforce", "00D000000000001", True, "EUR", "Europe/Paris")

    def quota(self) -> Quota | None:
        return None

    def read(self, table: Any, ids: Sequence[str], columns: Sequence[str]) -> pa.Table:
        raise AssertionError("a portfolio just pulled is not read again")


def book(rows: Mapping[str, Row]) -> Portfolio:
    """A portfolio of accounts that hold these values."""
    columns = {
        column: pa.array(
            [row.get(column) for row in rows.values()], arrow_type(FIELDS[column])
        )
        for column in COLUMNS["account"]
    }
    table = pa.table({"account_id": list(rows), **columns})
    return Portfolio.from_frames(as_of=date(2026, 6, 30), currency="EUR", account=table)


def after(rows: Mapping[str, Row], proposal: Plan) -> dict[str, Row]:
    """The same accounts once the plan is applied."""
    applied = {record_id: dict(row) for record_id, row in rows.items()}
    for planned in proposal.changes:
        change = planned.change
        assert applied[change.record_id].get(change.column) == change.before
        applied[change.record_id][change.column] = change.after
    return applied


def left_by_us(values: Row) -> Row:
    is_empty = all(value is None for value in values.values())
    return {**values, STAMP: None if is_empty else stamp("0a1b", values)}


@given(
    accounts=st.lists(st.tuples(OURS.map(left_by_us), EDITS), min_size=1, max_size=4),
    assigned=ASSIGNED,
    policy=POLICY,
)
@settings(max_examples=120, deadline=None, suppress_health_check=IN_A_MODULE)
def test_without_an_archive(
    wanted: Wanted, accounts: list[tuple[Row, Row]], assigned: Row, policy: Policy
) -> None:
    rows = {f"{n}": {**ours, **edits} for n, (ours, edits) in enumerate(accounts)}
    result = wanted(dict.fromkeys(rows, assigned))

    def planned(now: Mapping[str, Row]) -> Plan:
        return plan(
            [result], Nowhere(), held=book(now), policy=policy, also=["decision"]
        )

    proposal = planned(rows)
    applied = after(rows, proposal)
    again = planned(applied)
    assert again.changes == ()
    touched = {(c.change.record_id, c.change.column) for c in proposal.changes}
    assert not {(i, c) for i, c in touched if c != STAMP and c not in assigned}
    for (ours, _), (record_id, row) in zip(accounts, rows.items(), strict=True):
        for column in VALUES["account"]:
            _edits_win(policy, record_id, column, ours, row, touched, applied)
    reported = {each.record_id for each in proposal.edited}
    assert reported == {
        i for i, row in rows.items() if is_edited("account", _whole(row))
    }


def _whole(row: Row) -> Row:
    return {**dict.fromkeys(FIELDS), **row}


def _edits_win(
    policy: Policy,
    record_id: str,
    column: str,
    ours: Row,
    row: Row,
    touched: set[tuple[str, str]],
    applied: Mapping[str, Row],
) -> None:
    """What a person edited stays and stays visible, unless it is to be overwritten."""
    is_cleared = not is_edited(
        "account", _whole(row)
    )  # emptied, stamp and all: like a new one
    if (
        policy.of(column) == "overwrite"
        or row.get(column) == ours[column]
        or is_cleared
    ):
        return
    assert (record_id, column) not in touched
    assert is_edited("account", _whole(applied[record_id]))


@given(
    accounts=st.lists(st.tuples(OURS, EDITS), min_size=1, max_size=4),
    assigned=ASSIGNED,
    policy=POLICY,
)
@settings(max_examples=12, deadline=None, suppress_health_check=IN_A_MODULE)
def test_with_an_archive(
    crm: Salesforce,
    sim: simulator.Salesforce,
    tmp_path_factory: pytest.TempPathFactory,
    wanted: Wanted,
    ids: list[str],
    edit: Edit,
    held: Callable[[str], Row],
    accounts: list[tuple[Row, Row]],
    assigned: Row,
    policy: Policy,
) -> None:
    sim.reset()
    archive = Archive(tmp_path_factory.mktemp("archive"))
    known = ids[: len(accounts)]

    def night(values: Mapping[str, Row], policy: Policy) -> Plan:
        result = wanted(values)
        proposal = plan(
            [result],
            crm,
            archive=archive,
            policy=policy,
            limits=ANYTHING_GOES,
            also=["decision"],
        )
        assert apply(proposal, crm, archive=archive).exit_code == 0
        return proposal

    night({i: ours for i, (ours, _) in zip(known, accounts, strict=True)}, Policy())
    ours = {i: _read(held(i)) for i in known}
    for record_id, (_, edits) in zip(known, accounts, strict=True):
        edit(record_id, **edits)
    rows = {i: _read(held(i)) for i in known}
    proposal = night(dict.fromkeys(known, assigned), policy)
    applied = {i: _read(held(i)) for i in known}
    touched = {(c.change.record_id, c.change.column) for c in proposal.changes}
    for record_id, row in rows.items():
        for column in VALUES["account"]:
            _edits_win(
                policy, record_id, column, ours[record_id], row, touched, applied
            )
    for each in proposal.edited:
        was, now = ours[each.record_id], rows[each.record_id]
        assert each.edited == tuple(
            sorted(c for c in (*VALUES["account"], STAMP) if was[c] != now[c])
        )
    assert night(dict.fromkeys(known, assigned), policy).changes == ()


def _read(held: Row) -> Row:
    return {column: canonical(column, held.get(column)) for column in FIELDS}


@pytest.fixture(scope="module")
def account_count() -> int:
    return 4


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(sorted(VALUE)),
        st.sampled_from(["A", "D", None]),
        st.sampled_from(["A", "D", None]),
    ).filter(lambda change: change[1] != change[2]),
    max_size=40,
)


@given(
    changes=CHANGES,
    population=st.integers(0, 200),
    short=st.sampled_from(sorted(VALUE)),
)
@settings(deadline=None)
def test_exactly_what_was_accepted_is_let_through(
    changes: list[tuple[str, Any, Any]], population: int, short: str
) -> None:
    told = [Change(f"{n}", *change) for n, change in enumerate(changes)]
    accepted = dict(Counter(change.column for change in told))
    limits = Limits(
        max_share=0,
        max_share_by_field=dict.fromkeys(VALUES["account"], 0.0),
        min_changes=0,
        max_emptied=0,
        max_two_tier_jumps=0,
    )

    def refused(**less: int) -> set[tuple[str, str]]:
        found = refused_changes(
            told,
            population=lambda _: population,
            tiers=("A", "B", "C", "D", "none"),
            limits=limits,
            accepted={**accepted, **less},
        )
        return {(each.rule, each.column) for each in found}

    assert refused() == set()
    if short in accepted:
        assert ("changed", short) in refused(**{short: accepted[short] - 1})
        assert {column for _, column in refused(**{short: 0})} == {short}
