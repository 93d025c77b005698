"""Two weeks of nights on a real book, with people at work in between: what is written?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import attrs
import pytest
from loaders import maven_folder, text_csv

from crm_portfolio import (
    Archive,
    Settings,
    apply,
    connect,
    setup,
    simulator,
    sync,
    undo,
)
from crm_portfolio._sync import Run
from crm_portfolio.connectors.hubspot._fields import COMPANY_PROPERTIES
from crm_portfolio.connectors.salesforce._fields import ACCOUNT_FIELDS
from crm_portfolio.settings import SyncSettings
from crm_portfolio.writeback import Limits

CRMS: Mapping[str, Any] = {
    "salesforce": simulator.Salesforce,
    "hubspot": simulator.HubSpot,
}
ACCOUNTS = {"salesforce": "Account", "hubspot": "companies"}
DEALS = {"salesforce": "Opportunity", "hubspot": "deals"}
FIELDS: Mapping[str, Mapping[str, str]] = {
    "salesforce": {**ACCOUNT_FIELDS, "employee_count": "NumberOfEmployees"},
    "hubspot": {**COMPANY_PROPERTIES, "employee_count": "numberofemployees"},
}
WON: Mapping[str, Mapping[str, Any]] = {
    "salesforce": {"StageName": "Won", "Amount": 9_000, "CloseDate": "2017-12-27"},
    "hubspot": {
        "dealstage": "998003",
        "amount": "9000",
        "closedate": "2017-12-27T12:00:00Z",
    },
}
OURS = ("tier", "tier_since_on", "portfolio_rank", "revenue_share", "dependence")
EDITED, PINNED, DELETED = "Acme Corporation", "Bioholding", "Cancity"
WINNER, LOSER = "Codehow", "Conecom"


@attrs.frozen(eq=False)
class Night:
    """One night, and how the accounts stood before and after it."""

    run: Run
    before: Any
    after: Any

    @property
    def written(self) -> Counter[str]:
        """How many accounts were written, by column."""
        return Counter(c.change.column for c in self.run.plan.changes)

    @property
    def accounts(self) -> set[str]:
        return {record.record_id for record in self.run.plan.records}

    @property
    def reasons(self) -> set[str]:
        return {r.code for c in self.run.plan.changes for r in c.reasons}

    @property
    def edited(self) -> set[str]:
        return {each.record_id for each in self.run.plan.edited}


@attrs.frozen(eq=False)
class Firm:
    """The org, the people in it, and the job that comes every night."""

    vendor: str
    org: Any
    settings: Settings
    open_deals: tuple[str, ...]

    def night(self, day: date) -> Night:
        before = self.accounts()
        run = sync(self.settings, as_of=day)
        assert run.exit_code == 0
        return Night(run, before, self.accounts())

    def accounts(self) -> Any:
        kind = ACCOUNTS[self.vendor]
        return self.org.snapshot(kind)[kind]

    def id(self, name: str) -> str:
        return str(self.org.ids("account")[name])

    def edit(self, name: str, **values: Any) -> None:
        told = {FIELDS[self.vendor][column]: value for column, value in values.items()}
        self.org.edit(ACCOUNTS[self.vendor], self.id(name), told)

    def held(self, name: str, column: str) -> Any:
        return self.accounts()[self.id(name)].get(FIELDS[self.vendor][column])

    def win(self, deal: str) -> None:
        self.org.edit(DEALS[self.vendor], deal, WON[self.vendor])


def open_deals_of(source: Path, name: str) -> list[str]:
    rows = text_csv(source / "sales_pipeline.csv")
    return [
        str(row["opportunity_id"])
        for row in rows
        if row["account"] == name and row["deal_stage"] == "Engaging"
    ]


@pytest.fixture(scope="module", params=list(CRMS))
def firm(
    request: pytest.FixtureRequest,
    shared_data: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Firm]:
    vendor, place = request.param, tmp_path_factory.mktemp("nights")
    source = shared_data / "maven_crm"
    folder = maven_folder(source, place / "maven")
    settings = Settings(
        sync=SyncSettings(
            crm=vendor, folder=str(place / "book"), archive=str(place / "runs")
        ),
        limits=Limits(settle_seconds=0),
    )
    with (
        CRMS[vendor](data=folder, currency="USD") as org,
        pytest.MonkeyPatch.context() as environment,
    ):
        for name, value in org.environment.items():
            environment.setenv(name, value)
        setup(connect(vendor), dry_run=False)
        ids = org.ids("opportunity")
        deals = tuple(ids[key] for key in open_deals_of(source, "Betatech")[:3])
        yield Firm(vendor, org, settings, deals)


@pytest.fixture(scope="module")
def nights(firm: Firm) -> dict[str, Night]:
    """Two weeks, and what people did on the day before each night."""

    def december(day: int) -> Night:
        return firm.night(date(2017, 12, day))

    def january(day: int) -> Night:
        return firm.night(date(2018, 1, day))

    told = {"first": december(24), "christmas": december(25)}
    firm.edit(EDITED, tier="A")
    firm.edit("Dalttechnology", employee_count=4_321)
    until = "2018-01-02"
    firm.edit(PINNED, tier_pinned="A", tier_pinned_until_on=until)
    told |= {"edited": december(26), "after edits": december(27)}
    for deal in firm.open_deals:
        firm.win(deal)
    told |= {"won": december(28), "still won": december(29), "last": december(30)}
    told["close"] = december(31)
    told["undone"] = taken_back(firm, told["close"])
    told["new year"] = january(1)
    told["second"] = january(2)
    firm.org.delete(ACCOUNTS[firm.vendor], firm.id(DELETED))
    told |= {"deleted": january(3), "after it": january(4)}
    firm.org.merge(ACCOUNTS[firm.vendor], firm.id(WINNER), firm.id(LOSER))
    told["merged"] = january(5)
    told["end"] = january(6)
    return told


def taken_back(firm: Firm, night: Night) -> Night:
    before, crm = firm.accounts(), connect(firm.vendor)
    archive = Archive(Path(firm.settings.sync.archive))
    assert night.run.journal is not None
    way_back = undo(archive.journal(night.run.journal.run_id), crm)
    journal = apply(way_back, crm, archive=archive)
    assert journal.exit_code == 0
    run = attrs.evolve(night.run, plan=way_back, journal=journal)
    return Night(run, before, firm.accounts())


def test_show(firm, nights):
    for name, n in nights.items():
        p = n.run.plan
        print(name, n.run.as_of, dict(n.written), len(n.accounts), "edited", [(e.record_id, e.columns, e.edited) for e in p.edited],
          "pinned", p.pinned, "ended", p.ended, "missing", p.missing, n.run.journal and dict(n.run.journal.counts), n.run.calls, p.header.population)
        if 0 < len(n.accounts) < 5: print("    ", [(c.change.record_id,c.change.column,c.change.before,c.change.after,[r.code for r in c.reasons]) for c in p.changes])
    print(firm.id(EDITED), firm.id(PINNED))
