"""Does a night at an org do the four steps in their order, and only what they need?"""

from __future__ import annotations

import inspect
from datetime import date, timedelta

import attrs
import duckdb
import pytest

from crm_portfolio import (
    Archive,
    Limits,
    Portfolio,
    Settings,
    _sync,
    analyse,
    connect,
    samples,
    setup,
    sync,
)
from crm_portfolio._frames import backend_of, to_arrow
from crm_portfolio._sync import _READS, _Reader
from crm_portfolio.analysis import Quantiles, Stability, TiersSettings
from crm_portfolio.analysis._dangers import COMPONENTS
from crm_portfolio.connectors._retry import RetrySettings
from crm_portfolio.connectors.hubspot import HubSpotSettings
from crm_portfolio.errors import LockHeldError, SettingsError, WrongOrgError
from crm_portfolio.protocols import Connector, Metered, OfOrg
from crm_portfolio.settings import SyncSettings
from crm_portfolio.simulator import Fault, HubSpot, Salesforce
from crm_portfolio.writeback import WriteSettings

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


OF_RISK = {"risk_level", "risk_reasons", "portfolio_stamp"}
ACCOUNTS = {"salesforce": "Account", "hubspot": "companies"}
OPPORTUNITIES = {"salesforce": "Opportunity", "hubspot": "deals"}
ALSO = ("lost_class", "win_back")


def dangers(run) -> dict[str, tuple[str | None, ...]]:
    """The level of each component, by account."""
    frame = to_arrow(run.findings["risk"].frame)
    columns = [frame[f"{name}_level"].to_pylist() for name in COMPONENTS]
    return dict(zip(frame["account_id"].to_pylist(), zip(*columns)))


def written_by(run) -> set[tuple[str, str]]:
    changes = [planned.change for planned in run.plan.changes]
    return {(change.record_id, change.column) for change in changes}


def test_thirty_nights_without_an_event_write_only_a_risk_that_time_carries_over(
    settings, crm
):
    vendor, pretend = crm
    setup(connect(vendor), also=ALSO, dry_run=False)
    asking = attrs.evolve(settings, write=WriteSettings(ALSO))
    first = sync(asking, as_of=CLOSE)
    assert first.journal.counts["written"] > 20
    assert {column for _, column in written_by(first)} >= OF_RISK | {"lost_class"}
    held, before = pretend.snapshot()[ACCOUNTS[vendor]], dangers(first)
    lost = pretend.snapshot()[OPPORTUNITIES[vendor]]
    touched: set[str] = set()
    for night in range(1, 31):
        # Opportunities take long to judge, so that not every night does.
        tonight = settings if night % 6 else asking
        run = sync(tonight, as_of=CLOSE + timedelta(days=night))
        now = dangers(run)
        crossed = {each for each in now if now[each] != before[each]}
        wanted = written_by(run)
        assert {record_id for record_id, _ in wanted} <= crossed
        assert {column for _, column in wanted} <= OF_RISK
        assert (run.journal is None) == (not wanted)
        touched |= {record_id for record_id, _ in wanted}
        before = now
    assert 0 < len(touched) < 10
    after = pretend.snapshot()[ACCOUNTS[vendor]]
    assert {each for each in held if after[each] != held[each]} == touched
    assert pretend.snapshot()[OPPORTUNITIES[vendor]] == lost


PINNED = {
    "salesforce": (
        "Account",
        "Portfolio_Tier__c",
        "Portfolio_Tier_Pinned__c",
        "Portfolio_Tier_Pinned_Until__c",
    ),
    "hubspot": (
        "companies",
        "portfolio_tier",
        "portfolio_tier_pinned",
        "portfolio_tier_pinned_until",
    ),
}


@pytest.fixture
def calm(settings) -> Settings:
    """Settings of which nothing is written between two closes, whatever time does."""
    sync_settings = attrs.evolve(settings.sync, analyses=("tiers", "concentration"))
    return attrs.evolve(settings, sync=sync_settings)


def test_the_end_of_a_pin_is_told_once_though_the_nights_are_quiet(calm, crm):
    vendor, pretend = crm
    first = sync(calm, as_of=CLOSE)
    kind, tier, pinned, until = PINNED[vendor]
    record_id = first.plan.records[0].record_id
    last_day = CLOSE + timedelta(days=2)
    held = pretend.record(kind, record_id)[tier]
    pretend.edit(kind, record_id, {pinned: held, until: last_day.isoformat()})
    nights = [CLOSE + timedelta(days=n) for n in (1, 2, 3, 3, 4, 7)]
    runs = [sync(calm, as_of=night) for night in nights]
    assert [run.journal for run in runs] == [None] * 6
    told = [[ended.record_id for ended in run.plan.ended] for run in runs]
    assert told == [[], [], [record_id], [], [], []]


def test_each_night_compares_with_the_one_before_whether_or_not_it_wrote(calm):
    archive = Archive(calm.sync.archive)
    first = sync(calm, as_of=CLOSE)
    files = {path for path in archive.folder.rglob("*") if path.suffix != ".lock"}
    for night in range(1, 4):
        run = sync(calm, as_of=CLOSE + timedelta(days=night))
        assert run.plan.header.previous_as_of == CLOSE  # when something was written
        assert run.plan.header.previous == first.plan.header.population
    last = archive.index()[-1]
    assert (last.run_id, last.is_quiet) == (run.run_id, True)
    # The last run is the one that wrote, and no night leaves a file of its own.
    assert archive.runs() == (first.plan.id,)
    left = {path for path in archive.folder.rglob("*") if path.suffix != ".lock"}
    assert {p for p in left - files if "locks" not in p.parts} == set()
    assert archive.verify().exit_code == 0


def test_a_quiet_night_that_lost_the_org_meanwhile_notes_nothing(calm):
    archive = Archive(calm.sync.archive)
    sync(calm, as_of=CLOSE)

    def lost(event: str, _: object) -> None:
        if event == "planned":
            for lease in (archive.folder / "locks").rglob("*.json"):
                lease.unlink()

    with pytest.raises(LockHeldError):
        sync(calm, as_of=CLOSE + timedelta(days=1), log=lost)
    assert not any(run.is_quiet for run in archive.index())


def test_a_night_that_was_refused_or_dry_is_not_compared_with(calm, crm):
    vendor, pretend = crm
    first = sync(calm, as_of=CLOSE)
    later = CLOSE + timedelta(days=5)
    assert sync(calm, as_of=later, dry_run=True).plan.changes == ()
    pretend.delete(PINNED[vendor][0], first.plan.records[-1].record_id)
    tight = attrs.evolve(calm, limits=Limits(max_shrunk_share=0, min_changes=0))
    for _ in range(2):
        run = sync(tight, as_of=CLOSE + timedelta(days=1))
        assert "shrunk" in {refusal.rule for refusal in run.plan.refusals}
        header = run.plan.header
        assert (header.previous_as_of, header.previous) == (CLOSE, 40)
    assert len(Archive(calm.sync.archive).index()) == 1


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


def test_a_long_book_is_read_where_it_lies_and_says_the_same(settings, monkeypatch):
    monkeypatch.setattr(_sync, "LONG", 12)
    connection = duckdb.default_connection()
    try:
        run = sync(settings, as_of=CLOSE, dry_run=True)
    finally:
        connection.execute("RESET memory_limit")
    held = analyse(Portfolio.load(settings.sync.folder), settings, only=("tiers",))
    assert backend_of(run.findings["tiers"].frame) == "duckdb"
    assert run.findings["tiers"].to_dict() == held["tiers"].to_dict()
    assert run.plan.changes


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


def test_calls_that_cannot_be_counted_beforehand_stop_no_night(settings, crm):
    """It is only for who watches."""
    name, pretend = crm
    if name != "hubspot":
        pytest.skip("Salesforce counts and reads by the same call")
    pretend.fault(Fault(at_call=1, kind="unavailable", calls=None, route="search"))
    hasty = HubSpotSettings(
        retry=RetrySettings(attempts=1, first_wait_seconds=0), exports="never"
    )
    told = set()
    run = sync(
        settings,
        as_of=CLOSE,
        crm=connect(name, settings=hasty),
        dry_run=True,
        progress=lambda step, *_: told.add(step),
    )
    assert run.plan.changes
    assert {step for step in told if "account" in step}
    assert "calls" not in told


def test_what_only_reads_cannot_write(crm):
    given = connect(crm[0])
    reader, before = _Reader(given), crm[1].snapshot()
    assert isinstance(reader, OfOrg)
    assert isinstance(reader, Metered)
    assert not isinstance(reader, Connector)
    for ability in ("org", "calls", "forecast", "write_batch"):  # as Python 3.12 looks
        assert inspect.getattr_static(reader, ability) is not None
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
