"""Does `setup` change a CRM only when it is told to?"""

from __future__ import annotations

import json

from crm_portfolio.simulator import Salesforce


def test_it_only_looks_unless_told_to_apply(shell, crm: Salesforce) -> None:
    before = crm.snapshot(audit=True)
    result = shell("setup", "salesforce")
    assert result.exit_code == 0, result.stderr
    assert "planned" in result.stdout
    assert "--apply" in result.stdout
    assert crm.snapshot(audit=True) == before


def test_it_creates_the_fields_once(shell, crm: Salesforce) -> None:
    first = shell("setup", "salesforce", "--apply", "--output", "json")
    assert first.exit_code == 0, first.stderr
    assert {step["state"] for step in json.loads(first.stdout)["steps"]} == {"done"}
    again = shell("setup", "salesforce", "--output", "json")
    assert {step["state"] for step in json.loads(again.stdout)["steps"]} == {"present"}
    assert "--apply" not in again.stderr
    assert "crm-portfolio pull salesforce" in again.stderr


def test_a_missing_right_is_named(shell, crm: Salesforce) -> None:
    crm.revoke_right("Customize Application")
    result = shell("setup", "salesforce", "--apply")
    assert result.exit_code == 2
    assert "Customize Application" in result.stderr


def test_tiers_of_the_settings_become_the_choices(
    shell, crm: Salesforce, settings_file
) -> None:
    file = settings_file("[tiers]\ncount = 2")
    assert shell("setup", "salesforce", "--apply", "--settings", file).exit_code == 0
    account = crm.ids("account")["A0000000"]
    crm.edit("Account", account, {"Portfolio_Tier__c": "B"})
    assert crm.record("Account", account)["Portfolio_Tier__c"] == "B"
