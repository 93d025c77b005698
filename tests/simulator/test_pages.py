"""Do the reference pages tell of everything that the simulators can do?"""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest

from crm_portfolio.simulator import HubSpot, Salesforce
from crm_portfolio.simulator._kinds import KINDS
from crm_portfolio.simulator.hubspot import Assumptions as HubSpotAssumptions
from crm_portfolio.simulator.hubspot._routes import ROUTES
from crm_portfolio.simulator.salesforce import Assumptions as SalesforceAssumptions

PAGES = Path(__file__).resolve().parents[2] / "docs" / "reference"


def told(page: str) -> set[str]:
    """Every word between backticks, but for the examples."""
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    quoted = re.findall(r"`([^`]+)`", text)
    return {word for part in quoted for word in re.findall(r"\w+", part)}


def test_every_kind_of_fault_is_told():
    assert set(KINDS) - told("simulator") == set()


@pytest.mark.parametrize(
    ("page", "assumptions"),
    [
        ("simulator-salesforce", SalesforceAssumptions),
        ("simulator-hubspot", HubSpotAssumptions),
    ],
)
def test_every_assumption_is_told(page, assumptions):
    names = {field.name for field in attrs.fields(assumptions)}
    assert names - told(page) == set()


@pytest.mark.parametrize(
    ("page", "simulator"),
    [("simulator-salesforce", Salesforce), ("simulator-hubspot", HubSpot)],
)
def test_everything_a_simulator_can_be_asked_is_told(page, simulator):
    public = {name for name in vars(simulator) if not name.startswith("_")}
    assert public - told(page) - told("simulator") == set()


def test_every_route_of_hubspot_is_told():
    text = (PAGES / "simulator-hubspot.md").read_text(encoding="utf-8")
    words = set(re.findall(r"[\w-]+", text))
    for route in ROUTES:
        parts = re.sub(r"\{\w+\}", "", route.template).split("/")
        missing = {part for part in parts if part} - words
        assert not missing or route.is_open, (route.template, missing)
