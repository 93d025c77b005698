"""What lacks is named before a night finds it out, and nothing secret is shown."""

from __future__ import annotations

import pyarrow as pa
import pytest

from crm_portfolio.protocols import Inspectable
from crm_portfolio.simulator import Salesforce as Simulator


def found(crm) -> dict[str, tuple[str, str]]:
    return {finding.what: (finding.state, finding.mend) for finding in crm.inspect()}


def missing(crm) -> list[str]:
    return [what for what, (state, _) in found(crm).items() if state == "missing"]


def test_a_set_up_that_is_whole_lacks_nothing(crm) -> None:
    assert isinstance(crm, Inspectable)
    assert missing(crm) == []
    assert found(crm)["API version 66.0"] == ("good", "")
    assert "table account: 26 columns" in found(crm)


def test_fields_that_setup_makes_are_named(org, connected) -> None:
    lacking = missing(connected(org))
    assert "field Account.Portfolio_Tier__c" in lacking
    _, mend = found(connected(org))["field Account.Portfolio_Tier__c"]
    assert "setup" in mend


@pytest.mark.parametrize(
    ("right", "what", "named"),
    [
        ("Read Opportunity", "table opportunity", "Read on Opportunity"),
        ("Read User", "table owner", "View Setup and Configuration"),
        ("Read OpportunityStage", "table stage", "View Setup and Configuration"),
    ],
)
def test_a_right_that_is_missing_is_named(
    org, crm, connected, right, what, named
) -> None:
    org.revoke_right(right)
    state, mend = found(connected(org))[what]
    assert state == "missing"
    assert named in mend


def test_of_all_tables_one_that_cannot_be_read_is_a_warning(
    org, crm, connected
) -> None:
    org.revoke_right("Read Case")
    state, mend = found(connected(org, tables="all"))["table ticket"]
    assert state == "warning"
    assert "Read on Case" in mend


def test_opportunities_are_not_looked_at_where_nobody_asked_for_them(
    org, crm, connected
) -> None:
    before = org.calls["GET sobjects/{object}/describe"]
    told = found(connected(org, tables=("account",), loss_reason="Lost_Because__c"))
    assert not any("Opportunity" in what for what in told)
    assert org.calls["GET sobjects/{object}/describe"] - before == 1


def test_a_hidden_field_is_named(org, crm, connected) -> None:
    org.hide_field("Opportunity", "NextStep")
    what = "column opportunity.next_step: Opportunity.NextStep"
    assert found(connected(org))[what][0] == "warning"
    org.hide_field("Opportunity", "Amount")
    assert "table opportunity: field Amount" in missing(connected(org))


def test_tiers_that_a_picklist_lacks_are_named(org, crm, connected) -> None:
    org.change_field("Account", "Portfolio_Tier__c", values=("A", "B"))
    lacking = missing(connected(org))
    assert "field Account.Portfolio_Tier__c: options C, D, new, none" in lacking


def test_versions_that_end_are_named(org, connected) -> None:
    state, mend = found(connected(org, api_version="40.0"))["API version 40.0"]
    assert state == "warning"
    assert "Summer '28" in mend
    assert found(connected(org, api_version="40.0"))["Bulk API 2.0"][0] == "warning"


def test_a_login_that_ends_is_named(org, connected) -> None:
    crm = connected(org)
    crm._login = type(
        "Old", (), {"retires": "it ends in Summer '27", "is_renewable": True}
    )()
    findings = crm.inspect()
    next(findings)
    finding = next(findings)
    assert (finding.what, finding.state) == ("log-in: Old", "warning")
    assert "Summer '27" in finding.mend


def test_several_loss_reasons_are_named(connected) -> None:
    deals = pa.table(
        {
            "opportunity_id": ["1"],
            "status": ["open"],
            "loss_reason": ["Price"],
            "Lost_Reason": ["Price"],
        }
    )
    with Simulator(
        {"account": pa.table({"account_id": ["A"]}), "opportunity": deals}
    ) as org:
        named = [what for what in missing(connected(org)) if "loss reason" in what]
    assert named == ["loss reason: Loss_Reason__c, Lost_Reason__c"] or named == [
        "loss reason: Lost_Reason__c, Loss_Reason__c"
    ]


def test_nothing_secret_is_shown(org, connected) -> None:
    shown = str(list(connected(org, tables="all").inspect()))
    for name, secret in org.environment.items():
        if name != "SALESFORCE_INSTANCE_URL":
            assert secret not in shown
