"""What was sent is looked at, and what a person set in between is told with its value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from crm_portfolio import connect, simulator
from crm_portfolio._storage import now
from crm_portfolio.archive import Archive, Entry, Journal, Standing
from crm_portfolio.connectors.salesforce import Salesforce
from crm_portfolio.protocols import Change, Outcome, edits_schema
from crm_portfolio.simulator import Fault
from crm_portfolio.writeback import Limits, Plan, apply, plan, setup, undo
from crm_portfolio.writeback._readback import SKEW, has_landed, overwritten, seen

Wanted = Callable[..., Any]
Reach = Callable[..., Salesforce]
Held = Callable[[str], dict[str, Any]]

READ = "POST composite/sobjects/{object}"
WRITE = "PATCH composite/sobjects"
AT_ONCE = Limits(canary_count=0, canary_share=0.0, settle_seconds=0)
NIGHT = datetime(2026, 7, 1, 3, tzinfo=UTC)


class Remembering(Salesforce):
    """The real connector, of an org that keeps the history of our fields."""

    told: list[tuple[str, str, str | None]]
    asked: list[tuple[Sequence[str], Sequence[str], datetime]]

    def edits(
        self,
        _table: str,
        ids: Sequence[str],
        columns: Sequence[str],
        *,
        since: datetime,
    ) -> pa.Table:
        self.asked.append((ids, columns, since))
        rows = [
            {
                "record_id": one,
                "column": column,
                "at": NIGHT,
                "value": value,
                "by": "005",
            }
            for one, column, value in self.told
            if one in ids and column in columns
        ]
        return pa.Table.from_pylist(rows, edits_schema())

    def write_once(self, table: Any, changes: Iterable[Change]) -> Iterator[Outcome]:
        sent = list(changes)
        yield from super().write_once(table, sent)
        self.told += [(c.record_id, c.column, str(c.after)) for c in sent]


@pytest.fixture(scope="module")
def account_count() -> int:
    return 5


@pytest.fixture
def proposal(crm: Salesforce, ids: list[str], wanted: Wanted) -> Plan:
    values = {one: {"tier": "A", "portfolio_rank": 3} for one in ids}
    return plan([wanted(values)], crm, limits=AT_ONCE)


def run(proposal: Plan, crm: Any, archive: Archive) -> Journal:
    return apply(proposal, crm, archive=archive, sleep=lambda _: None)


def meanwhile(
    sim: simulator.Salesforce, route: str, record_id: str, **values: Any
) -> None:
    """A person edits just before the next call but one, or but none, of this route."""
    ahead = 2 if route == READ else 1
    act = ("edit", "Account", record_id, values)
    at_call = sim.calls.get(route, 0) + ahead
    sim.fault(Fault(at_call, "meanwhile", route=route, act=act))


def test_an_edit_right_after_our_write_stays_and_is_told(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    proposal: Plan,
    held: Held,
) -> None:
    meanwhile(sim, READ, ids[2], Portfolio_Tier__c="D")
    journal = run(proposal, crm, archive)
    (entry,) = journal.failed
    assert entry == Entry(
        Change(ids[2], "tier", None, "A"), "overwritten_in_window", found="D"
    )
    assert journal.counts == {"overwritten_in_window": 1, "written": 14}
    assert (journal.exit_code, journal.interrupted) == (3, "")
    assert held(ids[2])["tier"] == "D"
    way_back = undo(journal, crm)
    assert [(e.record_id, e.columns) for e in way_back.edited] == [(ids[2], ("tier",))]


def test_an_edit_that_ours_covered_is_told_where_the_crm_remembers(
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    proposal: Plan,
    held: Held,
    connected: Reach,
) -> None:
    crm = connected(sim, Remembering)
    crm.told, crm.asked = [(ids[1], "tier", "C")], []  # type: ignore[attr-defined]
    meanwhile(sim, WRITE, ids[1], Portfolio_Tier__c="C")
    journal = run(proposal, crm, archive)
    assert journal.counts == {"overwritten_in_window": 1, "written": 14}
    (entry,) = journal.failed
    assert (entry.key, entry.found) == (("account", ids[1], "tier"), "C")
    assert held(ids[1])["tier"] == "A"
    assert journal.exit_code == 3
    ((asked, columns, since),) = crm.asked  # type: ignore[attr-defined]
    assert (sorted(asked), columns) == (ids, ["portfolio_rank", "tier"])
    assert SKEW <= now() - since < SKEW + timedelta(minutes=5)


def test_without_a_memory_it_is_written_and_nobody_can_tell(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    proposal: Plan,
) -> None:
    meanwhile(sim, WRITE, ids[1], Portfolio_Tier__c="C")
    assert run(proposal, crm, archive).counts == {"written": 15}


def test_an_edit_of_a_field_we_did_not_write_shows_in_the_stamp(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    proposal: Plan,
    wanted: Wanted,
) -> None:
    meanwhile(sim, WRITE, ids[1], Portfolio_Dependence__c="major")
    assert run(proposal, crm, archive).counts == {"written": 15}
    again = plan([wanted({one: {"tier": "B"} for one in ids})], crm, limits=AT_ONCE)
    assert [edited.record_id for edited in again.edited] == [ids[1]]


def test_a_value_that_the_crm_puts_back_is_not_called_written(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    proposal: Plan,
) -> None:
    meanwhile(sim, READ, ids[0], Portfolio_Rank__c=None)
    (entry,) = run(proposal, crm, archive).failed
    assert (entry.key, entry.found) == (("account", ids[0], "portfolio_rank"), None)


def test_an_account_that_went_before_we_looked_is_gone(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    proposal: Plan,
) -> None:
    act = ("delete", "Account", ids[4])
    sim.fault(Fault(sim.calls[READ] + 2, "meanwhile", route=READ, act=act))
    journal = run(proposal, crm, archive)
    assert journal.counts == {"gone": 3, "written": 12}


@pytest.mark.parametrize(
    ("crm_name", "route", "kind", "field"),
    [
        ("salesforce", WRITE, "Account", "Portfolio_Tier__c"),
        ("hubspot", "batch/update", "companies", "portfolio_tier"),
    ],
)
def test_both_crms_remember_what_ours_covered(
    crm_name: str,
    route: str,
    kind: str,
    field: str,
    archive: Archive,
    wanted: Wanted,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    accounts: Any = {"account_id": ["a1", "a2", "a3"], "name": ["One", "Two", "Three"]}
    kinds: dict[str, Any] = {
        "salesforce": simulator.Salesforce,
        "hubspot": simulator.HubSpot,
    }
    with kinds[crm_name]({"account": pa.table(accounts)}) as org:
        for name, value in org.environment.items():
            monkeypatch.setenv(name, value)
        crm: Any = connect(crm_name)
        setup(crm, dry_run=False)
        ids = sorted(org.ids("account").values())
        first = {one: {"tier": "A", "portfolio_rank": 3} for one in ids}
        assert run(plan([wanted(first)], crm, limits=AT_ONCE), crm, archive).counts == {
            "written": 9
        }
        second = plan(
            [wanted({one: {"tier": "B"} for one in ids})], crm, limits=AT_ONCE
        )
        act = ("edit", kind, ids[1], {field: "D"})
        calls = sum(n for name, n in org.calls.items() if route in name)
        org.fault(Fault(calls + 1, "meanwhile", route=route, act=act))
        journal = run(second, crm, archive)
        assert journal.counts == {"overwritten_in_window": 1, "written": 5}
        (entry,) = journal.failed
        assert (entry.key, entry.found) == (("account", ids[1], "tier"), "D")
        assert org.record(kind, ids[1])[field] == "B"
        assert archive.journal(second.id).overwritten == {
            ("account", ids[1], "tier"): "D"
        }


# What a history says: without a CRM

TIER = Change("a", "tier", "B", "A")


class History:
    """A CRM that remembers this, and nothing else."""

    def __init__(self, *values: str | None, column: str = "tier") -> None:
        self.rows = [("a", column, value) for value in values]

    def edits(self, *_: Any, **__: Any) -> pa.Table:
        names = ("record_id", "column", "value")
        columns = zip(*self.rows, strict=True) if self.rows else ((), (), ())
        return pa.table(
            {
                name: pa.array(list(values), pa.string())
                for name, values in zip(names, columns, strict=True)
            }
        )


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ((), None),
        (("A",), None),
        (("B", "A"), None),
        (("C", "A"), "C"),
        (("B", "C", "A"), "C"),
        (("C", "D", "A"), "D"),
        (("C", "B", "A"), None),  # put back before we wrote: nothing of theirs is lost
        (("C", "A", "D"), "C"),  # that another came later, the read-back tells
        (("C",), None),
        (("A", "C", "A"), "C"),
        ((None, "A"), ""),
    ],
)
def test_what_lies_right_under_ours_is_an_edit_unless_it_is_what_we_saw(
    values: tuple[str | None, ...], found: str | None
) -> None:
    told = list(overwritten(History(*values), "account", [TIER], since=NIGHT))  # type: ignore[arg-type]
    if found is None:
        assert told == []
    else:
        assert told == [
            Entry(TIER, "overwritten_in_window", found=found or None),
        ]


def test_a_history_in_the_crm_s_own_spelling_is_understood() -> None:
    share = Change("a", "revenue_share", 0.25, 0.5)
    same = History("0.250", "0.5000000", column="revenue_share")
    assert list(overwritten(same, "account", [share], since=NIGHT)) == []  # type: ignore[arg-type]
    other = History("about a third", "0.50", column="revenue_share")
    (entry,) = overwritten(other, "account", [share], since=NIGHT)  # type: ignore[arg-type]
    assert entry.found == "about a third"


@pytest.mark.parametrize(
    ("stamp", "tier", "landed"),
    [("ours", "A", True), ("ours", "D", True), ("old", "A", False), (None, "B", False)],
)
def test_the_stamp_tells_whether_ours_arrived(
    stamp: str | None, tier: str, landed: bool
) -> None:
    changes = [TIER, Change("a", "portfolio_stamp", "old", "ours")]
    row = {"tier": tier, "portfolio_stamp": stamp}
    assert has_landed(changes, row) is landed
    assert has_landed([TIER], row) is (tier == "A")
    assert has_landed([], row) is False


def test_what_was_refused_is_not_taken_for_written_because_it_stands_there() -> None:
    standing = Standing(
        entries={("account", "a", "tier"): Entry(TIER, "rejected", "NO")}
    )
    assert list(seen([TIER], {"a": {"tier": "A"}}, standing)) == []
    assert list(seen([TIER], {}, standing)) == []
