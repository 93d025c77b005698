"""Both CRMs with a few hundred accounts, and each way by which they are reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from troubled import READING, START, WRITING, Crm, Org, Reading, Way, Writing


@pytest.fixture(scope="session")
def _running() -> Iterator[Callable[[Crm], Org]]:
    with ExitStack() as stack:
        started: dict[Crm, Org] = {}

        def org(crm: Crm) -> Org:
            if crm not in started:
                started[crm] = Org(crm, stack.enter_context(START[crm]()))
            started[crm].there.reset()
            return started[crm]

        yield org


@pytest.fixture(params=["salesforce", "hubspot"])
def org(request: pytest.FixtureRequest, _running: Callable[[Crm], Org]) -> Org:
    """Either CRM, as if just started."""
    return _running(request.param)


@pytest.fixture
def salesforce(_running: Callable[[Crm], Org]) -> Org:
    return _running("salesforce")


@pytest.fixture
def hubspot(_running: Callable[[Crm], Org]) -> Org:
    return _running("hubspot")


@pytest.fixture(params=READING, ids=str)
def reading(request: pytest.FixtureRequest, _running: Callable[[Crm], Org]) -> Reading:
    """Either CRM by each of the ways in which a table is read."""
    way: Way = request.param
    return Reading.of(way, _running(way.crm))


@pytest.fixture(params=WRITING, ids=str)
def writing(request: pytest.FixtureRequest, _running: Callable[[Crm], Org]) -> Writing:
    """Either CRM by each of the ways in which fields are written."""
    way: Way = request.param
    return Writing(way, _running(way.crm))
