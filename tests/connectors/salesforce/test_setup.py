"""The org gets what it lacks, once, and nothing that exists is altered."""

from __future__ import annotations

import contextlib
from collections import Counter

import attrs
import pytest

from crm_portfolio import schema
from crm_portfolio.errors import RightMissingError, TransientError
from crm_portfolio.protocols import Change
from crm_portfolio.simulator import Fault
from crm_portfolio.simulator import Salesforce as Simulator
from crm_portfolio.simulator.salesforce import Assumptions

FIELDS = (*schema.MANAGED["account"], *schema.HUMAN["account"])
# Each field is made and granted, those of people twice, besides two sets and who has them.
TOTAL = 2 * len(FIELDS) + len(schema.HUMAN["account"]) + 3
TIER = {"label": "Tier", "type": "Text", "length": 20}


def steps(crm, *, dry_run: bool = False, fields=FIELDS) -> list:
    return list(crm.provision(fields, dry_run=dry_run))


def states(found: list) -> Counter:
    return Counter(step.state for step in found)


def test_a_dry_run_plans_all_and_does_nothing(org, connected) -> None:
    before = org.snapshot(audit=True)
    planned = steps(connected(org), dry_run=True)
    assert states(planned) == {"planned": TOTAL}
    assert all(step.needs for step in planned)
    assert org.snapshot(audit=True) == before
    assert not any(route.startswith(("POST sobj", "POST tool")) for route in org.calls)


def test_fields_are_made_and_seen_and_may_be_written(org, connected) -> None:
    crm = connected(org)
    assert "tier" not in crm.tables()["account"]
    assert states(steps(crm)) == {"done": TOTAL}
    columns = crm.tables()["account"]
    assert {field.column for field in FIELDS} <= set(columns)
    described = {field["name"]: field for field in crm._rest.describe("Account")}
    editable = {name for name, field in described.items() if field["updateable"]}
    assert "Portfolio_Tier__c" in editable
    assert "Portfolio_Tier_Pinned__c" not in editable  # people pin, the job only reads
    share = described["Portfolio_Revenue_Share__c"]
    assert (share["type"], share["precision"], share["scale"]) == ("double", 18, 6)
    options = [
        value["value"] for value in described["Portfolio_Tier__c"]["picklistValues"]
    ]
    assert options == ["A", "B", "C", "D", "new", "none"]
    assert described["Portfolio_Tier__c"]["restrictedPicklist"]


def test_what_is_planned_is_what_is_done(org, connected) -> None:
    crm = connected(org)
    planned = [(step.what, step.needs) for step in steps(crm, dry_run=True)]
    assert [(step.what, step.needs) for step in steps(crm)] == planned


def test_a_second_time_finds_everything_present(org, crm) -> None:
    before = org.snapshot(audit=True)
    assert states(steps(crm)) == {"present": TOTAL}
    assert org.snapshot(audit=True) == before


def test_a_run_that_broke_off_is_taken_up_where_it_was(org, connected) -> None:
    crm = connected(org)
    begun = crm.provision(FIELDS, dry_run=False)
    for _ in range(17):
        next(begun)
    begun.close()
    again = steps(connected(org))
    # The fields that were made but not granted are still hidden, and said to be there.
    assert states(again) == {"present": 17, "done": TOTAL - 17}
    assert "tier" in connected(org).tables()["account"]


@pytest.mark.parametrize("call", range(2, 34, 3))
def test_a_setup_whose_answer_was_lost_is_safe_to_run_again(
    org, connected, call
) -> None:
    org.fault(Fault(at_call=call, kind="reset_after_write"))
    with contextlib.suppress(TransientError):
        steps(connected(org))
    steps(connected(org))
    assert states(steps(connected(org))) == {"present": TOTAL}
    objects = org.snapshot()
    assert len(objects["PermissionSet"]) == 2
    assert len(objects["FieldPermissions"]) == len(FIELDS) + len(
        schema.HUMAN["account"]
    )
    assert len(objects["PermissionSetAssignment"]) == 1


@pytest.mark.parametrize("code", ["DUPLICATE_DEVELOPER_NAME", "DUPLICATE_VALUE"])
def test_a_name_that_is_taken_may_be_said_either_way(connected, code) -> None:
    with Simulator(assumptions=Assumptions(duplicate_field_code=code)) as org:
        begun = connected(org).provision(FIELDS, dry_run=False)
        next(begun)
        begun.close()
        assert steps(connected(org))[0].state == "present"


@pytest.mark.parametrize(
    "right",
    [
        "Customize Application",
        "Manage Profiles and Permission Sets",
        "Assign Permission Sets",
    ],
)
def test_the_right_that_is_missing_is_named(org, connected, right) -> None:
    org.revoke_right(right)
    with pytest.raises(RightMissingError, match=f"'{right}'"):
        steps(connected(org))


def test_a_field_of_another_kind_is_reported_and_left_alone(connected) -> None:
    with Simulator(fields={"Account.Portfolio_Rank__c": TIER}) as org:
        before = org.snapshot(audit=True)
        found = {step.what: step for step in steps(connected(org), dry_run=True)}
        wrong = found["Account.Portfolio_Rank__c has type string, not Number"]
        assert (wrong.state, wrong.needs[:7]) == ("planned", "by hand")
        assert len(found) > 20
        # What is not planned is not done: nothing is made beside a field that will not do.
        assert steps(connected(org)) == [wrong]
        assert org.snapshot(audit=True) == before


def test_a_hidden_field_of_another_kind_is_found_once_it_is_granted(
    connected,
) -> None:
    with Simulator(fields={"Account.Portfolio_Rank__c": TIER}) as org:
        org.hide_field("Account", "Portfolio_Rank__c")
        last = steps(connected(org))[-1]
        assert last.what == "Account.Portfolio_Rank__c has type string, not Number"


def test_an_option_that_is_missing_is_reported_and_not_added(org, crm) -> None:
    tier = attrs.evolve(FIELDS[0], choices=(*FIELDS[0].choices, "E"))
    before = org.snapshot(audit=True)
    found = steps(crm, fields=(tier, *FIELDS[1:]))
    (missing,) = [step for step in found if step.state != "present"]
    assert missing.what == "option 'E' of Account.Portfolio_Tier__c"
    assert missing.needs.startswith("by hand")
    assert org.snapshot(audit=True) == before


def test_a_grant_that_only_reads_is_widened(org, crm) -> None:
    (grant,) = [
        record_id
        for record_id, record in org.snapshot()["FieldPermissions"].items()
        if record["Field"] == "Account.Portfolio_Tier__c"
    ]
    org.edit("FieldPermissions", grant, {"PermissionsEdit": False})
    found = steps(crm)
    assert [step.what for step in found if step.state == "done"] == [
        "Portfolio_Nightly may edit Account.Portfolio_Tier__c"
    ]
    change = Change(org.ids("account")["A1"], "tier", None, "A")
    assert [outcome.state for outcome in crm.write("account", [change])] == ["written"]
