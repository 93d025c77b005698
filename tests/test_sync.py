"""Does a night at an org do the four steps in their order, and only what they need?"""

from __future__ import annotations

from datetime import date, timedelta

import attrs
import pytest

from crm_portfolio import Portfolio, Settings, connect, samples, setup, sync
from crm_portfolio._sync import _READS, _Reader
from crm_portfolio.analysis import Quantiles, Stability, TiersSettings
from crm_portfolio.errors import SettingsError, WrongOrgError
from crm_portfolio.protocols import Connector, Metered, OfOrg
from crm_portfolio.settings import SyncSettings
from crm_portfolio.simulator import HubSpot, Salesforce

CLOSE = date(2026, 6, 30)
CRMS = {"salesforce": Salesforce, "hubspot": HubSpot}


@pytest.fixture(scope="module", params=CRMS)
def org(request):
    book = samples.book(accounts=40, opportunities=250)
    with CRMS[request.param](book.tables, currency="EUR") as pretend:
        yield request.param, pretend


@pytest.fixture
def crm(org, monkeypatch):
    """The pretend CRM with our fields in it, and a connector to it."""
    name, pretend = org
    pretend.reset()
    for variable, value in pretend.environment.items():
        monkeypatch.setenv(variable, value)
    setup(connect(name), dry_run=False)
    return name, pretend


@pytest.fixture
def settings(crm, tmp_path) -> Settings:
    return Settings(
        tiers=TiersSettings(
            method=Quantiles(4), stability=Stability(replay_from=date(2025, 6, 30))
        ),
        sync=SyncSettings(
            crm=crm[0], folder=str(tmp_path / "book"), archive=str(tmp_path / "runs")
        ),
    )


def test_thirty_nights_without_a_new_event_write_nothing(settings, crm):
    _, pretend = crm
    assert sync(settings, as_of=CLOSE).journal.counts["written"] > 20
    held = pretend.snapshot()
    for night in range(1, 31):
        run = sync(settings, as_of=CLOSE + timedelta(days=night))
        assert run.journal is None
        assert run.plan.changes == ()
    assert pretend.snapshot() == held


def test_our_own_writes_do_not_come_back_as_changes(settings, crm):
    """What was written last night has been read once more tonight, and moved nothing."""
    first = sync(settings, as_of=CLOSE)
    second = sync(settings, as_of=CLOSE)
    third = sync(settings, as_of=CLOSE)
    assert first.journal is not None
    assert second.journal is third.journal is None
    assert third.calls <= first.calls


def test_the_steps_are_told_in_their_order(settings):
    told = []
    sync(settings, as_of=CLOSE, log=lambda event, facts: told.append((event, facts)))
    names = [event for event, _ in told]
    assert names == ["started", "pulled", "analysed", "planned", "applied", "ended"]
    facts = dict(told)
    assert facts["planned"]["changes"] == sum(facts["applied"]["counts"].values())
    assert facts["ended"]["exit_code"] == 0


def test_a_connector_that_is_handed_in_is_used(settings, crm):
    given = connect(crm[0])
    nameless = attrs.evolve(settings.sync, crm="")
    run = sync(attrs.evolve(settings, sync=nameless), as_of=CLOSE, crm=given)
    assert run.calls == given.calls > 0


def test_a_run_says_all_that_monitoring_asks_for(settings):
    told = sync(settings, as_of=CLOSE).to_dict()
    assert told["counts"]["written"] == told["changes"]
    assert told["exit_code"] == 0
    assert told["plan_id"]
    assert told["refusals"] == []


def test_what_only_reads_cannot_write(crm):
    given = connect(crm[0])
    reader, before = _Reader(given), crm[1].snapshot()
    assert isinstance(reader, OfOrg)
    assert isinstance(reader, Metered)
    assert not isinstance(reader, Connector)
    public = {name for name in dir(type(given)) if not name.startswith("_")}
    assert {"write", "write_once", "provision"} <= public
    for verb in public & {"write", "write_once", "provision", "inspect"}:
        with pytest.raises(AttributeError, match="only reads"):
            getattr(reader, verb)
    assert not [name for name in _READS if name.startswith(("provision", "write_once"))]
    assert crm[1].snapshot() == before


def test_another_org_than_last_night_is_refused(settings, crm, tmp_path):
    sync(settings, as_of=CLOSE, dry_run=True)
    file = tmp_path / "book" / "portfolio.json"
    portfolio = Portfolio.load(tmp_path / "book")
    attrs.evolve(portfolio, org="another org").save(tmp_path / "other")
    file.write_bytes((tmp_path / "other" / "portfolio.json").read_bytes())
    with pytest.raises(WrongOrgError, match="another org"):
        sync(settings, as_of=CLOSE)


def test_the_org_that_is_meant_can_be_said(settings):
    meant = attrs.evolve(settings.sync, org_id="00Dnot-this-one")
    with pytest.raises(WrongOrgError, match="00Dnot-this-one"):
        sync(attrs.evolve(settings, sync=meant), as_of=CLOSE)


def test_without_a_crm_there_is_nothing_to_do():
    with pytest.raises(SettingsError, match="name no CRM"):
        sync(Settings(), as_of=CLOSE)


def test_log_in_variables_of_an_org_begin_with_its_word(settings, crm, monkeypatch):
    for name, value in crm[1].environment.items():
        monkeypatch.delenv(name)
        monkeypatch.setenv(f"WEST_{name}", value)
    west = attrs.evolve(settings.sync, environment="WEST_")
    run = sync(attrs.evolve(settings, sync=west), as_of=CLOSE, dry_run=True)
    assert run.plan_file is not None
    with pytest.raises(SettingsError):
        sync(settings, as_of=CLOSE)
