"""How does a test of someone's job get a CRM to run against?

Loaded by every pytest run of everyone who has the package: nothing heavy above the
fixtures.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from crm_portfolio.simulator import Salesforce

__all__ = ["pytest_configure", "salesforce_simulator"]

_ENVIRONMENT = (
    "INSTANCE_URL",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "DOMAIN",
    "USERNAME",
    "PRIVATE_KEY",
    "PRIVATE_KEY_FILE",
    "ACCESS_TOKEN",
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known where marks are strict."""
    config.addinivalue_line(
        "markers",
        "crm_data(data, **switches): what salesforce_simulator holds: a folder of model "
        "tables, or the tables; the keywords go to crm_portfolio.simulator.Salesforce.",
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
    for name in _ENVIRONMENT:
        # A real org in the developer's environment must not be reached by half.
        monkeypatch.delenv(f"SALESFORCE_{name}", raising=False)
    with Salesforce(data, **switches) as crm:
        for name, value in crm.environment.items():
            monkeypatch.setenv(name, value)
        yield crm


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
