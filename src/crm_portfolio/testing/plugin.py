"""How does a test of someone's job get a CRM to run against?

Loaded by every pytest run of everyone who has the package: nothing heavy above the
fixtures.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from crm_portfolio.simulator import HubSpot, Salesforce

__all__ = ["hubspot_simulator", "pytest_configure", "salesforce_simulator"]


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known where marks are strict."""
    config.addinivalue_line(
        "markers",
        "crm_data(data, **switches): what salesforce_simulator or hubspot_simulator "
        "holds: a folder of model tables, or the tables; the keywords go to "
        "crm_portfolio.simulator.Salesforce or HubSpot.",
    )


@pytest.fixture
def salesforce_simulator(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Salesforce]:
    """A pretend Salesforce that ``connect("salesforce")`` reaches during the test.

    It holds ``samples.book()``, or what the mark ``crm_data`` says.
    """
    from crm_portfolio.simulator import Salesforce

    data, switches = _wanted(request)
    with Salesforce(data, **switches) as crm:
        _reach(monkeypatch, "SALESFORCE_", crm.environment)
        yield crm


@pytest.fixture
def hubspot_simulator(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[HubSpot]:
    """A pretend HubSpot that ``connect("hubspot")`` reaches during the test.

    It holds ``samples.book()``, or what the mark ``crm_data`` says.
    """
    from crm_portfolio.simulator import HubSpot

    data, switches = _wanted(request)
    with HubSpot(data, **switches) as crm:
        _reach(monkeypatch, "HUBSPOT_", crm.environment)
        yield crm


def _reach(
    monkeypatch: pytest.MonkeyPatch, prefix: str, environment: Mapping[str, str]
) -> None:
    # A real org in the developer's environment must not be reached by half.
    for name in [name for name in os.environ if name.startswith(prefix)]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def _wanted(request: pytest.FixtureRequest) -> tuple[Any, dict[str, Any]]:
    mark = request.node.get_closest_marker("crm_data")
    said = {} if mark is None else dict(mark.kwargs)
    if mark is not None and mark.args:
        return mark.args[0], said
    if "data" in said:
        return said.pop("data"), said
    from crm_portfolio import samples

    book = samples.book()
    return book.tables, {"currency": book.truths["currency"], **said}
