"""Two applies never write to one org at once, even when the first was only stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crm_portfolio import simulator
from crm_portfolio.archive import Archive
from crm_portfolio.connectors.salesforce import Salesforce
from crm_portfolio.errors import LockHeldError
from crm_portfolio.writeback import Limits, Plan, apply, plan

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")

Wanted = Callable[..., Any]
WRITE = "PATCH composite/sobjects"

# A night that writes two accounts at a time, on its way through the real connector.
NIGHT = """
    import sys
    from crm_portfolio.archive import Archive
    from crm_portfolio.connectors.salesforce import Salesforce
    from crm_portfolio.errors import CrmPortfolioError
    from crm_portfolio.protocols import Forecast
    from crm_portfolio.writeback import Plan, apply

    class InTwos(Salesforce):
        def write_batch(self, count): return 2
        def write_forecast(self, count): return Forecast({})

    from crm_portfolio.connectors.salesforce import ClientCredentials
    url, client, secret, folder, file = sys.argv[1:]
    crm = InTwos(ClientCredentials(url, client, secret))
    archive, proposal = Archive(folder), Plan.load(file)
    try:
        with archive.lock(proposal.header.org, proposal.id, lease_seconds=0.5) as lease:
            apply(proposal, crm, archive=archive, lease=lease)
    except CrmPortfolioError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
"""


@pytest.fixture(scope="module")
def account_count() -> int:
    return 120


@pytest.fixture
def proposal(crm: Salesforce, ids: list[str], wanted: Wanted) -> Plan:
    limits = Limits(canary_count=0, canary_share=0)
    return plan([wanted({i: {"tier": "A"} for i in ids[:100]})], crm, limits=limits)


@pytest.fixture
def night(
    sim: simulator.Salesforce, archive: Archive, proposal: Plan, tmp_path: Path
) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that writes the plan, once it has begun to write."""
    file = tmp_path / "plan.jsonl"
    proposal.save(file)
    there = sim.environment
    names = ("INSTANCE_URL", "CLIENT_ID", "CLIENT_SECRET")
    told = [there[f"SALESFORCE_{name}"] for name in names]
    command = [sys.executable, "-c", textwrap.dedent(NIGHT), *told]
    process = subprocess.Popen(
        [*command, str(archive.folder), str(file)], stderr=subprocess.PIPE, text=True
    )
    try:
        until = time.monotonic() + 60
        while written(sim) < 4 and time.monotonic() < until:
            time.sleep(0.002)
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()


def written(sim: simulator.Salesforce) -> int:
    """Accounts that carry our tier."""
    accounts = sim.snapshot()["Account"].values()
    return sum(1 for each in accounts if each.get("Portfolio_Tier__c"))


def test_a_second_apply_is_told_who_is_at_the_org(
    crm: Salesforce,
    archive: Archive,
    proposal: Plan,
    night: subprocess.Popen[str],
) -> None:
    with pytest.raises(LockHeldError, match=f"run {proposal.id} .process {night.pid} "):
        apply(proposal, crm, archive=archive)


def test_a_run_that_stood_still_finishes_its_batch_and_writes_no_other(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    wanted: Wanted,
    proposal: Plan,
    night: subprocess.Popen[str],
) -> None:
    night.send_signal(signal.SIGSTOP)
    time.sleep(0.6)
    other = plan([wanted({ids[-1]: {"tier": "B"}})], crm)
    with archive.lock(other.header.org, other.id) as lease:
        before = written(sim)
        assert 0 < before < 100
        night.send_signal(signal.SIGCONT)
        told = night.communicate()[1]
        assert night.returncode == 6, told
        assert written(sim) - before <= 2
        assert f"run {other.id} " in told
        assert apply(other, crm, archive=archive, lease=lease).exit_code == 0
    # Its journal says how far it came, and the same plan goes on from there.
    assert archive.journal(proposal.id).exit_code == 5
    assert archive.verify().exit_code == 0
    assert apply(proposal, crm, archive=archive).exit_code == 0
    assert written(sim) == 101


def test_a_run_that_another_process_finished_meanwhile_writes_no_more(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    proposal: Plan,
    night: subprocess.Popen[str],
) -> None:
    night.send_signal(signal.SIGSTOP)
    time.sleep(0.6)
    finished = apply(proposal, crm, archive=archive)
    assert (finished.exit_code, written(sim)) == (0, 100)
    night.send_signal(signal.SIGCONT)
    told = night.communicate()[1]
    assert night.returncode == 6, told
    assert "writes nothing more" in told
    assert archive.journal(proposal.id).counts == {"written": 200}
    assert [run.state for run in archive.verify().runs] == ["whole"]
