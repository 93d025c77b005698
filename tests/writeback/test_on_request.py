"""Is what is written on request written then only, and guarded like all else?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from crm_portfolio import Archive, analysis, apply, connect, plan, pull, setup, undo
from crm_portfolio._managed import STAMP
from crm_portfolio.analysis import ExitReviewResult
from crm_portfolio.errors import FieldNotFoundError, SettingsError
from crm_portfolio.simulator import HubSpot, Salesforce

CRMS = {"salesforce": Salesforce, "hubspot": HubSpot}
KINDS = {"salesforce": "Account", "hubspot": "companies"}
DECISION = {"salesforce": "Portfolio_Decision__c", "hubspot": "portfolio_decision"}
OURS = ("decision", "decided_on", "decision_review_on")
AS_OF = date(2026, 6, 30)
ON, AGAIN = date(2026, 6, 1), date(2026, 12, 1)
Org = tuple[str, Any]


@pytest.fixture(scope="module", params=CRMS)
def started(request) -> Iterator[Org]:
    ids = ["a1", "a2", "a3"]
    tables: Any = {
        "account": pa.table({"account_id": ids, "name": ["Secret"] * 3}),
        "opportunity": pa.table(
            {
                "opportunity_id": ["o1", "o2", "o3"],
                "account_id": ids,
                "status": ["won"] * 3,
                "amount": [900.0, 300.0, 100.0],
                "closed_on": [date(2026, 2, 3)] * 3,
            }
        ),
        "owner": pa.table({"owner_id": ["u1"], "name": ["Somebody Else"]}),
    }
    with CRMS[request.param](tables, currency="EUR") as pretend:
        yield request.param, pretend


@pytest.fixture
def org(started: Org, monkeypatch: pytest.MonkeyPatch) -> Org:
    started[1].reset()
    for variable, value in started[1].environment.items():
        monkeypatch.setenv(variable, value)
    return started


def decided(crm: Any, *actions: str) -> ExitReviewResult:
    """The review of a book in which the first accounts have these decisions."""
    book = pull(crm, as_of=AS_OF)
    ids = book.arrow("account")["account_id"].to_pylist()[: len(actions)]
    owner = book.arrow("owner")["owner_id"].to_pylist()[0]
    if not actions:
        return analysis.exit_review(book)
    rows = pa.table(
        {
            "account_id": ids,
            "action": actions,
            "decided_by": [owner] * len(ids),
            "decided_on": [ON] * len(ids),
            "reason": ["We have talked with Jane Doe."] * len(ids),
            "review_on": [AGAIN] * len(ids),
        }
    )
    return analysis.exit_review(analysis.with_decisions(book, rows))


def test_an_org_without_the_fields_sees_nothing_of_them(org: Org) -> None:
    name, _ = org
    crm = connect(name)
    made = setup(crm, dry_run=False)
    assert not any("ecision" in step.what for step in made.steps)
    tiers = analysis.tiers(pull(crm, as_of=AS_OF))
    result = decided(crm, "renegotiate")
    proposal = plan([tiers, result], crm)
    assert not {c.change.column for c in proposal.changes} & {*OURS}
    assert not any("ecision" in each.what for each in crm.inspect())
    with pytest.raises(FieldNotFoundError, match=r"also=\['decision'\]"):
        plan([result], crm, also=["decision"])
    with pytest.raises(SettingsError, match="none of these results"):
        plan([result], crm)
    with pytest.raises(SettingsError, match="did you mean 'decision'"):
        plan([tiers], crm, also=["decisions"])


def test_stamps_made_before_the_fields_came_stay_valid(org: Org, tmp_path) -> None:
    name, _ = org
    crm, archive = connect(name), Archive(tmp_path)
    setup(crm, dry_run=False)
    tiers = analysis.tiers(pull(crm, as_of=AS_OF))
    apply(plan([tiers], crm, archive=archive), crm, archive=archive)
    setup(crm, also=["decision"], dry_run=False)
    crm = connect(name)
    for held in (None, pull(crm, as_of=AS_OF)):
        for also in ((), ("decision",)):
            again = plan([tiers], crm, held=held, also=also, archive=archive)
            assert (again.changes, again.edited) == ((), ())


def test_a_decision_is_written_once_and_taken_back_like_all_else(
    org: Org, tmp_path
) -> None:
    name, pretend = org
    crm, archive = connect(name), Archive(tmp_path)
    setup(crm, also=["decision"], dry_run=False)
    before = pretend.snapshot()[KINDS[name]]
    result = decided(crm, "phase_out", "watch")
    proposal = plan([result], crm, also=["decision"], archive=archive)
    assert proposal.first_fills == {
        "decided_on": 2,
        "decision": 2,
        "decision_review_on": 2,
        STAMP: 2,
    }
    assert proposal.refusals == ()
    text = proposal.to_bytes().decode()
    assert "exit_decided" in text
    assert "Jane" not in text
    assert "exit_proposed" not in text
    journal = apply(proposal, crm, archive=archive)
    assert journal.counts == {"written": 8}
    assert plan([result], crm, also=["decision"], archive=archive).changes == ()
    held = pull(crm, as_of=AS_OF).arrow("account")
    assert held["decision"].to_pylist()[:2] == ["phase_out", "watch"]
    assert held["decided_on"].to_pylist() == [ON, ON, None]
    assert held["decision_review_on"].to_pylist() == [AGAIN, AGAIN, None]
    apply(undo(journal, crm), crm, archive=archive)
    after = pretend.snapshot()[KINDS[name]]
    assert [_values(each) for each in after.values()] == [
        _values(each) for each in before.values()
    ]


def _values(record: Any) -> Any:
    return {k: v for k, v in record.items() if k.lower().startswith("portfolio")}


def test_a_decision_that_a_person_changed_in_the_crm_stays_theirs(
    org: Org, tmp_path
) -> None:
    name, pretend = org
    crm, archive = connect(name), Archive(tmp_path)
    setup(crm, also=["decision"], dry_run=False)
    first = plan([decided(crm, "watch")], crm, also=["decision"], archive=archive)
    apply(first, crm, archive=archive)
    (record,) = first.records
    pretend.edit(KINDS[name], record.record_id, {DECISION[name]: "keep"})
    again = plan([decided(crm, "reprice")], crm, also=["decision"], archive=archive)
    assert again.changes == ()
    (edited,) = again.edited
    assert edited.edited == ("decision",)


def test_without_the_setting_a_decision_stays_until_it_is_taken_back_by_field(
    org: Org, tmp_path
) -> None:
    name, _ = org
    crm, archive = connect(name), Archive(tmp_path)
    setup(crm, also=["decision"], dry_run=False)
    result = decided(crm, "watch")
    first = plan([result], crm, also=["decision"], archive=archive)
    journal = apply(first, crm, archive=archive)
    later = plan([analysis.tiers(pull(crm, as_of=AS_OF))], crm, archive=archive)
    assert not {c.change.column for c in later.changes} & {*OURS}
    assert later.edited == ()
    apply(later, crm, archive=archive)
    apply(undo(journal, crm, columns=OURS), crm, archive=archive)
    held = pull(crm, as_of=AS_OF).arrow("account")
    assert all(held[column].null_count == held.num_rows for column in OURS)
    again = plan([analysis.tiers(pull(crm, as_of=AS_OF))], crm, archive=archive)
    assert (again.changes, again.edited) == ((), ())


def test_a_decision_that_is_taken_off_the_record_leaves_the_crm(
    org: Org, tmp_path
) -> None:
    name, _ = org
    crm, archive = connect(name), Archive(tmp_path)
    setup(crm, also=["decision"], dry_run=False)
    first = plan([decided(crm, "watch", "keep")], crm, also=["decision"])
    apply(first, crm, archive=archive)
    again = plan([decided(crm, "watch")], crm, also=["decision"], archive=archive)
    gone = {c.change.column: c.change.after for c in again.changes}
    assert gone.pop(STAMP) is None
    assert gone == dict.fromkeys(("decision", "decided_on", "decision_review_on"))
    # A night without the table tells nothing, and takes nothing off.
    with pytest.raises(SettingsError, match="none of these results"):
        plan([decided(crm)], crm, also=["decision"], archive=archive)
