"""The CRM gets our fields once, and says what it lacks before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest

from crm_portfolio import simulator
from crm_portfolio.connectors import connect
from crm_portfolio.connectors.salesforce import Salesforce
from crm_portfolio.errors import SettingsError
from crm_portfolio.writeback import apply, plan, setup


@pytest.fixture
def bare() -> Iterator[simulator.Salesforce]:
    tables: Any = {"account": pa.table({"account_id": ["a", "b"], "name": ["A", "B"]})}
    with simulator.Salesforce(tables) as started:
        yield started


def test_a_dry_run_says_what_is_missing_and_changes_nothing(
    bare: simulator.Salesforce, connected: Callable[..., Salesforce]
) -> None:
    before = bare.snapshot(audit=True)
    report = setup(connected(bare))
    assert bare.snapshot(audit=True) == before
    assert not report.is_complete
    assert {step.state for step in report.steps} == {"planned"}
    assert "  planned  field Account.Portfolio_Tier__c (needs Customize Appl" in str(
        report
    )
    assert str(report).endswith("to do: setup(crm, dry_run=False), or `setup --apply`.")


def test_after_it_the_fields_can_be_written_and_a_second_time_changes_nothing(
    bare: simulator.Salesforce,
    connected: Callable[..., Salesforce],
    wanted: Callable[..., Any],
    archive: Any,
) -> None:
    crm = connected(bare)
    report = setup(crm, tiers=("gold", "rest"), dry_run=False)
    assert report.is_complete
    assert str(report).endswith(f"All is there; {len(report.steps)} done now.")
    again = setup(connected(bare), tiers=("gold", "rest"), dry_run=False)
    assert {step.state for step in again.steps} == {"present"}
    one, two = bare.ids("account").values()
    proposal = plan([wanted({one: {"tier": "gold"}, two: {"tier": "A"}})], crm)
    journal = apply(proposal, crm, archive=archive)
    states = {e.change.record_id: e.state for e in journal.entries}
    assert states == {one: "written", two: "rejected"}


@pytest.mark.parametrize("tiers", [(), ("A", "A"), ("A", "new"), ("none",), ("A", " ")])
def test_tiers_that_cannot_be_are_refused(
    tiers: tuple[str, ...], crm: Salesforce
) -> None:
    with pytest.raises(SettingsError, match="one or more different names"):
        setup(crm, tiers=tiers)


def test_a_folder_cannot_be_set_up(tmp_path: Any) -> None:
    (tmp_path / "account.csv").write_text("account_id,name\n1,A\n")
    files: Any = connect("files", tmp_path)
    with pytest.raises(SettingsError, match="files cannot be set up"):
        setup(files)
