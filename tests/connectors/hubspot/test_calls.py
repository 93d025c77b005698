"""The least calls there are, with history, activities and tickets, told beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from math import ceil

import pyarrow as pa
import pytest

from crm_portfolio import schema
from crm_portfolio.connectors.hubspot import HubSpot
from crm_portfolio.protocols import Change
from crm_portfolio.simulator.hubspot import HubSpot as Simulator

ACCOUNTS, DEALS, CALLS, MEETINGS, TICKETS = 230, 410, 130, 40, 120
START = datetime(2026, 7, 1, tzinfo=UTC)
EVERYTHING = (
    "account",
    "opportunity",
    "stage",
    "owner",
    "opportunity_change",
    "activity",
    "ticket",
)
Connected = Callable[..., HubSpot]


def tables() -> dict[str, pa.Table]:
    accounts = [f"A{place}" for place in range(ACCOUNTS)]
    when = pa.array([datetime(2026, 3, 1, tzinfo=UTC)] * DEALS)
    kinds = ["call"] * CALLS + ["meeting"] * MEETINGS
    return {
        "account": pa.table({"account_id": accounts, "name": accounts}),
        "opportunity": pa.table(
            {
                "opportunity_id": [f"D{place}" for place in range(DEALS)],
                "account_id": [accounts[place % ACCOUNTS] for place in range(DEALS)],
                "status": ["open"] * DEALS,
                "amount": [float(place) for place in range(DEALS)],
            }
        ),
        "activity": pa.table(
            {
                "activity_id": [f"V{place}" for place in range(len(kinds))],
                "occurred_at": when[: len(kinds)],
                "account_id": accounts[: len(kinds)],
                "kind": kinds,
            }
        ),
        "ticket": pa.table(
            {
                "ticket_id": [f"T{place}" for place in range(TICKETS)],
                "opened_at": when[:TICKETS],
                "account_id": accounts[:TICKETS],
            }
        ),
    }


@pytest.fixture(scope="module")
def _running_all() -> Iterator[Simulator]:
    with Simulator(tables(), currency="EUR", limits_by="nothing") as running:
        yield running


@pytest.fixture
def portal(_running_all: Simulator) -> Simulator:
    _running_all.reset()
    return _running_all


def test_with_history_activities_and_tickets_a_pull_costs_the_minimum(
    portal: Simulator, connected: Connected
) -> None:
    """The rows of the call arithmetic, and those it lacks."""
    crm = connected(portal, tables=EVERYTHING, exports="never")
    crm.org()
    names = list(crm.tables())
    forecast = crm.forecast(names)
    cursors = {name: list(crm.pull(name))[-1].cursor for name in names}
    kinds = 6  # companies, deals, calls, meetings, e-mails, tickets
    lists = sum(
        ceil(count / 100) for count in (ACCOUNTS, DEALS, CALLS, MEETINGS, 1, TICKETS)
    )
    history, stages, owners, identity = ceil(DEALS / 50), 1, 2, 1
    minimum = kinds + lists + history + stages + owners + identity
    asking = forecast.steps["counting"]
    assert crm.calls - asking <= minimum + 5
    assert abs(forecast.calls - crm.calls) <= 2
    # An increment: a search and a look into the recycle bin for each kind.
    portal.clock.advance(3_600)
    portal.edit("deals", sorted(portal.ids("opportunity").values())[0], {"amount": "7"})
    before = crm.calls
    for name, cursor in cursors.items():
        list(crm.pull(name, since=cursor))
    history_search, history_read = 1, 1
    minimum = 2 * kinds + history_search + history_read + stages + owners
    assert crm.calls - before <= minimum + 5


@pytest.mark.parametrize("count", [1, 100, 230])
def test_writing_costs_a_read_and_a_call_for_each_hundred(
    portal: Simulator, connected: Connected, count: int
) -> None:
    list(connected(portal).provision(schema.MANAGED["account"], dry_run=False))
    ids = sorted(portal.ids("account").values())[:count]
    crm = connected(portal)
    forecast, size = crm.write_forecast(count), crm.write_batch(count)
    for start in range(0, count, size):
        part = ids[start : start + size]
        crm.read("account", part, ["tier"])
        changes = [Change(record, "tier", None, "B") for record in part]
        assert {o.state for o in crm.write("account", changes)} == {"written"}
        told = crm.edits("account", part, ["tier"], since=START)
        assert set(told["value"].to_pylist()) == {"B"}
    assert crm.calls <= 2 * ceil(count / 100) + ceil(count / 50) + 5
    assert abs(forecast.calls - crm.calls) <= 1
