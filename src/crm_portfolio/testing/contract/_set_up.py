"""Does a connector set up its fields once, and tell what a set-up lacks?"""

from __future__ import annotations

from typing import cast

import pytest

from crm_portfolio.protocols import Connector, Inspectable, Provisioner
from crm_portfolio.schema import HUMAN, MANAGED
from crm_portfolio.testing.contract._given import GivenCrm, Opened
from crm_portfolio.testing.contract._pretend import Pretend
from crm_portfolio.testing.contract._rows import latest

__all__ = ["SetsUp"]

_FIELDS = (*MANAGED["account"], *HUMAN["account"])


class SetsUp(GivenCrm):
    """Provisioner and Inspectable, where a connector is that."""

    def test_what_is_set_up_is_left_alone(
        self, crm: Connector, pretend: Pretend
    ) -> None:
        if not isinstance(crm, Provisioner):
            pytest.skip("this connector does not set up fields")
        before = pretend.state()
        states = {step.state for step in crm.provision(_FIELDS, dry_run=False)}
        assert states == {"present"}, f"all was there, and a second setting up {states}"
        assert pretend.state() == before, "setting up again changed accounts"

    def test_a_dry_run_sets_up_nothing_and_a_real_one_all(self, bare: Opened) -> None:
        crm = cast("Connector", bare())
        if not isinstance(crm, Provisioner):
            pytest.skip("this connector does not set up fields")
        ours = {field.column for field in _FIELDS}
        steps = list(crm.provision(_FIELDS, dry_run=True))
        assert any(step.state == "planned" for step in steps), "nothing was planned"
        assert all(step.state != "done" for step in steps), "a dry run did something"
        there = ours & set(cast("Connector", bare()).tables()["account"])
        assert not there, f"a dry run made {sorted(there)}"
        done = list(crm.provision(_FIELDS, dry_run=False))
        assert any(step.state == "done" for step in done), "a real run did nothing"
        lacking = ours - set(crm.tables()["account"])
        assert not lacking, f"after the setting up {sorted(lacking)} are not there"
        again = {step.state for step in crm.provision(_FIELDS, dry_run=False)}
        assert again == {"present"}, f"a second setting up did {again}"

    def test_an_inspection_is_safe_to_paste_and_changes_nothing(
        self, crm: Connector, pretend: Pretend
    ) -> None:
        if not isinstance(crm, Inspectable):
            pytest.skip("this connector does not inspect its set-up")
        before = pretend.state()
        findings = list(crm.inspect())
        assert findings, "an inspection finds something, if only that all is good"
        for finding in findings:
            assert finding.what, "say of each finding what was looked at"
            assert finding.state == "good" or finding.mend, f"{finding}: say what to do"
            assert not self.shows_a_secret(finding.what, finding.mend), (
                "a finding shows a secret"
            )
        names = latest(list(crm.pull("account", columns=["name"])), "name").values()
        shown = "\n".join(finding.what + finding.mend for finding in findings)
        named = [name for name in names if name and str(name) in shown]
        assert not named, "a finding shows a customer's name"
        assert pretend.state() == before, "an inspection changed accounts"

    def test_an_inspection_names_the_fields_that_lack(self, bare: Opened) -> None:
        crm = bare()
        if not isinstance(crm, Inspectable):
            pytest.skip("this connector does not inspect its set-up")
        assert any(finding.state != "good" for finding in crm.inspect()), (
            "the managed fields are not there, and the inspection finds all good"
        )
