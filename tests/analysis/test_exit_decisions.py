"""Is what people decide on record, shown, looked at again and learned from, and never ours?"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from exit_books import AS_OF, book, rating, ratings

from crm_portfolio import Portfolio, analysis, schema
from crm_portfolio._analyse import assigning
from crm_portfolio._frames import to_arrow
from crm_portfolio.analysis._exit._criteria import ACTIONS
from crm_portfolio.analysis._exit._decisions import Decisions
from crm_portfolio.analysis._exit._ladder import STEPS
from crm_portfolio.errors import SchemaError, SettingsError
from crm_portfolio.writeback._assigned import Assigned

IDS = pa.array(["A", "B", "C", "D"])
KINDS = {
    "account_id": pa.string(),
    "action": pa.string(),
    "decided_by": pa.string(),
    "decided_on": pa.date32(),
    "reason": pa.string(),
    "review_on": pa.date32(),
}


def decision(account_id: str | None, action: str | None, **more: Any) -> dict[str, Any]:
    usual = {
        "decided_by": "U1",
        "decided_on": date(2026, 3, 1),
        "reason": "Talked it over with delivery.",
        "review_on": date(2026, 9, 1),
    }
    return {"account_id": account_id, "action": action} | usual | more


def decisions(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([*rows], schema=pa.schema(KINDS))


def test_a_decision_is_on_record_with_who_when_why_and_when_to_look_again():
    found = analysis.with_decisions(book(), decisions(decision("A", "renegotiate")))
    assert to_arrow(found["decision"]).to_pylist() == [decision("A", "renegotiate")]
    result = analysis.exit_review(found)
    rows = {row["account_id"]: row for row in result.arrow.to_pylist()}
    assert rows["A"]["decided_action"] == "renegotiate"
    assert rows["A"]["decided_by"] == "U1"
    assert rows["A"]["decided_on"] == date(2026, 3, 1)
    assert rows["A"]["decision_reason"] == "Talked it over with delivery."
    assert rows["A"]["review_on"] == date(2026, 9, 1)
    assert rows["A"]["is_review_due"] is False
    assert rows["B"]["decided_action"] is None
    said = result.explain("A")
    assert "On 1 March 2026 U1 decided: renegotiate" in said
    assert "decided" not in result.explain("B")


def test_recording_the_same_twice_adds_nothing_and_earlier_ones_stay():
    first = analysis.with_decisions(book(), decisions(decision("A", "watch")))
    second = analysis.with_decisions(first, decisions(decision("B", "keep")))
    again = analysis.with_decisions(second, decisions(decision("B", "keep")))
    assert second.row_counts["decision"] == 2
    assert again.id == second.id


def test_every_fault_of_every_decision_is_told_at_once():
    wrong = decisions(
        decision("Z", "fire"),
        decision("A", "keep", decided_by="Ann", decided_on=date(2026, 7, 1)),
        decision("A", "keep", reason="  ", review_on=date(2026, 3, 1)),
        decision(None, None, decided_by=None, decided_on=None, reason=None),
        decision("A", "renegociate"),
    )
    with pytest.raises(SchemaError) as caught:
        analysis.with_decisions(book(), wrong)
    faults = caught.value.faults.to_pylist()
    assert {(row["row"], row["column"], row["fault"]) for row in faults} == {
        (0, "account_id", "unknown_account"),
        (0, "action", "unknown_action"),
        (1, "decided_by", "unknown_person"),
        (1, "decided_on", "after_as_of"),
        (2, "reason", "missing_value"),
        (2, "review_on", "review_before_decision"),
        (3, "account_id", "missing_value"),
        (3, "action", "missing_value"),
        (3, "decided_by", "missing_value"),
        (3, "decided_on", "missing_value"),
        (3, "reason", "missing_value"),
        (4, "action", "unknown_action"),
    }
    (near,) = [row["hint"] for row in faults if row["row"] == 4]
    assert "did you mean 'renegotiate'?" in near


@pytest.mark.parametrize("column", ["decided_by", "decided_on", "reason"])
def test_a_decision_without_a_person_a_day_or_a_reason_is_none(column):
    bare = decisions(decision("A", "keep")).drop_columns(column)
    with pytest.raises(SchemaError, match=f"decision.{column}: missing_column"):
        analysis.with_decisions(book(), bare)


def test_a_decision_from_elsewhere_without_a_reason_or_a_step_is_left_out_and_told():
    given = decisions(
        decision("A", "renegotiate", reason=" \t"),
        decision("A", "fire", decided_on=date(2026, 4, 1)),
        decision("B", "keep"),
    )
    portfolio = book(decision=given)
    found = Decisions.of(portfolio, IDS)
    assert (found.count, found.left_out) == (1, 2)
    assert not found.tried["renegotiate"].any()
    result = analysis.exit_review(portfolio)
    (told,) = [
        each for each in result.warnings if each.code == "exit_decisions_left_out"
    ]
    assert told.values["n"] == 2
    assert "fire" not in result.explain("A")


def test_a_day_to_look_again_that_has_come_is_shown():
    given = decisions(
        decision("A", "watch", review_on=AS_OF),
        decision("B", "watch", review_on=date(2026, 7, 1)),
        decision("C", "watch", review_on=None),
        # The newest decision of an account counts.
        decision("D", "watch", review_on=date(2026, 4, 1)),
        decision("D", "keep", decided_on=date(2026, 5, 1), review_on=date(2027, 5, 1)),
    )
    found = Decisions.of(analysis.with_decisions(book(), given), IDS)
    assert found.is_due.tolist() == [True, False, False, False]
    assert found.action.tolist() == ["watch", "watch", "watch", "keep"]
    assert (found.count, found.due_count) == (5, 1)
    result = analysis.exit_review(analysis.with_decisions(book(), given))
    assert result.summary["decisions"]["due_count"] == 1
    assert "looked at again by 30 June 2026" in result.explain("A")
    assert "looked at again" not in result.explain("B")


def test_of_two_decisions_on_one_day_the_same_one_counts_in_any_order():
    rows = [decision("A", "keep"), decision("A", "phase_out"), decision("A", "watch")]
    found = {
        Decisions.of(analysis.with_decisions(book(), decisions(*order)), IDS).action[0]
        for order in (rows, rows[::-1])
    }
    assert found == {"watch"}


@pytest.mark.parametrize("turn", [1, -1])
def test_of_two_that_are_alike_the_one_counts_that_says_when_to_look_again(turn):
    rows = [decision("A", "watch"), decision("A", "watch", review_on=None)][::turn]
    found = Decisions.of(analysis.with_decisions(book(), decisions(*rows)), IDS)
    assert found.table["review_on"].to_pylist()[found.newest[0]] is not None


def test_overruling_is_counted_and_told_to_learn_from():
    given = decisions(
        decision("A", "keep"),
        decision("B", "reprice"),
        decision("C", "keep"),
        decision("D", "plan_replacement"),
    )
    found = Decisions.of(analysis.with_decisions(book(), given), IDS)
    proposed = np.array(["reprice", "reprice", "ask", "phase_out"], dtype=object)
    assert found.overrules(proposed).tolist() == [True, False, False, False]
    assert found.learned(proposed).to_pylist() == [
        {
            "proposed": "ask",
            "decided_count": 1,
            "overruled_count": 0,
            "mostly_decided": None,
        },
        {
            "proposed": "reprice",
            "decided_count": 2,
            "overruled_count": 1,
            "mostly_decided": "keep",
        },
    ]


def test_a_step_once_decided_was_tried_and_a_plan_for_after_is_remembered():
    given = decisions(
        decision("A", "reprice", decided_on=date(2025, 1, 1)),
        decision("A", "watch"),
        decision("A", "plan_replacement", decided_on=date(2026, 2, 1)),
    )
    found = Decisions.of(analysis.with_decisions(book(), given), IDS)
    assert found.tried["reprice"].tolist() == [True, False, False, False]
    assert found.is_replaced.tolist() == [True, False, False, False]
    assert "plan_replacement" not in found.tried


def test_every_step_of_the_ladder_can_be_decided():
    assert set(STEPS) - {"refer", "ask"} <= set(ACTIONS)


def test_what_is_proposed_is_never_written_and_a_decision_only_on_request():
    bad = ratings(
        *(
            rating("A", name, 0.0)
            for name in ("ethics", "vision", "relationship", "reputation", "violence")
        )
    )
    portfolio = analysis.with_decisions(
        book(rating=bad), decisions(decision("A", "phase_out"))
    )
    result = analysis.exit_review(portfolio)
    assert result.arrow["action"].to_pylist()[0] == "refer"
    columns = set(result.arrow.column_names)
    proposed = {"action", "score", "decided_action", "decision_reason", "vetoes"}
    assert proposed <= columns
    assert not proposed & {field.column for field in schema.MANAGED["account"]}
    assert "exit_review" not in assigning()
    with pytest.raises(SettingsError, match="none of these results assigns"):
        Assigned.by([result])
    tiers = analysis.tiers(portfolio)
    beside, alone = Assigned.by([result, tiers]), Assigned.by([tiers])
    ids = portfolio.arrow("account")["account_id"].combine_chunks()
    ours, only = (
        [*each.tables["account"].in_parts(ids, 1_000)] for each in (beside, alone)
    )
    assert ours == only
    assert ours[0][2]
    asked = Assigned.by([result], also=["decision"])
    assert set(asked.tables["account"].columns) == {
        "decision",
        "decided_on",
        "decision_review_on",
    }
    assert assigning(["decision"])[-1] == "exit_review"


def test_a_recorded_decision_is_assigned_with_its_days_and_nothing_a_person_wrote():
    portfolio = analysis.with_decisions(
        book(),
        decisions(
            decision("A", "watch", decided_on=date(2026, 1, 5)),
            decision("A", "renegotiate"),
            decision("B", "keep", review_on=None),
        ),
    )
    result = analysis.exit_review(portfolio)
    rows = {row.pop("account_id"): row for row in result.assignments().to_pylist()}
    assert rows["A"] == {
        "decision": "renegotiate",
        "decided_on": date(2026, 3, 1),
        "decision_review_on": date(2026, 9, 1),
    }
    assert rows["B"] == {
        "decision": "keep",
        "decided_on": date(2026, 3, 1),
        "decision_review_on": None,
    }
    nothing = dict.fromkeys(rows["A"])
    assert [rows[one] for one in rows if one not in "AB"] == [nothing] * (len(rows) - 2)
    (why,) = result.assigned_because(["A"])["A"]
    assert why.values == {
        "decided_on": date(2026, 3, 1),
        "decided_by": "U1",
        "action": "renegotiate",
    }
    assert result.assigned_because(["C"]) == {"C": ()}


def test_a_decision_that_nobody_we_know_signed_is_not_assigned():
    given = decisions(
        decision("A", "keep"),
        decision("A", "phase_out", decided_on=date(2026, 2, 1), decided_by="Ann Other"),
        decision("B", "phase_out", decided_by="Ann Other"),
    )
    result = analysis.exit_review(book(decision=given))
    found = dict(
        zip(*(result.assignments()[n].to_pylist() for n in ("account_id", "decision")))
    )
    assert found["A"] == "keep"
    assert "B" not in found
    assert "Ann" not in str(result.assigned_because(["A"]))


@pytest.mark.parametrize("day", [1, 2])
@pytest.mark.parametrize(
    "newer", [{"decided_by": "Left Us"}, {"action": "phase-out"}, {"reason": " "}]
)
def test_while_the_newest_decision_is_in_doubt_what_the_crm_holds_stays(newer, day):
    """Neither the one before it comes back, nor is the field emptied."""
    given = {"action": "phase_out", "decided_on": date(2026, 3, day)} | newer
    rows = [{"decided_on": date(2026, 3, 1), "action": "keep"}, given]
    decided = [decision("A", **{"action": "watch"} | row) for row in rows]
    result = analysis.exit_review(
        book(decision=decisions(*decided, decision("B", **given)))
    )
    assigned = result.assignments()["account_id"].to_pylist()
    assert not {"A", "B"} & set(assigned)
    assert "C" in assigned
    (told,) = [w for w in result.warnings if w.code == "exit_decisions_in_doubt"]
    assert told.values == {"n": 2}


def test_two_people_who_decide_differently_on_one_day_change_nothing_in_the_crm():
    rows = [decision("A", "keep"), decision("A", "phase_out"), decision("B", "keep")]
    rows += [decision("B", "phase_out", decided_on=date(2026, 2, 1))]
    result = analysis.exit_review(book(decision=decisions(*rows)))
    assigned = result.assignments()["account_id"].to_pylist()
    assert "A" not in assigned
    assert "B" in assigned
    (told,) = [w for w in result.warnings if w.code == "exit_decisions_in_doubt"]
    assert told.values == {"n": 1}


def test_where_nobody_keeps_decisions_or_knows_our_people_nothing_is_assigned():
    assert analysis.exit_review(book()).assignments() is None
    signed = analysis.with_decisions(book(), decisions(decision("A", "keep")))
    assert analysis.exit_review(signed).assignments() is not None
    known = {
        name: to_arrow(signed[name]) for name in signed.row_counts if name != "owner"
    }
    alone = Portfolio.from_frames(as_of=AS_OF, currency="EUR", **known)
    assert analysis.exit_review(alone).assignments() is None


def test_what_may_be_decided_is_what_the_field_can_hold():
    (field,) = [each for each in schema.MANAGED["account"] if each.column == "decision"]
    assert field.choices == ACTIONS
