"""Is a folder kept current from a CRM what a fresh pull of that CRM gives?"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from crm_portfolio import Portfolio, connect, pull, samples
from crm_portfolio._pull import PullSettings
from crm_portfolio.connectors.hubspot import HubSpotSettings
from crm_portfolio.connectors.salesforce import SalesforceSettings
from crm_portfolio.simulator import HubSpot, Salesforce

BOOK = samples.book(accounts=40, opportunities=250)
TABLES = ("account", "opportunity", "opportunity_change", "activity", "stage", "owner")
Content = Callable[[Path], dict[str, bytes]]

NAMES = {
    "salesforce": ("Account", "Opportunity", "Name", "Name", "Amount"),
    "hubspot": ("companies", "deals", "name", "dealname", "amount"),
}
KINDS: dict[str, Any] = {
    "salesforce": lambda: SalesforceSettings(tables=TABLES),
    "hubspot": lambda: HubSpotSettings(tables=TABLES),
}


@pytest.fixture(params=["salesforce", "hubspot"])
def vendor(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def crm(vendor: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    kind = Salesforce if vendor == "salesforce" else HubSpot
    tables = with_more(BOOK.tables) if vendor == "hubspot" else BOOK.tables
    with kind(tables, currency="EUR") as pretend:
        for name, value in pretend.environment.items():
            monkeypatch.setenv(name, value)
        yield pretend


def one_night(chance: random.Random, crm: Any, vendor: str) -> None:
    """People at work: they edit, delete and merge, and time goes by."""
    account, opportunity, name, deal, amount = NAMES[vendor]
    accounts, deals = sorted(crm.ids("account").values()), []
    deals = sorted(crm.ids("opportunity").values())
    for _ in range(chance.randint(0, 12)):
        crm.clock.advance(chance.choice([1, 60, 3_600]))
        record = chance.choice(deals)
        if is_there(crm, opportunity, record):
            values = {deal: f"Deal {chance.random()}", amount: chance.randint(1, 999)}
            crm.edit(opportunity, record, values)
        record = chance.choice(accounts)
        if is_there(crm, account, record):
            crm.edit(account, record, {name: f"Account {chance.random()}"})
    for table, records in ((opportunity, deals), (account, accounts)):
        record = chance.choice(records)
        if is_there(crm, table, record):
            crm.delete(table, record)
    merge_some(chance, crm, account, accounts)
    if vendor == "hubspot":  # nobody merges opportunities in Salesforce
        merge_some(chance, crm, opportunity, deals)
    crm.clock.advance(3_600)


def merge_some(chance: random.Random, crm: Any, table: str, records: list[str]) -> None:
    """One into another, often that one into a third; and at times it is deleted then."""
    there = [record for record in records if is_there(crm, table, record)]
    *losers, winner = chance.sample(there, chance.choice([2, 3, 3]))
    for loser, into in pairwise([*losers, winner]):
        crm.merge(table, into, loser)
        crm.clock.advance(60)
    if chance.random() < 0.4:
        crm.delete(table, winner)


def with_more(book: dict[str, Any]) -> dict[str, pa.Table]:
    """Deals of two accounts, of which one is primary or neither; and activities."""
    deals = book["opportunity"]
    ids, accounts = deals["opportunity_id"].to_pylist(), deals["account_id"].to_pylist()
    others = accounts[1:] + accounts[:1]
    both = [
        f"{one};{other}" if place % 3 else (one or "")
        for place, (one, other) in enumerate(zip(accounts, others, strict=True))
    ]
    size = len(ids) // 2
    activity = {
        "activity_id": [f"c{place}" for place in range(size)],
        "kind": ["call", "meeting"] * (size // 2) + ["call"] * (size % 2),
        "occurred_at": pa.array([datetime(2026, 1, 5, tzinfo=UTC)] * size),
        "account_id": accounts[:size],
        "opportunity_id": ids[:size],
    }
    linked = deals.append_column("account_ids", pa.array(both))
    return {**book, "opportunity": linked, "activity": pa.table(activity)}


@pytest.mark.parametrize("had_it", [True, False])
def test_an_opportunity_that_is_undeleted_has_its_history_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bytes_of: Content, *, had_it: bool
) -> None:
    rarely = PullSettings(reconcile_days=100_000)

    def pulled(folder: str, *, since_last: bool = False) -> Path:
        source = connect("salesforce", settings=KINDS["salesforce"]())
        how: Any = {"since_last": since_last, "settings": rarely}
        as_of = crm.clock.now.date() + timedelta(days=1)
        pull(source, as_of=as_of, into=tmp_path / folder, **how)
        return tmp_path / folder

    with Salesforce(BOOK.tables, currency="EUR") as crm:
        for name, value in crm.environment.items():
            monkeypatch.setenv(name, value)
        deal = sorted(crm.ids("opportunity").values())[0]
        for amount in (17, 23):
            crm.clock.advance(7_200)
            crm.edit("Opportunity", deal, {"Amount": amount})
        if had_it:
            pulled("book")
        crm.delete("Opportunity", deal)
        crm.clock.advance(7_200)
        book = pulled("book", since_last=had_it)
        before = Portfolio.load(book, backend="pyarrow")["opportunity_change"]
        assert deal not in before["opportunity_id"].to_pylist()
        crm.clock.advance(7_200)
        crm.undelete("Opportunity", deal)
        crm.clock.advance(7_200)
        pulled("book", since_last=True)
        assert bytes_of(book) == bytes_of(pulled("fresh"))
        after = Portfolio.load(book, backend="pyarrow")["opportunity_change"]
        assert deal in after["opportunity_id"].to_pylist()


def is_there(crm: Any, table: str, record: str) -> bool:
    try:
        found = crm.record(table, record)
    except (KeyError, LookupError, ValueError):
        return False
    return not (found.get("IsDeleted") or found.get("archived"))


@pytest.mark.parametrize("seed", [1, 2])
def test_night_after_night_it_is_what_a_fresh_pull_gives(
    vendor: str, crm: Any, tmp_path: Path, bytes_of: Content, seed: int
) -> None:
    chance = random.Random(seed)
    as_of = BOOK.truths["as_of"]

    def pulled(folder: str, *, since_last: bool) -> Path:
        source = connect(vendor, settings=KINDS[vendor]())
        rarely = PullSettings(reconcile_days=100_000)
        pull(
            source,
            as_of=as_of,
            into=tmp_path / folder,
            since_last=since_last,
            settings=rarely,
        )
        return tmp_path / folder

    book = pulled("book", since_last=False)
    for night in range(3):
        one_night(chance, crm, vendor)
        pulled("book", since_last=True)
        other = bytes_of(pulled(f"fresh-{night}", since_last=False))
        mine = bytes_of(book)
        different = [name for name in other if mine.get(name) != other[name]]
        assert different == [], f"after night {night}"
        assert set(mine) == set(other)
    left = Portfolio.load(book).row_counts
    assert left["account"] < BOOK.tables["account"].num_rows - 3
    assert left["opportunity"] < BOOK.tables["opportunity"].num_rows
