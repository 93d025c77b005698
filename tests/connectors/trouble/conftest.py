"""Both CRMs with a few hundred accounts, and each way by which they are reached."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from troubled import (
    EXPORT,
    MAIN,
    READING,
    START,
    WRITING,
    Crm,
    Org,
    OrgOf,
    Reading,
    Way,
    Writing,
)


@pytest.fixture(scope="session")
def org_of() -> Iterator[OrgOf]:
    """The pretend org of a CRM, as if just started."""
    with ExitStack() as stack:
        started: dict[Crm, Org] = {}

        def org(crm: Crm) -> Org:
            if crm not in started:
                started[crm] = Org(crm, stack.enter_context(START[crm]()))
            started[crm].there.reset()
            return started[crm]

        yield org


@pytest.fixture(params=["salesforce", "hubspot"])
def org(request: pytest.FixtureRequest, org_of: OrgOf) -> Org:
    """Either CRM, as if just started."""
    return org_of(request.param)


@pytest.fixture
def salesforce(org_of: OrgOf) -> Org:
    return org_of("salesforce")


@pytest.fixture
def hubspot(org_of: OrgOf) -> Org:
    return org_of("hubspot")


@pytest.fixture(params=READING, ids=str)
def every_reading(request: pytest.FixtureRequest, org_of: OrgOf) -> Reading:
    """Either CRM by each of the ways in which a table is read."""
    way: Way = request.param
    return Reading.of(way, org_of(way.crm))


@pytest.fixture(params=[*(w for w in READING if "bulk" in w.name), EXPORT], ids=str)
def csv_reading(request: pytest.FixtureRequest, org_of: OrgOf) -> Reading:
    """Either CRM by the ways in which a table comes as CSV."""
    way: Way = request.param
    return Reading.of(way, org_of(way.crm))


@pytest.fixture(params=MAIN, ids=str)
def reading(request: pytest.FixtureRequest, org_of: OrgOf) -> Reading:
    """The same by fewer ways, for what is tried at many calls."""
    way: Way = request.param
    return Reading.of(way, org_of(way.crm))


@pytest.fixture(params=WRITING, ids=str)
def writing(request: pytest.FixtureRequest, org_of: OrgOf) -> Writing:
    """Either CRM by each of the ways in which fields are written."""
    way: Way = request.param
    return Writing(way, org_of(way.crm))
