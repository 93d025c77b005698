"""Does a pull go on where HubSpot has forgotten its own word for a place?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import pyarrow as pa
import pytest

from crm_portfolio.connectors.hubspot import HubSpot
from crm_portfolio.errors import CursorLostError
from crm_portfolio.protocols import Batch, Cursor
from crm_portfolio.simulator import Fault
from crm_portfolio.simulator.hubspot import HubSpot as Simulator

Connected = Callable[..., HubSpot]
LIST = "GET objects/{kind}"
COUNT, MANY = 360, 210


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    ids = [f"A{place}" for place in range(COUNT)]
    tables = {"account": pa.table({"account_id": ids, "name": ids})}
    with Simulator(tables, currency="EUR", limits_by="nothing") as org:
        yield org


@pytest.fixture
def org(running: Simulator) -> Simulator:
    running.reset()
    return running


def ids_of(batches: list[Batch]) -> list[str]:
    return [i for batch in batches for i in batch.rows["account_id"].to_pylist()]


def gone_of(batches: list[Batch]) -> list[str]:
    told = [batch.gone for batch in batches if batch.gone is not None]
    return [one for gone in told for one in gone["id"].to_pylist()]


def dies(org: Simulator, call: int) -> None:
    """The place that this list from now on was asked for is dead."""
    at = org.calls.get(LIST, 0) + call
    org.fault(Fault(at_call=at, kind="dead_locator", route=LIST))


def many_deleted(org: Simulator, whom: list[str]) -> None:
    """All at once: one after the other they take twenty times as long."""
    org._portal.archive("companies", list(map(int, whom)))


def since_then(
    org: Simulator, connected: Connected, act: str
) -> tuple[Cursor, list[str]]:
    """A pull, and whom people changed afterwards."""
    cursor = list(connected(org).pull("account"))[-1].cursor
    assert cursor is not None
    org.clock.advance(3_600)
    whom = sorted(org.ids("account").values())[:MANY]
    if act == "edit":
        edits = {int(one): {"name": "Edited"} for one in whom}
        org._portal.write("companies", edits, source="CRM_UI")
    else:
        many_deleted(org, whom)
    org.clock.advance(3_600)
    return cursor, whom


@pytest.mark.parametrize("is_another_process", [True, False])
@pytest.mark.parametrize("act", ["edit", "delete"])
def test_an_increment_goes_on_though_its_place_is_dead(
    org, connected, act: str, is_another_process: bool
) -> None:
    """Of so many edits the search becomes a list; the bin is always one."""
    since, whom = since_then(org, connected, act)
    before, batches = org.calls.get(LIST, 0), []
    if is_another_process:
        pulled = connected(org).pull("account", since=since)
        while org.calls.get(LIST, 0) - before < 1:
            batches.append(next(pulled))
        dies(org, 1)
        cursor = batches[-1].cursor
        batches += connected(org).pull("account", since=since, resume=cursor)
    else:
        dies(org, 2)
        batches += connected(org).pull("account", since=since)
    assert batches[-1].is_last
    told = ids_of(batches) if act == "edit" else gone_of(batches)
    assert set(whom) <= set(told)
    assert org.log[-1].status == 200
    assert 400 in {call.status for call in org.log}


@pytest.mark.parametrize("act", ["edit", "delete"])
def test_a_place_that_dies_again_is_said_to_be_lost(org, connected, act: str) -> None:
    since, _ = since_then(org, connected, act)
    dies(org, 2)
    dies(org, 4)
    with pytest.raises(CursorLostError, match="forgotten"):
        list(connected(org).pull("account", since=since))


@pytest.mark.parametrize("is_another_process", [True, False])
@pytest.mark.parametrize("pages", [1, 4])
def test_a_first_load_is_made_exact_though_its_place_is_dead(
    org, connected, pages: int, is_another_process: bool
) -> None:
    """A page of the bin, or of the list that tells whom not even the bin shows."""
    ids = sorted(org.ids("account").values())
    pulled = connected(org, exports="always").pull("account")
    batches = list(islice(pulled, 2))
    org.clock.advance(60)
    many_deleted(org, ids[:MANY])
    org.purge("companies", ids[-1])
    before = org.calls.get(LIST, 0)
    if is_another_process:
        while org.calls.get(LIST, 0) - before < pages:
            batches.append(next(pulled))
        dies(org, 1)
        again = connected(org, exports="always")
        batches += again.pull("account", resume=batches[-1].cursor)
    else:
        dies(org, pages + 1)
        batches += pulled
    assert batches[-1].is_last
    assert 400 in {call.status for call in org.log}
    assert sorted(ids_of(batches)) == ids
    assert sorted(gone_of(batches)) == sorted([*ids[:MANY], ids[-1]])


def test_a_list_that_is_refused_from_the_first_is_refused(org, connected) -> None:
    since, _ = since_then(org, connected, "delete")
    dies(org, 1)
    with pytest.raises(Exception, match="refused"):
        list(connected(org).pull("account", since=since))


def test_as_many_pages_of_the_bin_are_foretold_as_it_had_last(org, connected) -> None:
    since, whom = since_then(org, connected, "delete")
    untold = connected(org).forecast(["account"], since={"account": since})
    assert untold.steps["account: recycle bin, at least"] == 1
    followed = list(connected(org).pull("account", since=since))[-1].cursor
    org.clock.advance(3_600)
    crm = connected(org)
    told = crm.forecast(["account"], since={"account": followed})
    assert told.steps["account: recycle bin"] == 3 == -(-len(whom) // 100)
    list(crm.pull("account", since=followed))
    assert crm.calls == told.calls
