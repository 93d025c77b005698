"""Are the scopes that the reference page names enough, and is each of them needed?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path

import pytest

from crm_portfolio import pull, samples, setup
from crm_portfolio.connectors.hubspot import HubSpot, HubSpotSettings
from crm_portfolio.connectors.hubspot._login import login_from
from crm_portfolio.errors import RightMissingError
from crm_portfolio.protocols import Change
from crm_portfolio.schema import OptIn
from crm_portfolio.simulator import HubSpot as Simulator
from crm_portfolio.simulator.hubspot._auth import SCOPES

PAGE = Path(__file__).parents[3] / "docs/reference/hubspot-scopes.md"
WRITING = "crm.objects.companies.write"
FURTHER = ("exchange_rate", "ticket", "enquiry", "invoice", "activity")


def rows(heading: str) -> list[tuple[set[str], str]]:
    """The scopes and the purpose in each line below a heading of the page."""
    section = PAGE.read_text("utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line.split("|")[1:3] for line in section.splitlines() if "| `" in line]
    return [(set(re.findall(r"`([\w.-]+)`", scopes)), what) for scopes, what in lines]


def scopes_of(table: str) -> set[str]:
    found = [scopes for scopes, what in rows("The nightly job") if f"`{table}`" in what]
    return set().union(*found)


def default_scopes() -> set[str]:
    # This org has several currencies, so it needs the scope of rates as well.
    tables = ("account", "opportunity", "stage", "owner", "exchange_rate")
    return set().union(*map(scopes_of, tables))


@pytest.fixture(scope="module")
def _running() -> Iterable[Simulator]:
    with Simulator(samples.odd_book(), currency="EUR") as running:
        yield running


@pytest.fixture
def org(_running: Simulator) -> Simulator:
    _running.reset()
    return _running


def lacks(org: Simulator, granted: set[str], act: Callable[[], object]) -> str:
    """What the error names when only these are granted; empty where all goes well."""
    org.reset()
    for scope in {*SCOPES} - {"oauth"} - granted:
        org.revoke_scope(scope)
    try:
        act()
    except RightMissingError as error:
        return str(error)
    return ""


def reading(org: Simulator, *tables: str) -> Callable[[], object]:
    def act() -> object:
        settings = HubSpotSettings(tables=tables or HubSpotSettings().tables)
        crm = HubSpot(login_from(org.environment), settings=settings)
        return pull(crm, as_of=date(2026, 6, 30))

    return act


def test_each_scope_of_the_default_tables_is_needed_and_they_are_enough(org) -> None:
    needed = default_scopes()
    assert lacks(org, needed, reading(org)) == ""
    for scope in needed:
        assert scope in lacks(org, needed - {scope}, reading(org))


@pytest.mark.parametrize("table", FURTHER)
def test_each_scope_of_a_further_table_is_needed_and_they_are_enough(
    org, table
) -> None:
    act = reading(org, "account", table)
    needed = default_scopes() | scopes_of(table)
    assert lacks(org, needed, act) == ""
    for scope in scopes_of(table):
        assert scope in lacks(org, needed - {scope}, act)


def test_each_scope_of_setting_up_is_needed_and_they_are_enough(org) -> None:
    needed = set().union(*(scopes for scopes, _ in rows("Setting up")))
    always = {scope for scope in needed if ".deals." not in scope}

    def act(*also: OptIn) -> Callable[[], object]:
        return lambda: setup(
            HubSpot(login_from(org.environment)), also=also, dry_run=False
        )

    for scopes, done in ((always, act()), (needed, act("lost_class"))):
        assert lacks(org, scopes, done) == ""
        for scope in scopes:
            assert scope in lacks(org, scopes - {scope}, done)


def test_writing_back_takes_the_scope_of_writing_companies(org) -> None:
    assert WRITING in set().union(*(scopes for scopes, _ in rows("The nightly job")))
    setup(HubSpot(login_from(org.environment)), dry_run=False)
    account = next(iter(org.ids("account").values()))

    def written() -> str:
        crm = HubSpot(login_from(org.environment))
        (outcome,) = crm.write("account", [Change(account, "tier", None, "A")])
        return outcome.state

    for scope in {*SCOPES} - {"oauth", WRITING} - scopes_of("account"):
        org.revoke_scope(scope)
    assert written() == "written"
    org.revoke_scope(WRITING)
    with pytest.raises(RightMissingError, match=re.escape(WRITING)):
        written()
