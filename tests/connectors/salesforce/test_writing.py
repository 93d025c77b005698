"""Every change comes back in exactly one state, and only our fields are ever written."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date

import pytest

from crm_portfolio import schema
from crm_portfolio.errors import (
    FieldNotFoundError,
    LoginError,
    RightMissingError,
    SettingsError,
    TransientError,
)
from crm_portfolio.protocols import Change, Outcome
from crm_portfolio.simulator import Fault

FIELDS = [
    {"name": name, "type": "string", "updateable": True}
    for name in ("Id", "Portfolio_Tier__c", "Portfolio_Dependence__c")
]


def tier(record_id: str, after: str | None) -> Change:
    return Change(record_id, "tier", None, after)


def states(outcomes: list[Outcome]) -> Counter:
    return Counter(outcome.state for outcome in outcomes)


def collected(outcomes) -> tuple[list[Outcome], Exception | None]:
    """What came before the error, and the error."""
    came = []
    try:
        for outcome in outcomes:
            came.append(outcome)
    except Exception as error:
        return came, error
    return came, None


def written_calls(org) -> int:
    return org.calls.get("PATCH composite/sobjects", 0)


def test_values_of_every_type_arrive_and_come_back(org, crm) -> None:
    record = org.ids("account")["A1"]
    values = {
        "tier": "B",
        "tier_since_on": date(2026, 6, 30),
        "portfolio_rank": 12,
        "revenue_share": 0.000001,
        "dependence": "major",
        "portfolio_stamp": 'v1:é\n"x":abc',
    }
    changes = [Change(record, column, None, value) for column, value in values.items()]
    assert [outcome.state for outcome in crm.write("account", changes)] == [
        "written"
    ] * 6
    assert written_calls(org) == 1
    (row,) = crm.read("account", [record], list(values)).to_pylist()
    assert row == {"account_id": record, **values}


def test_null_clears_a_field_and_a_column_that_is_not_sent_stays(org, crm) -> None:
    record = org.ids("account")["A1"]
    first = [tier(record, "A"), Change(record, "dependence", None, "none")]
    list(crm.write("account", first))
    list(crm.write("account", [tier(record, None)]))
    (row,) = crm.read("account", [record], ["tier", "dependence"]).to_pylist()
    assert (row["tier"], row["dependence"]) == (None, "none")


def test_nothing_else_in_the_org_changes(org, crm) -> None:
    before = org.snapshot()
    ids = org.ids("account")
    list(crm.write("account", [tier(ids["A1"], "A"), tier(ids["A2"], "C")]))
    after = org.snapshot()
    assert after["Account"][ids["A1"]].pop("Portfolio_Tier__c") == "A"
    assert after["Account"][ids["A2"]].pop("Portfolio_Tier__c") == "C"
    # The history that Salesforce keeps of our own fields, and of nothing else.
    told = after.pop("AccountHistory").values()
    assert {row["Field"] for row in told} == {"Portfolio_Tier__c"}
    assert not before.pop("AccountHistory")
    assert after == before


def test_two_hundred_records_go_in_one_call(big_org, big_crm) -> None:
    ids = list(big_org.ids("account").values())[:401]
    changes = [tier(record, "A") for record in ids]
    changes += [Change(record, "portfolio_rank", None, 7) for record in ids]
    outcomes = list(big_crm.write("account", changes))
    assert states(outcomes) == {"written": 802}
    assert {outcome.change for outcome in outcomes} == set(changes)
    assert written_calls(big_org) == 3


def test_no_change_is_no_call(org, crm) -> None:
    before = org.api_calls
    assert list(crm.write("account", [])) == []
    assert org.api_calls == before


def test_a_refused_record_leaves_the_others_written(org, crm) -> None:
    ids = org.ids("account")
    org.delete("Account", ids["A3"])
    changes = [
        tier(ids["A0"], "A"),
        tier(ids["A1"], "PLANTED"),
        Change(ids["A1"], "portfolio_rank", None, 1),
        tier(ids["A3"], "A"),
        tier("001000000000000AAA", "A"),
        tier("nonsense", "A"),
    ]
    outcomes = list(crm.write("account", changes))
    assert [outcome.change for outcome in outcomes] == changes
    said = [(outcome.state, outcome.code) for outcome in outcomes]
    picklist = ("rejected", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST")
    assert said == [
        ("written", ""),
        picklist,
        picklist,
        ("gone", "ENTITY_IS_DELETED"),
        ("gone", "INVALID_CROSS_REFERENCE_KEY"),
        ("gone", "MALFORMED_ID"),
    ]
    refused = outcomes[1].message
    assert refused == "the value is not one of the options (Portfolio_Tier__c)"
    assert "PLANTED" not in repr([outcome.message for outcome in outcomes])


@pytest.mark.parametrize(
    "column",
    ["name", "tier_pinned", "tier_pinned_by", "account_id", "owner_id", "nonsense"],
)
def test_a_field_that_is_not_ours_is_never_written(org, crm, column) -> None:
    before = org.snapshot(audit=True)
    changes = [tier(org.ids("account")["A1"], "A")]
    changes += [Change(org.ids("account")["A1"], column, None, "x")]
    with pytest.raises(SettingsError, match="not a field that we write"):
        crm.write("account", changes)
    assert org.snapshot(audit=True) == before


def test_fields_that_the_org_lacks_are_said_before_anything_is_sent(
    org, connected
) -> None:
    with pytest.raises(FieldNotFoundError, match="setup"):
        connected(org).write("account", [tier("001", "A")])
    assert written_calls(org) == 0


def test_a_missing_right_to_edit_is_named_before_anything_is_sent(
    org, crm, connected
) -> None:
    org.revoke_right("Edit Account")
    with pytest.raises(RightMissingError, match="'Edit on Account'"):
        connected(org).write("account", [tier(org.ids("account")["A1"], "A")])
    assert written_calls(org) == 0


def test_a_lost_answer_is_asked_for_again_because_the_same_value_harms_nothing(
    org, crm
) -> None:
    record = org.ids("account")["A1"]
    list(crm.write("account", [tier(record, "A")]))
    org.fault(Fault(at_call=org.api_calls + 1, kind="reset_after_write"))
    assert states(crm.write("account", [tier(record, "B")])) == {"written": 1}
    assert org.record("Account", record)["Portfolio_Tier__c"] == "B"


@pytest.mark.parametrize("kind", ["reset_after_write", "reset", "server_error"])
def test_changes_whose_answer_stays_lost_are_unknown_and_then_the_run_ends(
    big_org, big_crm, kind
) -> None:
    ids = list(big_org.ids("account").values())[:500]
    big_crm.tables()
    fault = Fault(at_call=big_org.api_calls + 2, kind=kind, calls=99)
    big_org.fault(fault)
    changes = [tier(record, "A") for record in ids]
    came, error = collected(big_crm.write("account", changes))
    assert isinstance(error, TransientError)
    assert states(came) == {"written": 200, "unknown": 200}
    assert [outcome.change for outcome in came] == changes[:400]
    assert written_calls(big_org) == 1 + 3
    done = sum(
        "Portfolio_Tier__c" in record
        for record in big_org.snapshot()["Account"].values()
    )
    assert done == (400 if kind == "reset_after_write" else 200)


def test_a_spent_quota_leaves_nothing_unknown(big_org, big_crm) -> None:
    ids = list(big_org.ids("account").values())[:300]
    big_crm.tables()
    big_org.fault(Fault(at_call=big_org.api_calls + 2, kind="over_quota", calls=99))
    came, error = collected(big_crm.write("account", [tier(i, "A") for i in ids]))
    assert states(came) == {"written": 200}
    assert isinstance(error, TransientError)
    assert error.code == "REQUEST_LIMIT_EXCEEDED"
    assert written_calls(big_org) == 2


def test_a_session_that_expires_between_two_calls_is_renewed(big_org, big_crm) -> None:
    ids = list(big_org.ids("account").values())[:300]
    outcomes = []
    for outcome in big_crm.write("account", [tier(record, "A") for record in ids]):
        outcomes.append(outcome)
        if len(outcomes) == 200:
            big_org.expire_tokens()
    assert states(outcomes) == {"written": 300}
    assert big_org.calls["POST oauth2/token"] == 2


def test_a_session_that_ends_for_good_after_a_lost_answer_leaves_it_unknown(
    strange,
) -> None:
    strange.says({"fields": FIELDS})
    crm = strange.connector()
    outcomes = crm.write("account", [tier("001000000000001AAA", "A")])
    lost = iter([None])
    expired = b'[{"errorCode": "INVALID_SESSION_ID", "message": "no"}]'
    strange.answer = lambda _path: next(lost, (401, expired))
    came, error = collected(outcomes)
    assert states(came) == {"unknown": 1}
    assert isinstance(error, LoginError)


NAMES = ("Portfolio_Tier_Since__c", "Portfolio_Rank__c", "Portfolio_Revenue_Share__c")
RECORD = "001000000000001AAA"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            [{"id": "001000000000002AAA", "success": True, "errors": []}],
            ("gone", ""),
        ),
        ([{"id": RECORD[:15], "success": True, "errors": []}], ("written", "")),
        ([{"success": True}], ("gone", "")),
        ([{"success": False}], ("rejected", "")),
        (
            [
                {
                    "success": False,
                    "errors": [{"statusCode": "<b>", "message": "PLANTED"}],
                }
            ],
            ("rejected", ""),
        ),
        (
            [
                {
                    "success": False,
                    "errors": [{"statusCode": "X_Y", "fields": ["Notes__c"]}],
                }
            ],
            ("rejected", "X_Y"),
        ),
    ],
)
def test_each_answer_is_one_outcome(strange, answer, said) -> None:
    strange.says({"fields": FIELDS}, answer)
    (outcome,) = strange.connector().write("account", [tier(RECORD, "A")])
    assert (outcome.state, outcome.code) == said
    assert "PLANTED" not in outcome.message
    assert "Notes__c" not in outcome.message


def test_a_call_holds_what_changes_and_nothing_else(strange) -> None:
    described = [*FIELDS, *({**FIELDS[0], "name": name} for name in NAMES)]
    strange.says({"fields": described}, [{"id": RECORD, "success": True}])
    changes = [
        tier(RECORD, None),
        Change(RECORD, "tier_since_on", None, date(2026, 2, 28)),
        Change(RECORD, "portfolio_rank", None, 3),
        Change(RECORD, "revenue_share", None, 1e-06),
    ]
    list(strange.connector().write("account", changes))
    assert json.loads(strange.bodies[-1]) == {
        "allOrNone": False,
        "records": [
            {
                "attributes": {"type": "Account"},
                "id": RECORD,
                "Portfolio_Tier__c": None,
                "Portfolio_Tier_Since__c": "2026-02-28",
                "Portfolio_Rank__c": 3,
                "Portfolio_Revenue_Share__c": 1e-06,
            }
        ],
    }


@pytest.mark.parametrize("answer", [[], [{"success": True}] * 2, {}, "OK", [[]] * 3])
def test_an_answer_that_does_not_match_what_was_sent_proves_nothing(
    strange, answer
) -> None:
    strange.says({"fields": FIELDS}, answer)
    came, error = collected(strange.connector().write("account", [tier(RECORD, "A")]))
    assert states(came) == {"unknown": 1}
    assert isinstance(error, TransientError)
    assert len(strange.paths) == 1 + 3


def test_a_record_that_someone_holds_is_sent_again_and_no_other(strange) -> None:
    other = "001000000000002AAA"
    locked = {"success": False, "errors": [{"statusCode": "UNABLE_TO_LOCK_ROW"}]}
    strange.says(
        {"fields": FIELDS},
        [{"id": RECORD, "success": True}, locked],
        [{"id": other, "success": True}],
    )
    changes = [tier(RECORD, "A"), tier(other, "A")]
    assert states(strange.connector().write("account", changes)) == {"written": 2}
    assert len(strange.paths) == 3


def test_a_record_that_someone_holds_for_long_is_rejected_as_locked(strange) -> None:
    locked = {"success": False, "errors": [{"statusCode": "UNABLE_TO_LOCK_ROW"}]}
    strange.says({"fields": FIELDS}, [locked])
    (outcome,) = strange.connector().write("account", [tier(RECORD, "A")])
    assert (outcome.state, outcome.code) == ("rejected", "UNABLE_TO_LOCK_ROW")
    assert len(strange.paths) == 1 + 3


def test_every_managed_field_has_a_name_in_the_crm() -> None:
    from crm_portfolio.connectors.salesforce._fields import OUR_FIELDS

    columns = [
        field.column for field in (*schema.MANAGED["account"], *schema.HUMAN["account"])
    ]
    assert list(OUR_FIELDS["account"]) == columns
    assert len(set(OUR_FIELDS["account"].values())) == len(columns)
