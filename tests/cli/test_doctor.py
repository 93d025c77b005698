"""Does `doctor` end as its findings say, for people and for programs?"""

from __future__ import annotations

import json

from crm_portfolio.simulator import Salesforce


def test_it_says_what_lacks_and_ends_in_two(shell, crm: Salesforce) -> None:
    result = shell("doctor", "salesforce")
    assert result.exit_code == 2
    assert "LACKS field Account.Portfolio_Tier__c" in result.stdout


def test_a_program_reads_the_same(shell, crm: Salesforce) -> None:
    shell("setup", "salesforce", "--apply")
    result = shell("doctor", "salesforce", "--output", "json")
    assert result.exit_code == 0, result.stderr
    said = json.loads(result.stdout)
    assert said["is_good"] is True
    assert {row["state"] for row in said["findings"]} <= {"good", "warning"}
    rows = shell("doctor", "salesforce", "--output", "csv").stdout.splitlines()
    assert rows[0] == "state,what,mend"
    assert len(rows) == len(said["findings"]) + 1
