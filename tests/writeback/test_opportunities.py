"""Are opportunities written as carefully as accounts, and only where that is asked for?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

import attrs
import pyarrow as pa
import pytest

from crm_portfolio import Archive, Limits, apply, connect, plan, pull, setup, undo
from crm_portfolio._managed import FIELDS, STAMP
from crm_portfolio._wording import Reason
from crm_portfolio.archive import key_of
from crm_portfolio.connectors.salesforce import SalesforceSettings
from crm_portfolio.errors import (
    FieldNotFoundError,
    SettingsError,
    UnexpectedChangeError,
)
from crm_portfolio.protocols import Change
from crm_portfolio.results import Result
from crm_portfolio.schema import MANAGED, arrow_type
from crm_portfolio.simulator import Fault, HubSpot, Salesforce
from crm_portfolio.writeback import Plan, Policy, history, last_written, resend

CRMS = {"salesforce": Salesforce, "hubspot": HubSpot}
KINDS = {
    "salesforce": ("Account", "Opportunity"),
    "hubspot": ("companies", "deals"),
}
NAMES = {
    "salesforce": {
        "lost_class": "Portfolio_Lost_Class__c",
        "win_back_rank": "Portfolio_Win_Back_Rank__c",
        "not_before_on": "Portfolio_Not_Before__c",
        STAMP: "Portfolio_Stamp__c",
    },
    "hubspot": {
        "lost_class": "portfolio_lost_class",
        "win_back_rank": "portfolio_win_back_rank",
        "not_before_on": "portfolio_not_before",
        STAMP: "portfolio_stamp",
    },
}
NEXT_STEP = {"salesforce": "NextStep", "hubspot": "hs_next_step"}
COUNT = 24
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
AS_OF, LATER = date(2026, 6, 30), date(2026, 9, 1)
ALSO = ("lost_class", "win_back")
AT_ONCE = Limits(settle_seconds=0)
Org = tuple[str, Any]


@attrs.frozen(slots=False, eq=False, repr=False)
class Said(Result):
    """A result that assigns what a test says."""

    name = "said"
    compared = "lost_class"

    def _reasons(self, row: Mapping[str, Any]) -> tuple[Reason, ...]:
        raise NotImplementedError

    def assigned_because(self, ids: Any) -> dict[str, tuple[Reason, ...]]:
        return {one: (Reason("rank_dormant", {"n": 3}),) for one in ids}

    def plot(self, *, ax: Any = None, lang: Any = "en") -> Any:
        raise NotImplementedError

    def assignments(self) -> pa.Table:
        return self._table


class OfAccounts(Said):
    name = "of_accounts"


class OfOpportunities(Said):
    name = "of_opportunities"


class Again(Said):
    name = "again"


KIND: Mapping[str, type[Said]] = {"account": OfAccounts, "opportunity": OfOpportunities}


def said(
    table: str,
    values: Mapping[str, Mapping[str, Any]],
    kind: type[Said] | None = None,
) -> Said:
    """A result of these values: record → column → value."""
    columns = dict.fromkeys(c for each in values.values() for c in each)
    arrays = {
        column: pa.array(
            [each.get(column) for each in values.values()], arrow_type(FIELDS[column])
        )
        for column in columns
    }
    return (kind or KIND[table])(
        table=pa.table({f"{table}_id": pa.array(list(values), pa.string()), **arrays}),
        rejected=pa.table({}),
        backend="pyarrow",
        summary={},
        params={"as_of": "2026-06-30", "portfolio": "p1"},
        coverage=1.0,
        warnings=(),
    )


@pytest.fixture(scope="module", params=CRMS)
def started(request) -> Iterator[Org]:
    accounts = [f"a{n}" for n in range(4)]
    tables: Any = {
        "account": pa.table({"account_id": accounts, "name": ["Secret"] * 4}),
        "opportunity": pa.table(
            {
                "opportunity_id": [f"o{n:02}" for n in range(COUNT)],
                "account_id": [accounts[n % 4] for n in range(COUNT)],
                "name": ["Secret deal"] * COUNT,
                "status": ["lost"] * COUNT,
                "amount": [100.0 * n for n in range(COUNT)],
                "closed_on": [date(2026, 2, 3)] * COUNT,
            }
        ),
    }
    with CRMS[request.param](tables, currency="EUR") as pretend:
        for variable, value in pretend.environment.items():
            pytest.MonkeyPatch().setenv(variable, value)
        yield request.param, pretend


@pytest.fixture
def bare(started: Org, monkeypatch: pytest.MonkeyPatch) -> Org:
    started[1].reset()
    for variable, value in started[1].environment.items():
        monkeypatch.setenv(variable, value)
    return started


@pytest.fixture
def org(bare: Org) -> Org:
    setup(connect(bare[0]), also=ALSO, dry_run=False)
    return bare


@pytest.fixture
def archive(tmp_path) -> Archive:
    return Archive(tmp_path / "runs")


def ids_of(org: Org, table: str = "opportunity") -> list[str]:
    return sorted(org[1].ids(table).values())


def losses(org: Org, name: str = "pursued_lost") -> Said:
    return said(
        "opportunity",
        {
            one: {"lost_class": name, "win_back_rank": n, "not_before_on": LATER}
            for n, one in enumerate(ids_of(org), 1)
        },
    )


def made(org: Org, *results: Said, crm: Any = None, **more: Any) -> Plan:
    more = {"also": ALSO, "limits": AT_ONCE, **more}
    return plan(results or (losses(org),), crm or connect(org[0]), **more)


def held(org: Org, record_id: str) -> dict[str, Any]:
    record = org[1].record(KINDS[org[0]][1], record_id)
    return {column: record.get(name) for column, name in NAMES[org[0]].items()}


def edit(org: Org, record_id: str, **values: Any) -> None:
    told = {NAMES[org[0]][column]: value for column, value in values.items()}
    org[1].edit(KINDS[org[0]][1], record_id, told)


def test_nothing_is_made_or_written_that_nobody_asked_for(bare: Org) -> None:
    crm = connect(bare[0])
    steps = [step.what for step in setup(crm).steps]
    assert not any("lost_class" in each.lower() for each in steps)
    assert not any("deals" in each or "Opportunity" in each for each in steps)
    with pytest.raises(SettingsError, match="none of these results"):
        made(bare, also=())
    with pytest.raises(FieldNotFoundError, match=r"also=\['lost_class', 'win_back'\]"):
        made(bare)
    asked = [step.what for step in setup(crm, also=["lost_class"]).steps]
    assert any("lost_class" in each.lower() for each in asked)
    assert not any("win_back" in each.lower() for each in asked)


def test_a_stamp_that_lacks_alone_is_made_by_the_setup_that_is_named(bare: Org) -> None:
    crm = connect(bare[0])
    (field,) = [f for f in MANAGED["opportunity"] if f.column == "lost_class"]
    list(crm.provision([field], dry_run=False))
    wanted = said("opportunity", {ids_of(bare)[0]: {"lost_class": "no_decision"}})
    with pytest.raises(FieldNotFoundError, match=r"also=\['lost_class'\]"):
        made(bare, wanted)
    setup(crm, also=["lost_class"], dry_run=False)
    assert len(made(bare, wanted).changes) == 2


def test_all_of_an_opportunity_is_written_stamped_and_quiet_the_night_after(
    org: Org, archive: Archive
) -> None:
    crm = connect(org[0])
    proposal = made(org, crm=crm, archive=archive)
    assert {record.table for record in proposal.records} == {"opportunity"}
    assert proposal.header.others == {"opportunity": COUNT}
    assert (proposal.refusals, proposal.counts) == ((), {})
    assert proposal.first_fills == dict.fromkeys(sorted(NAMES[org[0]]), COUNT)
    calls = crm.calls
    journal = apply(proposal, crm, archive=archive)
    assert journal.counts == {"written": 4 * COUNT}
    assert crm.calls - calls <= proposal.call_estimate
    one = held(org, ids_of(org)[0])
    assert one["lost_class"] == "pursued_lost"
    assert str(one[STAMP]).startswith(f"v1:{proposal.id}:")
    book = pull(crm, as_of=AS_OF)
    for held_book in (None, book):
        again = made(org, archive=archive, held=held_book)
        assert (again.changes, again.edited) == ((), ())
        assert again.header.others == {"opportunity": COUNT}
    rows = book.arrow("opportunity")
    assert rows["not_before_on"].to_pylist() == [LATER] * COUNT
    assert sorted(rows["win_back_rank"].to_pylist()) == list(range(1, COUNT + 1))


def test_of_a_portfolio_only_what_differs_becomes_a_row(
    org: Org, archive: Archive
) -> None:
    crm = connect(org[0])
    apply(made(org), crm, archive=archive)
    book = pull(crm, as_of=AS_OF)
    first, *_, last = ids_of(org)
    result = losses(org)
    wanted = {one: {"lost_class": "pursued_lost"} for one in ids_of(org)}
    wanted[last] = {"lost_class": None}
    wanted["nowhere"] = {"lost_class": "no_decision"}
    again = made(org, said("opportunity", wanted), held=book, archive=archive)
    assert [c.change.record_id for c in again.changes] == [last, last]
    assert [(m.record_id, m.table) for m in again.missing] == [
        ("nowhere", "opportunity")
    ]
    (change,) = [c for c in again.changes if c.change.column == "lost_class"]
    assert change.reasons == (Reason("rank_dormant", {"n": 3}),)
    assert (
        again.refusals == ()
    )  # an opportunity that is opened again may lose its class
    assert result.assignments().num_rows == COUNT
    assert first not in {c.change.record_id for c in again.changes}


def test_accounts_and_opportunities_go_in_one_plan_each_with_its_first_slice(
    org: Org, archive: Archive
) -> None:
    crm = connect(org[0])
    accounts = said("account", {one: {"tier": "A"} for one in ids_of(org, "account")})
    proposal = made(org, accounts, losses(org), archive=archive)
    assert [record.table for record in proposal.records] == [
        *["account"] * 4,
        *["opportunity"] * COUNT,
    ]
    assert Plan.from_bytes(proposal.to_bytes(), "plan") == proposal
    assert f"4 of 4 accounts and {COUNT} of {COUNT} opportunities" in str(proposal)
    journal = apply(proposal, crm, archive=archive)
    assert journal.counts == {"written": 4 * 2 + 4 * COUNT}
    kinds = [segment.kind for segment in archive.segments(proposal.id)]
    assert kinds.count("canary") == 2
    told = [
        segment.content["table"]
        for segment in archive.segments(proposal.id)
        if segment.kind == "intent"
    ]
    assert told[:2] == ["account", "opportunity"]
    assert archive.verify().exit_code == 0
    again = archive.journal(proposal.id)
    assert (again.counts, again.touched) == (journal.counts, journal.touched)


def test_who_writes_two_tables_is_asked_who_that_is_once(
    org: Org, archive: Archive
) -> None:
    crm = connect(org[0])
    accounts = said("account", {one: {"tier": "A"} for one in ids_of(org, "account")})
    proposal = made(org, accounts, losses(org), crm=crm)
    calls, before = crm.calls, Counter(org[1].calls)
    apply(proposal, crm, archive=archive)
    assert (Counter(org[1].calls) - before)["GET oauth2/userinfo"] <= 1
    assert crm.calls - calls <= proposal.call_estimate


def test_a_run_is_taken_back_to_the_byte(org: Org, archive: Archive) -> None:
    crm = connect(org[0])
    before = [held(org, one) for one in ids_of(org)]
    journal = apply(made(org), crm, archive=archive)
    one = ids_of(org)[3]
    part = undo(archive.journal(journal.run_id), crm, opportunities=[one])
    assert {c.change.record_id for c in part.changes} == {one}
    with pytest.raises(SettingsError, match="the run wrote no account"):
        undo(journal, crm, accounts=[one])
    way_back = undo(archive.journal(journal.run_id), crm, limits=AT_ONCE)
    assert way_back.refusals == ()
    apply(way_back, crm, archive=archive)
    after = [held(org, one) for one in ids_of(org)]
    assert [_empty(each) for each in after] == [_empty(each) for each in before]


def _empty(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value or None for key, value in record.items()}


def test_what_a_person_edited_stays_theirs_and_is_named(
    org: Org, archive: Archive
) -> None:
    crm = connect(org[0])
    apply(made(org, archive=archive), crm, archive=archive)
    one, two, *_ = ids_of(org)
    edit(org, one, lost_class="no_decision")
    result = losses(org, "missed_late")
    more = {"archive": archive, "limits": Limits(max_share=1, settle_seconds=0)}
    for book in (None, pull(crm, as_of=AS_OF)):
        again = made(org, result, held=book, **more)
        assert one not in {c.change.record_id for c in again.changes}
        assert two in {c.change.record_id for c in again.changes}
        (edited,) = again.edited
        assert (edited.record_id, edited.table) == (one, "opportunity")
        assert edited.edited == ("lost_class",)
    over = made(org, result, policy=Policy("overwrite"), **more)
    assert one in {c.change.record_id for c in over.changes}


def test_an_edit_since_the_plan_is_left_alone(org: Org, archive: Archive) -> None:
    crm = connect(org[0])
    proposal = made(org)
    one = ids_of(org)[5]
    edit(org, one, lost_class="no_decision")
    journal = apply(proposal, crm, archive=archive)
    assert {e.change.record_id for e in journal.failed} == {one}
    assert journal.failed[0].change.table == "opportunity"
    assert held(org, one)["lost_class"] == "no_decision"


def test_limits_count_opportunities_by_opportunities(
    org: Org, archive: Archive
) -> None:
    crm = connect(org[0])
    accounts = said("account", {one: {"tier": "A"} for one in ids_of(org, "account")})
    apply(made(org, accounts, losses(org)), crm, archive=archive)
    wanted = made(org, accounts, losses(org, "missed_late"), limits=Limits())
    (refusal,) = wanted.refusals
    assert (refusal.column, refusal.count) == ("lost_class", COUNT)
    assert (refusal.limit, refusal.population) == (10, COUNT)
    assert "on 24 opportunities" in str(refusal)


def test_how_many_were_compared_is_counted_by_field(org: Org, archive: Archive) -> None:
    """Many are lost, and few of them deserve another try."""
    ids, crm = ids_of(org), connect(org[0])
    few = {one: {"win_back_rank": n} for n, one in enumerate(ids[:12], 1)}
    classes = said("opportunity", {one: {"lost_class": "pursued_lost"} for one in ids})
    first = made(org, classes, said("opportunity", few, Again), archive=archive)
    compared = {"lost_class": COUNT, "win_back_rank": 12}
    assert first.header.compared == compared
    assert first.header.others == {"opportunity": COUNT}
    apply(first, crm, archive=archive)
    gone = said("opportunity", {one: {"win_back_rank": None} for one in few}, Again)
    (refusal,) = made(org, gone, archive=archive, limits=Limits()).refusals
    assert (refusal.rule, refusal.column) == ("emptied", "win_back_rank")
    assert (refusal.count, refusal.limit, refusal.population) == (12, 10, 12)


def test_values_are_lost_of_those_that_hold_one_however_many_are_compared(
    org: Org, archive: Archive
) -> None:
    """Each lost opportunity is a candidate to win back, and few have a place."""
    ids, crm = ids_of(org), connect(org[0])
    few = {one: n for n, one in enumerate(ids[:4], 1)}
    places = {one: {"win_back_rank": few.get(one)} for one in ids}
    apply(made(org, said("opportunity", places)), crm, archive=archive)
    gone = said("opportunity", {one: {"win_back_rank": None} for one in ids})
    tight = Limits(min_changes=1)
    for book in (None, pull(crm, as_of=AS_OF)):
        tonight = made(org, gone, held=book, archive=archive, limits=tight)
        assert Plan.from_bytes(tonight.to_bytes(), "plan") == tonight
        (refusal,) = tonight.refusals
        assert (refusal.rule, refusal.column) == ("emptied", "win_back_rank")
        assert (refusal.count, refusal.limit, refusal.population) == (4, 1, 4)


def test_fewer_opportunities_than_last_night_are_refused_by_field(
    org: Org, archive: Archive
) -> None:
    ids = ids_of(org)
    apply(made(org, archive=archive), connect(org[0]), archive=archive)
    half = said(
        "opportunity",
        {one: {"lost_class": "pursued_lost"} for one in ids[: COUNT // 2]},
    )
    tonight = made(org, half, archive=archive)
    (refusal,) = tonight.refusals
    assert (refusal.rule, refusal.column) == ("shrunk", "lost_class")
    assert (refusal.count, refusal.population) == (COUNT // 2, COUNT)
    assert "12 opportunities fewer than at the last run to compare" in str(refusal)
    # What is asked for no more is compared no more, and lacks nowhere.
    places = {one: {"win_back_rank": n} for n, one in enumerate(ids, 1)}
    assert made(org, said("opportunity", places), archive=archive).refusals == ()


def test_what_moves_in_the_first_slice_of_opportunities_stops_all(
    org: Org, archive: Archive
) -> None:
    """The accounts' first slice was well; the rest of them does not go either."""
    name, pretend = org
    accounts = said("account", {one: {"tier": "A"} for one in ids_of(org, "account")})
    small = Limits(settle_seconds=1, canary_count=2, canary_share=0)
    proposal = made(org, accounts, losses(org), limits=small)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:  # while the second first slice settles
            for one in ids_of(org):
                pretend.edit(KINDS[name][1], one, {NEXT_STEP[name]: "Call"})

    with pytest.raises(UnexpectedChangeError) as caught:
        apply(proposal, connect(name), archive=archive, sleep=sleep)
    assert caught.value.columns == (("next_step", 2),)
    journal = archive.journal(proposal.id)
    assert {(table, column) for table, _, column in journal.unexpected} == {
        ("opportunity", "next_step")
    }
    touched = {(change.table, change.record_id) for change in journal.touched}
    counts = Counter(table for table, _ in touched)
    assert counts == {"account": 2, "opportunity": 2}
    assert "canary" in {each.rule for each in made(org, archive=archive).refusals}
    way_back = undo(journal, connect(name), limits=AT_ONCE)
    apply(way_back, connect(name), archive=archive)
    assert all(not held(org, one)["lost_class"] for one in ids_of(org))


def test_by_bulk_each_first_slice_and_each_rest_is_a_job_of_one_object(
    org: Org, archive: Archive
) -> None:
    name, pretend = org
    if name != "salesforce":
        pytest.skip("HubSpot writes in batches only")
    crm = connect(name, settings=SalesforceSettings(bulk="always"))
    accounts = said("account", {one: {"tier": "A"} for one in ids_of(org, "account")})
    small = attrs.evolve(AT_ONCE, canary_count=2, canary_share=0)
    proposal = made(org, accounts, losses(org), limits=small)
    journal = apply(proposal, crm, archive=archive)
    assert journal.counts == {"written": 2 * 4 + 4 * COUNT}
    assert pretend.calls["POST jobs/ingest"] == 4
    assert "PATCH composite/sobjects" not in pretend.calls
    back = apply(undo(journal, crm, limits=AT_ONCE), crm, archive=archive)
    assert back.counts == journal.counts
    assert all(not held(org, one)["lost_class"] for one in ids_of(org))


def test_a_lost_answer_is_looked_for_before_anything_is_sent_again(
    org: Org, archive: Archive
) -> None:
    crm = connect(org[0])
    proposal = made(org)
    route = {"salesforce": "PATCH composite/sobjects", "hubspot": "batch/update"}
    org[1].fault(Fault(at_call=1, kind="reset_after_write", route=route[org[0]]))
    journal = apply(proposal, crm, archive=archive, sleep=lambda _: None)
    if journal.interrupted:
        journal = apply(proposal, connect(org[0]), archive=archive)
    assert journal.counts == {"written": 4 * COUNT}
    assert all(held(org, one)["lost_class"] == "pursued_lost" for one in ids_of(org))


def test_history_and_the_last_values_tell_of_an_opportunity(
    org: Org, archive: Archive
) -> None:
    crm = connect(org[0])
    proposal = made(org)
    apply(proposal, crm, archive=archive)
    one = ids_of(org)[0]
    steps = history(archive, one)
    assert {(s.table, s.record_id, s.state) for s in steps} == {
        ("opportunity", one, "written")
    }
    written = {w.planned.change.column: w for w in last_written(archive, one)}
    assert written["lost_class"].planned.change.after == "pursued_lost"
    assert written["lost_class"].planned.reasons == (Reason("rank_dormant", {"n": 3}),)


def test_what_the_crm_refused_is_mended_and_sent_again(
    org: Org, archive: Archive, tmp_path
) -> None:
    crm, one = connect(org[0]), ids_of(org)[2]
    wanted = said("opportunity", {one: {"lost_class": "no such class"}})
    journal = apply(made(org, wanted), crm, archive=archive)
    assert journal.counts == {"rejected": 2}
    file = tmp_path / "failed.csv"
    assert journal.save_failed(file) == 1
    text = file.read_text(encoding="utf-8")
    assert f'"opportunity","{one}"' in text
    file.write_text(text.replace("no such class", "no_decision"), encoding="utf-8")
    apply(resend(file, crm, archive=archive), crm, archive=archive)
    assert held(org, one)["lost_class"] == "no_decision"


def test_who_edited_what_is_asked_of_opportunities_too(
    org: Org, archive: Archive
) -> None:
    crm = connect(org[0])
    apply(made(org), crm, archive=archive)
    one, two, *_ = ids_of(org)
    org[1].clock.advance(60)
    edit(org, one, lost_class="no_decision")
    told = crm.edits("opportunity", [one, two], ["lost_class"], since=LONG_AGO)
    rows = [row for row in told.to_pylist() if row["record_id"] == one]
    assert [row["value"] for row in rows][-1] == "no_decision"
    assert {row["column"] for row in rows} == {"lost_class"}
    # What we write is no news of an opportunity.
    if "opportunity_change" in crm.tables():
        changes = [b.rows for b in crm.pull("opportunity_change")]
        fields = {f for rows in changes for f in rows["field"].to_pylist()}
        assert not fields & {"lost_class", "win_back_rank", "not_before_on", STAMP}


def test_records_of_two_tables_with_one_id_are_told_apart() -> None:
    one, other = (
        Change("7", "tier", None, "A"),
        Change("7", "lost_class", None, "no_decision", "opportunity"),
    )
    stamps = [attrs.evolve(each, column=STAMP) for each in (one, other)]
    assert len({key_of(each) for each in (one, other, *stamps)}) == 4
