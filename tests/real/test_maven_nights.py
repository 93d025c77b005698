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
from crm_portfolio.connectors.hubspot._fields import OUR_PROPERTIES
from crm_portfolio.connectors.salesforce._fields import OUR_FIELDS
from crm_portfolio.settings import SyncSettings
from crm_portfolio.writeback import Limits

CRMS: Mapping[str, Any] = {
    "salesforce": simulator.Salesforce,
    "hubspot": simulator.HubSpot,
}
ACCOUNTS = {"salesforce": "Account", "hubspot": "companies"}
DEALS = {"salesforce": "Opportunity", "hubspot": "deals"}
FIELDS: Mapping[str, Mapping[str, str]] = {
    "salesforce": {**OUR_FIELDS["account"], "employee_count": "NumberOfEmployees"},
    "hubspot": {**OUR_PROPERTIES["account"], "employee_count": "numberofemployees"},
}
WON: Mapping[str, Mapping[str, Any]] = {
    "salesforce": {"StageName": "Won", "Amount": 9_000, "CloseDate": "2017-12-27"},
    "hubspot": {
        "dealstage": "998003",
        "amount": "9000",
        "closedate": "2017-12-27T12:00:00Z",
    },
}
# What changes when the books close, and not before: risk is told of as time goes by.
AT_A_CLOSE = ("concentration", "tiers", "succession")
OURS = (
    *("tier", "tier_since_on", "portfolio_rank", "revenue_share", "dependence"),
    "rising",
)
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
            crm=vendor,
            folder=str(place / "book"),
            archive=str(place / "runs"),
            analyses=AT_A_CLOSE,
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


QUIET = (
    "christmas",
    "after edits",
    "won",
    "still won",
    "last",
    "second",
    "after it",
    "end",
)
LOUD = ("first", "edited", "close", "undone", "new year", "deleted", "merged")


def test_the_first_night_fills_our_fields_of_every_account(
    nights: dict[str, Night],
) -> None:
    first = nights["first"]
    assert first.written == dict.fromkeys((*OURS, "portfolio_stamp"), 85)
    assert first.run.journal is not None
    assert first.run.journal.counts == {"written": 7 * 85}


@pytest.mark.parametrize("name", QUIET)
def test_a_night_without_a_reason_writes_nothing(
    nights: dict[str, Night], name: str
) -> None:
    night = nights[name]
    assert night.run.plan.changes == ()
    assert night.run.journal is None
    assert night.before == night.after
    assert night.run.calls is not None
    assert night.run.calls < 20


@pytest.mark.parametrize("name", LOUD)
def test_a_night_changes_our_fields_only_and_says_why(
    firm: Firm, nights: dict[str, Night], name: str
) -> None:
    night = nights[name]
    ours = {FIELDS[firm.vendor][column] for column in (*OURS, "portfolio_stamp")}
    moved = {
        (record_id, field)
        for record_id, record in night.after.items()
        for field in record.keys() | night.before[record_id].keys()
        if record.get(field) != night.before[record_id].get(field)
    }
    assert {field for _, field in moved} <= ours
    assert {record_id for record_id, _ in moved} == night.accounts
    assert night.run.journal is not None
    assert set(night.run.journal.counts) == {"written"}
    assert len(moved) == len(night.run.plan.changes)
    for planned in night.run.plan.changes:
        told = planned.reasons or planned.change.column == "portfolio_stamp"
        assert told or night.run.plan.header.undoes


def test_what_a_person_set_stands_and_is_told_every_night(
    firm: Firm, nights: dict[str, Night]
) -> None:
    since = list(nights)[2:]
    for name in since:
        if name != "undone":
            assert firm.id(EDITED) in nights[name].edited, name
        assert firm.id(EDITED) not in nights[name].accounts
    assert firm.held(EDITED, "tier") == "A"
    told = [e for e in nights["close"].run.plan.edited if e.edited]
    assert [(e.record_id, e.edited) for e in told] == [(firm.id(EDITED), ("tier",))]


def test_what_a_person_changed_elsewhere_stands_and_moves_nothing(
    firm: Firm, nights: dict[str, Night]
) -> None:
    assert nights["edited"].accounts == {firm.id(PINNED)}
    assert int(firm.held("Dalttechnology", "employee_count")) == 4_321


def test_a_pinned_tier_is_followed_until_its_end_which_is_told_once(
    firm: Firm, nights: dict[str, Night]
) -> None:
    tier = FIELDS[firm.vendor]["tier"]
    edited = nights["edited"]
    assert edited.written == {"tier": 1, "portfolio_stamp": 1}
    assert "tier_pinned_until" in edited.reasons
    assert edited.after[firm.id(PINNED)][tier] == "A"
    for name, night in nights.items():
        held = {pin.record_id for pin in night.run.plan.pinned}
        if night.run.as_of >= date(2017, 12, 26):
            is_pinned = night.run.as_of <= date(2018, 1, 2)
            assert held == ({firm.id(PINNED)} if is_pinned else set()), name
    ended = [name for name, night in nights.items() if night.run.plan.ended]
    assert ended == ["deleted"]
    assert nights["deleted"].after[firm.id(PINNED)][tier] == "D"


def won_in_2017(source: Path) -> Counter[str]:
    """Revenue by account as the source tells it, and what people won since."""
    won: Counter[str] = Counter()
    for row in text_csv(source / "sales_pipeline.csv"):
        if row["deal_stage"] == "Won" and str(row["close_date"]) >= "2017-01-01":
            won[str(row["account"])] += int(str(row["close_value"]))
    won["Betatech"] += 3 * 9_000
    return won


def shares(firm: Firm, records: Any) -> dict[str, float]:
    names = {record_id: name for name, record_id in firm.org.ids("account").items()}
    field = FIELDS[firm.vendor]["revenue_share"]
    return {
        names[record_id]: float(record[field])
        for record_id, record in records.items()
        if record_id in names and field in record
    }


def test_the_books_close_with_what_was_won_before_the_last_day_of_the_year(
    firm: Firm, nights: dict[str, Night], shared_data: Path
) -> None:
    close = nights["close"]
    assert close.written == {
        "portfolio_rank": 77,
        "portfolio_stamp": 84,
        "revenue_share": 84,
        "rising": 4,  # into the lower half of the tiers, or out of it
        "tier": 9,
        "tier_since_on": 9,
    }
    assert "tier_move" in close.reasons
    won = won_in_2017(shared_data / "maven_crm")
    found = shares(firm, close.after)
    del found[EDITED]  # whose account is left alone
    total = sum(won.values())
    assert found == pytest.approx({name: won[name] / total for name in found}, abs=6e-7)


def test_a_night_that_is_taken_back_leaves_the_org_as_it_was_before(
    firm: Firm, nights: dict[str, Night]
) -> None:
    assert nights["undone"].after == nights["close"].before
    # And the next night writes the same again, under its own stamp.
    stamp = FIELDS[firm.vendor]["portfolio_stamp"]
    once, again = nights["close"].after, nights["new year"].after
    for record_id, record in once.items():
        mine, its = dict(record), dict(again[record_id])
        assert (mine.pop(stamp) == its.pop(stamp)) == (record_id == firm.id(EDITED))
        assert mine == its


def test_who_was_deleted_leaves_the_shares_of_the_others(
    firm: Firm, nights: dict[str, Night], shared_data: Path
) -> None:
    night = nights["deleted"]
    assert night.run.plan.header.population == 84
    assert firm.id(DELETED) not in night.accounts
    assert len(night.accounts) == 83
    won = won_in_2017(shared_data / "maven_crm")
    del won[DELETED]
    found = shares(firm, night.after)
    alive = {name: found[name] for name in won if name != EDITED}
    total = sum(won.values())
    wanted = {name: won[name] / total for name in alive}
    assert alive == pytest.approx(wanted, abs=6e-7)


def test_who_was_merged_brings_its_revenue_along(
    firm: Firm, nights: dict[str, Night]
) -> None:
    night = nights["merged"]
    assert night.run.plan.header.population == 83
    assert firm.id(LOSER) not in night.accounts
    assert night.written["revenue_share"] == 1
    before, after = shares(firm, nights["after it"].after), shares(firm, night.after)
    both = before[WINNER] + before[LOSER]
    assert after[WINNER] == pytest.approx(both, abs=1.1e-6)


def test_every_night_that_wrote_is_in_the_archive_and_proven(
    firm: Firm, nights: dict[str, Night]
) -> None:
    archive = Archive(Path(firm.settings.sync.archive))
    runs = [nights[name].run.journal.run_id for name in LOUD]  # type: ignore[union-attr]
    assert list(archive.runs()) == runs
    assert archive.verify().exit_code == 0
